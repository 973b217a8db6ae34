"""Covering a pool: typical points of clusters, balls, and herding."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from ..utils.alone import ALONE

_BLOCK_ENTRIES = 1 << 22
# Distances closer than this count as equal: a net rounds otherwise in batches of another size.
_ROUNDING = 1e-5


def typiclust_select(
    points: NDArray,
    labeled: NDArray,
    n: int,
    *,
    max_clusters: int = 500,
    n_neighbors: int = 20,
    min_size: int = 5,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Pick the most typical point of each of the largest clusters without a label.

    Parameters
    ----------
    points : ndarray of shape (n_points, d)
    labeled : ndarray of shape (n_labeled, d)
    n : int
    max_clusters, n_neighbors, min_size, seed : int

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
    """
    everything = np.concatenate([points, labeled]) if len(labeled) else points
    n_clusters = min(len(labeled) + n, max_clusters, len(everything))
    cluster = _k_means(everything, n_clusters, seed)
    of_point, of_label = cluster[: len(points)], cluster[len(points) :]
    n_labels = np.bincount(of_label, minlength=n_clusters)
    sizes = np.bincount(cluster, minlength=n_clusters)
    left = np.ones(len(points), dtype=bool)
    typicality = _typicality(everything, cluster, n_neighbors)[: len(points)]
    picks: list[int] = []
    while len(picks) < n:
        remaining = np.bincount(of_point[left], minlength=n_clusters)
        open_ = np.flatnonzero((remaining > 0) & (sizes > min_size))
        if len(open_) == 0:
            open_ = np.flatnonzero(remaining > 0)
        best = open_[np.lexsort((-sizes[open_], n_labels[open_]))[0]]
        members = np.flatnonzero(left & (of_point == best))
        highest = typicality[members].max()
        # Two mutual neighbours are equally typical: the first of them, not what rounding favours.
        picks.append(int(members[typicality[members] >= (1 - _ROUNDING) * highest][0]))
        left[picks[-1]] = False
        n_labels[best] += 1
    return np.array(picks, dtype=np.intp)


def _k_means(points: NDArray, n_clusters: int, seed: int) -> NDArray:
    with ALONE, warnings.catch_warnings():  # filters are the whole process's
        # Duplicated points leave clusters empty, which does no harm here.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_clusters, n_init=1, random_state=seed).fit_predict(points)


