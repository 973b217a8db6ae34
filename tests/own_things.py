"""A user's own strategy, network and data, for `module:attribute`."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from skactive.datasets import ImageDataset, load_digits
from skactive.strategies import QueryStrategy, Selection


class First(QueryStrategy):
    """The first of the pool, from `start` on."""

    def __init__(self, start=0, *, random_state=None):
        super().__init__(random_state=random_state)
        self.start = start

    def _select(self, query):
        return Selection((np.arange(query.n) + self.start) % len(query.X))


class Deadly(First):
    """Kills its process `times` times, each some seconds after it was asked."""

    def __init__(self, times=1, after=0, *, random_state=None):
        super().__init__(random_state=random_state)
        self.times = times
        self.after = after

    def _select(self, query):
        kills = Path(os.environ["KILLS"]) / f"{self.times} {self.after}"
        with kills.open("a") as file:
            if file.tell() < self.times:
                file.write("x")
                file.flush()
                time.sleep(self.after)
                os.kill(os.getpid(), signal.SIGKILL)
        return super()._select(query)


def last(estimator, X, n_instances):
    return np.arange(len(X))[-n_instances:]


class Linear(torch.nn.Module):
    def __init__(self, n_classes=10):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, n_classes))

    def forward(self, X):
        return self.layers(X)


def digits_upside_down():
    data = load_digits()
    images = (data.X_train[:, :, ::-1].copy(), data.X_test[:, :, ::-1].copy())
    return ImageDataset("upside_down", images[0], data.y_train, images[1], data.y_test,
                        data.class_names)  # fmt: skip
