"""Unlabelled points in the training of a net: told apart, pseudo-labelled, mixed into batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length, column_or_1d, has_fit_parameter
from skorch import NeuralNet
from torch import Tensor

from ..losses import resolve_pool_loss
from ..utils.indexing import Rows, n_rows, take_rows
from ..utils.labels import unlabelled
from ._batches import ArrayDataset, sampler
from ._fresh_rows import FreshRows
from ._samples import Samples

_CHECKED_AT_ONCE = 512


def split_unlabeled(
    net: Any, X: Any, y: Any, weights: Any, X_unlabeled: Any, classes: Any
) -> tuple[Any, Any, Any, Rows | None]:
    """Labelled X and y, their weights, and the unlabelled rows of all that was given.

    Rows with ``y == -1`` are unlabelled if the net learns from such (``unlabeled`` is set) and
    -1 is no declared class: without that a problem with classes -1 and 1 would be misread. Among
    strings, in an array of objects, the number -1 is the mark.
    """
    if X_unlabeled is not None and net.unlabeled is None:
        raise ValueError(
            "X_unlabeled was passed, but unlabeled is None: the net would not learn from it. Set "
            "unlabeled='rst', for instance."
        )
    if net.unlabeled is None or y is None:
        return X, y, weights, _rows_of(X_unlabeled)
    marked = unlabelled(y, _declared(net, classes))
    if not marked.any():
        return X, y, weights, _rows_of(X_unlabeled)
    if X_unlabeled is not None:
        raise ValueError(
            f"y marks {int(marked.sum())} samples as unlabelled (-1), and X_unlabeled was passed "
            "as well. Pass unlabelled points in one of the two ways."
        )
    if n_rows(X) != len(marked):
        raise ValueError(f"X and y differ in length: X has {n_rows(X)}, y has {len(marked)}.")
    if marked.all():
        raise ValueError("All samples are unlabelled (y == -1): there is no label to learn from.")
    kept = np.flatnonzero(~marked)
    if _declared(net, classes) is None and len(np.unique(np.asarray(y)[kept])) == 1:
        raise ValueError(
            "Besides -1, which marks samples without a label, y holds a single class. If -1 is a "
            "class, declare it: classes=[-1, 1]."
        )
    weights = None if weights is None else np.asarray(weights)[kept]
    labels = np.asarray(np.asarray(y)[kept].tolist())
    return take_rows(X, kept), labels, weights, Rows(X, np.flatnonzero(marked))


def of_labelled(net: Any, y: Any, mask: NDArray | None, classes: Any) -> NDArray | None:
    """The part of a mask over all samples that is about those that have a label."""
    if mask is None or net.unlabeled is None:
        return mask
    return mask[~unlabelled(y, _declared(net, classes))]


def _rows_of(X: Any) -> Rows | None:
    return None if X is None or n_rows(X) == 0 else Rows.of(X)


def _declared(net: Any, classes: Any) -> Any:
    if classes is not None:
        return classes
    return net.classes if net.classes is not None else getattr(net, "classes_fitted_", None)


def train_teacher(net: Any, samples: Samples, rows: Rows, seed: int) -> Any:
    """A model trained on the labelled samples, for pseudo-labels; on the pool too, if it can."""
    if not hasattr(net.teacher, "get_params") and net.teacher is not None:
        raise TypeError(
            f"teacher must be a classifier, such as FixMatch(), or None, got {net.teacher!r}."
        )
    teacher = clean_twin(net) if net.teacher is None else clone(net.teacher)
    if hasattr(teacher, "as_teacher_of"):
        teacher = teacher.as_teacher_of(net)
    params = teacher.get_params(deep=False)
    if params.get("random_state", 0) is None:
        teacher.set_params(random_state=seed)
    X, y, weights, _ = samples
    if isinstance(X, FreshRows) and not isinstance(teacher, NeuralNet):
        X = X[:].numpy()  # which reads each item once: only nets draw batches from a Dataset
    given: dict[str, Any] = {} if weights is None else {"sample_weight": weights}
    if _learns_from_pool(teacher):
        given["X_unlabeled"] = rows
    return teacher.fit(X, net.classes_[y], **given)


def _learns_from_pool(teacher: Any) -> bool:
    takes = has_fit_parameter(teacher, "X_unlabeled")
    return takes and teacher.get_params(deep=False).get("unlabeled", "") is not None


def clean_twin(net: Any) -> Any:
    """A clone of the net that trains without an attack, without recipes, on labels alone."""
    return clone(net).set_params(
        attack=None,
        loss="adversarial",
        bounds=net.bounds_,
        unlabeled=None,
        teacher=None,
        callbacks=None,
        warm_start=False,
        random_state=None,
    )


def pseudo_labels(net: Any, teacher: Any, rows: Rows) -> NDArray:
    """The teacher's labels as positions in the classes of `net`, whose input it reads."""
    labels = np.concatenate(
        [
            teacher.predict(net.as_inputs(batch).cpu().numpy())
            for _, batch in rows.batches(4 * _CHECKED_AT_ONCE)
        ]
    )
    return _positions(net, labels, len(rows), "The teacher predicts labels")


