"""Sample weights, checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def check_weights(weights: Any, n: int, what: str = "sample") -> NDArray | None:
    """Weights as floats, one for each of `n` rows; ``None`` stays ``None``.

    Raises
    ------
    ValueError
        If they are not one number a row. Their range is the estimator's to judge.
    """
    if weights is None:
        return None
    checked = np.asarray(weights, dtype=float)
    if checked.shape != (n,):
        raise ValueError(
            f"sample_weight must hold one number per {what}, shape ({n},), got shape "
            f"{checked.shape}."
        )
    return checked
