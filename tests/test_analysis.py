"""Bias, correlation and paired tests against independent references."""

import itertools

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from skactive.analysis import (
    SelectionBiasDisplay,
    area_under_budget_curve,
    bias_robustness_correlation,
    compare_strategies,
    holm,
    selection_bias,
)

matplotlib.use("Agg")


def _proba(n=400, classes=4, seed=0):
    return np.random.default_rng(seed).dirichlet(np.full(classes, 0.5), n)


def _slow_divergence(selected, pool, n_bins):
    """JSD from its definition, bin by bin."""
    low, high = pool.min(), pool.max()
    width = (high - low) / n_bins

    def density(values):
        counts = [0.0] * n_bins
        for value in values:
            counts[min(int((value - low) / width), n_bins - 1)] += 1 / len(values)
        return counts

    total = 0.0
    for p, q in zip(density(selected), density(pool), strict=True):
        m = (p + q) / 2
        total += sum(v / 2 * np.log2(v / m) for v in (p, q) if v > 0)
    return total


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 60), st.integers(2, 60), st.integers(0, 1000))
def test_bias_is_the_divergence_of_the_histograms(n_picked, n_bins, seed):
    proba = _proba(seed=seed)
    picked = np.random.default_rng(seed).choice(len(proba), n_picked, replace=False)
    found = selection_bias(proba, picked, n_bins=n_bins)
    references = {
        "entropy": -(proba * np.log(proba)).sum(1),
        "gini": 1 - (proba**2).sum(1),
        "least_confidence": 1 - proba.max(1),
        "margin": np.diff(np.sort(proba, 1)[:, -2:], axis=1)[:, 0],
    }
    assert list(found) == list(references)
    for name, values in references.items():
        # A value on the edge of a bin may fall either side by a rounding error.
        expected = _slow_divergence(values[picked], values, n_bins)
        assert found[name] == pytest.approx(expected, abs=0.02)


def test_class_bias_by_hand():
    y = np.array(["a"] * 50 + ["b"] * 50)
    proba = _proba(100)
    assert selection_bias(proba, range(100), y)["class"] == 0
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4)
    by_hand = (np.log2(4 / 3) + 0.5 * np.log2(2 / 3) + 0.5 * np.log2(2)) / 2
    assert selection_bias(proba, range(50), y)["class"] == pytest.approx(by_hand)


def test_picking_the_extremes_is_more_biased_than_picking_at_random():
    proba = _proba(5000)
    entropy = -(proba * np.log(proba)).sum(1)
    top = selection_bias(proba, entropy.argsort()[-200:])
    random = selection_bias(proba, np.random.default_rng(0).choice(5000, 200, replace=False))
    assert all(top[name] > 2 * random[name] for name in top)


def test_masks_positions_and_own_functions():
    proba = _proba()
    mask = np.arange(len(proba)) < 20
    own = {"first": lambda p: p[:, 0]}
    by_mask = selection_bias(proba, mask, characteristics=own)
    assert by_mask == selection_bias(proba, np.arange(20), characteristics=own)
    assert list(by_mask) == ["first"]
    constant = selection_bias(proba, mask, characteristics={"one": lambda p: np.ones(len(p))})
    assert constant == {"one": 0.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], None), "picked is empty"),
        (([0, 0], None), "distinct"),
        (([400], None), "lie in \\[0, 400"),
        ((np.ones(3, bool), None), "mask"),
        (([0], [1, 2]), "y must have shape"),
    ],
)
def test_bad_selections_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        selection_bias(_proba(), *arguments)


def test_bad_characteristics_are_refused():
    with pytest.raises(ValueError, match="no characteristic 'entropi'"):
        selection_bias(_proba(), [0], characteristics=["entropi"])
    with pytest.raises(ValueError, match="needs y"):
        selection_bias(_proba(), [0], characteristics=["class"])
    with pytest.raises(ValueError, match="finite"):
        selection_bias(_proba(), [0], characteristics={"x": lambda p: p[:, 0] * np.nan})
    with pytest.raises(ValueError, match="shape"):
        selection_bias([0.5, 0.5], [0])


