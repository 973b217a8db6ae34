"""What an estimator is trained on, and what of it is trained: seen through Pipelines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import cycle
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from ..utils.compat import is_search
from ..utils.indexing import Rows, take_rows
from ..utils.inputs import bytes_as_numbers, frame_of
from ..utils.labels import UNLABELED, unlabelled
from ..utils.random_state import derive_seed
from ..utils.stacking import stack_rows


@dataclass(frozen=True)
class TrainingData:
    """Samples to train on.

    Attributes
    ----------
    X : container of shape (n_samples, ...)
    y : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,) or None
    as_is : ndarray of bool of shape (n_samples,) or None
        Samples that are adversarial examples already, not to be attacked again.
    pool : Rows or None
        Samples without a label.
    n_pseudo : int
        How many of the samples have a label of the model's own making.
    pixels : bool
        Whether the estimator reads bytes (uint8) as numbers in [0, 1].
    """

    X: Any
    y: NDArray
    weights: NDArray | None = None
    as_is: NDArray | None = None
    pool: Rows | None = None
    n_pseudo: int = 0
    pixels: bool = field(default=False, kw_only=True)

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray) -> TrainingData:
        """Some of the samples, or some of them several times."""
        weights = None if self.weights is None else self.weights[rows]
        as_is = None if self.as_is is None else self.as_is[rows]
        return replace(
            self, X=take_rows(self.X, rows), y=self.y[rows], weights=weights, as_is=as_is
        )

    def below(self, X: Any, y: NDArray, *, as_is: bool = False) -> TrainingData:
        """Put others below these samples, counting 1; all of them `as_is` or none."""
        above, below = bytes_as_numbers(self.X, X, pixels=self.pixels)
        weights = self.weights
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(y))])
        masks = self.as_is
        if masks is not None or as_is:
            masks = np.zeros(len(self), dtype=bool) if masks is None else masks
            masks = np.concatenate([masks, np.full(len(y), as_is)])
        if hasattr(above, "columns") and not hasattr(below, "columns"):
            # Twins are arrays, whatever the samples they stem from.
            below = frame_of(np.asarray(below), above)
        labels = np.concatenate([self.y, y])
        return replace(self, X=stack_rows(above, below), y=labels, weights=weights, as_is=masks)

    def with_pool(self, pool: Rows | None, estimator: Any) -> TrainingData:
        """These and the samples of a pool, in the form that `estimator` takes them in.

        For a net they are kept apart, nothing copied. Inside a Pipeline, whose earlier steps must
        see the pool too, and for scikit-learn's estimators it is stacked below with ``y == -1``.
        """
        own = replace(self, pool=pool)
        if pool is None or _takes_pool(estimator):
            return own
        if self.y.dtype.kind == "b" or unlabelled(self.y).any():
            taken = "labels are booleans" if self.y.dtype.kind == "b" else "-1 is a class"
            raise ValueError(
                f"use_pool=True marks samples of the pool with the label -1 here, but {taken}. "
                "Encode the labels, or use an AdversarialNetClassifier outside of a "
                "Pipeline."
            )
        # scikit-learn's convention for strings: an array of objects, with the number -1 in it.
        y = self.y if self.y.dtype.kind in "iuf" else self.y.astype(object)
        return replace(own, y=y).below(pool.materialise(), np.full(len(pool), UNLABELED))

    def fit_params(self, estimator: Any) -> dict[str, Any]:
        """Weights, samples not to be attacked and the pool, as parameters of its ``fit``.

        With scikit-learn's metadata routing switched on, a Pipeline decides by the requests of
        its steps who gets them; otherwise its last step does.

        Raises
        ------
        TypeError
            If there are weights, and the estimator takes none.
        """
        final = final_step(estimator)
        params: dict[str, Any] = {}
        if self.weights is not None:
            if not has_fit_parameter(final, "sample_weight"):
                raise TypeError(
                    f"sample_weight was passed, but {type(final).__name__}.fit does not take it. "
                    "Leave it out, or use a classifier that does."
                )
            params["sample_weight"] = self.weights
        if self.as_is is not None and has_fit_parameter(final, "as_is"):
            params["as_is"] = self.as_is
        if final is not estimator and not get_config()["enable_metadata_routing"]:
            params = {f"{estimator.steps[-1][0]}__{name}": of for name, of in params.items()}
        if self.pool is not None and _takes_pool(estimator):
            params["X_unlabeled"] = self.pool
        return params

    def n_pseudo_labels(self, fitted: Any) -> int:
        """How many samples an estimator was taught under a label of the model's own making."""
        if self.pool is None:
            return self.n_pseudo
        return self.n_pseudo + int(getattr(final_step(fitted), "n_pseudo_labels_", len(self.pool)))


def _takes_pool(estimator: Any) -> bool:
    return not isinstance(estimator, Pipeline) and has_fit_parameter(estimator, "X_unlabeled")


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


def reads_pixels(estimator: Any) -> bool:
    """Whether `estimator` reads bytes (uint8) as numbers in [0, 1]: our nets, as a first step."""
    if is_search(estimator):
        return reads_pixels(estimator.estimator)
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
        plain = all(step is None or step == "passthrough" for step in steps[:-1])
        return plain and reads_pixels(steps[-1])
    members = _members(estimator)
    if members:
        return all(reads_pixels(member) for member in members)
    return hasattr(estimator, "as_inputs")


def _members(estimator: Any) -> list:
    """Estimators of a committee, and once it is fitted, its trained members."""
    members = getattr(estimator, "estimators", None)
    if not isinstance(members, list) or not members or isinstance(members[0], tuple):
        return []
    return [*members, *getattr(estimator, "members_", [])]


def check_epochs(estimator: Any, epochs: int | None) -> None:
    """Raise unless `epochs` is a number that all nets in `estimator` can train for, or None."""
    if epochs is None:
        return
    if isinstance(epochs, bool) or not isinstance(epochs, Integral) or epochs < 1:
        raise ValueError(f"epochs must be a positive integer or None, got {epochs!r}.")
    for final in _trained(estimator):
        if "max_epochs" not in final.get_params(deep=False):
            raise ValueError(
                f"epochs was passed, but {type(final).__name__} has no max_epochs. Leave it out."
            )


@contextlib.contextmanager
def trained_for(estimator: Any, epochs: int | None) -> Iterator[None]:
    """Have the nets in `estimator` train for so many epochs inside the block; None: their own."""
    if epochs is None:
        yield
        return
    usual = [net.max_epochs for net in _trained(estimator)]
    for net in _trained(estimator):
        net.set_params(max_epochs=int(epochs))
    yield
    for net, own in zip(_trained(estimator), cycle(usual), strict=False):  # members came twice
        net.set_params(max_epochs=own)


def _trained(estimator: Any) -> list:
    """What is trained in the end: the net in a Pipeline, or those of all members."""
    return [final_step(each) for each in _members(estimator) or [estimator]]


@contextlib.contextmanager
def explained_single_class(y: NDArray) -> Iterator[None]:
    """Say, when an estimator refuses labels of one class alone, what a learner can do about it."""
    try:
        yield
    except ValueError as error:
        present = np.unique(y)
        if len(present) != 1:
            raise
        raise ValueError(
            f"{error} The labelled set holds a single class, {present.tolist()}: begin with "
            "samples of at least two, which a larger or a stratified first set has."
        ) from error
