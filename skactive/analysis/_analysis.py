"""Selection bias, its correlation with robustness, and paired tests between strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.integrate import trapezoid
from scipy.spatial.distance import jensenshannon

from ..kernels.uncertainty import CHARACTERISTICS

_CLASS = "class"
_SIDES = {"two-sided": 2, "greater": 1, "less": 1}
_NOISE = 1e-12  # of the largest number: what sums of a few floats differ by is less


def selection_bias(
    proba: ArrayLike,
    picked: ArrayLike,
    y: ArrayLike | None = None,
    *,
    characteristics: Sequence[str] | Mapping[str, Callable[[NDArray], NDArray]] | None = None,
    n_bins: int = 50,
) -> dict[str, float]:
    """How far a selection's distribution is from the pool's, for several characteristics.

    The Jensen–Shannon divergence, base 2, between two histograms over the pool's range: that of
    the selected samples and that of the whole pool, the selected ones included. 0 is a
    representative selection, 1 one that shares no bin with the pool.

    Parameters
    ----------
    proba : array-like of shape (n_pool, n_classes)
        Class probabilities of the pool, as they were when the selection was made.
    picked : array-like of int or bool
        Positions of the selected samples in the pool, or a mask.
    y : array-like of shape (n_pool,) or None, default=None
        True classes of the pool, for the characteristic ``"class"`` (one bin a class).
    characteristics : sequence of str, mapping of str to callable, or None, default=None
        Any of ``"entropy"``, ``"gini"``, ``"least_confidence"``, ``"margin"``, ``"class"``, or
        functions of `proba` by name. ``None``: the first four, and ``"class"`` if `y` is given.
    n_bins : int, default=50
        Bins of equal width over the pool's range.

    Returns
    -------
    bias : dict of str to float
        In [0, 1].

    Raises
    ------
    ValueError
        If nothing is picked, a position is out of range or repeated, a characteristic is
        unknown or not finite, or ``"class"`` is asked for without `y`.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, equation 12.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.analysis import selection_bias
    >>> p = np.linspace(0.5, 1, 200)
    >>> proba = np.column_stack([p, 1 - p])
    >>> selection_bias(proba, range(200), characteristics=["entropy"])
    {'entropy': 0.0}
    >>> round(selection_bias(proba, range(20), characteristics=["entropy"])["entropy"], 2)
    0.65
    """
    proba = _as_floats(proba)
    precision, proba = proba.dtype, proba.astype(float)
    if proba.ndim != 2 or len(proba) == 0:
        raise ValueError(f"proba must have shape (n_pool, n_classes), got {proba.shape}.")
    rows = _positions(picked, len(proba))
    if characteristics is None:
        characteristics = [*CHARACTERISTICS, *([_CLASS] if y is not None else [])]
    bias = {}
    for name in characteristics:
        if name == _CLASS and not isinstance(characteristics, Mapping):
            bias[name] = _class_bias(y, rows, len(proba))
            continue
        function = characteristics[name] if isinstance(characteristics, Mapping) else _known(name)
        values = np.asarray(function(proba))
        _check_values(name, values, len(proba))
        # One bin for what is constant: fifty of them would show rounding errors.
        settled = _is_constant(values.astype(precision))
        bias[name] = 0.0 if settled else _histogram_bias(values, rows, n_bins)
    return bias


def _positions(picked: ArrayLike, n_pool: int) -> NDArray[np.intp]:
    rows = np.asarray(picked)
    if rows.dtype == bool:
        if rows.shape != (n_pool,):
            raise ValueError(f"The mask picked must have shape ({n_pool},), got {rows.shape}.")
        rows = np.flatnonzero(rows)
    if rows.size == 0:
        raise ValueError("picked is empty: a selection of nothing has no distribution.")
    rows = rows.astype(np.intp)
    if rows.min() < 0 or rows.max() >= n_pool or len(np.unique(rows)) != len(rows):
        raise ValueError(f"picked must hold distinct positions in [0, {n_pool}).")
    return rows


def _known(name: str) -> Callable[[NDArray], NDArray]:
    if name not in CHARACTERISTICS:
        raise ValueError(
            f"There is no characteristic {name!r}; there are {', '.join(CHARACTERISTICS)} and "
            f"{_CLASS}. Others can be passed as a mapping of names to functions of proba."
        )
    return CHARACTERISTICS[name]


def _class_bias(y: ArrayLike | None, rows: NDArray, n_pool: int) -> float:
    if y is None:
        raise ValueError("The bias in the class needs y, the true classes of the pool.")
    _, codes = np.unique(np.asarray(y), return_inverse=True)
    if codes.shape != (n_pool,):
        raise ValueError(f"y must have shape ({n_pool},), got {codes.shape}.")
    whole = np.bincount(codes)
    return _divergence(np.bincount(codes[rows], minlength=len(whole)), whole)


def _check_values(name: str, values: NDArray, n_pool: int) -> None:
    if values.shape != (n_pool,) or not np.isfinite(values).all():
        raise ValueError(f"{name} must give one finite number for each of the {n_pool} samples.")


def _histogram_bias(values: NDArray, rows: NDArray, n_bins: int) -> float:
    edges = np.histogram_bin_edges(values, n_bins)
    whole, _ = np.histogram(values, edges)
    selected, _ = np.histogram(values[rows], edges)
    return _divergence(selected, whole)


def _noise(*arrays: NDArray) -> float:
    """By how much equal numbers, computed in two ways, may differ in these arrays' precision."""
    eps = max(float(np.finfo(a.dtype).eps) if a.dtype.kind == "f" else 0.0 for a in arrays)
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays]
    return max(_NOISE, 16 * eps) * float(max(sizes))


