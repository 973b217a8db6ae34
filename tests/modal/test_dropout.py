"""Monte-Carlo dropout: definitions, and a net that is left as it was."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import entr
from skorch import NeuralNetClassifier
from torch import nn

from skactive.modal import dropout
from skactive.modal.models import DeepActiveLearner

X = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)


class Net(nn.Module):
    def __init__(self, softmax=False):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.5)
        self.out = nn.Linear(8, 3)
        self.softmax = softmax

    def forward(self, X):
        logits = self.out(self.drop(self.norm(self.hidden(X))))
        return logits.softmax(-1) if self.softmax else logits


def learner(criterion=nn.CrossEntropyLoss, **params):
    torch.manual_seed(0)
    net = NeuralNetClassifier(Net, criterion=criterion, train_split=None, verbose=0, **params)
    return DeepActiveLearner(net)


def sampled(**params):
    model = learner()
    return model, np.stack(dropout.get_predictions(model, X, random_state=1, **params))


@pytest.mark.parametrize(
    ("name", "literal"),
    [
        ("bald", lambda p: entr(p.mean(0)).sum(-1) - entr(p).sum(-1).mean(0)),
        ("mean_st", lambda p: p.std(axis=0).mean(axis=-1)),
        ("max_entropy", lambda p: entr(p.mean(axis=0)).sum(axis=-1)),
        ("max_variationRatios", lambda p: 1 - p.mean(axis=0).max(axis=-1)),
    ],
)
def test_scores(name, literal):
    model, proba = sampled(num_predictions=9)
    wanted = literal(proba.astype(float))
    strategy = getattr(dropout, f"mc_dropout_{name}")
    indices, values = strategy(model, torch.tensor(X), 5, num_cycles=9, random_state=1)
    assert_array_equal(indices, np.argsort(-wanted)[:5])
    assert_allclose(values, wanted[indices], atol=1e-6)
    shuffled, _ = strategy(model, X, 5, True, num_cycles=9, random_state=1)
    assert_array_equal(np.sort(shuffled), np.sort(indices))
    model.query_strategy = strategy
    assert len(model.query(X, n_instances=2, num_cycles=3)[0]) == 2


def test_rows_are_distributions_whatever_the_batch():
    _, proba = sampled(num_predictions=4)
    assert proba.shape == (4, 30, 3)
    assert_allclose(proba.sum(axis=-1), 1, rtol=1e-5)
    assert not np.array_equal(proba[0], proba[1])
    model = learner()
    parts = dropout.get_predictions(model, X, num_predictions=2, sample_per_forward_pass=7)
    assert_allclose(np.stack(parts).sum(axis=-1), 1, rtol=1e-5)


def test_only_dropout_is_random_and_the_net_is_left_as_it_was():
    model = learner()
    module = model.estimator.module_
    module.train()
    module.norm.eval()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    modes = [m.training for m in module.modules()]
    state = torch.get_rng_state()
    dropout.mc_dropout_bald(model, X, num_cycles=3, random_state=0)
    assert [m.training for m in module.modules()] == modes
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(5)
    first = dropout.get_predictions(model, X, num_predictions=2)
    torch.manual_seed(5)
    assert_array_equal(first, dropout.get_predictions(model, X, num_predictions=2))
    module.drop.p = 0.0
    still = dropout.get_predictions(model, X, num_predictions=2)
    assert_array_equal(still[0], still[1])


def test_probabilities_are_not_normalised_twice():
    model = learner(criterion=nn.NLLLoss, module__softmax=True)
    model.estimator.module_.drop.p = 0.0
    (proba,) = dropout.get_predictions(model, X, num_predictions=1)
    assert_allclose(proba, model.predict_proba(X), rtol=1e-5)


def test_a_net_of_bytes_gets_the_bytes():
    pool = np.random.default_rng(0).integers(0, 256, (30, 4), dtype=np.uint8)
    torch.manual_seed(0)
    net = nn.Sequential(OfBytes(), nn.Dropout(0.0), nn.Linear(4, 3))
    net = NeuralNetClassifier(net, criterion=nn.CrossEntropyLoss, train_split=None, verbose=0)
    model = DeepActiveLearner(net)
    (proba,) = dropout.get_predictions(model, pool, num_predictions=1)
    with torch.no_grad():
        wanted = model.estimator.module_.eval()(torch.tensor(pool)).softmax(1)
    assert_allclose(proba, wanted, atol=1e-6)
    (of_tensor,) = dropout.get_predictions(model, torch.tensor(pool), num_predictions=1)
    assert_array_equal(of_tensor, proba)


class OfBytes(nn.Module):
    def forward(self, X):
        return X.float() / 255


def test_layers_may_be_chosen():
    model = learner()
    module = model.estimator.module_
    layers = list(module.modules())
    position = layers.index(module.drop)
    chosen = dropout.get_predictions(model, X, [position], num_predictions=2)
    assert not np.array_equal(chosen[0], chosen[1])
    with pytest.raises(KeyError, match=rf"Linear, not dropout; dropout layers are \[{position}\]"):
        dropout.get_predictions(model, X, [layers.index(module.out)], num_predictions=1)
    module.eval()
    dropout.set_dropout_mode(module, [], train_mode=True)
    assert module.drop.training
    assert not module.norm.training
    dropout.set_dropout_mode(module, [position], train_mode=False)
    assert not module.drop.training


class Sequences(nn.Module):
    """Two distributions for each sample, the second with a class that does not count."""

    def __init__(self):
        super().__init__()
        self.net = Net()

    def forward(self, first, second):
        logits = torch.stack([self.net(first), self.net(second)], dim=1)
        padding = torch.zeros_like(logits)
        padding[:, 1, 2] = torch.nan
        return logits + padding


def test_dicts_sequences_and_padded_classes():
    torch.manual_seed(0)
    net = NeuralNetClassifier(Sequences, criterion=nn.CrossEntropyLoss, verbose=0)
    model = DeepActiveLearner(net)
    pool = {"first": torch.tensor(X), "second": X[::-1].copy()}
    proba = np.stack(
        dropout.get_predictions(
            model, pool, num_predictions=5, random_state=0, sample_per_forward_pass=8
        )
    ).astype(float)
    assert proba.shape == (5, 30, 2, 3)
    assert np.isnan(proba[:, :, 1, 2]).all()
    assert_allclose(np.nansum(proba, axis=-1), 1, rtol=1e-5)
    indices, values = dropout.mc_dropout_bald(
        model, pool, 3, num_cycles=5, sample_per_forward_pass=8, random_state=0
    )
    wanted = sum(
        entr(p.mean(0)).sum(-1) - entr(p).sum(-1).mean(0)
        for p in (proba[:, :, 0], proba[:, :, 1, :2])
    )
    assert_array_equal(indices, np.argsort(-wanted)[:3])
    assert_allclose(values, wanted[indices], atol=1e-6)
    adapted = dropout.get_predictions(
        model, pool, num_predictions=1, logits_adaptor=lambda output, samples: output[:, 0]
    )
    assert adapted[0].shape == (30, 3)
    assert_allclose(dropout.entropy_sum(np.array([[0.5, 0.5, np.nan]])), np.log(2))


@pytest.mark.parametrize("error", [ValueError, AssertionError])
@pytest.mark.parametrize("name", ["num_predictions", "sample_per_forward_pass"])
def test_counts_must_be_positive(name, error):
    with pytest.raises(error, match=name):
        dropout.get_predictions(learner(), X, **{name: 0})
