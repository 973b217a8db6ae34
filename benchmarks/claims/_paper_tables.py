"""Tables of training recipes, attacks, retraining and studies, made of their results files."""

from __future__ import annotations

import runpy
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skactive.utils.reports import markdown_table

from ._records import RESULTS
from ._results import Row, rows_of, select

_RECIPES = {
    "papers": "papers",
    "pgd": "PGD",
    "trades": "TRADES, β = 2",
    "rst": "**PGD + pool: RST**",
    "uat-kl": "PGD + pool: UAT-KL, β = 2",
    "uat++": "PGD + pool: UAT++, β = 2",
    "rst+trades": "TRADES + pool: RST",
    "oracle": "oracle: all labels of the pool",
    "fgsm-rs": "FGSM-RS",
    "mart": "MART, β = 2",
    "awp": "PGD + AWP .01",
    "ema": "PGD + EMA",
    "rst+ema": "RST + EMA",
    "rst+awp+ema": "**RST + AWP .005 + EMA**",
}
_PARTS = {
    "apgd-ce": "APGD-CE, 100 steps",
    "apgd-t": "APGD-T, 100 steps, 9 targets",
    "fab-t": "FAB-T, 100 steps, 9 targets",
    "square": "Square, 5,000 queries",
    "AutoAttack standard": '`AutoAttack`, `version="standard"`',
    "AutoAttack fast": '`AutoAttack`, `version="fast"`',
}


def recipes(root: Path) -> str:
    """Training recipes at 300 labels."""
    scores = {"accuracy": "accuracy", "PGD-50": "pgd50", "AutoAttack (fast)": "autoattack"}
    groups = _groups(rows_of(root, "recipes_mnist_300.csv"), ["recipe"], _RECIPES)
    body = [
        [_RECIPES[name], *(_percent(rows, c) for c in scores.values()), len(rows), _cpu(rows)]
        for (name,), rows in groups.items()
    ]
    return markdown_table(["recipe", *scores, "seeds", "CPU s"], body)


def teachers(root: Path) -> str:
    """How many pseudo-labels are right, by teacher."""
    shares = {
        "pseudo-labels right, %": "pool_accuracy",
        "worst class, %": "worst_class",
        "test, %": "test_accuracy",
    }
    by = {"data": "dataset", "labels": "labels", "asked by": "asked", "teacher": "teacher",
          "updates": "updates"}  # fmt: skip
    groups = _groups(rows_of(root, "teachers_mnist.csv"), list(by.values()))
    body = [
        [*key, *(_percent(rows, c) for c in shares.values()), len(rows), _cpu(rows)]
        for key, rows in groups.items()
    ]
    return markdown_table([*by, *shares, "seeds", "CPU s"], body)


def autoattack_parts(root: Path) -> str:
    """Survivors of each part of AutoAttack, ours beside the papers' loops."""
    name, body = "autoattack_digits.csv", []
    for part, title in _PARTS.items():
        ours = select(root, name, [f"what={part}", "whose=skactive"])
        theirs = [r for r in select(root, name, [f"what={part}"]) if r["whose"] != "skactive"]
        drawn = _each(theirs) + (" (draws nothing)" if len(theirs) == 1 else "")
        body.append([title, _each(ours), drawn, f"{_mean(ours, 'cpu_s'):.1f}"])
    return markdown_table(["survivors, %", "skactive", "papers' loops", "CPU s"], body)


def _each(rows: Sequence[Row]) -> str:
    return " / ".join(f"{100 * float(row['survivors']):.1f}" for row in rows)


def prioritization(root: Path) -> str:
    """Which order finds mistakes first: means and standard deviations over seeds."""
    shares = {"APFD": "apfd", **{f"found at {n} %": f"found at {n}%" for n in (1, 4, 10)}}
    groups = _groups(rows_of(root, "prioritize_mnist.csv"), ["strategy"])
    body = [
        [name, *(_spread(rows, c, ".3f") for c in shares.values()), f"{_mean(rows, 'seconds'):.3g}"]
        for (name,), rows in groups.items()
    ]
    return markdown_table(["strategy", *shares, "seconds"], body)


def selection_costs(root: Path) -> str:
    """What it takes to select tests, cheapest first."""
    rows = rows_of(root, "test_selection_costs.csv")
    rows = sorted(rows, key=lambda row: float(row["cpu_s"]))
    body = [[f"`{row['strategy']}`", row["cpu_s"], row["peak_mb"]] for row in rows]
    return markdown_table(["strategy", "CPU s", "MB"], body)


def retraining(root: Path) -> str:
    """Retraining on selected tests, the paper's numbers beside."""
    from skactive.retraining import RetrainingReport

    script = runpy.run_path(str(root / "examples" / "retrain_mnist.py"))
    return script["table"](RetrainingReport.from_csv(root / RESULTS / "retrain_mnist.csv"))


def retraining_gains(root: Path) -> str:
    """Robust accuracy gained by retraining, in points, paired by seed."""
    gains = _robust_gains(root)
    budgets = sorted({budget for _, budget in gains})
    body = [
        [name, *(_between(*gains[name, b], "+.1f") for b in budgets)]
        for name in dict.fromkeys(name for name, _ in gains)
    ]
    return markdown_table(["strategy", *(f"{100 * b:g} %" for b in budgets)], body)


