"""Labels and rows as a learner takes them: checked, and joined for training."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from .utils.indexing import n_rows, stack_rows
from .utils.inputs import as_batch
from .utils.labels import unknown_labels


def as_labels(estimator: Any, X: Any, y: Any) -> NDArray:
    """`y` as a 1-d array of class labels, one for each row of `X`; raise if it is none."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    y = column_or_1d(y, warn=True)
    if y.dtype == object and any(label is None for label in y):
        raise ValueError(
            f"y holds None for {sum(label is None for label in y)} of {len(y)} samples: their "
            "labels are missing. Have them labelled, or leave these samples out."
        )
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if n_rows(X) != len(y):
        raise ValueError(
            f"X and y must have the same number of samples: X has {n_rows(X)}, y has {len(y)}."
        )
    return y


def refuse_unknown_labels(y: NDArray, classes: NDArray) -> None:
    """Raise if `y` holds labels that are not among `classes`."""
    unknown = unknown_labels(y, classes)
    if unknown:
        raise ValueError(
            f"y holds labels that were never seen in fit: {unknown}; known are "
            f"{classes.tolist()}. Declare all labels with ActiveLearner(classes=…), or call fit "
            "again with samples of every class."
        )


def check_row_shape(X: Any, X_labeled: Any, name: str = "X_pool") -> None:
    """Raise if the rows of `X` have another shape than those labelled already."""
    expected, got = getattr(X_labeled, "shape", None), getattr(X, "shape", None)
    if expected is not None and got is not None and tuple(expected[1:]) != tuple(got[1:]):
        raise ValueError(
            f"{name} has rows of shape {tuple(got[1:])}, but the labelled samples have rows of "
            f"shape {tuple(expected[1:])}. Pass samples of the same kind."
        )


def stack_all(base: tuple, *others: tuple | None) -> tuple[Any, NDArray]:
    """Samples and labels of all parts that there are, one below the other."""
    X, y = base
    for extra in others:
        if extra is not None:
            X, y = _stacked(X, extra[0]), np.concatenate([y, extra[1]])
    return X, y


def _stacked(X: Any, more: Any) -> Any:
    """`more` below `X`; perturbed samples are floats, whatever the samples they stem from."""
    if str(getattr(X, "dtype", "")).endswith("uint8") and "float" in str(
        getattr(more, "dtype", "")
    ):
        X = as_batch(X)
    if hasattr(X, "iloc") and not hasattr(more, "iloc"):
        more = type(X)(np.asarray(more), columns=X.columns)
    return stack_rows(X, more)
