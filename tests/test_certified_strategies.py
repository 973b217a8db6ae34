"""Asking by proofs: against closed forms on affine nets, independent loops, and in the loop."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch import NeuralNetClassifier
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.attacks import PGD
from skactive.attacks._counterexamples import counterexamples
from skactive.bounds import certified_margins
from skactive.exceptions import CapabilityError, UnsupportedOperationError
from skactive.kernels.stratified import bin_indices
from skactive.model_view import ModelView
from skactive.strategies import DFAL, CertifiedDRE, CertifiedMargin, RobustMargin
from skactive.utils.estimator_checks import check_query_strategy
from tests.models import SmallCNN


class Affine(nn.Sequential):
    """One linear layer: every answer is known."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(64, 10))


@pytest.fixture(scope="module")
def affine(digits):
    X, y = digits
    net = AdversarialNetClassifier(
        Affine, attack=PGD(eps=0.1, steps=3), max_epochs=20, lr=0.05, random_state=0
    )
    return net.fit(X[:300], y[:300]), X[300:500], y[300:500]


@pytest.fixture(scope="module")
def robust(digits):
    X, y = digits
    net = AdversarialNetClassifier(
        SmallCNN, attack=PGD(eps=0.1, steps=3), max_epochs=6, lr=0.01, random_state=0
    )
    return net.fit(X[:300], y[:300]), X[300:500], y[300:500]


def closed_form(net, pool, eps):
    """Smallest gap of an affine net over the box around each sample, pair of classes by pair."""
    W, b = (value.detach().double().numpy() for value in net.module_[1].parameters())
    found = []
    for x in pool.reshape(len(pool), -1).astype(float):
        own = int((W @ x + b).argmax())
        low, high = np.maximum(x - eps, 0), np.minimum(x + eps, 1)
        gaps = [
            np.where(W[own] > W[k], low, high) @ (W[own] - W[k]) + b[own] - b[k]
            for k in range(len(W))
            if k != own
        ]
        found.append(min(gaps))
    return np.array(found)


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_certified_margins_of_an_affine_net_are_the_closed_form(affine, method):
    net, pool, _ = affine
    expected = closed_form(net, pool, 0.05)
    scores = CertifiedMargin(0.05, method).score_samples(net, pool)
    assert_allclose(-scores, expected, atol=1e-3)
    assert ((-scores > 0) == (expected > 1e-3)).all()
    assert 0 < (expected > 0).mean() < 1
    order = np.argsort(expected)
    picked = CertifiedMargin(0.05, method, random_state=0).query(net, pool, 12)
    assert_allclose(expected[picked], expected[order[:12]], atol=1e-3)
    largest = CertifiedMargin(0.05, method, largest=True, random_state=0).query(net, pool, 12)
    assert_allclose(expected[largest], expected[order[::-1][:12]], atol=1e-3)


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_certified_margins_are_those_of_the_predicted_class(robust, method):
    net, pool, _ = robust
    predicted = torch.as_tensor(net.predict(pool).astype(int))
    expected = certified_margins(
        net.module_, torch.as_tensor(pool), predicted, 0.02, method=method
    ).numpy()
    assert_allclose(-CertifiedMargin(0.02, method).score_samples(net, pool), expected, atol=1e-9)
    picked = CertifiedMargin(0.02, method, random_state=1).query(net, pool, 20)
    assert set(picked) == set(np.argsort(expected)[:20])


def test_without_a_radius_it_is_the_one_that_the_net_was_trained_for(affine, digits):
    net, pool, _ = affine
    assert_array_equal(
        CertifiedMargin().score_samples(net, pool), CertifiedMargin(0.1).score_samples(net, pool)
    )
    assert ModelView.of(net).radius == 0.1
    others = [
        AdversarialNetClassifier(Affine, attack=None, max_epochs=1),
        AdversarialNetClassifier(Affine, attack=PGD(1.0, norm="L2", steps=2), max_epochs=1),
        NeuralNetClassifier(
            Affine, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0, train_split=None
        ),
    ]
    for other in others:
        other.fit(digits[0][:30], digits[1][:30].astype(np.int64))
        assert ModelView.of(other).radius == 8 / 255


