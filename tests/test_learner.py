"""The learner: rounds, ledger, extras, and what happens when something goes wrong."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, Perceptron, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skactive import ActiveLearner
from skactive.exceptions import CapabilityError
from skactive.strategies import CEAL, DRE, Margin, QueryStrategy, RandomSampling, Selection


@pytest.fixture
def data():
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], y[order]


def inherited_failures(learner):
    """What the estimator inside fails on its own, with scikit-learn's own reasons."""
    check = "check_sample_weight_equivalence_on_{}_data"
    if isinstance(learner.estimator, RandomForestClassifier):
        reason = "a forest draws its bootstrap samples regardless of the weights"
        return {check.format("dense"): reason, check.format("sparse"): reason}
    if hasattr(learner.estimator, "steps"):
        reason = "the weights go to the last step of a Pipeline, not to its scaler"
        # A scaler that centres refuses sparse rows; scikit-learn 1.6.0 asks all the same.
        return {check.format("dense"): reason, check.format("sparse"): "StandardScaler centres"}
    return {}


@parametrize_with_checks(
    [
        ActiveLearner(LogisticRegression()),
        ActiveLearner(make_pipeline(StandardScaler(), LogisticRegression()), DRE()),
        ActiveLearner(RandomForestClassifier(n_estimators=5), Margin(), random_state=0),
    ],
    expected_failed_checks=inherited_failures,
)
def test_sklearn_checks(estimator, check):
    check(estimator)


def test_rounds_grow_the_labelled_set_and_the_ledger(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(max_iter=500), "entropy", random_state=0)
    learner.fit(X[:15], y[:15])
    pool, y_pool = X[15:], y[15:]
    for _ in range(3):
        idx, X_new = learner.query(pool, n=5)
        assert_array_equal(X_new, pool[idx])
        learner.teach(X_new, y_pool[idx])
        pool, y_pool = np.delete(pool, idx, axis=0), np.delete(y_pool, idx)
    assert [row["n_labels"] for row in learner.history_] == [15, 20, 25, 30]
    assert [row["n_taught"] for row in learner.history_] == [15, 5, 5, 5]
    assert all(row["pseudo"] == row["adversarial"] == 0 for row in learner.history_)
    assert learner.X_labeled_.shape == (30, 4)
    assert_array_equal(learner.X_labeled_[:15], X[:15])
    assert learner.score(X, y) > 0.8


def test_a_run_is_repeated_exactly_by_its_seed(data):
    X, y = data

    def run(seed):
        learner = ActiveLearner(RandomForestClassifier(n_estimators=10), "dre", random_state=seed)
        learner.fit(X[:15], y[:15])
        for _ in range(2):
            idx, X_new = learner.query(X, n=5)
            learner.teach(X_new, y[idx])
        return learner.predict_proba(X)

    assert_array_equal(run(3), run(3))
    assert not np.array_equal(run(3), run(4))


def test_rounds_draw_differently_but_a_query_repeats(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), RandomSampling(), random_state=0)
    learner.fit(X[:15], y[:15])
    first, rows = learner.query(X, n=10)
    assert_array_equal(first, learner.query(X, n=10)[0])
    learner.teach(rows, y[first])
    assert not np.array_equal(first, learner.query(X, n=10)[0])


def test_query_leaves_the_global_generators_alone(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "random").fit(X[:15], y[:15])
    before, torch_before = np.random.get_state()[1].copy(), torch.random.get_rng_state()
    learner.query(X, n=10)
    assert_array_equal(before, np.random.get_state()[1])
    assert torch.equal(torch_before, torch.random.get_rng_state())


def test_candidates_restrict_without_copying(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:15], y[:15])
    allowed = np.arange(20, 90, 3)
    idx, rows = learner.query(X, n=7, candidates=allowed)
    assert set(idx) <= set(allowed)
    assert_array_equal(rows, X[idx])
    mask = np.zeros(len(X), dtype=bool)
    mask[allowed] = True
    assert_array_equal(idx, learner.query(X, n=7, candidates=mask)[0])


