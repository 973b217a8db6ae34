"""Train an estimator cold or warm, and see through Pipelines while doing so."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline

from ..utils.random_state import derive_seed


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


# Their ``warm_start`` goes on from the coefficients there are, on whatever data it is given. That
# of a forest, of boosting, or of an estimator nobody knows may only add members to the old ones.
_GOES_ON = (LogisticRegression, MLPClassifier)
# What an MLP stops by, and the worst it can be: kept from the old data, it would end a training on
# harder ones at once, or put the old weights back.
_BEST = {"best_loss_": np.inf, "best_validation_score_": -np.inf}


def check_warm_startable(estimator: Any) -> None:
    """Raise unless training `estimator` can be continued on other data."""
    final = final_step(estimator)
    if not _goes_on(final):
        why = "it has neither partial_fit nor a warm_start parameter"
        if "warm_start" in final.get_params(deep=False):
            why = "its warm_start would add to what it learned of the old data, not learn new data"
        raise TypeError(
            f"warm_start=True continues the training of {type(final).__name__}, but {why}. Use "
            "warm_start=False, which trains it afresh on all labelled samples."
        )


def trains_warm(
    warm_start: bool | str,
    estimator: Any,
    fitted: Any,
    changed: dict[str, Any],
    y: NDArray,
    only_new: bool = False,
) -> bool:
    """Whether the next training, on labels `y`, goes on from `fitted` or begins afresh.

    ``"auto"`` goes on wherever that means to learn from the data that are given. Whatever was
    asked, training begins afresh where there is nothing to go on from: with another estimator,
    with changed steps before it, with labels it has no outputs for, and for naive Bayes, which
    counts rows and, unless they are `only_new`, would count the old ones twice.
    """
    final = final_step(estimator)
    asked = bool(warm_start) and (warm_start != "auto" or _goes_on(final))
    if only_new:
        asked = asked or hasattr(final, "partial_fit")
    elif _counts_rows(final):
        return False
    return asked and not _begins_anew(estimator, fitted, changed) and _has_outputs_for(fitted, y)


def _goes_on(final: Any) -> bool:
    return hasattr(final, "partial_fit") or isinstance(final, _GOES_ON)


def _has_outputs_for(fitted: Any, y: NDArray) -> bool:
    """Whether the labels are among those trained on; without partial_fit, whether all are there."""
    final = final_step(fitted)
    known = np.asarray(getattr(final, "classes_", y))
    return bool(np.isin(y, known).all()) and (
        hasattr(final, "partial_fit") or bool(np.isin(known, y).all())
    )


def _counts_rows(final: Any) -> bool:
    inner = getattr(final, "estimator", final)  # one of them a class
    return any(kind.__module__ == "sklearn.naive_bayes" for kind in type(inner).__mro__)


def _begins_anew(estimator: Any, fitted: Any, changed: dict[str, Any]) -> bool:
    """Whether a step was replaced, or one before the last changed."""
    if type(final_step(estimator)) is not type(final_step(fitted)):
        return True
    if not isinstance(estimator, Pipeline):
        return False
    last = estimator.steps[-1][0]
    return any(not name.startswith(f"{last}__") for name in changed)


def continue_training(
    estimator: Any,
    X: Any,
    y: Any,
    classes: Any,
    changed: dict[str, Any],
    fit_params: dict[str, Any],
) -> Any:
    """A trained-on copy of `estimator`; the original stays as it is, whatever happens.

    Nets keep their weights and the state of their optimiser. The earlier steps of a Pipeline stay
    as they were fitted: the weights of the last step were made for what they give. Parameters in
    `changed` are set first; ``step__name`` in `fit_params` goes to the last step, as in a
    Pipeline, and to none before it.
    """
    trained = copy.deepcopy(estimator)
    if changed:
        trained.set_params(**changed)
    final = final_step(trained)
    if final is not trained:
        for name, step in trained.steps[:-1]:
            _, fit_params = _split_params(fit_params, name)
            if step is not None and step != "passthrough":
                X = step.transform(X)
        own, fit_params = _split_params(fit_params, trained.steps[-1][0])
        fit_params = {**fit_params, **own}
    if isinstance(final, _GOES_ON) and len(np.unique(y)) == len(final.classes_):
        _fit_on(final, X, y, fit_params)
    else:
        final.partial_fit(X, y, classes=classes, **fit_params)
    return trained


def _fit_on(final: Any, X: Any, y: Any, fit_params: dict[str, Any]) -> None:
    """Fit from the present coefficients; partial_fit would be a single pass over the data."""
    asked = final.warm_start
    for name, worst in _BEST.items():
        if getattr(final, name, None) is not None:
            setattr(final, name, worst)
    final.set_params(warm_start=True).fit(X, y, **fit_params)
    final.set_params(warm_start=asked)


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
