"""Class labels of any kind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unknown_labels(y: NDArray, classes: NDArray) -> list:
    """Labels in `y` that are not among `classes`, sorted; ``1`` and ``"1"`` are different."""
    known = set(np.asarray(classes).tolist())
    return [label for label in np.unique(y).tolist() if label not in known]
