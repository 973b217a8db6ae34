"""Budgets: how many samples, as a count or as a share of those there are."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from .validation import COUNT, Interval

# What a parameter may be that is a count or a share, for ``_parameter_constraints``.
COUNT_OR_SHARE = [
    COUNT,
    Interval(Real, 0, 1, closed="right"),
]


def as_count(budget: int | float, n_available: int) -> int:
    """A count (int) as it is; a share (float) of what is there rounded, at least one sample."""
    if isinstance(budget, Integral):
        return int(budget)
    return max(1, round(float(budget) * n_available))


def budget_to_count(budget: Any, n_available: int) -> int:
    """Number of samples a budget stands for: a count (int) or a share (float in (0, 1]).

    Raises
    ------
    ValueError
        If the budget is not positive, or more than there is.
    """
    if isinstance(budget, Integral) and not isinstance(budget, bool):
        if not 1 <= int(budget) <= n_available:
            raise ValueError(
                f"budget as a count must be in [1, {n_available}] (the number of test samples), "
                f"got {budget}."
            )
    elif not isinstance(budget, Real) or isinstance(budget, bool) or not 0 < float(budget) <= 1:
        raise ValueError(
            "budget must be a count (int) or a share of the test set (float in (0, 1]), got "
            f"{budget!r}."
        )
    return as_count(budget, n_available)


def is_share(budget: float) -> bool:
    """Whether a budget is a share: no integer, and no more than 1.

    Examples
    --------
    >>> is_share(0.5), is_share(1.0), is_share(1), is_share(20.0)
    (True, True, False, False)
    """
    return not isinstance(budget, Integral) and budget <= 1


def as_text(budget: float) -> str:
    """``4 %`` or ``100 %`` for a share, ``20`` for a count.

    Examples
    --------
    >>> as_text(0.04), as_text(1.0), as_text(1), as_text(1234567)
    ('4 %', '100 %', '1', '1234567')
    """
    return f"{100 * budget:g} %" if is_share(budget) else f"{budget:.15g}"
