"""One run of training: what its batches need, and what is gone when it ends."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..utils.compat import fit_loop, set_training
from ..utils.indexing import Rows
from ..utils.inputs import as_float_tensor
from ..utils.random_state import derive_seed, torch_generator
from ._augmentation import augmented
from ._batches import ArrayDataset
from ._checks import check_training_data
from ._ctrl_c import CtrlC
from ._fresh_rows import select
from ._objective import Objective, moved_but
from ._pool import (
    DeviceBatch,
    PoolBatches,
    as_device_batch,
    check_pool,
    pseudo_labels,
    train_teacher,
)
from .recipes._averaging import WeightAverage
from .recipes._awp import perturbed_weights
from .recipes._best_epoch import BestEpoch, TrainingDone, split_off
from .recipes._overfitting_guard import guard_for

_INIT, _TRAIN, _ATTACK, _SPLIT, _TEACHER, _ORDER = range(6)  # what a seed is for


class TrainingRun:
    """Train a net once: held out, attacked, averaged, watched.

    Parameters
    ----------
    net : AdversarialNetClassifier
        With a module, ``attack_`` and ``classes_``.
    X, y : ndarray
        Labelled training data, labels as positions in the classes.
    weights : ndarray or None
    unlabeled : Rows or None
        Points of the pool.
    seed : int
    as_is : ndarray of bool or None
        Samples that are not attacked.
    """

    def __init__(
        self,
        net: Any,
        X: NDArray,
        y: NDArray,
        weights: NDArray | None,
        unlabeled: Rows | None,
        seed: int,
        as_is: NDArray | None = None,
    ) -> None:
        self.net = net
        self.seed = seed
        self.device = next(iter(net.module_.parameters())).device
        self.generator = torch_generator(seed, _ATTACK, device=self.device)
        self.watchers: list[tuple[str, Any]] = []
        self.as_is = as_is
        self.data = self._hold_out(X, y, weights)
        self.pool = self._labelled_pool(unlabeled)
        self.attack = copy.copy(net.attack_)
        self.updates, self.updates_per_epoch = 0, 1
        self.interrupted = False  # by the user, after the first update
        self.epochs = 0
        start = 1 + int(float(net.averaging_start) * net.max_epochs)
        self.average = (
            None
            if net.averaging is None
            else WeightAverage(net.module_, net.averaging, float(net.averaging_decay), start)
        )
        guard = guard_for(net, *self._to_attack(), seed)
        if guard is not None:
            self.watchers.append(("overfitting_guard", guard))

    def _tensors(self, X: NDArray, y: NDArray) -> tuple[Tensor, Tensor]:
        return as_float_tensor(X, self.device), torch.as_tensor(y, device=self.device)

    def _hold_out(self, X: NDArray, y: NDArray, weights: NDArray | None) -> tuple:
        """Training data without the validation samples; who watches those is noted."""
        net = self.net
        net.n_validation_labels_ = 0
        if net.early_stopping is None:
            return X, y, weights
        if net.validation_data is not None:
            X_val, y_val = net.validation_data
            X_val, y_val, _ = check_training_data(net, X_val, y_val, None, net.attack_, False)
            y_val = np.searchsorted(net.classes_, y_val).astype(np.int64)
        else:
            split = derive_seed(self.seed, _SPLIT)
            # Samples that were made from others validate nothing, unless there are no others.
            made = self.as_is
            if made is None or made.all():
                made = np.zeros(len(y), dtype=bool)
            own = np.flatnonzero(~made)
            rows, val, _, y_val = split_off(own, y[own], net.validation_fraction, split)
            rows = np.concatenate([rows, np.flatnonzero(made)])
            X, X_val, y = select(X, rows), select(X, val), y[rows]
            weights = None if weights is None else weights[rows]
            self.as_is = None if self.as_is is None else self.as_is[rows]
        net.n_validation_labels_ = len(y_val)
        attack = net.attack_ if net.early_stopping == "robust" else None
        best = BestEpoch(*self._tensors(X_val[:], y_val), attack, net.patience, self.seed)
        self.watchers.append(("best_epoch", best))
        return X, y, weights

    def _to_attack(self) -> tuple[NDArray, NDArray]:
        """Training samples that are attacked, and their labels."""
        X, y, _ = self.data
        return (
            (X, y)
            if self.as_is is None
            else (select(X, np.flatnonzero(~self.as_is)), y[~self.as_is])
        )

    def _dataset(self) -> ArrayDataset:
        X, y, weights = self.data
        if self.as_is is None:
            return ArrayDataset(X, y) if weights is None else ArrayDataset(X, y, weights)
        weights = np.ones(len(y), dtype=np.float32) if weights is None else weights
        return ArrayDataset(X, y, weights, self.as_is)

    def _labelled_pool(self, rows: Rows | None) -> PoolBatches | None:
        """The pool, with labels from a teacher that never saw the validation samples."""
        net = self.net
        net.teacher_, net.n_pseudo_labels_ = None, 0
        if rows is None:
            return None
        check_pool(net, rows)
        labels = None
        if net.unlabeled != "uat-kl":
            X, y, weights = self.data
            seed = derive_seed(self.seed, _TEACHER)
            net.teacher_ = train_teacher(net, X, net.classes_[y], weights, seed)
            net.n_pseudo_labels_ = len(rows)
            labels = pseudo_labels(net, net.teacher_, rows)
        return PoolBatches(net, rows, labels, derive_seed(self.seed, _ORDER))

    # -- the run -------------------------------------------------------------------------

    def train(self, method: str, fit_params: dict[str, Any]) -> None:
        """Run skorch's loop; end with the weights that were asked for, whatever ended it."""
        X, y, _ = self.data
        net = self.net
        callbacks = net.callbacks_
        net.callbacks_ = [*callbacks, *self.watchers]
        try:
            net.notify("on_train_begin", X=X, y=y)
            self._loop(method, fit_params)
            self._finish(renew=True)
            net.callbacks_ = callbacks
            net.notify("on_train_end", X=X, y=y)
        except KeyboardInterrupt:
            if self.updates:
                self._finish(renew=False)
                self.interrupted = True
            raise
        finally:
            net.callbacks_ = callbacks

    def _loop(self, method: str, fit_params: dict[str, Any]) -> None:
        with CtrlC() as ctrl_c:
            try:
                fit_loop(self.net, self._dataset(), method, **fit_params)
            except TrainingDone:
                pass
            except KeyboardInterrupt as error:
                if not ctrl_c.is_callbacks(error):
                    raise

    def _finish(self, renew: bool) -> None:
        if self.average is not None:
            if renew:
                self.average.renew_statistics(self._attacked_batches)
            self.average.hand_over(self.net.module_)
        for _, watcher in reversed(self.watchers):
            watcher.restore(self.net)
        set_training(self.net, False)

    def _attacked_batches(self, module: nn.Module) -> Iterable[Tensor]:
        def move(X: Tensor, y: Tensor) -> Tensor:
            return self.attack(module, X, y, generator=self.generator)

        for batch in self.net.get_iterator(self._dataset(), training=True):
            X, y, _, as_is, _ = self._read(batch)
            yield X if self.attack is None else moved_but(as_is, move, X, y)

    def batches(self, iterator: Any) -> Any:
        """Batches of labelled data, with points of the pool if there is one."""
        self.updates_per_epoch = len(iterator)
        return iterator if self.pool is None else _Joined(self.pool, iterator)

    @property
    def judged_module(self) -> nn.Module:
        """The module whose weights would be kept if the run ended now."""
        if self.average is not None and self.average.ready:
            return self.average.module
        return self.net.module_

    # -- a batch -------------------------------------------------------------------------

    def _read(self, batch: Any) -> DeviceBatch:
        """A batch on the device, augmented but for the samples to train on as they are."""
        read = as_device_batch(batch, self.device)
        net = self.net
        if net.augment is None:
            return read
        bounds = None if net.attack_ is None and net.bounds is None else net.bounds_

        def move(X: Tensor, y: Tensor) -> Tensor:
            return augmented(net.augment, X, bounds)

        return read._replace(X=moved_but(read.as_is, move, read.X, read.y))

    def step(self, batch: Any) -> dict[str, Tensor]:
        """Attack one batch and compute the gradients of the loss on it."""
        net = self.net
        X, y, weights, as_is, n_pool = self._read(batch)
        if net.channels_last and X.dim() == 4:
            X = X.contiguous(memory_format=torch.channels_last)
        set_training(net, True)
        objective = Objective(net, n_pool, as_is)
        attacked = objective.attacked(self.attack, X, y, self.generator)

        def evaluate() -> tuple[Tensor, Tensor]:
            logits, losses = objective.losses(X, attacked, y)
            return logits, _mean(losses, weights)

        with perturbed_weights(net.module_, lambda: evaluate()[1], float(net.awp_gamma)):
            logits, loss = evaluate()
            loss.backward()
        return {"loss": loss, "y_pred": logits}

    def before_update(self) -> None:
        """Set the radius that the warm-up allows so far."""
        warmup = float(self.net.eps_warmup)
        if self.attack is None or warmup == 0:
            return
        total = warmup * self.net.max_epochs * self.updates_per_epoch
        share = min(1.0, (self.updates + 1) / max(total, 1.0))
        self.attack = copy.copy(self.attack).set_params(eps=float(self.net.attack_.eps) * share)

    def after_update(self) -> None:
        """Count a step of the optimiser."""
        self.updates += 1
        if self.average is not None:
            self.average.after_update(self.net.module_)

    def after_epoch(self) -> None:
        """Count an epoch; called before anyone judges it."""
        self.epochs += 1
        if self.average is not None:
            self.average.after_epoch(self.net.module_, self.epochs)


class _Joined:
    """An iterator of labelled batches with the pool's points added; has a length as before."""

    def __init__(self, pool: PoolBatches, iterator: Any) -> None:
        self.pool = pool
        self.iterator = iterator

    def __len__(self) -> int:
        return len(self.iterator)

    def __iter__(self) -> Iterator[list]:
        return self.pool.join(self.iterator)


def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    if weights is None:
        return losses.mean()
    if losses.dim() == 0:
        raise ValueError(
            "sample_weight needs the loss of each sample: use the default criterion, "
            "CrossEntropyLoss without class weights."
        )
    return (losses * weights).sum() / weights.sum()