def test_correlation_equals_scipy_and_leaves_gaps_out():
    rng = np.random.default_rng(0)
    bias, robustness = rng.random((3, 12)), rng.random((3, 12))
    bias[1, 4] = np.nan
    bias[2] = 0.5
    result = bias_robustness_correlation(bias, robustness)
    first = stats.pearsonr(bias[0], robustness[0])
    keep = np.arange(12) != 4
    second = stats.pearsonr(bias[1, keep], robustness[1, keep])
    np.testing.assert_array_equal(result.statistic[:2], [first.statistic, second.statistic])
    np.testing.assert_array_equal(result.pvalue[:2], [first.pvalue, second.pvalue])
    assert (result.low[0], result.high[0]) == tuple(first.confidence_interval())
    assert np.isnan(result.statistic[2])
    assert result.n.tolist() == [12, 11, 12]
    with pytest.raises(ValueError, match="same shape"):
        bias_robustness_correlation(bias, robustness[:, :3])


def test_comparisons_equal_scipy_and_are_corrected():
    rng = np.random.default_rng(1)
    scores = {name: rng.normal(mean, 0.02, 10) for name, mean in
              [("random", 0.5), ("dre", 0.52), ("entropy", 0.4), ("gini", 0.5)]}  # fmt: skip
    found = {row.strategy: row for row in compare_strategies(scores)}
    assert list(found) == ["dre", "entropy", "gini"]
    for name, row in found.items():
        reference = stats.wilcoxon(scores[name], scores["random"])
        assert row.statistic == reference.statistic
        assert row.pvalue == pytest.approx(reference.pvalue, rel=1e-12)
        t_test = stats.ttest_rel(scores[name], scores["random"])
        low, high = t_test.confidence_interval()
        assert row.low == pytest.approx(low)
        assert row.high == pytest.approx(high)
        assert row.cohen_dz == pytest.approx(t_test.statistic / np.sqrt(10))
        assert row.note == ""
    p = np.array([row.pvalue for row in found.values()])
    assert [row.pvalue_holm for row in found.values()] == holm(p).tolist()
    assert found["entropy"].effect_size == -1  # it loses each pair


def _all_signs(d, alternative):
    """The permutation law from its definition: every sign of every difference."""
    d = np.asarray([x for x in d if x != 0], dtype=float)
    ranks = stats.rankdata(np.abs(d))
    law = np.array(
        [ranks[np.array(signs, bool)].sum() for signs in itertools.product((0, 1), repeat=len(d))]
    )
    won = ranks[d > 0].sum()
    less, greater = (law <= won).mean(), (law >= won).mean()
    return {"less": less, "greater": greater, "two-sided": min(1, 2 * min(less, greater))}[
        alternative
    ]


def _normal_approximation(d):
    """The two-sided signed-rank test from its mean and variance, ties included, zeros left out."""
    d = d[d != 0]
    ranks = stats.rankdata(np.abs(d))
    z = (np.sign(d) * ranks).sum() / np.sqrt((ranks**2).sum())
    return 2 * stats.norm.sf(abs(z))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-6, 6), min_size=6, max_size=12),
    st.sampled_from(["two-sided", "greater", "less"]),
)
def test_p_values_with_ties_and_zeros_are_those_of_all_signs(tenths, alternative):
    base = np.linspace(0.1, 0.9, len(tenths))
    scores = {"random": base, "dre": base + np.array(tenths) / 10}  # ties up to rounding errors
    (row,) = compare_strategies(scores, alternative=alternative, alpha=0.5)
    if np.isnan(row.pvalue):
        assert row.note == "no test: all pairs are equal"
    else:
        assert row.pvalue == pytest.approx(_all_signs(tenths, alternative), rel=1e-12)
        assert row.pvalue <= 1


def test_rounding_errors_break_no_tie():
    scores = {
        "random": [0.53, 0.71, 0.67, 0.55, 0.57, 0.76, 0.57, 0.75],
        "dre": [0.55, 0.74, 0.70, 0.58, 0.60, 0.78, 0.55, 0.74],
    }
    (row,) = compare_strategies(scores)
    assert row.pvalue == 0.0625
    assert row.effect_size == pytest.approx((36 - 2 * 4) / 36)
    single = {name: np.float32(values) for name, values in scores.items()}
    assert compare_strategies(single)[0].pvalue == 0.0625
    rounded = {name: np.add(values, [0, 1e-6] * 4) for name, values in scores.items()}
    rounded["random"] = scores["random"]
    assert compare_strategies(rounded)[0].pvalue != 0.0625
    assert compare_strategies(rounded, tolerance=2e-6)[0].pvalue == 0.0625
    always = {"random": [0.1, 0.2, 0.4, 0.7, 0.6, 0.3], "dre": [0.2, 0.3, 0.5, 0.8, 0.7, 0.4]}
    (row,) = compare_strategies(always)
    assert np.isnan(row.cohen_dz)  # no spread but rounding errors: not 1e15
    assert row.pvalue == 2 / 2**6


