"""Comparisons under one protocol: curves, areas, tests, labels needed, against closed forms."""

import matplotlib
import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.semi_supervised import SelfTrainingClassifier

from skactive.analysis import (
    CurvePoint,
    CurveReport,
    Entry,
    compare_curves,
    compare_strategies,
    fit_learning_curve,
    holm,
)
from skactive.analysis import label_costs as all_label_costs
from skactive.analysis._contest import _tuned
from skactive.strategies import Margin

matplotlib.use("Agg")
N = np.arange(20, 220, 20)


def label_costs(*args, **settings):
    """With few resamples: seconds matter."""
    return all_label_costs(*args, **{"n_bootstrap": 60, **settings})


def _palm(n, achievable=0.9, delta=0.4, alpha=0.7, beta=0.6, unit=20):
    """The law as its paper writes it."""
    return achievable * (1 - (1 - delta) ** ((n / unit + alpha) ** beta))


@pytest.mark.parametrize(
    "law",
    [
        {},
        {"delta": 0.05, "beta": 1.0, "alpha": 0.0},
        {"achievable": 0.6, "delta": 0.7, "beta": 0.4},
        {"achievable": 80.0},
    ],
)
def test_a_curve_of_the_law_is_found_and_inverted(law):
    fit = fit_learning_curve(N, _palm(N, **law))
    assert fit.rmse < 1e-6 * law.get("achievable", 1)
    between = np.array([30.0, 90.0, 170.0])
    np.testing.assert_allclose(fit.predict(between), _palm(between, **law), rtol=1e-4)
    for n in between:
        assert fit.labels_for(float(_palm(n, **law))) == pytest.approx(n, rel=1e-2)
    assert fit.labels_for(fit.achievable) == np.inf
    assert fit.labels_for(0.0) == 0.0


@pytest.mark.parametrize("height", [0.0, 0.5])
def test_a_flat_curve_is_a_constant(height):
    fit = fit_learning_curve(N, np.full(len(N), height))
    np.testing.assert_allclose(fit.predict(N), height)
    assert fit.labels_for(height) == 0
    assert fit.labels_for(height + 0.1) == np.inf


def test_noise_moves_the_inverse_little():
    noisy = _palm(N) + np.random.default_rng(0).normal(0, 0.005, len(N))
    assert fit_learning_curve(N, noisy).labels_for(_palm(100)) == pytest.approx(100, rel=0.2)


@pytest.mark.parametrize(
    ("n", "scores", "settings", "message"),
    [
        (N[:4], _palm(N)[:4], {}, "4 stages does not determine"),
        (N, _palm(N)[:5], {}, "equally long"),
        (N[::-1], _palm(N), {}, "increasing"),
        (N, -_palm(N), {}, "not negative"),
        (N, _palm(N) * np.nan, {}, "finite"),
        (N, _palm(N), {"ceiling": 0.5}, "above ceiling"),
        (N, _palm(N), {"ceiling": 0}, "ceiling"),
    ],
)
def test_curves_that_cannot_be_fitted_are_refused(n, scores, settings, message):
    with pytest.raises(ValueError, match=message):
        fit_learning_curve(n, scores, **settings)


def _seeds(curve, n_seeds=8, spread=0.002):
    return curve[:, None] + np.random.default_rng(1).normal(0, spread, (len(N), n_seeds))


def test_labels_needed_and_their_ratio():
    curves = {"random": _seeds(_palm(N)), "twice": _seeds(_palm(2 * N))}
    random, twice = label_costs(N, curves, float(_palm(120)))
    assert random.strategy == "random"
    assert random.n_labels == pytest.approx(120, rel=0.03)
    assert random.ratio == 1
    assert (random.ratio_low, random.ratio_high) == (1, 1)
    assert twice.n_labels == pytest.approx(60, rel=0.03)
    assert twice.ratio_low < 0.5 < twice.ratio_high
    assert twice.ratio_high < 0.6
    assert random.low < 120 < random.high
    assert random.share_reached == twice.share_reached == 1
    assert not random.note
    again = label_costs(N, curves, float(_palm(120)))
    assert [row.low for row in again] == [random.low, twice.low]


