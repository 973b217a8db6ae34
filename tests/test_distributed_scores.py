"""Scores and selections of test data in partitions: those of memory."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD, TabularSquare
from skactive.distributed import _sizes
from skactive.metrics import (
    certified_accuracy_score,
    certified_correct,
    robust_accuracy_score,
    robust_correct,
    robustness_report,
)
from tests.models import SmallMLP

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask is not installed")

SIZES = (1, 0, 63, 100, 36)  # batches of 32 lie within partitions, across two and across four


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def net():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    params = {"attack": None, "max_epochs": 10, "lr": 0.01, "random_state": 0}
    net = AdversarialNetClassifier(SmallMLP, **params).fit(X[:300], y[:300])
    return net, X[300:500], y[300:500]


@pytest.mark.parametrize("labels", ["memory", "array", "series"])
def test_attacks_draw_as_in_memory(net, labels):
    net, X, y = net
    in_parts = {"memory": y, "array": da.from_array(y, chunks=(SIZES,)),
                "series": pytest.importorskip("dask.dataframe").from_array(y)}[labels]  # fmt: skip
    params = {"attack": PGD(0.1, steps=2, random_start=True), "batch_size": 32, "random_state": 5}
    expected = robust_correct(net, X, y, **params)
    pool = da.from_array(X, chunks=(SIZES, 64))
    np.testing.assert_array_equal(robust_correct(net, pool, in_parts, **params), expected)
    weights = np.linspace(0, 1, len(y))
    score = robust_accuracy_score(net, pool, in_parts, sample_weight=weights, **params)
    assert score == pytest.approx(np.average(expected, weights=weights))
    assert 0.1 < expected.mean() < 0.9


def test_a_report_and_certificates_are_those_of_memory(net):
    net, X, y = net
    pool = da.from_array(X, chunks=(SIZES, 64))
    params = {"eps": 0.02, "batch_size": 32, "certify": True, "random_state": 1}
    attack = PGD(0.02, steps=2)
    found = robustness_report(net, pool, y, attack, **params)
    expected = robustness_report(net, X, y, attack, **params)
    np.testing.assert_array_equal(found.correct, expected.correct)
    np.testing.assert_array_equal(found.certified, expected.certified)
    assert found.survivors == expected.survivors
    assert found.n_audited == expected.n_audited
    proved = certified_correct(net, X, y, eps=0.02, batch_size=32)
    np.testing.assert_array_equal(certified_correct(net, pool, y, eps=0.02, batch_size=32), proved)
    assert certified_accuracy_score(net, pool, y, eps=0.02, batch_size=32) == proved.mean() > 0


@pytest.mark.parametrize("batch_size", [7, 32, 256])
@pytest.mark.parametrize("chunks", [50, None])
def test_arrays_with_names_are_scored_as_in_memory(net, chunks, batch_size, monkeypatch):
    xarray = pytest.importorskip("xarray")
    for limit in ("_LEAST_ROWS", "_MOST_ROWS"):  # as larger pools are read, without chunks
        monkeypatch.setattr(_sizes, limit, 50)
    net, X, y = net
    pool = xarray.DataArray(X, dims=("row", "pixel"), coords={"row": np.arange(len(X)) * 2})
    pool = pool if chunks is None else pool.chunk({"row": chunks, "pixel": 40})
    params = {"attack": PGD(0.1, steps=2, random_start=True), "batch_size": batch_size}
    expected = robust_correct(net, X, y, random_state=5, **params)
    np.testing.assert_array_equal(robust_correct(net, pool, y, random_state=5, **params), expected)
    proved = certified_correct(net, X, y, eps=0.02, batch_size=batch_size)
    found = certified_correct(net, pool, y, eps=0.02, batch_size=batch_size)
    np.testing.assert_array_equal(found, proved)


def test_tables_of_any_classifier():
    dd = pytest.importorskip("dask.dataframe")
    X, y = load_iris(return_X_y=True, as_frame=True)
    model = LogisticRegression(max_iter=500).fit(X[::2], y[::2])
    rest, truth = X[1::2].reset_index(drop=True), y[1::2]
    params = {"attack": TabularSquare(0.3, n_queries=20, bounds=(0, 10)), "batch_size": 20}
    expected = robust_correct(model, rest, truth, **params)
    pool = dd.from_pandas(rest, npartitions=4)
    np.testing.assert_array_equal(robust_correct(model, pool, truth, **params), expected)
    column = dd.from_pandas(pd.DataFrame({"y": truth.to_numpy()}), npartitions=3)
    np.testing.assert_array_equal(robust_correct(model, pool, column, **params), expected)


@pytest.mark.parametrize("strategy", ["margin", "dre", "coreset"])
def test_tests_are_selected_of_partitions(net, strategy):
    net, X, y = net
    learner = ActiveLearner.from_fitted(net, X[:20], y[:20], strategy, random_state=0)
    pool = da.from_array(X, chunks=((20,) * 10, 64))
    for budget in (0.1, 20):
        expected = learner.select_tests(X, budget)
        np.testing.assert_array_equal(learner.select_tests(pool, budget), expected)


def test_what_does_not_fit_is_said(net):
    net, X, y = net
    pool = da.from_array(X, chunks=(SIZES, 64))
    with pytest.raises(ValueError, match="X has 200, y has 199"):
        robust_accuracy_score(net, pool, y[1:])
    with pytest.raises(ValueError, match="checkpoint keeps batches of data in memory"):
        robustness_report(net, pool, y, "pgd", checkpoint="report.zip")
