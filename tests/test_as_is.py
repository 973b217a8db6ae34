"""Samples that are trained on as they are: never attacked, whatever else is going on."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from torch.nn import functional as F

from skactive import AdversarialNetClassifier
from skactive._objective import Objective
from skactive.attacks import PGD
from skactive.datasets import load_digits
from tests.models import SmallCNN, SmallMLP

ATTACK = PGD(eps=0.3, alpha=0.15, steps=2)


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def cnn(**params):
    params = {"attack": ATTACK, "max_epochs": 1, "random_state": 0, "lr": 0.01, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


@pytest.fixture
def seen(monkeypatch):
    """Each batch as it reaches the loss: before the attack, after it."""
    batches = []
    losses = Objective.losses

    def spy(self, X, X_adv, y):
        batches.append((X.numpy().copy(), X_adv.numpy().copy()))
        return losses(self, X, X_adv, y)

    monkeypatch.setattr(Objective, "losses", spy)
    return batches


def keys(X):
    return [row.tobytes() for row in np.asarray(X, dtype=np.float32)]


def moved(seen, marked):
    """Distances between what was given and trained on: of marked samples, of the others."""
    marked = set(keys(marked))
    found = {True: [], False: []}
    for X, X_adv in seen:
        for key, distance in zip(
            keys(X), np.abs(X_adv - X).reshape(len(X), -1).max(1), strict=True
        ):
            found[key in marked].append(distance)
    return np.array(found[True]), np.array(found[False])


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"loss": "trades"},
        {"loss": "mart"},
        {"early_stopping": "robust", "validation_fraction": 0.3},
        {"averaging": "swa", "averaging_start": 0.0},
        {"unlabeled": "uat++"},
        {"unlabeled": "rst"},
        {"unlabeled": "uat-kl", "loss": "trades"},
        {"awp_gamma": 0.01},
        {"augment": lambda X: X.flip(-1)},
        {"iterator_train": torch.utils.data.DataLoader},
    ],
    ids=lambda params: "-".join(map(str, params)),
)
@pytest.mark.parametrize("weighted", [False, True])
def test_marked_samples_are_not_moved(digits, seen, params, weighted):
    X, y = digits.X_train[:60], digits.y_train[:60]
    mask = np.arange(60) % 3 == 0
    fit_params = {"sample_weight": (np.arange(60) % 4).astype(float)} if weighted else {}
    if "unlabeled" in params:
        fit_params["X_unlabeled"] = digits.X_train[100:140]
    before = mask.copy()
    cnn(**params).fit(X, y, as_is=mask, **fit_params)
    used = mask & (np.arange(60) % 4 > 0) if weighted else mask
    alone, attacked = moved(seen, X[mask])
    assert set(keys(X[used])) <= {key for batch, _ in seen for key in keys(batch)}
    assert (alone == 0).all()
    assert len(alone) >= used.sum()  # a teacher sees them too
    assert attacked.max() > 0.1
    assert_array_equal(mask, before)


def test_unlabelled_marks_keep_mask_and_samples_together(digits, seen):
    X, y = digits.X_train[:60], digits.y_train[:60].copy()
    mask = np.arange(60) % 3 == 0
    y[1::2] = -1
    cnn(unlabeled="rst").fit(X, y, as_is=mask)
    alone, _ = moved(seen, X[mask & (y != -1)])
    assert (alone == 0).all()
    assert len(alone) >= 10


@pytest.mark.parametrize("loss", ["adversarial", "trades", "mart"])
def test_marked_samples_take_cross_entropy_on_themselves(digits, loss):
    net = cnn(loss=loss, max_epochs=1).fit(digits.X_train[:40], digits.y_train[:40])
    X, y = torch.as_tensor(digits.X_test[:8]), torch.as_tensor(digits.y_test[:8])
    mask = torch.arange(8) < 3
    net.module_.eval()
    X_adv = Objective(net, 0, mask).attacked(ATTACK, X, y, torch.Generator().manual_seed(0))
    assert torch.equal(X_adv[mask], X[mask])
    assert not torch.equal(X_adv[~mask], X[~mask])
    _, losses = Objective(net, 0, mask).losses(X, X_adv, y)
    _, plain = Objective(net, 0).losses(X, X_adv, y)
    own = F.cross_entropy(net.module_(X), y, reduction="none")
    torch.testing.assert_close(losses[mask], own[mask])
    torch.testing.assert_close(losses[~mask], plain[~mask])


def test_none_marked_is_training_as_ever_and_all_marked_is_standard_training(digits):
    X, y = digits.X_train[:60], digits.y_train[:60]

    def weights(net, **params):
        return [p.detach() for p in net.fit(X, y, **params).module_.parameters()]

    for params in ({}, {"sample_weight": np.ones(60)}):
        ever = weights(cnn(), **params)
        unmarked = weights(cnn(), as_is=np.zeros(60, bool), **params)
        assert all(torch.equal(a, b) for a, b in zip(ever, unmarked, strict=True))
    standard = weights(cnn(attack=None), sample_weight=np.ones(60))
    single = PGD(eps=0.1, steps=1)  # whose guard has nothing to attack
    marked = weights(cnn(attack=single), as_is=[True] * 60)
    assert all(torch.equal(a, b) for a, b in zip(standard, marked, strict=True))


@pytest.mark.parametrize("bad", [np.zeros(59, bool), np.zeros((60, 1), bool), np.zeros(60), True])
def test_a_mask_that_is_none_is_refused_before_training(digits, bad):
    X, y = digits.X_train[:60], digits.y_train[:60]
    net = cnn()
    with pytest.raises(ValueError, match=r"as_is must hold one True or False per sample.*\(60,\)"):
        net.fit(X, y, as_is=bad)
    assert not net.initialized_
    net.fit(X, y)
    before = copy.deepcopy(net.module_.state_dict())
    with pytest.raises(ValueError, match="as_is"):
        net.partial_fit(X, y, as_is=bad)
    assert all(
        torch.equal(a, b) for a, b in zip(before.values(), net.module_.state_dict().values())
    )


def test_any_table_net_takes_a_mask():
    X = np.random.default_rng(0).random((40, 64), dtype=np.float32)
    net = AdversarialNetClassifier(SmallMLP, attack=ATTACK, max_epochs=1, random_state=0)
    net.partial_fit(X, np.arange(40) % 2, as_is=np.arange(40) < 20)
    assert net.predict(X).shape == (40,)
