"""How a net trains: from checked data to one run of skorch's loop, or back to where it was."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNetClassifier
from skorch.history import History
from torch import Tensor

from ..attacks import Attack, resolve_attack
from ..passes.precision import float32_door
from ..utils.alone import ALONE
from ..utils.random_state import (
    derive_seed,
    guarded_draws,
    seeded_elsewhere,
    seeded_torch,
)
from ..utils.saving import Savable
from ._batches import ArrayDataset
from ._certified import check_loss, enforced_bounds, reads_bounds
from ._checks import (
    check_inputs,
    check_mask,
    check_output,
    check_settings,
    check_training_data,
    usable_weights,
    with_labels,
)
from ._fresh_rows import FreshRows
from ._params import NestedParams, sizes_of_data
from ._pool import of_labelled, split_unlabeled
from ._processes import OneProcess
from ._run import _INIT, _TRAIN, TrainingRun
from ._samples import Samples
from ._state import TrainingState
from ._weights import PortableWeights


class TrainedNet(Savable, PortableWeights, NestedParams, NeuralNetClassifier):
    """Training of `AdversarialNetClassifier`, its base class.

    A `TrainingRun` holds what is needed while skorch's loop runs; the methods that skorch
    calls for each batch and epoch hand over to it.
    """

    _run_type: ClassVar[type[TrainingRun]] = TrainingRun

    @property
    def processes(self) -> OneProcess:
        """The processes that train the net together."""
        return OneProcess()

    def _learn(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        X_unlabeled: Any,
        y_unlabeled: Any,
        classes: Any,
        as_is: Any,
        fresh: bool,
        method: str,
        fit_params: dict[str, Any],
    ) -> Any:
        with self._as_before_if_it_fails(fresh):
            check_settings(self)
            attack = self._resolved_attack()
            check_loss(self, attack)
            with (
                ALONE,
                guarded_draws(),
                seeded_torch(0),
                seeded_elsewhere(0),
            ):  # a Dataset that is read may draw
                X, y = with_labels(X, y)
                as_is = of_labelled(self, y, check_mask(as_is, X), classes)
                X, y, sample_weight, unlabeled = split_unlabeled(
                    self, X, y, sample_weight, X_unlabeled, classes
                )
                X, y, known = check_training_data(self, X, y, classes, attack, fresh)
                self.processes.check_alike(X, y)
            weights = usable_weights(sample_weight, len(y))
            if fresh:
                self._begin(X, known)
            if fresh or reads_bounds(self):
                self._check_module(X)
            self.attack_ = attack
            seed = derive_seed(self.seed_, _TRAIN, self.n_fits_)
            self.n_fits_ += 1
            encoded = np.searchsorted(self.classes_, y).astype(np.int64)
            with (
                ALONE,
                guarded_draws(),
                seeded_torch(self.processes.own(seed)),
                self._seeded_elsewhere(X, self.processes.own(seed)),
            ):
                samples = Samples(X, encoded, weights, as_is).with_weight()
                self._run = self._run_type(self, samples, seed, fresh)
                self._run.train(unlabeled, y_unlabeled, method, fit_params)
        return self

    @contextlib.contextmanager
    def _as_before_if_it_fails(self, fresh: bool) -> Iterator[None]:
        """Go back to the net before the block if that raises, interrupted trainings aside."""
        attributes, with_gradients = dict(self.__dict__), torch.is_grad_enabled()
        state = None if fresh else TrainingState(self)
        try:
            yield
        except BaseException:
            if self.run is None or not self.run.interrupted:
                if state is not None:
                    state.restore()
                object.__setattr__(self, "__dict__", attributes)
            raise
        finally:
            torch.set_grad_enabled(with_gradients)  # torch's blocks do not survive an interrupt
            self.__dict__.pop("_run", None)

    def _seeded_elsewhere(self, X: Any, seed: int) -> contextlib.AbstractContextManager:
        """Seed NumPy's and Python's generators where transforms may draw from them."""
        drawing = isinstance(X, FreshRows) or any(
            getattr(self, name) is not None for name in self._views
        )
        return seeded_elsewhere(seed) if drawing else contextlib.nullcontext()

    def _resolved_attack(self) -> Attack | None:
        if self.attack is None:
            return None
        attack = resolve_attack(self.attack, bounds=self.bounds)
        attack._check_params()
        return attack

    def _begin(self, X: Any, classes: NDArray) -> None:
        """Fresh weights, optimiser, history and random numbers."""
        self.classes_fitted_ = classes
        self.input_shape_ = X.input_shape if isinstance(X, FreshRows) else X.shape[1:]
        self.seed_ = self.processes.agreed(derive_seed(self.random_state))
        self.n_fits_ = 0
        if str(self.device).startswith("cuda"):
            torch.cuda.init()  # so that its generator is restored, too
        self._initialize_seeded()

    def _check_module(self, X: Any) -> None:
        """Raise unless the module returns what the loss needs."""
        with (
            ALONE,
            guarded_draws(),
            seeded_torch(0),
            seeded_elsewhere(0),
        ):  # a Dataset that is read may draw
            check_output(self, X)

    def _initialize_seeded(self) -> None:
        """Make module and optimiser; what is drawn for them follows from the seed alone."""
        with ALONE, guarded_draws(), seeded_torch(derive_seed(self.seed_, _INIT)):
            self.initialize()

    def _adopt(self, classes: NDArray, X: Any) -> None:
        """Be fitted without training: `module` is trained already."""
        check_settings(self)
        self.attack_ = self._resolved_attack()
        check_loss(self, self.attack_)
        self.classes_fitted_ = classes
        self.seed_, self.n_fits_ = self.processes.agreed(derive_seed(self.random_state)), 0
        self.n_validation_labels_ = self.n_pseudo_labels_ = 0
        self.teacher_ = None
        self._initialize_seeded()
        self.module_.eval()
        if X is not None:
            bounds = enforced_bounds(self, self.attack_)
            inputs = check_inputs(self, X, bounds)
            self.input_shape_ = tuple(inputs.shape[1:])
            check_output(self, inputs)

    @property
    def run(self) -> TrainingRun | None:
        """The training that is under way, for recipes."""
        return getattr(self, "_run", None)

    @property
    def judged_module(self) -> torch.nn.Module:
        """The module whose weights would be kept if training ended now, for callbacks."""
        return self.module_ if self.run is None else self.run.judged_module

    def __getstate__(self) -> dict[str, Any]:
        """Without what belongs to a training that is under way, for callbacks that pickle."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_run"}

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        """The arrays as they are; anything else as skorch does."""
        return X if isinstance(X, ArrayDataset) else super().get_dataset(X, y)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        """As skorch does, with the labels for splits that stratify; validation labels count."""
        run = self.run
        if run is None:
            return super().get_split_datasets(X, y, **fit_params)
        training, validation = super().get_split_datasets(X, run.samples.y, **fit_params)
        return training, None if validation is None else run.validation_set(validation)

    def _check_settable_attr(self, name: str, attr: Any) -> None:
        if name not in self._views:  # transforms are modules, but none that skorch would train
            super()._check_settable_attr(name, attr)

    def _register_attribute(self, name: str, *args: Any, **kwargs: Any) -> None:
        if name not in self._views:
            super()._register_attribute(name, *args, **kwargs)

    def check_data(self, X: Any, y: Any) -> None:
        """Nothing is left to check here: see `fit`."""

    def initialized_instance(self, instance_or_cls: Any, kwargs: Any) -> Any:
        """A new object, also where an instance was given: a parameter is never trained."""
        made = super().initialized_instance(instance_or_cls, kwargs)
        return copy.deepcopy(made) if made is instance_or_cls else made

    def initialize_module(self) -> Any:
        """Create the module, in channels-last memory format if asked."""
        super().initialize_module()
        if self.channels_last:
            self.module_.to(memory_format=torch.channels_last)
        return self

    def initialize_history(self) -> Any:
        """A new history; skorch empties the old one, which a failed training must keep."""
        self.history_ = History()
        return self

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        """Batches; in training with points of the pool in them, if there is one."""
        make = super().get_iterator
        if not training or self.run is None:
            return make(dataset, training=training)
        return self.run.batches(dataset, lambda data: make(data, training=True))

    def infer(self, x: Any, **fit_params: Any) -> Any:
        """The module's output; one of half precision is given what it reads."""
        door = float32_door(self.module_)
        return super().infer(x, **fit_params) if door is self.module_ else door(x)

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """One update of the weights."""
        step = super().train_step(batch, **fit_params)
        self._run.updates += 1
        return step

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Tensor]:
        """Attack one batch and compute the gradients of the loss on it."""
        return self._run.step(batch)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Tell recipes before any callback judges the epoch."""
        super().on_epoch_end(net, **kwargs)
        for recipe in self._run.recipes:
            recipe.on_epoch_trained(self)

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Parameters of one component; the module's sizes are filled in from the data."""
        params = super().get_params_for(prefix)
        run = self.run
        if prefix == "iterator_train" and run is not None:
            params["batch_size"] = run.batch_size(params.get("batch_size", self.batch_size))
        return sizes_of_data(self, params) if prefix == "module" else params
