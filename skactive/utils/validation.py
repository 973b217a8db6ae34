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
