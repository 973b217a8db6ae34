"""Modules whose forward overwrites its input give what they would if it did not."""

import pytest
import torch
from numpy.testing import assert_allclose
from skorch import NeuralNetClassifier
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.attacks import PGD, TorchAttack
from skactive.callbacks import AWP, BestEpoch
from skactive.losses import IBP
from skactive.model_view import ModelView
from skactive.passes.virtual_adversarial import virtual_adversarial_divergence
from skactive.retraining import adversarial_examples
from tests.models import Shifted, shifted_twins

ASKED = {
    "probabilities": lambda view, X: view.predict_proba(X),
    "dropout": lambda view, X: view.dropout_proba(X, n_passes=4, random_state=0),
    "gradients": lambda view, X: view.gradient_norms(X),
    "gradients of the last layer": lambda view, X: view.gradient_norms(X, "last_layer"),
    "gradients in the input": lambda view, X: view.gradient_norms(X, "input"),
    "longest gradients": lambda view, X: view.longest_gradients(X, 3, "input"),
    "distances": lambda view, X: view.boundary_distances(X),
    "certificates": lambda view, X: view.certified_margins(X, 0.01),
    "divergence": lambda view, X: view.per_sample(X, virtual_adversarial_divergence),
    "two passes": lambda view, X: view.per_sample(
        X, lambda module, inputs: view.net_logits(inputs) + view.net_logits(inputs)
    ),
}


@pytest.fixture
def pool(digits):
    return torch.tensor(digits[0][:20]).flatten(1)


def ours(module):
    return AdversarialNetClassifier.from_module(module, range(10), attack=None, max_epochs=1)


def plain(module):
    net = NeuralNetClassifier(module, criterion=nn.CrossEntropyLoss, classes=list(range(10)))
    return net.initialize()


@pytest.mark.parametrize("asked", list(ASKED))
@pytest.mark.parametrize("net", [ours, plain])
def test_a_net_tells_what_its_twin_tells_and_the_pool_stays(pool, net, asked):
    before = pool.clone()
    found, expected = (ASKED[asked](ModelView.of(net(module)), pool) for module in shifted_twins())
    assert_allclose(found, expected, rtol=1e-5, atol=1e-7)
    assert torch.equal(pool, before)


def test_tokens_of_a_pool_stay():
    class Offset(nn.Embedding):
        def forward(self, X):
            X += 1
            return super().forward(X).mean(dim=1)

    net, pool = plain(Offset(9, 10)), torch.arange(8).reshape(4, 2)
    ModelView.of(net).predict_proba(pool)
    assert torch.equal(pool, torch.arange(8).reshape(4, 2))


def test_a_query_leaves_the_pool_alone(digits, pool):
    before = pool.clone()
    net = NeuralNetClassifier(
        Shifted, criterion=nn.CrossEntropyLoss, train_split=None, max_epochs=1, verbose=0
    )
    learner = ActiveLearner(net, "margin").fit(digits[0].reshape(-1, 64)[20:60], digits[1][20:60])
    learner.query(pool, 5)
    assert torch.equal(pool, before)


@pytest.mark.parametrize("attack", [PGD(0.1, steps=3), TorchAttack("FGSM", eps=0.1)])
def test_attacks_end_where_those_on_the_twin_do(digits, pool, attack):
    found, expected = (
        adversarial_examples(ours(module), pool, digits[1][:20], attack, random_state=0)
        for module in shifted_twins()
    )
    assert_allclose(found, expected, atol=1e-6)


def test_the_nets_of_a_committee_read_the_same(digits, pool):
    X, y = digits[0].reshape(-1, 64)[:60], digits[1][:60]
    found, expected = (
        adversarial_examples(
            Committee([ours(module), ours(module)]).fit(X, y), pool, digits[1][:20], PGD(0.1)
        )
        for module in shifted_twins()
    )
    assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": [AWP(0.01)]},
        {"attack": "pgd"},
        {"attack": "pgd", "loss": "trades"},
        {"callbacks": [BestEpoch("clean", 0.3)]},
        {"loss": IBP(eps=0.01)},
    ],
)
def test_a_training_is_that_of_the_twin(digits, params):
    X, y = digits[0].reshape(-1, 64)[:60], digits[1][:60]
    params = {"attack": None, "max_epochs": 2, "random_state": 0, **params}
    found, expected = (
        AdversarialNetClassifier(Shifted, module__in_place=in_place, **params).fit(X, y)
        for in_place in (True, False)
    )
    assert_allclose(found.history[:, "train_loss"], expected.history[:, "train_loss"], rtol=1e-6)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), rtol=1e-5)
