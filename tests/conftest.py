"""Shared data and models; one thread, so that runs repeat and cores are not oversubscribed."""

import os

import numpy as np
import pytest
import torch
from hypothesis import settings
from sklearn.datasets import load_digits

from skactive.utils.alone import ALONE

torch.set_num_threads(1)
# The gate says the same of the same commit; elsewhere each run draws other examples.
settings.register_profile("gate", derandomize=True, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("gate")


@pytest.fixture(autouse=True)
def process_as_found():
    """No test leaves the process's lock taken (a thread would wait forever) or gradients off."""
    yield
    assert not ALONE._is_owned()
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()


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
