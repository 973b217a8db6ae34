"""Stratified sampling over the histogram of a score: bins, quotas, picks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Rows handled at once: the temporaries then stay in the cache and do not grow with the pool.
_BLOCK = 1 << 16
# Rows drawn from the pool per pick: enough to serve all but the rare bins.
_OVERDRAW = 4
_FLOAT32_MAX = float(np.finfo(np.float32).max)
# Makes ordinary numbers of subnormal ones, of which not even a half need exist.
_SUBNORMALS = 2.0**100


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
    bins : ndarray of shape (n,), smallest unsigned integer type that holds n_bins
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
    return Binning(*_finite_range(scores), n_bins, scores.dtype).bins_of(scores)


@dataclass(frozen=True)
class Binning:
    """Equal-width bins over a range.

    Attributes
    ----------
    low, high : float
        Smallest and largest score of all, finite.
    n_bins : int
        At least 1.
    dtype : numpy dtype
        Of the scores.
    """

    low: float
    high: float
    n_bins: int
    dtype: np.dtype

    def __post_init__(self) -> None:
        if self.n_bins < 1:
            raise ValueError(f"n_bins must be at least 1, got {self.n_bins}.")

    def bins_of(self, scores: NDArray) -> NDArray[np.unsignedinteger]:
        """The bin of each score, all or some of those in the range."""
        low, high, n_bins = self.low, self.high, self.n_bins
        bins = np.zeros(len(scores), dtype=np.min_scalar_type(n_bins))
        if low == high or n_bins == 1:
            return bins
        fits_float32 = self.dtype == np.float32 and high - low < _FLOAT32_MAX
        dtype = np.float32 if fits_float32 else np.float64
        width = high - low
        with np.errstate(over="ignore"):
            scale = dtype(n_bins / width) if np.finfo(dtype).tiny < width < np.inf else np.inf
        for window in _blocks(len(scores), n_bins):
            if np.isfinite(scale):
                position = np.subtract(scores[window], low, dtype=dtype)
                np.multiply(position, scale, out=position)
            else:  # as wide or narrow as the type goes: rescaled, the range is an ordinary number
                unit = 0.5 if width == np.inf else _SUBNORMALS
                position = np.multiply(scores[window], unit, dtype=np.float64)
                np.subtract(position, unit * low, out=position)
                np.divide(position, unit * high - unit * low, out=position)
                np.multiply(position, n_bins, out=position)
            block = position.astype(bins.dtype)
            np.subtract(block, (block == n_bins).astype(block.dtype), out=bins[window])
        return bins


def _finite_range(scores: NDArray) -> tuple[float, float]:
    if scores.ndim != 1 or len(scores) == 0:
        raise ValueError(
            f"scores must be one-dimensional and not empty, got an array of shape {scores.shape}."
        )
    return finite_range(float(scores.min()), float(scores.max()))


def finite_range(low: float, high: float) -> tuple[float, float]:
    """The range of all scores; a ValueError if it is not finite."""
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
    counts = np.asarray(counts)
    total = sum(counts.tolist())
    if total * max(int(n), 1) >= 1 << 62:  # Python integers do not overflow
        counts = np.array(counts.tolist(), dtype=object)
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
    for b, quota in equal_quotas(counts, n, rng):
        quotas[b] = quota
    return quotas


def equal_quotas(counts: NDArray, n: int, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
    """Bins from the smallest to the largest, each with its share of n (see `allocate`)."""
    order = np.lexsort((rng.permutation(len(counts)), counts.astype(float)))
    for bins_left, b in zip(range(len(order), 0, -1), order, strict=True):
        quota = min(int(counts[b]), n // bins_left)
        n -= quota
        yield b, quota


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
        Distinct positions in `scores`. Any first part of them is distributed over the bins
        like all of them (see `fair_order`).

    Raises
    ------
    ValueError
        If `scores` is not finite, `n` is out of range, `n_bins` < 1 or `method` unknown.

    Notes
    -----
    One byte per point beyond the scores (for up to 255 bins), and no sorting: some rows are
    drawn from the whole pool, and each bin takes its share from those that fall in it. Bins
    so rare that too few do are looked up. Same law as a draw in each bin.

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
    return sample_bins(HeldBins(bin_indices(scores, n_bins), n_bins), n, method, rng=rng)


class HeldBins:
    """The bins of all points, in memory; what `sample_bins` asks of them.

    Parameters
    ----------
    bins : ndarray of shape (n_points,), unsigned
    n_bins : int

    Attributes
    ----------
    counts : ndarray of shape (n_bins,), int64
        Points in each bin.
    """

    def __init__(self, bins: NDArray, n_bins: int) -> None:
        self._bins = bins
        self.counts = count_bins(bins, n_bins)

    def at(self, points: NDArray[np.intp]) -> NDArray:
        """Bins of some points."""
        return self._bins[points]

    def between(self, low: int, high: int) -> tuple[NDArray[np.intp], NDArray]:
        """Points of the bins from `low` up to, not including, `high`, and their bins."""
        found = points_between(self._bins, low, high)
        return found, self._bins[found]


def sample_bins(
    bins: Any, n: int, method: str = "proportional", *, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw n points at random from bins that may be held anywhere (see `stratified_sample`).

    Parameters
    ----------
    bins : HeldBins, or what answers like one
    n : int
    method : {"proportional", "ceil_tail", "equal"}, default="proportional"
    rng : numpy.random.Generator

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
    """
    quotas = allocate(bins.counts, n, method, rng=rng)
    drawn, short = _draw_from_pool(bins, quotas, rng)
    looked_up = _draw_from_bins(bins, np.where(short, quotas, 0), rng)
    picks, own = (np.concatenate(both) for both in zip(drawn, looked_up, strict=True))
    by_bin = picks[np.argsort(own, kind="stable")]
    return by_bin[fair_order(n, rng)]


