"""Information density."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray
from scipy.spatial.distance import cosine, euclidean

from ..kernels import density as kernels
from .batch import as_matrix


class _Similarity:
    """1 / (1 + distance): a function that can be pickled."""

    def __init__(self, distance_measure: Callable) -> None:
        self.distance_measure = distance_measure

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return 1 / (1 + self.distance_measure(*args, **kwargs))


def similarize_distance(distance_measure: Callable) -> Callable:
    """Similarity 1 / (1 + d) of a distance.

    Parameters
    ----------
    distance_measure : callable

    Returns
    -------
    similarity : callable
        Called with what `distance_measure` is called with.

    Examples
    --------
    >>> from skactive.modal.density import similarize_distance
    >>> similarize_distance(lambda a, b: abs(a - b))(1, 4)
    0.25
    """
    return _Similarity(distance_measure)


cosine_similarity = similarize_distance(cosine)
euclidean_similarity = similarize_distance(euclidean)


def information_density(X: Any, metric: Any = "euclidean", n_jobs: int | None = None) -> NDArray:
    """Mean similarity 1 / (1 + d) of each sample to all samples, itself included.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Images are compared pixel by pixel.
    metric : str or callable, default="euclidean"
        Any metric of `sklearn.metrics.pairwise_distances`.
    n_jobs : int or None, default=None

    Returns
    -------
    density : ndarray of shape (n_samples,)

    Notes
    -----
    Computed block by block: an n×n matrix is never held.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.7.

    Examples
    --------
    >>> from skactive.modal.density import information_density
    >>> information_density([[0.0], [1.0], [3.0]]).round(3).tolist()
    [0.583, 0.611, 0.528]
    """
    return kernels.information_density(as_matrix(X, "information_density"), metric, n_jobs)
