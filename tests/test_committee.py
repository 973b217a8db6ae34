"""Committees: aligned classes, disagreement by its formulas, members in place of dropout."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from skactive import AdversarialNetClassifier, Committee
from skactive.exceptions import CapabilityError
from skactive.kernels.disagreement import consensus_entropy, max_disagreement, vote_entropy
from skactive.kernels.uncertainty import mutual_information
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


@parametrize_with_checks(
    [
        Committee(LogisticRegression(), n_members=2),
        Committee([DecisionTreeClassifier(), LogisticRegression()], bootstrap=True, random_state=0),
    ],
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


def test_it_asks_where_members_disagree_and_learns(data):
    X, y = data
    committee = Committee(DecisionTreeClassifier(), bootstrap=True, random_state=0)
    committee.fit(X[:15], y[:15])
    idx, rows, scores = committee.query(X, n=10, return_scores=True)
    assert_allclose(scores, vote_entropy(committee.vote_proba(rows)))
    assert scores.min() >= np.sort(VoteEntropy().score_samples(committee, X))[-10]
    committee.teach(rows, y[idx])
    assert committee.history_[-1]["oracle"] == 25
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
