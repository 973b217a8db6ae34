"""Displays, what notebooks show, tables and progress."""

import contextlib
import itertools
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.calibration import calibration_curve
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ShuffleSplit, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from skorch import NeuralNetClassifier

from skactive import (
    ActiveLearner,
    AdversarialNetClassifier,
    BudgetedLearner,
    Committee,
    active_learning_curve,
)
from skactive.analysis import (
    ActiveLearningCurveDisplay,
    LedgerDisplay,
    PoolMapDisplay,
    SelectionBiasDisplay,
)
from skactive.attacks import PGD, TabularSquare
from skactive.labeling import LabelingSession
from skactive.losses import IBP, TRADES
from skactive.metrics import ReliabilityDisplay, RobustnessCurveDisplay, robustness_report
from skactive.metrics._reliability import binned
from skactive.networks import LeNet5
from skactive.strategies import Margin, RandomSampling
from skactive.utils.drawing import BASELINES, PALETTE, axes_for, series
from skactive.utils.progress import Progress, shown

matplotlib.use("Agg")
X, Y = load_iris(return_X_y=True)
RESULTS = {
    "random": ([10, 20], None, [[0.5, 0.6, 0.7], [0.7, 0.7, 0.7]]),
    "<margin>": ([10, 20], None, [[0.6, 0.6, 0.6], [0.8, 0.9, 1.0]]),
}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def logistic():
    return LogisticRegression(max_iter=500)


def taught(strategy="margin"):
    return ActiveLearner(logistic(), strategy, random_state=0).fit(X[::15], Y[::15])


# -- the look ---------------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance as the web's contrast rules define it."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_series_differ_by_more_than_colour():
    styles = [series(i) for i in range(42)]
    looks = {(s["color"], str(s["linestyle"]), s["marker"]) for s in styles}
    assert len(looks) == 42
    for first, second in itertools.pairwise(styles):
        assert first["marker"] != second["marker"]
        assert first["linestyle"] != second["linestyle"]
    for name in BASELINES:
        assert series(3, name)["color"] not in PALETTE


@pytest.mark.parametrize("colour", PALETTE)
def test_colours_are_seen_on_white_and_on_black(colour):
    found = luminance(colour)
    assert 1.05 / (found + 0.05) > 1.9
    assert (found + 0.05) / 0.05 > 3


def test_own_axes_have_the_look_and_others_stay():
    ours = axes_for(None, what="a test")
    assert not ours.spines["top"].get_visible()
    theirs = plt.subplots()[1]
    assert axes_for(theirs, what="a test") is theirs
    assert theirs.spines["top"].get_visible()


# -- curves -----------------------------------------------------------------------------------


def test_a_curve_is_the_mean_and_students_interval():
    display = ActiveLearningCurveDisplay.from_results(RESULTS, score_name="accuracy")
    line, area = display.lines_[1], display.bands_[1]
    assert_allclose(line.get_ydata(), [0.6, 0.9])
    vertices = area.get_paths()[0].vertices
    high = vertices[vertices[:, 0] == 20][:, 1].max()
    assert high == pytest.approx(0.9 + 4.302653 * 0.1 / np.sqrt(3))  # t of 2 degrees of freedom
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == list(RESULTS)
    assert display.ax_.get_ylabel() == "Accuracy"
    assert display.lines_[0].get_color() not in PALETTE
    bare = display.plot(confidence=None)
    assert bare.bands_ == [None, None]
    frame = display.to_frame()
    assert list(frame.columns) == ["strategy", "n_labels", "run", "accuracy"]
    assert_allclose(frame[frame.strategy == "<margin>"].accuracy, np.ravel(RESULTS["<margin>"][2]))


def test_a_second_display_on_the_same_axes_looks_different():
    first = ActiveLearningCurveDisplay.from_results({"margin": RESULTS["<margin>"]})
    again = ActiveLearningCurveDisplay.from_results({"dre": RESULTS["random"]}, ax=first.ax_)
    assert again.lines_[0].get_color() != first.lines_[0].get_color()
    assert again.lines_[0].get_marker() != first.lines_[0].get_marker()
    curve = RobustnessCurveDisplay([0, 0.1], [0.9, 0.5]).plot()
    other = RobustnessCurveDisplay([0, 0.1], [0.8, 0.1]).plot(ax=curve.ax_)
    assert other.line_.get_color() != curve.line_.get_color()


