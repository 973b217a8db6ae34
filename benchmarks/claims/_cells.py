"""Rows of results files as cells of tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from ._results import Row


def groups_of(
    rows: Iterable[Row], by: Sequence[str], order: Mapping[str, str] | None = None
) -> dict[tuple, list[Row]]:
    """Rows by the values of columns, in the order of the file, or of the first column's names."""
    rows = list(rows)
    if order is not None:
        rows = [row for row in rows if row[by[0]] in order]
        rows.sort(key=lambda row: list(order).index(row[by[0]]))
    found: dict[tuple, list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[column] for column in by), []).append(row)
    return found


def mean(rows: Sequence[Row], column: str) -> float:
    """Of a column."""
    return statistics.fmean(float(row[column]) for row in rows)


def spread(rows: Sequence[Row], column: str, form: str, factor: float = 1) -> str:
    """Mean and standard deviation, where there are several rows."""
    values = [factor * float(row[column]) for row in rows]
    around = f" ± {statistics.stdev(values):{form}}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{form}}{around}"


def percent(rows: Sequence[Row], column: str) -> str:
    """Mean and standard deviation of shares."""
    return spread(rows, column, ".1f", 100)


def between(value: float, low: float, high: float, form: str) -> str:
    """A value and its interval."""
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def cpu(rows: Sequence[Row]) -> str:
    """Seconds a training took, on average."""
    return f"{mean(rows, 'fit_cpu_s'):.0f}"
