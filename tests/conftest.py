"""Shared data and models; one thread, so that runs repeat and cores are not oversubscribed."""

import os

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skactive.utils.alone import ALONE

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def lock_given_back():
    """No test leaves the lock of the process's state taken: the next thread would wait forever."""
    yield
    assert not ALONE._is_owned()


@pytest.fixture(scope="session")
def digits():
    """Digits as (X, y): float32 (1797, 1, 8, 8) in [0, 1], int64."""
    X, y = load_digits(return_X_y=True)
    return (X.reshape(-1, 1, 8, 8) / 16).astype(np.float32), y.astype(np.int64)


@pytest.fixture(scope="session")
def data_root():
    """Folder with the real data sets, or skip."""
    root = os.environ.get("SKACTIVE_DATA")
    if not root:
        pytest.skip("SKACTIVE_DATA is not set: real data sets are not there")
    return root
