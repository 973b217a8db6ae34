"""Sample weights: checked, kept beside the labelled set, handed to the estimator that trains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def check_weights(weights: Any, n: int, what: str = "sample") -> NDArray | None:
    """Weights as floats, one for each of `n` rows; ``None`` stays ``None``.

    Raises
    ------
    ValueError
        If they are not one number a row. Their range is the estimator's to judge.
    """
    if weights is None:
        return None
    checked = np.asarray(weights, dtype=float)
    if checked.shape != (n,):
        raise ValueError(
            f"sample_weight must hold one number per {what}, shape ({n},), got shape "
            f"{checked.shape}."
        )
    return checked


def joined_weights(old: NDArray | None, n_old: int, new: Any, n_new: int) -> NDArray | None:
    """Weights of the old samples, then of the new ones; missing ones are 1."""
    new = check_weights(new, n_new, "new sample")
    if old is None and new is None:
        return None
    return np.concatenate(
        [np.ones(n_old) if old is None else old, np.ones(n_new) if new is None else new]
    )


def training_weights(weights: NDArray | None, n_bought: int, n_train: int) -> NDArray | None:
    """The last `n_bought` weights; then 1 for the twins and pseudo-labelled rows behind them."""
    if weights is None:
        return None
    return np.concatenate([weights[len(weights) - n_bought :], np.ones(n_train - n_bought)])


def weight_params(estimator: Any, weights: NDArray | None) -> dict[str, Any]:
    """Fit parameters that hand weights to the final step; none for ``None``.

    With scikit-learn's metadata routing switched on, a Pipeline decides by the requests of its
    steps who gets them; otherwise its last step does.

    Raises
    ------
    TypeError
        If that estimator takes no sample weights.
    """
    if weights is None:
        return {}
    in_pipeline = isinstance(estimator, Pipeline)
    name, final = estimator.steps[-1] if in_pipeline else ("", estimator)
    if not has_fit_parameter(final, "sample_weight"):
        raise TypeError(
            f"sample_weight was passed, but {type(final).__name__}.fit does not take it. Leave it "
            "out, or use a classifier that does."
        )
    if in_pipeline and not get_config()["enable_metadata_routing"]:
        return {f"{name}__sample_weight": weights}
    return {"sample_weight": weights}
