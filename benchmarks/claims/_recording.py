"""Run the command that makes a results file, and write down what it was run with."""

from __future__ import annotations

import csv
import os
import platform
import re
import runpy
import shlex
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from itertools import chain
from pathlib import Path

from . import ROOT
from ._digests import begins_with, code_digest_of, file_digest
from ._records import CHEAP, RESULTS, Record, Run, load
from ._tracing import traced

_NO_RESULTS = f":!{RESULTS}"


def record(
    name: str, words: list[str], *, files: list[str], tolerance: float = 0.0, timed: bool = False,
    joins: Sequence[str] = (), whole: str = "",
) -> Record:  # fmt: skip
    """Run a command of this repository in this process, and keep its record, Ctrl-C or not.

    Parameters
    ----------
    name : str
        Of the record.
    words : list of str
        ``["examples/x.py", "--out", "docs/results/x.csv"]`` or ``["-m", "benchmarks.growth"]``.
    files : list of str
        What it writes, beside those in `docs/results` that the command names; where there is
        neither, the files of the record that stands.
    tolerance : float
    timed : bool
        Whether its figures are times. See `Record`.
    joins : sequence of str
        Other checkouts in which this result went on, and whose rows the command brings in: the
        runs of their records are kept too.
    whole : str
        The command that makes all of it in one sitting, to be kept instead of this one.

    Raises
    ------
    SystemExit
        If the command ends with an error, or names no results file, or one elsewhere, which is
        said before it runs; or if one of `joins` has no
        such record, or not the files it speaks of.
    KeyboardInterrupt
        If it was stopped: the record is that of what it had written.
    """
    paths = _results_of(name, words, files)
    elsewhere = [run for place in joins for run in _runs_in(Path(place), name)]
    before = {path: path.read_bytes() for path in _inside(paths)}
    times = {path: path.stat().st_mtime_ns for path in before}
    run = timed_run(words)
    if missing := [str(path) for path in paths if not path.exists()]:
        raise SystemExit(f"The command has not written {', '.join(missing)}.")
    made = [path.relative_to(ROOT / RESULTS).as_posix() for path in _inside(paths)]
    written = any(path.stat().st_mtime_ns != at for path, at in times.items())
    old = load(name)
    only_read = old is not None and _only_read(old, before, run)
    if old and not _went_on(old, before, only_read):
        old = None
    if old and not old.edited():
        if not (written and _ran_all(run, old)):
            return old  # there was nothing to do
        old = None
    past = old.runs if old else []
    runs = [*past, *_others(elsewhere, past), run]
    digests = {inside: file_digest(ROOT / RESULTS / inside) for inside in made}
    if old and only_read:
        kept = replace(old, files=digests, runs=runs)
    else:
        rerun = "timed" if timed else _cost(runs)
        confirmed = old.confirmed if old else []
        command = shlex.join(["python", *words])
        seeds = _seeds(words, made)
        kept = Record(name, command, digests, seeds, rerun, tolerance, runs, confirmed)
    if whole:
        kept.command = whole
    kept.save()
    if run.stopped:
        raise KeyboardInterrupt
    return kept


def _runs_in(place: Path, name: str) -> list[Run]:
    """Those of a record of another checkout, whose files must be what they had left."""
    found = load(name, place)
    if found is None or (edited := found.edited(place)):
        wrong = f"no record {name!r}" if found is None else f"other files: {', '.join(edited)}"
        raise SystemExit(f"{place} has {wrong}. Record its runs there before they are joined.")
    return found.runs


def _others(runs: list[Run], known: list[Run]) -> list[Run]:
    """Each run once, without those that are known, in their order."""
    return [run for at, run in enumerate(runs) if run not in [*known, *runs[:at]]]


def _cost(runs: list[Run]) -> str:
    """Whether all of them together are run again by the tests; one that was stopped never is."""
    long = sum(run.cpu_seconds or 0.0 for run in runs) >= CHEAP
    return "dear" if long or runs[-1].stopped else "cheap"


def _results_of(name: str, words: list[str], files: list[str]) -> list[Path]:
    """The files, or folders, that are written."""
    names = [word for word in words if word.startswith(f"{RESULTS}/")] + files
    if not names and (old := load(name)):
        names = [f"{RESULTS}/{inside}" for inside in old.files]
    if outside := [each for each in names if not each.startswith(f"{RESULTS}/")]:
        raise SystemExit(f"{', '.join(outside)}: a file that is recorded lies in {RESULTS}/.")
    if not names:
        raise SystemExit(
            f"The command names no file in {RESULTS}: pass its --out {RESULTS}/…, or name what it "
            "writes by --files."
        )
    return [ROOT / name for name in names]


def _inside(paths: list[Path]) -> list[Path]:
    """Those that are files, and the files of those that are folders."""
    inside = [path for one in paths for path in (one, *sorted(one.rglob("*")))]
    return [path for path in inside if path.is_file()]