def test_scores_come_with_the_picks(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:15], y[:15])
    idx, _, scores = learner.query(X, n=7, return_scores=True)
    assert_allclose(scores, Margin().score_samples(learner.estimator_, X)[idx])
    assert np.all(np.diff(scores) <= 0)
    assert len(learner.query(X, n_instances=4)[0]) == 4


@pytest.mark.parametrize("container", ["csr", "tensor", "list", "frame"])
def test_rows_come_back_in_the_type_of_the_pool(data, container):
    X, y = data
    pd = pytest.importorskip("pandas")
    convert = {
        "csr": sp.csr_matrix,
        "tensor": torch.as_tensor,
        "list": lambda a: a.tolist(),
        "frame": lambda a: pd.DataFrame(a, columns=list("abcd")),
    }[container]
    learner = ActiveLearner(LogisticRegression(max_iter=500), "entropy", random_state=0)
    learner.fit(convert(X[:15]), y[:15])
    idx, rows = learner.query(convert(X), n=6)
    assert type(rows) is type(convert(X))
    learner.teach(rows, y[idx])
    assert learner.history_[-1]["n_labels"] == 21
    assert type(learner.X_labeled_) is type(rows)
    if container == "frame":
        assert list(learner.feature_names_in_) == list("abcd")


def test_string_labels_and_declared_classes(data):
    X, y = data
    names = np.array(["ash", "beech", "cedar"])[y]
    two = names != "cedar"
    learner = ActiveLearner(LogisticRegression(), classes=["ash", "beech", "cedar"], random_state=0)
    learner.fit(X[two][:20], names[two][:20])
    proba = learner.predict_proba(X)
    assert proba.shape == (150, 3)
    assert_array_equal(proba[:, 2], 0)
    learner.teach(X[~two][:20], names[~two][:20])
    assert set(learner.predict(X)) == {"ash", "beech", "cedar"}


def test_unknown_label_is_refused_and_nothing_is_lost(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), random_state=0).fit(X[:15], y[:15])
    before = learner.predict_proba(X)
    with pytest.raises(ValueError, match=r"in fit: \[7\]; known are \[0, 1, 2\].*classes="):
        learner.teach(X[20:22], [1, 7])
    with pytest.raises(ValueError, match=r"never seen in fit: \['1'\]"):
        learner.teach(X[20:22], ["1", "1"])
    assert_array_equal(before, learner.predict_proba(X))
    assert len(learner.y_labeled_) == 15
    learner.teach(X[20:22], y[20:22])
    assert len(learner.y_labeled_) == 17


@pytest.mark.parametrize("kind", [np.random.RandomState, np.random.default_rng])
def test_a_refused_fit_draws_no_random_number(data, kind):
    X, y = data
    learner, twin = (ActiveLearner(Fickle(), "random", random_state=kind(0)) for _ in range(2))
    with pytest.raises(RuntimeError):
        learner.fit(X, y)
    picks = [each.fit(X[:15], y[:15]).query(X, n=5)[0] for each in (learner, twin)]
    assert_array_equal(*picks)


class Fickle(LogisticRegression):
    """Fails, or is interrupted, when it sees more than 20 samples."""

    error: type[BaseException] = RuntimeError

    def fit(self, X, y, sample_weight=None):
        if len(X) > 20:
            self.coef_ = "half-trained"
            raise self.error("out of luck")
        return super().fit(X, y)


class Interrupted(Fickle):
    error = KeyboardInterrupt


@pytest.mark.parametrize("estimator", [Fickle(), Interrupted()])
def test_failed_teaching_loses_nothing(data, estimator):
    X, y = data
    learner = ActiveLearner(estimator, random_state=0).fit(X[:15], y[:15])
    before, history = learner.predict_proba(X), list(learner.history_)
    idx, rows = learner.query(X, n=10)
    with pytest.raises(estimator.error):
        learner.teach(rows, y[idx])
    assert_array_equal(before, learner.predict_proba(X))
    assert learner.history_ == history
    learner.teach(rows[:5], y[idx[:5]])
    assert len(learner.y_labeled_) == 20


