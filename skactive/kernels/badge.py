"""BADGE: k-means++ on gradient embeddings that are never formed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def badge_select(
    proba: NDArray, embedding: NDArray, n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Pick n rows by D² sampling of the gradients g = (p − e_ŷ) ⊗ z of the last layer.

    Parameters
    ----------
    proba : ndarray of shape (n_points, n_classes)
        Class probabilities p; ŷ is the most likely class.
    embedding : ndarray of shape (n_points, d)
        Input z of the last linear layer.
    n : int
    rng : numpy.random.Generator

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Distinct; the first has the longest gradient, each other one is drawn with probability
        proportional to its squared distance to the nearest one before it.

    Notes
    -----
    ⟨q_i ⊗ z_i, q_j ⊗ z_j⟩ = ⟨q_i, q_j⟩ ⟨z_i, z_j⟩, so that a pick costs two matrix-vector
    products of widths C and d instead of one of width C · d.
    """
    residual = proba.astype(np.float64)
    residual[np.arange(len(proba)), proba.argmax(axis=1)] -= 1.0
    embedding = embedding.astype(np.float64, copy=False)
    squared = np.square(residual).sum(axis=1) * np.square(embedding).sum(axis=1)
    picks = [int(squared.argmax())]
    nearest = np.full(len(proba), np.inf)
    left = np.ones(len(proba), dtype=bool)
    while len(picks) < n:
        last = picks[-1]
        left[last] = False
        product = (residual @ residual[last]) * (embedding @ embedding[last])
        distance = np.maximum(squared + squared[last] - 2 * product, 0.0)
        nearest = np.where(left, np.minimum(nearest, distance), 0.0)
        total = nearest.sum()
        weights = nearest / total if total > 0 else left / left.sum()
        picks.append(int(rng.choice(len(proba), p=weights)))
    return np.array(picks, dtype=np.intp)
