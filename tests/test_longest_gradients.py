"""The race for the longest expected gradients against computing all of them."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from torch import nn
from torch.func import jacrev, vmap

from skactive import AdversarialNetClassifier
from skactive.passes.gradient_norms import expected_gradient_length, lengths_and_slopes
from skactive.passes.longest_gradients import _bounds, longest_gradients
from skactive.strategies import EGL


@pytest.fixture(scope="module")
def digits():
    X = (load_digits().data / 16).astype(np.float32)
    y = load_digits().target
    layers = [nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)]
    net = AdversarialNetClassifier(
        nn.Sequential(*layers), attack=None, max_epochs=30, lr=0.01, random_state=0
    )
    return net.fit(X[:300], y[:300]), X[300:]


@pytest.mark.parametrize("wrt", ["input", "parameters", "last_layer"])
@pytest.mark.parametrize("n", [1, 10, 200])
def test_the_longest_are_those_of_all_lengths(digits, wrt, n):
    net, X = digits
    module, X = net.module_, torch.as_tensor(X)
    loaded = []

    def load(rows):
        loaded.extend(rows)
        return X[rows]

    with torch.no_grad():
        proba = module(X).softmax(dim=1).numpy()
    found = longest_gradients(module, proba, load, n, wrt, batch_size=64)
    everything = expected_gradient_length(module, X, wrt).numpy()
    assert_array_equal(np.argsort(-found)[:n], np.argsort(-everything)[:n])
    computed = np.isfinite(found)
    assert_allclose(found[computed], everything[computed], rtol=1e-4)
    assert len(loaded) == len(set(loaded)) == computed.sum()
    if n <= 10 and wrt == "input":
        assert computed.sum() < len(X) / 2


@pytest.mark.parametrize("wrt", ["input", "parameters"])
def test_strategy_picks_as_the_exhaustive_one(digits, wrt):
    net, X = digits
    raced, all_of_them = (
        EGL(wrt, exhaustive=exhaustive, random_state=0).select(net, X, 30)
        for exhaustive in (False, True)
    )
    assert_array_equal(raced.indices, all_of_them.indices)
    assert_allclose(raced.scores, all_of_them.scores, rtol=1e-4)


def test_slopes_are_those_of_the_jacobian_and_bound_the_lengths():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 4)).double()
    X = torch.randn(30, 6, dtype=torch.float64)
    jacobian = vmap(jacrev(lambda x: module(x)))(X)
    differences = (jacobian[:, :, None] - jacobian[:, None, :]).norm(dim=3)
    lengths, slopes = lengths_and_slopes(module, X, "input")
    torch.testing.assert_close(slopes, differences.amax(dim=0).detach(), rtol=1e-6, atol=1e-6)
    proba = module(X).softmax(dim=1).detach().numpy()
    assert (lengths.numpy() <= _bounds(proba, slopes.numpy()) * (1 + 1e-6)).all()
    lengths, slopes = lengths_and_slopes(module, X, "parameters")
    assert (lengths.numpy() <= _bounds(proba, slopes.numpy()) * (1 + 1e-6)).all()


def test_a_diverged_net_is_named(digits):
    _, X = digits
    module = nn.Linear(64, 3)
    with torch.no_grad():
        module.weight.fill_(float("nan"))
    proba = np.full((len(X), 3), 1 / 3)
    with pytest.raises(ValueError, match="returned NaN"):
        longest_gradients(module, proba, lambda rows: torch.as_tensor(X[rows]), 5)