def _went_on(old: Record, before: dict[Path, bytes], only_read: bool) -> bool:
    """Whether a run found what an earlier one had left, and at most added to it.

    Everything stands, and lines may follow; or there are tables of runs, by seed, whose rows all
    stand: the other files, such as means over them, are made of these. The rows are more now, or
    were only read.
    """
    found = {ROOT / RESULTS / inside: digest for inside, digest in old.files.items()}
    if not all(
        path.exists() and begins_with(text, found.get(path, "")) for path, text in before.items()
    ):
        return False
    tables = _tables_of_runs(before)
    more = all(then <= now for then, now in tables) and any(then < now for then, now in tables)
    appended = all(path.read_bytes().startswith(text) for path, text in before.items())
    same_files = found.keys() <= before.keys()
    return same_files and (appended or more or only_read)


def _only_read(old: Record, before: dict[Path, bytes], run: Run) -> bool:
    """Whether the rows of runs are as they were, and less code ran than had made them."""
    tables = _tables_of_runs(before)
    stand = bool(tables) and all(then == now for then, now in tables)
    return stand and not _ran_all(run, old)


def _tables_of_runs(before: dict[Path, bytes]) -> list[tuple[set[bytes], set[bytes]]]:
    """Of the files that have rows by seed, the lines as they were and as they are."""
    return [
        (set(text.splitlines()), set(path.read_bytes().splitlines()))
        for path, text in before.items()
        if _has_seeds(path, text)
    ]


def _has_seeds(path: Path, text: bytes) -> bool:
    return path.suffix == ".csv" and b"seed" in text.partition(b"\n")[0].strip().split(b",")


def _ran_all(run: Run, old: Record) -> bool:
    """Whether all code ran that had made the result: what only reads its rows runs less."""
    return all(past.code.keys() <= run.code.keys() for past in old.runs)


def timed_run(words: list[str]) -> Run:
    """Run it in this process, and say with what."""
    commit = _commit()
    wall, cpu = time.perf_counter(), _cpu_seconds()
    script = {} if words[0] == "-m" else {words[0]: code_digest_of(ROOT / words[0])}
    stopped = False
    with traced() as code:
        try:
            _run(words)
        except KeyboardInterrupt:
            stopped = True
    return Run(
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        commit=commit,
        code=script | code,
        seconds=round(time.perf_counter() - wall, 1),
        cpu_seconds=round(_cpu_seconds() - cpu, 1),
        threads=_threads(),
        machine=machine(),
        versions=versions(),
        stopped=stopped,
    )


def _run(words: list[str]) -> None:
    os.chdir(ROOT)
    module = words[0] == "-m"
    target, arguments = (words[1], words[2:]) if module else (words[0], words[1:])
    sys.argv = [target, *arguments]
    sys.path.insert(0, str(ROOT if module else (ROOT / target).parent))
    sys.path.insert(1, str(ROOT))
    try:
        if module:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
        else:
            runpy.run_path(target, run_name="__main__")
    except SystemExit as error:
        if error.code:
            said = f"with status {error.code}" if isinstance(error.code, int) else f"({error.code})"
            raise SystemExit(f"The command ended {said}: nothing is recorded.") from None


def _cpu_seconds() -> float:
    return sum(os.times()[:4])  # its own and its children's, user and system


def _commit() -> str:
    """The last that changed more than results: those are committed on the way, and rebased."""
    try:
        commit = _git("log", "-1", "--format=%h", "--", ".", _NO_RESULTS)
        changed = _git("status", "--porcelain", "--untracked-files=no", _NO_RESULTS)
    except OSError:
        return "unknown"
    return f"{commit}-dirty" if commit and changed else commit or "unknown"


def _git(*words: str) -> str:
    found = subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT, check=False)
    return found.stdout.strip()


def machine() -> str:
    """Processor, cores and system, in words."""
    try:
        info = Path("/proc/cpuinfo").read_text()
        cpu = re.search(r"^model name\s*: (.*)$", info, re.MULTILINE)
    except OSError:
        cpu = None
    name = cpu[1] if cpu else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def versions() -> dict[str, str]:
    """Of Python, skactive, and what it requires, as far as it is imported."""
    found = {"python": platform.python_version()}
    tops = {name.partition(".")[0] for name in sys.modules}
    for top, names in sorted(metadata.packages_distributions().items()):
        found |= {n: metadata.version(n) for n in names if top in tops and n.lower() in _required()}
    return found


def _required() -> set[str]:
    """Names of the packages that skactive requires, with all extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    return {re.split(r"[^\w-]", line)[0].lower() for line in lines}


def _seeds(words: list[str], made: list[str]) -> list[int]:
    """From the column `seed` of what was made, else from the command."""
    found: set[int] = set()
    for name in made:
        if name.endswith(".csv"):
            with (ROOT / RESULTS / name).open(newline="", encoding="utf-8") as file:
                found |= {int(row["seed"]) for row in csv.DictReader(file) if row.get("seed")}
    said = re.search(r"--seeds?((?: \d+)+)", " ".join(words))
    return sorted(found) or [int(word) for word in (said[1].split() if said else [])]
