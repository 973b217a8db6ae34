"""Labels and rows as a learner takes them: checked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import assert_all_finite, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from skorch.helper import SliceDataset
from torch.utils.data import Dataset

from ..utils.indexing import n_rows
from ..utils.labels import unknown_labels


def as_labels(estimator: Any, X: Any, y: Any) -> NDArray:
    """`y` as a 1-d array of class labels, one for each row of `X`; raise if it is none."""
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but the target y "
            "is None."
        )
    y = column_or_1d(y, warn=True)
    _refuse_missing(y)
    assert_all_finite(y, input_name="y")
    check_classification_targets(y)
    if n_rows(X) != len(y):
        raise ValueError(
            f"X and y must have the same number of samples: X has {n_rows(X)}, y has {len(y)}."
        )
    return y


def _refuse_missing(y: NDArray) -> None:
    """Raise if samples have None, NaN or an empty text for a label."""
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


def refuse_unknown_labels(y: NDArray, classes: NDArray) -> None:
    """Raise if `y` holds labels that are not among `classes`."""
    unknown = unknown_labels(y, classes)
    if unknown:
        raise ValueError(
            f"y holds labels that were never seen in fit: {unknown}; known are "
            f"{classes.tolist()}. Declare all labels with ActiveLearner(classes=…), or call fit "
            "again with samples of every class."
        )


@contextlib.contextmanager
def explained_single_class(y: NDArray) -> Iterator[None]:
    """Say, when an estimator refuses labels of one class alone, what a learner can do about it."""
    try:
        yield
    except ValueError as error:
        present = np.unique(y)
        if len(present) != 1:
            raise
        raise ValueError(
            f"{error} The labelled set holds a single class, {present.tolist()}: begin with "
            "samples of at least two, which a larger or a stratified first set has."
        ) from error


def check_row_shape(X: Any, X_labeled: Any, name: str = "X_pool") -> None:
    """Raise if the rows of `X` have another shape than those labelled already."""
    if any(isinstance(rows, (Dataset, SliceDataset)) for rows in (X, X_labeled)):
        return  # where they have a shape, it is their length alone
    expected, got = getattr(X_labeled, "shape", None), getattr(X, "shape", None)
    if expected is not None and got is not None and tuple(expected[1:]) != tuple(got[1:]):
        last = len(got) == 4 and (got[3], *got[1:3]) == tuple(expected[1:])
        raise ValueError(
            f"{name} has rows of shape {tuple(got[1:])}, but the labelled samples have rows of "
            f"shape {tuple(expected[1:])}. Pass samples of the same kind"
            f"{': channels come first, X.transpose(0, 3, 1, 2)' if last else ''}."
        )
