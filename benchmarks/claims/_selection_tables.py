"""Tables of strategies and selected tests."""

from __future__ import annotations

import runpy
from pathlib import Path

from skactive.utils.reports import markdown_table

from ._cells import between, groups_of, mean, spread
from ._records import RESULTS
from ._results import rows_of


def compare_strategies(root: Path) -> str:
    """Two strategies on digits: areas, and the test of their difference."""
    from skactive.analysis import CurveReport

    kinds = {"seed": int, "n_labels": int, "score": float, "cpu_s": float}
    rows = rows_of(root, "compare_strategies.csv")
    curves = CurveReport.from_records(
        {name: kinds.get(name, str)(value) for name, value in row.items()} for row in rows
    )
    return f"{curves.table}\n\n{curves.compare().table}"


def prioritization(root: Path) -> str:
    """Which order finds mistakes first: means and standard deviations over seeds."""
    shares = {"APFD": "apfd", **{f"found at {n} %": f"found at {n}%" for n in (1, 4, 10)}}
    groups = groups_of(rows_of(root, "prioritize_mnist.csv"), ["strategy"])
    body = [
        [name, *(spread(rows, c, ".3f") for c in shares.values()), f"{mean(rows, 'seconds'):.3g}"]
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
        [name, *(between(*gains[name, b], "+.1f") for b in budgets)]
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