def test_robust_margin_is_the_gap_of_the_logits(robust):
    net, pool, _ = robust
    with torch.no_grad():
        logits = net.module_.eval()(torch.as_tensor(pool)).numpy()
    expected = np.array([np.diff(np.sort(row)[-2:])[0] for row in logits])
    assert_allclose(-RobustMargin().score_samples(net, pool), expected, rtol=1e-4, atol=1e-5)
    picked = RobustMargin(random_state=0).query(net, pool, 15)
    assert set(picked) == set(np.argsort(expected)[:15])


def test_robust_margin_of_decision_functions(digits):
    X, y = digits[0].reshape(len(digits[0]), -1), digits[1]
    two = y < 2
    binary = LogisticRegression(max_iter=300).fit(X[two][:100], y[two][:100])
    expected = np.abs(binary.decision_function(X[:50]))
    assert_allclose(-RobustMargin().score_samples(binary, X[:50]), expected)
    several = LogisticRegression(max_iter=300).fit(X[:200], y[:200])
    top = np.sort(several.decision_function(X[:50]), axis=1)
    assert_allclose(-RobustMargin().score_samples(several, X[:50]), top[:, -1] - top[:, -2])


def test_gaps_are_scored_in_parts(affine, monkeypatch):
    net, pool, _ = affine
    whole = RobustMargin().score_samples(net, pool)
    monkeypatch.setattr("skactive.model_view._view.MAX_ROWS", 1)
    monkeypatch.setattr("skactive.model_view._view._MAX_PROBA", 300)  # 30 rows at once
    assert_allclose(RobustMargin().score_samples(net, pool), whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["ibp", "crown"])
def test_certified_dre_picks_each_bin_in_proportion(robust, method):
    net, pool, _ = robust
    values = -CertifiedMargin(0.02, method).score_samples(net, pool)
    bins = bin_indices(values, 10)
    found = CertifiedDRE(10, 0.02, method, random_state=0).select(net, pool, 50)
    expected = np.bincount(bins, minlength=10) * 50 / len(pool)
    got = np.bincount(bins[found.indices], minlength=10)
    assert (np.abs(expected - got) < 1).all()
    assert_allclose(found.scores, values[found.indices])
    equal = CertifiedDRE(10, 0.02, method, "equal", random_state=0).query(net, pool, 50)
    rarest = min(np.bincount(bins)[np.bincount(bins) > 0])
    assert np.bincount(bins[equal], minlength=10)[np.bincount(bins) > 0].min() >= min(rarest, 4)


# -- verified counterexamples -----------------------------------------------------------------


def nearest_in_linf(net, pool):
    """L∞ distance of each sample to another class of an affine net, with no bound in the way."""
    W, b = (value.detach().double().numpy() for value in net.module_[1].parameters())
    found = []
    for x in pool.reshape(len(pool), -1).astype(float):
        logits = W @ x + b
        own = int(logits.argmax())
        found.append(
            min(
                (logits[own] - logits[k]) / np.abs(W[own] - W[k]).sum()
                for k in range(len(W))
                if k != own
            )
        )
    return np.array(found)


def test_counterexamples_of_an_affine_net_are_found_wherever_there_are_any(affine):
    net, pool, _ = affine
    inner = 0.3 + 0.4 * pool[:60]  # no step of .1 leaves the range of the inputs
    nearest = nearest_in_linf(net, inner)
    eps = float(np.median(nearest))  # between two of them
    assert eps < 0.1
    points, distance = ModelView.of(net).counterexamples(inner, eps)
    there = nearest < eps
    assert (np.isfinite(distance) == there).all()
    assert (distance[there] >= nearest[there] - 1e-6).all()
    assert (distance[there] <= 1.3 * nearest[there] + 1e-3).all()  # the nearest, or hardly further
    assert_array_equal(points[~there], inner[~there])