def test_a_tolerance_makes_ties_and_changes_no_difference():
    base, stairs = np.full(10, 70.0), np.arange(1.0, 11)
    (row,) = compare_strategies({"random": base, "dre": base + stairs}, tolerance=1)
    t_test = stats.ttest_1samp(stairs, 0)
    assert row.mean_difference == stairs.mean()
    assert (row.low, row.high) == pytest.approx(tuple(t_test.confidence_interval()))
    assert row.cohen_dz == pytest.approx(t_test.statistic / np.sqrt(10))
    groups = [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]  # 1 is no difference; 2 and 3 are one, 4 and 5, …
    assert row.pvalue == pytest.approx(_all_signs(groups, "two-sided"), rel=1e-12)
    for tolerance in (0, 0.5):
        (row,) = compare_strategies({"random": base, "dre": base + stairs}, tolerance=tolerance)
        assert row.pvalue == pytest.approx(_all_signs(stairs, "two-sided"), rel=1e-12)


def test_equal_pairs_differ_by_nothing_whatever_their_rounding_errors():
    (row,) = compare_strategies({"random": [0.3] * 6, "dre": [0.1 + 0.2] * 6}, tolerance=0.01)
    assert row.mean_difference == row.low == row.high == 0
    large = {"random": 1e6 + np.arange(6) / 10, "dre": 1e6 + np.arange(1, 7) / 10}
    assert np.isnan(compare_strategies(large)[0].cohen_dz)


def test_a_lopsided_interval_is_drawn_as_the_table_has_it():
    scores = {"random": [0.0] * 8, "dre": [1.0] * 7 + [30.0], "same": [0.1] * 8}
    report = compare_strategies(scores, interval="bootstrap")
    drawn = [segment[:, 0] for segment in report.plot().collections[0].get_segments()]
    np.testing.assert_allclose(drawn, [(row.low, row.high) for row in report])


def test_ties_and_zeros_in_many_pairs_are_no_normal_approximation():
    d = np.array([1, 2, -1, 0, 1, -1, 1, 0, 1, 2, 1, 1, 0, 0])
    scores = {"random": np.full(len(d), 0.5), "dre": 0.5 + d / 100}
    (row,) = compare_strategies(scores)
    assert row.pvalue == pytest.approx(_all_signs(d, "two-sided"), rel=1e-12)
    assert round(row.pvalue, 3) == 0.072
    assert round(_normal_approximation(d), 3) == 0.046
    rng = np.random.default_rng(0)
    many = rng.integers(1, 50, 300) * rng.choice([-1, 1], 300, p=[0.45, 0.55])
    (row,) = compare_strategies({"random": np.zeros(300), "dre": many})
    assert row.pvalue == pytest.approx(_normal_approximation(many), rel=0.05)


