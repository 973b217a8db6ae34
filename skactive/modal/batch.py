"""Ranked batch mode."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from ..kernels import density
from ..kernels import ranked_batch as kernels
from ..utils.indexing import n_rows
from ._errors import InvalidValue
from .uncertainty import classifier_uncertainty
from .utils.data import retrieve_rows
from .utils.selection import check_count


def select_cold_start_instance(
    X: Any, metric: Any = "euclidean", n_jobs: int | None = None
) -> tuple[int, Any]:
    """Find the sample with the smallest mean distance to all others.

    Parameters
    ----------
    X : array-like or sparse matrix of shape (n_pool, ...)
    metric : str or callable, default="euclidean"
    n_jobs : int or None, default=None

    Returns
    -------
    index : int
    instance : row of `X`, shape (1, ...)

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.batch import select_cold_start_instance
    >>> index, instance = select_cold_start_instance(np.array([[0.0], [1.0], [5.0]]))
    >>> index, instance.tolist()
    (1, [[1.0]])
    """
    matrix = as_matrix(X, "select_cold_start_instance")
    index = int(density.mean_distance(matrix, metric, n_jobs).argmin())
    return index, retrieve_rows(X, [index])


def select_instance(
    X_training: Any,
    X_pool: Any,
    X_uncertainty: ArrayLike,
    mask: NDArray,
    metric: Any = "euclidean",
    n_jobs: int | None = None,
) -> tuple[int, Any, NDArray]:
    """One pick of ranked batch mode: far from what is labelled, and uncertain.

    The largest α (1 − 1/(1 + d)) + (1 − α) u wins, with the distance d to the nearest sample of
    `X_training`, the uncertainty u, and α = n_left / (n_left + n_labeled), where n_left samples
    may still be picked.

    Parameters
    ----------
    X_training : array-like of shape (n_labeled, ...)
        Labelled samples and those picked already.
    X_pool : array-like of shape (n_pool, ...)
    X_uncertainty : array-like of shape (n_pool,)
    mask : bool array of shape (n_pool,)
        What may still be picked.
    metric : str or callable, default="euclidean"
    n_jobs : int or None, default=None

    Returns
    -------
    index : int
    instance : row of `X_pool`, shape (1, ...)
    mask : bool array of shape (n_pool,)
        Without the pick; unlike modAL's, a new one.

    Raises
    ------
    ValueError
        If `mask` leaves nothing (an `AssertionError`, too).

    References
    ----------
    Cardoso et al., "Ranked batch-mode active learning", Information Sciences 2017.

    Examples
    --------
    All are equally uncertain; the one that is farthest from the labelled sample is picked:

    >>> import numpy as np
    >>> from skactive.modal.batch import select_instance
    >>> labeled, pool = np.array([[0.0]]), np.array([[0.5], [4.0], [1.0]])
    >>> index, instance, mask = select_instance(
    ...     labeled, pool, X_uncertainty=[0.5, 0.5, 0.5], mask=np.ones(3, dtype=bool))
    >>> index, instance.tolist(), mask.tolist()
    (1, [[4.0]], [True, False, True])
    """
    mask = np.array(mask, dtype=bool)
    left = np.flatnonzero(mask)
    if len(left) == 0:
        raise InvalidValue("mask leaves nothing to pick from: it is False everywhere.")
    pool, known = as_matrix(X_pool, "select_instance"), as_matrix(X_training, "select_instance")
    distance = kernels.distance_to_nearest(pool[left], known, metric, n_jobs)
    scores = kernels.ranked_scores(
        distance, np.asarray(X_uncertainty)[left], len(left), n_rows(X_training)
    )
    index = int(left[scores.argmax()])
    mask[index] = False
    return index, retrieve_rows(X_pool, [index]), mask


def ranked_batch(
    classifier: Any,
    unlabeled: Any,
    uncertainty_scores: ArrayLike,
    n_instances: int,
    metric: Any,
    n_jobs: int | None,
) -> tuple[NDArray, NDArray]:
    """Rank a batch by uncertainty and distance to what is labelled or ranked before.

    Parameters
    ----------
    classifier : learner
        Its ``X_training`` is what is labelled; nothing, for a plain estimator. With
        ``on_transformed=True`` distances are those of the transformed data.
    unlabeled : array-like of shape (n_pool, ...)
    uncertainty_scores : array-like of shape (n_pool,)
        Larger is picked first; in [0, 1] to be weighed fairly against distance.
    n_instances : int
        The whole pool is ranked if it is not larger.
    metric : str or callable
        Any metric of `sklearn.metrics.pairwise_distances`.
    n_jobs : int or None

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_pool),)
        In rank order.
    scores : ndarray of the same shape
        Their `uncertainty_scores`.

    References
    ----------
    Cardoso et al., "Ranked batch-mode active learning", Information Sciences 2017.

    Examples
    --------
    Of two neighbours only one is in a batch of two, though both are more uncertain than the third:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.batch import ranked_batch
    >>> from skactive.modal.models import ActiveLearner
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(1), X_training=np.array([[0.0], [1.0]]), y_training=[0, 1])
    >>> pool, uncertainty = np.array([[5.0], [5.1], [9.0]]), np.array([0.5, 0.5, 0.4])
    >>> indices, scores = ranked_batch(
    ...     learner, pool, uncertainty, 2, metric="euclidean", n_jobs=None)
    >>> indices.tolist(), scores.tolist()
    ([2, 0], [0.4, 0.5])
    """
    labeled = getattr(classifier, "X_training", None)
    pool = unlabeled
    if getattr(classifier, "on_transformed", False):
        pool = classifier.transform_without_estimating(unlabeled)
        labeled = None if labeled is None else classifier.transform_without_estimating(labeled)
    pool = as_matrix(pool, "ranked_batch")
    n = check_count(min(n_instances, pool.shape[0]), pool.shape[0])
    if labeled is not None:
        labeled = as_matrix(labeled, "ranked_batch")
    ranked = kernels.ranked_batch(
        pool, uncertainty_scores, n, labeled, metric=metric, n_jobs=n_jobs
    )
    return ranked, np.asarray(uncertainty_scores)[ranked]


def uncertainty_batch_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 20,
    metric: Any = "euclidean",
    n_jobs: int | None = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Ranked batch mode with `classifier_uncertainty`.

    Parameters
    ----------
    classifier : learner
    X : array-like of shape (n_pool, ...)
        Numeric; else let a Pipeline transform it and set ``on_transformed=True``.
    n_instances : int, default=20
    metric : str or callable, default="euclidean"
    n_jobs : int or None, default=None
    **uncertainty_measure_kwargs
        Passed to ``predict_proba``.

    Returns
    -------
    indices : ndarray of shape (min(n_instances, n_pool),)
        In rank order.
    uncertainty : ndarray of the same shape

    Raises
    ------
    CapabilityError
        If the classifier has no class probabilities; a `TypeError`.
    ValueError
        If the samples are not numeric (an `AssertionError`, too).

    References
    ----------
    Cardoso et al., "Ranked batch-mode active learning", Information Sciences 2017.

    Examples
    --------
    The three uncertain samples are neighbours; a batch of two has one of them, and one that is far
    from all:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.batch import uncertainty_batch_sampling
    >>> from skactive.modal.models import ActiveLearner
    >>> X, y = np.array([[0.0], [2.0], [10.0]]), [0, 1, 1]
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(2), uncertainty_batch_sampling, X_training=X, y_training=y)
    >>> pool = np.array([[1.0], [1.1], [1.2], [30.0]])
    >>> query_idx, _, uncertainty = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), uncertainty.tolist()
    ([3, 0], [0.0, 0.5])
    """
    uncertainty = classifier_uncertainty(classifier, X, **uncertainty_measure_kwargs)
    return ranked_batch(classifier, X, uncertainty, n_instances, metric, n_jobs)


def as_matrix(X: Any, caller: str) -> Any:
    """`X` as a numeric matrix (n, d) for distances: images flattened, sparse left sparse."""
    if sp.issparse(X):
        return X if X.format in ("csr", "csc") else X.tocsr()
    matrix = np.asarray(X)
    if matrix.dtype.kind not in "fiub":
        try:
            matrix = matrix.astype(float)
        except (TypeError, ValueError):
            raise InvalidValue(
                f"{caller} computes distances and needs numbers, got dtype {matrix.dtype}. Let a "
                "Pipeline transform the data and set on_transformed=True, or pass features."
            ) from None
    return matrix.reshape(len(matrix), -1)
