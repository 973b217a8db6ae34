"""What was measured, in one form everywhere: rows, a Markdown table, a data frame, a figure."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .drawing import axes_for
from .optional import optional_import
from .saving import Savable

if TYPE_CHECKING:
    import pandas as pd


class Tabular:
    """Mixin of what is a table of records: a subclass says which by ``_records()``."""

    def to_frame(self) -> pd.DataFrame:
        """Rows as a data frame; needs pandas.

        Returns
        -------
        frame : pandas.DataFrame

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        pandas = optional_import("pandas", what=f"{type(self).__name__}.to_frame")
        return pandas.DataFrame(self._records())

    def to_csv(self, path: str | Path) -> None:
        """Write the rows to a CSV file.

        Parameters
        ----------
        path : str or Path
        """
        records = self._records()
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(records[0]) if records else [])
            writer.writeheader()
            writer.writerows(records)

    def _records(self) -> list[dict[str, Any]]:
        """The rows as flat dicts."""
        raise NotImplementedError(f"{type(self).__name__} must implement _records.")


class Report(Tabular, Savable, Sequence):
    """Base of all reports: a sequence of what was measured, printed as a table.

    A subclass has ``rows`` (dicts or dataclasses), may have ``notes``, and implements ``cells()``
    and ``_draw(ax)``.
    """

    rows: Sequence[Any]
    notes: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    @property
    def table(self) -> str:
        """The table in Markdown."""
        return markdown_table(*self.cells())

    def __repr__(self) -> str:
        return "\n\n".join([self.table, *self.notes])

    def _repr_html_(self) -> str:
        notes = (f"<p>{escape(note)}</p>" for note in self.notes)
        return html_table(*self.cells()) + "".join(notes)

    def plot(self, ax: Any = None) -> Any:
        """Draw the report; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            ``None`` makes a figure.

        Returns
        -------
        ax : matplotlib Axes
            ``ax.figure.savefig(…)`` saves it.
        """
        ax = axes_for(ax, what=f"{type(self).__name__}.plot")
        self._draw(ax)
        return ax

    def cells(self) -> tuple[Sequence[Any], Iterable[Sequence[Any]]]:
        """Texts of the table.

        Returns
        -------
        head : sequence of str
        lines : sequence of sequences of str
        """
        raise NotImplementedError(f"{type(self).__name__} must implement cells.")

    def _draw(self, ax: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} must implement _draw.")

    def _records(self) -> list[dict[str, Any]]:
        """The rows as flat dicts."""
        return [row if isinstance(row, dict) else dataclasses.asdict(row) for row in self.rows]


def markdown_table(head: Sequence[Any], body: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; the first column is left-aligned, all others right-aligned."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [head, rule, *body])


def html_table(head: Sequence[Any], body: Iterable[Sequence[Any]]) -> str:
    """An HTML table, for notebooks."""

    def line(cells: Sequence[Any], tag: str) -> str:
        return f"<tr>{''.join(f'<{tag}>{escape(str(cell))}</{tag}>' for cell in cells)}</tr>"

    lines = "".join(line(cells, "td") for cells in body)
    return f"<table><thead>{line(head, 'th')}</thead><tbody>{lines}</tbody></table>"
