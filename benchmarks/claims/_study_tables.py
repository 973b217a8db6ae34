"""Tables of the papers' studies, scaled."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from skactive.utils.reports import markdown_table

from ._cells import between, groups_of, mean, percent
from ._results import Row, rows_of, select

_TITLES = {"mnist_scaled": "MNIST", "fashion_mnist_scaled": "Fashion"}
_STUDY_TABLE = {"robust": ("dre_table_5.csv", "last stage: "), "standard": ("dre_table_1.csv", "")}
_ALLOCATIONS = "dre_allocations"
_MEASURES = {
    "accuracy": "accuracy, last stage",
    "AutoAttack": "robustness (AutoAttack), last stage",
    "PGD, area": "robustness (PGD), area under the budget curve",
}


def study_robust(root: Path) -> str:
    """Robust training at the last stage, scaled studies."""
    return _study(root, "robust", area=True)


def study_standard(root: Path) -> str:
    """Standard training at the last stage, scaled studies."""
    return _study(root, "standard", area=False)


def _study(root: Path, mode: str, *, area: bool) -> str:
    folder, (name, prefix) = "study_scaled", _STUDY_TABLE[mode]
    last = rows_of(root, f"{folder}/{name}")
    curves = rows_of(root, f"{folder}/budget_curves.csv") if area else []
    head, columns = ["function"], []
    for study, title in _TITLES.items():
        dataset = study.removesuffix("_scaled")
        about = f"{study} ({dataset}, lenet5){', ' if prefix else ': '}{prefix}"
        wanted = {"accuracy": about + "accuracy", "AutoAttack": about + "robustness (AutoAttack)"}
        found = [(k, last, v) for k, v in wanted.items()]
        if area:
            found.append(("PGD, area", curves, f"{study}, {mode}: robustness (PGD)"))
        head += [f"{title}: {key}" for key, _, _ in found]
        columns += [(rows, column) for _, rows, column in found]
    measured = [{r["row"] for r in rows if r["column"] == c and r["sd"]} for rows, c in columns]
    asked = set.intersection(*measured) - {"random", "dre"}
    body = [
        [name, *(_beside(rows, name, column) for rows, column in columns)]
        for name in [*sorted(asked), "random", "dre"]
    ]
    return markdown_table(head, body)


def study_bias(root: Path) -> str:
    """Correlation of selection bias and robustness, by stage, robust training."""
    from skactive.analysis import bias_robustness_correlation

    stages = rows_of(root, "study_scaled/stages.csv")
    names = [column for column in stages[0] if column.startswith("bias_")]
    body = []
    for study, title in _TITLES.items():
        rows = [r for r in stages if r["study"] == study and r["mode"] == "robust" and r[names[0]]]
        by_stage = [
            list(groups_of(part, ["strategy"]).values())
            for part in groups_of(sorted(rows, key=_stage), ["stage"]).values()
        ]
        robust = [[mean(part, "robust_pgd") for part in parts] for parts in by_stage]
        for name in names:
            bias = [[mean(part, name) for part in parts] for parts in by_stage]
            found = bias_robustness_correlation(bias, robust)
            each = zip(found.statistic, found.low, found.high, strict=True)
            cells = [between(*numbers, "+.2f") for numbers in each]
            what = name.removeprefix("bias_").replace("_", " ")
            body.append([title, what, f"{statistics.fmean(found.statistic):+.2f}", *cells])
    stage_names = [f"stage {n + 1}" for n in range(len(body[0]) - 3)]
    return markdown_table(["data", "characteristic", "mean r", *stage_names], body)


def _stage(row: Row) -> int:
    return int(row["stage"])


def dre_mnist(root: Path) -> str:
    """DRE's Table 5 on MNIST at the paper's budget, and the area under the curve."""
    folder = "dre_mnist"
    rows, areas = (
        rows_of(root, f"{folder}/{name}.csv") for name in ("dre_table_5", "budget_curves")
    )
    third, last = (f"mnist (mnist, lenet5), {when} stage: " for when in ("1/3", "last"))
    columns = {
        "1,800 labels: accuracy": (rows, third + "accuracy"),
        "PGD": (rows, third + "robustness (PGD)"),
        "5,000 labels: accuracy": (rows, last + "accuracy"),
        "AutoAttack": (rows, last + "robustness (AutoAttack)"),
        "PGD, area": (areas, "mnist, robust: robustness (PGD)"),
    }
    seeds = {r["row"]: r["n_seeds"] for r in areas if r["column"] == columns["PGD, area"][1]}
    body = [[name, *_each(name, columns), n] for name, n in seeds.items()]
    return markdown_table(["function", *columns, "seeds"], body)


def dfal(root: Path) -> str:
    """DFAL's tables 1 and 4 at a hundred labels: accuracy of the net that asked, and of another."""
    folder = "dfal_scaled"
    asked, taught = rows_of(root, f"{folder}/dfal_table_1.csv"), _taught(root, folder)
    columns = {
        "MNIST, LeNet-5": (asked, "dfal_mnist_scaled (mnist, lenet5), 100"),
        "Quick, Draw!, LeNet-5": (asked, "quickdraw_scaled (quickdraw, lenet5), 100"),
        "its labels taught to VGG8": (taught, "quickdraw_scaled: lenet5 → vgg8"),
    }
    first = columns["MNIST, LeNet-5"][1]
    names = [row["row"] for row in asked if row["column"] == first and row["ours"]]
    body = [[name, *_each(name, columns)] for name in names]
    return markdown_table(["function", *columns], body)


