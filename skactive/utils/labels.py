"""Class labels of any kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unknown_labels(y: NDArray, classes: NDArray) -> list:
    """Labels in `y` that are not among `classes`, sorted; ``1`` and ``"1"`` are different."""
    known = set(np.asarray(classes).tolist())
    return [label for label in np.unique(y).tolist() if label not in known]


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
