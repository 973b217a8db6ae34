"""Tables 1 to 4 of the DFAL paper."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._components import FULL
from ._frames import Study
from ._paper import (
    DFAL_BUDGETS,
    DFAL_COLUMNS,
    DFAL_FULL,
    DFAL_TABLE_1,
    DFAL_TABLE_2,
    DFAL_TABLE_3,
    DFAL_TABLE_4,
)
from ._presets import DFAL_STRATEGIES
from ._tables import Cell, Table, percent
from ._variants import variants

if TYPE_CHECKING:
    import pandas as pd

_RUNTIME = "dfal_runtime"
_TOLERANCE = 0.005  # the paper's ± 0.5


def dfal_tables(studies: list[Study], out: Path) -> list[Table]:
    """All of them, as far as the results go."""
    dfal = [study for study in studies if study.paper == "dfal"]
    curves = [study for study in dfal if study.name != _RUNTIME]
    tables = [_table_1(curves, out), _table_2(curves, out), _table_3(dfal, out), _table_4(curves)]
    absent = [p for column, p in DFAL_COLUMNS.items() if column not in {s.column for s in curves}]
    if absent:
        command = f"`python -m skactive study {' '.join(absent)} --out {out}`"
        for number in (0, 1, 3):
            tables[number].notes.append(f"Not run: {', '.join(absent)}. {command}")
    tables[0].notes.append("Shoe-Bag is left out: the data set is not to be had.")
    return tables


def _printed(rows: pd.DataFrame, paper: Collection[str]) -> set[str]:
    """Strategies that ran and have a number of the paper."""
    return set(rows.strategy) & set(paper)


def _ordered(study: Study) -> list[str]:
    names = study.queried("standard").strategy.unique()
    order = {name: number for number, name in enumerate(DFAL_STRATEGIES)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def _table_1(studies: list[Study], out: Path) -> Table:
    table = Table("dfal_table_1", "DFAL paper, Table 1. Clean accuracy (%) by number of labels")
    for study in studies:
        paper = DFAL_TABLE_1.get(study.column, {})
        rows = study.queried("standard")
        budgets = [b for b in DFAL_BUDGETS if (rows.oracle == b).any()]
        if not budgets:
            table.notes.append(
                f"{study.title} never holds exactly {', '.join(map(str, DFAL_BUDGETS))} labels; "
                "its last stage is shown."
            )
            budgets = [int(rows.oracle.max())]
        for strategy in _ordered(study):
            mine = rows[rows.strategy == strategy]
            for budget in budgets:
                theirs = paper.get(strategy)
                at = DFAL_BUDGETS.index(budget) if budget in DFAL_BUDGETS else None
                said = None if theirs is None or at is None else theirs[at]
                values = percent(mine[mine.oracle == budget].accuracy)
                table.rows.append(Cell.of(strategy, f"{study.title}, {budget}", values, said))
        full = study.full("standard")
        table.rows.append(
            Cell.of("all data", f"{study.title}, {budgets[-1]}", percent(full.accuracy),
                    DFAL_FULL.get(study.column))
        )  # fmt: skip
        if full.empty:
            table.notes.append(_full_command(study, out))
        table.notes += variants(study, study.title, _printed(rows, paper))
    return table


def _full_command(study: Study, out: Path) -> str:
    return (
        f"Missing for {study.title}: the model taught everything. `python -m skactive study "
        f"{study.name} --strategies {FULL} --modes standard --out {out}`"
    )


def _table_2(studies: list[Study], out: Path) -> Table:
    table = Table(
        "dfal_table_2",
        "DFAL paper, Table 2. Labels bought, and data taught, to be as accurate as with all data",
    )
    for study in studies:
        full = study.full("standard")
        if full.empty:
            table.notes.append(_full_command(study, out))
            continue
        target = float(full.accuracy.mean()) - _TOLERANCE
        table.notes.append(f"{study.title}: to be reached, {100 * target:.2f} % (all data - 0.5).")
        rows = study.queried("standard")
        rows = rows.assign(data=rows.oracle + rows.adversarial + rows.pseudo)
        paper = DFAL_TABLE_2.get(study.column, {})
        for strategy in _ordered(study):
            means = rows[rows.strategy == strategy].groupby("stage").mean(numeric_only=True)
            reached = means[means.accuracy >= target]
            for number, (name, column) in enumerate((("labels", "oracle"), ("data", "data"))):
                theirs = paper.get(strategy)
                said = None if theirs is None else theirs[number]
                value = reached[column].iloc[0] if len(reached) else float("nan")
                n = int(len(reached) > 0)
                title = f"{study.title}: {name}"
                table.rows.append(Cell(strategy, title, value, n=n, paper=said, digits=0))
        table.notes += variants(study, study.title, _printed(rows, paper))
    if table.rows:
        table.notes.append("–: not reached within the budget.")
    return table


def _table_3(studies: list[Study], out: Path) -> Table:
    table = Table(
        "dfal_table_3",
        "DFAL paper, Table 3. Seconds for a query of 10, with 100 labelled and 800 unlabelled",
    )
    for study in studies:
        if study.name == _RUNTIME:
            rows = study.at(1, "standard")
            for strategy, theirs in DFAL_TABLE_3.items():
                values: Any = rows[rows.strategy == strategy].query_time
                table.rows.append(Cell.of(strategy, "seconds", values, theirs))
            table.notes += variants(study, study.title, _printed(rows, DFAL_TABLE_3))
    if not table.rows:
        table.notes.append(f"Not run. `python -m skactive study {_RUNTIME} --out {out}`")
    return table


def _table_4(studies: list[Study]) -> Table:
    table = Table(
        "dfal_table_4",
        "DFAL paper, Table 4. Accuracy (%) of another network, taught what the first one chose",
        head="From → to",
    )
    for study in studies:
        rows = study.at(study.last, "standard")
        for network in study.settings["transfer"]:
            paper = DFAL_TABLE_4.get((*study.column, network), {})
            for strategy in _ordered(study):
                mine = rows[rows.strategy == strategy]
                values = percent(mine.get(f"transfer_{network}", []))
                row = f"{study.name}: {study.settings['network']} → {network}"
                table.rows.append(Cell.of(row, strategy, values, paper.get(strategy)))
            title = f"{study.title} → {network}"
            table.notes += variants(study, title, _printed(rows, paper))
    return table
