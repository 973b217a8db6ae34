"""Robust acquisition against closed forms and independent computations."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from scipy.special import softmax
from scipy.stats import entropy
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD, DeepFool
from skactive.kernels.stratified import bin_indices
from skactive.model_view import ModelView
from skactive.passes.virtual_adversarial import virtual_adversarial_divergence
from skactive.strategies import (
    CEAL,
    DRE,
    EGL,
    MCP,
    AdversarialDRE,
    AdversarialEntropy,
    DiverseDRE,
    LowInputGradient,
    MaxEntropy,
    VirtualAdversarial,
)
from tests.models import SmallCNN


@pytest.fixture(scope="module")
def net_and_pool(digits):
    X, y = digits
    net = AdversarialNetClassifier(
        SmallCNN, attack=PGD(eps=0.1, steps=2), max_epochs=4, lr=0.01, random_state=0
    )
    return net.fit(X[:300], y[:300]), X[300:700]


def test_virtual_adversarial_is_the_closed_form_on_two_linear_classes():
    # Two classes: the curvature has rank one, so that a single power iteration is exact.
    torch.manual_seed(0)
    module = nn.Linear(6, 2).double()
    X = torch.rand(20, 6, dtype=torch.float64)
    found = virtual_adversarial_divergence(module, X, eps=0.4, xi=1e-3).numpy()
    weight = (module.weight[1] - module.weight[0]).detach().numpy()
    step = 0.4 * weight / np.linalg.norm(weight)
    logits = module(X).detach().numpy()
    change = module.weight.detach().numpy() @ step
    both = [
        entropy(softmax(logits, axis=1), softmax(logits + sign * change, axis=1), axis=1)
        for sign in (1, -1)
    ]
    nearest = np.minimum(np.abs(found - both[0]), np.abs(found - both[1]))
    assert_allclose(nearest, 0, atol=1e-9)
    clipped = virtual_adversarial_divergence(module, X, eps=50.0, bounds=(0, 1))
    limit = virtual_adversarial_divergence(module, X, eps=50.0)
    assert (clipped < limit).all()


def test_virtual_adversarial_finds_more_than_a_random_direction(net_and_pool):
    net, pool = net_and_pool
    X = torch.from_numpy(pool[:100])
    rough = virtual_adversarial_divergence(net.module_, X, eps=0.5)
    more = virtual_adversarial_divergence(net.module_, X, eps=0.5, n_power=4)
    blind = virtual_adversarial_divergence(net.module_, X, eps=0.5, n_power=0)
    assert rough.mean() > 3 * blind.mean()
    assert more.mean() > rough.mean()
    scores = VirtualAdversarial(eps=0.5, random_state=3).score_samples(net, pool[:100])
    assert_allclose(
        scores[::7],
        [
            VirtualAdversarial(eps=0.5, random_state=3).score_samples(net, pool[i : i + 1])[0]
            for i in range(0, 100, 7)
        ],
        rtol=1e-3,
        atol=1e-5,
    )


def test_low_input_gradient_is_the_opposite_of_egl_in_the_input(net_and_pool):
    net, pool = net_and_pool
    scores = LowInputGradient().score_samples(net, pool)
    assert_array_equal(scores, -EGL("input").score_samples(net, pool))
    picked = LowInputGradient(random_state=0).query(net, pool, 20)
    assert scores[picked].min() >= np.sort(scores)[-20]


def test_adversarial_entropy_is_the_entropy_where_the_attack_leads(net_and_pool):
    net, pool = net_and_pool
    attack = PGD(eps=0.1, steps=10, random_start=False)  # eps of the net's own attack
    moved = attack(
        net.module_, torch.from_numpy(pool), torch.from_numpy(net.predict(pool).astype(int))
    )
    expected = entropy(net.predict_proba(moved.numpy()).astype(float), axis=1)
    found = AdversarialEntropy().score_samples(net, pool)
    assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert found.mean() > entropy(net.predict_proba(pool).astype(float), axis=1).mean()
    weaker = AdversarialEntropy(PGD(eps=0.01, steps=3)).score_samples(net, pool)
    assert weaker.mean() < found.mean()


def shares(values, picked, n_bins):
    bins = bin_indices(values, n_bins)
    expected = np.bincount(bins, minlength=n_bins) * len(picked) / len(values)
    return expected, np.bincount(bins[picked], minlength=n_bins)


@pytest.mark.parametrize(
    "characteristic", ["adversarial_distance", "adversarial_entropy", "virtual_adversarial"]
)
def test_adversarial_dre_picks_each_bin_in_proportion(net_and_pool, characteristic):
    net, pool = net_and_pool
    strategy = AdversarialDRE(10, characteristic, random_state=0)
    picked = strategy.query(net, pool, 80)
    if characteristic == "adversarial_distance":
        values = DeepFool()(net.module_, torch.from_numpy(pool)).distance.numpy()
    elif characteristic == "adversarial_entropy":
        values = AdversarialEntropy().score_samples(net, pool)
    else:
        found = AdversarialDRE(10, characteristic, random_state=0).select(net, pool, len(pool))
        values = np.empty(len(pool))
        values[found.indices] = found.scores
    expected, got = shares(values, picked, 10)
    assert (np.abs(expected - got) < 1).all()


def test_diverse_dre_keeps_the_quotas_and_covers_the_bins_better(net_and_pool, digits):
    net, pool = net_and_pool
    labelled = digits[0][:20]
    values = entropy(net.predict_proba(pool).astype(float), axis=1)
    points = ModelView.of(net).embed(pool)
    bins = bin_indices(values, 5)

    def radius(picked):
        covered = [
            cdist(points[bins == b], points[picked[bins[picked] == b]]).min(axis=1).max()
            for b in range(5)
            if (bins[picked] == b).any()
        ]
        return np.mean(covered)

    diverse = DiverseDRE(5, random_state=0).query(net, pool, 60, X_labeled=labelled)
    expected, got = shares(values, diverse, 5)
    assert (np.abs(expected - got) < 1).all()
    drawn = [radius(DRE(5, random_state=seed).query(net, pool, 60)) for seed in range(5)]
    assert radius(diverse) < min(drawn)


@pytest.mark.parametrize("strategy", [DRE, AdversarialDRE, DiverseDRE])
def test_the_first_half_of_a_set_is_a_fair_sample_of_the_pool(net_and_pool, strategy):
    net, pool = net_and_pool
    means, mean, spread = [], None, None
    for seed in range(20):
        found = strategy(10, random_state=seed).select(net, pool, len(pool))
        means.append(found.scores[: len(pool) // 2].mean())
        mean, spread = found.scores.mean(), found.scores.std()
    assert abs(np.mean(means) - mean) < 0.1 * spread
    assert np.std(means) < spread / np.sqrt(len(pool) // 2)


@pytest.mark.parametrize("strategy", [MCP, CEAL, MaxEntropy])
def test_the_first_half_of_a_ranking_is_what_a_query_of_half_the_size_picks(net_and_pool, strategy):
    net, pool = net_and_pool
    whole = strategy(random_state=0).query(net, pool, 40)
    assert set(whole[:20]) == set(strategy(random_state=0).query(net, pool, 20))


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (VirtualAdversarial(eps=0), "eps"),
        (VirtualAdversarial(n_power=0), "n_power"),
        (AdversarialEntropy(attack=3), "attack"),
        (AdversarialEntropy(attack="pdg"), "Did you mean 'pgd'"),
        (AdversarialDRE(characteristic="entropy"), "characteristic"),
        (DiverseDRE(n_bins=0), "n_bins"),
    ],
)
def test_bad_parameters_are_named(net_and_pool, strategy, message):
    net, pool = net_and_pool
    with pytest.raises(ValueError, match=message):
        strategy.query(net, pool, 2)


def test_in_the_loop(digits):
    X, y = digits[0][:200], digits[1][:200]
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=2, random_state=0)
    for name in ("virtual_adversarial", "adversarial_entropy", "diverse_dre"):
        learner = ActiveLearner(net, name, random_state=0).fit(X[:60], y[:60])
        idx, rows = learner.query(X[60:], 5)
        learner.teach(rows, y[60:][idx])
        assert learner.history_[-1]["n_labels"] == 65
