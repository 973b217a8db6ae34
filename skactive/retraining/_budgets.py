"""Budgets in reports: counts and shares are told apart, 1 (a sample) and 1.0 (all of them) too."""

from __future__ import annotations

from numbers import Integral

from ..utils.budget import is_share


def key(budget: float) -> tuple[bool, float]:
    """What tells budgets apart, 1 from 1.0 too, which are equal as numbers."""
    return is_share(budget), budget


def as_given(budget: float) -> float:
    """A count as int, a share as float, whichever types of NumPy they came in."""
    return int(budget) if isinstance(budget, Integral) else float(budget)


def read(text: str) -> float:
    """A budget from a file: ``20`` is a count, ``1.0`` a share."""
    return int(text) if text.isdecimal() else float(text)
