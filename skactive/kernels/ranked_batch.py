"""Ranked batch mode: uncertainty and distance to what is known, one pick after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.metrics import (
    pairwise_distances,
    pairwise_distances_argmin_min,
    pairwise_distances_chunked,
)

from ..utils.indexing import n_rows
from .density import BLOCK_MB, mean_distance


def ranked_batch(
    X: Any,
    uncertainty: ArrayLike,
    n: int,
    X_labeled: Any = None,
    *,
    metric: Any = "euclidean",
    n_jobs: int | None = None,
) -> NDArray[np.intp]:
    """Pick samples that are uncertain and far from all labelled and picked ones.

    With U the unlabelled and D the labelled samples, both counted anew after each pick, and
    α = |U| / (|U| + |D|), the next pick maximises α (1 − 1 / (1 + d)) + (1 − α) u, where d is the
    distance to the nearest sample of D.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_pool, d)
    uncertainty : array-like of shape (n_pool,)
        u, in [0, 1].
    n : int
        How many to pick, at most n_pool.
    X_labeled : array-like or sparse matrix of shape (n_labeled, d) or None, default=None
        ``None``: the first pick is the sample with the smallest mean distance to all others.
    metric : str or callable, default="euclidean"
        Any metric of `sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Distinct positions in `X`, in the order they were picked; of equal scores the first.

    Notes
    -----
    The distance to the nearest member of D is kept and lowered after each pick, so that a pick
    costs one column of distances: O(n_pool · (n_labeled + n)) in all, O(n_pool) memory.

    References
    ----------
    Cardoso et al., "Ranked batch-mode active learning", Information Sciences 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.ranked_batch import ranked_batch
    >>> X = np.array([[0.0], [0.1], [5.0], [9.0]])
    >>> ranked_batch(X, [0.5, 0.9, 0.2, 0.1], 3, X_labeled=[[0.0]])
    array([3, 2, 1])
    """
    uncertainty = np.asarray(uncertainty, dtype=float)
    X = X if sp.issparse(X) else np.asarray(X)
    n_pool = X.shape[0]
    order = np.empty(n, dtype=np.intp)
    left = np.ones(n_pool, dtype=bool)
    n_labeled, n_picked = 0, 0
    nearest = np.full(n_pool, np.inf)
    if X_labeled is not None:
        n_labeled = n_rows(X_labeled)
        nearest = distance_to_nearest(X, X_labeled, metric, n_jobs)
    elif n:
        order[0] = mean_distance(X, metric, n_jobs).argmin()
        nearest = _lowered(nearest, X, order[0], metric, n_jobs)
        left[order[0]], n_picked = False, 1
    for number in range(n_picked, n):
        scores = ranked_scores(nearest, uncertainty, n_pool - number, n_labeled + number)
        order[number] = np.where(left, scores, -np.inf).argmax()
        left[order[number]] = False
        if number + 1 < n:
            nearest = _lowered(nearest, X, order[number], metric, n_jobs)
    return order


def ranked_scores(
    distance: NDArray, uncertainty: NDArray, n_unlabeled: int, n_labeled: int
) -> NDArray:
    """α (1 − 1 / (1 + d)) + (1 − α) u with α = |U| / (|U| + |D|); see `ranked_batch`."""
    alpha = n_unlabeled / (n_unlabeled + n_labeled)
    return alpha * (1 - 1 / (1 + distance)) + (1 - alpha) * uncertainty


def distance_to_nearest(X: Any, others: Any, metric: Any, n_jobs: int | None) -> NDArray:
    """Distance of each row of `X` to the nearest row of `others`, shape (n,)."""
    with config_context(working_memory=BLOCK_MB):
        if metric == "euclidean":
            return pairwise_distances_argmin_min(X, others)[1]
        blocks = pairwise_distances_chunked(
            X, others, metric=metric, n_jobs=n_jobs, reduce_func=lambda block, _: block.min(axis=1)
        )
        return np.concatenate(list(blocks))


def _lowered(nearest: NDArray, X: Any, pick: int, metric: Any, n_jobs: int | None) -> NDArray:
    column = pairwise_distances(X, X[[pick]], metric=metric, n_jobs=n_jobs)
    return np.minimum(nearest, column[:, 0])