def test_what_is_never_reached_is_said():
    curves = {"random": _seeds(_palm(N, achievable=0.6)), "good": _seeds(_palm(N))}
    report = label_costs(N, curves, 0.8)
    random, good = report
    assert random.n_labels == random.low == random.high == np.inf
    assert random.note == "the law fitted to its mean curve does not reach the target"
    assert good.ratio == 0
    assert "never" in report.table
    (_, bad) = label_costs(N, curves, 0.8, baseline="good")
    assert bad.ratio == np.inf
    neither = label_costs(N, {"random": curves["random"]}, 0.8)[0]
    assert np.isnan(neither.ratio)
    assert neither.share_reached == 0


@pytest.mark.parametrize("height", [0.9, 0.0, 0.1 + 0.2])
def test_a_flat_curve_reached_its_height_with_the_first_labels(height):
    flat = np.full((len(N), 3), height)
    random, _ = report = label_costs(N, {"random": flat, "a": flat}, height)
    assert random.n_labels == random.low == random.high == N[0]
    assert random.ratio == random.share_reached == 1
    assert report.notes == [
        f"{name}: a bound: reached at the first stage." for name in ("random", "a")
    ]
    assert label_costs(N, {"random": flat}, height + 0.01)[0].n_labels == np.inf


def test_what_seeds_reached_and_the_law_never_does_is_said():
    rising = np.minimum(_palm(N, achievable=1.3), 1)[:, None] * [1, 1, 0.99]
    (row,) = label_costs(N, {"random": rising}, 1.0)
    assert row.n_labels == np.inf
    assert row.note == (
        "the law fitted to its mean curve does not reach the target, 2 of 3 seeds did"
    )


def test_what_lies_outside_the_budget_is_said():
    curves = {"random": _seeds(_palm(N))}
    far = label_costs(N, curves, float(_palm(300)))[0]
    assert "extrapolated: 200 labels" in far.note
    assert far.n_labels == pytest.approx(300, rel=0.2)
    near = label_costs(N, curves, 0.01)[0]
    assert near.n_labels == 20
    assert "a bound" in near.note
    alone = label_costs(N, {"random": _palm(N)[:, None]}, 0.5)[0]
    assert np.isnan(alone.low)
    label_costs(N, curves, 0.5).plot()


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        ({"a": _seeds(_palm(N))}, {}, "baseline 'random' has no scores"),
        ({"random": _seeds(_palm(N)), "a": _seeds(_palm(N), 3)}, {}, "the same\n? ?seeds"),
        ({"random": _palm(N)}, {}, "n_stages, n_seeds"),
        ({"random": _seeds(_palm(N))}, {"n_bootstrap": 0}, "n_bootstrap"),
        ({1: _seeds(_palm(N))}, {}, "'random' has no scores; there are 1"),
        ({}, {}, "'random' has no scores; there are none"),
        ({"random": _seeds(_palm(N))}, {"target": np.nan}, "'target' .* a finite score"),
        ({"random": _seeds(_palm(N))}, {"target": "0.9"}, "Write target=0.9, without quotes"),
    ],
)
def test_bad_costs_are_refused(scores, settings, message):
    with pytest.raises(ValueError, match=message):
        label_costs(N, scores, **{"target": 0.5, **settings})


# -- curves ------------------------------------------------------------------------------------


def _points(names=("random", "margin"), seeds=range(6), stages=(10, 20, 40)):
    rng = np.random.default_rng(0)
    return [
        CurvePoint(name, seed, n, float(rng.uniform(0.5, 1)), cpu_s=n / 10)
        for name in names
        for seed in seeds
        for n in stages
    ]


def test_areas_tests_and_intervals_are_those_of_scipy_and_statsmodels():
    report = CurveReport(_points(("random", "a", "b", "c"), range(12)))
    curves, areas = report.curves(), report.areas()
    x = np.array([10, 20, 40])
    np.testing.assert_allclose(areas["a"], np.trapezoid(curves["a"], x, axis=0) / 30)
    found = report.compare()
    pvalues = [stats.wilcoxon(areas[n], areas["random"], method="exact").pvalue for n in "abc"]
    np.testing.assert_allclose([row.pvalue for row in found], pvalues)
    corrected = [row.pvalue_holm for row in found]
    multipletests = pytest.importorskip("statsmodels.stats.multitest").multipletests
    np.testing.assert_allclose(corrected, multipletests(pvalues, method="holm")[1])
    np.testing.assert_allclose(corrected, holm(pvalues))
    difference = areas["a"] - areas["random"]
    interval = stats.ttest_rel(areas["a"], areas["random"]).confidence_interval()
    np.testing.assert_allclose((found[0].low, found[0].high), (interval.low, interval.high))
    boot = report.compare(interval="bootstrap")[0]
    theirs = stats.bootstrap(
        (difference,), np.mean, method="percentile", random_state=0, vectorized=True
    ).confidence_interval
    np.testing.assert_allclose((boot.low, boot.high), (theirs.low, theirs.high), atol=5e-3)
    assert report.compare(measure="last")[0].mean_difference == pytest.approx(
        np.mean(curves["a"][-1] - curves["random"][-1])
    )


