"""Multiple-boundary clustering and prioritisation (MCP)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 1 << 14
# Below this many members sorting a whole cluster is cheaper than cutting it first.
_SMALL_CLUSTER = 256


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
    cluster, ratio = _boundaries(proba)
    rows = _contenders(cluster, ratio, n)
    # Shuffled first, so that a stable sort leaves equal priorities in random order.
    rows = rng.permutation(rows)
    rows = rows[np.lexsort((-ratio[rows], cluster[rows]))]
    starts, sizes = _runs(cluster[rows])
    sweep = np.arange(len(rows)) - np.repeat(starts, sizes)
    shuffled = rng.permutation(len(rows))
    return rows[np.lexsort((shuffled, -ratio[rows], sweep))[:n]]


def _check(proba: NDArray, n: int) -> None:
    if proba.ndim != 2 or proba.shape[1] == 0:
        raise ValueError(
            f"proba must have shape (n_points, n_classes), got an array of shape {proba.shape}."
        )
    if not 0 <= n <= len(proba):
        raise ValueError(f"n must be between 0 and the number of points {len(proba)}, got {n}.")
    if len(proba) and not (np.isfinite(proba.min()) and np.isfinite(proba.max())):
        raise ValueError("proba must be finite class probabilities, got NaN or infinite values.")


def _boundaries(proba: NDArray) -> tuple[NDArray, NDArray]:
    """Find the number of the (top-1, top-2) cluster and the priority p₂/p₁ of each row."""
    n, n_classes = proba.shape
    cluster = np.empty(n, dtype=np.min_scalar_type(n_classes**2 - 1))
    ratio = np.ones(n, dtype=np.result_type(proba.dtype, np.float32))
    for start in range(0, n, _BLOCK):
        window = slice(start, start + _BLOCK)
        block = np.array(proba[window], dtype=ratio.dtype)
        each = np.arange(len(block))
        first = block.argmax(axis=1)
        p1 = block[each, first]
        block[each, first] = -1.0  # a single class is its own second, with p₂ < 0
        second = block.argmax(axis=1)
        p2 = np.maximum(block[each, second], 0.0)
        np.divide(p2, p1, out=ratio[window], where=p1 > 0)
        cluster[window] = first * n_classes + second
    return cluster, ratio


def _contenders(cluster: NDArray, ratio: NDArray, n: int) -> NDArray[np.intp]:
    """Rows that can be reached by the sweeps n picks need; all of them in small clusters."""
    by_cluster = np.argsort(cluster, kind="stable")  # a radix sort up to 256 classes
    starts, sizes = _runs(cluster[by_cluster])
    sweeps = _sweeps(sizes, n)
    kept = []
    for start, size in zip(starts, sizes, strict=True):
        members = by_cluster[start : start + size]
        if size > max(sweeps, _SMALL_CLUSTER):
            priority = ratio[members]
            members = members[priority >= np.partition(priority, size - sweeps)[size - sweeps]]
        kept.append(members)
    return np.concatenate(kept)


def _runs(ordered: NDArray) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Start and length of each run of equal values."""
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return starts, np.diff(starts, append=len(ordered))


def _sweeps(sizes: NDArray, n: int) -> int:
    """Smallest t with Σ min(size, t) ≥ n."""
    ordered = np.sort(sizes)
    clusters_left = len(ordered) - np.arange(len(ordered))
    exhausted = np.cumsum(ordered) - ordered
    drawn = exhausted + ordered * clusters_left  # once the k-th smallest cluster is empty
    k = int(np.searchsorted(drawn, n))
    return -(-int(n - exhausted[k]) // int(clusters_left[k]))