def _is_constant(values: NDArray) -> bool:
    return bool(np.ptp(values) <= _noise(values))


def _divergence(selected: NDArray, whole: NDArray) -> float:
    """Jensen–Shannon divergence of two histograms; scipy returns its square root."""
    distance = float(jensenshannon(selected, whole, base=2))
    return 0.0 if np.isnan(distance) else min(distance**2, 1.0)


@dataclass(frozen=True)
class CorrelationResult:
    """What `bias_robustness_correlation` returns; arrays have one entry a stage.

    Attributes
    ----------
    statistic : ndarray of shape (n_stages,)
        Pearson's r; NaN with fewer than three strategies or where either is constant (up to
        rounding errors).
    pvalue : ndarray of shape (n_stages,)
    low, high : ndarray of shape (n_stages,)
        95 % confidence interval (Fisher); NaN with fewer than four strategies.
    n : ndarray of shape (n_stages,)
        Strategies that have both numbers.
    """

    statistic: NDArray
    pvalue: NDArray
    low: NDArray
    high: NDArray
    n: NDArray


def bias_robustness_correlation(bias: ArrayLike, robustness: ArrayLike) -> CorrelationResult:
    """Pearson correlation, over strategies, of selection bias and the robustness reached.

    Parameters
    ----------
    bias, robustness : array-like of shape (n_stages, n_strategies) or (n_strategies,)
        NaN where a strategy has no value: it is left out of that stage.

    Returns
    -------
    result : CorrelationResult

    Raises
    ------
    ValueError
        If the shapes differ.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, equation 13.

    Examples
    --------
    >>> from skactive.analysis import bias_robustness_correlation
    >>> r = bias_robustness_correlation([.1, .2, .5, .9], [.6, .5, .3, .2])
    >>> r.statistic.round(2), r.n
    (array([-0.97]), array([4]))
    """
    x, y = np.atleast_2d(_as_floats(bias)), np.atleast_2d(_as_floats(robustness))
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(
            "bias and robustness must have the same shape, (n_stages, n_strategies) or "
            f"(n_strategies,); got {np.shape(bias)} and {np.shape(robustness)}."
        )
    rows = [_pearson(*pair) for pair in zip(x, y, strict=True)]
    r, p, low, high, n = (np.array(column) for column in zip(*rows, strict=True))
    return CorrelationResult(r, p, low, high, n)


def _as_floats(values: ArrayLike) -> NDArray:
    """As an array of floats in the precision they have."""
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(float)