def test_marks_of_a_long_curve_neither_touch_nor_meet_its_neighbours():
    n_labels = np.arange(99)
    long = {"a": (n_labels, n_labels / 99), "b": (n_labels, n_labels / 98)}
    one, two = (line.get_markevery() for line in ActiveLearningCurveDisplay(long).plot().lines_)
    assert len(n_labels[one[0] :: one[1]]) <= 15
    assert not {*n_labels[one[0] :: one[1]]} & {*n_labels[two[0] :: two[1]]}
    few = ActiveLearningCurveDisplay.from_results(RESULTS).lines_
    assert [line.get_markevery() for line in few] == [None, None]


def test_runs_that_ended_early_leave_the_others_their_mean():
    scores = [[0.5, 0.7], [0.9, np.nan], [np.nan, np.nan]]
    display = ActiveLearningCurveDisplay({"margin": ([10, 20, 30], scores)}).plot()
    assert_allclose(display.lines_[0].get_ydata(), [0.6, 0.9, np.nan])
    alone = ActiveLearningCurveDisplay({"margin": ([10, 20], [0.5, 0.6])}).plot()
    assert alone.bands_ == [None]


def test_a_display_runs_strategies_on_the_same_splits():
    params = {"budget": 20, "cv": 2, "random_state": 0, "scoring": "accuracy"}
    asked = [Margin(), "random"]
    display = ActiveLearningCurveDisplay.from_estimator(logistic(), X, Y, asked, **params)
    assert list(display.curves) == ["Margin", "random"]
    assert display.score_name == "accuracy"
    _, _, test = active_learning_curve(logistic(), X, Y, query_strategy="random", **params)
    assert_array_equal(display.curves["random"][1], test)


@pytest.mark.parametrize("cv", [3, ShuffleSplit(3), "generator"])
@pytest.mark.parametrize("make_state", [lambda: 0, lambda: None, np.random.RandomState])
def test_strategies_share_splits_and_seeds_whatever_draws_them(make_state, cv):
    if cv == "generator":
        cv = StratifiedKFold(3).split(X, Y)
    params = {"budget": 20, "cv": cv, "random_state": make_state()}
    twice = {"one": "random", "the same": "random"}
    curves = ActiveLearningCurveDisplay.from_estimator(logistic(), X, Y, twice, **params).curves
    assert_array_equal(*(scores for _, scores in curves.values()))


def test_a_display_of_a_table_in_partitions_runs_on_the_splits_of_its_rows():
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    params = {"budget": 20, "cv": 2, "random_state": 0}
    table = pyarrow.table({f"feature {i}": column for i, column in enumerate(X.T)})
    of_table, of_rows = (
        ActiveLearningCurveDisplay.from_estimator(logistic(), data, Y, ["random"], **params)
        for data in (table, X)
    )
    assert_array_equal(of_table.curves["random"][1], of_rows.curves["random"][1])


def test_a_curve_of_several_scorers_asks_for_one():
    scores = {"accuracy": [[0.5]], "loss": [[0.1]]}
    results = {"random": ([10], None, scores)}
    chosen = ActiveLearningCurveDisplay.from_results(results, score_name="loss")
    assert chosen.lines_[0].get_ydata().tolist() == [0.1]
    for name in (None, "los"):
        with pytest.raises(ValueError, match="score_name must be one of the scorers, accuracy"):
            ActiveLearningCurveDisplay.from_results(results, score_name=name)
    with pytest.raises(ValueError, match=r"curve of 'a' must be .* got \(2,\) and \(1, 1\)"):
        ActiveLearningCurveDisplay({"a": ([1, 2], [[0.5]])})
    with pytest.raises(ValueError, match="a strategy or more"):
        ActiveLearningCurveDisplay({})
    twice = [Margin(), Margin()]
    with pytest.raises(ValueError, match="must have a name each, got Margin, Margin"):
        ActiveLearningCurveDisplay.from_estimator(logistic(), X, Y, twice)


@pytest.mark.parametrize("confidence", [95, 0, 1, -1, "0.95", True])
def test_a_confidence_is_a_share(confidence):
    display = ActiveLearningCurveDisplay({"a": ([10, 20], [[0.5, 0.6], [0.6, 0.7]])})
    with pytest.raises(ValueError, match=r"'confidence' .* a share in \(0, 1\) or None"):
        display.plot(confidence=confidence)
    assert display.plot(confidence=None).bands_ == [None]