def retraining_decided(root: Path) -> str:
    """How many of these gains leave zero out of their interval."""
    gains = _robust_gains(root).values()
    decided = sum(not low <= 0 <= high for _, low, high in gains)
    return f"{decided or 'none'} of the {len(gains)}"


def _robust_gains(root: Path) -> dict[tuple[str, float], tuple[float, float, float]]:
    """Mean and interval in points, by strategy and budget."""
    from skactive.retraining import RetrainingReport

    found = RetrainingReport.from_csv(root / RESULTS / "retrain_mnist.csv").summary()
    return {
        (row["strategy"], row["budget"]): tuple(
            100 * row[key] for key in ("gain", "gain_low", "gain_high")
        )
        for row in found
        if row["metric"] == "pgd" and row["budget"]
    }


def study_robust(root: Path) -> str:
    """Robust training at the last stage, scaled studies."""
    return _study(root, "robust", area=True)


def study_standard(root: Path) -> str:
    """Standard training at the last stage, scaled studies."""
    return _study(root, "standard", area=False)


def study_bias(root: Path) -> str:
    """Correlation of selection bias and robustness, by stage, robust training."""
    from skactive.analysis import bias_robustness_correlation

    stages = rows_of(root, "study_scaled/stages.csv")
    names = [column for column in stages[0] if column.startswith("bias_")]
    body = []
    for study, title in _TITLES.items():
        rows = [r for r in stages if r["study"] == study and r["mode"] == "robust" and r[names[0]]]
        by_stage = [
            list(_groups(part, ["strategy"]).values())
            for part in _groups(sorted(rows, key=_stage), ["stage"]).values()
        ]
        robust = [[_mean(part, "robust_pgd") for part in parts] for parts in by_stage]
        for name in names:
            bias = [[_mean(part, name) for part in parts] for parts in by_stage]
            found = bias_robustness_correlation(bias, robust)
            each = zip(found.statistic, found.low, found.high, strict=True)
            cells = [_between(*numbers, "+.2f") for numbers in each]
            what = name.removeprefix("bias_").replace("_", " ")
            body.append([title, what, f"{statistics.fmean(found.statistic):+.2f}", *cells])
    stage_names = [f"stage {n + 1}" for n in range(len(body[0]) - 3)]
    return markdown_table(["data", "characteristic", "mean r", *stage_names], body)


def _stage(row: Row) -> int:
    return int(row["stage"])


_TITLES = {"mnist_scaled": "MNIST", "fashion_mnist_scaled": "Fashion"}
_STUDY_TABLE = {"robust": ("dre_table_5.csv", "last stage: "), "standard": ("dre_table_1.csv", "")}


def dfal(root: Path) -> str:
    """DFAL's tables 1 and 4 at a hundred labels: accuracy of the net that asked, and of another."""
    folder = "dfal_scaled"
    asked, taught = (rows_of(root, f"{folder}/dfal_table_{n}.csv") for n in (1, 4))
    taught = [{**row, "row": row["column"], "column": row["row"]} for row in taught]
    columns = {
        "MNIST, LeNet-5": (asked, "dfal_mnist_scaled (mnist, lenet5), 100"),
        "Quick, Draw!, LeNet-5": (asked, "quickdraw_scaled (quickdraw, lenet5), 100"),
        "its labels taught to VGG8": (taught, "quickdraw_scaled: lenet5 → vgg8"),
    }
    first = columns["MNIST, LeNet-5"][1]
    names = [row["row"] for row in asked if row["column"] == first and row["ours"]]
    body = [
        [name, *(_beside(rows, name, column) for rows, column in columns.values())]
        for name in names
    ]
    return markdown_table(["function", *columns], body)


def certified(root: Path) -> str:
    """Accuracy, what attacks leave and what is proved, by net and labels."""
    script = runpy.run_path(str(root / "examples" / "certified_mnist.py"))
    return script["table"](root / RESULTS / "certified_mnist.csv")


def margin_consistency(root: Path) -> str:
    """How well margins rank samples by their distance to the decision boundary."""
    script = runpy.run_path(str(root / "examples" / "margin_consistency_mnist.py"))
    return script["table"](root / RESULTS / "margin_consistency_mnist.csv")


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


def _beside(rows: Sequence[Row], name: str, column: str) -> str:
    """Ours, its spread, and the paper's number in parentheses."""
    (row,) = [r for r in rows if r["row"] == name and r["column"] == column]
    paper = f" ({float(row['paper']):.1f})" if row["paper"] else ""
    spread = f" ± {float(row['sd']):.1f}" if row["sd"] else ""
    return f"{float(row['ours']):.1f}{spread}{paper}"


