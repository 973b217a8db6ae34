"""Stopping criteria: each against a run whose end is known."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner, BudgetedLearner
from skactive.stopping import (
    MaxLabels,
    MaxRounds,
    Plateau,
    PredictionStability,
    StoppingCriterion,
    UncertaintyThreshold,
)


class Scripted:
    """A learner whose scores, predictions and ledger are written down."""

    classes_ = np.arange(3)

    def __init__(self, scores=(), predictions=(), labels=()):
        self.scores, self.predictions, self.labels = scores, predictions, labels
        self.history_ = []

    def next_round(self):
        self.history_.append({"n_labels": self.labels[len(self.history_)] if self.labels else 0})

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return self.scores[len(self.history_) - 1]

    def predict(self, X):
        return np.asarray(self.predictions[len(self.history_) - 1])


def rounds_until(criterion, learner, most=20):
    watch = criterion.start()
    for number in range(most):
        learner.next_round()
        if watch(learner):
            return number
    return None


def test_labels_and_rounds_are_counted():
    assert rounds_until(MaxLabels(30), Scripted(labels=[10, 20, 30, 40])) == 2
    assert rounds_until(MaxRounds(3), Scripted(labels=[10] * 9)) == 3


def test_labels_are_counted_as_a_share_of_all_samples():
    learner = Scripted(labels=[10, 25])
    watch = MaxLabels(0.25).start()
    learner.next_round()
    assert not watch(learner, np.zeros((100, 1)), candidates=np.arange(90))
    with pytest.raises(ValueError, match="Pass the pool"):
        watch(learner)
    learner.next_round()
    assert watch(learner, np.zeros((100, 1)), candidates=np.arange(75))


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (MaxLabels(0.2), 30),
        (MaxLabels(1.0), 150),
        (UncertaintyThreshold(threshold=0.5, quantile=0.9), 60),
        (MaxLabels(0.2) & MaxRounds(1), 30),
        (PredictionStability(patience=2) | MaxRounds(3), 40),
    ],
)
@pytest.mark.parametrize("restricted", [True, False], ids=["candidates", "by content"])
def test_what_is_labelled_is_no_more_of_the_pool(criterion, expected, restricted):
    X, y = load_iris(return_X_y=True)
    X = X + np.arange(150)[:, None] * 1e-9  # no row twice
    left = np.arange(150) % 15 != 0
    learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    learner.fit(X[~left], y[~left])
    watch, which = criterion.start(), {"candidates": left} if restricted else {}
    while not watch(learner, X, **which):
        idx, rows = learner.query(X, n=10, **which)
        left[idx] = False
        learner.teach(rows, y[idx])
    assert learner.history_[-1]["n_labels"] == expected


def test_a_plateau_is_waited_for():
    scores = [0.1, 0.5, 0.5, 0.6, 0.6, 0.6, 0.9]
    assert rounds_until(Plateau([], [], patience=2), Scripted(scores=scores)) == 5
    assert rounds_until(Plateau([], [], patience=1, min_delta=0.2), Scripted(scores=scores)) == 2
    same = [0.3, 0.1 + 0.2, 0.3, 0.9]  # a rounding error is no rise
    assert rounds_until(Plateau([], [], patience=2), Scripted(scores=same)) == 2


def test_predictions_must_agree_in_a_row():
    predictions = [[0, 1, 2, 0], [0, 1, 2, 1], [0, 1, 2, 1], [0, 1, 2, 2], *[[0, 1, 2, 2]] * 5]
    assert rounds_until(PredictionStability([], patience=2), Scripted(predictions=predictions)) == 5
    single = Scripted(predictions=[[1, 1]] * 5)
    assert rounds_until(PredictionStability([], patience=1), single) == 1


def test_certainty_ends_the_run():
    X, y = load_iris(return_X_y=True)
    learner = ActiveLearner(LogisticRegression(C=1e6, max_iter=5000), random_state=0)
    learner.fit(X[::3], y[::3])
    assert UncertaintyThreshold(X, threshold=2.0).start()(learner)
    assert not UncertaintyThreshold(X, threshold=1e-9).start()(learner)
    assert UncertaintyThreshold(X, threshold=1e-3, quantile=0.1).start()(learner)


def test_criteria_combine_and_each_sees_every_round():
    both = MaxRounds(4) & MaxLabels(20)
    assert rounds_until(both, Scripted(labels=[10, 20, 30, 40, 50, 60])) == 4
    either = MaxRounds(4) | MaxLabels(20)
    assert rounds_until(either, Scripted(labels=[10, 20, 30, 40, 50, 60])) == 1
    scores = [0.1, 0.1, 0.1, 0.1]
    late = Plateau([], [], patience=2) & MaxRounds(3)
    assert rounds_until(late, Scripted(scores=scores, labels=[1] * 4)) == 3


def test_a_criterion_can_be_used_again():
    criterion = MaxRounds(2) | Plateau([], [], patience=1)
    for _ in range(2):
        assert rounds_until(criterion, Scripted(scores=[1, 1, 1], labels=[1] * 3)) == 1


@pytest.mark.parametrize(
    "criterion",
    [
        MaxLabels(0),
        MaxRounds(-1),
        Plateau([], [], patience=0),
        PredictionStability([], threshold=2),
    ],
)
def test_bad_parameters_are_refused(criterion):
    with pytest.raises(ValueError, match="must be"):
        criterion.start()


def test_the_pool_of_the_run_is_the_reference_data():
    X, y = load_iris(return_X_y=True)
    learner = ActiveLearner(LogisticRegression(max_iter=5000), random_state=0).fit(X[::3], y[::3])
    unlabeled = np.arange(len(X)) % 3 != 0
    given = UncertaintyThreshold(X[unlabeled], threshold=0.9, quantile=0.7).start()(learner)
    watch = UncertaintyThreshold(threshold=0.9, quantile=0.7).start()
    assert watch(learner, X, candidates=unlabeled) == given
    assert UncertaintyThreshold().start()(learner, X, candidates=np.zeros(len(X), dtype=bool))
    with pytest.raises(ValueError, match="X_pool"):
        PredictionStability().start()(learner)


@pytest.mark.parametrize("stopping", [MaxRounds(2), [MaxRounds(2), MaxLabels(1000)], []])
def test_a_run_takes_one_criterion_or_a_list(stopping):
    X, y = load_iris(return_X_y=True)
    run = BudgetedLearner(
        LogisticRegression(max_iter=5000), "margin", budget=60, stopping=stopping, random_state=0
    ).fit(X, y)
    assert run.n_labels_ == (60 if stopping == [] else 30)


def test_a_run_stops_when_its_predictions_on_the_pool_are_stable():
    X, y = load_iris(return_X_y=True)
    run = BudgetedLearner(
        LogisticRegression(max_iter=5000),
        "margin",
        budget=140,
        stopping=PredictionStability(patience=2),
        random_state=0,
    ).fit(X, y)
    assert run.n_labels_ < 140


def test_a_plateau_may_watch_a_column_of_the_ledger():
    learner = Scripted(labels=[1] * 9)
    watch = Plateau(key="robust", patience=2).start()
    answers = []
    for score in [0.1, 0.3, 0.2, 0.3]:
        learner.next_round()
        learner.history_[-1]["robust"] = score
        answers.append(watch(learner))
    assert answers == [False, False, False, True]
    learner.next_round()
    with pytest.raises(ValueError, match="no such column"):
        watch(learner)


def test_what_is_no_criterion_is_refused():
    with pytest.raises(TypeError, match="must be stopping criteria"):
        (MaxRounds(1) | MaxLabels(2)).set_params(criteria=[3]).start()
    with pytest.raises(TypeError, match="unsupported operand"):
        MaxRounds(1) | 3
    with pytest.raises(ValueError, match="either"):
        Plateau().start()
    with pytest.raises(NotImplementedError, match="_start"):
        StoppingCriterion().start()
