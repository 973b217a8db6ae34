"""Intervals of a mean of a few paired differences."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..utils.statistics import half_interval

_RESAMPLES, _SEED = 10_000, 0


def student_mean(mean: float, spread: float, n: int) -> tuple[float, float]:
    """Student's 95 % interval, NaN for a single value."""
    half = half_interval(spread, n)
    return mean - half, mean + half


def bootstrap_mean(values: NDArray) -> tuple[float, float]:
    """Percentile interval of 95 %, by resampling with a fixed seed; NaN for a single value."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    picks = np.random.default_rng(_SEED).integers(n, size=(_RESAMPLES, n))
    low, high = np.quantile(values[picks].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
