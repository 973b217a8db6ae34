"""Tables 1, 3, 5 and 6 of the DRE paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exceptions import DamagedFileError
from ..retraining import RetrainingReport
from ..retraining._report import BASELINE
from ..utils.budget import as_text
from ..utils.checksums import checksum_path
from ._components import FULL
from ._errors import StudyError
from ._frames import ATTACK_TITLES, Study, strongest
from ._paper import (
    DRE_COLUMNS,
    DRE_TABLE_1,
    DRE_TABLE_3,
    DRE_TABLE_5_LAST,
    DRE_TABLE_5_THIRD,
    DRE_TABLE_6,
    Numbers,
)
from ._presets import DRE_STRATEGIES
from ._protocol import make_protocol
from ._tables import Cell, Table, percent
from ._variants import unsaid_variants, variants

if TYPE_CHECKING:
    import pandas as pd


def dre_tables(studies: list[Study], out: Path, attack: str | None) -> list[Table]:
    """All of them, as far as the results go."""
    dre = [study for study in studies if study.paper != "dfal"]
    return [
        _table_1(dre, out, attack),
        _table_3(dre, out),
        _table_5(dre, out, attack),
        _table_6(out, attack),
    ]


def _table_1(studies: list[Study], out: Path, attack: str | None) -> Table:
    table = Table(
        "dre_table_1",
        "DRE paper, Table 1. Standard active learning: accuracy (%) and robustness (%)",
    )
    for study in studies:
        _pair(table, study, study.at(study.last, "standard"), DRE_TABLE_1, attack, "")
    _maximum(table, studies)
    table.notes += _missing(studies, out, "standard")
    return table


def _maximum(table: Table, studies: list[Study]) -> None:
    """The paper's last row: the best of each of its columns, whichever strategies ran here."""
    for study in studies:
        theirs = DRE_TABLE_1.get(study.column, {}).values()
        columns = [name for name in table.columns() if name.startswith(f"{study.title}: ")]
        for number, column in enumerate(columns):  # accuracy, then robustness
            cells = [cell for cell in table.rows if cell.column == column]
            best = max(cells, key=lambda cell: -1.0 if cell.n == 0 else cell.ours)
            paper = max((values[number] for values in theirs), default=None)
            table.rows.append(Cell("Maximum", column, best.ours, n=best.n, paper=paper))


def _table_5(studies: list[Study], out: Path, attack: str | None) -> Table:
    table = Table(
        "dre_table_5",
        "DRE paper, Table 5. Robust active learning: accuracy (%) and robustness (%)",
    )
    for study in studies:
        parts = [(study.third, "1/3", DRE_TABLE_5_THIRD), (study.last, "last", DRE_TABLE_5_LAST)]
        for stage, name, numbers in parts:
            if stage > 0:
                _pair(table, study, study.at(stage, "robust"), numbers, attack, f", {name} stage")
    table.notes += _missing(studies, out, "robust")
    return table


def _pair(
    table: Table, study: Study, rows: pd.DataFrame, numbers: Numbers, attack: str | None, when: str
) -> None:
    """An accuracy and a robustness column."""
    if rows.empty:
        return
    found = strongest(rows, attack)
    paper = numbers.get(study.column, {})
    title = f"{study.title}{when}"
    under = ATTACK_TITLES.get(str(found), str(found))
    if found is not None:
        table.notes.append(f"{title}: {_measured(study, found)}.")
    table.notes += variants(study, title, set(rows.strategy) & set(paper))
    for strategy in _ordered(rows.strategy.unique()):
        mine = rows[rows.strategy == strategy]
        acc, rob = paper.get(strategy, (None, None))
        table.rows.append(Cell.of(strategy, f"{title}: accuracy", percent(mine.accuracy), acc))
        if found is not None:
            values = percent(mine[f"robust_{found}"])
            table.rows.append(Cell.of(strategy, f"{title}: robustness ({under})", values, rob))


def _measured(study: Study, attack: str) -> str:
    """How the robustness of a column was measured."""
    spec = study.settings["eval_attacks"].get(attack)
    if spec is None:
        return f"robustness under {attack}"
    n = spec.get("n_test") or study.settings["n_test"]
    made = make_protocol(study.settings).attack(spec)
    return f"robustness under `{made!r}`, {'all' if n is None else n} test images"


def _ordered(strategies: Any) -> list[str]:
    """Strategies in the paper's order, others behind."""
    order = {name: number for number, name in enumerate(DRE_STRATEGIES)}
    return sorted(strategies, key=lambda name: (order.get(name.split(":")[0], len(order)), name))


def _missing(studies: list[Study], out: Path, mode: str) -> list[str]:
    """Which of the paper's columns and rows are not there, and how to get them."""
    notes = []
    for study in studies:
        have = set(study.queried(mode).strategy)
        lacking = [name for name in DRE_STRATEGIES if name not in have]
        if lacking and study.column in DRE_COLUMNS:
            which = (
                "" if len(lacking) == len(DRE_STRATEGIES) else f"--strategies {' '.join(lacking)} "
            )
            notes.append(
                f"Missing for {study.title}: {len(lacking)} of {len(DRE_STRATEGIES)} functions. "
                f"`python -m skactive study {study.name} {which}--modes {mode} --out {out}`"
            )
        if study.name not in DRE_COLUMNS.values():
            notes.append(
                f"{study.name} is not the paper's protocol: its numbers beside the paper's show a "
                "direction, not a reproduction."
            )
    columns = {study.column for study in studies}
    absent = [preset for column, preset in DRE_COLUMNS.items() if column not in columns]
    if absent:
        notes.append(
            f"Not run: {', '.join(absent)}. "
            f"`python -m skactive study {' '.join(absent)} --modes {mode} --out {out}`"
        )
    return notes


