"""Dear results of changed code, confirmed once more by the runs that confirmed them before."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain

from . import ROOT
from ._recording import machine
from ._records import Record, Run, Sample, known, records


def again(names: list[str]) -> list[str]:
    """Repeat what confirmed the records of these names, or all dear ones whose code has changed.

    Each run is a process of its own, since which functions run is seen as modules are imported.
    What another processor had made is confirmed beside its commits, the quickest sample first, as
    long as something of a commit is left to confirm. A sample that was compared on this processor
    with what stands is compared so again: a report of the same rows is the same everywhere.

    Returns
    -------
    failed : list of str
        What was not confirmed, and why.
    """
    chosen = [known(name) for name in names] or [
        record for record in records() if record.rerun == "dear" and record.changed()
    ]
    return list(chain.from_iterable(_repeated(record) for record in chosen))


def _repeated(record: Record) -> Iterator[str]:
    print(f"{record.name}:", flush=True)
    if not record.changed():
        print("  the code that made or confirmed it is today's")
        return
    for words in _commands(record):
        print(f"  confirm {shlex.join(words)}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.claims", "confirm", *words],
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            yield f"{record.name}: {done.stderr.strip().splitlines()[-1]}"
    left = known(record.name).changed()
    said = f"changed, and not confirmed: {', '.join(left)}" if left else "confirmed"
    print(f"  {said}", flush=True)
    if left and not record.confirmed:
        yield f"{record.name}: nothing has confirmed it before; see `confirm`"


def _commands(record: Record) -> Iterator[tuple[str, ...]]:
    """What `confirm` takes for a sample and a commit to run it beside, while something is left."""
    for sample in sorted(record.confirmed, key=lambda sample: sample.seconds or 0.0):
        for beside in _besides(record, sample):
            left = known(record.name)
            of_commit = [run for run in left.runs if beside in ("", sample.beside, _commit(run))]
            if any(map(left.unconfirmed, of_commit)):
                yield tuple(_words(record.name, sample, beside))


def _besides(record: Record, sample: Sample) -> list[str]:
    stale = [run for run in record.runs if record.unconfirmed(run)]
    here = {run.machine for run in stale} == {machine()}
    if here or sample.beside or sample.machine == machine():
        return [sample.beside]
    return [*dict.fromkeys(map(_commit, stale))]


def _commit(run: Run) -> str:
    return run.commit.removesuffix("-dirty")


def _words(name: str, sample: Sample, beside: str) -> Iterator[str]:
    yield name
    if sample.covers:
        yield "--covers"
    if beside:
        yield from ("--beside", beside)
    if sample.tables:
        yield from ("--files", *sample.tables)
    yield from ("--threads", str(sample.threads or 1), "--")
    yield from shlex.split(sample.command)[1:]
