"""What every strategy promises, over every kind of estimator that has what it needs."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skactive.strategies as strategies_module
from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.exceptions import CapabilityError
from skactive.model_view import ModelView
from skactive.strategies import (
    FunctionStrategy,
    QueryStrategy,
    ScoringStrategy,
    SurpriseAdequacy,
    all_strategies,
    resolve_strategy,
)
from skactive.utils.estimator_checks import check_query_strategy
from skactive.utils.indexing import n_rows
from skactive.utils.validation import InvalidParameterError
from tests.models import InDouble, SmallCNN

COMMITTEE_ONLY = {"vote_entropy", "consensus_entropy", "max_disagreement"}
NAMES = [name for name in all_strategies() if name not in COMMITTEE_ONLY]
NAMES += ["combined", "balanced", "subsample"]
DROPOUT = {"bald", "dropout_entropy", "batchbald", "powerbald", "epig"}
ATTACKED = {"virtual_adversarial", "low_input_gradient", "adversarial_entropy", "adversarial_dre"}
CERTIFIED = {"certified_margin", "certified_dre"}
NET_ONLY = DROPOUT | ATTACKED | CERTIFIED | {"dfal", "egl"}
WITHOUT_LOGITS = {"saturated bayes", "binary forest", "committee"}
WRAPPERS = {
    "combined": lambda **p: strategies_module.Combine(["margin", "entropy"], [1, 2], **p),
    "balanced": lambda **p: strategies_module.ClassBalanced("dre", **p),
    "subsample": lambda **p: strategies_module.Subsample("badge", size=60, **p),
}
N_POOL = 100


def to_images(X):
    return np.asarray(X, dtype=np.float32).reshape(-1, 1, 8, 8)


def small_net(**params):
    params = {"max_epochs": 4, "random_state": 0, "attack": None, "lr": 0.01, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


@pytest.fixture(scope="module")
def fitted(digits):
    """Fitted estimators by name, with the pool each of them reads."""
    X, y = digits
    flat = X.reshape(len(X), -1)
    first, pool = slice(0, 200), slice(300, 300 + N_POOL)
    nine = (y[first] != 3).nonzero()[0]
    binary = (y[first] < 2).nonzero()[0]
    made = {
        "net": (small_net().fit(X[first], y[first]), X[pool]),
        "robust net": (small_net(attack="pgd").fit(X[first], y[first]), X[pool]),
        "binary net": (small_net().fit(X[binary], y[binary]), X[pool]),
        "net with a missing class": (
            small_net(classes=range(10)).fit(X[nine], y[nine]),
            X[pool],
        ),
        "saturated net": (saturated(small_net().fit(X[first], y[first])), X[pool]),
        "pipeline to net": (
            make_pipeline(FunctionTransformer(to_images), small_net()).fit(flat[first], y[first]),
            flat[pool],
        ),
        "logistic regression": (
            LogisticRegression(max_iter=200).fit(flat[first], y[first]),
            flat[pool],
        ),
        "saturated bayes": (
            make_pipeline(StandardScaler(), GaussianNB(var_smoothing=1e-12)).fit(
                flat[first] + 1e-3, y[first]
            ),
            flat[pool],
        ),
        "committee": (
            Committee(LogisticRegression(max_iter=200), bootstrap=True, random_state=0).fit(
                flat[nine], y[nine]
            ),
            flat[pool],
        ),
        "binary forest": (
            RandomForestClassifier(5, random_state=0).fit(flat[binary], y[binary]),
            flat[pool],
        ),
    }
    return made


def saturated(net):
    """Probabilities of exactly 0 and 1: multiply the logits by a large number."""
    with torch.no_grad():
        net.module_[-1].weight.mul_(1e5)
        net.module_[-1].bias.mul_(1e5)
    return net


ESTIMATORS = [
    "net",
    "robust net",
    "binary net",
    "net with a missing class",
    "saturated net",
    "pipeline to net",
    "logistic regression",
    "saturated bayes",
    "binary forest",
]
PAIRS = [
    *(
        (name, estimator)
        for name in NAMES
        for estimator in ESTIMATORS
        if name not in NET_ONLY or "net" in estimator
        if name != "robust_margin" or estimator not in WITHOUT_LOGITS
    ),
    *(
        (name, "committee")
        for name in [*NAMES, *sorted(COMMITTEE_ONLY)]
        if name not in NET_ONLY | {"robust_margin"} or name in DROPOUT
    ),
]


def make(name, **params):
    return {**all_strategies(), **WRAPPERS}[name](random_state=0, **params)


@pytest.mark.parametrize(("name", "estimator"), PAIRS)
def test_public_checks(fitted, digits, name, estimator):
    model, pool = fitted[estimator]
    labeled = digits[0][:50].reshape(50, *pool.shape[1:])
    check_query_strategy(make(name), model, pool, labeled)


@pytest.mark.parametrize("name", sorted(NET_ONLY | COMMITTEE_ONLY))
def test_what_the_estimator_lacks_is_named(fitted, name):
    model, pool = fitted["logistic regression"]
    with pytest.raises(CapabilityError, match=f"{type(make(name)).__name__}.*LogisticRegression"):
        make(name).query(model, pool, 2)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "random"])
def test_a_pool_of_the_wrong_shape_or_with_nan_is_refused(fitted, name):
    model, pool = fitted["net"]
    with pytest.raises(ValueError, match=r"\(1, 8, 8\)"):
        make(name).query(model, pool[:, :, :4], 3)
    holed = pool.copy()
    holed[:, 0, 2, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        make(name).query(model, holed, 3)


@pytest.mark.parametrize("name", NAMES)
def test_the_batch_size_of_a_net_does_not_change_the_picks(fitted, name):
    """In float64: in float32 a processor may round otherwise in batches of another size."""
    net, pool = fitted["net"]
    module = InDouble()
    module.load_state_dict(net.module_.state_dict())
    model = AdversarialNetClassifier.from_module(module, classes=net.classes_, attack=net.attack)
    one, many = (
        make(name).query(ModelView.of(model, batch_size=size), pool, 12, X_labeled=pool[:9])
        for size in (7, 512)
    )
    assert_array_equal(one, many)


COLD = {"random", "coreset", "robust_coreset", "typiclust", "probcover", "uherding"}


@pytest.mark.parametrize("name", all_strategies())
def test_an_unfitted_learner_starts_with_a_strategy_or_says_with_which(name, digits):
    images = digits[0][:60]
    learner = ActiveLearner(
        LogisticRegression() if name not in NET_ONLY | COMMITTEE_ONLY else small_net(), name
    )
    if name not in COLD:
        with pytest.raises(NotFittedError, match="asks a fitted model") as caught:
            learner.query(images, n=5)
        assert set(re.findall(r"'(\w+)'", str(caught.value))) == COLD
        return
    flat = images.reshape(60, -1)
    picks, _ = learner.set_params(random_state=0).query(flat, n=5)
    assert len(set(picks)) == 5
    pools = [images, torch.from_numpy(images), csr_matrix(flat), pd.DataFrame(flat)]
    for pool in pools:
        assert_array_equal(learner.query(pool, n=5)[0], picks)
    learner.teach(flat[picks], digits[1][picks])
    assert len(learner.query(flat, n=5)[0]) == 5


def test_a_cold_start_among_strings_names_a_way_out():
    learner = ActiveLearner(LogisticRegression(), "typiclust")
    with pytest.raises(CapabilityError, match="TypiClust .* numeric features, got .*'random'"):
        learner.query(["one", "two", "three"], n=1)


def test_wrappers_start_as_what_they_wrap(digits):
    images = digits[0][:60]
    learner = ActiveLearner(LogisticRegression(), strategies_module.Subsample("typiclust", 30))
    assert len(learner.query(images, n=5)[0]) == 5
    for strategy in (WRAPPERS["combined"](), WRAPPERS["balanced"](), WRAPPERS["subsample"]()):
        with pytest.raises(NotFittedError, match="'typiclust'"):
            ActiveLearner(LogisticRegression(), strategy).query(images, n=5)


def wrapped(strategy):
    """It, within each wrapper that takes it, and within wrappers in wrappers."""
    Subsample, ClassBalanced = strategies_module.Subsample, strategies_module.ClassBalanced
    yield Subsample(strategy, size=20)
    yield ClassBalanced(strategy)
    yield Subsample(ClassBalanced(strategy))
    if isinstance(strategy, ScoringStrategy) and strategy._ranks_by_score:
        yield strategies_module.Combine(["margin", strategy])
        yield ClassBalanced(strategies_module.Combine([strategy]))


@pytest.mark.parametrize("name", all_strategies())
def test_a_parameter_is_refused_alike_alone_and_within_another(name):
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    for parameter, allowed in all_strategies()[name]._parameter_constraints.items():
        if allowed == "no_validation":
            continue
        bad = all_strategies()[name](**{parameter: object()})
        with pytest.raises(InvalidParameterError, match=f"The '{parameter}' parameter") as alone:
            bad.query(model, X, n=3)
        for outer in wrapped(bad):
            with pytest.raises(InvalidParameterError) as within:
                outer.query(model, X, n=3)
            assert str(within.value) == str(alone.value)
        with pytest.raises(InvalidParameterError) as taught:  # before it trains anything
            ActiveLearner(LogisticRegression(), bad).fit(X, y)
        assert str(taught.value) == str(alone.value)


def test_a_learner_refuses_a_parameter_before_it_trains():
    X, y = load_iris(return_X_y=True)
    bad = strategies_module.CoreSet(embedding="inptu")
    for strategy in (bad, strategies_module.Subsample(bad)):
        learner = ActiveLearner(LogisticRegression(max_iter=500), strategy)
        for ask in (lambda: learner.fit(X, y), lambda: learner.query(X)):
            with pytest.raises(InvalidParameterError, match="CoreSet.*Did you mean 'input'"):
                ask()


EMBEDDED = ["coreset", "robust_coreset", "typiclust", "probcover", "uherding"]
EMBEDDED += ["badge", "clustermargin", "diverse_dre"]


@pytest.mark.parametrize("name", EMBEDDED)
def test_missing_values_stop_no_classifier_that_takes_them(name):
    X, y = load_iris(return_X_y=True)
    X = X[np.random.default_rng(0).permutation(150)]
    X[np.random.default_rng(1).random(X.shape) < 0.1] = np.nan
    X[50:, 3] = np.nan  # a column of nothing else
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:50], y[:50])
    picks = make(name).query(model, X[50:], 8, X_labeled=X[:50])
    assert len(set(picks)) == 8
    # The same as if the median had stood there, for the pool and the labelled rows.
    medians = [*np.nanmedian(X[50:, :3], axis=0), 0.0]
    filled = np.where(np.isnan(X), medians, X)

    class Same(HistGradientBoostingClassifier):
        def predict_proba(self, X_filled):
            rows = [np.flatnonzero((filled == row).all(axis=1))[0] for row in X_filled]
            return model.predict_proba(X[rows])

    same = Same(max_iter=5).fit(filled[:50], y[:50])
    assert_array_equal(picks, make(name).query(same, filled[50:], 8, X_labeled=filled[:50]))


@pytest.mark.parametrize("name", EMBEDDED)
def test_missing_values_are_refused_where_the_classifier_takes_none(name, fitted):
    model, pool = fitted["logistic regression"]
    holed = pool.copy()
    holed[3, 3] = np.nan
    with pytest.raises(ValueError, match="NaN.*LogisticRegression|LogisticRegression.*NaN"):
        make(name).query(model, holed, 5)


SCORING = [name for name in NAMES if isinstance(make(name), ScoringStrategy)]


@pytest.mark.parametrize("name", SCORING)
def test_scores_follow_a_permutation_and_rank_the_picks(fitted, name):
    model, pool = fitted["net"]
    scores = make(name).score_samples(model, pool)
    order = np.random.default_rng(0).permutation(N_POOL)
    np.testing.assert_allclose(
        make(name).score_samples(model, pool[order]), scores[order], rtol=2e-3, atol=1e-5
    )
    if name not in ("dfal", "batchbald", "powerbald", "epig"):  # which do not rank alone
        picked = make(name).query(model, pool, 10)
        assert scores[picked].min() >= np.sort(scores)[-10] - 1e-6


def test_every_public_strategy_is_registered():
    bases = (QueryStrategy, ScoringStrategy, FunctionStrategy)
    bases += tuple(type(make(name)) for name in WRAPPERS)
    bases += (SurpriseAdequacy,)  # a peer to compare with: it needs an extra
    public = {
        cls
        for name, cls in inspect.getmembers(strategies_module, inspect.isclass)
        if issubclass(cls, QueryStrategy) and cls not in bases
    }
    assert public == set(all_strategies().values())


def test_names_are_resolved():
    for name, cls in all_strategies().items():
        assert isinstance(resolve_strategy(name), cls)


def test_a_wrong_hook_is_caught():
    class Doubled(QueryStrategy):
        _requires = ()

        def _select(self, query):
            return strategies_module.Selection(np.zeros(query.n, dtype=int))

    with pytest.raises(ValueError, match=r"Doubled._select must return distinct indices"):
        Doubled().query(None, np.zeros((5, 2)), 2)

    class Short(ScoringStrategy):
        _requires = ()

        def _score(self, model, X, rng):
            return np.full(n_rows(X), np.nan)

    with pytest.raises(ValueError, match="Short scored 5 of 5 samples NaN"):
        Short().query(None, np.zeros((5, 2)), 2)


SHORT = {"random": "RandomSampling", "entropy": "MaxEntropy", "gini": "DeepGini"}


@pytest.mark.parametrize("name", all_strategies())
def test_a_strategy_is_called_as_its_class_however_it_is_spelled(name):
    cls = all_strategies()[name]
    assert name.replace("_", "") == cls.__name__.lower() or SHORT[name] == cls.__name__
    for spelled in (cls.__name__, name.upper(), name.replace("_", "-"), snake_case(cls.__name__)):
        assert type(resolve_strategy(spelled)) is cls


def snake_case(name):
    return re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
