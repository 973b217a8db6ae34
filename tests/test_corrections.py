"""Corrections of the labelled set: other labels, samples left out, samples added; no training."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch.utils.data import TensorDataset

from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.attacks import FGSM
from skactive.stopping import MaxRounds
from skactive.strategies import CEAL, DFAL
from tests.models import SmallMLP


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.random((120, 4)).astype(np.float32)
    return X, (X[:, 0] > X[:, 1]).astype(int)


def logistic():
    return LogisticRegression(max_iter=1000)


def learner_of(X, y, **params):
    return ActiveLearner(logistic(), "margin", random_state=0, **params).fit(X[:40], y[:40])


def mlp(**params):
    params = {"attack": FGSM(eps=0.05), "max_epochs": 2, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


CONTAINERS = {
    "array": np.asarray,
    "csr": sp.csr_matrix,
    "coo": sp.coo_matrix,
    "frame": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "tensor": torch.as_tensor,
    "list": np.ndarray.tolist,
}


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_corrected_set_is_the_set_that_was_meant(table, kind):
    X, y = table
    wrap = CONTAINERS[kind]
    learner = ActiveLearner(logistic(), "margin", random_state=0)
    learner.fit(wrap(X[:40]), y[:40], sample_weight=np.arange(1, 41))
    wrong = learner.y_labeled_.copy()
    learner.relabel([3, 5], 1 - y[[3, 5]]).relabel(np.arange(40) == 3, [y[3]])
    wrong[5] = 1 - y[5]
    assert_array_equal(learner.y_labeled_, wrong)
    learner.forget([5, 0]).add(wrap(X[50:53]), y[50:53])
    kept = np.r_[1:5, 6:40, 50:53]
    assert_array_equal(dense(learner.X_labeled_), X[kept])
    assert type(learner.X_labeled_) is type(wrap(X[:3]))
    assert_array_equal(learner.y_labeled_, y[kept])
    assert_array_equal(learner.sample_weight_, np.r_[kept[:-3] + 1, 1, 1, 1])
    meant = ActiveLearner(logistic(), "margin", random_state=0)
    meant.fit(wrap(X[kept]), y[kept], sample_weight=learner.sample_weight_)
    learner.teach()
    assert_array_equal(learner.predict_proba(wrap(X)), meant.predict_proba(wrap(X)))


def test_the_ledger_tells_of_corrections(table):
    X, y = table
    learner = learner_of(X, y)
    coef = learner.estimator_.coef_
    learner.relabel([0, 1], [1 - y[0], y[1]]).forget([7]).add(X[50:53], y[50:53])
    assert learner.estimator_.coef_ is coef
    rows = learner.history_[1:]
    assert [row["training"] for row in rows] == ["none"] * 3
    assert [row["round"] for row in rows] == [0, 0, 0]
    assert [row["relabeled"] for row in rows] == [1, 0, 0]
    assert [row["forgotten"] for row in rows] == [0, 1, 0]
    assert [row["n_taught"] for row in rows] == [0, 0, 3]
    assert [row["n_labels"] for row in rows] == [40, 39, 42]
    idx, new = learner.query(X, n=5)
    learner.teach(new, y[idx])
    last = learner.history_[-1]
    assert (last["round"], last["n_taught"], last["n_labels"]) == (1, 5, 47)
    bought = sum(row["n_taught"] for row in learner.history_)
    assert bought - sum(row["forgotten"] for row in learner.history_) == len(learner.y_labeled_)
    assert len({tuple(row) for row in learner.history_}) == 1
    assert not MaxRounds(2).start()(learner)
    assert MaxRounds(1).start()(learner)
    learner.relabel([0], [y[0]])
    learner.teach()
    assert learner.history_[-1]["round"] == 2
    assert not MaxRounds(2).start()(learner)  # trained again, but nobody was asked
    learner.add(X[15:17], y[15:17])
    learner.teach()
    assert MaxRounds(2).start()(learner)


def test_what_changes_nothing_is_not_written(table):
    X, y = table
    learner = learner_of(X, y)
    learner.relabel([2], [y[2]]).relabel([], []).forget([]).forget(np.zeros(40, dtype=bool))
    assert len(learner.history_) == 1


def test_corrections_leave_the_next_picks_to_the_model_and_the_set(table):
    X, y = table
    learner = ActiveLearner(logistic(), "random", random_state=0).fit(X[:40], y[:40])
    before = learner.query(X, n=20)[0]
    assert_array_equal(before, learner.relabel([0], [1 - y[0]]).query(X, n=20)[0])
    learner.forget([4])
    learner.query(X, n=81)
    assert 4 not in learner.excluded_
    assert len(learner.excluded_) == 39


def test_ids_name_samples(table):
    X, y = table
    names = np.array([f"row {i}" for i in range(120)])
    learner = learner_of(X, y)
    with pytest.raises(ValueError, match="have no ids"):
        learner.relabel(ids=["row 3"], y=[0])
    learner.fit(X[:40], y[:40], ids=names[:40])
    learner.relabel(ids=["row 7", "row 3"], y=[1 - y[7], 1 - y[3]]).forget(ids=["row 0"])
    assert_array_equal(learner.y_labeled_[[6, 2]], 1 - y[[7, 3]])
    learner.add(X[50:52], y[50:52], ids=names[50:52]).teach(X[60:61], y[60:61], ids=["row 60"])
    assert learner.ids_.tolist() == [*names[1:40], "row 50", "row 51", "row 60"]
    learner.retrain(X[70:71], y[70:71], mix="clean", ids=["a longer name than the others"])
    learner.forget(ids=["a longer name than the others"])
    again = pickle.loads(pickle.dumps(learner))
    assert_array_equal(again.ids_, learner.ids_)


def test_a_budgeted_learner_calls_samples_by_their_rows(table):
    X, y = table
    model = BudgetedLearner(logistic(), "margin", budget=40, random_state=0).fit(X, y)
    assert_array_equal(model.learner_.ids_, model.queried_indices_)
    row = model.queried_indices_[25]
    model.learner_.relabel(ids=[row], y=[1 - y[row]])
    assert model.learner_.y_labeled_[25] == 1 - y[row]


def test_a_committee_is_corrected_too(table):
    X, y = table
    committee = Committee(DecisionTreeClassifier(), n_members=3, bootstrap=True, random_state=0)
    committee.fit(X[:40], y[:40])
    committee.relabel([1], [1 - y[1]]).forget([0]).add(X[40:45], y[40:45])
    wanted = np.r_[1 - y[1], y[2:45]]
    assert_array_equal(committee.y_labeled_, wanted)
    fresh = Committee(DecisionTreeClassifier(), n_members=3, bootstrap=True, random_state=0)
    fresh.fit(X[1:45], wanted)
    assert_array_equal(committee.teach().vote(X), fresh.vote(X))


# -- twins and what is pending ------------------------------------------------------------


def test_twins_follow_their_sample(table):
    X, y = table
    learner = ActiveLearner(mlp(), DFAL(adversarial_twins=True), random_state=0).fit(X[:40], y[:40])
    idx, rows = learner.query(X[40:], n=6)
    twins = dict(zip(map(bytes, rows), learner._pending.twins.values(), strict=True))
    learner.teach(rows[::-1], y[40:][idx[::-1]])
    idx2, rows2 = learner.query(X[40:], n=4)
    twins |= dict(zip(map(bytes, rows2), learner._pending.twins.values(), strict=True))
    learner.teach(rows2, y[40:][idx2])

    def check():
        of = learner.labeled_.twin_of
        assert len(of) == learner.history_[-1]["adversarial"]
        assert_array_equal(learner.y_twins_, learner.y_labeled_[of])
        for sample, twin in zip(of, learner.X_twins_, strict=True):
            assert_array_equal(twin, twins[bytes(learner.X_labeled_[sample])])

    check()
    learner.relabel([41], 1 - learner.y_labeled_[[41]])
    check()
    learner.forget([0, 42, 48])
    check()
    assert len(learner.X_twins_) == 8
    assert learner.teach().history_[-1]["adversarial"] == 8
    learner.forget(np.arange(39, 47))
    assert learner.X_twins_ is None
    assert learner.labeled_.twin_of is None
    learner.retrain(X[110:113], y[110:113], epochs=1).forget([0])
    assert_array_equal(learner.labeled_.twin_of, len(learner.y_labeled_) - np.array([3, 2, 1]))


def test_answers_that_are_added_bring_their_twins_and_the_rest_wait(table):
    X, y = table
    learner = ActiveLearner(mlp(), DFAL(adversarial_twins=True), random_state=0).fit(X[:40], y[:40])
    idx, rows = learner.query(X[40:], n=6)
    other = copy.deepcopy(learner).teach(rows, y[40:][idx])
    learner.add(rows[:2], y[40:][idx[:2]]).relabel([0], y[:1]).forget([0])
    assert learner.labeled_.n_twins == 2
    assert len(learner._pending.twins) == 4
    learner.teach(rows[2:], y[40:][idx[2:]])
    assert_array_equal(learner.X_twins_, other.X_twins_)
    assert_array_equal(learner.labeled_.twin_of, other.labeled_.twin_of - 1)


def test_a_sample_is_not_taught_under_a_label_and_a_pseudo_label(table):
    X, y = table
    learner = ActiveLearner(logistic(), CEAL(threshold=0.5), random_state=0).fit(X[:40], y[:40])
    idx, rows = learner.query(X, n=3)
    _, pseudo, labels = learner._pending.pseudo
    learner.add(X[pseudo[:5]], y[pseudo[:5]])
    assert_array_equal(learner._pending.pseudo[1], pseudo[5:])
    assert_array_equal(learner._pending.pseudo[2], labels[5:])
    assert learner.teach(rows, y[idx]).history_[-1]["pseudo"] == len(pseudo) - 5
    learner.query(X, n=3)
    _, pseudo, _ = learner._pending.pseudo  # and where others are taught than were asked for
    assert learner.teach(X[pseudo[:4]], y[pseudo[:4]]).history_[-1]["pseudo"] == len(pseudo) - 4


def test_items_of_a_dataset_are_found_after_some_were_forgotten(table):
    X, y = table
    pool = TensorDataset(torch.as_tensor(X))
    learner = ActiveLearner(mlp(), "random", random_state=0)
    learner.fit(TensorDataset(torch.as_tensor(X[:30])), y[:30])
    idx, rows = learner.query(pool, n=6)
    learner.teach(rows, y[idx]).forget([3, 31])
    learner.query(pool, n=5)
    assert_array_equal(learner.excluded_, np.sort(np.delete(idx, 1)))
    assert learner.teach().history_[-1]["n_labels"] == 34


# -- what is refused changes nothing --------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda learner, X: learner.relabel([40], [0]), r"rows must lie in \[0, 40\)"),
        (lambda learner, X: learner.relabel([-1], [0]), "rows must lie in"),
        (lambda learner, X: learner.relabel([1, 1], [0, 1]), "rows must be distinct"),
        (lambda learner, X: learner.relabel([1.5], [0]), "rows must be a 1-d array"),
        (lambda learner, X: learner.relabel([1], [7]), "never seen in fit: \\[7\\]"),
        (lambda learner, X: learner.relabel([1], [np.nan]), "unlabelled"),
        (lambda learner, X: learner.relabel([1, 2], [0]), "each of the 2 samples named, got 1"),
        (lambda learner, X: learner.relabel([1]), "target y is None"),
        (lambda learner, X: learner.relabel(y=[1]), "pass one of the two"),
        (lambda learner, X: learner.relabel([1], [0], ids=["b"]), "pass one of the two"),
        (lambda learner, X: learner.relabel(ids=["nobody"], y=[0]), r"not labelled: \['nobody'\]"),
        (lambda learner, X: learner.relabel(ids=[3], y=[0]), "ids must be of one kind"),
        (lambda learner, X: learner.relabel(ids=["0", "0"], y=[0, 1]), "ids must be distinct"),
        (lambda learner, X: learner.forget([41]), "rows must lie in"),
        (lambda learner, X: learner.forget(range(40)), "nothing would be left"),
        (lambda learner, X: learner.forget(ids=["40"]), "not labelled"),
        (lambda learner, X: learner.add(X[:3], [0, 1], ids=list("abc")), "same number of samples"),
        (lambda learner, X: learner.add(X[:3, :2], [0, 1, 1], ids=list("abc")), "rows of shape"),
        (lambda learner, X: learner.add(X[:1], [9], ids=["a"]), "never seen in fit"),
        (lambda learner, X: learner.add(X[:1], [1]), "1 new samples have no ids"),
        (lambda learner, X: learner.add(X[:1], [1], ids=["7"]), r"labelled already: \['7'\]"),
        (lambda learner, X: learner.add(X[:1], [1], ids=[[1]]), "1-d array of integers or texts"),
        (lambda learner, X: learner.teach(only_new=True), "only_new=True trains on new samples"),
    ],
)
def test_what_is_refused_changes_nothing(table, call, match):
    X, y = table
    learner = ActiveLearner(logistic(), "margin", random_state=0)
    learner.fit(X[:40], y[:40], ids=[str(i) for i in range(40)])
    learner.query(X, n=3)
    before = dict(vars(learner))
    with pytest.raises(ValueError, match=match):
        call(learner, X)
    assert all(vars(learner)[name] is value for name, value in before.items())


@pytest.mark.parametrize("method", ["relabel", "forget", "add"])
def test_nothing_is_corrected_before_fit(table, method):
    X, y = table
    with pytest.raises(NotFittedError, match=f"{method} corrects what was taught"):
        getattr(ActiveLearner(logistic()), method)(X, y) if method != "forget" else (
            ActiveLearner(logistic()).forget([0])
        )


def test_a_failed_training_keeps_the_correction(table):
    X, y = table
    learner = learner_of(X, y)
    learner.relabel(np.arange(40), np.zeros(40, dtype=int))
    before = learner.labeled_
    with pytest.raises(ValueError, match="single class"):
        learner.teach()
    assert learner.labeled_ is before
    assert learner.relabel(np.arange(40), y[:40]).teach().score(X, y) > 0.8
