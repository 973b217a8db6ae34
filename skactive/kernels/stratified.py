"""Stratified sampling over the histogram of a score: bins, quotas, picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows handled at once: the temporaries then stay in the cache and do not grow with the pool.
_BLOCK = 1 << 16
_FLOAT32_MAX = float(np.finfo(np.float32).max)


def bin_indices(scores: ArrayLike, n_bins: int) -> NDArray[np.unsignedinteger]:
    """Find the equal-width histogram bin each score falls in.

    Parameters
    ----------
    scores : array-like of shape (n,), float or int
        Finite scores.
    n_bins : int
        Bins over [min, max], at least 1. The last one is closed, so the largest score is
        in it (the DRE authors' released code leaves it open and never picks that point).

    Returns
    -------
    bins : ndarray of shape (n,), smallest unsigned integer type that fits
        In [0, n_bins), not decreasing in the score; 0 for constant scores.

    Raises
    ------
    ValueError
        If `scores` is empty, not one-dimensional or not finite, or `n_bins` < 1.

    Examples
    --------
    >>> from skactive.kernels.stratified import bin_indices
    >>> bin_indices([0.0, 0.1, 0.5, 1.0], 2)
    array([0, 0, 1, 1], dtype=uint8)
    """
    scores = np.asarray(scores)
    low, high = _finite_range(scores)
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1, got {n_bins}.")
    bins = np.zeros(len(scores), dtype=np.min_scalar_type(n_bins - 1))
    if low == high or n_bins == 1:
        return bins
    # Halved values have a finite range even at ±1.8e308.
    half = 1.0 if np.isfinite(high - low) else 0.5
    fits_float32 = scores.dtype == np.float32 and high - low < _FLOAT32_MAX
    dtype = np.dtype(np.float32 if fits_float32 else np.float64)
    for window in _blocks(len(scores), n_bins):
        position = np.multiply(scores[window], half, dtype=dtype)
        np.subtract(position, half * low, out=position)
        np.divide(position, half * high - half * low, out=position)
        np.multiply(position, n_bins, out=position)
        np.minimum(position, n_bins - 1, out=position)
        bins[window] = position
    return bins


def _finite_range(scores: NDArray) -> tuple[float, float]:
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(
            f"scores must be one-dimensional and not empty, got an array of shape {scores.shape}."
        )
    low, high = float(scores.min()), float(scores.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            f"scores must be finite to be put in bins, got values in [{low}, {high}]. Replace "
            "infinite scores (an adversarial distance without a boundary) by a finite value."
        )
    return low, high


def _blocks(n: int, n_bins: int) -> Iterator[slice]:
    # Many bins: longer blocks, so that the counts per block and bin stay below n / 2 bytes.
    rows = max(_BLOCK, 16 * n_bins)
    return (slice(start, min(start + rows, n)) for start in range(0, n, rows))


def allocate(
    counts: ArrayLike, n: int, method: str = "proportional", *, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Split a sample of n points over bins.

    Parameters
    ----------
    counts : array-like of shape (n_bins,), int
        Points in each bin, lowest scores first.
    n : int
        Sample size, 0 ≤ n ≤ sum of `counts`.
    method : {"proportional", "ceil_tail", "equal"}, default="proportional"
        - ``"proportional"``: unbiased randomised rounding. Cumulate share_b · n, add one
          U(0, 1), floor, take differences: each quota is share_b · n rounded up or down,
          with expectation exactly share_b · n. A share rounded up never exceeds the bin
          (n ≤ total), so no cap interferes and it is unbiased for every n.
        - ``"ceil_tail"``: the rule of DRE's released code. Every share is rounded up, the
          bins are lined up from low to high, and the last n stay: the excess is cut from
          the lowest bins, which leans the sample to high scores.
        - ``"equal"``: coverage-centric selection [2]_. The bins are visited from the
          smallest to the largest; each gives what is left to draw divided by the bins left,
          or all it has. Where that does not divide, the larger bins give one more.
    rng : numpy.random.Generator
        Rounds ``"proportional"``; orders bins of the same size for ``"equal"``.

    Returns
    -------
    quotas : ndarray of shape (n_bins,), int64
        0 ≤ quotas ≤ counts, sum exactly n.

    Raises
    ------
    ValueError
        If `n` is out of range or `method` is unknown.

    References
    ----------
    .. [1] Guo et al., "Robust Active Learning", arXiv:2112.02542, Algorithm 1.
    .. [2] Zheng et al., "Coverage-centric Coreset Selection for High Pruning Rates",
       ICLR 2023, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.stratified import allocate
    >>> allocate([90, 0, 10], 10, rng=np.random.default_rng(0))
    array([9, 0, 1])
    >>> allocate([90, 0, 10], 30, "equal", rng=np.random.default_rng(0))
    array([20,  0, 10])
    """
    # Python integers: cumulated counts times n overflow no pool, and rounding is exact.
    counts = np.array([int(count) for count in np.asarray(counts)], dtype=object)
    total = int(counts.sum())
    if not 0 <= n <= total:
        raise ValueError(f"n must be between 0 and the number of points {total}, got {n}.")
    if method not in _ALLOCATIONS:
        raise ValueError(f"method must be one of {sorted(_ALLOCATIONS)}, got {method!r}.")
    if n == 0:
        return np.zeros(len(counts), dtype=np.int64)
    return _ALLOCATIONS[method](counts, int(n), total, rng).astype(np.int64)


def _proportional(counts: NDArray, n: int, total: int, rng: np.random.Generator) -> NDArray:
    # U on the grid {0, 1/total, …}: the shares live on it too, so the expectation is exact.
    offset = int(rng.integers(total))
    steps = (np.cumsum(counts) * n + offset) // total
    return np.diff(steps, prepend=0)


def _ceil_tail(counts: NDArray, n: int, total: int, rng: np.random.Generator) -> NDArray:
    quotas = -(-counts * n // total)
    drawn_from_here_up = np.cumsum(quotas[::-1])[::-1]
    excess = np.maximum(drawn_from_here_up - n, 0)
    return np.maximum(quotas - excess, 0)


def _equal(counts: NDArray, n: int, total: int, rng: np.random.Generator) -> NDArray:
    quotas = np.zeros_like(counts)
    order = np.lexsort((rng.permutation(len(counts)), counts.astype(float)))
    for bins_left, b in zip(range(len(order), 0, -1), order, strict=True):
        quotas[b] = min(counts[b], n // bins_left)
        n -= quotas[b]
    return quotas


_Allocation = Callable[[NDArray, int, int, np.random.Generator], NDArray]
_ALLOCATIONS: dict[str, _Allocation] = {
    "proportional": _proportional,
    "ceil_tail": _ceil_tail,
    "equal": _equal,
}


def stratified_sample(
    scores: ArrayLike,
    n: int,
    n_bins: int = 50,
    method: str = "proportional",
    *,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw n points at random from the bins of their scores' histogram (DRE, Algorithm 1).

    Parameters
    ----------
    scores : array-like of shape (n_points,), float or int
        Finite scores, e.g. entropies in nats.
    n : int
        Sample size, 0 ≤ n ≤ n_points.
    n_bins : int, default=50
        Equal-width bins over the range of `scores`; the paper's 50.
    method : {"proportional", "ceil_tail", "equal"}, default="proportional"
        How n is split over the bins, see `allocate`.
    rng : numpy.random.Generator
        Rounds the quotas and draws within the bins, uniformly without replacement.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Distinct positions in `scores`, grouped by bin, lowest bin first.

    Raises
    ------
    ValueError
        If `scores` is not finite, `n` is out of range, `n_bins` < 1 or `method` unknown.

    Notes
    -----
    One byte per point beyond the scores (for up to 256 bins). The draw is made among ranks
    within a bin, so the same seed gives the same points however the pool is blocked.

    References
    ----------
    .. [1] Guo et al., "Robust Active Learning", arXiv:2112.02542, Algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.stratified import stratified_sample
    >>> scores = np.linspace(0, 1, 1000) ** 2
    >>> picks = stratified_sample(scores, 100, 10, rng=np.random.default_rng(0))
    >>> len(set(picks.tolist()))
    100
    """
    bins = bin_indices(scores, n_bins)
    block_counts = np.array(
        [np.bincount(bins[window], minlength=n_bins) for window in _blocks(len(bins), n_bins)]
    )
    counts = block_counts.sum(axis=0)
    quotas = allocate(counts, n, method, rng=rng)
    asked = np.flatnonzero(quotas)
    ranks = [rng.choice(counts[b], quotas[b], replace=False, shuffle=False) for b in asked]
    if not ranks:
        return np.empty(0, dtype=np.intp)
    return _locate(bins, block_counts, asked, ranks)


def _locate(
    bins: NDArray, block_counts: NDArray, asked: NDArray[np.intp], ranks: list[NDArray]
) -> NDArray[np.intp]:
    """Position of the r-th member of each asked bin, for the ranks r asked of it."""
    last = np.cumsum(block_counts, axis=0)
    bin_of = np.repeat(asked, [len(r) for r in ranks])
    block_of = np.concatenate(
        [np.searchsorted(last[:, b], r, side="right") for b, r in zip(asked, ranks, strict=True)]
    )
    before = last[block_of, bin_of] - block_counts[block_of, bin_of]
    rank = np.concatenate(ranks) - before
    indices = np.empty(len(rank), dtype=np.intp)
    by_block = np.argsort(block_of, kind="stable")
    ends = np.searchsorted(block_of[by_block], np.arange(len(block_counts) + 1))
    for block, window in enumerate(_blocks(len(bins), block_counts.shape[1])):
        wanted = by_block[ends[block] : ends[block + 1]]
        if len(wanted):
            grouped = np.argsort(bins[window], kind="stable")  # a radix sort up to 16 bits
            starts = np.cumsum(block_counts[block]) - block_counts[block]
            indices[wanted] = window.start + grouped[starts[bin_of[wanted]] + rank[wanted]]
    return indices
