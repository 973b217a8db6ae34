"""Budgeted learning: equal label cost, no label read that was not paid for, any search."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    LearningCurveDisplay,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skactive import AdversarialNetClassifier, BudgetedLearner, active_learning_curve
from skactive.attacks import PGD, TabularSquare
from skactive.exceptions import CapabilityError
from skactive.metrics import make_robust_scorer
from skactive.stopping import MaxRounds
from skactive.strategies import DRE, CoreSet
from tests.models import SmallCNN


@pytest.fixture
def data():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], y[order]


def logistic():
    return LogisticRegression(max_iter=1000)


def to_images(X):
    return np.asarray(X, dtype=np.float32).reshape(-1, 1, 8, 8)


def shares(estimator, **params):
    return BudgetedLearner(
        estimator, n_initial=0.5, n_per_query=0.25, budget=1.0, random_state=0, **params
    )


@parametrize_with_checks(
    [shares(LogisticRegression()), shares(make_pipeline(StandardScaler(), logistic()))]
)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("budget", [20, 33, 0.5])
def test_the_budget_is_spent_exactly(data, budget):
    X, y = data
    model = BudgetedLearner(logistic(), "margin", 8, 5, budget, random_state=0).fit(X, y)
    spent = 75 if budget == 0.5 else budget
    assert model.n_labels_ == spent == len(set(model.queried_indices_))
    assert model.learning_curve_["n_labels"][0] == 8
    assert model.learning_curve_["n_labels"][-1] == spent
    assert_array_equal(model.learner_.X_labeled_, X[model.queried_indices_])
    assert_array_equal(model.learner_.y_labeled_, y[model.queried_indices_])


def test_labels_that_were_not_paid_for_are_never_read(data):
    X, y = data
    for strategy in ("random", "dre", "coreset", "ceal"):
        model = BudgetedLearner(logistic(), strategy, budget=30, random_state=0).fit(X, y)
        unpaid = np.setdiff1d(np.arange(len(y)), model.queried_indices_)
        scrambled = y.copy()
        scrambled[unpaid] = (scrambled[unpaid] + 1) % 3
        other = clone(model).fit(X, scrambled)
        assert_array_equal(model.queried_indices_, other.queried_indices_)
        assert_array_equal(model.predict_proba(X), other.predict_proba(X))


def test_a_first_sample_of_one_class_is_enlarged_and_paid(data):
    X, y = data
    order = np.argsort(y == 0, kind="stable")[::-1]  # class 0 first
    X, y = X[order], y[order]
    model = BudgetedLearner(logistic(), n_initial=1, n_per_query=5, budget=20, random_state=0).fit(
        X, y
    )
    first = int(model.learning_curve_["n_labels"][0])
    assert first >= 2
    assert len(np.unique(y[model.queried_indices_[:first]])) == 2
    assert len(np.unique(y[model.queried_indices_[: first - 1]])) == 1
    assert model.n_labels_ == 20


def test_classes_that_were_never_bought_have_columns(data):
    X, y = data
    model = BudgetedLearner(logistic(), "random", 2, 1, 3, random_state=1).fit(X, y)
    assert model.predict_proba(X).shape == (150, 3)


def test_searches_compare_strategies_at_equal_cost(data):
    X, y = data
    model = BudgetedLearner(logistic(), DRE(), budget=25, random_state=0)
    grid = {"query_strategy__n_bins": [5, 50], "estimator__C": [0.1, 1.0]}
    serial = GridSearchCV(model, grid, cv=2).fit(X, y)
    parallel = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(X, y)
    assert_array_equal(
        serial.cv_results_["mean_test_score"], parallel.cv_results_["mean_test_score"]
    )
    assert serial.best_estimator_.n_labels_ == 25
    names = {"query_strategy": ["random", "margin", "entropy"]}
    some = RandomizedSearchCV(model, names, n_iter=2, cv=2, random_state=0).fit(X, y)
    assert some.best_estimator_.n_labels_ == 25
    assert len(set(some.cv_results_["param_query_strategy"])) == 2
    assert some.best_estimator_.query_strategy == some.best_params_["query_strategy"]
    halving = HalvingGridSearchCV(model, names, cv=2, min_resources=60, random_state=0)
    assert halving.fit(X, y).best_estimator_.n_labels_ == 25


def test_clean_and_robust_scorers_together(digits):
    X, y = digits
    net = AdversarialNetClassifier(
        SmallCNN, attack=PGD(eps=0.05, steps=1), max_epochs=3, lr=0.01, random_state=0
    )
    model = BudgetedLearner(net, "dre", 40, 40, 80, random_state=0)
    search = GridSearchCV(
        model,
        {"estimator__attack__eps": [0.01, 0.1]},
        scoring={"acc": "accuracy", "robust": make_robust_scorer("pgd", eps=0.05)},
        refit="robust",
        cv=2,
    ).fit(X[:300], y[:300])
    robust, clean = (search.cv_results_[f"mean_test_{key}"] for key in ("robust", "acc"))
    assert (robust <= clean).all()
    assert search.best_estimator_.learner_.estimator_.attack_.eps in (0.01, 0.1)


def test_in_and_around_pipelines(data, digits):
    X, y = data
    inside = BudgetedLearner(make_pipeline(StandardScaler(), logistic()), budget=30, random_state=0)
    last = make_pipeline(StandardScaler(), BudgetedLearner(logistic(), budget=30, random_state=0))
    for model in (inside, last):
        assert cross_val_score(model, X, y, cv=3).mean() > 0.7
    images, labels = digits
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=12, lr=0.01, random_state=0)
    learner = BudgetedLearner(net, "egl", 60, 40, 140, random_state=0)
    piped = make_pipeline(FunctionTransformer(to_images), learner)
    flat = images.reshape(len(images), -1)
    assert piped.fit(flat[:300], labels[:300]).score(flat[300:400], labels[300:400]) > 0.3


def test_clone_pickle_and_representation(data):
    X, y = data
    model = BudgetedLearner(logistic(), DRE(n_bins=7), budget=20, random_state=0).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert model.get_params()["query_strategy__n_bins"] == 7
    assert not hasattr(clone(model), "learner_")
    assert "BudgetedLearner" in model._repr_html_()


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_strategy_that_cannot_be_served_fails_at_fit(data):
    X, y = data
    with pytest.raises(CapabilityError, match=r"DFAL.*LogisticRegression"):
        BudgetedLearner(logistic(), "dfal", budget=20).fit(X, y)
    grid = {"query_strategy": ["random", "dfal"]}
    search = GridSearchCV(
        BudgetedLearner(logistic(), budget=20, random_state=0), grid, cv=2, error_score=np.nan
    )
    with pytest.warns(Warning, match="CapabilityError"):
        search.fit(X, y)
    assert np.isnan(search.cv_results_["mean_test_score"][1])
    assert search.best_params_ == {"query_strategy": "random"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"budget": 151}, "budget must not exceed the number of training samples, 150, got 151"),
        ({"n_initial": 50, "budget": 20}, r"n_initial \(50 labels\) must not exceed the budget"),
        ({"budget": 0}, "budget"),
        ({"budget": 1.5}, "budget"),
        ({"n_per_query": 0}, "n_per_query"),
        ({"initial_strategy": "entropy"}, "initial_strategy must need no model"),
        ({"query_strategy": "marjin"}, "Did you mean 'margin'"),
    ],
)
def test_bad_parameters_say_what_was_wrong(data, params, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        BudgetedLearner(logistic(), **params).fit(X, y)


def test_other_first_samples_and_stopping(data):
    X, y = data
    model = BudgetedLearner(
        logistic(),
        n_initial=6,
        budget=100,
        initial_strategy=CoreSet(embedding="input"),
        stopping=MaxRounds(2),
        random_state=0,
    ).fit(X, y)
    assert model.n_labels_ == 6 + 2 * 10


def test_the_curve_is_shaped_like_scikit_learns(data):
    X, y = data
    arguments = {"budget": 30, "cv": 3, "n_repeats": 2, "random_state": 0}
    n_labels, train, test = active_learning_curve(logistic(), X, y, **arguments)
    assert_array_equal(n_labels, [10, 20, 30])
    assert train.shape == test.shape == (3, 6)
    again = active_learning_curve(logistic(), X, y, n_jobs=2, **arguments)
    assert_allclose(test, again[2])
    assert test[-1].mean() > test[0].mean()
    pytest.importorskip("matplotlib").use("Agg")
    display = LearningCurveDisplay(
        train_sizes=n_labels, train_scores=train, test_scores=test, score_name="accuracy"
    )
    display.plot()
    assert len(display.lines_) == 2


def both(model, X, y):
    return {"accuracy": model.score(X, y), "wrong": 1 - model.score(X, y)}


@pytest.mark.parametrize(
    ("scoring", "names"),
    [
        (["accuracy", "neg_log_loss"], ["accuracy", "neg_log_loss"]),
        ({"accuracy": "accuracy", "loss": "neg_log_loss"}, ["accuracy", "loss"]),
        (("accuracy",), ["accuracy"]),
        (both, ["accuracy", "wrong"]),
    ],
)
def test_a_curve_of_several_scorers_has_each_by_name(data, scoring, names):
    X, y = data
    arguments = {"budget": 20, "cv": 2, "n_repeats": 2, "random_state": 0}
    n_labels, train, test = active_learning_curve(logistic(), X, y, scoring=scoring, **arguments)
    alone = active_learning_curve(logistic(), X, y, scoring="accuracy", **arguments)
    assert_array_equal(n_labels, alone[0])
    for found, expected in ((train, alone[1]), (test, alone[2])):
        assert sorted(found) == sorted(names)
        assert_array_equal(found["accuracy"], expected)
        assert all(scores.shape == (2, 4) for scores in found.values())


def test_a_curve_of_clean_and_robust_scores(data):
    X, y = data
    X = (X - X.min(axis=0)) / np.ptp(X, axis=0)
    attack = TabularSquare(eps=0.1, n_queries=20)
    scoring = {"acc": "accuracy", "robust": make_robust_scorer(attack)}
    _, _, test = active_learning_curve(
        logistic(), X, y, scoring=scoring, n_initial=10, budget=20, cv=2, random_state=0
    )
    assert (test["robust"] <= test["acc"]).all()
    assert test["robust"][-1].mean() > 0
    with pytest.raises(ValueError, match="acuracy"):
        active_learning_curve(logistic(), X, y, scoring=["acuracy"], budget=20, cv=2)