def _pearson(x: NDArray, y: NDArray) -> tuple[float, float, float, float, int]:
    both = np.isfinite(x) & np.isfinite(y)
    x, y, n = x[both], y[both], int(both.sum())
    nan = float("nan")
    if n < 3 or _is_constant(x) or _is_constant(y):
        return nan, nan, nan, nan, n
    result = stats.pearsonr(x.astype(float), y.astype(float))
    low, high = result.confidence_interval(0.95) if n > 3 else (nan, nan)
    return float(result.statistic), float(result.pvalue), float(low), float(high), n


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
        95 % confidence interval of it (Student's t over the pairs); NaN with one pair.
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


def compare_strategies(
    scores: Mapping[str, ArrayLike],
    baseline: str = "random",
    *,
    alternative: str = "two-sided",
    alpha: float = 0.05,
    tolerance: float | None = None,
) -> list[Comparison]:
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
    alpha : float, default=0.05
        With so few pairs that not even a unanimous result could be significant at this level,
        no p-value is given; where none could survive the correction, `note` says so.
    tolerance : float or None, default=None
        Differences no further apart than this are ties, and those no further from 0 are zeros:
        ``.55 - .53`` and ``.57 - .55`` are the same difference, but not the same float. ``None``
        is 1e-12 of the largest score (2e-6 for float32). Pass the last digit's unit for scores
        that were rounded, such as 1e-4 for percentages with two digits, as shares.

    Returns
    -------
    comparisons : list of Comparison
        In the order of `scores`, the baseline left out. p-values are corrected by Holm's method
        over all that could be tested.

    Raises
    ------
    ValueError
        If the baseline is missing, the lengths differ, `alternative` is unknown, or `tolerance`
        is negative.

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
    if baseline not in scores:
        raise ValueError(f"baseline {baseline!r} has no scores; there are {', '.join(scores)}.")
    _check_options(alternative, tolerance)
    arrays = {name: _as_floats(values) for name, values in scores.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1 or arrays[baseline].ndim != 1:
        raise ValueError(f"scores must be 1-d and equally long, got shapes {shapes}.")
    base, found = arrays[baseline], []
    for name, array in arrays.items():
        if name != baseline:
            noise = _noise(array, base) if tolerance is None else tolerance
            d = _settled(array.astype(float) - base.astype(float), noise)
            found.append(_compare(name, baseline, d, alternative, alpha))
    corrected = holm([row["pvalue"] for row in found])
    for row in found:
        n_different = int(row.pop("n_different"))
        row["note"] = row["note"] or _reach(
            row["n_pairs"], n_different, corrected, alternative, alpha
        )
    return [
        Comparison(**row, pvalue_holm=float(p)) for row, p in zip(found, corrected, strict=True)
    ]


def _check_options(alternative: str, tolerance: float | None) -> None:
    if alternative not in _SIDES:
        raise ValueError(f"alternative must be one of {list(_SIDES)}, got {alternative!r}.")
    if tolerance is not None and not tolerance >= 0:
        raise ValueError(f"tolerance must be >= 0 or None, got {tolerance!r}.")


def _settled(differences: NDArray, tolerance: float) -> NDArray:
    """The finite ones; magnitudes that the tolerance joins made equal, those near 0 made 0.

    Neighbours are joined, not rounded: on no grid do equal numbers fall on two sides of an edge.
    """
    d = differences[np.isfinite(differences)]
    order = np.argsort(np.abs(d), kind="stable")
    magnitudes = np.append(0.0, np.abs(d)[order])
    starts = np.diff(magnitudes, prepend=-np.inf) > tolerance
    joined = np.empty_like(d)
    joined[order] = magnitudes[starts][np.cumsum(starts) - 1][1:]
    return np.copysign(joined, d)


def _reach(
    n_pairs: int, n_different: int, corrected: NDArray, alternative: str, alpha: float
) -> str:
    """Say so where not even a unanimous result would survive the correction."""
    n_tests = int(np.isfinite(corrected).sum())
    smallest = n_tests * _SIDES[alternative] * 0.5**n_different
    if smallest <= alpha:
        return ""
    differ = "" if n_different == n_pairs else f", {n_different} of which differ,"
    return (
        f"{n_pairs} pairs{differ} cannot show p < {alpha:g} after correction for {n_tests} tests: "
        f"the smallest possible is {min(smallest, 1):.2g}"
    )


def _compare(name: str, baseline: str, d: NDArray, alternative: str, alpha: float) -> dict:
    n, nan = len(d), float("nan")
    mean = float(d.mean()) if n else nan
    spread = nan if n < 2 else 0.0 if _is_constant(d) else float(d.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * spread / np.sqrt(n) if n > 1 else nan
    statistic, p, note = _wilcoxon(d, alternative, alpha)
    return {
        "strategy": name,
        "baseline": baseline,
        "n_pairs": n,
        "n_different": np.count_nonzero(d),
        "mean_difference": mean,
        "low": float(mean - half),
        "high": float(mean + half),
        "statistic": statistic,
        "pvalue": p,
        "effect_size": _rank_biserial(d),
        "cohen_dz": mean / spread if n > 1 and spread > 0 else nan,
        "note": note,
    }


def _wilcoxon(d: NDArray, alternative: str, alpha: float) -> tuple[float, float, str]:
    nan = float("nan")
    needed = int(np.floor(np.log2(_SIDES[alternative] / alpha))) + 1  # the smallest p: sides / 2^n
    if len(d) < needed:
        pairs = "1 pair" if len(d) == 1 else f"{len(d)} pairs"
        return nan, nan, f"no test: {pairs}, at least {needed} are needed for p < {alpha:g}"
    if not d.any():
        return nan, nan, "no test: all pairs are equal"
    return *_signed_rank(d[d != 0], alternative), ""


def _signed_rank(d: NDArray, alternative: str) -> tuple[float, float]:
    """Statistic and exact p-value of differences without zeros; ties share their mean rank.

    SciPy has the exact law without ties only, and with them all 2^n signs or an approximation.
    """
    ranks = np.rint(2 * stats.rankdata(np.abs(d))).astype(int)  # doubled: mean ranks are halves
    won, total = int(ranks[d > 0].sum()), int(ranks.sum())
    law = np.zeros(total + 1)  # of the sum of the ranks that are won
    law[0] = 1.0
    for rank in ranks:
        law[rank:] += law[:-rank].copy()
        law /= 2
    less, greater = float(law[: won + 1].sum()), float(law[won:].sum())
    p = {"less": less, "greater": greater, "two-sided": 2 * min(less, greater)}[alternative]
    statistic = won if alternative != "two-sided" else min(won, total - won)
    return statistic / 2, min(p, 1.0)


def _rank_biserial(d: NDArray) -> float:
    """(sum of ranks of wins - of losses) / sum of all ranks; zero differences left out."""
    d = d[d != 0]
    if len(d) == 0:
        return 0.0
    ranks = stats.rankdata(np.abs(d))
    return float((ranks * np.sign(d)).sum() / ranks.sum())


def holm(pvalues: ArrayLike) -> NDArray:
    """Holm's step-down correction for several tests; NaN entries are no tests and stay NaN.

    Parameters
    ----------
    pvalues : array-like of shape (n_tests,)

    Returns
    -------
    corrected : ndarray of shape (n_tests,)

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Examples
    --------
    >>> from skactive.analysis import holm
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(pvalues, dtype=float)
    corrected = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected


def area_under_budget_curve(n_labels: ArrayLike, scores: ArrayLike) -> float:
    """Mean height of a learning curve over its budget: trapezoids, divided by the width.

    Parameters
    ----------
    n_labels : array-like of shape (n_stages,)
        Labels bought, increasing.
    scores : array-like of shape (n_stages,)

    Returns
    -------
    area : float
        In the units of `scores`; the score itself for a single stage.

    Raises
    ------
    ValueError
        If the lengths differ, or `n_labels` does not increase.

    Examples
    --------
    >>> from skactive.analysis import area_under_budget_curve
    >>> area_under_budget_curve([100, 200, 400], [0.5, 0.7, 0.9])
    0.7333333333333333
    """
    x, y = np.asarray(n_labels, dtype=float), np.asarray(scores, dtype=float)
    if x.shape != y.shape or x.ndim != 1 or len(x) == 0 or (np.diff(x) <= 0).any():
        raise ValueError("n_labels and scores must be 1-d, equally long, n_labels increasing.")
    return float(y[0]) if len(x) == 1 else float(trapezoid(y, x) / (x[-1] - x[0]))