def test_intervals_of_one_pair_and_of_equal_pairs():
    one = compare_strategies({"random": [0.5], "a": [0.6]}, interval="bootstrap")[0]
    assert np.isnan(one.low)
    same = compare_strategies({"random": [0.5] * 6, "a": [0.6] * 6}, interval="bootstrap")[0]
    assert same.low == pytest.approx(same.high) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="interval"):
        compare_strategies({"random": [0.5], "a": [0.6]}, interval="z")


def test_a_report_of_curves_is_a_report(tmp_path):
    report = CurveReport(_points())
    assert report.strategies == ["random", "margin"]
    assert report.table.splitlines()[0].startswith("| strategy | seeds | area (%) | at 40 labels")
    assert "4.0" in report.table.splitlines()[2]  # CPU seconds
    report.to_csv(tmp_path / "curves.csv")
    frame = report.to_frame()
    again = CurveReport.from_records(frame.assign(more=1).to_dict("records"))
    assert again.rows == report.rows
    report.plot()
    with pytest.raises(ValueError, match="measure must be"):
        report.compare(measure="best")


def test_a_file_read_by_pandas_holds_the_same_curves(tmp_path):
    pandas = pytest.importorskip("pandas")
    failed = CurvePoint("margin", 6, 20, np.nan, 2.0, "ValueError: no")
    for rows in (_points(), [*_points(), failed]):
        report = CurveReport(rows)
        report.to_csv(tmp_path / "curves.csv")
        again = CurveReport.from_records(
            pandas.read_csv(tmp_path / "curves.csv").to_dict("records")
        )
        assert again.notes == report.notes
        assert again.table == report.table
        np.testing.assert_equal(again.areas(), report.areas())


def test_scores_that_are_no_shares_are_not_shown_as_percent(iris, tmp_path):
    settings = {"budget": 20, "n_seeds": 2, "random_state": 0}
    report = compare_curves(
        LogisticRegression(max_iter=500), *iris, ["random"], scoring="neg_log_loss", **settings
    )
    assert not report.percent
    assert "%" not in report.table
    assert CurveReport.from_records(report.to_frame().to_dict("records")).table == report.table
    report = compare_curves(LogisticRegression(max_iter=500), *iris, ["random"], **settings)
    assert report.percent


def test_runs_that_are_not_complete_are_no_pairs():
    points = [p for p in _points() if (p.strategy, p.seed, p.n_labels) != ("margin", 2, 40)]
    report = CurveReport([*points, CurvePoint("margin", 2, 20, np.nan, error="ValueError: no")])
    assert np.isnan(report.areas()["margin"][2])
    assert report.compare()[0].n_pairs == 5
    assert report.notes == ["margin, seed 2, 20 labels: ValueError: no."]
    none = CurveReport([p for p in points if p.strategy == "random" or p.n_labels < 40])
    with pytest.raises(ValueError, match="no seed is complete|no seed has a complete curve"):
        none.label_costs(0.5)


def _straight(name, seed, stages, slope=0.005, start=0.2):
    """A curve that is a line: interpolation changes nothing."""
    return [CurvePoint(name, seed, n, start + slope * n, cpu_s=float(n)) for n in stages]


