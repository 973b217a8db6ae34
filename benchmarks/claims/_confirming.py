"""Dear results, made again in part by today's code, and compared with what stands."""

from __future__ import annotations

import csv
import io
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from . import ROOT
from ._digests import is_code
from ._recording import timed_run
from ._records import RESULTS, Record, Sample, known
from ._rerun import TIMES, close, elsewhere

Row = dict[str, str]


def confirm(
    name: str, words: list[str], *, files: list[str], covers: bool = False, beside: str = ""
) -> Sample:
    """Run a command that makes some rows of a result, in another folder, and note it if they agree.

    Parameters
    ----------
    name : str
        Of the record.
    words : list of str
        As `record` takes them; what it says of `docs/results` goes elsewhere.
    files : list of str
        Tables below `docs/results` that are compared; empty: those of the record.
    covers : bool
        See `Sample`.
    beside : str
        A commit whose code made the result: it runs the same command, and its rows are compared
        instead of those that stand, which another processor may have made. Empty: those that stand.

    Returns
    -------
    sample : Sample
        Which is in the record from then on.

    Raises
    ------
    SystemExit
        If a row is not among those that stand, times left out, or none was made; if no such commit
        has code that made the result and is another today.
    """
    record = known(name)
    tables = files or [inside for inside in record.files if inside.endswith(".csv")]
    with TemporaryDirectory() as folder:
        then = _run_then(record, words, beside, Path(folder)) if beside else {}
        (Path(folder) / "now").mkdir()
        run = timed_run(elsewhere(words, f"{folder}/now"))
        made = _tables(Path(folder) / "now", tables)
        stand = _tables(Path(folder) / "then" if beside else ROOT / RESULTS, tables)
    if run.stopped:
        raise KeyboardInterrupt
    if beside:
        made = {inside: as_written_then(rows, stand[inside]) for inside, rows in made.items()}
    # Beside a commit both ran on one machine: there is no rounding to forgive.
    _check_alike(made, stand, 0.0 if beside else record.tolerance)
    if beside:
        _check_alike(stand, made, 0.0)
    sample = Sample(
        **asdict(run),
        command=shlex.join(["python", *words]),
        tables=files,
        rows=sum(map(len, made.values())),
        of=sum(map(len, stand.values())),
        covers=covers,
        beside=beside,
        then=then,
    )
    again = (sample.command, beside)
    record.confirmed = [old for old in record.confirmed if (old.command, old.beside) != again]
    record.confirmed.append(sample)
    record.save()
    return sample


def as_written_then(made: list[Row], stand: list[Row]) -> list[Row]:
    """Rows without the columns that the code of before did not write; it says which these are."""
    known = {column for row in stand for column in row}
    new = sorted({column for row in made for column in row if known and column not in known})
    if new:
        print(f"Not compared, for that code did not write them: {', '.join(new)}.")
    return [{k: v for k, v in row.items() if k not in new} for row in made]


def _check_alike(
    made: Mapping[str, list[Row]], stand: Mapping[str, list[Row]], tolerance: float
) -> None:
    others = [
        f"{inside}: {nearest(row, stand[inside])}"
        for inside, rows in made.items()
        for row in rows
        if not any(same(row, old, tolerance) for old in stand[inside])
    ]
    count = sum(map(len, made.values()))
    if not count:
        raise SystemExit(f"The command has written no row of {', '.join(made)}.")
    if others:
        raise SystemExit("\n".join([f"{len(others)} of {count} rows are others:", *others[:5]]))


def _run_then(record: Record, words: list[str], commit: str, folder: Path) -> dict[str, list[str]]:
    """Run the command on the code of a commit; which of the record's digests are of that code."""
    packed = subprocess.run(["git", "archive", commit], capture_output=True, cwd=ROOT, check=False)
    if packed.returncode:
        raise SystemExit(f"There is no commit {commit!r}: {packed.stderr.decode().strip()}")
    tree = folder / "tree"
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as files:
        files.extractall(tree, filter="data")
    changed = {
        (path, said)
        for run in record.runs
        for path, said in run.changed().items()
        if is_code(tree / path, said)
    }
    if not changed:
        raise SystemExit(f"No code that made {record.name} is that of {commit} and changed since.")
    (folder / "then").mkdir()
    done = subprocess.run(
        [sys.executable, *elsewhere(words, f"{folder}/then")],
        cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(
            f"The command ended with status {done.returncode} on the code of {commit}."
        )
    return {path: sorted(said for at, said in changed if at == path) for path, _ in sorted(changed)}


def _tables(folder: Path, names: list[str]) -> dict[str, list[Row]]:
    return {name: rows_of(folder / name) for name in names}


def rows_of(path: Path) -> list[Row]:
    """Rows of a table, without times and version numbers; none where there is no such file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{k: v for k, v in row.items() if _counts(k, v)} for row in csv.DictReader(file)]


def _counts(column: str, value: str) -> bool:
    return not TIMES.search(column) and not (column == "version" and value[:1].isdigit())


def same(row: Row, old: Row, tolerance: float) -> bool:
    """Whether two rows say the same."""
    return row.keys() == old.keys() and all(close(row[k], old[k], tolerance) for k in row)


def nearest(row: Row, old: list[Row]) -> str:
    """What a row says otherwise than the most similar one that stands."""
    if not old:
        return "there are no rows to compare with"
    most = min(old, key=lambda one: sum(one.get(k) != v for k, v in row.items()))
    differs = {k: f"{most.get(k)} stands, {v} came" for k, v in row.items() if most.get(k) != v}
    agree = ", ".join(f"{k}={v}" for k, v in list(row.items())[:6] if k not in differs)
    return f"{agree}: " + "; ".join(f"{k}: {said}" for k, said in differs.items())
