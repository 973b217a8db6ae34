"""The exact signed-rank test, its effect size, and the correction for several tests."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

SIDES = {"two-sided": 2, "greater": 1, "less": 1}


def signed_rank(d: NDArray, alternative: str) -> tuple[float, float]:
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


def rank_biserial(d: NDArray) -> float:
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

    Raises
    ------
    ValueError
        If there is one outside [0, 1].

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
    if p.ndim != 1 or (p < 0).any() or (p > 1).any():
        raise ValueError(f"pvalues must be 1-d and lie in [0, 1], or be NaN, got {pvalues!r}.")
    corrected = np.full(p.shape, np.nan)
    tested = np.flatnonzero(np.isfinite(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return corrected
