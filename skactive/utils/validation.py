"""Parameters checked by `_parameter_constraints`, scikit-learn's way, for whatever has them.

The only file that knows where scikit-learn keeps its constraints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import chain
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    StrOptions,
    validate_parameter_constraints,
)

from .names import did_you_mean

__all__ = [
    "COUNT",
    "HasMethods",
    "Interval",
    "Number",
    "StrOptions",
    "check_constraints",
    "check_params",
]

COUNT = Interval(Integral, 1, None, closed="left")


class Number(Interval):
    """Real numbers of an interval; True and False are none.

    Parameters
    ----------
    words : str
        What is allowed, for the message.
    left, right : float or None, default=None
        Ends of the interval; ``None`` is no end, which infinity does not reach.
    closed : {"left", "right", "both", "neither"}, default="neither"
        Which of the ends belong to it.

    Examples
    --------
    >>> from skactive.utils.validation import Number, check_constraints
    >>> share = Number("a share in (0, 1]", 0, 1, closed="right")
    >>> [share.is_satisfied_by(value) for value in (0.5, 1, 0, True)]
    [True, True, False, False]
    >>> try:
    ...     check_constraints({"rate": [share]}, {"rate": True}, "MyStrategy")
    ... except ValueError as error:
    ...     print(error)
    The 'rate' parameter of MyStrategy must be a share in (0, 1]. Got True instead.
    """

    def __init__(
        self,
        words: str,
        left: float | None = None,
        right: float | None = None,
        *,
        closed: str = "neither",
    ) -> None:
        super().__init__(Real, left, right, closed=closed)
        self.words = words

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is allowed."""
        return not isinstance(val, bool | np.bool_) and super().is_satisfied_by(val)

    def __str__(self) -> str:
        return self.words


def check_params(owner: Any) -> None:
    """Raise unless the parameters of an object are what its `_parameter_constraints` allow.

    Parameters
    ----------
    owner : estimator, strategy, attack or callback

    Raises
    ------
    ValueError
        scikit-learn's ``InvalidParameterError``: the parameter, what is allowed, what came.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> from skactive.utils.validation import COUNT, StrOptions, check_params
    >>> class Mine(BaseEstimator):
    ...     _parameter_constraints = {"n": [COUNT], "metric": [StrOptions({"l1", "l2"})]}
    ...     def __init__(self, n=10, metric="l2"):
    ...         self.n = n
    ...         self.metric = metric
    >>> check_params(Mine(n=5))  # nothing to say
    >>> try:
    ...     check_params(Mine(n=0))
    ... except ValueError as error:
    ...     print(error)
    The 'n' parameter of Mine must be an int in the range [1, inf). Got 0 instead.
    """
    given = owner.get_params(deep=False)
    check_constraints(owner._parameter_constraints, given, type(owner).__name__)


def check_constraints(
    constraints: Mapping[str, Any], given: Mapping[str, Any], caller: str
) -> None:
    """Raise, in the name of `caller`, unless the values are what the constraints allow.

    Parameters
    ----------
    constraints : mapping of str to list
        Allowed types and values by parameter, as in ``_parameter_constraints``.
    given : mapping of str to object
        The values.
    caller : str
        Whose parameters they are, for the message.

    Raises
    ------
    ValueError
        scikit-learn's ``InvalidParameterError``, for the first value that is not allowed; of a
        string it says what was probably meant.

    Examples
    --------
    >>> from numbers import Real
    >>> from skactive.utils.validation import HasMethods, Interval, StrOptions, check_constraints
    >>> allowed = {
    ...     "kernel": [StrOptions({"rbf"})],
    ...     "model": [HasMethods("fit")],
    ...     "size": [Interval(Real, 0, 1, closed="both")],
    ... }
    >>> for given in ({"kernel": "rbf"}, {"model": 3}, {"kernel": "rbv"}, {"size": "0.5"}):
    ...     try:
    ...         check_constraints(allowed, given, "Mine")
    ...     except ValueError as error:
    ...         print(error)  # doctest: +NORMALIZE_WHITESPACE
    The 'model' parameter of Mine must be an object implementing 'fit'. Got 3 instead.
    The 'kernel' parameter of Mine must be a str among {'rbf'}. Got 'rbv' instead.
    Did you mean 'rbf'?
    The 'size' parameter of Mine must be a float in the range [0.0, 1.0]. Got '0.5' instead.
    Write size=0.5, without quotes.
    """
    for name, value in given.items():
        try:
            validate_parameter_constraints(constraints, {name: value}, caller_name=caller)
        except InvalidParameterError as error:
            hint = _hint(name, value, constraints[name])
            raise InvalidParameterError(f"{error}{hint}") from None


def _hint(name: str, value: Any, allowed: list[Any]) -> str:
    """What a string was probably meant to be: another one of the options, or a number."""
    if not isinstance(value, str):
        return ""
    if re.fullmatch(r"[-+\d./e]+", value) and any(isinstance(item, Interval) for item in allowed):
        return f" Write {name}={value}, without quotes."
    options = [item.options for item in allowed if isinstance(item, StrOptions)]
    return did_you_mean(value, chain.from_iterable(options))
