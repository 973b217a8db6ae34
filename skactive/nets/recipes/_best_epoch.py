"""Keep the weights of the best epoch, judged on validation samples."""

from __future__ import annotations

import copy
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from torch import Tensor

from ...attacks import Attack
from ...passes.modules import untouched
from ...passes.precision import float32_door
from ...utils.random_state import torch_generator
from ...utils.validation import Interval, StrOptions
from ._recipe import Recipe


class BestEpoch(Recipe):
    """Score each epoch on validation samples; end with the weights of the best.

    The score is in the history as ``valid_clean_acc`` or ``valid_robust_acc``. The labels of the
    validation samples are counted in the net's ``n_validation_labels_``.

    Parameters
    ----------
    monitor : {"robust", "clean"}, default="robust"
        Accuracy under the net's attack, or without one.
    validation_fraction : float in (0, 1), default=0.1
        Share of the training samples held out for it, stratified where possible.
    data : (X, y) or None, default=None
        Validation samples to use instead.
    patience : int, default=10
        Stop after that many epochs without a better score.

    References
    ----------
    Rice et al., "Overfitting in adversarially robust deep learning", ICML 2020.

    Examples
    --------
    >>> import torch
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import BestEpoch
    >>> from skactive.datasets import load_digits
    >>> data = load_digits()
    >>> module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
    >>> best = BestEpoch("clean", validation_fraction=0.2)
    >>> net = AdversarialNetClassifier(module, attack=None, callbacks=[best], max_epochs=5)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> len(net.history_[:, "valid_clean_acc"]), net.n_validation_labels_
    (5, 20)
    """

    _parameter_constraints: ClassVar = {
        "monitor": [StrOptions({"clean", "robust"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "data": [tuple, list, None],
        "patience": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        monitor: str = "robust",
        validation_fraction: float = 0.1,
        data: tuple | None = None,
        patience: int = 10,
    ) -> None:
        self.monitor = monitor
        self.validation_fraction = validation_fraction
        self.data = data
        self.patience = patience

    def on_run_begin(self, net: Any, **kwargs: Any) -> None:
        """Hold the validation samples out."""
        if self.monitor == "robust" and net.attack_ is None:
            raise ValueError(
                "BestEpoch('robust') needs an attack, but attack is None. Use BestEpoch('clean')."
            )
        run = net.run
        if self.data is None:
            self.X_, self.y_ = run.hold_out(self.validation_fraction)
        else:
            self.X_, self.y_ = run.validated(*self.data)
        self.best_score_, self.best_epoch_ = -1.0, 0

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Score this epoch."""
        robust, epoch = self.monitor == "robust", len(net.history)
        name = "valid_robust_acc" if robust else "valid_clean_acc"
        attack = net.attack_ if robust else None
        score = accuracy_under(net.judged_module, self.X_, self.y_, attack, net.run.seed)
        net.history.record(name, score)
        net.history.record(f"{name}_best", bool(score > self.best_score_))
        if score > self.best_score_:
            self.best_score_, self.best_epoch_ = score, epoch
            self.best_state_ = copy.deepcopy(net.judged_module.state_dict())
        elif epoch - self.best_epoch_ >= self.patience:
            raise KeyboardInterrupt  # ends the training, as skorch's callbacks do

    def restore(self, net: Any) -> None:
        """Put the best epoch's weights and buffers back."""
        if self.best_epoch_:
            net.module_.load_state_dict(self.best_state_)


def accuracy_under(
    module: torch.nn.Module, X: Tensor, y: Tensor, attack: Attack | None, seed: int
) -> float:
    """Accuracy of a module on attacked samples (clean ones without an attack)."""
    generator = torch_generator(seed, device=X.device)
    module, correct = float32_door(module), 0
    for inputs, labels in zip(X.split(256), y.split(256), strict=True):
        if attack is not None:
            inputs = attack(module, inputs, labels, generator=generator)
        with torch.no_grad(), untouched(module, freeze=False) as net:
            correct += int((net(inputs.clone()).argmax(dim=1) == labels).sum())
    return correct / len(y)
