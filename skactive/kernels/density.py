"""How densely a pool surrounds its samples: block by block, never an n×n matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.metrics import pairwise_distances_chunked

BLOCK_MB = 64  # of distances held at once


def information_density(X: Any, metric: Any = "euclidean", n_jobs: int | None = None) -> NDArray:
    """Mean similarity 1 / (1 + d) of each sample to all samples, itself included.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n, d)
    metric : str or callable, default="euclidean"
        Any metric of `sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None

    Returns
    -------
    density : ndarray of shape (n,), in (0, 1]
        Larger = in a denser region.

    References
    ----------
    McCallum & Nigam, "Employing EM and pool-based active learning for text classification",
    ICML 1998; Settles, "Active learning literature survey", 2009, section 3.7.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.kernels.density import information_density
    >>> information_density(np.array([[0.0], [1.0], [4.0]])).round(2)
    array([0.57, 0.58, 0.48])
    """
    return _row_means(X, _similarity, metric, n_jobs)


def mean_distance(X: Any, metric: Any = "euclidean", n_jobs: int | None = None) -> NDArray:
    """Mean distance of each sample to all samples, shape (n,)."""
    return _row_means(X, lambda distances: distances, metric, n_jobs)


def _similarity(distances: NDArray) -> NDArray:
    similar = distances + 1.0  # not in place: precomputed distances are the caller's own
    return np.reciprocal(similar, out=similar)


def _row_means(
    X: Any, of: Callable[[NDArray], NDArray], metric: Any, n_jobs: int | None
) -> NDArray:
    with config_context(working_memory=BLOCK_MB):
        blocks = pairwise_distances_chunked(
            X,
            metric=metric,
            n_jobs=n_jobs,
            reduce_func=lambda distances, start: of(distances).mean(axis=1),
        )
        return np.concatenate(list(blocks))