def test_pairs_that_are_equal_show_nothing():
    d = [0, 0, 0.1, 0.2, 0.3, 0.4, 0.5]
    (row,) = compare_strategies({"random": np.zeros(7), "dre": d})
    assert row.pvalue == 2 / 2**5
    assert row.note == (
        "7 pairs, 5 of which differ, cannot show p < 0.05 after correction for 1 tests: the "
        "smallest possible is 0.062"
    )
    with pytest.raises(ValueError, match="'alternative' parameter of .* must be a str among"):
        compare_strategies({"random": [1.0], "dre": [2.0]}, alternative="both")
    with pytest.raises(ValueError, match="'tolerance' parameter of .* must be a number >= 0"):
        compare_strategies({"random": [1.0], "dre": [2.0]}, tolerance=-1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_constant_up_to_rounding_has_no_correlation_and_no_bias(dtype):
    noise = np.array([0, 1, 0, 2, 1], dtype=dtype) * np.finfo(dtype).eps
    level = dtype(0.7) + noise
    assert np.ptp(level) > 0
    other = np.array([0.1, 0.5, 0.2, 0.4, 0.3], dtype=dtype)
    for pair in ((level, other), (other, level)):
        assert np.isnan(bias_robustness_correlation(*pair).statistic).all()
    proba = np.tile(np.column_stack([level, 1 - level]), (20, 1))
    found = selection_bias(proba, np.flatnonzero(np.arange(100) % 5 == 3))
    assert found == {"entropy": 0, "gini": 0, "least_confidence": 0, "margin": 0}


def test_too_few_pairs_give_a_reason_and_no_p_value():
    scores = {"random": [0.1, 0.2, 0.3, np.nan], "dre": [0.2, 0.3, 0.4, 0.5]}
    (row,) = compare_strategies(scores)
    assert row.n_pairs == 3
    assert np.isnan(row.pvalue)
    assert np.isnan(row.pvalue_holm)
    assert row.note == "no test: 3 pairs, at least 6 are needed for p < 0.05"
    assert row.mean_difference == pytest.approx(0.1)
    (row,) = compare_strategies({"random": [0.1] * 5, "dre": [0.2] * 5}, alternative="greater")
    assert row.pvalue == 1 / 2**5
    (row,) = compare_strategies({"random": [0.1] * 6, "dre": [0.1] * 6})
    assert row.note == "no test: all pairs are equal"
    assert row.effect_size == 0


def test_what_the_correction_makes_impossible_is_said():
    rng = np.random.default_rng(0)
    scores = {name: rng.random(6) for name in ("random", "a", "b")}
    for row in compare_strategies(scores):
        assert np.isfinite(row.pvalue)
        assert row.note == (
            "6 pairs cannot show p < 0.05 after correction for 2 tests: the smallest possible is "
            "0.062"
        )
    scores = {name: rng.random(7) for name in ("random", "a", "b")}
    assert [row.note for row in compare_strategies(scores)] == ["", ""]


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match="'random' has no scores"):
        compare_strategies({"dre": [1.0]})
    with pytest.raises(ValueError, match="equally long"):
        compare_strategies({"random": [1.0], "dre": [1.0, 2.0]})
    with pytest.raises(ValueError, match="of dre hold infinite values.* Pass NaN"):
        compare_strategies({"random": [0.5] * 6, "dre": [0.6] * 5 + [-np.inf]})
    with pytest.raises(ValueError, match="'random' has no scores; there are 1, 2"):
        compare_strategies({1: [1.0], 2: [1.0]})
    for alpha in (0, 1, -1, 5, np.nan, True, "0.05"):
        with pytest.raises(ValueError, match=r"'alpha' .* a level in \(0, 1\)"):
            compare_strategies({"random": [0.5] * 6, "dre": [0.6] * 6}, alpha=alpha)


def test_numbers_that_are_none_are_refused():
    for n_bins in (0, -1, 2.5, "5"):
        with pytest.raises(ValueError, match="'n_bins' parameter of selection_bias"):
            selection_bias(_proba(), [1, 2], n_bins=n_bins)
    for pvalues in ([5], [-0.1], [[0.1, 0.2]], 0.1):
        with pytest.raises(ValueError, match=r"pvalues must be 1-d and lie in \[0, 1\]"):
            holm(pvalues)
    with pytest.raises(ValueError, match="n_labels increasing"):
        area_under_budget_curve([1, np.nan, 3], [0.1, 0.2, 0.3])


def test_one_characteristic_may_be_named_alone():
    alone = selection_bias(_proba(), [1, 2], characteristics="entropy")
    assert alone == selection_bias(_proba(), [1, 2], characteristics=["entropy"])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_its_definition(p):
    corrected = holm([*p, np.nan])[:-1]
    order = np.argsort(p, kind="stable")
    for rank, i in enumerate(order):
        expected = max((len(p) - j) * p[order[j]] for j in range(rank + 1))
        assert corrected[i] == min(expected, 1)


def test_area_under_the_curve():
    assert area_under_budget_curve([0, 1, 3], [1.0, 1.0, 1.0]) == 1
    assert area_under_budget_curve([0, 2], [0.0, 1.0]) == 0.5
    assert area_under_budget_curve([7], [0.3]) == 0.3
    with pytest.raises(ValueError, match="increasing"):
        area_under_budget_curve([2, 2], [0.0, 1.0])


def test_display_draws_one_square_a_number():
    import matplotlib.pyplot as plt

    r = [[-0.9, 0.2, np.nan], [0.0, -0.5, 1.0]]
    display = SelectionBiasDisplay(r, ["entropy", "class"]).plot()
    sides = sorted(round(patch.get_width(), 3) for patch in display.ax_.patches)
    assert sides == [0.05, 0.2, 0.5, 0.9, 1.0]
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["entropy", "class"]
    again = SelectionBiasDisplay(r, ["entropy", "class"], [5, 6, 7]).plot(ax=display.ax_)
    assert again.figure_ is display.figure_
    plt.close(display.figure_)
    with pytest.raises(ValueError, match="shape"):
        SelectionBiasDisplay(r, ["entropy"])
