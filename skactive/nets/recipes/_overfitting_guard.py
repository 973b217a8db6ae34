"""Notice catastrophic overfitting: single-step training that a real attack sees through."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch import Tensor

from ...attacks import PGD, Attack
from ...utils.inputs import as_float_tensor
from ._best_epoch import TrainingDone, accuracy_under

_DROP = 0.2  # loss of robust accuracy from the best epoch to this one that is a collapse
_STEPS = 10
_SAMPLES = 128


class OverfittingGuard(Callback):
    """Attack the same training samples with PGD after each epoch; act when they collapse.

    Parameters
    ----------
    X, y : Tensor
        Training inputs and class indices.
    attack : Attack
        What is trained with; PGD of its radius is the judge.
    action : {"warn", "restore"}
        ``"restore"`` also ends the training, with the weights of the last epoch before.
    seed : int

    Warns
    -----
    UserWarning
        When robust accuracy has fallen by more than 0.2 below its best.

    References
    ----------
    Wong et al., "Fast is better than free", ICLR 2020, section 5.4.
    """

    def __init__(self, X: Tensor, y: Tensor, attack: Attack, action: str, seed: int) -> None:
        self.X = X
        self.y = y
        self.attack = PGD(
            eps=attack.eps, alpha=attack.eps / 4, steps=_STEPS, norm=attack.norm,
            bounds=attack.bounds,
        )  # fmt: skip
        self.action = action
        self.seed = seed
        self.best_score = 0.0
        self.last_good: dict[str, Any] | None = None
        self.collapsed = False

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge this epoch."""
        score = accuracy_under(net.module_, self.X, self.y, self.attack, self.seed)
        net.history.record("guard_robust_acc", score)
        self.best_score = max(score, self.best_score)
        if self.best_score - score <= _DROP:
            self.last_good = copy.deepcopy(net.module_.state_dict())
        elif not self.collapsed:
            self._act(len(net.history), score)

    def _act(self, epoch: int, score: float) -> None:
        self.collapsed = True
        restored = self.action == "restore"
        done = "Training ended with the weights of the last epoch before. " if restored else ""
        warnings.warn(
            f"Catastrophic overfitting: in epoch {epoch}, robust accuracy of training samples "
            f"under PGD fell from {self.best_score:.1%} to {score:.1%}, while the training attack "
            f"takes a single step. {done}Train with PGD(steps=…), a smaller eps or eps_warmup, or "
            "overfitting_guard='restore'.",
            UserWarning,
            stacklevel=2,
        )
        if restored:
            raise TrainingDone

    def restore(self, net: Any) -> None:
        """Put the last good weights back, if it came to that."""
        if self.collapsed and self.action == "restore" and self.last_good is not None:
            net.module_.load_state_dict(self.last_good)


def guard_for(net: Any, X: NDArray, y: NDArray, seed: int) -> OverfittingGuard | None:
    """The guard that `net` asks for, or None where its attack cannot collapse."""
    if net.overfitting_guard is None or net.attack_ is None or not net.attack_.single_step:
        return None
    if len(X) == 0:
        return None
    picked = np.random.default_rng(seed).permutation(len(X))[:_SAMPLES]
    device = next(iter(net.module_.parameters())).device
    inputs, labels = as_float_tensor(X[picked], device), torch.as_tensor(y[picked], device=device)
    return OverfittingGuard(inputs, labels, net.attack_, net.overfitting_guard, seed)
