"""The results file: cells are added whole, so that a run goes on where it stopped."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from ._data import SPECS
from ._loop import Cell, Row

FOLDER = Path(__file__).parents[2] / "docs" / "results" / "comparison"


class Results:
    """Rows in one CSV file a learner, and what tuning found in ``tuned.json``."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, learner: str) -> Path:
        return self.folder / f"{learner}.csv"

    def rows(self, learner: str) -> list[Row]:
        """All rows of cells that are finished."""
        path = self._path(learner)
        if not path.exists():
            return []
        cells: dict[Cell, list[Row]] = defaultdict(list)
        with path.open(newline="") as file:
            for values in csv.reader(file):
                if len(values) == len(Row._fields) and values != list(Row._fields):
                    row = Row(*values[:3], int(values[3]), int(values[4]), *values[5:])
                    cells[Cell(*row[:4])].append(row)
        whole = [rows for cell, rows in cells.items() if _is_whole(cell, rows)]
        return [row for rows in whole for row in rows]

    def begin(self, learner: str) -> set[Cell]:
        """Drop the part of a cell that a killed run left; the cells that need not be run."""
        rows = self.rows(learner)
        if self._path(learner).exists():
            self._write(learner, sorted(rows, key=lambda row: row[:5]), "w")
        return {Cell(*row[:4]) for row in rows}

    def add(self, learner: str, rows: list[Row]) -> None:
        """Append the rows of a finished cell."""
        self._write(learner, rows, "a" if self._path(learner).exists() else "w")

    def _write(self, learner: str, rows: list[Row], mode: str) -> None:
        with self._path(learner).open(mode, newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if mode == "w":
                writer.writerow(Row._fields)
            writer.writerows(rows)

    def tuned(self) -> dict[str, Any]:
        """What tuning found, by data set and learner."""
        path = self.folder / "tuned.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def keep_tuned(self, tuned: dict[str, Any]) -> None:
        """Write what tuning found."""
        text = json.dumps(tuned, indent=1, sort_keys=True)
        (self.folder / "tuned.json").write_text(text + "\n")


def _is_whole(cell: Cell, rows: list[Row]) -> bool:
    return bool(rows[-1].error) or len(rows) == SPECS[cell.dataset].n_queries + 1