def test_a_verified_twin_is_within_the_ball_and_changes_the_prediction(robust):
    net, pool, _ = robust
    eps = 0.06
    found = DFAL(40, "verified", eps=eps, random_state=0).select(net, pool, 25)
    assert found.twinned.shape == (25,)
    assert found.twinned.any()
    assert found.twins.shape == (found.twinned.sum(), 1, 8, 8)
    origin = pool[found.indices[found.twinned]]
    assert_array_equal(found.twin_indices, found.indices[found.twinned])
    assert np.abs(found.twins.astype(float) - origin).max() <= eps
    assert found.twins.min() >= 0
    assert found.twins.max() <= 1
    exact = SmallCNN().double().eval()
    exact.load_state_dict({key: value.double() for key, value in net.module_.state_dict().items()})
    with torch.no_grad():
        before = exact(torch.as_tensor(origin).double()).argmax(1)
        after = exact(torch.as_tensor(found.twins).double()).argmax(1)
    assert (before != after).all()
    assert (net.predict(found.twins) != net.predict(origin)).all()
    plain = DFAL(40, random_state=0).select(net, pool, 25)
    assert plain.twins is None
    assert plain.twinned is None
    assert_array_equal(plain.indices, found.indices)


def test_verified_twins_keep_every_promise_of_a_strategy(robust):
    net, pool, _ = robust
    check_query_strategy(DFAL("all", "verified", eps=0.05), net, pool[:40], pool[40:50])


@pytest.mark.parametrize("ending", [nn.Softmax(1), nn.LogSoftmax(1)])
def test_nets_that_return_probabilities_are_asked_as_their_logits(affine, ending):
    net, pool, _ = affine
    plain = NeuralNetClassifier(
        nn.Sequential(copy.deepcopy(net.module_), ending), max_epochs=1, verbose=0, lr=0.0,
        train_split=None,
    ).fit(pool, np.arange(len(pool)) % 10)  # fmt: skip
    assert_allclose(
        CertifiedMargin(0.05).score_samples(plain, pool),
        CertifiedMargin(0.05).score_samples(net, pool),
        atol=1e-3,
    )
    mine, reference = (ModelView.of(one).counterexamples(pool[:40], 0.1)[1] for one in (plain, net))
    assert (np.isfinite(mine) == np.isfinite(reference)).mean() > 0.95
    both = np.isfinite(mine) & np.isfinite(reference)
    assert both.any()
    assert_allclose(mine[both], reference[both], rtol=0.2, atol=1e-3)


def test_what_is_certified_has_no_twin(affine):
    net, pool, _ = affine
    eps = 0.05
    found = DFAL("all", "verified", eps=eps, random_state=0).select(net, pool, len(pool))
    certified = closed_form(net, pool, eps)[found.indices] > 1e-3
    assert certified.any()
    assert not found.twinned[certified].any()
    assert found.twinned[~certified].mean() > 0.9  # of an affine net there is nothing in between
    nearer = DFAL("all", "verified", eps=eps / 4, random_state=0).select(net, pool, len(pool))
    assert nearer.twinned.sum() < found.twinned.sum()


def test_a_ball_that_float32_can_hardly_tell_from_a_point_has_no_counterexample(affine):
    net, pool, _ = affine
    points, distance = ModelView.of(net).counterexamples(pool, 1e-8)
    assert np.isinf(distance).all()
    assert_array_equal(points, pool)
    module = net.module_
    none = counterexamples(module, module, torch.empty(0, 1, 8, 8), 0.1, bounds=(0, 1))
    assert none.points.shape == (0, 1, 8, 8)


def test_a_saturated_net_has_counterexamples_too(affine):
    net, pool, _ = affine
    steep = AdversarialNetClassifier(Affine, attack=None, max_epochs=1, random_state=0)
    steep.fit(pool, np.arange(200) % 10)
    with torch.no_grad():
        for own, other in zip(steep.module_.parameters(), net.module_.parameters(), strict=True):
            own.copy_(1e5 * other)
    _, distance = ModelView.of(net).counterexamples(pool[:50], 0.1)
    _, same = ModelView.of(steep).counterexamples(pool[:50], 0.1)
    assert (np.isfinite(distance) == np.isfinite(same)).mean() > 0.95
    assert np.isfinite(same).any()


def test_the_ledger_counts_verified_twins_and_they_are_taught_under_the_bought_label(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=4, lr=0.01, random_state=0)
    learner = ActiveLearner(net, DFAL("all", "verified", eps=0.04), random_state=0)
    learner.fit(X[:150], y[:150])
    pool, labels = X[150:450], y[150:450]
    nearest = learner.query(pool, 10)[0]
    idx, rows = learner.query(pool, len(pool))
    _, distance = ModelView.of(learner).counterexamples(rows, 0.04)
    n_twins = int(np.isfinite(distance).sum())
    assert 0 < n_twins < len(pool)
    assert np.isfinite(distance[np.isin(idx, nearest)]).mean() > np.isfinite(distance).mean()
    learner.teach(rows, labels[idx])
    assert learner.history_[-1]["adversarial"] == n_twins == len(learner.X_twins_)
    assert_array_equal(learner.y_twins_, labels[idx][np.isfinite(distance)])
    assert np.abs(learner.X_twins_ - rows[np.isfinite(distance)]).max() <= 0.04


