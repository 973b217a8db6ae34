"""Monte-Carlo dropout: the ensemble formula, injected dropout, and nothing left behind."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from skactive.kernels.uncertainty import entropy, mutual_information
from skactive.networks import LeNet5
from skactive.passes.mc_dropout import mc_dropout_proba
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


def layers(module, start, stop):
    return nn.Sequential(*list(module)[start:stop])


def masked(values, mask_of, rate):
    keep = torch.rand(values.shape[1:], generator=mask_of) >= rate
    return values * keep / (1 - rate)


def test_injected_dropout_equals_a_masked_network_written_out(X):
    module = build(SmallCNN).eval()
    found = mc_dropout_proba(module, X, prepare, n_passes=2, rate=0.5, seed=3)
    for t in range(2):
        generator = torch.Generator().manual_seed(3 * 1_000_003 + t)
        with torch.no_grad():
            hidden = masked(layers(module, 0, 3)(torch.as_tensor(X)), generator, 0.5)
            hidden = masked(layers(module, 3, 7)(hidden), generator, 0.5)
            expected = (
                layers(module, 7, 11)(hidden).softmax(1).numpy()
            )  # the dense part is left alone
        assert_allclose(found[t], expected, rtol=1e-4, atol=1e-6)


def test_without_convolutions_dropout_follows_every_hidden_relu(X):
    module = build(SmallMLP).eval()
    flat = torch.as_tensor(X).flatten(1)
    found = mc_dropout_proba(module, flat, prepare, n_passes=1, rate=0.5, seed=0)
    with torch.no_grad():
        hidden = masked(layers(module, 0, 2)(flat), torch.Generator().manual_seed(0), 0.5)
        assert_allclose(found[0], module[2](hidden).softmax(1).numpy(), rtol=1e-4, atol=1e-6)


class OneReLU(nn.Module):
    """The same ReLU after each layer, and a step between layers that overwrites its input."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu = nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True)
        self.hidden, self.head = nn.Linear(4 * 36, 8), nn.Linear(8, 3)

    def forward(self, X):
        hidden = self.conv(X)
        hidden += 1
        return self.head(self.relu(self.hidden(self.relu(hidden).flatten(1))))


class Uncopyable(OneReLU):
    def __deepcopy__(self, memo):
        raise TypeError("no copies")


@pytest.mark.parametrize("make", [OneReLU, Uncopyable])
def test_what_cannot_be_replayed_or_copied_is_sampled_all_the_same(X, make):
    module = build(make).eval()
    found = mc_dropout_proba(module, X, prepare, n_passes=3, rate=0.5, seed=1)
    for t in range(3):
        generator = torch.Generator().manual_seed(1_000_003 + t)
        with torch.no_grad():
            hidden = masked(torch.relu(module.conv(torch.as_tensor(X)) + 1), generator, 0.5)
            hidden = torch.relu(module.hidden(hidden.flatten(1)))
            expected = module.head(hidden).softmax(1).numpy()
        assert_allclose(found[t], expected, rtol=1e-4, atol=1e-6)
    assert not any(sub._forward_hooks for sub in module.modules())


class Counting(nn.Flatten):
    rows = 0

    def forward(self, X):
        type(self).rows += len(X)
        return super().forward(X)


def test_what_precedes_dropout_is_computed_once_per_batch(X):
    module = nn.Sequential(Counting(), nn.Linear(64, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    Counting.rows = 0
    mc_dropout_proba(module, X, prepare, n_passes=20, batch_size=10)
    # 30 rows once, and two rows a few times to see what is executed when
    assert 30 <= Counting.rows < 30 + 2 * 30


@pytest.mark.parametrize("layer", [nn.Dropout2d(0.5), nn.AlphaDropout(0.3), nn.Dropout(1.0)])
def test_every_kind_of_dropout_layer_has_its_own_law(X, layer):
    module = nn.Sequential(nn.Identity(), layer, nn.Flatten()).eval()
    maps = np.random.default_rng(0).normal(size=(2, 500, 2, 2)).astype(np.float32)
    outputs = []
    module[2].register_forward_hook(lambda *args: outputs.append(args[2].clone()))
    mc_dropout_proba(module, maps, prepare, n_passes=1, seed=0)
    found = outputs[-1].view(2, 500, 4)
    if isinstance(layer, nn.Dropout2d):
        dropped = (found == 0).float().mean(dim=(0, 2))
        assert set(dropped.tolist()) == {0.0, 1.0}
        assert 0.4 < dropped.mean() < 0.6
    elif isinstance(layer, nn.AlphaDropout):
        assert abs(found.mean()) < 0.1
        assert abs(found.var() - 1) < 0.15
    else:
        assert (found == 0).all()


def test_a_dropout_layer_that_is_never_executed_does_not_count(X):
    module = build(SmallCNN)
    module.spare = nn.Dropout(0.5)
    module.forward = lambda X: nn.Sequential(*list(module)[:-1])(X)
    found = mc_dropout_proba(module, X, prepare, n_passes=2, rate=0.5)
    assert np.abs(found[0] - found[1]).max() > 1e-4


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
