"""What retraining gained, for what budget."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..utils.budget import as_text, is_share
from ..utils.checksums import check, write_checksum
from ..utils.drawing import axes_for, ink, legend, series
from ..utils.reports import Report
from ..utils.statistics import half_interval
from ._budgets import key, read

BASELINE = "baseline"
_OF_RUN = ("strategy", "budget", "seed")
_KEYS = (*_OF_RUN, "n_selected", "select_time", "retrain_time")


@dataclass(frozen=True, repr=False)
class RetrainingReport(Report):
    """What `retraining_report` measured.

    Attributes
    ----------
    rows : list of dict
        One for each seed, strategy and budget, and one a seed for the model before
        (``"baseline"``, budget 0.0): ``strategy``, ``budget`` (a count as int, a share as float;
        1 is a sample, 1.0 all of them), ``seed``, ``n_selected``, ``select_time`` and
        ``retrain_time`` in seconds, ``accuracy``, and the accuracy under each attack by its name.

    Notes
    -----
    The table is in percent: means and half of their 95 % intervals over the seeds.

    Examples
    --------
    Of results at hand; `retraining_report` measures them:

    >>> from skactive.retraining import RetrainingReport
    >>> spent = {"n_selected": 4, "select_time": 1.0, "retrain_time": 9.0}
    >>> report = RetrainingReport([
    ...     {"strategy": name, "budget": budget, "seed": seed, **spent, "accuracy": score}
    ...     for seed in (0, 1)
    ...     for name, budget, score in [("baseline", 0.0, 0.5), ("gini", 0.25, 0.75 + seed / 8)]])
    >>> gini = report.summary()[1]
    >>> gini["strategy"], gini["mean"], gini["gain"], gini["n_seeds"]
    ('gini', 0.8125, 0.3125, 2)
    >>> print(report.table)
    | strategy | accuracy, 25 % |
    | --- | ---: |
    | baseline | 50.00 ± 0.00 |
    | gini | 81.25 ± 79.41 |
    """

    rows: list[dict[str, Any]]

    @property
    def metrics(self) -> list[str]:
        """``"accuracy"`` and the names of the attacks."""
        return [name for name in self.rows[0] if name not in _KEYS]

    def summary(self, confidence: float = 0.95) -> list[dict[str, Any]]:
        """Means over the seeds, with intervals.

        Parameters
        ----------
        confidence : float in (0, 1), default=0.95

        Returns
        -------
        summary : list of dict
            One for each strategy, budget and metric: ``mean``, ``low`` and ``high`` of Student's
            interval of it; ``gain``, ``gain_low`` and ``gain_high`` of the difference to the
            model before, paired by seed; ``n_seeds``. With one seed the intervals are NaN: it
            tells nothing about the spread.
        """
        before = {row["seed"]: row for row in self.rows if row["strategy"] == BASELINE}
        groups: dict[tuple, list[dict[str, Any]]] = {}
        for row in self.rows:
            groups.setdefault((row["strategy"], key(row["budget"])), []).append(row)
        found = []
        for (strategy, (_, budget)), rows in groups.items():
            for metric in self.metrics:
                values = np.array([row[metric] for row in rows])
                gains = values - np.array([before[row["seed"]][metric] for row in rows])
                mean, low, high = _interval(values, confidence)
                gain, gain_low, gain_high = _interval(gains, confidence)
                found.append(
                    {
                        "strategy": strategy, "budget": budget, "metric": metric,
                        "mean": mean, "low": low, "high": high,
                        "gain": gain, "gain_low": gain_low, "gain_high": gain_high,
                        "n_seeds": len(rows),
                    }
                )  # fmt: skip
        return found

    @classmethod
    def from_csv(cls, path: str | Path) -> RetrainingReport:
        """Read what `to_csv` wrote.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        report : RetrainingReport

        Raises
        ------
        ValueError
            If the file is not that, or the checksum beside it does not fit.
        """
        check(Path(path))
        types: dict[str, Any] = {"strategy": str, "budget": read, "seed": int, "n_selected": int}
        try:
            with Path(path).open(newline="", encoding="utf-8") as file:
                table = csv.DictReader(file)
                lines = list(table)
            lacking = [name for name in _OF_RUN if name not in (table.fieldnames or ())]
            if lacking:
                raise ValueError(f"it has no column {lacking[0]!r}.")
            return cls([{k: types.get(k, float)(v) for k, v in line.items()} for line in lines])
        except (csv.Error, ValueError, TypeError) as error:
            raise ValueError(f"{path} cannot be read as a table of numbers: {error}") from error

    def to_csv(self, path: str | Path) -> None:
        """Write the rows to a CSV file, and its checksum beside it, with the suffix ``.sha256``.

        Parameters
        ----------
        path : str or Path
        """
        super().to_csv(path)
        write_checksum(Path(path))

    def plot(self, ax: Any = None, *, confidence: float = 0.95) -> Any:
        """Draw each metric against the budget, one line per strategy; needs matplotlib.

        Parameters
        ----------
        ax : sequence of matplotlib Axes or None, default=None
            One for each metric; ``None`` makes a figure.
        confidence : float in (0, 1), default=0.95
            Of the intervals.

        Returns
        -------
        axes : ndarray of Axes
            ``axes[0].figure.savefig(…)`` saves it.
        """
        n, summary = len(self.metrics), self.summary(confidence)
        what, size = f"{type(self).__name__}.plot", (4.5 * n, 3.5)
        axes = np.ravel(axes_for(ax, what=what, ncols=n, figsize=size))
        for ax, metric in zip(axes, self.metrics, strict=True):
            _draw(ax, metric, [row for row in summary if row["metric"] == metric])
        legend(axes[-1])
        return axes

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Like the DRE paper's Table 6: a line per strategy, a column per metric and budget."""
        cells = {
            (row["strategy"], row["metric"], key(row["budget"] or 0.0)): _cell(row)
            for row in self.summary()
        }
        budgets = dict.fromkeys(key(row["budget"]) for row in self.rows if row["budget"])
        columns = [(metric, budget) for metric in self.metrics for budget in budgets]
        head = ["strategy", *(f"{metric}, {as_text(budget)}" for metric, (_, budget) in columns)]
        none = key(0.0)
        return head, [
            [name, *(cells[name, metric, none if name == BASELINE else b] for metric, b in columns)]
            for name in dict.fromkeys(row["strategy"] for row in self.rows)
        ]


