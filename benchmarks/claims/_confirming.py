"""Dear results, made again in part by today's code, and compared with what stands."""

from __future__ import annotations

import csv
import shlex
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from . import ROOT
from ._recording import timed_run
from ._records import RESULTS, Sample, known
from ._rerun import TIMES, close, elsewhere

Row = dict[str, str]


def confirm(name: str, words: list[str], *, files: list[str], covers: bool = False) -> Sample:
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

    Returns
    -------
    sample : Sample
        Which is in the record from then on.

    Raises
    ------
    SystemExit
        If a row is not among those that stand, times left out, or none was made.
    """
    record = known(name)
    tables = files or [inside for inside in record.files if inside.endswith(".csv")]
    with TemporaryDirectory() as folder:
        run = timed_run(elsewhere(words, folder))
        made = {inside: rows_of(Path(folder) / inside) for inside in tables}
    if run.stopped:
        raise KeyboardInterrupt
    stand = {inside: rows_of(ROOT / RESULTS / inside) for inside in tables}
    others = [
        f"{inside}: {nearest(row, stand[inside])}"
        for inside, rows in made.items()
        for row in rows
        if not any(same(row, old, record.tolerance) for old in stand[inside])
    ]
    count = sum(map(len, made.values()))
    if others or not count:
        said = "\n".join([f"{len(others)} of {count} rows are others:", *others[:5]])
        raise SystemExit(said if count else f"The command has written no row of {tables}.")
    of, command = sum(map(len, stand.values())), shlex.join(["python", *words])
    sample = Sample(**asdict(run), command=command, rows=count, of=of, covers=covers)
    record.confirmed = [old for old in record.confirmed if old.command != command] + [sample]
    record.save()
    return sample


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
