"""Parameters checked by `_parameter_constraints`, scikit-learn's way, for whatever has them.

The only file that knows where scikit-learn keeps its constraints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    Options,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = ["HasMethods", "Interval", "Options", "StrOptions", "check_constraints", "check_params"]


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
    """Raise, in the name of `caller`, unless the values are what the constraints allow."""
    validate_parameter_constraints(constraints, given, caller_name=caller)
