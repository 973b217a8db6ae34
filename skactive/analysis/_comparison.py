"""Strategies against a baseline, paired by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..utils.drawing import NEUTRAL, PALETTE
from ..utils.reports import Report
from ..utils.validation import Number, StrOptions, check_constraints
from ._intervals import bootstrap_mean, student_mean
from ._rounding import as_floats, is_constant, noise
from ._signed_rank import SIDES, holm, rank_biserial, signed_rank

_CONSTRAINTS = {
    "alpha": [Number("a level in (0, 1)", 0, 1)],
    "alternative": [StrOptions(set(SIDES))],
    "interval": [StrOptions({"t", "bootstrap"})],
    "tolerance": [Number("a number >= 0", 0, closed="left"), None],
}


@dataclass(frozen=True)
class Comparison:
    """One strategy against the baseline; see `compare_strategies`.

    Attributes
    ----------
    strategy, baseline : str
    n_pairs : int
    mean_difference : float
        Strategy minus baseline.
    low, high : float
        95 % confidence interval of it; NaN with one pair.
    statistic, pvalue : float
        Wilcoxon signed-rank test, exact also with ties; NaN where `note` says why not.
    pvalue_holm : float
        Corrected for all comparisons that were tested.
    effect_size : float
        Matched-pairs rank-biserial correlation, in [-1, 1]: positive where the strategy wins.
    cohen_dz : float
        Mean difference in standard deviations of the differences; NaN where they have none.
    note : str
        Why there is no p-value, or what it cannot show; empty otherwise.

    Examples
    --------
    >>> from skactive.analysis import compare_strategies
    >>> scores = {"random": [50, 52, 49, 55, 51, 53], "dre": [51, 54, 52, 59, 56, 59]}
    >>> found = compare_strategies(scores)[0]
    >>> found.strategy, found.n_pairs, found.mean_difference, found.effect_size
    ('dre', 6, 3.5, 1.0)
    >>> found.pvalue  # 2 of the 2^6 signs are as extreme
    0.03125
    >>> round(found.low, 2), round(found.high, 2)
    (1.54, 5.46)
    """

    strategy: str
    baseline: str
    n_pairs: int
    mean_difference: float
    low: float
    high: float
    statistic: float
    pvalue: float
    pvalue_holm: float
    effect_size: float
    cohen_dz: float
    note: str


@dataclass(frozen=True, repr=False)
class ComparisonReport(Report):
    """What `compare_strategies` found: a sequence of `Comparison`.

    Attributes
    ----------
    rows : list of Comparison
        In the order of the scores, the baseline left out.
    baseline : str
    percent : bool, default=False
        Whether scores are shares, which the table shows as percent.

    Examples
    --------
    >>> from skactive.analysis import compare_strategies
    >>> scores = {"random": [50, 52, 49, 55, 51, 53], "dre": [51, 54, 52, 59, 56, 59],
    ...           "entropy": [49, 54, 46, 59, 46, 59]}
    >>> report = compare_strategies(scores)
    >>> print(report.table)
    | strategy - random | pairs | difference | 95 % interval | effect size | p | p (Holm) |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: |
    | dre | 6 | +3.5 | +1.537 to +5.463 | +1.00 | 0.0312 | 0.0625 |
    | entropy | 6 | +0.5 | -3.94 to +4.94 | +0.14 | 0.8438 | 0.8438 |
    >>> [row.strategy for row in report if row.pvalue_holm < 0.1]
    ['dre']
    """

    rows: list[Comparison]
    baseline: str = "random"
    percent: bool = False

    @property
    def notes(self) -> list[str]:  # type: ignore[override]
        """What tests could not show."""
        return list(dict.fromkeys(f"{row.note}." for row in self.rows if row.note))

    def _draw(self, ax: Any) -> None:
        scale = 100 if self.percent else 1
        means = [scale * row.mean_difference for row in self.rows]
        sides = [(row.mean_difference - row.low, row.high - row.mean_difference)
                 for row in self.rows]  # fmt: skip
        names = [row.strategy for row in self.rows]
        xerr = scale * np.maximum(sides, 0).T  # a bootstrap's low is above by a rounding error
        ax.errorbar(means, names, xerr=xerr, fmt="o", color=PALETTE[0], capsize=3)
        ax.axvline(0, color=NEUTRAL, linewidth=1, linestyle="--")
        ax.margins(y=0.15)
        ax.invert_yaxis()  # the first strategy on top, as in the table
        ax.set_xlabel(f"Difference to {self.baseline}{' (points)' if self.percent else ''}")

    def cells(self) -> tuple[list[str], list[list[str]]]:
        scale, form, unit = (100, "+.2f", " (points)") if self.percent else (1, "+.4g", "")

        def signed(value: float) -> str:
            return format(scale * value, form)

        head = [f"strategy - {self.baseline}", "pairs", f"difference{unit}", "95 % interval",
                "effect size", "p", "p (Holm)"]  # fmt: skip
        return head, [
            [r.strategy, str(r.n_pairs), signed(r.mean_difference),
             f"{signed(r.low)} to {signed(r.high)}" if r.n_pairs > 1 else "–",
             f"{r.effect_size:+.2f}", _p(r.pvalue), _p(r.pvalue_holm)]
            for r in self.rows
        ]  # fmt: skip


def _p(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.4f}"


def compare_strategies(
    scores: Mapping[str, ArrayLike],
    baseline: str = "random",
    *,
    alternative: str = "two-sided",
    alpha: float = 0.05,
    tolerance: float | None = None,
    interval: str = "t",
) -> ComparisonReport:
    """Exact Wilcoxon signed-rank tests of strategies against a baseline, paired by seed.

    Parameters
    ----------
    scores : mapping of str to array-like of shape (n_pairs,)
        One score for each pair (a seed, or a data set and a seed), in the same order for all
        strategies; NaN where a run is missing. One number a run: the robustness of the last
        stage, say, or the area under the budget curve. Stages of one run are no pairs: they
        would repeat one run as if it were many.
    baseline : str, default="random"
    alternative : {"two-sided", "greater", "less"}, default="two-sided"
        ``"greater"``: the strategy scores higher than the baseline.
    alpha : float in (0, 1), default=0.05
        With so few pairs that not even a unanimous result could be significant at this level,
        no p-value is given; where none could survive the correction, `note` says so.
    tolerance : float or None, default=None
        Differences no further from 0 than this are zeros, and those no further from the smallest
        of a group (in magnitude) are its ties: ``.55 - .53`` and ``.57 - .55`` are the same
        difference, but not the same float. Only the test knows of ties, with its effect size;
        means and intervals are those of the differences. ``None`` is 1e-12 of the largest score
        (2e-6 for float32). Of scores that were rounded pass half of the last digit's unit at
        most, such as 5e-5 for percentages with two digits, as shares: a whole one joins
        differences that are a unit apart.
    interval : {"t", "bootstrap"}, default="t"
        Of the mean difference: Student's, or percentiles of the means of 10,000 resamples of the
        pairs, drawn with a fixed seed, which needs no normal law but more pairs: with few it is
        too narrow.

    Returns
    -------
    comparisons : ComparisonReport
        A sequence of `Comparison`, in the order of `scores`, the baseline left out. p-values are
        corrected by Holm's method over all that could be tested.

    Raises
    ------
    ValueError
        If the baseline is missing, the lengths differ, a score is infinite, `alternative` is
        unknown, `alpha` is no level, or `tolerance` is negative.

    Notes
    -----
    The p-value is that of the permutation law, for any number of pairs: every sign of every
    difference that is not zero equally likely, tied magnitudes sharing their mean rank. Without
    ties it is the classical exact test; no normal approximation is ever used. Zeros are left out
    before ranking (Wilcoxon's rule).

    References
    ----------
    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1945; for ties,
    Pratt & Gibbons, "Concepts of nonparametric theory", 1981, chapter 3.

    Examples
    --------
    >>> from skactive.analysis import compare_strategies
    >>> scores = {"random": [.50, .52, .49, .55, .51, .53], "dre": [.51, .55, .54, .57, .58, .56]}
    >>> (result,) = compare_strategies(scores)
    >>> result.pvalue, result.effect_size
    (0.03125, 1.0)
    >>> compare_strategies({"random": [.5, .6], "dre": [.6, .7]})[0].note
    'no test: 2 pairs, at least 6 are needed for p < 0.05'
    """
    check_baseline(baseline, scores)
    given = {"alternative": alternative, "alpha": alpha, "tolerance": tolerance,
             "interval": interval}  # fmt: skip
    check_constraints(_CONSTRAINTS, given, "compare_strategies")
    arrays = {name: as_floats(values) for name, values in scores.items()}
    _check_pairs(arrays)
    base = arrays.pop(baseline)
    pairs = {name: _paired(array, base, tolerance) for name, array in arrays.items()}
    found = [
        _compare(name, baseline, *pair, alternative, alpha, interval)
        for name, pair in pairs.items()
    ]
    corrected = holm([row.pvalue for row in found])
    reach = [_reach(tied, corrected, alternative, alpha) for _, tied in pairs.values()]
    rows = [
        replace(row, pvalue_holm=float(p), note=row.note or note)
        for row, p, note in zip(found, corrected, reach, strict=True)
    ]
    return ComparisonReport(rows, baseline)


def check_baseline(baseline: str, scores: Mapping[str, Any]) -> None:
    """Raise a ValueError unless the baseline has scores."""
    if baseline not in scores:
        names = ", ".join(map(str, scores)) or "none"
        raise ValueError(f"baseline {baseline!r} has no scores; there are {names}.")


def _check_pairs(arrays: Mapping[str, NDArray]) -> None:
    shapes = {name: array.shape for name, array in arrays.items()}
    if set(shapes.values()) != {(next(iter(arrays.values())).size,)}:
        raise ValueError(f"scores must be 1-d and equally long, got shapes {shapes}.")
    infinite = [name for name, array in arrays.items() if np.isinf(array).any()]
    if infinite:
        raise ValueError(
            f"scores of {' and '.join(infinite)} hold infinite values, which have no differences. "
            "Pass NaN where a run has no score: its pair is then left out."
        )


def _paired(scores: NDArray, base: NDArray, tolerance: float | None) -> tuple[NDArray, NDArray]:
    """Differences without rounding errors, for means; the same with ties, for ranks."""
    differences = scores.astype(float) - base.astype(float)
    d, rounding = differences[np.isfinite(differences)], noise(scores, base)
    apart = rounding if tolerance is None else tolerance
    return _settled(d, min(rounding, apart)), _settled(d, apart)


def _settled(d: NDArray, tolerance: float) -> NDArray:
    """Magnitudes no further than the tolerance from the first of a group made equal to it.

    The first group begins at 0. Groups, not a grid: on none do equal numbers fall on two sides of
    an edge; and none is wider than the tolerance, however close its members stand.
    """
    order = np.argsort(np.abs(d), kind="stable")
    magnitudes = np.append(0.0, np.abs(d)[order])
    start = 0
    while start < len(magnitudes):
        end = np.searchsorted(magnitudes, magnitudes[start] + tolerance, side="right")
        magnitudes[start:end] = magnitudes[start]
        start = int(end)
    joined = np.empty_like(d)
    joined[order] = magnitudes[1:]
    return np.copysign(joined, d)


def _reach(d: NDArray, corrected: NDArray, alternative: str, alpha: float) -> str:
    """Say so where not even a unanimous result would survive the correction."""
    n_pairs, n_different = len(d), int(np.count_nonzero(d))
    n_tests = int(np.isfinite(corrected).sum())
    smallest = n_tests * SIDES[alternative] * 0.5**n_different
    if smallest <= alpha:
        return ""
    differ = "" if n_different == n_pairs else f", {n_different} of which differ,"
    return (
        f"{n_pairs} pairs{differ} cannot show p < {alpha:g} after correction for {n_tests} tests: "
        f"the smallest possible is {min(smallest, 1):.2g}"
    )


def _compare(
    name: str, baseline: str, d: NDArray, tied: NDArray, alternative: str, alpha: float,
    interval: str,
) -> Comparison:  # fmt: skip
    n, nan = len(d), float("nan")
    mean = float(d.mean()) if n else nan
    spread = nan if n < 2 else 0.0 if is_constant(d) else float(d.std(ddof=1))
    low, high = bootstrap_mean(d) if interval == "bootstrap" else student_mean(mean, spread, n)
    statistic, p, note = _wilcoxon(tied, alternative, alpha)
    return Comparison(
        name,
        baseline,
        n_pairs=n,
        mean_difference=mean,
        low=low,
        high=high,
        statistic=statistic,
        pvalue=p,
        pvalue_holm=nan,
        effect_size=rank_biserial(tied),
        cohen_dz=mean / spread if n > 1 and spread > 0 else nan,
        note=note,
    )


def _wilcoxon(d: NDArray, alternative: str, alpha: float) -> tuple[float, float, str]:
    nan = float("nan")
    needed = int(np.floor(np.log2(SIDES[alternative] / alpha))) + 1  # the smallest p: sides / 2^n
    if len(d) < needed:
        pairs = "1 pair" if len(d) == 1 else f"{len(d)} pairs"
        return nan, nan, f"no test: {pairs}, at least {needed} are needed for p < {alpha:g}"
    if not d.any():
        return nan, nan, "no test: all pairs are equal"
    return *signed_rank(d[d != 0], alternative), ""
