"""Class labels of any kind."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from skorch import NeuralNetClassifier

from .indexing import n_rows

UNLABELED = -1  # scikit-learn's mark of a sample without a label


def as_labels(X: Any, y: Any, classes: NDArray | None = None) -> NDArray:
    """`y` as a 1-d array of labels, one for each row of `X`, all of `classes`; raise otherwise."""
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. Pass the labels."
        )
    y = column_or_1d(y, warn=True)
    refuse_missing_labels(y)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if n_rows(X) != len(y):
        raise ValueError(
            f"X and y must have the same number of samples: X has {n_rows(X)}, y has {len(y)}."
        )
    if classes is not None and (unknown := unknown_labels(y, classes)):
        raise ValueError(
            f"y holds labels that were never seen in fit: {unknown}; known are "
            f"{classes.tolist()}. Declare all labels with ActiveLearner(classes=…), or call fit "
            "again with samples of every class."
        )
    return y


def unknown_labels(y: NDArray, classes: NDArray) -> list:
    """Labels in `y` that are not among `classes`, sorted; ``1`` and ``"1"`` are different."""
    known = set(np.asarray(classes).tolist())
    unknown = [label for label in dict.fromkeys(np.asarray(y).tolist()) if label not in known]
    return sorted(unknown, key=lambda label: (isinstance(label, str), label))


def output_labels(classifier: Any, n_outputs: int = 0) -> NDArray:
    """Label of each output of a fitted classifier, of skorch's own those never taught included."""
    classes = np.asarray(classifier.classes_)
    plain = getattr(type(classifier), "classes_", None) is NeuralNetClassifier.classes_
    if plain and classes.dtype.kind in "iu" and classes.size and classes.min() >= 0:
        return np.arange(max(classes.max() + 1, n_outputs))
    return classes


def encode_labels(y: Any, classes: Any) -> NDArray[np.intp]:
    """Column of each label among `classes`, in any order they have.

    Raises
    ------
    ValueError
        If `y` is not 1-d (a single column is, with scikit-learn's warning), or holds missing
        labels or any that are not among `classes`: they would count as mistakes of the model.
    """
    y = column_or_1d(y, warn=True)
    refuse_missing_labels(y)
    labels = y.tolist()
    position = {label: column for column, label in enumerate(np.asarray(classes).tolist())}
    unknown = unknown_labels(np.array(labels, dtype=object), classes)
    if unknown:
        raise ValueError(
            f"y holds labels the estimator does not know: {_named(unknown)}; it knows "
            f"{_named(list(position))}. Pass labels as they were in fit, of the same type. Classes "
            "it has not seen yet can be declared (ActiveLearner(classes=…)), or left out here."
        )
    return np.array([position[label] for label in labels], dtype=np.intp)


def refuse_missing_labels(y: NDArray) -> None:
    """Raise a `ValueError` if samples have None, NaN or an empty text for a label."""
    if y.dtype.kind in "iub":
        return
    missing = [(i, label) for i, label in enumerate(y.tolist()) if _is_missing(label)]
    if missing:
        kinds = sorted({"NaN" if _is_nan(label) else repr(label) for _, label in missing})
        at = ", ".join(str(i) for i, _ in missing[:5]) + (", …" if len(missing) > 5 else "")
        raise ValueError(
            f"y holds {' or '.join(kinds)} for {len(missing)} of {len(y)} samples (at {at}): are "
            "they unlabelled? Have them labelled, or leave these samples out."
        )


def _is_missing(label: Any) -> bool:
    return _is_nan(label) or label is None or (isinstance(label, str) and not label)


def _is_nan(label: Any) -> bool:
    if type(label).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(label, float) and label != label


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
