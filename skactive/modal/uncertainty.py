"""Uncertainty of one classifier."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import uncertainty as kernels
from ..utils.indexing import n_rows
from ._proba import UNFITTED, class_proba
from .utils.selection import pick


def _proba_uncertainty(proba: NDArray) -> NDArray:
    """1 − max p of each row."""
    return kernels.least_confidence(np.asarray(proba))


def _proba_margin(proba: NDArray) -> NDArray:
    """p₁ − p₂ of each row; 0 for a single class."""
    proba = np.asarray(proba)
    if proba.shape[1] == 1:
        return np.zeros(len(proba))
    return -kernels.negative_margin(proba)


def _proba_entropy(proba: NDArray) -> NDArray:
    """Entropy of each row in nats; rows need not sum to 1."""
    proba = np.asarray(proba)
    return kernels.entropy(proba / proba.sum(axis=1, keepdims=True))


def classifier_uncertainty(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """1 − max p of each sample.

    Parameters
    ----------
    classifier : anything with predict_proba
        Not fitted: all samples get 1.
    X : array-like of shape (n_samples, ...)
    **predict_proba_kwargs
        Passed on.

    Returns
    -------
    uncertainty : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If the classifier has no class probabilities; a `TypeError`.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.uncertainty import classifier_uncertainty
    >>> X, y = np.arange(10.0).reshape(-1, 1), [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]
    >>> model = KNeighborsClassifier(5).fit(X, y)
    >>> pool = np.array([[2.0], [4.0], [7.0]])
    >>> model.predict_proba(pool).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0], [0.0, 0.6, 0.2, 0.2]]
    >>> classifier_uncertainty(model, pool).round(3).tolist()
    [0.0, 0.4, 0.4]
    """
    return _measured(_proba_uncertainty, 1.0, classifier, X, predict_proba_kwargs)


def classifier_margin(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """p₁ − p₂ of each sample, the two largest probabilities.

    Parameters
    ----------
    classifier : anything with predict_proba
        Not fitted: all samples get 0.
    X, **predict_proba_kwargs
        As in `classifier_uncertainty`.

    Returns
    -------
    margin : ndarray of shape (n_samples,)
        In [0, 1]; 0 with a single class.

    Raises
    ------
    CapabilityError
        If the classifier has no class probabilities; a `TypeError`.

    References
    ----------
    Scheffer et al., "Active hidden Markov models for information extraction", 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.uncertainty import classifier_margin
    >>> X, y = np.arange(10.0).reshape(-1, 1), [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]
    >>> model = KNeighborsClassifier(5).fit(X, y)
    >>> pool = np.array([[2.0], [4.0], [7.0]])
    >>> model.predict_proba(pool).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0], [0.0, 0.6, 0.2, 0.2]]
    >>> classifier_margin(model, pool).round(3).tolist()
    [1.0, 0.2, 0.4]
    """
    return _measured(_proba_margin, 0.0, classifier, X, predict_proba_kwargs)


def classifier_entropy(classifier: Any, X: Any, **predict_proba_kwargs: Any) -> NDArray:
    """Entropy −Σ p log p of each sample, in nats.

    Parameters
    ----------
    classifier : anything with predict_proba
        Not fitted: all samples get 0.
    X, **predict_proba_kwargs
        As in `classifier_uncertainty`.

    Returns
    -------
    entropy : ndarray of shape (n_samples,)
        In [0, log(n_classes)]. Rows of probabilities are divided by their sum before.

    Raises
    ------
    CapabilityError
        If the classifier has no class probabilities; a `TypeError`.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.uncertainty import classifier_entropy
    >>> X, y = np.arange(10.0).reshape(-1, 1), [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]
    >>> model = KNeighborsClassifier(5).fit(X, y)
    >>> pool = np.array([[2.0], [4.0], [7.0]])
    >>> model.predict_proba(pool).tolist()
    [[1.0, 0.0, 0.0, 0.0], [0.6, 0.4, 0.0, 0.0], [0.0, 0.6, 0.2, 0.2]]
    >>> classifier_entropy(model, pool).round(3).tolist()
    [0.0, 0.673, 0.95]
    """
    return _measured(_proba_entropy, 0.0, classifier, X, predict_proba_kwargs)


def uncertainty_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the smallest largest probability.

    Parameters
    ----------
    classifier : learner or anything with predict_proba
    X : array-like of shape (n_pool, ...)
    n_instances : int, default=1
    random_tie_break : bool, default=False
        Equal utilities in random order, the best last; else the first first.
    random_state : None, int or RandomState, default=None
        For ties. ``None`` is NumPy's global generator, as in modAL.
    **uncertainty_measure_kwargs
        Passed to ``predict_proba``.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    utilities : ndarray of shape (n_instances,)
        1 − max p of each.

    Raises
    ------
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.modal.uncertainty import uncertainty_sampling
    >>> X = np.arange(6.0).reshape(-1, 1)
    >>> model = LogisticRegression().fit(X, [0, 0, 0, 0, 1, 1])
    >>> uncertainty_sampling(model, X, n_instances=2)[0]
    array([4, 3])
    """
    utility = classifier_uncertainty(classifier, X, **uncertainty_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state)


def margin_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the smallest margin p₁ − p₂.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, random_state, **uncertainty_measure_kwargs
        As in `uncertainty_sampling`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Smallest margin first; with `random_tie_break` last.
    margins : ndarray of shape (n_instances,)
        `classifier_margin` of each.

    Raises
    ------
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    References
    ----------
    Scheffer et al., "Active hidden Markov models for information extraction", 2001.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.uncertainty import margin_sampling
    >>> X, y = np.arange(10.0).reshape(-1, 1), [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(5), query_strategy=margin_sampling, X_training=X, y_training=y)
    >>> pool = np.array([[2.0], [4.0], [7.0]])
    >>> query_idx, query_instance, margins = learner.query(pool, return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), margins.round(3).tolist()
    ([1], [[4.0]], [0.2])
    """
    utility = classifier_margin(classifier, X, **uncertainty_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state, smallest=True)


def entropy_sampling(
    classifier: Any,
    X: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
    **uncertainty_measure_kwargs: Any,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest entropy.

    Parameters
    ----------
    classifier, X, n_instances, random_tie_break, random_state, **uncertainty_measure_kwargs
        As in `uncertainty_sampling`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
        Largest entropy first; with `random_tie_break` last.
    entropies : ndarray of shape (n_instances,)
        `classifier_entropy` of each, in nats.

    Raises
    ------
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.uncertainty import entropy_sampling
    >>> X, y = np.arange(10.0).reshape(-1, 1), [0, 0, 0, 0, 0, 1, 1, 1, 2, 3]
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(5), query_strategy=entropy_sampling, X_training=X, y_training=y)
    >>> pool = np.array([[2.0], [4.0], [7.0]])
    >>> query_idx, query_instance, entropies = learner.query(pool, return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), entropies.round(3).tolist()
    ([2], [[7.0]], [0.95])
    """
    utility = classifier_entropy(classifier, X, **uncertainty_measure_kwargs)
    return pick(utility, n_instances, random_tie_break, random_state)


def _measured(
    measure: Callable[[NDArray], NDArray],
    if_unfitted: float,
    classifier: Any,
    X: Any,
    kwargs: dict[str, Any],
) -> NDArray:
    caller = measure.__name__.replace("_proba", "classifier")
    try:
        proba = class_proba(classifier, X, caller, **kwargs)
    except UNFITTED:
        return np.full(n_rows(X), if_unfitted)
    return measure(proba)
