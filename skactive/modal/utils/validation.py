"""Classes of several estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError

from ...utils.labels import aligned_proba


def check_class_labels(*args: Any) -> bool:
    """Whether all estimators know the same classes.

    Parameters
    ----------
    *args : fitted classifiers

    Returns
    -------
    same : bool

    Raises
    ------
    NotFittedError
        If one of them has no ``classes_``.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.utils.validation import check_class_labels
    >>> first = KNeighborsClassifier(1).fit([[0], [1]], ["cat", "dog"])
    >>> second = KNeighborsClassifier(1).fit([[0], [1]], ["cat", "bird"])
    >>> check_class_labels(first, first), check_class_labels(first, second)
    (True, False)
    """
    try:
        classes = [np.asarray(estimator.classes_) for estimator in args]
    except AttributeError as error:
        raise NotFittedError(
            "Not all estimators are fitted: fit them before their classes are compared."
        ) from error
    return all(np.array_equal(classes[0], other) for other in classes[1:])


def check_class_proba(proba: ArrayLike, known_labels: ArrayLike, all_labels: ArrayLike) -> NDArray:
    """Probabilities with a column for each of `all_labels`, 0 where a label is not known.

    Parameters
    ----------
    proba : array-like of shape (n_samples, n_known)
    known_labels : array-like of shape (n_known,)
    all_labels : array-like of shape (n_classes,)

    Returns
    -------
    aligned : ndarray of shape (n_samples, n_classes)

    Examples
    --------
    >>> from skactive.modal.utils.validation import check_class_proba
    >>> check_class_proba([[0.3, 0.7]], known_labels=[0, 2], all_labels=[0, 1, 2])
    array([[0.3, 0. , 0.7]])
    """
    return aligned_proba(np.asarray(proba), np.asarray(known_labels), np.asarray(all_labels))
