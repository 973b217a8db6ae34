"""top_k against a full sort."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from skactive.kernels.selection import top_k


def sorted_twin(scores, k):
    """Values of the k largest, by sorting everything."""
    return sorted(scores.tolist(), reverse=True)[:k]


@settings(max_examples=200, deadline=None)
@given(
    scores=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.uint8, np.bool_]),
        st.integers(1, 60),
        elements=None,
        fill=st.nothing(),
    ).filter(lambda scores: not np.isnan(scores).any()),
    data=st.data(),
)
def test_values_equal_a_full_sort(scores, data):
    k = data.draw(st.integers(0, len(scores)))
    before = scores.copy()
    indices = top_k(scores, k, np.random.default_rng(0))
    assert scores[indices].tolist() == sorted_twin(scores, k)
    assert len(set(indices.tolist())) == k
    assert_array_equal(scores, before)


@pytest.mark.parametrize("k", [1, 2, 4, 5])
def test_infinities_are_ordinary(k):
    scores = np.array([-np.inf, 1.0, np.inf, -np.inf, 0.0])
    picked = scores[top_k(scores, k, np.random.default_rng(0))]
    assert_array_equal(picked, [np.inf, 1.0, 0.0, -np.inf, -np.inf][:k])


def test_ties_at_the_cut_are_drawn_uniformly():
    scores = np.array([1.0, 5.0, 1.0, 1.0, 1.0])
    rng = np.random.default_rng(0)
    drawn = np.bincount([top_k(scores, 2, rng)[1] for _ in range(4000)], minlength=5)
    assert drawn[1] == 0
    assert np.abs(drawn[[0, 2, 3, 4]] - 1000).max() < 5 * np.sqrt(1000)


def test_ties_above_the_cut_are_in_random_order():
    orders = {tuple(top_k(np.zeros(3), 3, np.random.default_rng(seed))) for seed in range(60)}
    assert len(orders) == 6


def test_same_seed_same_picks():
    scores = np.random.default_rng(1).integers(0, 5, 500)
    first, second = (top_k(scores, 100, np.random.default_rng(7)) for _ in range(2))
    assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("scores", "k", "message"),
    [
        ([0.0, np.nan, np.inf], 1, "position 1"),
        ([0.0, 1.0], 3, "k must be between 0 and the number of scores 2, got 3"),
        ([0.0, 1.0], -1, "got -1"),
        ([[0.0, 1.0]], 1, r"shape \(1, 2\)"),
    ],
)
def test_bad_input(scores, k, message):
    with pytest.raises(ValueError, match=message):
        top_k(scores, k, np.random.default_rng(0))


def test_memory_is_a_copy_of_the_scores():
    scores = np.random.default_rng(0).random(500_000, dtype=np.float32)
    tracemalloc.start()
    top_k(scores, 100, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * scores.nbytes  # an argsort would take 8 bytes a score
