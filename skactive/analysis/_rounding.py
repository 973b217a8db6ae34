"""Numbers that are equal but for rounding, in the precision they come in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_NOISE = 1e-12  # of the largest number: what sums of a few floats differ by is less


def as_floats(values: ArrayLike) -> NDArray:
    """As an array of floats in the precision they have."""
    array = np.asarray(values)
    return array if array.dtype.kind == "f" else array.astype(float)


def noise(*arrays: NDArray) -> float:
    """By how much equal numbers, computed in two ways, may differ in these arrays' precision."""
    eps = max(float(np.finfo(a.dtype).eps) if a.dtype.kind == "f" else 0.0 for a in arrays)
    sizes = [np.abs(a[np.isfinite(a)]).max(initial=0.0) for a in arrays]
    return max(_NOISE, 16 * eps) * float(max(sizes))


def is_constant(values: NDArray) -> bool:
    """Whether values are equal up to `noise`."""
    return bool(np.ptp(values) <= noise(values))