def test_warm_start_continues_and_cold_does_not(data):
    X, y = data
    sgd = SGDClassifier(loss="log_loss", max_iter=1, tol=None, random_state=0)
    warm = ActiveLearner(sgd, "random", warm_start=True, random_state=0).fit(X[:30], y[:30])
    twin = clone(sgd).fit(X[:30], y[:30])
    idx, rows = warm.query(X, n=10)
    warm.teach(rows, y[idx])
    twin.partial_fit(np.r_[X[:30], rows], np.r_[y[:30], y[idx]])
    assert_array_equal(warm.estimator_.coef_, twin.coef_)
    cold = ActiveLearner(sgd, "random", random_state=0).fit(X[:30], y[:30])
    cold.teach(rows, y[idx])
    fresh = clone(sgd).fit(np.r_[X[:30], rows], np.r_[y[:30], y[idx]])
    assert_array_equal(cold.estimator_.coef_, fresh.coef_)


def test_warm_start_takes_changed_parameters(data):
    X, y = data
    sgd = SGDClassifier(loss="log_loss", alpha=1e-4, random_state=0)
    learner = ActiveLearner(sgd, "random", warm_start=True, random_state=0).fit(X[:30], y[:30])
    learner.set_params(estimator__alpha=0.5).teach(X[30:40], y[30:40])
    assert learner.estimator_.alpha == 0.5


def test_warm_start_in_a_pipeline(data):
    X, y = data
    pipe = make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss", random_state=0))
    learner = ActiveLearner(pipe, "entropy", warm_start=True, random_state=0).fit(X[:30], y[:30])
    idx, rows = learner.query(X, n=10)
    learner.teach(rows, y[idx])
    assert learner.estimator_[-1].t_ > 40
    assert_allclose(learner.estimator_[0].mean_, X[:30].mean(axis=0))


def test_warm_start_needs_an_estimator_that_can(data):
    X, y = data
    with pytest.raises(TypeError, match="KNeighborsClassifier.*warm_start=False"):
        ActiveLearner(KNeighborsClassifier(), warm_start=True).fit(X[:15], y[:15])


def test_only_new_trains_on_the_new_alone(data):
    X, y = data
    learner = ActiveLearner(GaussianNB(), "random").fit(X[:30], y[:30])
    learner.teach(X[30:60], y[30:60], only_new=True)
    assert len(learner.y_labeled_) == 60
    reference = GaussianNB().fit(X[:30], y[:30]).partial_fit(X[30:60], y[30:60])
    assert_allclose(learner.estimator_.theta_, reference.theta_)


def test_bootstrap_changes_what_is_trained_on_not_what_is_kept(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), random_state=0).fit(X[:60], y[:60])
    plain = clone(learner).fit(X[:60], y[:60]).teach(X[60:70], y[60:70])
    learner.teach(X[60:70], y[60:70], bootstrap=True)
    assert_array_equal(learner.X_labeled_, plain.X_labeled_)
    assert not np.allclose(learner.estimator_.coef_, plain.estimator_.coef_)


class Recorder(LogisticRegression):
    """Keeps what it was trained on."""

    def fit(self, X, y, sample_weight=None):
        self.X_seen_, self.y_seen_ = np.asarray(X), np.asarray(y)
        return super().fit(X, y)


def test_pseudo_labels_are_taught_for_one_round_and_never_bought(data):
    X, y = data
    learner = ActiveLearner(Recorder(max_iter=500), CEAL(threshold=0.3), random_state=0)
    learner.fit(X[:30], y[:30])
    pool, y_pool = X[30:], y[30:]
    found = CEAL(threshold=0.3).select(learner.estimator_, pool, 5)
    assert len(found.pseudo_indices) > 5
    idx, rows = learner.query(pool, n=5)
    learner.teach(rows, y_pool[idx])
    row = learner.history_[-1]
    assert row["n_labels"] == 35
    assert row["pseudo"] == len(found.pseudo_indices)
    assert len(learner.y_labeled_) == 35
    assert len(learner.estimator_.y_seen_) == 35 + row["pseudo"]
    learner.teach(X[:1], y[:1])  # no query in between: all pseudo-labels are withdrawn
    assert learner.history_[-1]["pseudo"] == 0
    assert len(learner.estimator_.y_seen_) == 36