def _table_3(studies: list[Study], out: Path) -> Table:
    table = Table(
        "dre_table_3",
        "DRE paper, Table 3. Settings, initial model and model taught everything",
        head="Setting",
    )
    for study in studies:
        paper = DRE_TABLE_3.get(study.column, (None,) * 12)
        settings, title = study.settings, study.title
        bought = settings["initial"] + settings["stages"] * settings["per_stage"]
        counts = (bought, settings["initial"], settings["per_stage"], settings["stages"])
        for name, value, theirs in zip(
            ("Budget", "Initial", "New", "Stages"), counts, paper, strict=False
        ):
            said = None if theirs is None else f"{theirs:.0f}"
            table.rows.append(Cell(name, title, value, n=1, paper=said, digits=0))
        first = study.queried().drop_duplicates("seed")
        first = study.queried()[study.queried().stage == 0].drop_duplicates("seed")
        full = study.full("robust")
        for kind, rows, offset in (("Initial", first, 4), ("Full", full, 8)):
            acc = Cell.of(f"{kind} accuracy", title, percent(rows.accuracy), paper[offset])
            table.rows.append(acc)
            for number, attack in enumerate(("pgd", "square", "autoattack"), start=1):
                values = percent(rows.get(f"robust_{attack}", []))
                name = f"{kind} robustness, {ATTACK_TITLES[attack]}"
                table.rows.append(Cell.of(name, title, values, paper[offset + number]))
        if full.empty:
            table.notes.append(
                f"Missing for {title}: the model taught everything. `python -m skactive study "
                f"{study.name} --strategies {FULL} --modes robust --out {out}`"
            )
    return table


def _table_6(out: Path, attack: str | None) -> Table:
    """From files of `RetrainingReport.to_csv`, where there are any."""
    table = Table(
        "dre_table_6",
        "DRE paper, Table 6. Test selection and retraining: accuracy (%) and robustness (%)",
    )
    found = sorted(out.glob("retraining_*_*.csv"))
    if not found:
        table.notes.append(
            "Missing: write a `skactive.retraining.RetrainingReport` with `to_csv` to "
            f"{out / 'retraining_DATASET_NETWORK.csv'}, such as retraining_mnist_lenet5.csv, and "
            "report again."
        )
    for path in found:
        column = tuple(path.stem.removeprefix("retraining_").rsplit("_", 1))
        try:
            rows = _frame_of(RetrainingReport.from_csv(path))
        except DamagedFileError as error:
            raise StudyError(str(error)) from error
        except (ValueError, KeyError) as error:
            table.notes.append(f"{path} is no file of RetrainingReport.to_csv ({error}).")
            continue
        if not checksum_path(path).exists():
            table.notes.append(f"{path} has no checksum beside it: its numbers are as found.")
        _retrained(table, rows, column, attack)
    return table


def _frame_of(report: RetrainingReport) -> pd.DataFrame:
    """Rows of a retraining report, its attacks as ``robust_…``, budgets in words as ``spent``.

    Raises
    ------
    KeyError
        If a column is missing.
    """
    import pandas as pd

    frame = pd.DataFrame(report.rows)
    frame[["strategy", "budget", "seed", "accuracy"]]  # raises where one is missing
    frame["spent"] = [as_text(row["budget"]) for row in report]
    attacks = {name: f"robust_{name}" for name in report.metrics if name != "accuracy"}
    return frame.rename(columns=attacks)


def _retrained(table: Table, rows: pd.DataFrame, column: Any, attack: str | None) -> None:
    paper, full = DRE_TABLE_6.get(column, {}), DRE_TABLE_3.get(column)
    under = strongest(rows, attack)
    metrics = ["accuracy", *([] if under is None else [f"robust_{under}"])]
    names = {"accuracy": "accuracy", f"robust_{under}": ATTACK_TITLES.get(str(under), under)}
    before, asked = rows[rows.strategy == BASELINE], rows[rows.strategy != BASELINE]
    table.notes += unsaid_variants(", ".join(column), set(rows.strategy) & set(paper))
    for budget, part in asked.sort_values("budget", kind="stable").groupby("spent", sort=False):
        at = {"1 %": 0, "4 %": 1}.get(budget, -1)
        for number, metric in enumerate(metrics):
            title = f"{', '.join(column)}, {budget}: {names[metric]}"
            # Of the model taught everything: clean accuracy, and robustness under AutoAttack.
            said = None if full is None else full[8 if number == 0 else 11]
            table.rows.append(Cell.of(BASELINE, title, percent(before[metric]), said))
            for strategy in _ordered(part.strategy.unique()):
                theirs = None if at < 0 or strategy not in paper else paper[strategy]
                said = None if theirs is None else theirs[2 * number + at]
                values = percent(part[part.strategy == strategy][metric])
                table.rows.append(Cell.of(strategy, title, values, said))
