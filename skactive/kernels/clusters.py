"""Multiple-boundary clustering and prioritisation (MCP)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 1 << 18  # numbers worked on at once: they stay in the cache
_FEW_CLASSES = 64  # up to here vector operations over the rows beat a search in each row
_FIRST_CUT = 1 << 14  # rows kept before those that cannot be picked are dropped


def mcp_select(proba: ArrayLike, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Pick n points evenly over the decision boundaries, most ambiguous first.

    Points with the same ordered pair (most likely, second most likely class) form a
    cluster, at most C(C−1) of them. Each sweep takes from every non-empty cluster the point
    with the largest p₂/p₁; the last sweep takes the best of these heads until n are picked.

    Parameters
    ----------
    proba : array-like of shape (n_points, n_classes), float
        Class probabilities. Saturated rows (p₁ = 1) have priority 0. Where p₁ = 0, hence
        p₁ = p₂, the priority is 1.
    n : int
        How many, 0 ≤ n ≤ n_points.
    rng : numpy.random.Generator
        Decides between equal priorities.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Distinct rows, sweep by sweep, the most ambiguous of each sweep first.

    Raises
    ------
    ValueError
        If `proba` is not two-dimensional or holds NaN or infinite values, or `n` is out of
        range.

    Notes
    -----
    The released loops of the DRE study do not end for n = n_points and can repeat a point;
    this ends and never repeats one. If two classes share the largest probability, the one
    with the lower number counts as the most likely.

    References
    ----------
    .. [1] Shen et al., "Multiple-Boundary Clustering and Prioritization to Promote Neural
       Network Retraining", ASE 2020.
    .. [2] Guo et al., "Robust Active Learning", arXiv:2112.02542, Section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.clusters import mcp_select
    >>> proba = [[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.0, 0.3, 0.7]]
    >>> mcp_select(proba, 2, np.random.default_rng(0))
    array([0, 2])
    """
    proba = np.asarray(proba)
    _check(proba, n)
    if n == 0:
        return np.empty(0, dtype=np.intp)
    return Contenders.of(proba, n).picked(rng)