@pytest.mark.parametrize("n_repeats", [0, -1, 1.5, "2"])
def test_a_curve_has_a_run_or_more(n_repeats):
    with pytest.raises(ValueError, match="'n_repeats' parameter of active_learning_curve"):
        active_learning_curve(logistic(), X, Y, budget=20, cv=2, n_repeats=n_repeats)


@pytest.mark.parametrize("n_samples", [[0], [-1]])
def test_bins_have_samples(n_samples):
    with pytest.raises(ValueError, match="n_samples must hold a bin or more, with samples each"):
        ReliabilityDisplay([0.5], [0.5], n_samples)
    with pytest.raises(ValueError, match="a bin or more"):
        ReliabilityDisplay([], [], [])


def test_a_curve_of_radii_in_any_order_is_the_same():
    eps, accuracy, certified = [0, 0.1, 0.1, 0.2], [0.95, 0.8, 0.7, 0.4], [0.95, 0.5, 0.4, 0.1]
    curve = RobustnessCurveDisplay(eps, accuracy, certified=certified)
    for order in itertools.permutations(range(4)):
        radii, kept, proved = (np.take(part, order) for part in (eps, accuracy, certified))
        mixed = RobustnessCurveDisplay(radii, kept, certified=proved)
        assert mixed.area == curve.area == pytest.approx(0.7125)
        assert mixed._records() == curve._records()
    line = RobustnessCurveDisplay([0.1, 0, 0.2], [0.8, 0.95, 0.4]).plot().line_
    assert_array_equal(line.get_xdata(), [0, 0.1, 0.2])
    assert_array_equal(line.get_ydata(), [0.95, 0.8, 0.4])


@pytest.mark.parametrize(
    ("eps", "accuracy", "certified"),
    [
        ([0, 0.1], [0.9], None), ([], [], None), ([[0.1]], [[0.9]], None),
        ([0, np.nan], [0.9, 0.5], None), ([-0.1, 0], [0.9, 0.5], None),
        ([0, 0.1], [0.9, 0.5], [0.1]),
    ],
)  # fmt: skip
def test_a_curve_has_radii_and_an_accuracy_for_each(eps, accuracy, certified):
    with pytest.raises(ValueError, match=r"finite radii >= 0, shape \(n_radii,\), and accur"):
        RobustnessCurveDisplay(eps, accuracy, certified=certified)


def test_learning_curves_are_drawn_from_the_fewest_labels_on():
    display = ActiveLearningCurveDisplay({"a": ([30, 10, 20], [0.9, 0.5, 0.7])}).plot()
    assert_array_equal(display.lines_[0].get_xdata(), [10, 20, 30])
    assert_array_equal(display.lines_[0].get_ydata(), [0.5, 0.7, 0.9])


# -- maps -------------------------------------------------------------------------------------


def test_a_map_shows_what_a_query_would_pick_and_changes_nothing():
    learner = taught()
    before = learner.query(X, 5)[0]
    display = PoolMapDisplay.from_estimator(learner, X, ["margin", "coreset", "random"], n=5)
    assert_array_equal(display.picks["margin"], before)
    assert_array_equal(learner.query(X, 5)[0], before)
    assert learner.query_strategy == "margin"
    assert len(display.axes_) == 3
    assert [ax.get_title() for ax in display.axes_] == ["margin", "coreset", "random"]
    assert set(np.arange(150)[::15]) <= set(display.labeled)  # and copies of them
    assert not set(display.labeled) & set(np.concatenate(list(display.picks.values())))
    assert_array_equal(display.labels, learner.predict(X))
    frame = display.to_frame()
    assert frame["rank, margin"].notna().sum() == 5
    assert_array_equal(frame.labelled.to_numpy().nonzero()[0], display.labeled)


