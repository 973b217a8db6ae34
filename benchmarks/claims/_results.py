"""Results files as tables of rows, and questions to them in one line."""

from __future__ import annotations

import csv
import json
import shlex
import statistics
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from skactive.utils.statistics import half_interval

from ._records import RESULTS

Row = dict[str, Any]


class ClaimError(ValueError):
    """A claim that cannot be read, or that its file does not answer."""


_STATISTICS: dict[str, Callable[[Sequence[float]], Any]] = {
    "mean": statistics.fmean,
    "std": statistics.stdev,
    "median": statistics.median,
    "min": min,
    "max": max,
    "sum": sum,
    "count": len,
}
_TESTS: dict[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


_PAIRED: dict[str, Callable[[float, float], float]] = {
    "minus": lambda a, b: a - b,
    "over": lambda a, b: a / b,
}


@lru_cache(maxsize=64)
def rows_of(root: Path, name: str) -> list[Row]:
    """Rows of ``file.csv``, or of the list or dict ``file.json#part`` (``#a.b``: b in a)."""
    file, _, part = name.partition("#")
    path = root / RESULTS / file
    if not path.is_file():
        raise ClaimError(f"there is no results file {RESULTS}/{file}")
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as stream:
            return list(csv.DictReader(stream))
    found = json.loads(path.read_text(encoding="utf-8"))
    for key in filter(None, part.split(".")):
        if not isinstance(found, dict) or key not in found:
            raise ClaimError(f"{file} has no part {part!r}")
        found = found[key]
    return found if isinstance(found, list) else [found]


def select(root: Path, name: str, conditions: Sequence[str] = ()) -> list[Row]:
    """The rows of a file that meet conditions: ``column=value`` or ``column!=value``."""
    rows = rows_of(root, name)
    for condition in conditions:
        column, _, value = condition.partition("=")
        unequal, column = column.endswith("!"), column.rstrip("!")
        if rows and column not in rows[0]:
            raise ClaimError(f"{name} has no column {column!r}; it has {', '.join(rows[0])}")
        rows = [row for row in rows if _equal(row[column], value) != unequal]
    if not rows:
        raise ClaimError(f"{name} has no rows where {' '.join(conditions)}")
    return rows


def _equal(found: Any, wanted: str) -> bool:
    try:
        return float(found) == float(wanted)
    except (TypeError, ValueError):
        return str(found) == wanted


def values_of(rows: Sequence[Row], column: str, name: str) -> list[float]:
    """Numbers of a column; empty cells are none."""
    if column not in rows[0]:
        raise ClaimError(f"{name} has no column {column!r}; it has {', '.join(rows[0])}")
    return [float(row[column]) for row in rows if row[column] not in ("", None)]


def shown(value: float, form: str) -> str:
    """A number as pages show it: ``.1%`` with a percent sign, ``.1p`` without, else as Python."""
    if form.endswith("%"):
        return f"{format(100 * value, form[:-1] + 'f')} %"
    if form.endswith("p"):
        return format(100 * value, f"{form[:-1]}f")
    if form.endswith("d"):
        if value != int(value):
            raise ClaimError(f"{value} is no whole number, as {form!r} asks for")
        value = int(value)
    return format(value, form)


def answer(root: Path, question: str) -> str | None:
    """What a claim says: the text that stands on the page; None for a condition that holds.

    Parameters
    ----------
    root : Path
    question : str
        ``FILE COLUMN [where C=V …] as [STATISTIC] FORMAT`` is a number; with
        ``minus C=V …`` (or ``over C=V …``) before ``as`` it is of differences (or ratios) to the
        rows with these values instead, paired by ``seed`` where there are several;
        ``FILE COLUMN [where C=V …] < LIMIT`` (or ``<=``, ``>``, ``>=``) is a condition on all rows.

    Raises
    ------
    ClaimError
        If it cannot be read, asks for one number where there are several, or does not hold.
    """
    words = shlex.split(question)
    if len(words) < 4:
        raise ClaimError("a claim is: FILE COLUMN [where C=V …] as [STATISTIC] FORMAT")
    name, column, *rest = words
    asks = next((i for i, word in enumerate(rest) if word == "as" or word in _TESTS), None)
    if asks is None:
        raise ClaimError("say 'as FORMAT', such as 'as .1%' or 'as mean .2f', or '< LIMIT'")
    values = _values(root, name, column, [word for word in rest[:asks] if word != "where"])
    if rest[asks] in _TESTS:
        return _holds(values, rest[asks], float(rest[asks + 1]))
    return _number(values, rest[asks + 1 :])


def _values(root: Path, name: str, column: str, words: list[str]) -> list[float]:
    at = next((i for i, word in enumerate(words) if word in _PAIRED), len(words))
    conditions, others = words[:at], words[at + 1 :]
    rows = select(root, name, conditions)
    if not others:
        return values_of(rows, column, name)
    replaced = {other.partition("=")[0] for other in others}
    kept = [word for word in conditions if word.partition("=")[0] not in replaced]
    of, by = _by_seed(rows, name), _by_seed(select(root, name, [*kept, *others]), name)
    if of.keys() != by.keys():
        raise ClaimError(f"{name}: rows are not paired by seed: {' '.join(words)}")
    ours, theirs = (values_of([found[seed] for seed in of], column, name) for found in (of, by))
    if {len(ours), len(theirs)} != {len(of)}:
        raise ClaimError(f"{name}: {column!r} has empty cells, which cannot be paired")
    return [*map(_PAIRED[words[at]], ours, theirs)]


def _by_seed(rows: Sequence[Row], name: str) -> dict[Any, Row]:
    of = {row.get("seed"): row for row in rows}
    if len(of) < len(rows):
        raise ClaimError(
            f"{name} has several rows of a seed, of which one is to be paired: say which"
        )
    return of


def _holds(values: list[float], test: str, limit: float) -> None:
    wrong = [value for value in values if not _TESTS[test](value, limit)]
    if wrong or not values:
        raise ClaimError(f"does not hold: {wrong[:3] or 'no values'} is not {test} {limit:g}")


def _number(values: list[float], words: list[str]) -> str:
    *statistic, form = words
    if statistic == ["mean±std"]:
        spread = statistics.stdev(values) if len(values) > 1 else float("nan")
        return f"{shown(statistics.fmean(values), form)} ± {shown(spread, form)}"
    if statistic == ["interval"]:  # Student's, of 95 %
        mean = statistics.fmean(values)
        half = half_interval(statistics.stdev(values), len(values))
        return f"{shown(mean - half, form)} to {shown(mean + half, form)}"
    if statistic == ["range"]:
        return f"{shown(min(values), form)} to {shown(max(values), form)}"
    if not statistic:
        if len(values) != 1:
            raise ClaimError(f"{len(values)} rows: say which, or 'as mean {form}'")
        return shown(values[0], form)
    if len(statistic) > 1 or statistic[0] not in _STATISTICS:
        known = ", ".join([*_STATISTICS, "mean±std", "range", "interval"])
        raise ClaimError(f"there is no statistic {' '.join(statistic)!r}; there are {known}")
    return shown(_STATISTICS[statistic[0]](values), form)
