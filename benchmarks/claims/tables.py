"""Whole tables of pages: ``<!-- claim: NAME() -->`` calls the function of that name here.

Each takes the root of the repository and returns Markdown, made of results files alone.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ._records import RESULTS
from ._selection_tables import (
    compare_strategies,
    prioritization,
    retraining,
    retraining_decided,
    retraining_gains,
    selection_costs,
)
from ._study_tables import (
    allocations,
    dfal,
    dfal_mnist,
    dre_mnist,
    study_bias,
    study_robust,
    study_standard,
)
from ._training_tables import (
    autoattack_parts,
    certified,
    headline,
    margin_consistency,
    recipes,
    robust_mnist,
    teachers,
)

__all__ = [
    "allocations",
    "autoattack_parts",
    "certified",
    "compare_strategies",
    "dfal",
    "dfal_mnist",
    "dre_mnist",
    "headline",
    "margin_consistency",
    "prioritization",
    "recipes",
    "retraining",
    "retraining_decided",
    "retraining_gains",
    "robust_mnist",
    "selection_costs",
    "study_bias",
    "study_robust",
    "study_standard",
    "teachers",
]

if TYPE_CHECKING:
    from ..comparison._report import ComparedReport


def benchmarks(root: Path) -> str:
    """Every kernel against its peers."""
    return (root / RESULTS / "benchmarks_table.md").read_text(encoding="utf-8")


def scale_runs(root: Path) -> str:
    """Queries of large pools, measured and by the model."""
    from ..scale import table_of_runs

    return table_of_runs(root / RESULTS / "scale.csv")


def scale_billion(root: Path) -> str:
    """What a query of a billion rows costs, by the model."""
    from ..scale import table_of_a_billion

    return table_of_a_billion(root / RESULTS / "scale.csv")


def comparison_setting(root: Path) -> str:
    """Data sets and tuned learners that strategies are compared on."""
    return _compared(root).setting()


def comparison_run(root: Path) -> str:
    """How much of the comparison was run."""
    return _compared(root).what_was_run()


def comparison_area(root: Path) -> str:
    """Areas under the budget curves."""
    return _compared(root).area()


def comparison_advice(root: Path) -> str:
    """Who gained, and who lost, with few labels and with more."""
    return _compared(root).advice()


def comparison_against_random(root: Path) -> str:
    """What strategies gain on random."""
    return _compared(root).against_random()


def comparison_cpu(root: Path) -> str:
    """What a query costs."""
    return _compared(root).cpu()


def comparison_failed(root: Path) -> str:
    """Strategies that raised an error."""
    return _compared(root).failed()


@lru_cache(maxsize=1)
def _compared(root: Path) -> ComparedReport:
    """Read once: seven tables are made of it, and reading takes many seconds."""
    from ..comparison._report import ComparedReport
    from ..comparison._store import Results

    return ComparedReport(Results(root / RESULTS / "comparison"))