def _groups(
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


def _mean(rows: Sequence[Row], column: str) -> float:
    return statistics.fmean(float(row[column]) for row in rows)


def _percent(rows: Sequence[Row], column: str) -> str:
    return _spread(rows, column, ".1f", 100)


def _between(value: float, low: float, high: float, form: str) -> str:
    return f"{value:{form}} ({low:{form}} to {high:{form}})"


def _spread(rows: Sequence[Row], column: str, form: str, factor: float = 1) -> str:
    values = [factor * float(row[column]) for row in rows]
    spread = f" ± {statistics.stdev(values):{form}}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):{form}}{spread}"


def _cpu(rows: Sequence[Row]) -> str:
    return f"{_mean(rows, 'fit_cpu_s'):.0f}"


_HEADLINE = {
    "random": ("pool, random", 1503, "mnist-pool-random-0"),
    "DRE": ("pool, dre", 1503, "mnist-pool-dre-0"),
    "entropy": ("pool, entropy", 1503, "mnist-pool-entropy-0"),
    "random, `--updates 3000`": ("pool, random", 3006, "mnist-pool-random-0 (3000 updates)"),
    "random, the papers' recipe, no pool": ("papers, random", 600, ""),
    "DRE, the papers' recipe, no pool": ("papers, dre", 600, ""),
}
_SHARES = ("accuracy", "pgd50", "autoattack")
_PAPER = {  # arXiv 2112.02542, Tables 2 and 3, MNIST: robust accuracy under AutoAttack
    "random, 5,000 labels": "63.9",
    "DRE, 5,000 labels": "67.7",
    "all 60,000 labels": "76.2",
}


def headline(root: Path) -> str:
    """MNIST at 5,000 labels, with the pool and without, the paper's figures below."""
    attacked = rows_of(root, "headline_autoattack.csv")
    body = []
    for title, (recipe, updates, net) in _HEADLINE.items():
        conditions = ["dataset=mnist", f"recipe={recipe}", f"updates={updates}"]
        (row,) = select(root, "headline_mnist.csv", conditions)
        parts = [_survivors(attacked, net, version) for version in ("fast", "standard")]
        body.append([title, *(_percent([row], c) for c in _SHARES), *parts])
    body += [[f"*paper, {what}*", "", "", "", "", f"*{share}*"] for what, share in _PAPER.items()]
    head = ["asked by", "accuracy", "PGD-50", "AutoAttack, fast, 300", "fast, 100", "standard, 100"]
    return markdown_table(head, body)


def _survivors(rows: Sequence[Row], net: str, version: str) -> str:
    """After the last part of AutoAttack."""
    found = [r for r in rows if r["net"] == net and r["version"] == version]
    return f"{100 * float(found[0]['square']):.1f}" if found else "not run"


def headline_fashion(root: Path) -> str:
    """Fashion-MNIST at 6,000 labels, after a short training."""
    rows = select(root, "headline_mnist.csv", ["dataset=fashion_mnist"])
    body = [
        [row["recipe"].removeprefix("pool, "), *(_percent([row], c) for c in _SHARES), _cpu([row])]
        for row in rows
    ]
    return markdown_table(["asked by", "accuracy", "PGD-50", "AutoAttack, fast", "CPU s"], body)


def headline_parts(root: Path) -> str:
    """What each part of AutoAttack left, on 100 images."""
    parts = {"APGD-CE": "apgd-ce", "APGD-T": "apgd-t", "FAB-T": "fab-t", "Square": "square"}
    rows = select(root, "headline_autoattack.csv", ["version=standard"])
    body = [
        [row["net"].removeprefix("mnist-"), *(f"{100 * float(row[c]):.0f}" for c in parts.values())]
        for row in rows
    ]
    return markdown_table(["net", *parts], body)


def robust_mnist(root: Path) -> str:
    """Standard and robust active learning on MNIST, last round."""
    rows = select(root, "robust_mnist.csv", ["round=4"])
    body = [
        [row["mode"], row["strategy"], row["n_labels"], _percent([row], "accuracy"),
         _percent([row], "robust_accuracy")]
        for row in rows
    ]  # fmt: skip
    return markdown_table(["training", "asked by", "labels", "accuracy, %", "PGD-50, %"], body)


def compare_strategies(root: Path) -> str:
    """Two strategies on digits: areas, and the test of their difference."""
    from skactive.analysis import CurveReport

    kinds = {"seed": int, "n_labels": int, "score": float, "cpu_s": float}
    rows = rows_of(root, "compare_strategies.csv")
    curves = CurveReport.from_records(
        {name: kinds.get(name, str)(value) for name, value in row.items()} for row in rows
    )
    return f"{curves.table}\n\n{curves.compare().table}"


_ALLOCATIONS = "dre_allocations"
_MEASURES = {
    "accuracy": "accuracy, last stage",
    "AutoAttack": "robustness (AutoAttack), last stage",
    "PGD, area": "robustness (PGD), area under the budget curve",
}


def allocations(root: Path) -> str:
    """DRE with each of its allocations against random: points gained, with 95 % intervals."""
    random = select(root, f"{_ALLOCATIONS}/stages.csv", ["strategy=random", "stage=3"])
    cells = [_percent(random, "accuracy"), _percent(random, "robust_autoattack"), "–"]
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
    return f"{_between(*numbers, '+.1f')}, p = {float(row['pvalue_holm']):.3f}"
