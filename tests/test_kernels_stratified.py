"""Bins, quotas and stratified samples."""

import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skactive.kernels import stratified
from skactive.kernels.stratified import allocate, bin_indices, fair_order, stratified_sample

METHODS = ["proportional", "ceil_tail", "equal"]


class EveryOffset:
    """Stands in for a Generator: hands out the integers 0, 1, 2, … one after the other."""

    def __init__(self):
        self.next = -1

    def integers(self, high):
        self.next += 1
        return self.next


# ---------------------------------------------------------------- bins


def test_bins_equal_a_histogram():
    scores = np.random.default_rng(0).gamma(0.3, size=5000)
    counts, _ = np.histogram(scores, bins=50)
    assert_array_equal(np.bincount(bin_indices(scores, 50), minlength=50), counts)


@settings(max_examples=150, deadline=None)
@given(
    scores=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40),
    n_bins=st.sampled_from([1, 2, 7, 50, 256, 257, 70_000]),
)
@example(scores=[0.0, 5e-324], n_bins=2)  # the smallest of all numbers has no half
@example(scores=[1e-310, 1e-310 + 5e-324], n_bins=50)
@example(scores=[-1.7e308, 5e-324, 1.7e308], n_bins=7)
@example(scores=[0.0, 1e-300], n_bins=70_000)  # too narrow for bins per unit, though not subnormal
def test_bins_keep_the_order_and_close_the_last_edge(scores, n_bins):
    scores = np.sort(scores)
    bins = bin_indices(scores, n_bins).astype(int)
    assert (np.diff(bins) >= 0).all()
    assert bins[0] == 0
    assert bins[-1] == (n_bins - 1 if scores[0] < scores[-1] else 0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32, np.bool_])
def test_bins_of_any_type(dtype):
    bins = bin_indices(np.array([0, 1, 1], dtype=dtype), 50)
    assert_array_equal(bins, [0, 49, 49])
    assert bins.dtype == np.uint8


def test_bins_of_the_extremes_of_float32():
    largest = np.finfo(np.float32).max
    assert_array_equal(bin_indices(np.float32([-largest, 0, largest]), 2), [0, 1, 1])


# ---------------------------------------------------------------- quotas

counts_and_n = st.lists(st.integers(0, 30), min_size=1, max_size=12).flatmap(
    lambda counts: st.tuples(st.just(counts), st.integers(0, sum(counts)))
)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=200, deadline=None)
@given(case=counts_and_n, seed=st.integers(0, 99))
def test_quotas_sum_to_n_and_fit(method, case, seed):
    counts, n = case
    quotas = allocate(counts, n, method, rng=np.random.default_rng(seed))
    assert quotas.sum() == n
    assert (quotas >= 0).all()
    assert (quotas <= counts).all()
    whole = allocate(counts, sum(counts), method, rng=np.random.default_rng(seed))
    assert_array_equal(whole, counts)


@settings(max_examples=100, deadline=None)
@given(case=counts_and_n)
def test_proportional_is_exactly_unbiased(case):
    counts, n = case
    total = sum(counts)
    if n == 0:
        return
    offsets = EveryOffset()
    quotas = np.array([allocate(counts, n, rng=offsets) for _ in range(total)])
    # Σ over all equally likely offsets of the quota = total · share · n = counts · n.
    assert_array_equal(quotas.sum(axis=0), np.array(counts) * n)
    assert (np.abs(quotas * total - np.array(counts) * n) < total).all()


def test_proportional_averages_to_the_share():
    rng = np.random.default_rng(0)
    counts = np.array([700, 5, 0, 200, 95])
    mean = np.mean([allocate(counts, 7, rng=rng) for _ in range(4000)], axis=0)
    assert_allclose(mean, counts * 7 / 1000, atol=5 * 0.5 / np.sqrt(4000))


def test_quotas_of_astronomic_counts():
    counts = np.array([10**18, 3 * 10**18, 5 * 10**18])
    quotas = allocate(counts, 9 * 10**9, rng=np.random.default_rng(0))
    assert_array_equal(quotas, [10**9, 3 * 10**9, 5 * 10**9])


@settings(max_examples=100, deadline=None)
@given(case=counts_and_n, seed=st.integers(0, 99))
def test_equal_levels_the_bins(case, seed):
    counts, n = case
    quotas = allocate(counts, n, "equal", rng=np.random.default_rng(seed))
    open_bins = quotas < counts
    if open_bins.any():
        level = quotas[open_bins]
        assert level.max() - level.min() <= 1
        assert quotas.max() <= level.min() + 1