def _sweep_by_sweep(
    cluster: NDArray, ratio: NDArray, rows: NDArray[np.intp], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """The n rows that the sweeps reach first."""
    # Shuffled first, so that a stable sort leaves equal priorities in random order.
    shuffled = rng.permutation(len(rows))
    order = shuffled[np.lexsort((-ratio[shuffled], cluster[shuffled]))]
    starts, sizes = _runs(cluster[order])
    sweep = np.arange(len(rows)) - np.repeat(starts, sizes)
    shuffled = rng.permutation(len(rows))
    return rows[order[np.lexsort((shuffled, -ratio[order], sweep))[:n]]]


def _check(proba: NDArray, n: int) -> None:
    check_proba(proba)
    if not 0 <= n <= len(proba):
        raise ValueError(f"n must be between 0 and the number of points {len(proba)}, got {n}.")


def check_proba(proba: NDArray) -> None:
    """Raise a ValueError unless these are probabilities, in two dimensions and finite."""
    if proba.ndim != 2 or proba.shape[1] == 0:
        raise ValueError(
            f"proba must have shape (n_points, n_classes), got an array of shape {proba.shape}."
        )
    if len(proba) and not (np.isfinite(proba.min()) and np.isfinite(proba.max())):
        raise ValueError("proba must be finite class probabilities, got NaN or infinite values.")


def _boundaries(proba: NDArray) -> tuple[NDArray, NDArray]:
    """Find the number of the (top-1, top-2) cluster and the priority p₂/p₁ of each row."""
    n_classes = proba.shape[1]
    proba = proba.astype(np.result_type(proba.dtype, np.float32))  # a copy, to work in
    first, p1, second, p2 = (_by_class if n_classes <= _FEW_CLASSES else _by_row)(proba)
    ratio = np.ones_like(p1)
    # A single class is its own second, with p₂ < 0.
    np.divide(np.maximum(p2, 0.0), p1, out=ratio, where=p1 > 0)
    cluster = first.astype(np.min_scalar_type(n_classes**2 - 1))
    cluster *= cluster.dtype.type(n_classes)
    cluster += second.astype(cluster.dtype)
    return cluster, ratio


def _by_row(proba: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Class and probability of the largest and the second largest of each row."""
    each = np.arange(len(proba))
    first = proba.argmax(axis=1)
    p1 = proba[each, first]
    proba[each, first] = -1.0
    second = proba.argmax(axis=1)
    return first, p1, second, proba[each, second]


def _by_class(proba: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """The same, class by class: each step is one vector operation over all rows."""
    columns = np.ascontiguousarray(proba.T)
    p1, p2 = columns[0].copy(), np.full_like(columns[0], -1.0)
    for column in columns[1:]:
        np.maximum(p2, np.minimum(p1, column), out=p2)
        np.maximum(p1, column, out=p1)
    first, second = np.zeros((2, len(p1)), dtype=np.uint8)
    # Downwards, so that of equal probabilities the lowest class stays.
    for c in range(len(columns) - 1, -1, -1):
        _put(first, c, columns[c] == p1)
    for c in range(len(columns) - 1, -1, -1):
        _put(second, c, (columns[c] == p2) & (first != c))
    return first, p1, second, p2


def _put(target: NDArray, value: int, where: NDArray[np.bool_]) -> None:
    """``target[where] = value`` by arithmetic, which masks are slow beside."""
    keep = where.astype(target.dtype)
    keep -= target.dtype.type(1)  # 0 where to put, all ones elsewhere
    target &= keep
    target |= where * target.dtype.type(value)


class Contenders:
    """Rows that the sweeps can still reach: the best few of each cluster, and their ties.

    Those of parts of a pool may be merged in any order and any tree: what is left is what is left
    of all rows at once.

    Parameters
    ----------
    n : int
        How many are to be picked.
    n_classes : int
    dtype : numpy dtype
        Of the priorities.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.clusters import Contenders, mcp_select
    >>> proba = np.array([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.0, 0.3, 0.7]])
    >>> first = Contenders.of(proba[:2], 2)
    >>> both = first.merged(Contenders.of(proba[2:], 2, rows=np.array([2])))
    >>> both.picked(np.random.default_rng(0)), mcp_select(proba, 2, np.random.default_rng(0))
    (array([0, 2]), array([0, 2]))
    """

    def __init__(self, n: int, n_classes: int, dtype: np.dtype) -> None:
        self.n = n
        self.sizes = np.zeros(n_classes**2, dtype=np.int64)
        self.least = np.full(n_classes**2, -np.inf, dtype)  # a row with less cannot be picked
        self.parts: list[tuple[NDArray, NDArray, NDArray[np.intp]]] = []
        self.n_kept = 0
        self.limit = _FIRST_CUT

    @classmethod
    def of(cls, proba: NDArray, n: int, rows: NDArray[np.intp] | None = None) -> Contenders:
        """Those of some rows, called by their numbers unless they have other ones, ascending."""
        kept = cls(n, proba.shape[1], np.result_type(proba.dtype, np.float32))
        step = max(1, _BLOCK // proba.shape[1])
        for start in range(0, len(proba), step):
            names: Any = start if rows is None else rows[start : start + step]
            kept.add(names, *_boundaries(proba[start : start + step]))
        return kept

    def merged(self, *others: Contenders) -> Contenders:
        """Those of all these parts of a pool."""
        every = [self, *others]
        kept = Contenders(self.n, 0, self.least.dtype)
        kept.sizes = np.sum([part.sizes for part in every], axis=0)
        kept.least = np.max([part.least for part in every], axis=0)
        kept.parts = [rows for part in every for rows in part.parts]
        kept.cut()
        return kept

    def rows(self) -> NDArray[np.intp]:
        """Those that are left."""
        return self.cut()[2]

    def picked(
        self,
        rng: np.random.Generator,
        places: NDArray | None = None,
    ) -> NDArray[np.intp]:
        """The n rows that the sweeps reach first.

        Parameters
        ----------
        rng : numpy.random.Generator
            Decides between equal priorities.
        places : ndarray or None, default=None
            Where each of `rows` comes in the pool; ``None``: they ascend.
        """
        cluster, ratio, rows = self.cut()
        by = np.argsort(rows if places is None else places, kind="stable")
        return _sweep_by_sweep(cluster[by], ratio[by], rows[by], self.n, rng)

    def add(self, names: Any, cluster: NDArray, ratio: NDArray) -> None:
        """Take in some rows: the first one's number, or the numbers of all."""
        if len(self.sizes) < len(cluster):
            self.sizes += np.bincount(cluster, minlength=len(self.sizes))
        else:  # more clusters than rows
            present, counts = np.unique(cluster, return_counts=True)
            self.sizes[present] += counts
        rows = np.flatnonzero(ratio >= self.least[cluster])
        named = names[rows] if isinstance(names, np.ndarray) else names + rows
        self.parts.append((cluster[rows], ratio[rows], named))
        self.n_kept += len(rows)
        if self.n_kept > self.limit:
            self.cut()

    def cut(self) -> tuple[NDArray, NDArray, NDArray[np.intp]]:
        """Drop and return what is left: clusters, priorities and rows."""
        cluster, ratio, rows = (np.concatenate(part) for part in zip(*self.parts, strict=True))
        # More rows to come make clusters larger and new ones: never more sweeps than now.
        sweeps = _sweeps(self.sizes[self.sizes > 0], self.n)
        order = np.lexsort((-ratio, cluster))
        starts, sizes = _runs(cluster[order])
        full = sizes > sweeps
        last = order[starts[full] + sweeps - 1]
        self.least[cluster[last]] = ratio[last]
        reached = ratio >= self.least[cluster]
        kept = cluster[reached], ratio[reached], rows[reached]
        self.parts, self.n_kept = [kept], len(kept[0])
        self.limit = max(_FIRST_CUT, 4 * self.n_kept)
        return kept


def _runs(ordered: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Start and length of each run of equal values."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return starts, np.diff(starts, append=len(ordered))


def _sweeps(sizes: NDArray, n: int) -> int:
    """Smallest t with Σ min(size, t) ≥ n; n itself where there are fewer points than that."""
    ordered = np.sort(sizes)
    clusters_left = len(ordered) - np.arange(len(ordered))
    exhausted = np.cumsum(ordered) - ordered
    drawn = exhausted + ordered * clusters_left  # once the k-th smallest cluster is empty
    k = int(np.searchsorted(drawn, n))
    if k == len(ordered):
        return n
    return -(-int(n - exhausted[k]) // int(clusters_left[k]))
