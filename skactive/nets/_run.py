"""One run of training: what its batches need, and what is gone when it ends."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bounds import Box
from ..losses import resolve_pool_loss
from ..utils.compat import fit_loop, set_training
from ..utils.indexing import Rows
from ..utils.inputs import as_float_tensor
from ..utils.random_state import derive_seed
from ..utils.validation import check_params
from ._batches import ArrayDataset, holds_arrays
from ._certified import enforced_bounds, reads_bounds
from ._checks import check_trained, check_training_data
from ._ctrl_c import CtrlC
from ._objective import Objective, check_each, moved_but
from ._pool import (
    DeviceBatch,
    PoolBatches,
    as_device_batch,
    check_pool,
    given_labels,
    pseudo_labels,
    train_teacher,
)
from ._samples import Samples
from ._views import seen
from .recipes import Recipe

_INIT, _TRAIN, _ATTACK, _SPLIT, _TEACHER, _ORDER = range(6)  # what a seed is for


class TrainingRun:
    """One training of a net, ``net.run`` while it lasts.

    Parameters
    ----------
    net : AdversarialNetClassifier
        With a module, ``attack_`` and ``classes_``.
    samples : Samples
        Labelled training data.
    seed : int
    fresh : bool, default=True

    Attributes
    ----------
    samples : Samples
        What is trained on: without what recipes hold out.
    attack : Attack or None
        What batches are attacked with from now on; a recipe may replace it.
    updates : int
        Steps of the optimiser so far.
    updates_per_epoch : int
    max_epochs : int
        Epochs of this run, which schedules are planned for.
    seed : int
        Of this run: a recipe derives its random numbers from it.
    fresh : bool
        Whether the weights are where a ``fit`` starts, rather than trained before.
    device : torch.device
    """

    def __init__(self, net: Any, samples: Samples, seed: int, fresh: bool = True) -> None:
        self.net = net
        self.samples = samples
        self.seed = seed
        self.fresh = fresh
        self.parts: Any = None  # what yields batches
        self.share: Any = 1  # of this process in the last of them
        self.output: Box | None = None  # bounds of the logits of the last batch
        self.device = next(iter(net.module_.parameters())).device
        self.processes = net.processes
        own = self.processes.own(derive_seed(seed, _ATTACK))
        self.generator = torch.Generator(device=self.device).manual_seed(own)
        self.attack = copy.copy(net.attack_)
        self.updates, self.updates_per_epoch = 0, 1
        self.max_epochs = net.max_epochs  # or of this training alone: fit(X, y, epochs=3)
        self.interrupted = False  # by the user, after the first update
        self.pool: PoolBatches | None = None
        self.callbacks = [
            (name, copy.copy(callback) if isinstance(callback, Recipe) else callback)
            for name, callback in net.callbacks_
        ]

    @property
    def recipes(self) -> list[Recipe]:
        """The recipes among the callbacks: copies, of this run alone."""
        return [callback for _, callback in self.callbacks if isinstance(callback, Recipe)]

    @property
    def progress(self) -> float:
        """Share of the updates that are done."""
        planned = self.max_epochs * self.updates_per_epoch
        return min(1.0, self.updates / max(1, planned))

    # -- for recipes ---------------------------------------------------------------------

    def hold_out(self, fraction: float) -> tuple[Tensor, Tensor]:
        """Take a share of the samples out of the training, and count their labels."""
        self.samples, held_out = self.samples.split(fraction, derive_seed(self.seed, _SPLIT))
        return self._counted(held_out.X, held_out.y)

    def validated(self, X: Any, y: Any) -> tuple[Tensor, Tensor]:
        """Samples of the user's own to validate with, checked; their labels are counted."""
        return self._counted(*self._checked(X, y))

    def validation_set(self, dataset: Any) -> Any:
        """What a `train_split` validates with, as batches read it; its labels are counted."""
        if not holds_arrays(dataset):  # one of the user's own: predefined_split(Dataset(X, y))
            dataset = ArrayDataset(*self._checked(dataset, None))
        self.net.n_validation_labels_ += len(dataset)
        return dataset

    def _checked(self, X: Any, y: Any) -> tuple[Any, NDArray]:
        net = self.net
        X, y, _ = check_training_data(net, X, y, None, net.attack_, False)
        return X, np.searchsorted(net.classes_, y).astype(np.int64)

    def _counted(self, X: Any, y: NDArray) -> tuple[Tensor, Tensor]:
        self.net.n_validation_labels_ += len(y)
        return self.tensors(X[:], y)

    def tensors(self, X: Any, y: NDArray) -> tuple[Tensor, Tensor]:
        """Samples on the device that is trained on."""
        return as_float_tensor(X, self.device), torch.as_tensor(y, device=self.device)

    def attacked_batches(self, module: nn.Module) -> Iterable[Tensor]:
        """One epoch's inputs, attacked as they are in training, but through `module`.

        What BatchNorm takes its statistics from: with bounds, that is the clean inputs.
        """
        clean = self.attack is None or reads_bounds(self.net)

        def move(X: Tensor, y: Tensor) -> Tensor:
            return self.attack(module, X, y, generator=self.generator)

        for batch in self.net.get_iterator(self.samples.dataset(), training=True):
            X, y, _, as_is, _ = self._read(batch)
            yield X if clean else moved_but(as_is, move, X, y)

    @property
    def view_bounds(self) -> tuple[float, float] | None:
        """Range that views of samples are clipped to."""
        net = self.net
        return enforced_bounds(net, net.attack_) if net.bounds is None else net.bounds

    @property
    def judged_module(self) -> nn.Module:
        """The module whose weights would be kept if the run ended now."""
        for recipe in reversed(self.recipes):
            if (module := recipe.judged_module(self.net)) is not None:
                return module
        return self.net.module_

    # -- the run -------------------------------------------------------------------------

    def train(
        self, unlabeled: Rows | None, labels: Any, method: str, fit_params: dict[str, Any]
    ) -> None:
        """Run skorch's loop; end with the weights that were asked for, whatever ended it."""
        net = self.net
        if fit_params.get("epochs") is not None:
            self.max_epochs = fit_params["epochs"]
        callbacks, net.callbacks_ = net.callbacks_, self.callbacks
        try:
            self._prepare(unlabeled, labels)
            X, y = self.samples.X, self.samples.y
            net.notify("on_train_begin", X=X, y=y)
            self._loop(method, fit_params)
            self._finish(interrupted=False)
            check_trained(net)
            net.notify("on_train_end", X=X, y=y)
        except KeyboardInterrupt:
            if self.updates:
                self._finish(interrupted=True)
                self.interrupted = True
            raise
        finally:
            net.callbacks_ = callbacks

    def _prepare(self, rows: Rows | None, given: Any) -> None:
        """Hold samples out, and get labels for the pool from a teacher that never saw them."""
        net = self.net
        labels = None if given is None else given_labels(net, given, rows)
        net.n_validation_labels_, net.n_pseudo_labels_, net.teacher_ = 0, 0, None
        for recipe in self.recipes:
            check_params(recipe)
            recipe.on_run_begin(net)
        if rows is None:
            return
        check_pool(net, rows)
        if labels is None:
            labels = self._labels_of(rows)
        else:
            net.n_pseudo_labels_ = len(rows)
        self.pool = PoolBatches(net, rows, labels, derive_seed(self.seed, _ORDER))

    def _labels_of(self, rows: Rows) -> NDArray | None:
        """Labels for points of the pool from a teacher, if their loss needs any."""
        net = self.net
        if not resolve_pool_loss(net.unlabeled).needs_labels:
            return None
        net.n_pseudo_labels_ = len(rows)
        net.teacher_ = train_teacher(net, self.samples, rows, derive_seed(self.seed, _TEACHER))
        return pseudo_labels(net, net.teacher_, rows)

    def _loop(self, method: str, fit_params: dict[str, Any]) -> None:
        with CtrlC() as ctrl_c:
            try:
                fit_loop(self.net, self.samples.dataset(), method, **fit_params)
            except KeyboardInterrupt as error:
                if not ctrl_c.is_callbacks(error):
                    raise

    def _finish(self, interrupted: bool) -> None:
        net = self.net
        for recipe in self.recipes:
            recipe.on_run_end(net, interrupted=interrupted)
        if self.judged_module is not net.module_:
            net.module_.load_state_dict(self.judged_module.state_dict())
        for recipe in self.recipes:
            recipe.restore(net)
        self.processes.level(net.module_)
        set_training(net, False)

    def batches(self, dataset: Any, make: Callable[[Any], Any]) -> Any:
        """Batches of labelled data, with points of the pool if there is one."""
        iterator = make(dataset) if self.pool is None else self.pool.of(dataset, make)
        self.updates_per_epoch = len(iterator)
        self.parts = self.processes.parts(iterator)
        return self.parts

    def batch_size(self, size: Any) -> Any:
        """Samples that the iterator of labelled ones gives at a time, for all processes."""
        size = size if size in (-1, None) else size * self.processes.count
        return size if self.pool is None else self.pool.labelled_share(size, len(self.samples.y))

    # -- a batch -------------------------------------------------------------------------

    def _read(self, batch: Any) -> DeviceBatch:
        """A batch on the device, augmented but for the samples to train on as they are."""
        read = as_device_batch(batch, self.device)
        net = self.net
        if net.augment is None:
            return read

        def move(X: Tensor, y: Tensor) -> Tensor:
            return seen({"augment": net.augment}, [X], self.view_bounds, self.generator)

        return read._replace(X=moved_but(read.as_is, move, read.X, read.y))

    def step(self, batch: Any) -> dict[str, Tensor]:
        """Attack one batch and compute the gradients of the loss on it."""
        posed = self._posed(batch)

        def evaluate() -> tuple[Tensor, Tensor]:
            logits, loss = posed()
            penalties = [recipe.penalty(self.net, self.output) for recipe in self.recipes]
            return logits, sum((extra for extra in penalties if extra is not None), loss)

        with contextlib.ExitStack() as contexts:
            for recipe in self.recipes:
                contexts.enter_context(recipe.around_gradient(self.net, lambda: evaluate()[1]))
            logits, loss = evaluate()
            loss = self.processes.backward(self.net.module_, loss, self.share)
        self.output = None
        return {"loss": loss, "y_pred": logits}

    def _posed(self, batch: Any) -> Callable[[], tuple[Tensor, Tensor]]:
        """An attacked batch: what gives its logits, and its loss, at the present weights."""
        net = self.net
        X, y, weights, as_is, n_pool = self._read(batch)
        self.share = len(X) if weights is None else weights.sum()
        if net.channels_last and X.dim() == 4:
            X = X.contiguous(memory_format=torch.channels_last)
        set_training(net, True)
        objective = Objective(net, n_pool, as_is)
        attacked = objective.attacked(self.attack, X, y, self.generator)

        def evaluate() -> tuple[Tensor, Tensor]:
            logits, losses = objective.losses(X, attacked, y)
            self.output = objective.output
            return logits, weighted_mean(losses, weights)

        return evaluate


def weighted_mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    """Mean over the samples of a batch."""
    if weights is None:
        return losses.mean()
    check_each(losses)
    return (losses * weights).sum() / weights.sum()