def fair_order(n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Order n things that stand in line so that any first part is a fair sample of the line.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator
        Draws where the line begins.

    Returns
    -------
    order : ndarray of shape (n,), dtype intp
        A permutation. Each place is among the first m with probability exactly m / n, and
        those m are spread evenly: it is a van der Corput sequence, turned at random.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.stratified import fair_order
    >>> fair_order(8, np.random.default_rng(0))
    array([6, 2, 0, 4, 7, 3, 1, 5])
    """
    if n == 0:
        return np.empty(0, dtype=np.intp)
    line = np.zeros(1, dtype=np.intp)
    while len(line) < n:  # 0 1, 0 2 1 3, 0 4 2 6 1 5 3 7: bits reversed
        line = np.concatenate([2 * line, 2 * line + 1])
    return (line[line < n] + rng.integers(n)) % n


def count_bins(bins: NDArray, n_bins: int) -> NDArray[np.int64]:
    """Points in each bin."""
    counts = np.zeros(n_bins, dtype=np.int64)
    for window in _blocks(len(bins), n_bins):
        block = bins[window]
        if block.dtype == np.uint8 and len(block) > n_bins * 256:
            # Two bytes at a time: half the increments, and fewer in a row of the same counter.
            pairs = block[: len(block) & ~1].view(np.uint16)
            table = np.bincount(pairs, minlength=n_bins * 256).reshape(n_bins, 256)[:, :n_bins]
            counts += table.sum(axis=0) + table.sum(axis=1)
            block = block[len(block) & ~1 :]
        counts += np.bincount(block, minlength=n_bins)
    return counts


_Drawn = tuple[NDArray[np.intp], NDArray]  # points and their bins


def _draw_from_pool(
    bins: Any, quotas: NDArray[np.int64], rng: np.random.Generator
) -> tuple[_Drawn, NDArray[np.bool_]]:
    """Points drawn from the whole pool that serve their bins, and the bins left short.

    Which bins are short does not depend on which of their members were drawn.
    """
    n_points = int(bins.counts.sum())
    size = min(_OVERDRAW * int(quotas.sum()), n_points // 2)
    # Without shuffle=True the order of the rows would not be random.
    rows = rng.choice(n_points, size, replace=False)
    drawn = bins.at(rows)
    order = np.argsort(drawn, kind="stable")
    reached = np.bincount(drawn, minlength=len(quotas))
    rank = np.arange(size) - np.repeat(np.cumsum(reached) - reached, reached)
    short = reached < quotas
    taken = np.where(short, 0, quotas)
    kept = order[rank < taken[drawn[order]]]
    return (rows[kept], drawn[kept]), short


def _draw_from_bins(bins: Any, quotas: NDArray[np.int64], rng: np.random.Generator) -> _Drawn:
    """Each bin's quota of its members, all of which are looked up."""
    found = [(np.empty(0, dtype=np.intp), np.empty(0, dtype=np.min_scalar_type(len(quotas))))]
    for low, high in _ranges(bins.counts, quotas > 0):
        # A random order first, a stable sort by bin then: each bin's members shuffled.
        members, own = bins.between(low, high)
        shuffled = rng.permutation(len(members))
        members, own = members[shuffled], own[shuffled]
        order = np.argsort(own, kind="stable")
        sizes = bins.counts[low:high]
        rank = np.arange(len(members)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        kept = order[rank < quotas[own[order]]]
        found.append((members[kept], own[kept]))
    members, own = (np.concatenate(both) for both in zip(*found, strict=True))
    return members, own


def _ranges(counts: NDArray[np.int64], wanted: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranges of bins that hold the wanted ones and few other points, low to high."""
    position = np.flatnonzero(wanted)
    if not len(position):
        return []
    others = np.cumsum(np.where(wanted, 0, counts))[position]
    ends = np.flatnonzero(np.diff(others) > counts.sum() // 64)
    low = [position[0], *position[ends + 1]]
    high = [*position[ends], position[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(low, high, strict=True)]


def points_between(bins: NDArray, low: int, high: int) -> NDArray[np.intp]:
    """Positions of the points of the bins from `low` up to, not including, `high`."""
    # Unsigned: what is below `low` wraps round to large numbers, so one comparison is enough.
    offset = bins.dtype.type(low)
    return np.concatenate(
        [
            window.start + np.flatnonzero(bins[window] - offset < high - low)
            for window in _blocks(len(bins), 1)
        ]
    )