def dfal_mnist(root: Path) -> str:
    """DFAL's tables 1 and 4 on MNIST at the paper's budget, and the area under the curve."""
    folder, study = "dfal_mnist", "dfal_mnist_lenet5"
    asked, taught = rows_of(root, f"{folder}/dfal_table_1.csv"), _taught(root, folder)
    areas = rows_of(root, f"{folder}/budget_curves.csv")
    columns = {
        f"{labels:,} labels": (asked, f"{study} (mnist, lenet5), {labels}")
        for labels in (100, 500, 800, 1000)
    }
    columns["area"] = (areas, f"{study}, standard: accuracy")
    columns["its labels taught to VGG8"] = (taught, f"{study}: lenet5 → vgg8")
    order = {row["row"]: number for number, row in enumerate(asked)}
    seeds = {r["row"]: r["n_seeds"] for r in areas if r["column"] == columns["area"][1]}
    names = sorted(seeds, key=lambda name: order[name])
    body = [[name, *_each(name, columns), seeds[name]] for name in names]
    return markdown_table(["function", *columns, "seeds"], body)


def _taught(root: Path, folder: str) -> list[Row]:
    """DFAL's table 4 turned, so that functions are its rows as in the others."""
    rows = rows_of(root, f"{folder}/dfal_table_4.csv")
    return [{**row, "row": row["column"], "column": row["row"]} for row in rows]


def _each(name: str, columns: Mapping[str, tuple[Sequence[Row], str]]) -> list[str]:
    return [_beside(rows, name, column) for rows, column in columns.values()]


def _beside(rows: Sequence[Row], name: str, column: str) -> str:
    """Ours, its spread, and the paper's number in parentheses."""
    (row,) = [r for r in rows if r["row"] == name and r["column"] == column]
    paper = f" ({float(row['paper']):.1f})" if row["paper"] else ""
    around = f" ± {float(row['sd']):.1f}" if row["sd"] else ""
    return f"{float(row['ours']):.1f}{around}{paper}"


def allocations(root: Path) -> str:
    """DRE with each of its allocations against random: points gained, with 95 % intervals."""
    random = select(root, f"{_ALLOCATIONS}/stages.csv", ["strategy=random", "stage=3"])
    cells = [percent(random, "accuracy"), percent(random, "robust_autoattack"), "–"]
    body = [["`random`: itself, not its gain", *cells]]
    for name in ("dre", "dre:allocation=ceil_tail", "dre:allocation=equal"):
        found = [
            select(root, f"{_ALLOCATIONS}/comparisons.csv", [f"measure={m}", f"strategy={name}"])
            for m in _MEASURES.values()
        ]
        body.append([f"`{name}`", *(_gain(row) for (row,) in found)])
    return markdown_table(["strategy", *_MEASURES], body)


def _gain(row: Row) -> str:
    numbers = (100 * float(row[name]) for name in ("mean_difference", "low", "high"))
    return f"{between(*numbers, '+.1f')}, p = {float(row['pvalue_holm']):.3f}"
