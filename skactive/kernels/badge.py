"""BADGE: k-means++ on gradient embeddings that are never formed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 20  # numbers held at once
_MOST_PENDING = 64  # picks after which all distances are brought up to date
_MOST_TRIES = 48  # draws that may be in vain before that


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
    ⟨q_i ⊗ z_i, q_j ⊗ z_j⟩ = ⟨q_i, q_j⟩ ⟨z_i, z_j⟩, so that a distance costs C + d products
    instead of C · d. Distances to the nearest pick only shrink: a draw from old ones, accepted
    with probability new / old, is a draw from the new ones, and the new distance is needed of
    the drawn row only. All distances are brought up to date after many picks or vain draws, by
    one matrix product for all picks since.
    """
    gradients = _Gradients(proba, embedding)
    drawn = [int(gradients.squared.argmax())]
    picks = list(drawn)
    nearest = np.full(len(proba), np.inf)
    while len(picks) < n:
        gradients.update(nearest, drawn)
        nearest[picks] = 0.0
        drawn = _draw(gradients, nearest, min(_MOST_PENDING, n - len(picks)), rng)
        if not drawn:  # only copies of picks are left
            left = np.setdiff1d(np.arange(len(proba)), picks)
            drawn = list(rng.choice(left, n - len(picks), replace=False))
        picks += drawn
    return np.array(picks, dtype=np.intp)


def _draw(
    gradients: _Gradients, nearest: NDArray, most: int, rng: np.random.Generator
) -> list[int]:
    """Up to `most` picks from distances that are right at first, fewer once draws are in vain."""
    cumulated = np.cumsum(nearest)
    if not cumulated[-1] > 0:
        return []
    tries = most + _MOST_TRIES
    rows = np.searchsorted(cumulated, rng.random(tries) * cumulated[-1], side="right")
    rows = np.minimum(rows, np.flatnonzero(nearest)[-1])  # the last sum may be rounded down
    accept = rng.random(tries) * nearest[rows]
    now = nearest[rows]  # of each drawn row, to the picks made so far
    picks: list[int] = []
    for i, row in enumerate(rows):
        if accept[i] < now[i]:
            picks.append(int(row))
            if len(picks) == most:
                break
            later = rows[i + 1 :]
            now[i + 1 :] = np.minimum(now[i + 1 :], gradients.distances(later, picks[-1:])[:, 0])
            now[i + 1 :][later == row] = 0.0
    return picks


class _Gradients:
    """Squared distances between rows of (p − e_ŷ) ⊗ z."""

    def __init__(self, proba: NDArray, embedding: NDArray) -> None:
        self.proba = proba
        self.embedding = embedding
        self.predicted = proba.argmax(axis=1).astype(np.min_scalar_type(proba.shape[1]))
        # ‖p − e_ŷ‖² = ‖p‖² − 2 p_ŷ + 1
        self.squared = np.einsum("ij,ij->i", proba, proba, dtype=np.float64)
        self.squared += 1 - 2 * proba.max(axis=1).astype(np.float64)
        self.squared *= np.einsum("ij,ij->i", embedding, embedding, dtype=np.float64)

    def residual(self, rows: NDArray | slice | list[int]) -> NDArray:
        """Return p − e_ŷ of some rows."""
        found = self.proba[rows].astype(np.float64)
        found[np.arange(len(found)), self.predicted[rows]] -= 1.0
        return found

    def distances(self, rows: NDArray | slice, centers: list[int]) -> NDArray:
        """Shape (rows, centers)."""
        z = self.embedding[rows].astype(np.float64, copy=False)
        found = z @ self.embedding[centers].astype(np.float64, copy=False).T
        found *= self.residual(rows) @ self.residual(centers).T
        found *= -2.0
        found += self.squared[rows, None]
        found += self.squared[centers]
        return np.maximum(found, 0.0, out=found)

    def update(self, nearest: NDArray, centers: list[int]) -> None:
        """Let `nearest` know about further centres."""
        step = max(1, _BLOCK // (len(centers) + self.embedding.shape[1]))
        for start in range(0, len(nearest), step):
            rows = slice(start, start + step)
            np.minimum(nearest[rows], self.distances(rows, centers).min(axis=1), out=nearest[rows])