def test_a_map_of_a_cold_start_of_a_classifier_and_of_own_axes():
    cold = PoolMapDisplay.from_estimator(ActiveLearner(logistic()), X, ["typiclust"], n=3)
    assert cold.labels is None
    fitted = logistic().fit(X, Y)
    ours = PoolMapDisplay.from_estimator(
        fitted, X, {"a": RandomSampling(), "b": "margin"}, 4, y=Y, embedding=X[:, :2]
    )
    assert_array_equal(ours.positions, X[:, :2])
    axes = plt.subplots(1, 2)[1]
    assert list(ours.plot(axes, numbered=True).axes_) == list(axes)
    doubled = PoolMapDisplay.from_estimator(fitted, X, ["margin"], 2, embedding=lambda X: X * 2)
    assert doubled.positions.shape == (150, 2)
    one = PoolMapDisplay.from_estimator(fitted, X, "margin", 2, embedding=X[:, 0])
    assert not one.positions[:, 1].any()
    for embedding, message in (("umap", "embedding must be"), (X[:5], "a row for each of the 150")):
        with pytest.raises(ValueError, match=message):
            PoolMapDisplay.from_estimator(fitted, X, ["margin"], embedding=embedding)
    with pytest.raises(ValueError, match="query_strategies must be given"):
        PoolMapDisplay.from_estimator(fitted, X)
    with pytest.raises(ValueError, match="shape"):
        PoolMapDisplay(X, {})


def test_a_map_of_a_pool_in_partitions_is_that_of_memory():
    arrow = pytest.importorskip("pyarrow")
    frame, y = load_iris(return_X_y=True, as_frame=True)
    learner = ActiveLearner(logistic(), random_state=0).fit(frame[::15], y[::15])
    maps = [
        PoolMapDisplay.from_estimator(learner, pool, ["margin"], n=5)
        for pool in (frame, arrow.Table.from_pandas(frame))
    ]
    assert maps[0].picks["margin"].tolist() == maps[1].picks["margin"].tolist()
    assert_allclose(maps[0].positions, maps[1].positions)
    assert_array_equal(maps[0].labeled, maps[1].labeled)


def test_picks_of_a_map_are_positions_or_masks():
    n = len(X)
    picked, labelled = np.arange(n) < 5, np.arange(n) > n - 4
    display = PoolMapDisplay(X[:, :2], {"a": picked}, labeled=labelled).plot()
    assert_array_equal(display.picks["a"], np.arange(5))
    assert_array_equal(display.labeled, np.arange(n - 3, n))
    for wrong in ([n], [-1], [1, 1], [0.5], picked[1:]):
        with pytest.raises(ValueError, match=r"picks\['a'\] .*must"):
            PoolMapDisplay(X[:, :2], {"a": wrong})
        with pytest.raises(ValueError, match="labeled .*must"):
            PoolMapDisplay(X[:, :2], {"a": [1]}, labeled=wrong)
    assert PoolMapDisplay(X[:, :2], {"a": []}, labeled=[]).picks["a"].size == 0
    with pytest.raises(ValueError, match="picks must hold a strategy"):
        PoolMapDisplay(X[:, :2], {})
    two = PoolMapDisplay(X[:, :2], {"a": [1], "b": [2]})
    with pytest.raises(ValueError, match="ax must hold Axes for each of 2 strategies, got 1"):
        two.plot(plt.subplots()[1])


def test_a_map_of_a_single_sample_has_one_place():
    display = PoolMapDisplay.from_estimator(logistic().fit(X, Y), X[:1], ["margin"], n=1)
    assert display.positions.shape == (1, 2)


# -- calibration ------------------------------------------------------------------------------


def test_reliability_equals_a_loop_over_bins():
    model = GaussianNB().fit(X[::2, :2], Y[::2])
    proba, truth = model.predict_proba(X[1::2, :2]), Y[1::2]
    display = ReliabilityDisplay.from_estimator(model, X[1::2, :2], truth, n_bins=5, name="nb")
    found, error = [], 0.0
    for low in np.arange(5) / 5:
        rows = [i for i, p in enumerate(proba) if low <= p.max() < low + 0.2 or p.max() == low + 1]
        if rows:
            confidence = np.mean([proba[i].max() for i in rows])
            right = np.mean([proba[i].argmax() == truth[i] for i in rows])
            found.append((confidence, right, len(rows)))
            error += len(rows) / len(truth) * abs(right - confidence)
    assert_allclose(display.to_frame().to_numpy(), found)
    assert display.error == pytest.approx(error)
    assert f"{error:.3f}" in display.ax_.get_legend().get_texts()[0].get_text()
    halves = ReliabilityDisplay.from_predictions(truth, proba, n_bins=3, binning="quantile")
    assert halves.n_samples.tolist() == [25, 25, 25]
    for wrong, message in (({"n_bins": 0}, "n_bins"), ({"binning": "even"}, "binning")):
        with pytest.raises(ValueError, match=message):
            ReliabilityDisplay.from_predictions(truth, proba, **wrong)
    with pytest.raises(ValueError, match=r"proba must be of shape .* \(75, 3\)"):
        ReliabilityDisplay.from_predictions(truth, proba[:, :2], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="same shape"):
        ReliabilityDisplay([0.5], [0.5], [1, 2])
    with pytest.raises(ValueError, match=r"labels the estimator does not know: \['0', '1', '2'\]"):
        ReliabilityDisplay.from_estimator(model, X[1::2, :2], truth.astype(str))


