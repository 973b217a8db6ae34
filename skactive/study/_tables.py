"""Tables: a value of ours beside the paper's, in the paper's layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


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


@dataclass
class Table:
    """A table of the report.

    Attributes
    ----------
    key : str
        Name of its CSV file.
    title : str
    cells : list of Cell
    notes : list of str
        What is measured otherwise than in the paper, and what is missing.
    head : str
        Heading of the first column.
    """

    key: str
    title: str
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    head: str = "Acquisition function"

    def rows(self) -> list[str]:
        """Row names, in order of appearance."""
        return list(dict.fromkeys(cell.row for cell in self.cells))

    def columns(self) -> list[str]:
        """Column names, in order of appearance."""
        return list(dict.fromkeys(cell.column for cell in self.cells))

    def markdown(self) -> str:
        """Title, table and notes."""
        lines = [f"## {self.title}", ""]
        if self.cells:
            texts = {(cell.row, cell.column): cell.text() for cell in self.cells}
            columns = self.columns()
            body = [[row, *(texts.get((row, c), "") for c in columns)] for row in self.rows()]
            lines += [markdown_table([self.head, *columns], body), ""]
        lines += [f"{note}\n" for note in self.notes]
        return "\n".join(lines)

    def frame(self) -> pd.DataFrame:
        """One line a cell."""
        import pandas as pd

        return pd.DataFrame(
            [
                {"row": c.row, "column": c.column, "ours": c.ours, "sd": c.sd,
                 "n_seeds": c.n, "paper": c.paper}
                for c in self.cells
            ]
        )  # fmt: skip


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is left-aligned, all others right-aligned."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    lines = [head, rule, *body]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def percent(values: Any) -> Any:
    """Shares as percentages."""
    return 100 * np.asarray(values, dtype=float)
