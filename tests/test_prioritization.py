"""Test prioritisation: formulas by hand, against dnn-tip, and strategies against each other."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skactive.prioritization import (
    apfd_score,
    fault_detection_rate,
    prioritization_report,
    prioritize,
)
from skactive.strategies import DeepGini, SurpriseAdequacy


@given(st.lists(st.booleans(), min_size=1, max_size=40).filter(any), st.randoms())
def test_apfd_is_the_area_under_the_curve_of_found_faults(faults, random):
    faults = np.array(faults)
    order = list(range(len(faults)))
    random.shuffle(order)
    found = np.cumsum(faults[order]) / faults.sum()
    area = np.mean((np.concatenate([[0], found[:-1]]) + found) / 2)  # trapezoids
    assert apfd_score(faults, order) == pytest.approx(area)
    best = np.argsort(~faults, kind="stable")
    assert apfd_score(faults, best) == pytest.approx(1 - faults.sum() / (2 * len(faults)))
    assert fault_detection_rate(faults, best, len(faults) // 2 + 1) == 1


def test_apfd_is_that_of_dnn_tip():
    dnn_tip = pytest.importorskip("dnn_tip.apfd", reason="dnn-tip is not installed")
    rng = np.random.default_rng(0)
    faults, order = rng.random(200) < 0.1, rng.permutation(200)
    assert apfd_score(faults, order) == pytest.approx(dnn_tip.apfd_from_order(faults, order))


def test_rates_by_hand():
    faults = [1, 0, 1, 0, 0, 1]
    order = [0, 1, 2, 3, 4, 5]
    assert fault_detection_rate(faults, order, 2) == 1 / 2
    assert fault_detection_rate(faults, order, 0.5) == 2 / 3
    assert fault_detection_rate(faults, order, 0.5, normalize=False) == 2 / 3
    assert fault_detection_rate(faults, order, 5) == 2 / 3
    assert fault_detection_rate(faults, order, 5, normalize=False) == 2 / 5


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: apfd_score([0, 0], [0, 1]), "no fault"),
        (lambda: apfd_score([0, 1], [0, 0]), "exactly once"),
        (lambda: apfd_score([0, 1], [1]), "exactly once"),
        (lambda: apfd_score([0, 2], [0, 1]), "booleans"),
        (lambda: fault_detection_rate([0, 1], [0, 1], 0), "budget"),
        (lambda: fault_detection_rate([0, 1], [0, 1], 3), "budget"),
    ],
)
def test_bad_input(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.fixture(scope="module")
def model():
    X, y = load_digits(return_X_y=True)
    return LogisticRegression(max_iter=2000).fit(X[:150], y[:150]), X, y


def test_uncertainty_finds_faults_sooner_than_chance(model):
    estimator, X, y = model
    rows = prioritization_report(
        estimator, X[150:], y[150:], strategies=["random", "gini", DeepGini()], budgets=[0.1, 50]
    )
    chance, gini, other = rows
    assert chance["apfd"] == pytest.approx(0.5, abs=0.1)
    assert gini["apfd"] > 0.7
    assert other["apfd"] == gini["apfd"]
    assert gini["fault_detection_rate"][0.1] > 2 * chance["fault_detection_rate"][0.1]
    order = prioritize(estimator, X[150:], DeepGini(random_state=0))
    assert sorted(order) == list(range(len(X) - 150))
    with pytest.raises(ValueError, match="does not know"):
        prioritization_report(estimator, X, y + 5)


def test_a_report_tells_all_tests_from_one(model):
    estimator, X, y = model
    for budget, head in ((1.0, "found at 100 %"), (1, "found at 1")):
        report = prioritization_report(estimator, X, y, strategies=["gini"], budgets=[budget])
        assert report.cells()[0][2] == head
    with pytest.raises(ValueError, match=r"both 1, a single test, and 1\.0, all of them"):
        prioritization_report(estimator, X, y, strategies=["gini"], budgets=[1.0, 1])


@pytest.mark.filterwarnings("ignore:The version of scipy you are using")
@pytest.mark.parametrize("method", ["dsa", "lsa", "mdsa", "mlsa", "pc-lsa", "pc-mdsa"])
def test_surprise_adequacy(model, method):
    surprise = pytest.importorskip("dnn_tip.surprise", reason="dnn-tip is not installed")
    estimator, X, _ = model
    X, y = X[:, X.std(axis=0) > 5][:, :5], model[2]
    estimator = LogisticRegression(max_iter=5000).fit(X[:900], y[:900])
    strategy = SurpriseAdequacy(method, random_state=0)
    order = strategy.query(estimator, X[900:1100], 200, X_labeled=X[:900])
    assert sorted(order) == list(range(200))
    if method == "mdsa":
        wanted = surprise.MDSA([X[:900]])([X[900:1100]])
        assert order[0] == np.argmax(wanted)
    with pytest.raises(ValueError, match="X_labeled"):
        strategy.query(estimator, X, 3)


def test_without_dnn_tip_the_extra_is_named(model, monkeypatch):
    import sys

    estimator, X, _ = model
    monkeypatch.setitem(sys.modules, "dnn_tip", None)
    with pytest.raises(ImportError, match=r"skactive\[tip\]"):
        SurpriseAdequacy().query(estimator, X, 3, X_labeled=X[:50])
