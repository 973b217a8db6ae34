"""Budgets in reports: counts and shares are told apart, 1 (a sample) and 1.0 (all of them) too."""

from __future__ import annotations

from numbers import Integral

from ..utils.budget import as_text


def is_share(budget: float) -> bool:
    """Whether a budget is a share: no integer, and no more than 1.

    Examples
    --------
    >>> is_share(0.5), is_share(1.0), is_share(1), is_share(20.0)
    (True, True, False, False)
    """
    return not isinstance(budget, Integral) and budget <= 1


def key(budget: float) -> tuple[bool, float]:
    """What tells budgets apart, 1 from 1.0 too, which are equal as numbers."""
    return is_share(budget), budget


def told(budget: float) -> str:
    """``4 %`` or ``100 %`` for a share, ``1`` or ``20`` for a count.

    Examples
    --------
    >>> told(0.04), told(1.0), told(1), told(20)
    ('4 %', '100 %', '1', '20')
    """
    return "100 %" if budget == 1 and is_share(budget) else as_text(budget)


def as_given(budget: float) -> float:
    """A count as int, a share as float, whichever types of NumPy they came in."""
    return int(budget) if isinstance(budget, Integral) else float(budget)


def read(text: str) -> float:
    """A budget from a file: ``20`` is a count, ``1.0`` a share."""
    return int(text) if text.isdecimal() else float(text)