def test_a_run_whose_first_sample_was_enlarged_is_complete():
    grids = {seed: range(10, 60, 10) for seed in range(5)}
    grids |= {5: [13, 23, 33, 43, 50], 6: [30, 40, 50]}  # the last query is cut to the budget
    report = CurveReport(
        [p for seed, n in grids.items() for name, slope in (("random", 0.005), ("margin", 0.01))
         for p in _straight(name, seed, n, slope)]
    )  # fmt: skip
    assert report.n_labels.tolist() == [10, 20, 30, 40, 50]
    middles = np.array([30] * 5 + [31.5, 40])
    np.testing.assert_allclose(report.areas()["random"], 0.2 + 0.005 * middles)
    np.testing.assert_allclose(report.last()["margin"], 0.7)
    assert report.compare()[0].n_pairs == 7
    assert report.table.splitlines()[2].endswith("| 50.0 |")
    assert not report.notes
    line = 0.2 + 0.005 * report.n_labels  # what the law of 23 labels has at 20 is on the line
    curves = report.curves()["random"]
    np.testing.assert_allclose(curves[:, 5], [np.nan, *line[1:]])
    np.testing.assert_allclose(curves[:, 6], [np.nan, np.nan, *line[2:]])


def test_labels_are_counted_from_where_all_seeds_have_a_score():
    enlarged = np.array([33, *N[1:]])
    curves = CurveReport(
        [
            CurvePoint(name, seed, int(n), float(_palm(n)))
            for name in ("random", "margin")
            for seed in range(7)
            for n in (enlarged if seed == 6 else N)
        ]
    )
    assert curves.label_costs(_palm(100), n_bootstrap=20)[0].n_labels == pytest.approx(
        100, rel=0.01
    )
    bound = curves.label_costs(0.1, n_bootstrap=20)[0]
    assert bound.n_labels == 33
    assert "a bound" in bound.note


def test_a_run_is_never_put_under_numbers_of_labels_that_it_did_not_buy():
    random = [p for seed in range(6) for p in _straight("random", seed, (10, 20, 30))]
    other = [p for seed in range(6) for p in _straight("a", seed, (30, 60, 90))]
    report = CurveReport(random + other)
    assert report.n_labels.tolist() == [30, 60, 90]
    curves = report.curves()
    np.testing.assert_allclose(curves["random"][:, 0], [0.35, np.nan, np.nan])
    np.testing.assert_allclose(curves["a"][:, 0], [0.35, 0.5, 0.65])
    assert np.isnan(np.concatenate(list(report.areas().values()))).all()
    assert report.notes[0] == "random, seed 0: 30 of 90 labels; it has no area."
    assert report.notes[6] == (
        "a, seed 0: starts with 30 labels, others of its seed with 10; it has no area."
    )
    halved = [p for seed in range(6) for p in _straight("half", seed, range(10, 95, 5))]
    whole = [p for seed in range(6) for p in _straight("random", seed, (10, 50, 90))]
    areas = CurveReport(whole + halved).areas()
    np.testing.assert_allclose(areas["half"], areas["random"])


def test_what_has_no_area_is_said():
    points = [*_straight("random", 0, (10, 20, 30)), *_straight("random", 1, (10, 20)),
              CurvePoint("random", 2, 0, np.nan, error="ValueError: no"),
              *_straight("margin", 0, (10, 30)), *_straight("margin", 0, (20, 20)),
              *_straight("margin", 1, (10, 30)), CurvePoint("margin", 1, 20, np.nan)]  # fmt: skip
    report = CurveReport(points)
    np.testing.assert_allclose(report.areas()["random"], [0.3, np.nan, np.nan])
    np.testing.assert_allclose(report.areas()["margin"], [0.3, np.nan, np.nan])
    assert report.notes == [
        "random, seed 2, 0 labels: ValueError: no.",
        "random, seed 1: 20 of 30 labels; it has no area.",
        "margin, seed 0: several scores with 20 labels; the last is taken.",
        "margin, seed 1: no score with 20 labels; it has no area.",
    ]


def test_a_report_of_failures_alone_says_so():
    failed = [CurvePoint("random", seed, 0, np.nan, error="ValueError: no") for seed in (0, 1)]
    report = CurveReport(failed)
    assert len(report.n_labels) == 0
    assert "ValueError: no" in repr(report)
    assert np.isnan(report.areas()["random"]).all()
    assert np.isnan(report.last()["random"]).all()


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")  # before the first query
def test_all_have_the_same_start_and_a_semi_supervised_one_stands_beside(iris):
    entries = {
        "random": "random",
        "margin": Margin(),
        "self-training": Entry(
            "random", SelfTrainingClassifier(LogisticRegression(max_iter=500)), {"use_pool": True}
        ),
    }
    settings = {"budget": 30, "n_seeds": 3, "random_state": 0}
    report = compare_curves(LogisticRegression(max_iter=500), *iris, entries, **settings)
    curves = report.curves()
    assert list(curves) == list(entries)
    assert not report.notes
    np.testing.assert_array_equal(curves["random"][0], curves["margin"][0])
    assert (curves["random"][1:] != curves["margin"][1:]).any()
    assert (curves["self-training"] != curves["random"]).any()
    two = list(entries)[:2]
    again = compare_curves(LogisticRegression(max_iter=500), *iris, two, **settings)
    for name in two:
        np.testing.assert_array_equal(again.curves()[name], curves[name])
    assert all(row.cpu_s > 0 for row in report)


