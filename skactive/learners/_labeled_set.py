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

from ..distributed import in_memory
from ..utils.ids import check_ids, joined_ids, positions_of_ids
from ..utils.indexing import Rows, distinct_positions, n_rows, take_rows
from ..utils.inputs import bytes_as_numbers, dtype_name, is_dataset
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
    twin_of : ndarray of int, shape (n_twins,), or None
        The sample that each twin was made of.
    ids : ndarray of shape (n_samples,) or None
        What the user calls the samples; distinct.
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
    twin_of: NDArray | None = None
    ids: NDArray | None = None
    classes: NDArray = field(default_factory=lambda: np.empty(0), kw_only=True)
    pixels: bool = field(default=False, kw_only=True)

    @classmethod
    def of(
        cls,
        X: Any,
        y: Any,
        weights: Any = None,
        *,
        ids: Any = None,
        classes: Any = None,
        pixels: bool,
    ) -> LabeledSet:
        """A copy of samples, labels and weights that were just passed.

        Raises
        ------
        ValueError
            If `y` is no label for each row, of the `classes` if there are any, or `ids` are not
            a distinct one for each.
        """
        X = in_memory(X)
        known = None if classes is None else np.unique(np.asarray(classes))
        y = as_labels(X, y, known)
        known = np.unique(y) if known is None else known
        checked = check_weights(weights, len(y))
        kept = None if checked is None else np.array(checked)
        ids = check_ids(ids, len(y))
        return cls(copied(X), np.array(y), kept, ids=ids, classes=known, pixels=pixels)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_twins(self) -> int:
        """How many twins there are."""
        return 0 if self.y_twins is None else len(self.y_twins)

    def joined(
        self,
        X: Any,
        y: Any,
        weights: Any = None,
        twins: Mapping[bytes, NDArray] | None = None,
        ids: Any = None,
    ) -> LabeledSet:
        """Join new samples to this set; where only some have weights, the others count 1.

        Those that have a twin, told by their key (`row_keys`), bring it along.

        Raises
        ------
        ValueError or TypeError
            If the new samples are no rows of the same kind and range, their labels unknown, or
            their ids not new.
        """
        X = in_memory(X)
        y = as_labels(X, y, self.classes)
        new = check_weights(weights, len(y), "new sample")
        if not (self.weights is None and new is None):
            old = np.ones(len(self)) if self.weights is None else self.weights
            new = np.concatenate([old, np.ones(len(y)) if new is None else new])
        above, below = bytes_as_numbers(self.X, X, pixels=self.pixels)
        rows, labels = stack_rows(above, below), np.concatenate([self.y, y])
        named = joined_ids(self.ids, ids, len(self), len(y))
        joined = replace(self, X=rows, y=labels, weights=new, ids=named)
        if not twins:
            return joined
        own = [(i, twins[key]) for i, key in enumerate(row_keys(X)) if key in twins]
        found, moved = np.array([i for i, _ in own], dtype=np.intp), [twin for _, twin in own]
        return joined.with_twins(np.stack(moved), y[found], len(self) + found) if own else joined

    def with_twins(self, X: Any, y: NDArray, of: NDArray) -> LabeledSet:
        """Join twins to this set, made of its samples at the positions `of`."""
        if self.X_twins is not None:
            X, y = stack_rows(self.X_twins, X), np.concatenate([self.y_twins, y])
            of = np.concatenate([self.twin_of, of])
        return replace(self, X_twins=X, y_twins=y, twin_of=of)

    def at(self, rows: Any, ids: Any) -> NDArray[np.intp]:
        """Positions of samples that are named by position or by id.

        Raises
        ------
        ValueError
            If they are named by both, by neither, more than once, or not in this set.
        """
        if (rows is None) == (ids is None):
            raise ValueError(
                "Name the labelled samples by rows, their positions in X_labeled_, or by ids: "
                "pass one of the two."
            )
        if rows is not None:
            return distinct_positions(rows, len(self), "rows")
        return positions_of_ids(self.ids, ids)

    def relabeled(self, at: NDArray, y: Any) -> LabeledSet:
        """Give samples other labels, and the twins made of them too.

        Raises
        ------
        ValueError
            If `y` is no known label for each.
        """
        if y is not None and n_rows(y) != len(at):
            raise ValueError(
                f"y must hold a label for each of the {len(at)} samples named, got {n_rows(y)}."
            )
        if not len(at):
            return self
        y = as_labels(at, y, self.classes)
        labels = np.concatenate([self.y, y])  # of a dtype that holds both
        labels[at] = labels[len(self) :]
        labels = labels[: len(self)]
        y_twins = None if self.twin_of is None else labels[self.twin_of]
        return replace(self, y=labels, y_twins=y_twins)

    def without(self, at: NDArray) -> LabeledSet:
        """Leave samples out, and the twins made of them too.

        Raises
        ------
        ValueError
            If none would be left.
        """
        keep = np.ones(len(self), dtype=bool)
        keep[at] = False
        if not keep.any():
            raise ValueError(
                f"rows are all {len(self)} labelled samples: nothing would be left to learn from. "
                "Call fit with other samples instead."
            )
        rows = np.flatnonzero(keep)
        if self.twin_of is None:
            return self._taken(rows, np.empty(0, dtype=np.intp))
        twins = np.flatnonzero(keep[self.twin_of])
        renumbered = (np.cumsum(keep) - 1)[self.twin_of[twins]]
        return self._taken(rows, twins, renumbered)

    def _taken(self, rows: NDArray, twins: NDArray, twin_of: NDArray | None = None) -> LabeledSet:
        """Some samples and some twins, which are of the samples at `twin_of` then."""

        def some(values: NDArray | None, at: NDArray) -> NDArray | None:
            return None if values is None or not len(at) else values[at]

        return replace(
            self,
            X=take_rows(self.X, rows),
            y=self.y[rows],
            weights=None if self.weights is None else self.weights[rows],
            ids=None if self.ids is None else self.ids[rows],
            X_twins=take_rows(self.X_twins, twins) if len(twins) else None,
            y_twins=some(self.y_twins, twins),
            twin_of=twin_of if len(twins) else None,
        )

    def since(self, before: LabeledSet) -> LabeledSet:
        """What was joined to `before`."""
        new, twins = np.arange(len(before), len(self)), np.arange(before.n_twins, self.n_twins)
        of = None if self.twin_of is None else self.twin_of[twins] - len(before)
        return self._taken(new, twins, of)

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
            at = positions_in_dataset(self.X, rows.X)
            found = np.zeros(n_rows(rows.X), dtype=bool)
            found[at[at >= 0]] = True
            return found if rows.indices is None else found[rows.indices]
        return rows_among(rows, self.X, pixels=self.pixels)

    def check_pool(self, pool: Any, name: str = "X_pool") -> None:
        """Raise a ValueError if rows are no more of the kind that is labelled.

        They have another shape, or bytes meet numbers in [0, 1] and nobody will convert them.
        """
        self._check_row_shape(pool, name)
        if not self.pixels and dtype_name(pool) is not None:
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


def positions_in_dataset(labeled: Any, pool: Any) -> NDArray[np.intp]:
    """Positions in a Dataset of the items of a labelled set; -1 for those not taken from it."""
    if labeled is pool:
        return np.arange(n_rows(pool))
    if isinstance(labeled, torch.utils.data.ConcatDataset):
        return np.concatenate([positions_in_dataset(part, pool) for part in labeled.datasets])
    if isinstance(labeled, torch.utils.data.Subset):
        return positions_in_dataset(labeled.dataset, pool)[
            np.asarray(labeled.indices, dtype=np.intp)
        ]
    return np.full(n_rows(labeled), -1)
