"""Committees: aligned classes, disagreement by its formulas, members in place of dropout."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skactive import AdversarialNetClassifier, Committee
from skactive.attacks import PGD
from skactive.exceptions import CapabilityError
from skactive.kernels.disagreement import consensus_entropy, max_disagreement, vote_entropy
from skactive.kernels.uncertainty import mutual_information
from skactive.learners._committee import MemberEnsemble
from skactive.retraining import adversarial_examples
from skactive.strategies import BALD, VoteEntropy
from tests.models import SmallCNN


@pytest.fixture
def data():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], y[order]


def inherited_failures(committee):
    """A bootstrap sample is drawn regardless of the weights."""
    if not committee.bootstrap:
        return {}
    kinds = ("dense", "sparse")
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": "bootstrap ignores the weights"
        for kind in kinds
    }


# With this seed both bootstrap samples hold row 0, the only bad one of check_dtype_object.
TRAINED_ON_SAMPLES = Committee(
    [DecisionTreeClassifier(), LogisticRegression()], bootstrap=True, random_state=2
)


@parametrize_with_checks(
    [Committee(LogisticRegression(), n_members=2), TRAINED_ON_SAMPLES],
    expected_failed_checks=inherited_failures,
)
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_disagreement_is_what_the_formulas_say():
    proba = np.random.default_rng(0).dirichlet([0.5] * 3, size=(4, 20))
    for i in range(20):
        members = proba[:, i]
        votes = np.bincount(members.argmax(axis=1), minlength=3) / 4
        mean = members.mean(axis=0)
        assert vote_entropy(proba)[i] == pytest.approx(-sum(v * np.log(v) for v in votes if v))
        assert consensus_entropy(proba)[i] == pytest.approx(-(mean * np.log(mean)).sum())
        divergences = [(m * np.log(m / mean)).sum() for m in members]
        assert max_disagreement(proba)[i] == pytest.approx(max(divergences))
    certain = np.zeros((3, 2, 4))
    certain[:, :, 1] = 1
    for score in (vote_entropy, consensus_entropy, max_disagreement):
        assert_allclose(score(certain), 0, atol=1e-12)


def test_classes_of_members_are_aligned(data):
    X, y = data
    committee = Committee([GaussianNB(), GaussianNB()], classes=[0, 1, 2, 3])
    committee.fit(X[y != 1][:30], y[y != 1][:30])
    votes = committee.vote_proba(X)
    assert votes.shape == (2, 150, 4)
    assert_array_equal(votes[:, :, [1, 3]], 0)
    assert_allclose(votes.sum(axis=2), 1)
    assert_allclose(committee.predict_proba(X), votes.mean(axis=0))
    assert set(committee.predict(X)) <= {0, 2}
    assert committee.vote(X).shape == (150, 2)


def test_bootstrap_makes_clones_differ_and_misses_no_class(data):
    X, y = data
    same = Committee(GaussianNB(), n_members=3, random_state=0).fit(X[:30], y[:30])
    assert_array_equal(same.vote_proba(X)[0], same.vote_proba(X)[1])
    varied = clone(same).set_params(bootstrap=True).fit(X[:12], y[:12])
    assert not np.array_equal(varied.vote_proba(X)[0], varied.vote_proba(X)[1])
    for member in varied.members_:
        assert_array_equal(member.classes_, np.unique(y[:12]))


@pytest.mark.parametrize("n_per_class", [1, 2])
def test_a_class_put_back_into_a_bootstrap_takes_the_place_of_no_other(n_per_class):
    y = np.repeat([0, 1, 2], n_per_class)
    X = np.arange(float(len(y)))[:, None]
    ensemble = MemberEnsemble([DecisionTreeClassifier()] * 10, bootstrap=True)
    for seed in range(20):
        for member in ensemble.set_params(random_state=seed).fit(X, y).members_:
            assert_array_equal(member.classes_, [0, 1, 2])


def test_it_asks_where_members_disagree_and_learns(data):
    X, y = data
    committee = Committee(DecisionTreeClassifier(), bootstrap=True, random_state=0)
    committee.fit(X[:15], y[:15])
    idx, rows, scores = committee.query(X, n=10, return_scores=True)
    assert_allclose(scores, vote_entropy(committee.vote_proba(rows)))
    assert scores.min() >= np.sort(VoteEntropy().score_samples(committee, X))[-10]
    committee.teach(rows, y[idx])
    assert committee.history_[-1]["n_labels"] == 25
    assert committee.score(X, y) > 0.8


def test_members_serve_bald_in_place_of_dropout(data):
    X, y = data
    committee = Committee(DecisionTreeClassifier(max_depth=2), bootstrap=True, random_state=0)
    committee.fit(X[:30], y[:30])
    scores = BALD().score_samples(committee, X)
    assert_allclose(scores, mutual_information(committee.vote_proba(X)))


def test_nets_as_members(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=3, lr=0.01)
    committee = Committee(net, n_members=2, random_state=0).fit(X[:100], y[:100])
    votes = committee.vote_proba(X[100:150])
    assert votes.shape == (2, 50, 10)
    assert not np.allclose(votes[0], votes[1])
    assert len(committee.query(X[100:150], n=5)[0]) == 5


def test_bad_members_are_named_before_training(data):
    X, y = data
    with pytest.raises(CapabilityError, match=r"member 1, Perceptron, does not have it"):
        Committee([GaussianNB(), Perceptron()]).fit(X, y)
    with pytest.raises(ValueError, match="estimators is empty"):
        Committee([]).fit(X, y)
    with pytest.raises(ValueError, match="n_members"):
        Committee(GaussianNB(), n_members=0).fit(X, y)


# -- weights ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bootstrap", [False, True])
def test_weights_go_to_the_last_step_of_a_pipeline(data, bootstrap):
    X, y = data
    weights = np.random.default_rng(0).random(60)
    plain = Committee(GaussianNB(), n_members=2, bootstrap=bootstrap, random_state=0)
    piped = clone(plain).set_params(estimators=make_pipeline("passthrough", GaussianNB()))
    for committee in (plain, piped):
        committee.fit(X[:60], y[:60], sample_weight=weights)
    assert_array_equal(piped.vote_proba(X), plain.vote_proba(X))
    unweighted = clone(plain).fit(X[:60], y[:60])
    assert not np.array_equal(unweighted.vote_proba(X), plain.vote_proba(X))


def test_members_that_take_no_weights_are_named_before_training(data, monkeypatch):
    X, y = data

    def fit(self, X, y, sample_weight=None):
        pytest.fail("trained")

    monkeypatch.setattr(GaussianNB, "fit", fit)
    committee = Committee([GaussianNB(), KNeighborsClassifier(3)])
    with pytest.raises(TypeError, match=r"KNeighborsClassifier\.fit does not take it"):
        committee.fit(X, y, sample_weight=np.ones(len(y)))


# -- members trained already, and retraining -----------------------------------------------


def fitted_members(X, y):
    return [GaussianNB().fit(X, y), DecisionTreeClassifier(random_state=0).fit(X, y)]


@pytest.mark.parametrize("as_ensemble", [False, True])
def test_a_committee_of_members_that_are_trained_already(data, as_ensemble):
    X, y = data
    members = fitted_members(X[:40], y[:40])
    given = MemberEnsemble.of_fitted(members) if as_ensemble else members
    committee = Committee.from_fitted(given, X[:40], y[:40], random_state=0)
    assert committee.history_[0]["training"] == "given"
    assert [id(member) for member in committee.members_] == [id(member) for member in members]
    same = Committee([clone(member) for member in members]).fit(X[:40], y[:40])
    assert_array_equal(committee.vote_proba(X), same.vote_proba(X))
    for made in (pickle.loads(pickle.dumps(committee)), copy.deepcopy(committee)):
        assert_array_equal(made.predict_proba(X), committee.predict_proba(X))
    assert not clone(committee).__sklearn_is_fitted__()
    before = members[0].theta_.copy()
    idx, rows = committee.query(X[40:], n=10)
    committee.teach(rows, y[40:][idx])
    picked = committee.select_tests(X[60:], budget=20)
    committee.retrain(X[60:][picked], y[60:][picked], mix="clean")
    assert committee.history_[-1]["n_labels"] == 70
    assert committee.history_[-1]["training"] == "cold"
    assert_array_equal(members[0].theta_, before)
    again = Committee([clone(member) for member in members])
    again.fit(committee.X_labeled_, committee.y_labeled_)
    assert_array_equal(committee.predict_proba(X), again.predict_proba(X))


def test_a_trained_ensemble_keeps_its_bootstrap(data):
    X, y = data
    first = Committee(GaussianNB(), n_members=3, bootstrap=True, random_state=0).fit(X[:40], y[:40])
    made = Committee.from_fitted(first.estimator_, X[:40], y[:40], random_state=0)
    assert made.bootstrap
    made.retrain(X[40:60], y[40:60], mix="clean")
    assert len(made.members_) == 3


@pytest.mark.parametrize(
    ("members", "error", "match"),
    [
        (lambda X, y: GaussianNB().fit(X, y), TypeError, "ActiveLearner.from_fitted"),
        (lambda X, y: [], ValueError, "estimators is empty"),
        (lambda X, y: [GaussianNB().fit(X, y), GaussianNB()], NotFittedError, "GaussianNB"),
        (lambda X, y: [Perceptron().fit(X, y)], CapabilityError, "member 0, Perceptron"),
        (lambda X, y: MemberEnsemble([GaussianNB()]), NotFittedError, "MemberEnsemble"),
    ],
)
def test_members_that_cannot_be_taken_over(data, members, error, match):
    X, y = data
    with pytest.raises(error, match=match):
        Committee.from_fitted(members(X, y), X, y)


def test_a_committee_that_cannot_be_retrained_as_asked_says_so(data):
    X, y = data
    committee = Committee.from_fitted(fitted_members(X[:40], y[:40]), X[:40], y[:40])
    with pytest.raises(CapabilityError, match=r"gradients.*GaussianNB"):
        committee.retrain(X[40:50], y[40:50], "pgd")
    with pytest.raises(TypeError, match="warm_start=False"):
        committee.retrain(X[40:50], y[40:50], mix="clean", warm_start=True)
    assert len(committee.history_) == 1


def test_nets_of_a_committee_are_retrained_on_examples_against_their_mean(digits):
    X, y = digits
    net = AdversarialNetClassifier(SmallCNN, attack=PGD(eps=0.1, steps=2), max_epochs=3, lr=0.01)
    committee = Committee(net, n_members=2, random_state=0).fit(X[:100], y[:100])
    tests, labels = X[100:160], y[100:160]
    fixed = PGD(eps=0.1, steps=1, alpha=0.1, random_start=False)
    made = adversarial_examples(committee, tests, labels, fixed)
    inputs = torch.as_tensor(tests).requires_grad_()
    mean = sum(m.module_.eval()(inputs).softmax(dim=1) for m in committee.members_) / 2
    torch.nn.functional.nll_loss(mean.log(), torch.as_tensor(labels), reduction="sum").backward()
    wanted = (tests + 0.1 * inputs.grad.sign().numpy()).clip(0, 1)
    assert np.mean(np.abs(made - wanted) < 1e-5) > 0.99
    assert committee.score(made, labels) < committee.score(tests, labels)
    committee.retrain(tests, labels)
    assert committee.history_[-1]["adversarial"] == 60
    assert np.abs(committee.X_twins_ - tests).max() <= 0.1 + 1e-6


def test_nets_of_a_committee_are_retrained_for_epochs(digits):
    X, y = digits[0][:60], digits[1][:60]
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1, random_state=0)
    committee = Committee([net, net], random_state=0).fit(X[:50], y[:50])
    committee.retrain(X[50:], y[50:], mix="clean", epochs=3)
    assert [len(member.history_) for member in committee.members_] == [3, 3]
    assert [member.max_epochs for member in committee.members_] == [1, 1]
    assert [member.max_epochs for member in committee.estimator_.estimators] == [1, 1]


def test_nets_of_a_committee_do_not_attack_examples_again(digits, monkeypatch):
    X, y = digits
    masks = []
    fit = AdversarialNetClassifier.fit

    def spy(self, X, y, *args, as_is=None, **kwargs):
        masks.append((len(y), None if as_is is None else int(np.sum(as_is))))
        return fit(self, X, y, *args, as_is=as_is, **kwargs)

    monkeypatch.setattr(AdversarialNetClassifier, "fit", spy)
    net = AdversarialNetClassifier(SmallCNN, attack=PGD(eps=0.1, steps=1), max_epochs=1)
    committee = Committee(net, n_members=2, random_state=0).fit(X[:60], y[:60])
    committee.retrain(X[60:80], y[60:80], mix="both")
    assert masks == [(60, None)] * 2 + [(100, 20)] * 2