def _typicality(points: NDArray, cluster: NDArray, n_neighbors: int) -> NDArray:
    """1 / mean distance to the nearest neighbours in the same cluster."""
    typicality = np.zeros(len(points))
    smallest = _ROUNDING * float(np.abs(points).max(initial=1e-30))
    for c in np.unique(cluster):
        members = np.flatnonzero(cluster == c)
        k = min(n_neighbors, max(1, len(members) // 2), len(members) - 1)
        if k < 1:
            typicality[members] = np.inf
            continue
        distance = _to_neighbors(points[members], k).mean(axis=1)
        typicality[members] = 1 / np.maximum(distance, smallest)
    return typicality


def _to_neighbors(points: NDArray, k: int) -> NDArray:
    """Distances of each point to its k nearest others, in any order, shape (n_points, k)."""
    if len(points) ** 2 > _BLOCK_ENTRIES:
        return NearestNeighbors(n_neighbors=k).fit(points).kneighbors()[0]
    # An estimator for each of hundreds of small clusters costs more than their distances.
    distance = _distances(points, points)
    np.fill_diagonal(distance, np.inf)
    return np.partition(distance, k - 1, axis=1)[:, :k]


def _to_nearest(points: NDArray, others: NDArray) -> NDArray:
    """Distance of each point to the nearest of `others`."""
    if len(points) * len(others) > _BLOCK_ENTRIES:
        return NearestNeighbors(n_neighbors=1).fit(others).kneighbors(points)[0][:, 0]
    return _distances(points, others).min(axis=1)


def _distances(X: NDArray, Y: NDArray) -> NDArray:
    return np.sqrt(np.maximum(_squared_distances(X.astype(np.float64), Y.astype(np.float64)), 0))


def _squared_distances(X: NDArray, Y: NDArray) -> NDArray:
    """Up to rounding, which may leave them below 0."""
    return np.square(X).sum(axis=1)[:, None] + np.square(Y).sum(axis=1) - 2 * X @ Y.T


def prob_cover_select(
    points: NDArray, labeled: NDArray, n: int, radius: float, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Greedily pick the balls that cover the most points nobody covers yet.

    Parameters
    ----------
    points : ndarray of shape (n_points, d)
    labeled : ndarray of shape (n_labeled, d)
        Centres of balls there are already.
    n : int
    radius : float
        Of the balls, closed up to rounding. Memory grows with the number of pairs that close.
    rng : numpy.random.Generator
        Orders what is left once all is covered, and ties.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
    """
    points = points.astype(np.float64)
    radius *= 1 + _ROUNDING
    graph = NearestNeighbors(radius=radius).fit(points).radius_neighbors_graph(points).tocsr()
    uncovered = np.ones(len(points), dtype=bool)
    if len(labeled):
        uncovered = _to_nearest(points, labeled) > radius
    degree = np.asarray(graph[uncovered].sum(axis=0)).ravel()
    order = rng.permutation(len(points))
    degree_of = degree.astype(np.float64)
    picks: list[int] = []
    for _ in range(n):
        best = int(order[degree_of[order].argmax()])
        picks.append(best)
        ball = graph.indices[graph.indptr[best] : graph.indptr[best + 1]]
        fresh = ball[uncovered[ball]]
        uncovered[fresh] = False
        if len(fresh):
            degree_of -= np.asarray(graph[fresh].sum(axis=0)).ravel()
        degree_of[best] = -np.inf
    return np.array(picks, dtype=np.intp)


def purity_radius(points: NDArray, n_classes: int, purity: float, seed: int) -> float:
    """Largest radius at which at least `purity` of the balls hold one k-means cluster only."""
    cluster = _k_means(points, n_classes, seed)
    # A ball is pure up to the distance to the nearest point of another cluster.
    nearest = np.full(len(points), np.inf)
    for c in np.unique(cluster):
        inside, outside = np.flatnonzero(cluster == c), np.flatnonzero(cluster != c)
        if len(outside):
            nearest[inside] = _to_nearest(points[inside], points[outside])
    finite = nearest[np.isfinite(nearest)]
    if len(finite) == 0:
        return float(np.ptp(points, axis=0).max())
    # Clearly below that distance, so that rounding does not decide who is inside.
    return float(np.quantile(finite, 1 - purity, method="higher") * (1 - 10 * _ROUNDING))


def cluster_labels(
    points: NDArray, n_clusters: int, max_points: int, rng: np.random.Generator
) -> NDArray:
    """Average-linkage clusters of at most `max_points` rows; the others join the nearest mean."""
    rows = np.arange(len(points))
    if len(points) > max_points:
        rows = np.sort(rng.choice(len(points), max_points, replace=False))
    n_clusters = min(n_clusters, len(rows))
    fitted = AgglomerativeClustering(n_clusters, linkage="average").fit_predict(points[rows])
    if len(rows) == len(points):
        return fitted
    means = np.stack([points[rows[fitted == c]].mean(axis=0) for c in range(n_clusters)])
    return NearestNeighbors(n_neighbors=1).fit(means).kneighbors(points)[1][:, 0]


def round_robin(cluster: NDArray, n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Pick one at random from each cluster, smallest cluster first, until n are picked."""
    members = [rng.permutation(np.flatnonzero(cluster == c)) for c in np.unique(cluster)]
    members.sort(key=len)
    picks: list[int] = []
    depth = 0
    while len(picks) < n:
        picks += [int(rows[depth]) for rows in members if len(rows) > depth]
        depth += 1
    return np.array(picks[:n], dtype=np.intp)


def herding_select(
    points: NDArray, labeled: NDArray, weights: NDArray, n: int, width: float
) -> tuple[NDArray[np.intp], NDArray]:
    """Greedily maximise Σ_u w_u max_{x picked or labelled} k(x, u), k a Gaussian kernel.

    Parameters
    ----------
    points : ndarray of shape (n_points, d)
    labeled : ndarray of shape (n_labeled, d)
    weights : ndarray of shape (n_points,)
        Importance of covering each point.
    n : int
    width : float
        k(x, u) = exp(−‖x − u‖² / width²).

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
    gains : ndarray of shape (n,)

    Notes
    -----
    Gains only shrink as more is covered, so that an old one is an upper bound and few are
    computed anew for each pick. Kernel values are computed by blocks, never kept.
    """
    covered = np.zeros(len(points))
    for start in range(0, len(labeled), 256):
        covered = np.maximum(
            covered, _kernel(labeled[start : start + 256], points, width).max(axis=0)
        )
    bound = np.empty(len(points))
    rows = max(1, _BLOCK_ENTRIES // len(points))
    for start in range(0, len(points), rows):
        block = _kernel(points[start : start + rows], points, width)
        bound[start : start + rows] = np.maximum(block - covered, 0) @ weights
    fresh = np.ones(len(points), dtype=bool)
    picks: list[int] = []
    gains: list[float] = []
    while len(picks) < n:
        best = int(bound.argmax())
        row = _kernel(points[best : best + 1], points, width)[0]
        if not fresh[best]:
            bound[best] = np.maximum(row - covered, 0) @ weights
            fresh[best] = True
            continue
        picks.append(best)
        gains.append(bound[best])
        covered = np.maximum(covered, row)
        bound[best], fresh[:] = -np.inf, False
    return np.array(picks, dtype=np.intp), np.array(gains)


def _kernel(X: NDArray, Y: NDArray, width: float) -> NDArray:
    return np.exp(-np.maximum(_squared_distances(X, Y), 0) / width**2)
