"""What the torch benchmarks run on: LeNet-5, trained for a moment on MNIST (or digits)."""

from __future__ import annotations

import numpy as np
import torch

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import ImageDataset, load_dataset
from skactive.networks import LeNet5


def images(n_test: int) -> ImageDataset:
    """MNIST at 32×32 where it is to be had, else scikit-learn's digits, repeated."""
    try:
        return load_dataset("mnist", size=32, n_train=1000, n_test=min(n_test, 10_000))
    except FileNotFoundError as error:
        print(f"digits instead of MNIST: {error}")
        return load_dataset("digits")


def pool(data: ImageDataset, n: int) -> np.ndarray:
    """`n` images: those of the data set, over and over, each time with another faint noise."""
    rng = np.random.default_rng(0)
    repeats = -(-n // len(data.X_test))
    noisy = [
        np.clip(data.X_test + rng.normal(0, 0.01 * (i > 0), data.X_test.shape), 0, 1)
        for i in range(repeats)
    ]
    return np.concatenate(noisy)[:n].astype(np.float32)


def train(data: ImageDataset, robust: bool = False, epochs: int = 5) -> AdversarialNetClassifier:
    """A net with 1,000 labels, trained standardly or adversarially."""
    torch.set_num_threads(1)
    attack = PGD(eps=0.3, alpha=0.075, steps=8) if robust else None
    net = AdversarialNetClassifier(LeNet5, attack=attack, max_epochs=epochs, random_state=0)
    return net.fit(data.X_train[:1000], data.y_train[:1000])
