"""Robust k-center against all subsets."""

import itertools
import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult
from scipy.spatial.distance import cdist

from skactive.kernels import robust_k_center as module
from skactive.kernels.robust_k_center import robust_k_center


def radius_of(X, picks, centers, n_outliers):
    nearest = np.sort(cdist(X, np.concatenate([centers, X[list(picks)]])).min(axis=1))
    return nearest[-1 - n_outliers] if n_outliers < len(X) else 0.0


def smallest_radius(X, n, centers, n_outliers):
    subsets = itertools.combinations(range(len(X)), n)
    return min(radius_of(X, subset, centers, n_outliers) for subset in subsets)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_points=st.integers(1, 9),
    n_centers=st.integers(0, 3),
    n_outliers=st.integers(0, 3),
    decimals=st.integers(0, 8),
    data=st.data(),
)
def test_equals_the_best_subset(seed, n_points, n_centers, n_outliers, decimals, data):
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n_points, 2)), decimals)
    centers = np.round(rng.normal(size=(n_centers, 2)), decimals)
    n = data.draw(st.integers(1, min(4, n_points)))
    result = robust_k_center(X, n, centers, n_outliers=n_outliers, tol=0.0)
    assert result.status == "optimal"
    assert len(set(result.indices.tolist())) == n
    assert result.radius == smallest_radius(X, n, centers, n_outliers) == result.lower_bound
    assert result.radius == radius_of(X, result.indices, centers, n_outliers)
    assert result.radius <= result.greedy_radius


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    return rng.normal(size=(250, 5)), rng.normal(size=(20, 5))


def test_beats_greedy_within_its_bounds(pool):
    X, centers = pool
    result = robust_k_center(X, 12, centers)
    assert result.status == "optimal"
    assert result.greedy_radius / 2 <= result.lower_bound <= result.radius < result.greedy_radius
    assert result.lower_bound >= (1 - 1e-3) * result.radius
    assert result.n_programs > 0


def test_picks_come_farthest_first(pool):
    X, centers = pool
    picks = robust_k_center(X, 12, centers).indices
    for k in range(12):
        known = np.concatenate([centers, X[picks[:k]]])
        distance = cdist(X[picks[k:]], known).min(axis=1)
        assert distance.argmax() == 0


def test_outliers_shrink_the_radius(pool):
    X, centers = pool
    radii = [robust_k_center(X, 12, centers, n_outliers=k).radius for k in (0, 2, 8)]
    assert radii[0] > radii[1] > radii[2]


def test_lower_bound_reckons_with_outliers():
    # Greedy reaches 7 and its third distance is 13; yet {22, 4 or 1} leave 28 out and reach 6.
    X = np.array([[15.0], [22.0], [28.0], [1.0], [4.0]])
    result = robust_k_center(X, 2, n_outliers=1, tol=0.0)
    assert result.greedy_radius == 7.0
    assert result.radius == result.lower_bound == smallest_radius(X, 2, X[:0], 1) == 6.0


def test_large_pool_keeps_greedy_and_says_so(pool, caplog):
    X, centers = pool
    with caplog.at_level(logging.WARNING, logger="skactive"):
        result = robust_k_center(X, 12, centers, max_points=len(X) - 1)
    assert result.status == "too_many_points"
    assert result.radius == result.greedy_radius
    assert "max_points=249" in caplog.text
    assert result.n_programs == 0


def test_no_time_keeps_greedy_and_says_so(pool, caplog):
    X, centers = pool
    with caplog.at_level(logging.WARNING, logger="skactive"):
        result = robust_k_center(X, 12, centers, time_limit=0)
    assert result.status == "time_limit"
    assert result.radius == result.greedy_radius >= result.lower_bound
    assert len(set(result.indices.tolist())) == 12
    assert "time_limit" in caplog.text


def test_a_solution_outside_the_radius_is_not_believed(pool, monkeypatch, caplog):
    X, centers = pool

    def lying(c, **kwargs):
        return OptimizeResult(status=0, x=np.zeros_like(c))

    monkeypatch.setattr(module, "milp", lying)
    with caplog.at_level(logging.WARNING, logger="skactive"):
        result = robust_k_center(X, 12, centers)
    assert result.status == "solver_failed"
    assert result.radius <= result.greedy_radius
    assert result.radius == radius_of(X, result.indices, centers, 0)


def test_fills_up_to_n_when_fewer_would_do():
    X = np.array([[0.0], [0.0], [0.0], [1.0], [1.0]])
    result = robust_k_center(X, 4)
    assert result.radius == 0.0
    assert len(set(result.indices.tolist())) == 4


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_outliers": -1}, "n_outliers must not be negative, got -1"),
        ({"tol": float("nan")}, "tol"),
        ({"time_limit": -1.0}, "time_limit"),
        ({"n": 0}, "n must be between 1 and the number of points 3, got 0"),
        ({"n": 4}, "got 4"),
        ({"centers": np.zeros((1, 3))}, "columns as X"),
        ({"X": np.full((3, 2), np.nan)}, "X must be finite"),
    ],
)
def test_bad_input(kwargs, message):
    with pytest.raises(ValueError, match=message):
        robust_k_center(**{"X": np.zeros((3, 2)), "n": 1, **kwargs})
