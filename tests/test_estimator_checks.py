"""The public checks: our own strategies pass them, broken ones do not; nothing is forgotten."""

import inspect

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

import skactive
from skactive import AdversarialNetClassifier, Committee
from skactive.strategies import (
    ClassBalanced,
    Combine,
    QueryStrategy,
    ScoringStrategy,
    Selection,
    Subsample,
    all_strategies,
)
from skactive.utils.estimator_checks import check_query_strategy, parametrize_with_strategy_checks
from tests.models import SmallMLP

_X = np.random.default_rng(0).random((90, 64)).astype(np.float32)
_Y = _X[:, :3].argmax(axis=1)


def served_by(capability):
    return [cls() for cls in all_strategies().values() if capability(set(cls()._capabilities()))]


PLAIN = served_by(lambda needs: needs <= {"predict_proba", "embed"})
NETS = served_by(lambda needs: needs & {"dropout", "gradients", "boundary"})
VOTES = served_by(lambda needs: "votes" in needs)
WRAPPERS = [Combine(["margin", "entropy"]), ClassBalanced("mcp"), Subsample("badge", size=30)]


def net():
    made = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=5, lr=0.01, random_state=0)
    return made.fit(_X[60:], _Y[60:])


@parametrize_with_strategy_checks([*PLAIN, *WRAPPERS])
def test_plain_strategies(check):
    check()


@parametrize_with_strategy_checks(NETS, net(), _X[:60])
def test_net_strategies(check):
    check()


def committee():
    return Committee(LogisticRegression(), bootstrap=True, random_state=0).fit(_X[60:], _Y[60:])


@parametrize_with_strategy_checks(VOTES, committee(), _X[:60])
def test_committee_strategies(check):
    check()


def test_no_strategy_is_forgotten():
    checked = {type(strategy) for strategy in (*PLAIN, *NETS, *VOTES)}
    assert checked == set(all_strategies().values())


def test_every_public_estimator_runs_scikit_learns_checks():
    public = {
        name
        for name, cls in inspect.getmembers(skactive, inspect.isclass)
        if issubclass(cls, BaseEstimator)
    }
    # each has a parametrize_with_checks test in the file named here
    files = {
        "ActiveLearner": "test_learner",
        "AdversarialNetClassifier": "test_classifier",
        "BudgetedLearner": "test_simulation",
        "Committee": "test_committee",
    }
    assert public == set(files)
    for name, file in files.items():
        module = __import__(f"tests.{file}", fromlist=["test_sklearn_checks"])
        source = inspect.getsource(module)
        assert "parametrize_with_checks" in source, name


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


@pytest.mark.parametrize("broken", [Twice(), Unseeded(), Scribbler(), Hoarder(), GlobalDraw()])
def test_broken_strategies_are_caught(broken):
    with pytest.raises((AssertionError, ValueError)):
        check_query_strategy(broken)