class TwinStrategy(QueryStrategy):
    """Picks the first n and hands back each shifted by 100."""

    _requires = ()

    def _select(self, query):
        rows = np.asarray(query.X.take(np.arange(query.n)))
        return Selection(np.arange(query.n), twins=rows + 100)


def test_twins_are_taught_under_their_own_label_and_counted_once(data):
    X, y = data
    learner = ActiveLearner(Recorder(max_iter=2000), TwinStrategy(), random_state=0)
    learner.fit(X[:30], y[:30])
    pool, y_pool = X[30:], y[30:]
    idx, rows = learner.query(pool, n=4)
    shuffled = np.array([2, 0, 3])  # answers come in another order, one is missing
    learner.teach(rows[shuffled], y_pool[idx][shuffled])
    row = learner.history_[-1]
    assert (row["n_taught"], row["n_labels"], row["adversarial"]) == (3, 33, 3)
    assert_allclose(learner.estimator_.X_seen_[33:], rows[shuffled] + 100)
    assert_array_equal(learner.estimator_.y_seen_[33:], y_pool[idx][shuffled])
    idx, rows = learner.query(pool[10:], n=2)
    learner.teach(rows, y_pool[10:][idx])
    assert learner.history_[-1]["adversarial"] == 5  # twins stay
    assert len(learner.estimator_.y_seen_) == 40


def test_only_new_trains_on_new_twins_alone(data):
    X, y = data
    learner = ActiveLearner(Recorder(max_iter=2000), TwinStrategy()).fit(X[:30], y[:30])
    for start in (30, 60):
        idx, rows = learner.query(X[start:], n=20)
        learner.teach(rows, y[start:][idx], only_new=True)
    assert learner.history_[-1]["adversarial"] == 40
    assert len(learner.estimator_.y_seen_) == 40  # the last 20 and their twins


def test_rows_that_were_not_queried_have_no_twin(data):
    X, y = data
    learner = ActiveLearner(Recorder(max_iter=500), TwinStrategy()).fit(X[:30], y[:30])
    learner.query(X[30:], n=4)
    learner.teach(X[100:103], y[100:103])
    assert learner.history_[-1]["adversarial"] == 0


def test_sample_weights_stay_with_their_samples(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(max_iter=500), random_state=0)
    learner.fit(X[:30], y[:30], sample_weight=np.arange(30) + 1.0)
    learner.teach(X[30:40], y[30:40])
    learner.teach(X[40:50], y[40:50], sample_weight=np.full(10, 5.0))
    weights = np.r_[np.arange(30) + 1.0, np.ones(10), np.full(10, 5.0)]
    assert_array_equal(learner.sample_weight_, weights)
    reference = LogisticRegression(max_iter=500).fit(X[:50], y[:50], sample_weight=weights)
    assert_allclose(learner.estimator_.coef_, reference.coef_)
    pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    piped = ActiveLearner(pipe).fit(X[:50], y[:50], sample_weight=weights)
    expected = clone(pipe).fit(X[:50], y[:50], logisticregression__sample_weight=weights)
    assert_allclose(piped.estimator_[-1].coef_, expected[-1].coef_)
    with pytest.raises(TypeError, match=r"KNeighborsClassifier.fit does not take it"):
        ActiveLearner(KNeighborsClassifier()).fit(X[:50], y[:50], sample_weight=weights)
    with pytest.raises(ValueError, match=r"one number per new sample, shape \(2,\)"):
        learner.teach(X[:2], y[:2], sample_weight=np.ones(3))
    with pytest.raises(ValueError, match=r"one number per sample, shape \(50,\), got shape \(\)"):
        learner.fit(X[:50], y[:50], sample_weight=2.0)


