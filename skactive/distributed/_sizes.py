"""How many rows of a pool on this machine are read at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST_ROWS = 1 << 14  # as many as a scikit-learn estimator predicts at once
_LEAST_ROWS = 1 << 9  # as many as a net reads at once
_BYTES = 1 << 26


def ranges(n: int, row_bytes: int) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
    """Windows of rows, ``(start, stop)``, and their lengths; one at least."""
    step = max(_LEAST_ROWS, min(_MOST_ROWS, _BYTES // max(1, row_bytes)))
    starts = range(0, max(n, 1), step)
    windows = [(start, min(start + step, n)) for start in starts]
    return windows, np.array([stop - start for start, stop in windows], dtype=np.intp)
