"""The interval and the area that all reports and displays share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import trapezoid
from scipy.stats import t as student_t


def half_interval(spread: float, n: int, confidence: float = 0.95) -> float:
    """Half of Student's interval of a mean, NaN for a single value, which has no spread.

    Parameters
    ----------
    spread : float
        Standard deviation of the values (``ddof=1``).
    n : int
        How many there are.
    confidence : float in (0, 1), default=0.95

    Examples
    --------
    >>> round(half_interval(0.02, 3), 4)
    0.0497
    """
    if n < 2:
        return float("nan")
    return float(student_t.ppf((1 + confidence) / 2, n - 1)) * spread / float(np.sqrt(n))


def mean_height(x: ArrayLike, y: ArrayLike) -> float:
    """Mean height of a curve over its width: trapezoids; of one that has none, of its points.

    Examples
    --------
    >>> mean_height([100, 200, 400], [0.5, 0.7, 0.9])
    0.7333333333333333
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    width = x[-1] - x[0]
    return float(y.mean()) if width == 0 else float(trapezoid(y, x) / width)
