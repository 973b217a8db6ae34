"""What a learner was taught: samples, labels, weights and twins, joined and never changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.helper import SliceDataset
from torch.utils.data import Dataset

from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.inputs import bytes_as_numbers, is_dataset
from ..utils.labels import as_labels
from ..utils.row_keys import row_keys, rows_among
from ..utils.stacking import copied, stack_rows
from ..utils.weights import check_weights
from ._training import TrainingData


@dataclass(frozen=True)
class LabeledSet:
    """Labelled samples in the order they were taught, and the twins taught beside them.

    Sets are joined to new ones; none is ever changed, nor shares memory with what was passed to
    a learner.

    Attributes
    ----------
    X : container of shape (n_samples, ...)
    y : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,) or None
        ``None`` counts all samples alike.
    X_twins, y_twins : as `X` and `y`, or None
        Adversarial twins, each under a bought label.
    classes : ndarray of shape (n_classes,)
        All labels that may occur.
    pixels : bool
        Whether the estimator reads bytes (uint8) as numbers in [0, 1].
    """

    X: Any
    y: NDArray
    weights: NDArray | None = None
    X_twins: Any = None
    y_twins: NDArray | None = None
    classes: NDArray = field(default_factory=lambda: np.empty(0), kw_only=True)
    pixels: bool = field(default=False, kw_only=True)

    @classmethod
    def of(
        cls, X: Any, y: Any, weights: Any = None, *, classes: Any = None, pixels: bool
    ) -> LabeledSet:
        """A copy of samples, labels and weights that were just passed.

        Raises
        ------
        ValueError
            If `y` is no label for each row, of the `classes` if there are any.
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        y = as_labels(X, y, known)
        known = np.unique(y) if known is None else known
        checked = check_weights(weights, len(y))
        kept = None if checked is None else np.array(checked)
        return cls(copied(X), np.array(y), kept, classes=known, pixels=pixels)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_twins(self) -> int:
        """How many twins there are."""
        return 0 if self.y_twins is None else len(self.y_twins)

    def joined(
        self, X: Any, y: Any, weights: Any = None, twins: Mapping[bytes, NDArray] | None = None
    ) -> LabeledSet:
        """Join new samples to this set; where only some have weights, the others count 1.

        Those that have a twin, told by their key (`row_keys`), bring it along.

        Raises
        ------
        ValueError or TypeError
            If the new samples are no rows of the same kind and range, or their labels unknown.
        """
        y = as_labels(X, y, self.classes)
        new = check_weights(weights, len(y), "new sample")
        if not (self.weights is None and new is None):
            old = np.ones(len(self)) if self.weights is None else self.weights
            new = np.concatenate([old, np.ones(len(y)) if new is None else new])
        above, below = bytes_as_numbers(self.X, X, pixels=self.pixels)
        rows, labels = stack_rows(above, below), np.concatenate([self.y, y])
        joined = replace(self, X=rows, y=labels, weights=new)
        if not twins:
            return joined
        own = [(i, twins[key]) for i, key in enumerate(row_keys(X)) if key in twins]
        found, moved = [i for i, _ in own], [twin for _, twin in own]
        return joined.with_twins(np.stack(moved), y[found]) if own else joined

    def with_twins(self, X: Any, y: NDArray) -> LabeledSet:
        """Join twins to this set."""
        if self.X_twins is not None:
            X, y = stack_rows(self.X_twins, X), np.concatenate([self.y_twins, y])
        return replace(self, X_twins=X, y_twins=y)

    def since(self, before: LabeledSet) -> LabeledSet:
        """What was joined to `before`."""
        new, twins = np.arange(len(before), len(self)), np.arange(before.n_twins, self.n_twins)
        return replace(
            self,
            X=take_rows(self.X, new),
            y=self.y[new],
            weights=None if self.weights is None else self.weights[new],
            X_twins=take_rows(self.X_twins, twins) if len(twins) else None,
            y_twins=self.y_twins[twins] if self.y_twins is not None and len(twins) else None,
        )

    def training_data(self, pseudo: tuple[Any, NDArray] | None = None) -> TrainingData:
        """Samples, twins, and for this once pseudo-labelled samples ``(X, y)``."""
        data = TrainingData(self.X, self.y, self.weights, pixels=self.pixels)
        if self.X_twins is not None and self.y_twins is not None:
            data = data.below(self.X_twins, self.y_twins, as_is=True)
        return data if pseudo is None else replace(data.below(*pseudo), n_pseudo=len(pseudo[1]))

    def found_in(self, pool: Any) -> NDArray[np.bool_]:
        """Which rows of a pool are labelled: by content, or in a Dataset, by position.

        Items of a Dataset may be costly to read, or random: found are those that were taught as
        the parts of it that a query returned.
        """
        rows = Rows.of(pool)
        if is_dataset(rows.X):
            found = np.zeros(n_rows(rows.X), dtype=bool)
            found[_positions(self.X, rows.X)] = True
            return found if rows.indices is None else found[rows.indices]
        return rows_among(rows, self.X, pixels=self.pixels)

    def check_pool(self, pool: Any, name: str = "X_pool") -> None:
        """Raise a ValueError if rows are no more of the kind that is labelled.

        They have another shape, or bytes meet numbers in [0, 1] and nobody will convert them.
        """
        self._check_row_shape(pool, name)
        if not self.pixels and hasattr(pool, "dtype"):
            bytes_as_numbers(self.X, pool, pixels=False)

    def _check_row_shape(self, X: Any, name: str) -> None:
        if any(isinstance(rows, (Dataset, SliceDataset)) for rows in (X, self.X)):
            return  # where they have a shape, it is their length alone
        expected, got = getattr(self.X, "shape", None), getattr(X, "shape", None)
        if expected is not None and got is not None and tuple(expected[1:]) != tuple(got[1:]):
            last = len(got) == 4 and (got[3], *got[1:3]) == tuple(expected[1:])
            raise ValueError(
                f"{name} has rows of shape {tuple(got[1:])}, but the labelled samples have rows of "
                f"shape {tuple(expected[1:])}. Pass samples of the same kind"
                f"{': channels come first, X.transpose(0, 3, 1, 2)' if last else ''}."
            )

    def left_of(self, pool: Rows | None) -> Rows | None:
        """The rows of a pool that are not labelled; None if there are none."""
        if pool is None:
            return None
        left = ~self.found_in(pool)
        return pool.subset(np.flatnonzero(left)) if left.any() else None


def _positions(labeled: Any, pool: Any) -> NDArray[np.intp]:
    """Positions in a Dataset of the parts of it that a labelled set was stacked of."""
    if labeled is pool:
        return np.arange(n_rows(pool))
    if isinstance(labeled, torch.utils.data.ConcatDataset):
        return np.concatenate([_positions(part, pool) for part in labeled.datasets])
    if isinstance(labeled, torch.utils.data.Subset):
        inner = _positions(labeled.dataset, pool)
        if labeled.dataset is pool:
            return np.asarray(labeled.indices, dtype=np.intp)
        whole = len(inner) == n_rows(labeled.dataset)
        return inner[np.asarray(labeled.indices)] if whole else np.empty(0, dtype=np.intp)
    return np.empty(0, dtype=np.intp)
