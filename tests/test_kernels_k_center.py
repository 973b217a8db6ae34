"""Greedy k-center against float64 brute force: same picks, same order."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skactive.kernels import k_center
from skactive.kernels.k_center import k_center_greedy


def brute_force(X, n, centers):
    """Farthest first with every distance computed in float64; ties to the lowest row."""
    X, centers = X.astype(float), centers.astype(float)
    squared = np.min([((X - center) ** 2).sum(axis=1) for center in centers], axis=0)
    picks, distances = [], []
    for _ in range(n):
        picks.append(int(squared.argmax()))
        distances.append(np.sqrt(squared[picks[-1]]))
        squared = np.minimum(squared, ((X - X[picks[-1]]) ** 2).sum(axis=1))
        squared[picks] = -np.inf
    return picks, distances


def assert_equals_brute_force(X, n, centers):
    picks, distances = k_center_greedy(X, n, centers)
    expected_picks, expected_distances = brute_force(X, n, centers)
    assert_array_equal(picks, expected_picks)
    assert_array_equal(distances, expected_distances)


# Small working sets make small pools take every path of large ones.
@pytest.fixture(params=[(4, 8), (64, 128)], ids=["tiny sets", "small sets"])
def small_sets(request, monkeypatch):
    working_set, refresh = request.param
    monkeypatch.setattr(k_center, "_WORKING_SET", working_set)
    monkeypatch.setattr(k_center, "_REFRESH", refresh)
    monkeypatch.setattr(k_center, "_TILE_ROWS", 16)
    monkeypatch.setattr(k_center, "_TILE_CENTERS", 8)
    monkeypatch.setattr(k_center, "_PAIRS", 32)


KINDS = {
    "gaussian": lambda X: X,
    "lattice": np.round,  # many exact ties
    "binary": lambda X: (X > 0).astype(np.uint8),
    "far from the origin": lambda X: X + 1e6,
    "tight clusters": lambda X: np.round(X) + 1e-9 * X,  # below float32's resolution
    "one outlier": lambda X: np.where(np.arange(len(X))[:, None] == 0, 1e8, X),
    "huge": lambda X: X * 1e130,
    "underflowing": lambda X: X * 1e-170,
    "identical": lambda X: np.full_like(X, 0.1),
}


BEYOND_FLOAT32 = {"huge", "underflowing"}
CASES = [(kind, np.float64) for kind in KINDS]
CASES += [(kind, np.float32) for kind in KINDS if kind not in BEYOND_FLOAT32]


@pytest.mark.parametrize(("kind", "dtype"), CASES)
def test_equals_brute_force(kind, dtype, small_sets):
    rng = np.random.default_rng(0)
    X = KINDS[kind](rng.normal(size=(400, 6))).astype(dtype)
    assert_equals_brute_force(X[30:], 200, X[:30])
    assert_equals_brute_force(X[30:], 370, X[:1])


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_points=st.integers(1, 80),
    n_centers=st.integers(1, 12),
    width=st.integers(1, 9),
    decimals=st.integers(0, 3),
    data=st.data(),
)
def test_equals_brute_force_on_any_pool(seed, n_points, n_centers, width, decimals, data):
    rng = np.random.default_rng(seed)
    X = np.round(rng.normal(size=(n_points + n_centers, width)), decimals)
    n = data.draw(st.integers(1, n_points))
    assert_equals_brute_force(X[n_centers:], n, X[:n_centers])


def test_equals_brute_force_on_a_larger_pool():
    rng = np.random.default_rng(0)
    X = np.maximum(rng.normal(size=(6000, 40)), 0).astype(np.float32)
    assert_equals_brute_force(X[100:], 1500, X[:100])


def test_layout_and_input_are_left_alone():
    X = np.random.default_rng(0).normal(size=(300, 20))
    before = X.copy()
    expected = k_center_greedy(X, 50, X[:3])
    for layout in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        picks, distances = k_center_greedy(layout, 50, layout[:3])
        assert_array_equal(picks, expected[0])
        assert_array_equal(distances, expected[1])
    assert_array_equal(X, before)


def test_first_pick_without_centers():
    X = np.array([[0.0], [9.0], [4.0], [5.0]])
    picks, distances = k_center_greedy(X, 2)
    assert picks[0] == 2  # the closest to the mean 4.5, the lower of two
    assert distances[0] == np.inf
    assert_array_equal(k_center_greedy(X, 2, centers=X[:0])[0], picks)
    firsts = {int(k_center_greedy(X, 1, rng=np.random.default_rng(s))[0][0]) for s in range(50)}
    assert firsts == {0, 1, 2, 3}


def test_goes_on_from_the_first_pick():
    X = np.random.default_rng(0).normal(size=(200, 5))
    picks, distances = k_center_greedy(X, 40)
    expected_picks, expected_distances = brute_force(X, 39, X[picks[:1]])
    assert_array_equal(picks[1:], expected_picks)
    assert_array_equal(distances[1:], expected_distances)


@pytest.mark.parametrize("rng", [None, np.random.default_rng(0)])
def test_whole_pool_of_duplicates(rng):
    X = np.repeat(np.eye(3), 5, axis=0)
    picks, distances = k_center_greedy(X, 15, rng=rng)
    assert sorted(picks) == list(range(15))
    assert (np.diff(distances) <= 0).all()
    assert_array_equal(distances[3:], 0.0)


@pytest.mark.parametrize(
    ("X", "n", "centers", "message"),
    [
        (np.zeros((3, 2)), 4, None, "n must be between 1 and the number of points 3, got 4"),
        (np.zeros((3, 2)), 0, None, "got 0"),
        (np.zeros((0, 2)), 1, None, "points 0"),
        (np.zeros(3), 1, None, r"X must have shape .* got \(3,\)"),
        (np.array([[0.0], [np.nan]]), 1, None, "X must be finite"),
        (np.array([[0.0], [1e200]]), 1, None, "rescale"),
        (np.zeros((3, 2)), 1, np.full((1, 2), np.inf), "centers must be finite"),
        (np.zeros((3, 2)), 1, np.zeros((1, 3)), r"columns as X \(2\), got 3"),
    ],
)
def test_bad_input(X, n, centers, message):
    with pytest.raises(ValueError, match=message):
        k_center_greedy(X, n, centers)


def peak_memory(n_points, n_centers):
    X = np.random.default_rng(0).normal(size=(n_points + n_centers, 8)).astype(np.float32)
    tracemalloc.start()
    k_center_greedy(X[n_centers:], 20, X[:n_centers])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_grows_with_the_sum_not_the_product():
    small = peak_memory(20_000, 100)
    more_points, more_centers = peak_memory(80_000, 100), peak_memory(20_000, 1600)
    assert more_points - small < 60_000 * 64
    assert more_centers - small < 16 * 2**20
    assert more_points < 20 * 2**20  # the matrix of distances would be 32 MB at 4 bytes
