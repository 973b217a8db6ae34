"""Adversarial training, an epoch of it, against torchattacks' PGD inside a skorch net."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torchattacks
from skorch import NeuralNetClassifier

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.networks import LeNet5

from .subject import images
from .timing import Peer, Row, paired, run_alone

SETTINGS = {"eps": 0.3, "alpha": 0.075, "random_start": False}


class WithTorchattacks(NeuralNetClassifier):
    """What a user of skorch and torchattacks writes: attack the batch, then train on it."""

    def train_step_single(self, batch, **fit_params):
        """Attack the batch first."""
        X, y = batch
        attack = torchattacks.PGD(self.module_, steps=self.steps, **SETTINGS)
        return super().train_step_single((attack(X, y), y), **fit_params)


def rows(quick: bool) -> Iterator[Row]:
    n, steps = (200, 3) if quick else (1000, 10)
    data = images(100)
    X, y = data.X_train[:n], data.y_train[:n]
    common = {
        "criterion": torch.nn.CrossEntropyLoss,
        "optimizer": torch.optim.Adam,
        "lr": 1e-3,
        "max_epochs": 1,
        "batch_size": 100,
        "train_split": None,
        "verbose": 0,
    }

    def ours() -> np.ndarray:
        torch.manual_seed(0)
        net = AdversarialNetClassifier(
            LeNet5(), attack=PGD(steps=steps, **SETTINGS), iterator_train__shuffle=False, **common
        )
        return _weights(net.fit(X, y))

    def theirs() -> np.ndarray:
        torch.manual_seed(0)
        net = WithTorchattacks(LeNet5(), **common)
        net.steps = steps
        return _weights(net.fit(X, y))

    def trained(mine, other) -> str:
        # One batch's attack rounded to another sign moves all weights after it a little.
        gap = np.linalg.norm(mine - other) / np.linalg.norm(other)
        assert gap < 0.05, f"weights differ by {gap:.1%}"
        return f"weights equal to {gap:.1g}"

    yield from paired(
        f"training epoch, PGD-{steps}, {n} images",
        ours,
        [Peer("torchattacks in skorch", theirs, 1.05, trained)],
        budget=60,
    )


def _weights(net) -> np.ndarray:
    return torch.cat([p.detach().flatten() for p in net.module_.parameters()]).numpy()


if __name__ == "__main__":
    run_alone(rows)
