"""scikit-learn's digits, embedded in scikit-learn."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import train_test_split

from ..utils.random_state import derive_seed
from ..utils.typing import RandomState
from ._source import Part, Source


def read_digits(test_size: float, random_state: RandomState) -> Source:
    """Digits of 8×8 pixels in [0, 16], split stratified by class."""
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    whole = Part.of(X.reshape(-1, 1, 8, 8).astype(np.uint8), y)
    train, test = train_test_split(
        np.arange(len(y)), test_size=test_size, stratify=y, random_state=derive_seed(random_state)
    )
    return Source(whole.take(train), whole.take(test), tuple("0123456789"), white=16)
