"""Monte-Carlo dropout: the ensemble formula, injected dropout, and nothing left behind."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skactive.kernels.mc_dropout import mc_dropout_proba
from skactive.kernels.uncertainty import entropy, mutual_information
from skactive.networks import LeNet5
from skactive.utils.random_state import seeded_torch
from tests.models import SmallCNN, SmallMLP


def prepare(X):
    return torch.as_tensor(X)


def build(make):
    with seeded_torch(0):
        return make()


@pytest.fixture
def X():
    return np.random.default_rng(0).random((30, 1, 8, 8), dtype=np.float32)


class WithDropout(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 40), nn.Dropout(0.5), nn.Linear(40, 3))


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)

    def forward(self, X):
        return torch.relu(self.layer(X.flatten(1)))


@pytest.mark.parametrize("make", [SmallCNN, WithDropout])
def test_batching_and_order_do_not_matter(X, make):
    module = build(make)
    whole = mc_dropout_proba(module, X, prepare, n_passes=4, seed=1)
    assert whole.shape == (4, 30, module[-1].out_features)
    assert_allclose(whole.sum(axis=2), 1, rtol=1e-5)
    small = mc_dropout_proba(module, X, prepare, n_passes=4, seed=1, batch_size=7)
    assert_allclose(whole, small, rtol=1e-4, atol=1e-6)
    order = np.random.default_rng(1).permutation(30)
    assert_allclose(
        mc_dropout_proba(module, X[order], prepare, n_passes=4, seed=1),
        whole[:, order],
        rtol=1e-4,
        atol=1e-6,
    )


def test_passes_differ_and_seeds_decide(X):
    module = build(SmallCNN)
    first = mc_dropout_proba(module, X, prepare, n_passes=3, seed=1)
    assert np.abs(first[0] - first[1]).max() > 1e-4
    assert_array_equal(first, mc_dropout_proba(module, X, prepare, n_passes=3, seed=1))
    assert np.abs(first - mc_dropout_proba(module, X, prepare, n_passes=3, seed=2)).max() > 1e-4


def test_own_dropout_equals_a_masked_network_written_out(X):
    module = build(WithDropout).eval()
    found = mc_dropout_proba(module, X, prepare, n_passes=2, seed=5)
    for t in range(2):
        generator = torch.Generator().manual_seed(5 * 1_000_003 + t)
        mask = (torch.rand(40, generator=generator) >= 0.5).float() / 0.5
        with torch.no_grad():
            hidden = module[1](torch.as_tensor(X).flatten(1)) * mask
            expected = module[3](hidden).softmax(1).numpy()
        assert_allclose(found[t], expected, rtol=1e-4, atol=1e-6)


def test_injected_dropout_follows_the_convolutions_only(X):
    module = build(SmallCNN)
    seen = {i: [] for i in (2, 6, 9)}
    for i, outputs in seen.items():
        module[i].register_forward_hook(lambda *args, o=outputs: o.append(args[2].clone()))
    mc_dropout_proba(module, X, prepare, n_passes=1, rate=0.5, seed=0)
    plain = {i: outputs[0] for i, outputs in seen.items()}  # the pass that finds the order
    sampled = {i: outputs[-1] for i, outputs in seen.items()}
    # our hook of each ReLU runs after the one above: dropout shows in what comes next
    assert torch.allclose(plain[2], sampled[2][:1], atol=1e-5)
    assert not torch.allclose(plain[6], sampled[6][:1], atol=1e-2)
    injected = mc_dropout_proba(build(SmallMLP), X.reshape(30, -1), prepare, n_passes=2)
    assert np.abs(injected[0] - injected[1]).max() > 1e-5


def test_the_mean_over_passes_approaches_the_plain_network(X):
    module = build(LeNet5).eval()
    images = np.repeat(np.repeat(X, 4, axis=2), 4, axis=3)[:5]
    proba = mc_dropout_proba(module, images, prepare, n_passes=200, rate=0.05, seed=0).mean(axis=0)
    with torch.no_grad():
        plain = module(torch.as_tensor(images)).softmax(1).numpy()
    assert_allclose(proba, plain, atol=0.03)


def test_the_module_and_the_generators_are_left_as_they_were(X):
    module = build(SmallCNN).train()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    generator = torch.random.get_rng_state()
    mc_dropout_proba(module, X, prepare)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert all(sub.training for sub in module.modules())
    assert not any(sub._forward_hooks or sub._forward_pre_hooks for sub in module.modules())
    assert torch.equal(generator, torch.random.get_rng_state())


def test_hooks_go_even_when_the_module_fails(X):
    module = build(SmallCNN)
    with pytest.raises(RuntimeError):
        mc_dropout_proba(module, X[:, :, :3], prepare)
    assert not any(sub._forward_hooks for sub in module.modules())
    assert all(sub.training for sub in module.modules())


def test_a_module_without_anything_to_drop_is_refused(X):
    with pytest.raises(ValueError, match=r"neither dropout layers nor nn.ReLU.*Add nn.Dropout"):
        mc_dropout_proba(build(Functional), X, prepare)


def test_bald_is_the_ensemble_formula_and_never_negative():
    proba = np.random.default_rng(0).dirichlet([0.3] * 4, size=(6, 50))
    expected = []
    for i in range(50):
        mean = proba[:, i].mean(axis=0)
        total = -sum(p * np.log(p) for p in mean if p > 0)
        each = [-sum(p * np.log(p) for p in row if p > 0) for row in proba[:, i]]
        expected.append(total - np.mean(each))
    assert_allclose(mutual_information(proba), expected, rtol=1e-9)
    same = np.repeat(proba[:1], 6, axis=0)
    assert_allclose(mutual_information(same), 0, atol=1e-12)
    assert (mutual_information(same) >= 0).all()
    assert_allclose(entropy(np.eye(4)), 0)
