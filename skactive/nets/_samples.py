"""Labelled samples of one training, taken apart without a copy of a Dataset."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from ._batches import ArrayDataset
from ._fresh_rows import select


class Samples(NamedTuple):
    """Inputs, labels as positions in the classes, weights, and which are not to be attacked."""

    X: Any
    y: NDArray
    weights: NDArray | None = None
    as_is: NDArray | None = None

    def take(self, rows: NDArray) -> Samples:
        """Some of them."""
        weights, as_is = (part if part is None else part[rows] for part in self[2:])
        return Samples(select(self.X, rows), self.y[rows], weights, as_is)

    def with_weight(self) -> Samples:
        """Those of a weight above zero: a batch might be full of others."""
        if self.weights is None or self.weights.all():
            return self
        return self.take(np.flatnonzero(self.weights))

    def to_attack(self) -> Samples:
        """Those that are attacked."""
        return self if self.as_is is None else self.take(np.flatnonzero(~self.as_is))

    def split(self, fraction: float, seed: int) -> tuple[Samples, Samples]:
        """Samples to train on, and to validate with.

        Samples that were made from others validate nothing, unless there are no others.
        """
        made = self.as_is
        if made is None or made.all():
            made = np.zeros(len(self.y), dtype=bool)
        own = np.flatnonzero(~made)
        counts, n_val = np.bincount(self.y[own]), max(1, round(fraction * len(own)))
        present = counts[counts > 0]  # stratified where every class has samples for both
        stratified = present.min() >= 2 and len(present) <= n_val <= len(own) - len(present)
        rows, held_out = train_test_split(
            own, test_size=n_val, random_state=seed, stratify=self.y[own] if stratified else None
        )
        return self.take(np.concatenate([rows, np.flatnonzero(made)])), self.take(held_out)

    def dataset(self) -> ArrayDataset:
        """What batches are drawn from."""
        X, y, weights, as_is = self
        if as_is is None:
            return ArrayDataset(X, y) if weights is None else ArrayDataset(X, y, weights)
        weights = np.ones(len(y), dtype=np.float32) if weights is None else weights
        return ArrayDataset(X, y, weights, as_is)
