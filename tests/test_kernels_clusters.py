"""MCP against sweeps written as loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skactive.kernels import clusters
from skactive.kernels.clusters import mcp_select


def looped(proba, n):
    """Sweeps over dictionaries of lists; needs priorities without ties."""
    members = {}
    for i, row in enumerate(proba):
        second, first = np.argsort(row)[-2:]
        members.setdefault((first, second), []).append((row[second] / row[first], i))
    picks = []
    while len(picks) < n:
        heads = [max(cluster) for cluster in members.values() if cluster]
        for head in sorted(heads, reverse=True)[: n - len(picks)]:
            picks.append(head[1])
            next(c for c in members.values() if head in c).remove(head)
    return picks


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_points=st.integers(1, 80),
    n_classes=st.integers(2, 6),
    concentration=st.sampled_from([0.1, 1.0, 10.0]),
    first_cut=st.sampled_from([0, 5, 256]),
    few_classes=st.sampled_from([0, 64]),
    data=st.data(),
)
def test_equals_the_loops_in_order(
    seed, n_points, n_classes, concentration, first_cut, few_classes, data
):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(n_classes, concentration), size=n_points)
    n = data.draw(st.integers(0, n_points))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clusters, "_FIRST_CUT", first_cut)
        patch.setattr(clusters, "_FEW_CLASSES", few_classes)
        patch.setattr(clusters, "_BLOCK", 16)
        picks = mcp_select(proba, n, rng)
    ratio = np.sort(proba, axis=1)[:, -2] / proba.max(axis=1)
    if len(np.unique(ratio)) == n_points:
        assert_array_equal(picks, looped(proba, n))
    assert len(set(picks.tolist())) == n


@pytest.mark.parametrize("n", [1, 37, 200, 3000])
def test_equals_the_loops_on_a_skewed_pool(n):
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.r_[5.0, 2.0, np.full(6, 0.3)], size=3000)
    assert_array_equal(mcp_select(proba, n, rng), looped(proba, n))


def test_saturated_and_empty_rows():
    proba = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    picks = mcp_select(proba, 4, np.random.default_rng(0))
    assert sorted(picks) == [0, 1, 2, 3]
    assert set(picks[:1]) <= {2, 3}  # both have priority 1, the saturated rows 0


def test_ways_to_find_the_two_largest_agree_on_ties():
    proba = np.random.default_rng(0).integers(0, 3, size=(500, 7)) / 3.0
    for mine, other in zip(clusters._by_class(proba), clusters._by_row(proba.copy()), strict=True):
        assert_array_equal(mine, other)


def test_binary_has_two_clusters():
    proba = np.array([[0.9, 0.1], [0.6, 0.4], [0.55, 0.45], [0.2, 0.8]])
    assert_array_equal(mcp_select(proba, 4, np.random.default_rng(0)), [2, 3, 1, 0])


def test_a_single_class_is_one_cluster():
    picks = mcp_select(np.ones((5, 1)), 5, np.random.default_rng(0))
    assert sorted(picks) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n", [1, 2])
def test_ties_are_seeded_and_drawn_evenly(n):
    proba = np.tile([0.6, 0.3, 0.1], (4, 1))
    first, second = (mcp_select(proba, n, np.random.default_rng(5)) for _ in range(2))
    assert_array_equal(first, second)
    rng = np.random.default_rng(0)
    drawn = np.bincount(np.concatenate([mcp_select(proba, n, rng) for _ in range(2000)]))
    assert np.abs(drawn - 500 * n).max() < 5 * np.sqrt(500 * n)


def test_ties_among_large_clusters_are_not_cut_off():
    proba = np.tile([0.6, 0.3, 0.1], (2000, 1))
    picks = np.concatenate([mcp_select(proba, 3, np.random.default_rng(s)) for s in range(40)])
    assert len(np.unique(picks)) > 100


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtypes_and_input_left_alone(dtype):
    proba = np.random.default_rng(0).dirichlet(np.ones(5), size=300).astype(dtype)
    before = proba.copy()
    picks = mcp_select(proba, 150, np.random.default_rng(0))
    assert len(set(picks.tolist())) == 150
    assert_array_equal(proba, before)


@pytest.mark.parametrize(
    ("proba", "n", "message"),
    [
        ([[0.5, 0.5]], 2, "n must be between 0 and the number of points 1, got 2"),
        ([[0.5, np.nan]], 1, "proba must be finite"),
        ([0.5, 0.5], 1, r"got an array of shape \(2,\)"),
    ],
)
def test_bad_input(proba, n, message):
    with pytest.raises(ValueError, match=message):
        mcp_select(proba, n, np.random.default_rng(0))
