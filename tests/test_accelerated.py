"""Training on several processes: two of them on CPUs are one, and a run repeats."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.losses import IBP
from tests import training_process
from tests.models import SmallMLP

pytest.importorskip("accelerate", reason="accelerate is not installed")

DETERMINISTIC = {"attack": PGD(0.1, steps=2, random_start=False)}
SAME = ["plain", "plain_loss", "went_on", "pool", "bounds", "rich", "unseeded", "instance",
        "picks", "taught"]  # fmt: skip


def rows():
    """Batches of 20 leave 15 over: parts of 8 and 7."""
    X, y = load_digits(return_X_y=True)
    return (X[:175] / 16).astype(np.float32), y[:175]


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes")
    # It listens from now on: a port that is free now may be taken when the processes start.
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    args = (2, store.port, folder)
    torch.multiprocessing.start_processes(
        training_process.run, args=args, nprocs=2, start_method="spawn"
    )
    return [dict(np.load(folder / f"{rank}.npz")) for rank in range(2)]


@pytest.mark.parametrize("name", SAME)
def test_processes_end_with_the_same_net(notes, name):
    first, second = notes
    assert_array_equal(first[name], second[name])


def alone(**params):
    params = {"batch_size": 20, "max_epochs": 2, "random_state": 0, "lr": 0.01, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


def test_two_processes_train_as_one_with_twice_the_batch(notes):
    X, y = rows()
    net = alone(**DETERMINISTIC).fit(X, y)
    assert_allclose(notes[0]["plain"], training_process.weights(net), atol=1e-4)
    assert_allclose(notes[0]["plain_loss"], net.history[:, "train_loss"], rtol=1e-5)
    net.partial_fit(X, y)
    assert_allclose(notes[0]["went_on"], training_process.weights(net), atol=2e-4)


def test_so_do_they_with_a_pool_and_on_bounds(notes):
    X, y = rows()
    net = alone(unlabeled="rst", **DETERMINISTIC).fit(X[:90], y[:90], X_unlabeled=X[90:])
    assert_allclose(notes[0]["pool"], training_process.weights(net), atol=1e-4)
    net = alone(attack=None, loss=IBP(eps=0.02)).fit(X, y)
    assert_allclose(notes[0]["bounds"], training_process.weights(net), atol=1e-4)


def test_a_run_repeats_with_a_seed_for_each_process(notes):
    for found in notes:
        assert_array_equal(found["rich"], found["rich_again"])
    assert notes[0]["seed"] != notes[1]["seed"]


def test_refusals_come_on_every_process(notes):
    for found in notes:
        assert "different training data" in str(found["other_data"])
        assert "cannot be shared by 2 processes" in str(found["few"])
        assert "AcceleratedNetClassifier" in str(found["mixed"])
