"""Warm starts: what goes on from before learns from new data, what cannot is trained afresh."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.retraining import retraining_report
from tests.models import SmallMLP

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MEMBERS_ONLY = [
    HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5, random_state=0),
    RandomForestClassifier(n_estimators=10, random_state=0),
    ExtraTreesClassifier(n_estimators=10, random_state=0),
    GradientBoostingClassifier(n_estimators=4, max_depth=2, random_state=0),
    BaggingClassifier(n_estimators=5, random_state=0),
    make_pipeline(StandardScaler(), RandomForestClassifier(n_estimators=10, random_state=0)),
]
AFRESH = [
    *MEMBERS_ONLY,
    AdaBoostClassifier(DecisionTreeClassifier(max_depth=4), n_estimators=10, random_state=0),
    GaussianNB(var_smoothing=1e-2),
    MultinomialNB(),
    KNeighborsClassifier(),
    SVC(),
    make_pipeline(MinMaxScaler(), GaussianNB(var_smoothing=1e-2)),
    OneVsRestClassifier(MultinomialNB()),
]
GO_ON = [
    LogisticRegression(max_iter=300),
    SGDClassifier(loss="log_loss", random_state=0),
    SGDClassifier(early_stopping=True, random_state=0),
    Perceptron(random_state=0),
    MLPClassifier((16,), learning_rate_init=0.02, max_iter=60, random_state=0),
    MLPClassifier((16,), learning_rate_init=0.02, early_stopping=True, random_state=0),
    MLPClassifier((16,), solver="lbfgs", max_iter=50, random_state=0),
    make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=300)),
    AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=30, lr=0.02, random_state=0),
]


def named(estimator):
    return "-".join(
        type(step).__name__ for _, step in getattr(estimator, "steps", [("", estimator)])
    )


@pytest.fixture(scope="module")
def shifted():
    """Few samples; then many under another law, where each digit is called the next one."""
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = (X[order] / 16).astype(np.float32), y[order]
    new = (y + 1) % 10
    return (X[:100], y[:100]), (X[100:400], new[100:400]), (X[400:800], new[400:800])


def share_learned(trained, before, fresh, test):
    """How much of what a fresh fit knows of the new law, beyond the model before."""
    start, end, got = (model.score(*test) for model in (before, fresh, trained))
    assert end > start + 0.3
    return (got - start) / (end - start)


def joined(first, second):
    return tuple(np.concatenate(parts) for parts in zip(first, second, strict=True))


@pytest.mark.parametrize("estimator", [*AFRESH, *GO_ON], ids=named)
def test_every_classifier_learns_new_data_when_retrained(estimator, shifted):
    old, new, test = shifted
    given = clone(estimator).fit(*old)
    learner = ActiveLearner.from_fitted(given, *old, "random")
    before = given.predict(test[0])
    learner.retrain(*new, mix="clean")
    assert not np.array_equal(learner.predict(test[0]), before)
    assert_array_equal(given.predict(test[0]), before)
    assert share_learned(learner, given, clone(estimator).fit(*joined(old, new)), test) > 0.6
    assert [row["training"] for row in learner.history_] == [
        "given",
        "warm" if estimator in GO_ON else "cold",
    ]


@pytest.mark.parametrize("estimator", AFRESH, ids=named)
def test_what_is_trained_afresh_is_a_fresh_fit(estimator, shifted):
    old, new, test = shifted
    learner = ActiveLearner(estimator, "random").fit(*old).retrain(*new, mix="clean")
    fresh = clone(estimator).fit(*joined(old, new))
    assert_array_equal(learner.predict(test[0]), fresh.predict(test[0]))


@pytest.mark.parametrize("estimator", MEMBERS_ONLY, ids=named)
def test_a_forest_asked_to_go_on_is_refused_in_words(estimator, shifted):
    old, new, _ = shifted
    name = named(estimator).split("-")[-1]
    with pytest.raises(TypeError, match=rf"{name}, but its warm_start .* warm_start=False"):
        ActiveLearner(estimator, warm_start=True).fit(*old)
    learner = ActiveLearner(estimator, "random").fit(*old)
    with pytest.raises(TypeError, match=r"trains it afresh"):
        learner.retrain(*new, mix="clean", warm_start=True)
    with pytest.raises(TypeError, match=r"trains it afresh"):
        learner.set_params(warm_start=True).teach(*new)
    assert len(learner.history_) == 1
    with pytest.raises(ValueError, match="'warm_start' parameter .*'auto'.*'always'"):
        learner.retrain(*new, mix="clean", warm_start="always")


@pytest.mark.parametrize("estimator", GO_ON, ids=named)
def test_teaching_goes_on_where_that_learns(estimator, shifted):
    old, new, test = shifted
    learner = ActiveLearner(estimator, "random", warm_start=True).fit(*old)
    before = copy.deepcopy(learner)
    learner.teach(*new)
    assert share_learned(learner, before, clone(estimator).fit(*joined(old, new)), test) > 0.6
    assert [row["training"] for row in learner.history_] == ["cold", "warm"]
    params = ("warm_start", "early_stopping")
    assert {name: getattr(learner.estimator_, name, None) for name in params} == {
        name: getattr(before.estimator_, name, None) for name in params
    }


def test_naive_bayes_counts_no_row_twice(shifted):
    old, new, _ = shifted
    both = joined(old, new)
    for only_new in (False, True):
        learner = ActiveLearner(GaussianNB(), "random", warm_start=True).fit(*old)
        learner.teach(*new, only_new=only_new)
        assert_array_equal(learner.estimator_.class_count_, np.bincount(both[1]))
        assert_allclose(learner.estimator_.theta_, GaussianNB().fit(*both).theta_, rtol=1e-5)
        assert learner.history_[-1]["training"] == ("warm" if only_new else "cold")


def test_the_steps_before_a_model_that_goes_on_stay_as_they_were(shifted):
    old, new, _ = shifted
    pipe = make_pipeline(StandardScaler(), PCA(10, random_state=0), SGDClassifier(random_state=0))
    learner = ActiveLearner(pipe, "random", warm_start=True).fit(*old)
    scaler, pca, sgd = (copy.deepcopy(step) for _, step in learner.estimator_.steps)
    learner.teach(*new)
    assert_array_equal(learner.estimator_[0].mean_, scaler.mean_)
    assert_array_equal(learner.estimator_[1].components_, pca.components_)
    both = joined(old, new)
    sgd.partial_fit(pca.transform(scaler.transform(both[0])), both[1])
    assert_array_equal(learner.estimator_[2].coef_, sgd.coef_)
    learner.retrain(*new, mix="clean", warm_start=False)
    again = np.concatenate([both[0], new[0]])
    assert_allclose(learner.estimator_[0].mean_, again.mean(axis=0), rtol=1e-5)


def test_where_nothing_is_left_to_go_on_from_training_begins_afresh(shifted):
    old, new, test = shifted
    pipe = make_pipeline(StandardScaler(), SGDClassifier(random_state=0))
    learner = ActiveLearner(pipe, "random", warm_start=True).fit(*old)
    learner.set_params(estimator__standardscaler=MinMaxScaler()).teach(*new)
    assert learner.history_[-1]["training"] == "cold"
    both = joined(old, new)
    fresh = make_pipeline(MinMaxScaler(), SGDClassifier(random_state=0)).fit(*both)
    assert_array_equal(learner.predict(test[0]), fresh.predict(test[0]))
    other = ActiveLearner(LogisticRegression(max_iter=300), "random").fit(*old)
    other.set_params(estimator=DecisionTreeClassifier(random_state=0)).retrain(*new, mix="clean")
    tree = DecisionTreeClassifier(random_state=0).fit(*both)
    assert_array_equal(other.predict(test[0]), tree.predict(test[0]))


@pytest.mark.parametrize(
    "estimator", [SGDClassifier(random_state=0), LogisticRegression(), MLPClassifier(max_iter=50)]
)
def test_a_label_first_seen_now_is_learned(estimator, shifted):
    old, new, _ = shifted
    few = old[1] < 9
    learner = ActiveLearner(estimator, "random", warm_start=True, classes=np.arange(10))
    learner.fit(old[0][few], old[1][few]).teach(*new)
    assert learner.history_[-1]["training"] == "cold"
    assert 9 in learner.predict(new[0])


@pytest.mark.parametrize("only_new", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        SGDClassifier(loss="log_loss", random_state=0),
        Perceptron(random_state=0),
        MLPClassifier(max_iter=20, random_state=0),
        GaussianNB(var_smoothing=1e-2),
        OneVsRestClassifier(SGDClassifier(random_state=0)),
        make_pipeline(StandardScaler(), SGDClassifier(random_state=0)),
    ],
    ids=named,
)
def test_a_declared_class_may_stay_away(estimator, only_new, shifted):
    (X, y), new, test = shifted
    few = y < 8
    learner = ActiveLearner(estimator, "random", warm_start=True, classes=np.arange(10))
    learner.fit(X[few][:50], y[few][:50])
    learner.teach(X[few][50:], y[few][50:], only_new=only_new)
    counted_twice = isinstance(estimator, GaussianNB) and not only_new
    assert learner.history_[-1]["training"] == ("cold" if counted_twice else "warm")
    assert learner.predict(test[0]).max() < 8
    learner.teach(*new)
    assert {8, 9} < set(learner.predict(new[0]))


def test_a_budget_goes_on_though_its_first_labels_lack_a_class():
    X, y = load_digits(return_X_y=True)
    learner = BudgetedLearner(
        SGDClassifier(loss="log_loss", random_state=0),
        "entropy",
        n_initial=10,
        n_per_query=2,
        budget=40,
        warm_start=True,
        random_state=0,
    ).fit(X[:300] / 16, y[:300])
    assert {"cold", "warm"} == {row["training"] for row in learner.learner_.history_}


def test_committees_and_reports_learn_too(shifted):
    old, new, test = shifted
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    committee = Committee([forest, HistGradientBoostingClassifier(max_iter=3)]).fit(*old)
    before = copy.deepcopy(committee)
    committee.retrain(*new, mix="clean")
    fresh = clone(committee).fit(*joined(old, new))
    assert share_learned(committee, before, fresh, test) > 0.6
    learner = ActiveLearner(forest, "random").fit(*old)
    X, y = (np.concatenate(parts) for parts in zip(new, test, strict=True))
    report = retraining_report(
        learner, X, y, strategies=["random"], budgets=[0.9], attacks=[], mix="clean"
    )
    start, end = (row["accuracy"] for row in report.rows)
    assert end > start + 0.3


def test_nets_go_on_from_weights_and_optimiser(shifted):
    old, new, _ = shifted
    net = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=2, random_state=0)
    learner = ActiveLearner(net, "random").fit(*old)
    by_hand = copy.deepcopy(learner.estimator_)
    learner.retrain(*new, mix="clean")
    by_hand.partial_fit(*joined(old, new))
    for mine, wanted in zip(
        learner.estimator_.module_.parameters(), by_hand.module_.parameters(), strict=True
    ):
        assert torch.equal(mine, wanted)
