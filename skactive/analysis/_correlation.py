"""Whether a selection that is biased goes with less robustness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from ._rounding import as_floats, is_constant


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

    Examples
    --------
    Two stages; at the second one the last strategy has no value:

    >>> from skactive.analysis import bias_robustness_correlation
    >>> bias = [[0, 1, 2, 3], [0, 1, 2, float("nan")]]
    >>> found = bias_robustness_correlation(bias, [[3, 1, 2, 0], [3, 2, 1, 0]])
    >>> found.statistic.round(3).tolist(), found.n.tolist()
    ([-0.8, -1.0], [4, 3])
    >>> found.low.round(1).tolist(), found.high.round(1).tolist()
    ([-1.0, nan], [0.7, nan])
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
    x, y = np.atleast_2d(as_floats(bias)), np.atleast_2d(as_floats(robustness))
    if x.shape != y.shape or x.ndim != 2:
        raise ValueError(
            "bias and robustness must have the same shape, (n_stages, n_strategies) or "
            f"(n_strategies,); got {np.shape(bias)} and {np.shape(robustness)}."
        )
    rows = [_pearson(*pair) for pair in zip(x, y, strict=True)]
    r, p, low, high, n = (np.array(column) for column in zip(*rows, strict=True))
    return CorrelationResult(r, p, low, high, n)


def _pearson(x: NDArray, y: NDArray) -> tuple[float, float, float, float, int]:
    both = np.isfinite(x) & np.isfinite(y)
    x, y, n = x[both], y[both], int(both.sum())
    nan = float("nan")
    if n < 3 or is_constant(x) or is_constant(y):
        return nan, nan, nan, nan, n
    result = stats.pearsonr(x.astype(float), y.astype(float))
    low, high = result.confidence_interval(0.95) if n > 3 else (nan, nan)
    return float(result.statistic), float(result.pvalue), float(low), float(high), n
