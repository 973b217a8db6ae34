"""What every score starts from: an estimator's view, and rows with labels that it knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d

from ..exceptions import CapabilityError
from ..model_view import ModelView
from ..utils.labels import encode_labels, unknown_labels
from ..utils.typing import Estimator, Pool
from ..utils.validation import COUNT, check_constraints
from ..utils.weights import check_weights
from ._in_parts import as_rows, labels_in_memory

CONSTRAINTS = {"batch_size": [COUNT]}
OF_PROGRESS: dict[str, list] = {"progress": ["boolean"]}


class Examined:
    """Rows, the column of each one's label, and the view of the estimator that is scored.

    Parameters
    ----------
    estimator : fitted estimator
    X : rows of any container
    y : array-like of shape (n_samples,)
    batch_size : int
    caller : str
        Who asks, for messages.
    """

    def __init__(self, estimator: Estimator, X: Pool, y: Any, batch_size: int, caller: str) -> None:
        check_constraints(CONSTRAINTS, {"batch_size": batch_size}, caller)
        self.rows, y = as_rows(X, estimator), column_or_1d(labels_in_memory(y), warn=True)
        if len(self.rows) != len(y) or len(y) == 0:
            raise ValueError(
                f"X and y must have the same, non-zero number of samples: X has {len(self.rows)}, "
                f"y has {len(y)}."
            )
        self.view = ModelView.of(estimator, caller=caller, batch_size=batch_size)
        self.y = _encoded(y, _classes(self.view, caller), estimator)


def _classes(view: ModelView, caller: str) -> NDArray:
    found = getattr(view.estimator, "classes_", None)
    if found is None or len(found) == 0 or np.ndim(found[0]) > 0:
        raise CapabilityError(
            f"{caller} needs a classifier with one label a sample, got "
            f"{type(view.estimator).__name__}."
        )
    return view.classes_


def _encoded(y: NDArray, classes: NDArray, estimator: Any) -> NDArray:
    """Column of each label; -1, never right, for those a learner was told of and has not seen."""
    told = unknown_labels(np.asarray(getattr(estimator, "classes_", classes)), classes)
    columns = encode_labels(y, [*np.asarray(classes).tolist(), *told])
    return np.where(columns < len(classes), columns, -1)


def share(correct: NDArray[np.bool_], sample_weight: ArrayLike | None) -> float:
    """Weighted share of true entries.

    Raises
    ------
    ValueError
        If weights are not one finite number >= 0 a sample, or all of them are 0.
    """
    weights = check_weights(sample_weight, len(correct))
    if weights is None:
        return float(correct.mean())
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() == 0:
        raise ValueError(
            "sample_weight must hold finite numbers >= 0, and one of them above 0; got values in "
            f"[{weights.min():g}, {weights.max():g}]."
        )
    return float(np.average(correct, weights=weights))


def refuse_unknown(caller: str, params: dict[str, Any], allowed: set[str], more: str = "") -> None:
    """Raise a TypeError for parameters that a maker of scorers does not take."""
    unknown = sorted(set(params) - allowed)
    if unknown:
        raise TypeError(
            f"{caller} got unexpected {', '.join(unknown)}; it takes {', '.join(sorted(allowed))}."
            f"{more}"
        )
