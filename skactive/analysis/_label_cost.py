"""Labels needed to reach a score, and how many times fewer than the baseline's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils.drawing import PALETTE
from ..utils.random_state import derive_seed
from ..utils.reports import Report
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Number, check_constraints
from ._comparison import check_baseline
from ._curve_fit import LearningCurveFit, fit_learning_curve, refit

_CONSTRAINTS: dict = {
    "target": [Number("a finite score")],
    "n_bootstrap": [COUNT],
    "random_state": ["random_state", np.random.Generator],
}


@dataclass(frozen=True)
class LabelCost:
    """What one strategy pays for a score; see `label_costs`.

    Attributes
    ----------
    strategy : str
    target : float
    n_labels : float
        Labels at which the law fitted to the mean curve reaches the target; infinite where it
        never does, though a seed may: see `share_reached`.
    low, high : float
        95 % interval, by resampling seeds; NaN for a single seed. Infinite where more than that
        share of the resampled curves never reach the target.
    ratio : float
        `n_labels` over the baseline's: .5 is half of its labels. NaN where neither is finite.
    ratio_low, ratio_high : float
        95 % interval of it, the seeds of both resampled together.
    share_reached : float
        Share of the seeds whose own curve reached the target within the budget.
    fit : LearningCurveFit
        Of the mean curve.
    note : str
        That the number is extrapolated, a bound, or none at all; empty otherwise.

    Examples
    --------
    A strategy that learns from each label what random sampling learns from two:

    >>> import numpy as np
    >>> from skactive.analysis import label_costs
    >>> n_labels = np.arange(100, 700, 100)
    >>> curves = {"random": 1 - 0.5 ** (n_labels / 200), "dre": 1 - 0.5 ** (n_labels / 100)}
    >>> scores = {name: curve[:, None] for name, curve in curves.items()}  # a single seed
    >>> cost = label_costs(n_labels, scores, target=0.75, n_bootstrap=1)[1]
    >>> cost.strategy, round(cost.n_labels), round(cost.ratio, 3), cost.share_reached
    ('dre', 200, 0.5, 1.0)
    """

    strategy: str
    target: float
    n_labels: float
    low: float
    high: float
    ratio: float
    ratio_low: float
    ratio_high: float
    share_reached: float
    fit: LearningCurveFit
    note: str


@dataclass(frozen=True, repr=False)
class LabelCostReport(Report):
    """What `label_costs` found: a sequence of `LabelCost`, the baseline first.

    Attributes
    ----------
    rows : list of LabelCost
    baseline : str

    Examples
    --------
    >>> from skactive.analysis import label_costs
    >>> n_labels = [100, 200, 300, 400, 500]
    >>> curves = {"random": [[0.50], [0.75], [0.875], [0.9375], [0.96875]],
    ...           "dre": [[0.75], [0.9375], [0.984375], [0.99609375], [0.9990234375]]}
    >>> report = label_costs(n_labels, curves, target=0.9375, n_bootstrap=1)
    >>> report.table.splitlines()[-1]
    '| dre | 200 | – | 0.50 | – | 100% |'
    >>> report.notes
    []
    """

    rows: list[LabelCost]
    baseline: str = "random"

    @property
    def notes(self) -> list[str]:  # type: ignore[override]
        """What is extrapolated, bounded or never reached."""
        return [f"{row.strategy}: {row.note}." for row in self.rows if row.note]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        head = ["strategy", f"labels to reach {self.rows[0].target:g}", "95 % interval",
                f"of {self.baseline}'s", "95 % interval", "seeds that reached it"]  # fmt: skip
        return head, [
            [row.strategy, _labels(row.n_labels), _interval(row.low, row.high, _labels),
             _times(row.ratio), _interval(row.ratio_low, row.ratio_high, _times),
             f"{row.share_reached:.0%}"]
            for row in self.rows
        ]  # fmt: skip

    def _draw(self, ax: Any) -> None:
        shown = [row for row in self.rows if np.isfinite(row.n_labels)]
        names, costs = [row.strategy for row in shown], [row.n_labels for row in shown]
        ax.plot(costs, names, "o", color=PALETTE[0])
        for row in shown:
            ax.plot([row.low, row.high], [row.strategy] * 2, color=PALETTE[0], linewidth=1)
        ax.set_xlabel(f"Labels to reach {self.rows[0].target:g}")


def _labels(value: float) -> str:
    return "never" if np.isinf(value) else f"{value:.0f}"


def _times(value: float) -> str:
    return "–" if np.isnan(value) else "never" if np.isinf(value) else f"{value:.2f}"


def _interval(low: float, high: float, shown: Any) -> str:
    return "–" if np.isnan(low) else f"{shown(low)} to {shown(high)}"


def label_costs(
    n_labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    target: float,
    *,
    baseline: str = "random",
    n_bootstrap: int = 500,
    random_state: RandomState = 0,
) -> LabelCostReport:
    """Labels that strategies need to reach a score, and the ratio to the baseline's.

    The law of `fit_learning_curve` is fitted to each strategy's mean curve and inverted at the
    target; seeds are resampled, those of all strategies together, for the intervals.

    Parameters
    ----------
    n_labels : array-like of shape (n_stages,)
        Labels bought at each stage, at least five.
    scores : mapping of str to array-like of shape (n_stages, n_seeds)
        Curves, seeds in the same order for all strategies.
    target : float
        A score, in the unit of `scores`.
    baseline : str, default="random"
    n_bootstrap : int, default=500
        Resamples.
    random_state : None, int, RandomState or Generator, default=0

    Returns
    -------
    costs : LabelCostReport
        The baseline first. A target that the fitted curve never reaches costs infinitely many
        labels; what lies beyond the last stage says that it is extrapolated, and what is reached
        before the first stage that it is a bound.

    Raises
    ------
    ValueError
        If the baseline is missing, shapes differ, scores are not finite, or as in
        `fit_learning_curve`.

    References
    ----------
    Machnio et al., "To label or not to label", ICCV 2025, for the law; Efron & Tibshirani, "An
    introduction to the bootstrap", 1993, chapter 13, for the percentile interval.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.analysis import label_costs
    >>> n = np.arange(20, 120, 20)
    >>> curve = lambda speed: 0.9 * (1 - np.exp(-((n * speed) ** 0.5)))[:, None] + [[0, 0.01]]
    >>> costs = label_costs(n, {"random": curve(0.05), "margin": curve(0.1)}, 0.75)
    >>> [(row.strategy, round(row.ratio, 1)) for row in costs]
    [('random', 1.0), ('margin', 0.5)]
    """
    given = {"target": target, "n_bootstrap": n_bootstrap, "random_state": random_state}
    check_constraints(_CONSTRAINTS, given, "label_costs")
    n, curves = np.asarray(n_labels, dtype=float), _curves(n_labels, scores, baseline)
    found = {name: _Inverted(n, curve, target) for name, curve in curves.items()}
    n_seeds = curves[baseline].shape[1]
    rng = np.random.default_rng(derive_seed(random_state))
    picks = list(rng.integers(n_seeds, size=(n_bootstrap if n_seeds > 1 else 0, n_seeds)))
    drawn = {name: np.array([one.again(p) for p in picks]) for name, one in found.items()}
    names = [baseline, *(name for name in curves if name != baseline)]
    rows = [_row(name, found, drawn, baseline, target) for name in names]
    return LabelCostReport(rows, baseline)


def _curves(
    n_labels: ArrayLike, scores: Mapping[str, ArrayLike], baseline: str
) -> dict[str, NDArray]:
    check_baseline(baseline, scores)
    curves = {name: np.asarray(values, dtype=float) for name, values in scores.items()}
    shapes = {name: curve.shape for name, curve in curves.items()}
    wanted = (len(np.asarray(n_labels)), curves[baseline].shape[-1])
    if any(shape != wanted for shape in shapes.values()):
        raise ValueError(
            f"scores must have shape (n_stages, n_seeds), {wanted[0]} stages here and the same "
            f"seeds for all; got {shapes}."
        )
    return curves


class _Inverted:
    """A strategy's curves, the law of their mean, and where it reaches the target."""

    def __init__(self, n: NDArray, curves: NDArray, target: float) -> None:
        self.n, self.curves, self.target = n, curves, target
        self.ceiling = 1.0 if curves.max() <= 1 else np.inf
        self.fit = fit_learning_curve(n, curves.mean(axis=1), ceiling=None)
        self.n_labels = self._inverse(self.fit)
        self.reached = (curves >= target).any(axis=0)

    def again(self, seeds: NDArray) -> float:
        mean = self.curves[:, seeds].mean(axis=1)
        return self._inverse(refit(self.fit, self.n, mean, self.ceiling))

    def _inverse(self, fit: LearningCurveFit) -> float:
        return max(fit.labels_for(self.target), self.n[0])

    @property
    def note(self) -> str:
        if np.isinf(self.n_labels):
            reached, n_seeds = int(self.reached.sum()), self.reached.size
            seeds = f", {reached} of {n_seeds} seeds did" if reached else ""
            return f"the law fitted to its mean curve does not reach the target{seeds}"
        if self.n_labels > self.n[-1]:
            return f"extrapolated: {self.n[-1]:g} labels were bought"
        return "a bound: reached at the first stage" if self.n_labels <= self.n[0] else ""


def _row(
    name: str, found: dict[str, _Inverted], drawn: dict[str, NDArray], baseline: str, target: float
) -> LabelCost:
    one, base = found[name], found[baseline]
    low, high = _percentiles(drawn[name])
    ratio_low, ratio_high = _percentiles(_ratio(drawn[name], drawn[baseline]))
    return LabelCost(
        name,
        target,
        one.n_labels,
        low,
        high,
        float(_ratio(np.array(one.n_labels), np.array(base.n_labels))),
        ratio_low,
        ratio_high,
        float(one.reached.mean()),
        one.fit,
        one.note,
    )


def _ratio(a: NDArray, b: NDArray) -> NDArray:
    """Of costs; NaN where neither is finite."""
    both = np.isinf(a) & np.isinf(b)
    return np.where(both, np.nan, np.where(both, 1.0, a) / np.where(both, 1.0, b))


def _percentiles(values: NDArray) -> tuple[float, float]:
    """Values that are there, not between two: infinite ones have no mean."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975], method="inverted_cdf")
    return float(low), float(high)
