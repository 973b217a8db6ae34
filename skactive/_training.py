"""Train an estimator cold or warm, and see through Pipelines while doing so."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .utils.random_state import derive_seed


def final_step(estimator: Any) -> Any:
    """The last step of a Pipeline; any other estimator itself."""
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def seeded_clone(estimator: Any, seed: int | None) -> Any:
    """Clone `estimator`; give every ``random_state`` left at ``None`` a seed of its own."""
    fresh = clone(estimator)
    if seed is None:
        return fresh
    unset = sorted(
        name
        for name, value in fresh.get_params(deep=True).items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    )
    if unset:
        fresh.set_params(**{name: derive_seed(seed, i) for i, name in enumerate(unset)})
    return fresh


def check_warm_startable(estimator: Any) -> None:
    """Raise unless training `estimator` can be continued."""
    final = final_step(estimator)
    if not (hasattr(final, "partial_fit") or "warm_start" in final.get_params(deep=False)):
        raise TypeError(
            f"warm_start=True continues the training of {type(final).__name__}, but it has "
            "neither partial_fit nor a warm_start parameter. Use warm_start=False."
        )


def continue_training(
    estimator: Any,
    X: Any,
    y: Any,
    classes: Any,
    changed: dict[str, Any],
    fit_params: dict[str, Any],
) -> Any:
    """A trained-on copy of `estimator`; the original stays as it is, whatever happens.

    Nets keep their weights and the state of their optimiser; the earlier steps of a Pipeline
    are fitted anew on `X`. Parameters in `changed` are set first; ``step__name`` in `fit_params`
    goes to that step, as in a Pipeline.
    """
    trained = copy.deepcopy(estimator)
    if changed:
        trained.set_params(**changed)
    final = final_step(trained)
    if final is not trained:
        for name, step in trained.steps[:-1]:
            if step is not None and step != "passthrough":
                own, fit_params = _split_params(fit_params, name)
                X = step.fit(X, y, **own).transform(X)
        own, fit_params = _split_params(fit_params, trained.steps[-1][0])
        fit_params = {**fit_params, **own}
    if hasattr(final, "partial_fit"):
        final.partial_fit(X, y, classes=classes, **fit_params)
    else:
        final.set_params(warm_start=True).fit(X, y, **fit_params)
    return trained


def _split_params(params: dict[str, Any], step: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Parameters written ``step__name``, without the prefix; and all others."""
    prefix = f"{step}__"
    own = {name[len(prefix) :]: value for name, value in params.items() if name.startswith(prefix)}
    return own, {name: value for name, value in params.items() if not name.startswith(prefix)}


def changed_params(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Parameters of `after` that differ from `before`; nested ones only where their owner stays."""
    changed = {
        name: value
        for name, value in after.items()
        # skorch makes its default callbacks anew each time it is asked for them.
        if "callbacks__" not in name and (name not in before or not _same(before[name], value))
    }
    return {
        name: value
        for name, value in changed.items()
        if not any(name.startswith(f"{owner}__") for owner in changed)
    }


def _same(first: Any, second: Any) -> bool:
    if first is second:
        return True
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    try:
        return bool(first == second)
    except (TypeError, ValueError):
        return False
