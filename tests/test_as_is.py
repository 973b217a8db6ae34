"""Samples that are trained on as they are: never attacked, whatever else is going on."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.callbacks import AWP, SWA, BestEpoch
from skactive.datasets import load_digits
from skactive.nets._objective import Objective
from skactive.retraining import adversarial_examples
from skactive.strategies import DFAL
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
        {"callbacks": [BestEpoch("robust", validation_fraction=0.3)]},
        {"callbacks": [SWA(0.0)]},
        {"unlabeled": "uat++"},
        {"unlabeled": "rst"},
        {"unlabeled": "uat-kl", "loss": "trades"},
        {"callbacks": [AWP(0.01)]},
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


# -- what learners make --------------------------------------------------------------------


@pytest.mark.parametrize("warm_start", [True, False])
@pytest.mark.parametrize("mix", ["adversarial", "both"])
def test_what_reaches_the_loss_is_within_the_radius_of_the_original(digits, seen, mix, warm_start):
    learner = ActiveLearner(cnn(max_epochs=2), "random", random_state=0)
    learner.fit(digits.X_train[:100], digits.y_train[:100])
    X, y = digits.X_test[:30], digits.y_test[:30]
    del seen[:]
    learner.retrain(X, y, mix=mix, epochs=1, warm_start=warm_start)
    made = dict(zip(keys(learner.X_twins_), X, strict=True))
    found = [
        np.abs(trained - made[key]).max()
        for batch, batch_adv in seen
        for key, trained in zip(keys(batch), batch_adv, strict=True)
        if key in made
    ]
    assert len(found) == 30
    assert 0.2 < max(found) <= 0.3 + 1e-6
    del seen[:]
    learner.teach(digits.X_test[30:40], digits.y_test[30:40], bootstrap=True)
    twins, others = moved(seen, learner.X_twins_)
    assert len(twins) > 0
    assert (twins == 0).all()
    assert (others > 0).all()


@pytest.mark.parametrize("params", [{}, {"use_pool": True}, {"warm_start": True}], ids=str)
def test_twins_of_dfal_are_trained_on_as_they_were_found(digits, seen, params):
    net = cnn(unlabeled="rst") if "use_pool" in params else cnn()
    learner = ActiveLearner(
        net, DFAL(n_candidates=10, adversarial_twins=True), random_state=0, **params
    )
    learner.fit(digits.X_train[:60], digits.y_train[:60])
    idx, rows = learner.query(digits.X_train[60:160], n=6)
    del seen[:]
    learner.teach(rows, digits.y_train[60:160][idx])
    twins, _ = moved(seen, learner.X_twins_)
    assert len(twins) >= len(learner.X_twins_) > 0
    assert (twins == 0).all()


def test_a_pipeline_of_one_step_hands_the_mask_on(digits, seen):
    learner = ActiveLearner(make_pipeline(cnn()), "random", random_state=0)
    learner.fit(digits.X_train[:60], digits.y_train[:60])
    for warm_start in (True, False):
        learner.retrain(digits.X_test[:9], digits.y_test[:9], warm_start=warm_start)
        del seen[:-1]
        twins, _ = moved(seen, learner.X_twins_)
        assert len(twins) > 0
        assert (twins == 0).all()


def test_examples_as_made_serve_better_than_attacked_again(digits):
    X, y = digits.X_train[:300], digits.y_train[:300]
    tests, labels = digits.X_test[:300], digits.y_test[:300]
    scores = {}
    for again in (False, True):
        for seed in range(2):
            net = cnn(max_epochs=15, random_state=seed).fit(X, y)
            made = adversarial_examples(net, tests, labels)
            mask = None if again else np.arange(600) >= 300
            net.set_params(max_epochs=4)
            net.partial_fit(np.concatenate([X, made]), np.concatenate([y, labels]), as_is=mask)
            scores[again, seed] = net.score(digits.X_test[300:], digits.y_test[300:])
    assert all(scores[False, seed] > scores[True, seed] for seed in range(2))


def test_any_table_net_takes_a_mask():
    X = np.random.default_rng(0).random((40, 64), dtype=np.float32)
    net = AdversarialNetClassifier(SmallMLP, attack=ATTACK, max_epochs=1, random_state=0)
    net.partial_fit(X, np.arange(40) % 2, as_is=np.arange(40) < 20)
    assert net.predict(X).shape == (40,)
