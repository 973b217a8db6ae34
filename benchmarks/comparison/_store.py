"""The results file: cells are added whole, so that a run goes on where it stopped."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ._data import SPECS
from ._learners import Tuned
from ._loop import Cell, Row

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "comparison"


class Results:
    """In one folder: LEARNER.csv, its rows, and LEARNER_tuned.csv, what tuning found.

    Both are only ever added to, except that the part of a cell which a killed run left is dropped.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder

    def rows(self, learner: str) -> list[Row]:
        """All rows of cells that are finished."""
        cells: dict[Cell, list[Row]] = defaultdict(list)
        for values in _read(self.folder / f"{learner}.csv"):
            if len(values) == len(Row._fields):
                row = Row(*values[:3], int(values[3]), int(values[4]), *values[5:])
                cells[Cell(*row[:4])].append(row)
        return [row for cell, rows in cells.items() if _is_whole(cell, rows) for row in rows]

    def begin(self, learner: str) -> set[Cell]:
        """Drop what is not whole; the cells that need not be run."""
        rows, path = self.rows(learner), self.folder / f"{learner}.csv"
        if path.exists() and len(rows) < len(_lines(path)) - 1:
            path.unlink()
            _add(path, Row._fields, rows)
        return {Cell(*row[:4]) for row in rows}

    def add(self, learner: str, rows: list[Row]) -> None:
        """Append the rows of a finished cell."""
        _add(self.folder / f"{learner}.csv", Row._fields, rows)

    def tuned(self, learner: str) -> dict[str, Tuned]:
        """What tuning found, by data set."""
        found = {}
        for dataset, scale, params, accuracy in _read(self.folder / f"{learner}_tuned.csv"):
            found[dataset] = Tuned(scale, json.loads(params), float(accuracy))
        return found

    def add_tuned(self, learner: str, dataset: str, found: Tuned) -> None:
        """Append what tuning found."""
        row = (dataset, found.scale, json.dumps(found.params), f"{found.accuracy:.4f}")
        _add(self.folder / f"{learner}_tuned.csv", ("dataset", *Tuned._fields), [row])


def _lines(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def _read(path: Path) -> list[list[str]]:
    return _lines(path)[1:] if path.exists() else []


def _add(path: Path, head: Sequence[str], rows: Iterable[Sequence]) -> None:
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if new:
            writer.writerow(head)
        writer.writerows(rows)


def _is_whole(cell: Cell, rows: list[Row]) -> bool:
    return bool(rows[-1].error) or len(rows) == SPECS[cell.dataset].n_queries + 1