@pytest.mark.parametrize(("warm_start", "only_new"), [(True, False), (False, True)])
def test_weights_reach_the_last_step_of_a_pipeline_when_training_goes_on(
    data, warm_start, only_new
):
    X, y = data
    weights = np.where(y == 1, 3.0, 1.0)
    pipe = make_pipeline(StandardScaler(), SGDClassifier(random_state=0))
    learner = ActiveLearner(pipe, "random", warm_start=warm_start, random_state=0)
    learner.fit(X[:50], y[:50], sample_weight=weights[:50])
    expected = clone(pipe).fit(X[:50], y[:50], sgdclassifier__sample_weight=weights[:50])
    learner.teach(X[50:80], y[50:80], sample_weight=weights[50:80], only_new=only_new)
    rows = slice(50 if only_new else 0, 80)
    scaled = expected[0].transform(X[rows])
    expected[1].partial_fit(scaled, y[rows], sample_weight=weights[rows])
    assert_allclose(learner.estimator_[-1].coef_, expected[-1].coef_)


def test_modal_style_functions_are_strategies(data):
    X, y = data

    def last(estimator, X, n_instances=1):
        return np.arange(len(X))[-n_instances:], X[-n_instances:]

    def two(estimator, X, n_instances=1):
        return [3, 5]

    learner = ActiveLearner(LogisticRegression(), last).fit(X[:15], y[:15])
    assert_array_equal(learner.query(X, n=3)[0], [147, 148, 149])
    learner = ActiveLearner(LogisticRegression(), two).fit(X[:15], y[:15])
    assert_array_equal(learner.query(X[15:], n=2)[0], [3, 5])


def test_an_unfitted_learner_asks_without_a_model_or_says_why(data):
    X, y = data
    cold = ActiveLearner(LogisticRegression(), "random", random_state=0)
    idx, rows = cold.query(X, n=20)
    assert cold.teach(rows, y[idx]).history_[0]["n_labels"] == 20
    with pytest.raises(NotFittedError, match="MaxEntropy asks a fitted model"):
        ActiveLearner(LogisticRegression()).query(X, n=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, "n must be between 1 and"),
        ({"n": 151}, ValueError, r"candidates in the pool \(135\), got 151.*15 are labelled"),
        ({"n": 2.5}, TypeError, "n must be an integer"),
        ({"n": 1, "n_instances": 2}, TypeError, "not both"),
        ({"n": 1, "candidates": [0, 0]}, ValueError, "distinct"),
        ({"n": 1, "candidates": [0, 200]}, ValueError, r"lie in \[0, 150\)"),
        ({"n": 1, "candidates": []}, ValueError, "empty"),
        ({"n": 1, "candidates": np.ones(3, dtype=bool)}, ValueError, "one entry per row"),
    ],
)
def test_bad_queries_say_what_was_wrong(data, arguments, error, message):
    X, y = data
    learner = ActiveLearner(LogisticRegression()).fit(X[:15], y[:15])
    with pytest.raises(error, match=message):
        learner.query(X, **arguments)
    assert len(learner.query(X, n=3)[0]) == 3