def test_reliability_of_a_net_with_outputs_that_it_was_never_taught():
    inputs, y = X[::3].astype(np.float32), np.where(Y[::3] > 0, 2, 0)
    net = NeuralNetClassifier(
        torch.nn.Linear(4, 3), criterion=torch.nn.CrossEntropyLoss, max_epochs=1,
        train_split=None, verbose=0,
    ).fit(inputs, y)  # fmt: skip
    found = ReliabilityDisplay.from_estimator(net, inputs, y)
    expected = ReliabilityDisplay.from_predictions(y, net.predict_proba(inputs))
    assert_array_equal(found.accuracy, expected.accuracy)
    assert found.n_samples.sum() == len(y)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("n_votes", [5, 7, 10, 20, 100])
@pytest.mark.parametrize("n_bins", [1, 5, 10, 15])
def test_a_confidence_at_an_edge_belongs_to_the_bin_below(n_votes, n_bins, dtype):
    votes = np.arange(n_votes + 1)
    wanted = np.maximum(-(-votes * n_bins // n_votes), 1)  # (a, b] in integers, 0 in the first
    summed = np.append(0, np.cumsum(np.full(n_votes, 1 / n_votes)))
    for confidence in (votes / n_votes, 1 - (1 - votes / n_votes), summed):
        sizes = binned(confidence.astype(dtype), votes > 0, n_bins, "uniform")[2]
        assert_array_equal(sizes, np.unique(wanted, return_counts=True)[1])


def test_votes_that_are_right_as_often_as_they_say_have_no_error():
    votes, place = np.divmod(np.arange(60, 100), 10)  # ten samples each of 6, 7, 8 and 9 votes
    proba = np.column_stack([10 - votes, votes]) / 10
    display = ReliabilityDisplay.from_predictions(place < votes, proba, [False, True])
    assert display.n_samples.tolist() == [10, 10, 10, 10]
    assert_allclose(display.accuracy, [0.6, 0.7, 0.8, 0.9])
    assert display.error == 0


@pytest.mark.parametrize("binning", ["uniform", "quantile"])
def test_bins_are_those_of_scikit_learns_calibration_curve(binning):
    rng = np.random.default_rng(0)
    tied = np.repeat(rng.random(40), rng.integers(1, 9, 40))
    for confidence in (rng.random(1001), tied, np.array([0.0, 0.25, 1.0]), np.ones(5)):
        correct = rng.random(len(confidence)) < confidence
        for n_bins in (1, 2, 8, 16):
            accuracy, mean = calibration_curve(
                correct, confidence, pos_label=True, n_bins=n_bins, strategy=binning
            )
            found = binned(confidence, correct, n_bins, binning)
            assert_allclose(found[:2], (mean, accuracy))
            assert found[2].sum() == len(confidence)


def test_rounding_of_the_quantiles_moves_no_sample():
    for n_bins in range(2, 30):
        confidence = np.arange(10 * n_bins + 1) / (10 * n_bins)  # all edges are samples
        sizes = binned(confidence, confidence > 0.5, n_bins, "quantile")[2]
        assert sizes.tolist() == [11, *[10] * (n_bins - 1)]


# -- the ledger ---------------------------------------------------------------------------------


def test_the_ledger_is_the_history_as_table_frame_and_picture(tmp_path):
    learner = taught()
    learner.teach(X[1:6], Y[1:6]).relabel(rows=[0], y=[1])
    learner.history_[-1]["robust"] = 0.25
    ledger = learner.ledger_
    assert list(ledger) == learner.history_
    assert ledger.to_frame()["n_labels"].tolist() == [10, 15, 15]
    head, body = ledger.cells()
    assert head[-1] == "robust"
    assert [line[-1] for line in body] == ["", "", "0.25"]
    assert "pseudo" not in head
    ledger.to_csv(tmp_path / "ledger.csv")
    bars = LedgerDisplay.from_estimator(learner).bars_
    assert [bar.get_height() for bar in bars["bought"]] == [10, 15, 15]
    assert ledger.plot().get_xticklabels()[2].get_text() == "1*"
    model = BudgetedLearner(logistic(), budget=30, random_state=0).fit(X, Y)
    assert list(model.ledger_) == model.learner_.history_
    with pytest.raises(ValueError, match="nothing was taught yet"):
        LedgerDisplay([])
    with pytest.raises(NotFittedError):
        LedgerDisplay.from_estimator(ActiveLearner(logistic()))


def test_pseudo_labels_by_the_thousand_do_not_hide_those_bought():
    rows = [{"round": 0, "n_labels": 10, "pseudo": 5000}, {"round": 1, "n_labels": 20}]
    display = LedgerDisplay(rows).plot()
    assert list(display.bars_) == ["bought", "pseudo-labels"]
    assert display.ax_.get_yscale() == "log"
    assert display.to_frame()["pseudo"].isna().tolist() == [False, True]


# -- notebooks ----------------------------------------------------------------------------------


def robust_net(**params):
    params = {"attack": PGD(eps=0.25, steps=2), **params}
    return AdversarialNetClassifier(LeNet5, max_epochs=1, random_state=0, **params)


def test_a_notebook_says_what_was_bought_and_what_a_net_is_trained_on():
    learner = ActiveLearner(robust_net(), "dre", random_state=0)
    html = learner._repr_html_()
    assert "none yet: not fitted" in html
    assert "PGD, ε = 0.25 (Linf), 2 steps" in html
    images = np.random.default_rng(0).random((20, 1, 28, 28), dtype=np.float32)
    learner.fit(images, np.array(["<i>cat</i>", "dog"] * 10))
    learner.history_[-1]["robust"] = 0.125
    html = learner._repr_html_()
    for text in ("20 in 1 round", "&lt;i&gt;cat&lt;/i&gt;, dog", "0.125", "Ledger (1)", "<details"):
        assert text in html
    assert "<i>cat" not in html
    assert learner._repr_mimebundle_()["text/html"].startswith("<table>")
    report = robustness_report(learner, images, learner.predict(images), PGD(eps=0.1, steps=1))
    assert report.notes[0] == "PGD, ε = 0.1 (Linf), 1 steps, on 20 samples."


@pytest.mark.parametrize(
    ("amounts", "words"),
    [((10, 5, 50), "50 labels, 5 a round"), ((0.1, 0.05, 1.0), "100 % of the labels, 5 % a round")],
)
def test_a_notebook_tells_counts_and_shares_of_a_budget_apart(amounts, words):
    names = ("n_initial", "n_per_query", "budget")
    learner = BudgetedLearner(GaussianNB(), **dict(zip(names, amounts, strict=True)))
    assert words in learner._repr_html_()


def test_a_notebook_shows_the_end_of_a_long_ledger():
    learner = taught()
    learner.history_ = [dict(learner.history_[0], round=i, n_labels=1000 + i) for i in range(60)]
    html = learner._repr_html_()
    assert "Ledger (60, the last 50)" in html
    assert "<td>1009</td>" not in html
    assert "<td>1010</td>" in html


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"attack": None}, "none: standard training"),
        ({"attack": None, "loss": IBP(eps=0.1)}, "bounds over ε = 0.1 (Linf)"),
        ({"loss": IBP()}, "bounds over ε = 0.25 (Linf)"),
        ({"loss": TRADES(beta=3)}, "TRADES(beta=3)"),
        ({"unlabeled": "rst"}, "RST()"),
    ],
)
def test_a_net_says_how_it_is_trained(params, words):
    assert words in robust_net(**params)._repr_html_()


