"""The race for the nearest boundaries against attacking everything."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_digits
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD, DeepFool
from skactive.attacks._nearest_boundary import nearest_boundaries
from skactive.strategies import DFAL


@pytest.fixture(scope="module")
def digits():
    X = (load_digits().data / 16).astype(np.float32)
    y = load_digits().target
    torch.manual_seed(0)
    layers = [nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)]
    net = AdversarialNetClassifier(
        nn.Sequential(*layers), attack=None, max_epochs=15, random_state=0
    )
    return net.fit(X[:300], y[:300]), X[300:]


@pytest.fixture(scope="module")
def robust():
    X = (load_digits().data / 16).astype(np.float32)
    layers = [nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10)]
    net = AdversarialNetClassifier(
        nn.Sequential(*layers), attack=PGD(eps=0.15, steps=3), max_epochs=15, lr=0.1, random_state=0
    )
    return net.fit(X[:300], load_digits().target[:300]), X[300:]


def race(module, X, n, **deepfool):
    X = torch.as_tensor(X)
    attacked = []

    def load(rows):
        attacked.extend(rows)
        return X[rows]

    with torch.no_grad():
        logits = module(X).numpy()
    found = nearest_boundaries(
        module, logits, load, n, DeepFool(**deepfool), np.random.default_rng(0)
    )
    return found, attacked


@pytest.mark.parametrize("n", [1, 5, 60, 400])
@pytest.mark.parametrize("settings", [{}, {"exhaustive": True}, {"n_candidates": 3}])
def test_the_nearest_are_those_of_all_distances(digits, n, settings):
    net, X = digits
    module = net.module_
    found, attacked = race(module, X, n, **settings)
    everything = DeepFool(**settings)(module, torch.as_tensor(X)).distance.numpy()
    expected = np.argsort(everything)[:n]
    assert_array_equal(np.sort(np.argsort(found)[:n]), np.sort(expected))
    assert_allclose(found[expected], everything[expected], rtol=1e-4, atol=1e-6)
    # What is not given up is exact.
    ended = np.isfinite(found)
    assert_allclose(found[ended], everything[ended], rtol=1e-4, atol=1e-6)
    assert len(attacked) == len(set(attacked))
    if n <= 5:
        assert len(attacked) < len(X) / 3


def plain_deepfool(module, x, steps=50, overshoot=0.02, tol=1e-3):
    """Algorithm 2 of the paper over all classes, one sample; the overshoot left out at the end."""

    def gradients(point):
        point = point.clone().requires_grad_(True)
        logits = module(point[None])[0]
        rows = [torch.autograd.grad(z, point, retain_graph=True)[0] for z in logits]
        return logits.detach(), torch.stack(rows)

    label, now, boundary = int(module(x[None]).argmax()), x, x
    for _ in range(steps + 1):
        logits, slopes = gradients(now)
        if int(logits.argmax()) != label:
            return float((boundary - x).norm())
        others = [c for c in range(len(logits)) if c != label]
        w = slopes[others] - slopes[label]
        gap = (logits[label] - logits[others]).abs()
        slope = w.flatten(1).norm(dim=1)
        if not slope.any():  # flat in all directions: no boundary is seen from here
            return float("inf")
        nearest = torch.where(slope > 0, gap / slope, torch.inf).argmin()
        step = gap[nearest] / w[nearest].square().sum() * w[nearest]
        if step.norm() <= tol * (now - x).norm():
            return float((now - x).norm())
        boundary = (now + step).clamp(0, 1)
        now = (now + (1 + overshoot) * step).clamp(0, 1)
    return float("inf")


@pytest.mark.parametrize("kind", ["robust", "uneven"])
def test_exhaustive_distances_are_those_of_the_paper_over_all_classes(robust, kind):
    net, X = robust
    if kind == "uneven":
        net = copy.deepcopy(net)
        with torch.no_grad():  # one class's logit becomes steep, and its gap wide
            net.module_[-1].weight[3].mul_(12)
            net.module_[-1].bias[3].sub_(6)
    X = X[:100]
    expected = np.array([plain_deepfool(net.module_, x) for x in torch.as_tensor(X)])
    strategy = DFAL("all", exhaustive=True, random_state=0)
    distances = -strategy.score_samples(net, X)
    assert_allclose(distances, expected, rtol=2e-3)
    found = strategy.select(net, X, 30)
    assert_allclose(-found.scores, np.sort(expected)[:30], rtol=2e-3)
    if kind == "uneven":
        assert (-DFAL().score_samples(net, X) > 1.05 * expected).any()  # the shortcut shows


def test_an_exhaustive_search_keeps_what_the_attack_was_given(robust):
    net, X = robust
    given = DeepFool(steps=1, n_candidates=1)
    assert_array_equal(
        DFAL(exhaustive=True, deepfool=given).score_samples(net, X[:50]),
        -DeepFool(steps=1, n_candidates=1, exhaustive=True)(
            net.module_, torch.as_tensor(X[:50])
        ).distance.numpy(),
    )
    assert not given.exhaustive


def test_strategy_picks_as_the_exhaustive_one(digits):
    net, X = digits
    for n_candidates in ("all", None, 300):
        raced, all_of_them = (
            DFAL(n_candidates, exhaustive=exhaustive, random_state=3).select(net, X, 20)
            for exhaustive in (False, True)
        )
        assert_array_equal(raced.indices, all_of_them.indices)
        assert_allclose(raced.scores, all_of_them.scores, rtol=2e-3, atol=1e-6)


def test_steep_regions_are_searched_though_their_gaps_are_wide():
    class Uneven(nn.Module):
        """The boundary is x0 = .5; logits change a hundred times faster where x1 > .8."""

        def forward(self, x):
            slope = torch.where(x[:, 1:] > 0.8, 10.0, 0.1)
            return torch.cat([slope * (x[:, :1] - 0.5), torch.zeros_like(slope)], dim=1)

    X = np.random.default_rng(0).uniform(size=(3000, 2)).astype(np.float32)
    found, _ = race(Uneven(), X, 50)
    expected = np.argsort(np.abs(X[:, 0] - 0.5))[:50]
    assert (X[expected, 1] > 0.8).sum() > 3
    assert_array_equal(np.sort(np.argsort(found)[:50]), np.sort(expected))


def test_falls_back_to_everything_where_no_boundary_is_found():
    module = nn.Linear(2, 2)
    module.requires_grad_(False)
    module.weight.zero_()
    module.bias.copy_(torch.tensor([1.0, 0.0]))
    found, attacked = race(module, np.zeros((100, 2), np.float32), 7)
    assert np.isinf(found).all()
    assert set(attacked) == set(range(100))


def test_module_and_pool_stay_as_they_were(digits):
    net, X = digits
    before = [p.clone() for p in net.module_.parameters()], X.copy()
    net.module_.train().zero_grad()
    race(net.module_, X, 5)
    assert net.module_.training
    assert all(p.requires_grad and p.grad is None for p in net.module_.parameters())
    for p, q in zip(net.module_.parameters(), before[0], strict=True):
        assert torch.equal(p, q)
    assert_array_equal(X, before[1])
