"""The pool of the last query, handed on to estimators that learn from unlabelled samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from ._extras import row_digests
from ._training import final_step
from .utils.indexing import Rows, n_rows, stack_rows
from .utils.inputs import as_batch

_UNLABELED = -1
_AT_ONCE = 1024


def check_learns_from_pool(estimator: Any) -> None:
    """Raise unless `estimator` learns from unlabelled samples.

    Raises
    ------
    TypeError
        If it has no way to.
    ValueError
        If it has one that is switched off.
    """
    final = final_step(estimator)
    if has_fit_parameter(final, "X_unlabeled"):
        if final.get_params(deep=False).get("unlabeled", "") is None:
            raise ValueError(
                f"use_pool=True hands the pool on, but this {type(final).__name__} has "
                "unlabeled=None and would not learn from it. Set unlabeled='rst' in it."
            )
    elif not type(final).__module__.startswith("sklearn.semi_supervised"):
        raise TypeError(
            f"use_pool=True hands the pool on, but {type(final).__name__} does not learn from "
            "unlabelled samples. Use AdversarialNetClassifier(unlabeled=…) or one of "
            "sklearn.semi_supervised, or use_pool=False."
        )


def unlabeled_rows(pool: Rows | None, X_labeled: Any) -> Rows | None:
    """The rows of a pool whose content is not among the labelled ones; None if there are none."""
    if pool is None:
        return None
    taught = set(row_keys(X_labeled))
    left = np.fromiter((key not in taught for key in row_keys(pool)), dtype=bool, count=len(pool))
    return pool.subset(np.flatnonzero(left)) if left.any() else None


def row_keys(X: Any) -> Iterator[Any]:
    """Something hashable for each row, the same for the same content."""
    for _, rows in Rows.of(X).batches(_AT_ONCE):
        array = rows.toarray() if sp.issparse(rows) else np.asarray(as_batch(rows))
        if array.dtype.kind in "biufc":
            yield from row_digests(array)
        else:
            yield from (repr(row) for row in array.reshape(len(array), -1).tolist())


def with_pool(
    estimator: Any, pool: Rows | None, X: Any, y: NDArray, weights: NDArray | None
) -> tuple[Any, NDArray, NDArray | None, dict[str, Any]]:
    """Training data and fit parameters with the pool in them, in the form `estimator` takes.

    A net gets ``X_unlabeled``, nothing copied. Inside a Pipeline, whose earlier steps must see
    the pool too, and for scikit-learn's estimators it is stacked below `X` with ``y == -1``.
    """
    if pool is None:
        return X, y, weights, {}
    if not isinstance(estimator, Pipeline) and has_fit_parameter(estimator, "X_unlabeled"):
        return X, y, weights, {"X_unlabeled": pool}
    if _UNLABELED in y.tolist():
        raise ValueError(
            "use_pool=True marks samples of the pool with the label -1 here, but -1 is a class. "
            "Encode the labels, or use an AdversarialNetClassifier outside of a Pipeline."
        )
    # scikit-learn's convention for strings: an array of objects, with the number -1 in it.
    y = y if y.dtype.kind in "iuf" else y.astype(object)
    marks = np.full(len(pool), _UNLABELED)
    if weights is not None:
        weights = np.concatenate([weights, np.ones(len(pool))])
    return stack_rows(X, pool.materialise()), np.concatenate([y, marks]), weights, {}


def n_pseudo_labels(estimator: Any, pool: Rows | None) -> int:
    """How many samples of the pool the estimator was taught under a label of its own making."""
    if pool is None:
        return 0
    return int(getattr(final_step(estimator), "n_pseudo_labels_", n_rows(pool)))