def given_labels(net: Any, labels: Any, rows: Rows | None) -> NDArray:
    """Labels for the pool that a user has already, as positions in the classes of `net`."""
    if rows is None:
        raise ValueError(
            "y_unlabeled was passed without a pool. Pass the points as X_unlabeled=…, or mark "
            "them with y == -1."
        )
    if not resolve_pool_loss(net.unlabeled).needs_labels:
        raise ValueError(
            f"y_unlabeled was passed, but unlabeled={net.unlabeled!r} learns without labels of "
            "the pool. Leave it out, or use unlabeled='rst'."
        )
    given = column_or_1d(labels)
    check_consistent_length(given, rows)
    return _positions(net, given, len(rows), "y_unlabeled holds labels")


def _positions(net: Any, labels: NDArray, n: int, whose: str) -> NDArray:
    classes = net.classes_
    position = np.clip(np.searchsorted(classes, labels), 0, len(classes) - 1)
    if labels.shape != (n,) or not (classes[position] == labels).all():
        unknown = sorted(set(np.unique(labels).tolist()) - set(classes.tolist()))
        raise ValueError(
            f"{whose} that the net does not know: {unknown[:20]}; known are "
            f"{classes.tolist()[:20]}."
        )
    return position.astype(np.int64)


class PoolBatches:
    """Add unlabelled points to each batch of labelled ones.

    Parameters
    ----------
    net : AdversarialNetClassifier
        Reads the points.
    rows : Rows
        Taken batch by batch, never copied whole.
    labels : ndarray of shape (n_unlabeled,) or None
        Pseudo-labels, positions in ``net.classes_``.
    seed : int
        Of the order: all points occur once before any occurs again, across epochs.
    """

    def __init__(self, net: Any, rows: Rows, labels: NDArray | None, seed: int) -> None:
        self.net = net
        self.rows = rows
        self.labels = np.zeros(len(rows), dtype=np.int64) if labels is None else labels
        self._rng = np.random.default_rng(seed)
        self._order = np.empty(0, dtype=np.intp)

    @property
    def alike(self) -> bool:
        """Whether labelled rows and those of the pool are drawn as one lot."""
        return self.net.unlabeled_fraction == "data"

    def labelled_share(self, batch_size: Any, n_labelled: int) -> int:
        """How many samples of a batch the labelled iterator gives."""
        if self.alike:
            return int(batch_size)
        size = n_labelled if batch_size == -1 else int(batch_size)
        return max(1, round(size * (1 - self.net.unlabeled_fraction)))

    def beside(self, labelled: Any) -> PoolBatches:
        """Come with the batches of `labelled`, an iterator with a length, from now on."""
        self._iterator = labelled
        return self

    def of(self, dataset: Any, make: Callable[[Any], Any]) -> PoolBatches:
        """Batches of a labelled dataset and the pool; `make` gives a dataset's iterator."""
        self._dataset = dataset
        if self.alike:
            dataset = ArrayDataset(np.arange(len(dataset) + len(self.rows)))
        return self.beside(make(dataset))

    def __len__(self) -> int:
        return len(self._iterator)

    def __iter__(self) -> Iterator[list]:
        """Batches as ``[X, y, weights(, as_is), how many at the end are from the pool]``."""
        return self._drawn_alike() if self.alike else self._beside_labelled()

    def _beside_labelled(self) -> Iterator[list]:
        fraction = float(self.net.unlabeled_fraction)
        for batch in self._iterator:
            n_pool = max(1, round(len(batch[0]) * fraction / (1 - fraction)))
            yield self._joined(batch, self._next(n_pool))

    def _drawn_alike(self) -> Iterator[list]:
        n, samples_at = len(self._dataset), sampler(self._dataset)
        for (positions,) in self._iterator:
            drawn = np.asarray(positions)
            yield self._joined(samples_at(drawn[drawn < n]), drawn[drawn >= n] - n)

    def _joined(self, labelled: Any, picked: NDArray) -> list:
        """A batch of labelled samples with points of the pool behind them."""
        X, y, *more = labelled
        X, weight = torch.as_tensor(X), more[0] if more else torch.ones(len(X))
        if len(picked):
            X_pool = self.net.as_inputs(self.rows.take(picked))
            X = torch.cat([X.to(X_pool), X_pool])
        extra = torch.full((len(picked),), float(self.net.unlabeled_weight))
        return [
            X,
            torch.cat([y, torch.from_numpy(self.labels[picked])]),
            torch.cat([weight, extra.to(weight)]),
            *(torch.cat([as_is, as_is.new_zeros(len(picked))]) for as_is in more[1:]),
            len(picked),
        ]

    def _next(self, n: int) -> NDArray:
        n = min(n, len(self.rows))
        if len(self._order) < n:
            self._order = np.concatenate([self._order, self._rng.permutation(len(self.rows))])
        picked, self._order = self._order[:n], self._order[n:]
        return picked


def check_pool(net: Any, rows: Rows) -> None:
    """Raise, before any training, unless the net can read every unlabelled point."""
    for _, batch in rows.batches(_CHECKED_AT_ONCE):
        net.as_inputs(batch)


class DeviceBatch(NamedTuple):
    """A batch of any kind: weights and `as_is` may be None, the last `n_pool` are of the pool."""

    X: Tensor
    y: Tensor
    weights: Tensor | None
    as_is: Tensor | None
    n_pool: int


def as_device_batch(batch: Any, device: torch.device) -> DeviceBatch:
    """A batch as a training iterator yields it, on `device`."""
    n_pool = batch[-1] if isinstance(batch[-1], int) else 0
    X, y, *more = (part.to(device) for part in batch if not isinstance(part, int))
    weights, as_is = (*more, None, None)[:2]
    return DeviceBatch(X, y, weights, as_is, n_pool)