def test_display_text_turns_pictures_off_and_what_is_wrong_is_shown_all_the_same():
    for model in (taught(), Committee([GaussianNB()]), BudgetedLearner(logistic()), robust_net()):
        with config_context(display="text"):
            assert not hasattr(model, "_repr_html_")
            assert "text/html" not in model._repr_mimebundle_()
        assert "sk-" in model._repr_html_()  # scikit-learn's diagram below
    assert "sk-" in robust_net(attack="no such attack")._repr_html_()
    assert "ActiveLearner" in GridSearchCV(taught(), {})._repr_html_()


def test_a_session_says_how_far_it_is():
    session = LabelingSession(":memory:", X, learner=taught(), classes=[0, 1, 2])
    html = session._repr_html_()
    for text in ("pool", "150", "nobody yet"):
        assert text in html


# -- tables --------------------------------------------------------------------------------------

TABLES = [
    lambda: ActiveLearningCurveDisplay.from_results(RESULTS),
    lambda: PoolMapDisplay(X[:, :2], {"a": [1]}),
    lambda: ReliabilityDisplay([0.5], [0.5], [10]),
    lambda: RobustnessCurveDisplay([0, 0.1], [0.9, 0.5], certified=[0.9, 0.1]),
    lambda: SelectionBiasDisplay([[0.1, 0.2]], ["entropy"]),
    lambda: LedgerDisplay([{"round": 0, "n_labels": 1}]),
    lambda: taught().ledger_,
]