def test_a_query_without_any_twin_teaches_none(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=4, lr=0.01, random_state=0)
    learner = ActiveLearner(net, DFAL("all", "verified", eps=1e-6), random_state=0)
    learner.fit(X[:150], y[:150])
    idx, rows = learner.query(X[150:200], 5)
    learner.teach(rows, y[150:200][idx])
    assert learner.history_[-1]["adversarial"] == 0
    assert learner.X_twins_ is None


# -- refusals ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        (CertifiedMargin(eps=0), "eps"),
        (CertifiedMargin(eps=-0.1), "eps"),
        (CertifiedMargin(eps="0.1"), "eps.*Write eps=0.1, without quotes"),
        (CertifiedMargin(eps=8), r"eps=8 is longer than the range .*8/255"),
        (CertifiedMargin(method="ipb"), "method.*Did you mean 'ibp'"),
        (CertifiedMargin(largest=2), "largest"),
        (CertifiedDRE(eps=0), "eps"),
        (CertifiedDRE(n_bins=0), "n_bins"),
        (CertifiedDRE(allocation="some"), "allocation"),
        (DFAL(adversarial_twins="certified"), "adversarial_twins"),
        (DFAL(adversarial_twins="verified", eps=0), "eps"),
        (DFAL(adversarial_twins="verified", eps=2), "eps=2 is longer"),
    ],
)
def test_bad_parameters_are_named(affine, strategy, message):
    net, pool, _ = affine
    with pytest.raises(ValueError, match=message):
        strategy.query(net, pool, 2)


def test_what_has_no_bounds_is_named_and_can_still_be_attacked(digits):
    class Gelu(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Flatten(), nn.Linear(64, 16), nn.GELU(), nn.Linear(16, 10))

    X, y = digits
    net = AdversarialNetClassifier(Gelu, attack=None, max_epochs=3, lr=0.01, random_state=0)
    net.fit(X[:100], y[:100])
    with pytest.raises(UnsupportedOperationError, match="gelu"):
        CertifiedMargin(0.1).query(net, X[100:150], 3)
    found = DFAL("all", "verified", eps=0.1, random_state=0).select(net, X[100:150], 10)
    assert found.twinned.any()


def test_estimators_without_a_module_or_logits_are_refused_before_any_training(digits):
    X, y = digits[0][:60].reshape(60, -1), digits[1][:60]
    cases = [
        (CertifiedMargin(), LogisticRegression(), "CertifiedMargin needs 'certificates'"),
        (CertifiedDRE(), Committee(LogisticRegression()), "CertifiedDRE needs 'certificates'"),
        (RobustMargin(), GaussianNB(), "RobustMargin needs 'logits'"),
    ]
    for strategy, estimator, message in cases:
        with pytest.raises(CapabilityError, match=message):
            ActiveLearner(estimator, strategy).fit(X, y)


def test_twins_cannot_be_given_back_through_a_pipeline(affine, digits):
    net, pool, _ = affine
    identity = FunctionTransformer(lambda X: X).fit(pool[:, 0, 0])
    piped = make_pipeline(identity, net)
    with pytest.raises(CapabilityError, match="DFAL makes counterexamples .*Pass the net alone"):
        DFAL(20, "verified", random_state=0).query(piped, pool, 3)
    expected = CertifiedMargin(0.05, random_state=0).query(net, pool, 5)
    assert_array_equal(CertifiedMargin(0.05, random_state=0).query(piped, pool, 5), expected)


def test_in_the_loop(digits):
    X, y = digits[0][:200], digits[1][:200]
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=2, random_state=0)
    for name in ("certified_margin", "robust_margin", "certified_dre"):
        learner = ActiveLearner(net, name, random_state=0).fit(X[:60], y[:60])
        idx, rows = learner.query(X[60:], 5)
        learner.teach(rows, y[60:][idx])
        assert learner.history_[-1]["n_labels"] == 65
