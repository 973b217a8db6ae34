"""Class probabilities for modAL's measures: asked once, in batches, and clearly refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from skorch.exceptions import NotInitializedError

from ..exceptions import CapabilityError
from ..utils.indexing import Rows, n_rows
from .utils.data import is_dict

UNFITTED = (NotFittedError, NotInitializedError)
_BATCH = 1 << 16  # rows predicted at once: whatever is smaller is asked in one call


def class_proba(classifier: Any, X: Any, caller: str, **kwargs: Any) -> NDArray:
    """``classifier.predict_proba(X, **kwargs)``, shape (n, n_classes).

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    CapabilityError
        If it has no probabilities, or those of several labels.
    """
    check_has_proba(classifier, caller)
    proba = in_batches(classifier.predict_proba, X, **kwargs)
    if isinstance(proba, list) or np.ndim(proba) != 2:
        raise CapabilityError(
            f"{caller} needs one probability per class, shape (n, n_classes); predict_proba "
            f"returned {'a list' if isinstance(proba, list) else f'shape {np.shape(proba)}'}. "
            "For several labels per sample see skactive.modal.multilabel."
        )
    return np.asarray(proba)


def check_has_proba(classifier: Any, caller: str) -> None:
    """Raise a `CapabilityError` unless the classifier has class probabilities."""
    if not hasattr(classifier, "predict_proba"):
        inner = getattr(classifier, "estimator", classifier)
        raise CapabilityError(
            f"{caller} needs class probabilities, but {type(inner).__name__} has no predict_proba. "
            "Use a classifier that has it (CalibratedClassifierCV makes one of any), or "
            "max_std_sampling for a regressor with predict(X, return_std=True)."
        )


def in_batches(function: Callable, X: Any, **kwargs: Any) -> Any:
    """``function(X)``, for a large `X` in several calls."""
    if is_dict(X) or n_rows(X) <= _BATCH:
        return function(X, **kwargs)
    parts = [function(rows, **kwargs) for _, rows in Rows(X).batches(_BATCH)]
    if isinstance(parts[0], list):
        return [np.concatenate(column) for column in zip(*parts, strict=True)]
    return np.concatenate(parts)
