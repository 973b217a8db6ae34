"""Class labels of any kind."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d

UNLABELED = -1  # scikit-learn's mark of a sample without a label


def unknown_labels(y: NDArray, classes: NDArray) -> list:
    """Labels in `y` that are not among `classes`, sorted; ``1`` and ``"1"`` are different."""
    known = set(np.asarray(classes).tolist())
    unknown = [label for label in dict.fromkeys(np.asarray(y).tolist()) if label not in known]
    return sorted(unknown, key=lambda label: (isinstance(label, str), label))


def encode_labels(y: Any, classes: Any) -> NDArray[np.intp]:
    """Column of each label among `classes`, in any order they have.

    Raises
    ------
    ValueError
        If `y` is not 1-d (a single column is, with scikit-learn's warning), or holds missing
        labels or any that are not among `classes`: they would count as mistakes of the model.
    """
    labels = column_or_1d(y, warn=True).tolist()
    refuse_missing_labels(labels)
    position = {label: column for column, label in enumerate(np.asarray(classes).tolist())}
    unknown = unknown_labels(np.array(labels, dtype=object), classes)
    if unknown:
        raise ValueError(
            f"y holds labels the estimator does not know: {_named(unknown)}; it knows "
            f"{_named(list(position))}. Pass labels as they were in fit, of the same type. Classes "
            "it has not seen yet can be declared (ActiveLearner(classes=…)), or left out here."
        )
    return np.array([position[label] for label in labels], dtype=np.intp)


def refuse_missing_labels(labels: Any) -> None:
    """Raise a `ValueError` if any label is None or NaN."""
    missing = sum(map(_is_missing, labels))
    if missing:
        raise ValueError(
            f"y holds None or NaN for {missing} of {len(labels)} samples: their labels are "
            "missing. Leave these samples out."
        )


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ == "NAType" or label != label


def _named(labels: list) -> str:
    """The first few, each as it is written in Python: ``'3'`` is no ``3``."""
    more = f", … ({len(labels)} in all)" if len(labels) > 10 else ""
    return f"[{', '.join(map(repr, labels[:10]))}{more}]"


def unlabelled(y: Any, classes: Any = None) -> NDArray[np.bool_]:
    """Which samples have the mark for a label: none where -1 is one of the declared `classes`.

    Among strings, in an array of objects, the number is the mark.
    """
    y = np.asarray(y)
    declared = classes is not None and UNLABELED in np.asarray(classes).tolist()
    if declared or y.dtype.kind not in "iufO" or y.ndim != 1:
        return np.zeros(y.shape[:1], dtype=bool)
    if y.dtype.kind == "O":
        return np.array([isinstance(mark, Real) and mark == UNLABELED for mark in y], dtype=bool)
    return y == UNLABELED


def aligned_proba(proba: NDArray, known: NDArray, classes: NDArray) -> NDArray:
    """Columns of `proba` for all `classes`: 0 for those the estimator does not know.

    Parameters
    ----------
    proba : ndarray of shape (..., n_known)
    known : array-like of shape (n_known,)
        The label of each column.
    classes : array-like of shape (n_classes,)
        The labels wanted, in that order. What is known beside them is left out.

    Returns
    -------
    aligned : ndarray of shape (..., n_classes)
        `proba` itself where nothing has to be moved.
    """
    known, classes = np.asarray(known), np.asarray(classes)
    if np.array_equal(known, classes):
        return proba
    position = {label: i for i, label in enumerate(known.tolist())}
    aligned = np.zeros((*proba.shape[:-1], len(classes)), dtype=proba.dtype)
    for column, label in enumerate(classes.tolist()):
        if label in position:
            aligned[..., column] = proba[..., position[label]]
    return aligned
