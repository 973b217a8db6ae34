"""What a learner was taught: samples, labels, weights and twins, joined and never changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from skorch import NeuralNet

from ..utils.compat import is_search
from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.items import is_dataset
from ..utils.row_keys import rows_among
from ..utils.stacking import bytes_as_numbers, copied, stack_rows
from ..utils.weights import check_weights


@dataclass(frozen=True)
class TrainingData:
    """Samples to train on.

    Attributes
    ----------
    X : container of shape (n_samples, ...)
    y : ndarray of shape (n_samples,)
    weights : ndarray of shape (n_samples,) or None
    as_is : ndarray of bool of shape (n_samples,) or None
        Samples that are adversarial examples already, not to be attacked again.
    """

    X: Any
    y: NDArray
    weights: NDArray | None = None
    as_is: NDArray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray) -> TrainingData:
        """Some of the samples, or some of them several times."""
        weights = None if self.weights is None else self.weights[rows]
        as_is = None if self.as_is is None else self.as_is[rows]
        return TrainingData(take_rows(self.X, rows), self.y[rows], weights, as_is)

    def below(self, X: Any, y: NDArray, *, pixels: bool, as_is: bool = False) -> TrainingData:
        """Put others below these samples, counting 1; all of them `as_is` or none."""
        above, below = bytes_as_numbers(self.X, X, pixels=pixels)
        weights = self.weights
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(y))])
        masks = self.as_is
        if masks is not None or as_is:
            masks = np.zeros(len(self), dtype=bool) if masks is None else masks
            masks = np.concatenate([masks, np.full(len(y), as_is)])
        rows, labels = _stacked(above, below), np.concatenate([self.y, y])
        return TrainingData(rows, labels, weights, masks)


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
    pixels : bool
        Whether the estimator reads bytes (uint8) as numbers in [0, 1].
    """

    X: Any
    y: NDArray
    weights: NDArray | None = None
    X_twins: Any = None
    y_twins: NDArray | None = None
    pixels: bool = field(default=False, kw_only=True)

    @classmethod
    def of(cls, X: Any, y: NDArray, weights: Any = None, *, pixels: bool) -> LabeledSet:
        """A copy of samples, labels and weights that were just passed."""
        checked = check_weights(weights, len(y))
        kept = None if checked is None else np.array(checked)
        return cls(copied(X), np.array(y), kept, pixels=pixels)

    def __len__(self) -> int:
        return len(self.y)

    @property
    def n_twins(self) -> int:
        """How many twins there are."""
        return 0 if self.y_twins is None else len(self.y_twins)

    def joined(
        self, X: Any, y: NDArray, weights: Any = None, twins: tuple | None = None
    ) -> LabeledSet:
        """Join new samples to this set; where only some have weights, the others count 1.

        Raises
        ------
        ValueError or TypeError
            If the new samples are no rows of the same kind and range.
        """
        new = check_weights(weights, len(y), "new sample")
        if not (self.weights is None and new is None):
            old = np.ones(len(self)) if self.weights is None else self.weights
            new = np.concatenate([old, np.ones(len(y)) if new is None else new])
        above, below = bytes_as_numbers(self.X, X, pixels=self.pixels)
        rows, labels = stack_rows(above, below), np.concatenate([self.y, y])
        return replace(self, X=rows, y=labels, weights=new).with_twins(twins)

    def with_twins(self, twins: tuple | None) -> LabeledSet:
        """Join twins, ``(X, y)``, to this set."""
        if twins is None:
            return self
        X, y = twins
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

    def training_data(self, pseudo: tuple | None = None) -> TrainingData:
        """Samples, twins, and for this once pseudo-labelled samples ``(X, y)``."""
        data = TrainingData(self.X, self.y, self.weights)
        if self.X_twins is not None and self.y_twins is not None:
            data = data.below(self.X_twins, self.y_twins, pixels=self.pixels, as_is=True)
        return data if pseudo is None else data.below(*pseudo, pixels=self.pixels)

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

    def check_pool(self, pool: Any) -> None:
        """Raise a ValueError if bytes meet numbers in [0, 1] and nobody will convert them."""
        if not self.pixels and hasattr(pool, "dtype"):
            bytes_as_numbers(self.X, pool, pixels=False)

    def left_of(self, pool: Rows | None) -> Rows | None:
        """The rows of a pool that are not labelled; None if there are none."""
        if pool is None:
            return None
        left = ~self.found_in(pool)
        return pool.subset(np.flatnonzero(left)) if left.any() else None


def reads_pixels(estimator: Any) -> bool:
    """Whether `estimator` reads bytes (uint8) as numbers in [0, 1]: nets, unless steps precede."""
    if is_search(estimator):
        return reads_pixels(estimator.estimator)
    if isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps]
        plain = all(step is None or step == "passthrough" for step in steps[:-1])
        return plain and reads_pixels(steps[-1])
    members = getattr(estimator, "estimators", None)
    if isinstance(members, list) and members and not isinstance(members[0], tuple):
        return all(reads_pixels(member) for member in members)
    return isinstance(estimator, NeuralNet)


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


def _stacked(X: Any, more: Any) -> Any:
    """`more` below `X`, named as `X` is: twins are arrays, whatever the samples they stem from."""
    if hasattr(X, "iloc") and not hasattr(more, "iloc"):
        more = type(X)(np.asarray(more), columns=X.columns)
    return stack_rows(X, more)