@pytest.mark.parametrize("make", TABLES)
def test_each_is_a_frame_and_a_file(make, tmp_path, monkeypatch):
    table = make()
    frame = table.to_frame()
    table.to_csv(tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].replace('"', "") == ",".join(frame.columns)
    assert len(lines) == 1 + len(frame) > 1
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"\.to_frame needs pandas: pip install"):
        table.to_frame()


@pytest.mark.parametrize("make", TABLES)
def test_without_matplotlib_the_extra_is_named(make, monkeypatch):
    table = make()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'needs matplotlib: pip install "skactive\[plot\]"'):
        table.plot()


# -- progress ------------------------------------------------------------------------------------


@pytest.fixture(params=["tqdm", "lines"])
def bar(request, monkeypatch):
    if request.param == "lines":
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    return request.param


def told(capsys):
    captured = capsys.readouterr()
    return captured.out + captured.err


def test_progress_is_shown_on_request(bar, capsys):
    budgeted = BudgetedLearner(logistic(), budget=30, random_state=0)
    quiet = budgeted.fit(X, Y).queried_indices_
    assert told(capsys) == ""
    budgeted.set_params(verbose=1).fit(X, Y)
    shown_text = told(capsys)
    assert "buying labels" in shown_text
    assert "30" in shown_text
    assert_array_equal(budgeted.queried_indices_, quiet)
    params = {"budget": 20, "cv": 2, "random_state": 0}
    before = active_learning_curve(logistic(), X, Y, **params)
    assert told(capsys) == ""
    after = active_learning_curve(logistic(), X, Y, verbose=1, **params)
    assert_array_equal(after[2], before[2])
    assert "runs of active learning" in told(capsys)
    square = TabularSquare(eps=0.1, n_queries=3, bounds=(0, 8))
    fitted = logistic().fit(X, Y)
    robustness_report(fitted, X[:20], Y[:20], square, batch_size=10, progress=True)
    assert "attacking" in told(capsys)


def test_a_round_a_line(capsys):
    BudgetedLearner(logistic(), budget=30, random_state=0, verbose=2).fit(X, Y)
    lines = told(capsys).splitlines()
    assert [line.split(":")[0] for line in lines] == ["round 0", "round 1", "round 2"]


def test_lines_come_every_tenth_and_at_the_end(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    assert list(shown(range(95), 95, "counting", "step")) == list(range(95))
    lines = told(capsys).splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("counting: 95 of 95 (step)")

    def gone(*args):
        raise BrokenPipeError

    monkeypatch.setattr("builtins.print", gone)
    assert list(shown(range(3), 3, "counting", "step")) == [0, 1, 2]


def test_an_error_closes_the_bar(bar, capsys):
    with contextlib.suppress(KeyError), Progress("counting", "step") as progress:
        progress.show(0, 2)
        progress.show(1, 2)
        raise KeyError
    assert "counting" in told(capsys)
