"""Utilities made of utilities, strategies made of utilities: functions that can be pickled."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from .._errors import InvalidType, InvalidValue


class _Combination:
    """Several utility functions as one."""

    def __init__(self, functions: Sequence[Callable], numbers: Sequence[float] | None, name: str):
        for function in functions:
            if not callable(function):
                raise InvalidType(f"Utility measures must be functions, got {function!r}.")
        numbers = [1] * len(functions) if numbers is None else list(numbers)
        if len(numbers) != len(functions):
            raise InvalidValue(
                f"{name} must have one entry per function, {len(functions)}, got {len(numbers)}."
            )
        self.functions, self.numbers = functions, numbers


class LinearCombination(_Combination):
    """Σ weight · function; see `make_linear_combination`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Value of the combination for a classifier and a pool."""
        pairs = zip(self.numbers, self.functions, strict=True)
        return sum(weight * function(*args, **kwargs) for weight, function in pairs)


class Product(_Combination):
    """Π function ** exponent; see `make_product`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Value of the combination for a classifier and a pool."""
        product: Any = 1
        for exponent, function in zip(self.numbers, self.functions, strict=True):
            product = product * function(*args, **kwargs) ** exponent
        return product


class UtilityQuery:
    """A utility measure and a selector as a query strategy; see `make_query_strategy`."""

    def __init__(self, utility_measure: Callable, selector: Callable) -> None:
        for function in (utility_measure, selector):
            if not callable(function):
                raise InvalidType(
                    f"utility_measure and selector must be functions, got {function!r}."
                )
        self.utility_measure, self.selector = utility_measure, selector

    def __call__(
        self,
        classifier: Any,
        X: Any,
        n_instances: int | None = None,
        *,
        random_state: Any = None,
    ) -> Any:
        """What the selector picks; it is told the other two if they are given and it can be."""
        utility = self.utility_measure(classifier, X)
        told: dict[str, Any] = {}
        if random_state is not None and accepts(self.selector, "random_state"):
            told["random_state"] = random_state
        if n_instances is not None and accepts(self.selector, "n_instances"):
            told["n_instances"] = n_instances
        if n_instances in (None, 1) or "n_instances" in told:
            return self.selector(utility, **told)
        name = getattr(self.selector, "__name__", repr(self.selector))
        raise InvalidValue(
            f"The selector {name} takes no n_instances and cannot pick {n_instances} at once. "
            "Give it such a parameter, or use multi_argmax."
        )


def make_linear_combination(
    *functions: Callable, weights: Sequence[float] | None = None
) -> LinearCombination:
    """Weighted sum of utility functions.

    Parameters
    ----------
    *functions : callables
        ``function(classifier, X) -> array of shape (n,)``.
    weights : sequence of float or None, default=None
        ``None`` weights all by 1.

    Returns
    -------
    combined : callable
        Called with what each function is called with. Unlike modAL's it can be pickled.

    Raises
    ------
    ValueError
        If there is not one weight per function.

    Examples
    --------
    >>> from skactive.modal.utils.combination import make_linear_combination
    >>> make_linear_combination(min, max, weights=[1, 10])([1, 2, 3])
    31
    """
    return LinearCombination(functions, weights, "weights")


def make_product(*functions: Callable, exponents: Sequence[float] | None = None) -> Product:
    """Product of utility functions, each to a power.

    Parameters
    ----------
    *functions : callables
        ``function(classifier, X) -> array of shape (n,)``.
    exponents : sequence of float or None, default=None
        ``None`` leaves all as they are: 1.

    Returns
    -------
    combined : callable
        Called with what each function is called with. Unlike modAL's it can be pickled.

    Raises
    ------
    ValueError
        If there is not one exponent per function (an `AssertionError`, too).

    Examples
    --------
    >>> from skactive.modal.utils.combination import make_product
    >>> make_product(min, max, exponents=[1, 2])([2, 3])
    18
    """
    return Product(functions, exponents, "exponents")


def make_query_strategy(utility_measure: Callable, selector: Callable) -> UtilityQuery:
    """Query strategy of a utility measure and a selector.

    Parameters
    ----------
    utility_measure : callable
        ``utility_measure(classifier, X) -> array of shape (n,)``.
    selector : callable
        ``selector(utilities) -> indices``, such as `multi_argmax`.

    Returns
    -------
    strategy : callable
        ``strategy(classifier, X, n_instances=…, random_state=…)``; modAL's takes neither.

    Raises
    ------
    TypeError
        If one of them cannot be called (an `AssertionError`, too).

    Examples
    --------
    Of equally uncertain samples the one with the nearest neighbours:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.density import information_density
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.uncertainty import classifier_uncertainty
    >>> from skactive.modal.utils import make_product, make_query_strategy, multi_argmax
    >>> def density(learner, X):
    ...     return information_density(X)
    >>> strategy = make_query_strategy(make_product(classifier_uncertainty, density), multi_argmax)
    >>> learner = ActiveLearner(
    ...     KNeighborsClassifier(2), strategy, X_training=[[0.0], [2.0]], y_training=[0, 1])
    >>> query_idx, query_instance = learner.query(np.array([[9.0], [1.0], [1.5]]))
    >>> query_idx.tolist(), query_instance.tolist()
    ([2], [[1.5]])
    """
    return UtilityQuery(utility_measure, selector)


def accepts(function: Any, name: str) -> bool:
    """Whether a function names a parameter (``**kwargs`` does not count)."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):  # builtins without a signature
        return False
