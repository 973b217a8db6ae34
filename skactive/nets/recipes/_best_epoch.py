"""Keep the weights of the best epoch, judged on validation samples."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback
from torch import Tensor

from ...attacks import Attack
from ...passes.modules import untouched
from ...passes.precision import float32_door
from ...utils.random_state import torch_generator


class TrainingDone(Exception):
    """Raised by `BestEpoch` when the score has not risen for long enough."""


class BestEpoch(Callback):
    """Score each epoch on validation samples; remember, and at the end restore, the best.

    Parameters
    ----------
    X, y : Tensor
        Validation inputs and class indices.
    attack : Attack or None
        Score robust accuracy under it; ``None`` scores clean accuracy.
    patience : int
        Stop after that many epochs without a better score.
    seed : int
        Of the attack, the same in each epoch.
    """

    def __init__(self, X: Tensor, y: Tensor, attack: Attack | None, patience: int, seed: int):
        self.X = X
        self.y = y
        self.attack = attack
        self.patience = patience
        self.seed = seed
        self.best_score = -1.0
        self.best_epoch = 0
        self.best_state: dict[str, Any] | None = None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Score this epoch."""
        name = "valid_clean_acc" if self.attack is None else "valid_robust_acc"
        score = accuracy_under(net.judged_module, self.X, self.y, self.attack, self.seed)
        epoch = len(net.history)
        net.history.record(name, score)
        net.history.record(f"{name}_best", bool(score > self.best_score))
        if score > self.best_score:
            self.best_score, self.best_epoch = score, epoch
            self.best_state = copy.deepcopy(net.judged_module.state_dict())
        elif epoch - self.best_epoch >= self.patience:
            raise TrainingDone

    def restore(self, net: Any) -> None:
        """Put the best epoch's weights and buffers back."""
        if self.best_state is not None:
            net.module_.load_state_dict(self.best_state)


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
            correct += int((net(inputs).argmax(dim=1) == labels).sum())
    return correct / len(y)


def split_off(
    X: NDArray, y: NDArray, fraction: float, seed: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """X_train, X_val, y_train, y_val; stratified where every class has samples for both."""
    counts = np.bincount(y)
    n_val = max(1, round(fraction * len(y)))
    n_classes = int((counts > 0).sum())
    stratified = counts[counts > 0].min() >= 2 and n_classes <= n_val <= len(y) - n_classes
    X_train, X_val, y_train, y_val = train_test_split(
        X, y, test_size=n_val, random_state=seed, stratify=y if stratified else None
    )
    return X_train, X_val, y_train, y_val
