"""Sample weights, handed to the estimator that trains."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn import get_config
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter


def as_is_params(estimator: Any, as_is: NDArray | None) -> dict[str, Any]:
    """Fit parameters that tell a net which samples not to attack; none for those that never do."""
    final = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if as_is is None or not has_fit_parameter(final, "as_is"):
        return {}
    return _for_last_step(estimator, "as_is", as_is)


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
    final = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if not has_fit_parameter(final, "sample_weight"):
        raise TypeError(
            f"sample_weight was passed, but {type(final).__name__}.fit does not take it. Leave it "
            "out, or use a classifier that does."
        )
    return _for_last_step(estimator, "sample_weight", weights)


def _for_last_step(estimator: Any, name: str, value: NDArray) -> dict[str, Any]:
    if isinstance(estimator, Pipeline) and not get_config()["enable_metadata_routing"]:
        return {f"{estimator.steps[-1][0]}__{name}": value}
    return {name: value}