def test_bad_pools_say_what_was_wrong(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression()).fit(X[:15], y[:15])
    with pytest.raises(ValueError, match=r"rows of shape \(3,\).*rows of shape \(4,\)"):
        learner.query(X[:, :3], n=2)
    with pytest.raises(ValueError, match="empty"):
        learner.query(X[:0], n=1)
    holed = X.copy()
    holed[3, 1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        learner.query(holed, n=2)


def test_bad_teaching_says_what_was_wrong(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression()).fit(X[:15], y[:15])
    with pytest.raises(ValueError, match="X has 3, y has 2"):
        learner.teach(X[:3], y[:2])
    with pytest.raises(ValueError, match=r"rows of shape \(4,\)"):
        learner.teach(X[:3, :2], y[:3])
    assert len(learner.y_labeled_) == 15


def test_bad_parameters_are_refused_before_training(data):
    X, y = data
    with pytest.raises(
        ValueError, match=r"There is no query_strategy 'entropi'. Did you mean 'entropy'"
    ):
        ActiveLearner(Fickle(), "entropi").fit(X, y)
    with pytest.raises(TypeError, match=r"Pass DRE\(\)"):
        ActiveLearner(Fickle(), DRE).fit(X, y)
    with pytest.raises(ValueError, match="warm_start"):
        ActiveLearner(LogisticRegression(), warm_start="yes").fit(X, y)


def test_a_missing_capability_is_named(data):
    X, y = data
    with pytest.raises(CapabilityError, match="MaxEntropy.*predict_proba.*Perceptron"):
        ActiveLearner(Perceptron()).fit(X, y)
    changed = ActiveLearner(Perceptron(), "random").fit(X, y).set_params(query_strategy="margin")
    with pytest.raises(CapabilityError, match="Margin.*predict_proba.*Perceptron"):
        changed.query(X, n=2)
    with pytest.raises(CapabilityError, match="DFAL.*Pipeline"):
        ActiveLearner(make_pipeline(StandardScaler(), Fickle()), "dfal").fit(X, y)


def test_pickle_and_clone_after_fit(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "dre", random_state=0).fit(X[:15], y[:15])
    learner.query(X, n=3)
    again = pickle.loads(pickle.dumps(learner))
    assert_array_equal(again.predict_proba(X), learner.predict_proba(X))
    assert_array_equal(again.query(X, n=5)[0], learner.query(X, n=5)[0])
    assert not hasattr(clone(learner), "estimator_")


def test_verbose_prints_one_line_a_round(data, capsys):
    X, y = data
    ActiveLearner(LogisticRegression(), verbose=1).fit(X[:15], y[:15]).teach(X[15:20], y[15:20])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" (")[0] for line in lines] == ["round 0: 15 labels", "round 1: 20 labels"]


def test_test_selection_by_share_and_count(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "dre", random_state=0).fit(X[:15], y[:15])
    assert len(learner.select_tests(X, budget=0.04)) == 6
    assert len(np.unique(learner.select_tests(X, budget=9))) == 9
    for budget in (0, 1.5, 151, -0.1, "many", True):
        with pytest.raises(ValueError, match="budget"):
            learner.select_tests(X, budget=budget)


def test_a_large_problem_is_answered_quickly():
    X, y = make_classification(20_000, 20, random_state=0)
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:100], y[:100])
    idx, _ = learner.query(X, n=5_000)
    assert len(np.unique(idx)) == 5_000


def test_metadata_routing_carries_sample_weights(data):
    from sklearn import config_context
    from sklearn.model_selection import GridSearchCV

    X, y = data
    weights = np.where(y == 2, 50.0, 1.0)
    with config_context(enable_metadata_routing=True):
        learner = ActiveLearner(LogisticRegression(max_iter=2000), random_state=0)
        search = GridSearchCV(
            learner.set_fit_request(sample_weight=True).set_score_request(sample_weight=False),
            {"query_strategy": ["margin"]},
            cv=2,
        )
        search.fit(X, y, sample_weight=weights)
        plain = LogisticRegression(max_iter=2000).fit(X, y, sample_weight=weights)
    assert_allclose(search.best_estimator_.estimator_.coef_, plain.coef_)


def test_metadata_routing_asks_the_steps_of_a_pipeline(data):
    from sklearn import config_context
    from sklearn.exceptions import UnsetMetadataPassedError

    X, y = data
    weights = np.where(y == 2, 50.0, 1.0)
    logistic = LogisticRegression(max_iter=2000)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipe = make_pipeline(scaler, logistic.set_fit_request(sample_weight=True))
        learner = ActiveLearner(pipe).fit(X[:99], y[:99], sample_weight=weights[:99])
        learner.teach(X[99:], y[99:], sample_weight=weights[99:])
        expected = clone(pipe).fit(X, y, sample_weight=weights)
        with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
            ActiveLearner(make_pipeline(StandardScaler(), LogisticRegression())).fit(
                X, y, sample_weight=weights
            )
    assert_allclose(learner.estimator_[-1].coef_, expected[-1].coef_)


def test_html_representation_names_the_parts():
    html = ActiveLearner(LogisticRegression(), DRE())._repr_html_()
    for part in ("ActiveLearner", "LogisticRegression", "DRE"):
        assert part in html
