"""Learning curves of several strategies and seeds, and all that is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..utils.reports import Report
from ..utils.statistics import half_interval
from ._comparison import ComparisonReport, compare_strategies
from ._label_cost import LabelCostReport, label_costs
from ._learning_curves import ActiveLearningCurveDisplay
from ._runs import Runs


@dataclass(frozen=True)
class CurvePoint:
    """One strategy after one stage, with one seed.

    Attributes
    ----------
    strategy : str
    seed : int
    n_labels : int
        Labels bought so far.
    score : float
        On data that no label was bought of; NaN where `error` says why.
    cpu_s : float
        CPU seconds of asking and training so far, scoring left out.
    error : str
        Why the run ended after this many labels; empty otherwise.

    Examples
    --------
    >>> from skactive.analysis import CurvePoint, CurveReport
    >>> curves = CurveReport([CurvePoint("margin", seed=0, n_labels=20, score=0.5),
    ...                       CurvePoint("margin", seed=0, n_labels=60, score=0.75)])
    >>> curves[-1].n_labels, curves[-1].score, curves[-1].error
    (60, 0.75, '')
    >>> curves.areas()["margin"].tolist()
    [0.625]
    """

    strategy: str
    seed: int
    n_labels: int
    score: float
    cpu_s: float = float("nan")
    error: str = ""


@dataclass(frozen=True, repr=False)
class CurveReport(Report):
    """Curves of strategies that are compared: a sequence of `CurvePoint`.

    Made by `compare_curves`; make one yourself of results that you have.

    Attributes
    ----------
    rows : list of CurvePoint
    percent : bool, default=True
        Whether scores are shares, which tables show as percent.

    Examples
    --------
    >>> from skactive.analysis import CurvePoint, CurveReport
    >>> curves = CurveReport([
    ...     CurvePoint(name, seed, n, 0.5 + gain * n / 100)
    ...     for name, gain in {"random": 0.2, "margin": 0.3}.items()
    ...     for seed in range(6) for n in (20, 60, 100)])
    >>> curves.areas()["margin"].round(2).tolist()
    [0.68, 0.68, 0.68, 0.68, 0.68, 0.68]
    >>> curves.compare(measure="last")[0].pvalue
    0.03125
    """

    rows: list[CurvePoint]
    percent: bool = True

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, Any]], **settings: Any) -> CurveReport:
        """Curves from dicts, or ``frame.to_dict("records")``, with the fields of a `CurvePoint`.

        Parameters
        ----------
        records : iterable of mapping
            Other columns are left out. An `error` that is no string is none: pandas reads an
            empty one as NaN.
        **settings : Any
            `percent`; without it scores are shares where all of them lie in [0, 1].

        Returns
        -------
        report : CurveReport
        """
        names = CurvePoint.__dataclass_fields__
        points = [CurvePoint(**{k: v for k, v in r.items() if k in names}) for r in records]
        rows = [p if isinstance(p.error, str) else replace(p, error="") for p in points]
        return cls(rows, **{"percent": are_shares(rows), **settings})

    @property
    def strategies(self) -> list[str]:
        """Names, in the order in which they come."""
        return list(dict.fromkeys(row.strategy for row in self.rows))

    @property
    def seeds(self) -> list[int]:
        """Seeds of all strategies, ascending."""
        return sorted({row.seed for row in self.rows})

    @property
    def n_labels(self) -> NDArray:
        """Labels bought at each stage, shape (n_stages,), by most runs that spent the budget.

        The budget is the most that a run bought. Other runs may have bought in other stages: a
        first sample that held a single class was enlarged, in all runs of its seed.
        """
        return Runs(self.rows).stages

    def curves(self) -> dict[str, NDArray]:
        """Scores by strategy.

        Returns
        -------
        curves : dict of str to ndarray of shape (n_stages, n_seeds)
            At `n_labels`. A run that bought in other stages has what lies between its own scores,
            on straight lines; NaN before its first score, after its last, and without a run.
        """
        return self._curves_at(self.n_labels)

    def areas(self) -> dict[str, NDArray]:
        """Area under the budget curve by strategy.

        Returns
        -------
        areas : dict of str to ndarray of shape (n_seeds,)
            Of each run's own stages, see `area_under_budget_curve`; NaN where a run is not
            complete. It is if it did not fail, starts with as few labels as any run of its seed,
            and ends with as many as any run of the report; `notes` says which do not.
        """
        return self._by_seed(Runs(self.rows).area)

    def last(self) -> dict[str, NDArray]:
        """Scores of the last stage by strategy.

        Returns
        -------
        scores : dict of str to ndarray of shape (n_seeds,)
            NaN where a run ended with fewer labels than the others.
        """
        return self._last("scores")

    def compare(
        self, baseline: str = "random", *, measure: str = "area", **settings: Any
    ) -> ComparisonReport:
        """Strategies against a baseline, paired by seed.

        Parameters
        ----------
        baseline : str, default="random"
        measure : {"area", "last"}, default="area"
            Area under the budget curve, or the score of the last stage.
        **settings : Any
            As in `compare_strategies`.

        Returns
        -------
        comparisons : ComparisonReport

        Raises
        ------
        ValueError
            If `measure` is neither, or as in `compare_strategies`.
        """
        if measure not in ("area", "last"):
            raise ValueError(f"measure must be 'area' or 'last', got {measure!r}.")
        scores = self.areas() if measure == "area" else self.last()
        return replace(compare_strategies(scores, baseline, **settings), percent=self.percent)

    def label_costs(
        self, target: float, baseline: str = "random", **settings: Any
    ) -> LabelCostReport:
        """Labels that strategies need to reach a score, and their ratio to the baseline's.

        Seeds that are not complete for every strategy are left out; see `areas`. Stages are
        `n_labels`, from where all of the others have a score.

        Parameters
        ----------
        target : float
        baseline : str, default="random"
        **settings : Any
            As in `skactive.analysis.label_costs`.

        Returns
        -------
        costs : LabelCostReport

        Raises
        ------
        ValueError
            If no seed is complete, or as in `skactive.analysis.label_costs`.
        """
        whole = np.all([np.isfinite(area) for area in self.areas().values()], axis=0)
        if not self.rows or not whole.any():
            raise ValueError("no seed has a complete curve of every strategy: leave some out.")
        start = Runs(self.rows).start(np.array(self.seeds)[whole].tolist())
        n = np.append(start, self.n_labels[self.n_labels > start])
        complete = {name: curve[:, whole] for name, curve in self._curves_at(n).items()}
        return label_costs(n, complete, target, baseline=baseline, **settings)

    @property
    def notes(self) -> list[str]:  # type: ignore[override]
        """Runs that failed, and where; others that have no area, and why."""
        failed = [
            f"{row.strategy}, seed {row.seed}, {row.n_labels} labels: {row.error}."
            for row in self.rows
            if row.error
        ]
        return [*failed, *Runs(self.rows).notes()]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        unit = " (%)" if self.percent else ""
        n = Runs(self.rows).budget
        head = ["strategy", "seeds", f"area{unit}", f"at {n} labels{unit}", "CPU s"]
        areas, last, seconds = self.areas(), self.last(), self._last("cpu_s")
        return head, [
            [name, str(int(np.isfinite(areas[name]).sum())), self._mean(areas[name]),
             self._mean(last[name]), _mean_of(seconds[name], ".1f")]
            for name in self.strategies
        ]  # fmt: skip

    def _mean(self, values: NDArray) -> str:
        """Mean ± half of its 95 % interval."""
        values = values[np.isfinite(values)] * (100 if self.percent else 1)
        if len(values) < 2:
            return _mean_of(values, ".1f" if self.percent else ".4g")
        half = half_interval(float(values.std(ddof=1)), len(values))
        return (
            f"{values.mean():.1f} ± {half:.1f}"
            if self.percent
            else f"{values.mean():.4g} ± {half:.2g}"
        )

    def _draw(self, ax: Any) -> None:
        curves = {name: (self.n_labels, scores) for name, scores in self.curves().items()}
        ActiveLearningCurveDisplay(curves).plot(ax=ax)

    def _curves_at(self, n_labels: NDArray) -> dict[str, NDArray]:
        """Scores at these numbers of labels, shape (n_points, n_seeds), by strategy."""
        runs = Runs(self.rows)
        return self._by_seed(lambda name, seed: runs.curve(name, seed, n_labels))

    def _last(self, field: str) -> dict[str, NDArray]:
        runs = Runs(self.rows)
        return self._by_seed(lambda name, seed: runs.last(name, seed, field))

    def _by_seed(self, value: Callable[[str, int], Any]) -> dict[str, NDArray]:
        """What all runs have, seeds on the last axis, by strategy."""
        return {
            name: np.stack([value(name, seed) for seed in self.seeds], axis=-1)
            for name in self.strategies
        }


def are_shares(rows: Iterable[CurvePoint]) -> bool:
    """Whether all scores lie in [0, 1], those that are missing left out."""
    scores = np.array([row.score for row in rows], dtype=float)
    return not ((scores < 0) | (scores > 1)).any()


def _mean_of(values: NDArray, form: str) -> str:
    known = values[np.isfinite(values)]
    return format(known.mean(), form) if len(known) else "–"
