"""The public checks: our own strategies pass them, broken ones do not; nothing is forgotten."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator

import skactive
from skactive.strategies import QueryStrategy, ScoringStrategy, Selection, all_strategies
from skactive.utils.estimator_checks import check_query_strategy, parametrize_with_strategy_checks
from tests import test_classifier, test_committee, test_fixmatch, test_learner, test_simulation
from tests.test_strategies_common import ESTIMATORS, PAIRS, WRAPPERS

PLAIN = [
    cls()
    for cls in all_strategies().values()
    if set(cls()._capabilities()) <= {"predict_proba", "embed"}
]


@parametrize_with_strategy_checks(PLAIN)
def test_strategies_on_the_default_estimator(check):
    check()


def test_no_strategy_is_forgotten_where_the_checks_run_over_estimators():
    assert {name for name, _ in PAIRS} == {*all_strategies(), *WRAPPERS}
    assert {estimator for _, estimator in PAIRS} == {*ESTIMATORS, "committee"}


def test_every_public_estimator_runs_scikit_learns_checks():
    public = {
        cls
        for _, cls in inspect.getmembers(skactive, inspect.isclass)
        if issubclass(cls, BaseEstimator)
    }
    files = (test_learner, test_classifier, test_fixmatch, test_simulation, test_committee)
    (marks,) = zip(*(file.test_sklearn_checks.pytestmark for file in files), strict=True)
    checked = {type(getattr(case, "values", case)[0]) for mark in marks for case in mark.args[1]}
    # What AcceleratedNetClassifier adds is several processes: see test_accelerated.py.
    assert checked == public - {skactive.AcceleratedNetClassifier}


class Twice(QueryStrategy):
    def _select(self, query):
        return Selection(np.zeros(query.n, dtype=int))


class Unseeded(QueryStrategy):
    def _select(self, query):
        return Selection(np.random.default_rng().permutation(len(query.X))[: query.n])


class Scribbler(ScoringStrategy):
    def _score(self, model, X, rng):
        np.asarray(X.X)[0] = 0
        return model.predict_proba(X)[:, 0]


class Hoarder(ScoringStrategy):
    def _score(self, model, X, rng):
        self.scores_ = model.predict_proba(X)[:, 0]
        return self.scores_


class GlobalDraw(ScoringStrategy):
    def _score(self, model, X, rng):
        np.random.seed(0)
        return np.random.random(len(X))


class Trainer(ScoringStrategy):
    def _score(self, model, X, rng):
        model.estimator.coef_ *= 1.01
        return model.predict_proba(X)[:, 0]


class Short(ScoringStrategy):
    def _score(self, model, X, rng):
        return np.full(len(X), np.nan)


class Keeper(QueryStrategy):
    def __init__(self, random_state=None):
        self.random_state = random_state
        self.extra = 1

    def _select(self, query):
        return Selection(np.arange(query.n))


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (Twice(), "must return distinct indices"),
        (Unseeded(), "two queries with one seed differ"),
        (Scribbler(), "read-only"),
        (Hoarder(), "a query left state behind"),
        (GlobalDraw(), "NumPy's global generator moved"),
        (Trainer(), "two queries with one seed differ|the estimator was changed"),
        (Short(), "Short scored .* NaN"),
        (Keeper(), "should not set any attribute apart from parameters"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, QueryStrategy) else "",
)
def test_broken_strategies_are_caught(broken, words):
    with pytest.raises((AssertionError, ValueError), match=words):
        check_query_strategy(broken)
