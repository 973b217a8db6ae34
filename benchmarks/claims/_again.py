"""Dear results of changed code, confirmed once more by the runs that confirmed them before."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain

from . import ROOT
from ._recording import machine
from ._records import Record, Sample, known, records


def again(names: list[str]) -> list[str]:
    """Repeat what confirmed the records of these names, or all dear ones whose code has changed.

    Each run is a process of its own, since which functions run is seen as modules are imported.
    What another processor had made is confirmed beside its commits.

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
    for words in dict.fromkeys(_commands(record)):
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
    """What `confirm` takes, for each sample and each commit that it is to be run beside."""
    stale = [run for run in record.runs if run.changed()]
    here = {run.machine for run in stale} == {machine()}
    commits = dict.fromkeys(run.commit.removesuffix("-dirty") for run in stale)
    for sample in record.confirmed:
        for beside in [sample.beside] if here or sample.beside else commits:
            yield tuple(_words(record.name, sample, beside))


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
