"""Whether training can go on from a fitted estimator, and going on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback

from ._training import TrainingData, final_step

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
    estimator: Any, data: TrainingData, classes: NDArray, fit_params: dict[str, Any]
) -> None:
    """Train a fitted estimator on.

    Nets keep their weights and the state of their optimiser. The earlier steps of a Pipeline stay
    as they were fitted: the weights of the last step were made for what they give. ``step__name``
    in `fit_params` goes to the last step, as in a Pipeline, and to none before it.
    """
    final, X, y = final_step(estimator), data.X, data.y
    if final is not estimator:
        for name, step in estimator.steps[:-1]:
            _, fit_params = _split_params(fit_params, name)
            if step is not None and step != "passthrough":
                X = step.transform(X)
        own, fit_params = _split_params(fit_params, estimator.steps[-1][0])
        fit_params = {**fit_params, **own}
    if isinstance(final, _GOES_ON) and len(np.unique(y)) == len(final.classes_):
        _fit_on(final, X, y, fit_params)
    else:
        # Those it has outputs for, all labels among them: scikit-learn's refuse to hear of others.
        known = getattr(final, "classes_", classes)
        final.partial_fit(X, y, classes=known, **fit_params)


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
        if name not in before or not _same(before[name], value)
    }
    return {
        name: value
        for name, value in changed.items()
        # Of callbacks, a list, the parameters are set beside it.
        if not any(name.startswith(f"{o}__") for o in changed if o.split("__")[-1] != "callbacks")
    }


def _same(first: Any, second: Any) -> bool:
    if first is second:
        return True
    if isinstance(first, Callback) and type(first) is type(second):
        return True  # nets copy their callbacks, whose parameters have names of their own
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.array_equal(first, second)
    try:
        return bool(first == second)
    except (TypeError, ValueError):
        return False
