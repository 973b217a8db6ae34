"""Tables of trainings: recipes, teachers, certificates, robust active learning."""

from __future__ import annotations

import runpy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from skactive.utils.reports import markdown_table

from ._cells import cpu, groups_of, mean, percent
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
    "swa": "PGD + SWA",
    "smoothing": "PGD + label smoothing .1, weight decay 5e-4",
    "rst+ema": "RST + EMA",
    "rst+awp+ema": "**RST + AWP .005 + EMA**",
}


_ACCURACIES = {"accuracy": "accuracy", "PGD-50": "pgd50"}


def _trainings(
    root: Path,
    name: str,
    by: Mapping[str, str],
    scores: Mapping[str, str],
    titles: Mapping[str, str] | None = None,
) -> tuple[list[str], list[list[Any]]]:
    """Head and rows: scores in per cent over the seeds; with titles, in their order."""
    groups = groups_of(rows_of(root, name), list(by.values()), titles)
    body = [
        [*((titles or {}).get(value, value) for value in key),
         *(percent(rows, column) for column in scores.values()), len(rows), cpu(rows)]
        for key, rows in groups.items()
    ]  # fmt: skip
    return [*by, *scores, "seeds", "CPU s"], body


def recipes(root: Path) -> str:
    """Training recipes at 300 labels."""
    by, scores = {"recipe": "recipe"}, {**_ACCURACIES, "AutoAttack (fast)": "autoattack"}
    return markdown_table(*_trainings(root, "recipes_mnist_300.csv", by, scores, _RECIPES))


def teachers(root: Path) -> str:
    """How many pseudo-labels are right, by teacher."""
    shares = {
        "pseudo-labels right, %": "pool_accuracy",
        "worst class, %": "worst_class",
        "test, %": "test_accuracy",
    }
    by = {"data": "dataset", "labels": "labels", "asked by": "asked", "teacher": "teacher",
          "updates": "updates"}  # fmt: skip
    return markdown_table(*_trainings(root, "teachers_mnist.csv", by, shares))


_HEADLINE = {
    "pool, random": "random",
    "pool, dre": "DRE",
    "pool, entropy": "entropy",
    "papers, random": "random, the papers' recipe, no pool",
    "papers, dre": "DRE, the papers' recipe, no pool",
}
_PAPER = {  # arXiv 2112.02542, Tables 2 and 3, MNIST: robust accuracy under AutoAttack
    "random, 5,000 labels": "63.9",
    "DRE, 5,000 labels": "67.7",
    "all 60,000 labels": "76.2",
}


def headline(root: Path) -> str:
    """MNIST at 5,000 labels, with the pool and without, the paper's figures below."""
    by, scores = {"asked by": "recipe"}, {**_ACCURACIES, "AutoAttack": "autoattack"}
    head, body = _trainings(root, "headline_mnist.csv", by, scores, _HEADLINE)
    body += [[f"*paper, {what}*", "", "", f"*{share}*", 3, ""] for what, share in _PAPER.items()]
    return markdown_table(head, body)


def robust_mnist(root: Path) -> str:
    """Standard and robust active learning on MNIST, last round."""
    rows = select(root, "robust_mnist.csv", ["round=4"])
    body = [
        [row["mode"], row["strategy"], row["n_labels"], percent([row], "accuracy"),
         percent([row], "robust_accuracy")]
        for row in rows
    ]  # fmt: skip
    return markdown_table(["training", "asked by", "labels", "accuracy, %", "PGD-50, %"], body)


def certified(root: Path) -> str:
    """Accuracy, what attacks leave and what is proved, by net and labels."""
    return _by_its_script(root, "certified_mnist")


def margin_consistency(root: Path) -> str:
    """How well margins rank samples by their distance to the decision boundary."""
    return _by_its_script(root, "margin_consistency_mnist")


def _by_its_script(root: Path, name: str) -> str:
    """The table that an example makes of its results."""
    script = runpy.run_path(str(root / "examples" / f"{name}.py"))
    return script["table"](root / RESULTS / f"{name}.csv")


_PARTS = {
    "apgd-ce": "APGD-CE, 100 steps",
    "apgd-t": "APGD-T, 100 steps, 9 targets",
    "fab-t": "FAB-T, 100 steps, 9 targets",
    "square": "Square, 5,000 queries",
    "AutoAttack standard": '`AutoAttack`, `version="standard"`',
    "AutoAttack fast": '`AutoAttack`, `version="fast"`',
}


def autoattack_parts(root: Path) -> str:
    """Survivors of each part of AutoAttack, ours beside the papers' loops."""
    name, body = "autoattack_digits.csv", []
    for part, title in _PARTS.items():
        ours = select(root, name, [f"what={part}", "whose=skactive"])
        theirs = [r for r in select(root, name, [f"what={part}"]) if r["whose"] != "skactive"]
        drawn = _each(theirs) + (" (draws nothing)" if len(theirs) == 1 else "")
        body.append([title, _each(ours), drawn, f"{mean(ours, 'cpu_s'):.1f}"])
    return markdown_table(["survivors, %", "skactive", "papers' loops", "CPU s"], body)


def _each(rows: Sequence[Row]) -> str:
    return " / ".join(f"{100 * float(row['survivors']):.1f}" for row in rows)
