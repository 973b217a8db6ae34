"""Digits as images."""

import numpy as np
from sklearn.datasets import load_digits


def images(n=400):
    """The first `n` digits as (X, y): float32 (n, 1, 8, 8) in [0, 1], int64."""
    X, y = load_digits(return_X_y=True)
    return (X[:n].reshape(-1, 1, 8, 8) / 16).astype(np.float32), y[:n].astype(np.int64)
