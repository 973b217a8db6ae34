"""Uncertainty of class probabilities: pure functions, larger = less certain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr


def entropy(proba: NDArray) -> NDArray:
    """Shannon entropy H(p) = −Σ p log p over the last axis, in nats; 0·log 0 is 0."""
    return entr(proba).sum(axis=-1)


def gini(proba: NDArray) -> NDArray:
    """Gini impurity 1 − Σ p² over the last axis."""
    return 1.0 - np.square(proba).sum(axis=-1)


def least_confidence(proba: NDArray) -> NDArray:
    """1 − max p over the last axis."""
    return 1.0 - proba.max(axis=-1)


def negative_margin(proba: NDArray) -> NDArray:
    """p₂ − p₁, the two largest over the last axis: 0 on the decision boundary, else negative.

    A single class has no second: its margin is its probability.
    """
    if proba.shape[-1] == 1:
        return -proba[..., 0]
    top2 = np.partition(proba, -2, axis=-1)[..., -2:]
    return top2[..., 0] - top2[..., 1]


def mutual_information(proba: NDArray) -> NDArray:
    """H(mean_t p_t) − mean_t H(p_t) for samples ``(T, n, C)``; never negative (Jensen)."""
    return np.maximum(entropy(proba.mean(axis=0)) - entropy(proba).mean(axis=0), 0.0)


CHARACTERISTICS = {
    "entropy": entropy,
    "gini": gini,
    "least_confidence": least_confidence,
    "margin": negative_margin,
}