@settings(max_examples=100, deadline=None)
@given(case=counts_and_n, seed=st.integers(0, 99))
def test_ceil_tail_equals_the_released_rule(case, seed):
    counts, n = case
    lined_up = [b for b, c in enumerate(counts) for _ in range(-(-c * n // max(sum(counts), 1)))]
    expected = np.bincount(lined_up[len(lined_up) - n :], minlength=len(counts)) if n else 0
    quotas = allocate(counts, n, "ceil_tail", rng=np.random.default_rng(seed))
    assert_array_equal(quotas, np.broadcast_to(expected, len(counts)))


# ---------------------------------------------------------------- samples


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=60, deadline=None)
@given(
    scores=st.lists(st.floats(-5, 5), min_size=1, max_size=60),
    n_bins=st.integers(1, 9),
    seed=st.integers(0, 99),
    data=st.data(),
)
def test_sample_follows_the_quotas(method, scores, n_bins, seed, data):
    n = data.draw(st.integers(0, len(scores)))
    picks = stratified_sample(scores, n, n_bins, method, rng=np.random.default_rng(seed))
    bins = bin_indices(scores, n_bins)
    counts = np.bincount(bins, minlength=n_bins)
    quotas = allocate(counts, n, method, rng=np.random.default_rng(seed))
    assert len(set(picks.tolist())) == n
    assert_array_equal(np.bincount(bins[picks], minlength=n_bins), quotas)


@pytest.mark.parametrize("n", [1, 2, 7, 64, 99])
def test_each_place_is_among_the_first_m_equally_often(n):
    turns = EveryOffset()
    orders = np.array([fair_order(n, turns) for _ in range(n)])
    assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(n), (n, 1)))
    for m in range(1, n):
        assert_array_equal(np.bincount(orders[:, :m].ravel(), minlength=n), np.full(n, m))


def test_any_first_part_of_a_sample_has_the_bins_of_all_of_it():
    scores = np.random.default_rng(0).gamma(0.5, size=5000)
    bins = bin_indices(scores, 10)
    for seed, method in itertools.product(range(20), METHODS):
        picks = stratified_sample(scores, 400, 10, method, rng=np.random.default_rng(seed))
        whole = np.bincount(bins[picks], minlength=10)
        for m in (20, 77, 200, 333):
            part = np.bincount(bins[picks[:m]], minlength=10)
            assert np.abs(part - whole * m / 400).max() < 3


def test_the_means_of_first_parts_are_the_pools():
    scores = np.random.default_rng(0).gamma(0.5, size=5000)
    for m in (10, 50, 100):
        means = [
            scores[stratified_sample(scores, 200, rng=np.random.default_rng(seed))[:m]].mean()
            for seed in range(300)
        ]
        assert abs(np.mean(means) - scores.mean()) < 4 * np.std(means) / np.sqrt(300)
        assert np.std(means) < scores.std() / np.sqrt(m)  # no worse than drawing m at random


@pytest.mark.parametrize("block", [1, 64, 200])
def test_blocks_do_not_change_the_picks(block, monkeypatch):
    scores = np.random.default_rng(0).gamma(0.3, size=500)
    expected = stratified_sample(scores, 90, 3, rng=np.random.default_rng(3))
    monkeypatch.setattr(stratified, "_BLOCK", block)
    assert_array_equal(stratified_sample(scores, 90, 3, rng=np.random.default_rng(3)), expected)


def test_every_point_is_equally_likely_when_proportional():
    scores = np.array([0.0, 0.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0])
    rng = np.random.default_rng(0)
    drawn = np.concatenate([stratified_sample(scores, 3, 3, rng=rng) for _ in range(4000)])
    expected = 4000 * 3 / 10
    assert np.abs(np.bincount(drawn) - expected).max() < 5 * np.sqrt(expected)


def test_ceil_tail_leans_to_high_scores_and_reaches_the_highest():
    scores = np.random.default_rng(0).gamma(0.1, size=20_000)
    rng = np.random.default_rng(0)
    tail = stratified_sample(scores, 30, 50, "ceil_tail", rng=rng)
    fair = stratified_sample(scores, 30, 50, "proportional", rng=rng)
    assert scores[tail].mean() > 3 * scores[fair].mean()
    seeds = [np.random.default_rng(seed) for seed in range(20)]
    assert any(
        scores.argmax() in stratified_sample(scores, 30, 50, "ceil_tail", rng=s) for s in seeds
    )


@pytest.mark.parametrize("overdraw", [0, 1, 4])
def test_all_subsets_of_a_bin_are_equally_likely(overdraw, monkeypatch):
    # Bins of 4, 0, 5 and 1 points with quotas 2, 0, 2 and 1: 6 · 10 outcomes, however drawn.
    monkeypatch.setattr(stratified, "_OVERDRAW", overdraw)
    scores = np.array([0.0, 2.1, 0.1, 2.2, 0.2, 4.0, 2.3, 0.3, 2.4, 2.5])
    rng = np.random.default_rng(0)
    outcomes = Counter(
        tuple(np.sort(stratified_sample(scores, 5, 4, "equal", rng=rng))) for _ in range(6000)
    )
    assert len(outcomes) == 60
    assert np.abs(np.array(list(outcomes.values())) - 100).max() < 5 * np.sqrt(100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: bin_indices([0.0, np.inf], 5), "must be finite .* Replace"),
        (lambda rng: bin_indices([0.0, np.nan], 5), "must be finite"),
        (lambda rng: bin_indices([], 5), r"not empty, got an array of shape \(0,\)"),
        (lambda rng: bin_indices([0.0], 0), "n_bins must be at least 1, got 0"),
        (lambda rng: allocate([1, 2], 4, rng=rng), "number of points 3, got 4"),
        (lambda rng: allocate([1, 2], -1, rng=rng), "got -1"),
        (lambda rng: allocate([1], 1, "largest", rng=rng), "method must be one of .*'largest'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


def test_memory_is_a_byte_a_score():
    scores = np.random.default_rng(0).random(3_000_000, dtype=np.float32)
    tracemalloc.start()
    stratified_sample(scores, 100, rng=np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(scores) + 4 * 2**20
