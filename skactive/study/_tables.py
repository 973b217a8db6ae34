"""Tables: a value of ours beside the paper's, in the paper's layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..utils.drawing import legend, series
from ..utils.reports import Report


@dataclass
class Cell:
    """One number of ours (mean and standard deviation over seeds) and the paper's."""

    row: str
    column: str
    ours: float = float("nan")
    sd: float = float("nan")
    n: int = 0
    paper: float | str | None = None
    digits: int = 2

    @classmethod
    def of(
        cls, row: str, column: str, values: Iterable[float], paper: Any = None, digits: int = 2
    ) -> Cell:
        """From one value a seed."""
        found = np.asarray([v for v in values if v is not None], dtype=float)
        found = found[np.isfinite(found)]
        mean = float(found.mean()) if len(found) else float("nan")
        sd = float(found.std(ddof=1)) if len(found) > 1 else float("nan")
        return cls(row, column, mean, sd, len(found), paper, digits)

    def text(self) -> str:
        """``ours ± sd (paper)``."""
        ours = "–" if np.isnan(self.ours) else f"{self.ours:.{self.digits}f}"
        if not np.isnan(self.sd):
            ours += f" ± {self.sd:.{self.digits}f}"
        paper = self.paper
        if paper is None:
            return ours
        return (
            f"{ours} ({paper:.{self.digits}f})" if isinstance(paper, float) else f"{ours} ({paper})"
        )


@dataclass(repr=False)
class Table(Report):
    """A table of the report.

    Attributes
    ----------
    key : str
        Name of its CSV file.
    title : str
    rows : list of Cell
    notes : list of str
        What is measured otherwise than in the paper, and what is missing.
    head : str
        Heading of the first column.
    """

    key: str
    title: str
    rows: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    head: str = "Acquisition function"

    def columns(self) -> list[str]:
        """Column names, in order of appearance."""
        return list(dict.fromkeys(cell.column for cell in self.rows))

    def cells(self) -> tuple[list[str], list[list[str]]]:
        texts = {(cell.row, cell.column): cell.text() for cell in self.rows}
        names, columns = dict.fromkeys(cell.row for cell in self.rows), self.columns()
        body = [[name, *(texts.get((name, column), "") for column in columns)] for name in names]
        return [self.head, *columns], body

    def _draw(self, ax: Any) -> None:
        for number, column in enumerate(self.columns()):
            style = {**series(number), "linestyle": "none", "label": column}
            cells = [cell for cell in self.rows if cell.column == column]
            ours, sd = [cell.ours for cell in cells], [cell.sd for cell in cells]
            ax.errorbar(ours, [cell.row for cell in cells], xerr=sd, **style)
        ax.set_title(self.title, fontsize="small")
        legend(ax)

    def _records(self) -> list[dict[str, Any]]:
        return [
            {"row": c.row, "column": c.column, "ours": c.ours, "sd": c.sd,
             "n_seeds": c.n, "paper": c.paper}
            for c in self.rows
        ]  # fmt: skip


def percent(values: Any) -> Any:
    """Shares as percentages."""
    return 100 * np.asarray(values, dtype=float)
