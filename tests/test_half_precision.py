"""Modules of half precision and autocast: everything works, and steps are float32's."""

import contextlib
import copy
import functools

import numpy as np
import pytest
import torch
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, AutoAttack, DeepFool, TorchAttack
from skactive.callbacks import BestEpoch
from skactive.exceptions import CapabilityError
from skactive.metrics import robust_accuracy_score
from skactive.passes.gradient_norms import expected_gradient_length
from skactive.strategies import all_strategies
from tests.models import SmallCNN

RNG = np.random.default_rng(0)
Y = np.arange(30) % 3
X = RNG.random((30, 1, 8, 8), dtype=np.float32) / 2
X[np.arange(30), 0, Y * 2] += 0.5  # a row of pixels is bright
KINDS = ["bfloat16", "float16", "autocast"]


@functools.cache
def trained():
    return AdversarialNetClassifier(
        SmallCNN, attack=None, max_epochs=20, lr=0.01, random_state=0
    ).fit(X, Y)


def net_of(kind):
    net = copy.deepcopy(trained())
    if kind != "autocast":
        net.module_.to(getattr(torch, kind))
    return net


def around(kind):
    cast = torch.autocast("cpu", dtype=torch.bfloat16)
    return cast if kind == "autocast" else contextlib.nullcontext()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "attack",
    [
        PGD(eps=0.1, steps=3, random_state=0),
        PGD(eps=0.5, steps=3, norm="L2", stop_when_fooled=True, random_state=0),
        FGSM(eps=0.1),
        TorchAttack("FFGSM", eps=0.1, alpha=0.1, random_state=0),
        AutoAttack(eps=0.3, version="fast", random_state=0),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_attacks_return_float32_within_the_ball(kind, attack):
    if isinstance(attack, AutoAttack) and kind == "float16":
        pytest.skip("as bfloat16, and slow")
    module, inputs, y = net_of(kind).module_, torch.from_numpy(X[:6]), torch.from_numpy(Y[:6])
    with around(kind):
        attacked = attack(module, inputs, y)
        halved = attack(module, inputs.bfloat16(), y)
    assert attacked.dtype == halved.dtype == torch.float32
    assert float((attacked - inputs).abs().max()) > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrt", ["parameters", "last_layer", "input"])
def test_gradient_lengths_are_those_of_float32(kind, wrt):
    inputs = torch.from_numpy(X)
    expected = expected_gradient_length(net_of("float32").module_, inputs, wrt)
    with around(kind):
        found = expected_gradient_length(net_of(kind).module_, inputs, wrt)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.2 * float(expected.mean()))


@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_those_of_float32(kind):
    inputs = torch.from_numpy(X[:10])
    expected = DeepFool()(net_of("float32").module_, inputs).distance
    with around(kind):
        found = DeepFool()(net_of(kind).module_, inputs)
    assert found.distance.dtype == found.perturbation.dtype == torch.float32
    reached = torch.isfinite(expected) & torch.isfinite(found.distance)
    assert reached.float().mean() > 0.5
    torch.testing.assert_close(found.distance[reached], expected[reached], rtol=0.3, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", all_strategies())
def test_every_strategy_can_ask(kind, name):
    try:
        learner = ActiveLearner.from_fitted(net_of(kind), X[:20], Y[:20], name, random_state=0)
    except CapabilityError:
        pytest.skip("for committees")
    with around(kind):
        if name.startswith("certified"):  # rounding alone can break a proof
            with pytest.raises(ValueError, match="in half precision rounding alone"):
                learner.query(X, n=3)
            return
        indices, _ = learner.query(X, n=3)
    assert len(set(indices.tolist())) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_and_scores(kind):
    net = net_of(kind)
    expected = net_of("float32").predict_proba(X)
    with around(kind):
        proba = net.predict_proba(X)
        robust_accuracy_score(net, X, Y, PGD(eps=0.05, steps=2))
    assert proba.dtype == np.float32
    np.testing.assert_allclose(proba, expected, atol=0.02)


class Half(nn.Module):
    def __init__(self, n_classes=3):
        super().__init__()
        self.net = SmallCNN(n_classes).bfloat16()

    def forward(self, inputs):
        return self.net(inputs)


@pytest.mark.parametrize("loss", ["adversarial", "trades"])
def test_half_precision_trains(loss):
    net = AdversarialNetClassifier(
        Half, attack=PGD(eps=0.05, steps=2), loss=loss, max_epochs=2, random_state=0,
        callbacks=[BestEpoch("robust")],
    ).fit(X, Y)  # fmt: skip
    assert next(net.module_.parameters()).dtype == torch.bfloat16
    assert np.isfinite(net.history[:, "train_loss"]).all()


def test_training_under_autocast_keeps_its_gradients():
    with around("autocast"):
        net = AdversarialNetClassifier(
            SmallCNN, attack=PGD(eps=0.05, steps=2), max_epochs=15, lr=0.01, random_state=0
        ).fit(X, Y)
    losses = net.history[:, "train_loss"]
    assert losses[-1] < losses[0]
