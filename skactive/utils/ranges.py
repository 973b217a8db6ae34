"""Ranges of inputs, and radii within them, for whatever moves inputs or bounds what moves them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .validation import Number, check_constraints

RADIUS = Number("a positive, finite radius in input units (8/255 for images in [0, 1])", 0)


class Range(Number):
    """A pair of numbers, the smaller one first."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether `val` is allowed."""
        try:
            low, high = val
        except (TypeError, ValueError):
            return False
        return super().is_satisfied_by(low) and super().is_satisfied_by(high) and low < high


RANGE = Range("a pair of numbers (low, high) with low < high")


def check_width(
    name: str, size: float, bounds: tuple[float, float], norm: str = "Linf", n_inputs: int = 1
) -> None:
    """Raise if a radius or step is longer than the range of the inputs: its unit is another one."""
    low, high = bounds
    longest = float(high - low) * (n_inputs**0.5 if norm == "L2" else 1.0)
    if float(size) > longest * (1 + 1e-6):
        raise ValueError(
            f"{name}={size:g} is longer than the range of the inputs, [{low:g}, {high:g}], allows "
            f"({longest:g} in {norm}): every input would be in reach. Did you mean "
            f"{name}={size:g}/255? For inputs in [0, 255] pass bounds=(0, 255)."
        )


def check_range(bounds: Any, caller: str = "the attack") -> None:
    """Raise unless `bounds` is a pair low < high."""
    check_constraints({"bounds": [RANGE]}, {"bounds": bounds}, caller)


def check_bounds(
    X: Any, bounds: tuple[float, float], name: str = "X", caller: str = "the attack"
) -> None:
    """Raise unless all values of `X` are finite and within `bounds`.

    Parameters
    ----------
    X : ndarray or Tensor
    bounds : (float, float)
    name : str, default="X"
        What to call it in the message.
    caller : str, default="the attack"
        Who keeps to `bounds`.

    Raises
    ------
    ValueError
        If there are NaN or infinite values, or values outside `bounds`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.attacks import check_bounds
    >>> check_bounds(np.array([[0.0, 1.0]]), (0, 1))  # nothing to say
    >>> try:
    ...     check_bounds(np.array([[0, 255]]), (0, 1))
    ... except ValueError as error:
    ...     print(str(error).partition(". ")[0])
    X has values in [0, 255], but the attack works in [0, 1]
    """
    check_range(bounds, caller)
    if 0 in X.shape:
        return
    low, high = float(X.min()), float(X.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{name} holds NaN or infinite values. Remove or impute them first.")
    slack = 1e-6 * max(1.0, abs(bounds[0]), abs(bounds[1]))
    if low < bounds[0] - slack or high > bounds[1] + slack:
        raise ValueError(
            f"{name} has values in [{low:.4g}, {high:.4g}], but {caller} works in "
            f"[{bounds[0]:g}, {bounds[1]:g}]. Rescale the inputs, or pass bounds=(…); for "
            "normalised images put the normalisation inside the module."
        )