def _interval(values: Any, confidence: float) -> tuple[float, float, float]:
    """Mean, and Student's interval of it; NaN for a single value."""
    mean, n = float(np.mean(values)), len(values)
    half = half_interval(float(np.std(values, ddof=1)) if n > 1 else 0.0, n, confidence)
    return mean, mean - half, mean + half


def _cell(row: dict[str, Any]) -> str:
    half = (row["high"] - row["low"]) / 2
    return f"{100 * row['mean']:.2f}" + (f" ± {100 * half:.2f}" if half == half else "")


def _draw(ax: Any, metric: str, rows: list[dict[str, Any]]) -> None:
    names = [name for name in dict.fromkeys(row["strategy"] for row in rows) if name != BASELINE]
    percent = all(is_share(row["budget"]) for row in rows if row["budget"])
    span = max(row["budget"] for row in rows) * (100 if percent else 1)
    for row in rows:
        if row["strategy"] == BASELINE:
            ax.axhline(row["mean"], color=ink(ax), linestyle="--", linewidth=1, label="before")
    for number, name in enumerate(names):
        own = sorted((r for r in rows if r["strategy"] == name), key=lambda r: r["budget"])
        # Side by side: intervals of strategies would hide each other.
        shift = (number - (len(names) - 1) / 2) * 0.015 * span
        ax.errorbar(
            [r["budget"] * (100 if percent else 1) + shift for r in own],
            [r["mean"] for r in own],
            yerr=[[r["mean"] - r["low"] for r in own], [r["high"] - r["mean"] for r in own]],
            **{**series(number, name), "markersize": 3.5, "linewidth": 1.2},
            elinewidth=0.7,
            label=name,
        )
    ax.set_xlabel("Share of the candidates (%)" if percent else "Budget")
    ax.set_ylabel("Accuracy" if metric == "accuracy" else f"Accuracy under {metric}")