def test_the_learner_is_tuned_before_it_is_compared(iris):
    seen = []

    class Noting(LogisticRegression):
        def fit(self, X, y):
            seen.append((self.C, len(y)))
            return super().fit(X, y)

    compare_curves(
        Noting(max_iter=500), *iris, ["random"], budget=30, n_seeds=2, random_state=0,
        tune={"C": [1e-6, 1.0]},
    )  # fmt: skip
    searched, compared = seen[:7], seen[7:]
    assert {size for _, size in searched} == {20, 30}  # folds of a sample of the budget's size
    assert {c for c, _ in compared} == {1.0}


@pytest.mark.parametrize(("budget", "size"), [(1.0, 75), (0.2, 30), (150, 75), (149, 75)])
def test_it_is_tuned_on_as_many_as_are_bought_at_most_half(iris, budget, size):
    sizes = []

    class Noting(LogisticRegression):
        def fit(self, X, y):
            sizes.append(len(y))
            return super().fit(X, y)

    grid = {"C": [1.0]}
    _tuned(Noting(max_iter=500), *iris, grid, None, budget, seed=0)
    assert max(sizes) == size


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"budget": -1}, "'budget' parameter of compare_curves"),
        ({"budget": "20"}, "Write budget=20, without quotes"),
        ({"n_initial": 0}, "'n_initial' parameter"),
        ({"n_per_query": 1.5}, "'n_per_query' parameter"),
        ({"budget": 2, "tune": {"C": [1]}}, "2 rows of 3 classes are too few.*larger budget"),
        ({"budget": 6, "tune": {"C": [1]}}, "6 rows of 3 classes are too few.*larger budget"),
    ],
)
def test_parameters_that_are_none_are_told_before_anything_runs(iris, settings, message):
    with pytest.raises(ValueError, match=message):
        compare_curves(LogisticRegression(), *iris, ["random"], **settings)


def test_a_report_without_runs_says_so():
    with pytest.raises(ValueError, match="no seed has a complete curve"):
        CurveReport([]).label_costs(0.9)
    with pytest.raises(ValueError, match="there are none"):
        CurveReport([]).compare()


def test_a_run_that_fails_is_shown_and_the_others_go_on(iris):
    def broken(classifier, X, **settings):
        raise RuntimeError("no idea")

    report = compare_curves(
        LogisticRegression(max_iter=500), *iris, {"random": "random", "broken": broken},
        budget=20, n_seeds=2, random_state=0,
    )  # fmt: skip
    assert len(report.notes) == 2
    assert "no idea" in report.notes[0]
    assert np.isfinite(report.areas()["random"]).all()
    assert np.isnan(report.areas()["broken"]).all()


def test_a_run_that_spent_its_cpu_buys_nothing_more(iris):
    report = compare_curves(
        LogisticRegression(max_iter=500), *iris, ["random"], budget=30, n_seeds=1, random_state=0,
        cpu_limit=1e-9,
    )  # fmt: skip
    assert [row.n_labels for row in report] == [10]


@pytest.mark.parametrize(
    ("entries", "settings", "message"),
    [
        ([], {}, "entries is empty"),
        (["random", "margn"], {}, "Did you mean 'margin'"),
        ({"plain": "random", "own": Entry("margn")}, {}, "Did you mean 'margin'"),
        (["random"], {"n_seeds": 0}, "n_seeds"),
        (["random"], {"test_size": 1.0}, "test_size"),
        (["random"], {"cpu_limit": 0}, "cpu_limit"),
    ],
)
def test_bad_protocols_are_refused(iris, entries, settings, message):
    with pytest.raises(ValueError, match=message):
        compare_curves(LogisticRegression(), *iris, entries, **settings)
