"""The pool of the last query, handed on to estimators that learn from unlabelled samples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from ..utils.indexing import Rows, n_rows
from ..utils.labels import UNLABELED, unlabelled
from ._labeled_set import TrainingData
from ._training import final_step


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


def with_pool(
    estimator: Any, pool: Rows | None, data: TrainingData, *, pixels: bool
) -> tuple[TrainingData, dict[str, Any]]:
    """Training data and fit parameters with the pool in them, in the form `estimator` takes.

    A net gets ``X_unlabeled``, nothing copied. Inside a Pipeline, whose earlier steps must see
    the pool too, and for scikit-learn's estimators it is stacked below the data with ``y == -1``.
    """
    if pool is None:
        return data, {}
    if not isinstance(estimator, Pipeline) and has_fit_parameter(estimator, "X_unlabeled"):
        return data, {"X_unlabeled": pool}
    if unlabelled(data.y).any():
        raise ValueError(
            "use_pool=True marks samples of the pool with the label -1 here, but -1 is a class. "
            "Encode the labels, or use an AdversarialNetClassifier outside of a Pipeline."
        )
    # scikit-learn's convention for strings: an array of objects, with the number -1 in it.
    y = data.y if data.y.dtype.kind in "iuf" else data.y.astype(object)
    marks = np.full(len(pool), UNLABELED)
    return replace(data, y=y).below(pool.materialise(), marks, pixels=pixels), {}


def n_pseudo_labels(estimator: Any, pool: Rows | None) -> int:
    """How many samples of the pool the estimator was taught under a label of its own making."""
    if pool is None:
        return 0
    return int(getattr(final_step(estimator), "n_pseudo_labels_", n_rows(pool)))
