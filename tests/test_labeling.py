"""A labelling session: items out, answers in, nothing lost; a refusal leaves all as it was."""

import csv
import sqlite3
import tempfile
import threading

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.pipeline import make_pipeline

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.labeling import (
    AnnotatorError,
    ConflictError,
    ImportReport,
    LabelingError,
    LabelingSession,
    NotClaimedError,
    OracleAnnotator,
    PoolChangedError,
    StoreBusyError,
    StoreError,
    StoreVersionError,
    UnknownClassError,
    UnknownItemError,
    WeightedVote,
    _schema,
)
from skactive.labeling._events import append
from tests.labeling_helpers import CLASSES, Clock, X, Y, answer, learner, picks, session, weights
from tests.models import SmallCNN, SmallMLP

# -- items out ------------------------------------------------------------------------------


def test_items_come_once_each_until_the_pool_is_empty():
    labeling = session(pool=X[:50], batch=8)
    done = answer(labeling, "ada", 50)
    assert sorted(item.position for item in done) == list(range(50))
    assert labeling.claim("ada") == []
    progress = labeling.progress()
    assert (progress["n_labels"], progress["n_open"], progress["n_rounds"]) == (50, 0, 7)
    labeling.verify()


def test_what_is_held_comes_first_again():
    labeling = session()
    first = labeling.claim("ada", 3)
    assert labeling.claim("ada", 3) == first
    labeling.label(first[1].id, 0, "ada")
    assert [item.id for item in labeling.claim("ada", 3)][:2] == [first[0].id, first[2].id]


@pytest.mark.parametrize("overlap", [1, 2, 3])
def test_an_item_goes_to_as_many_annotators_as_overlap_says(overlap):
    labeling = session(pool=X[:30], overlap=overlap, batch=10, retrain_every=None)
    names = ["ada", "bob", "cyd", "dan"]
    threads = [
        threading.Thread(target=lambda name=name: OracleAnnotator(Y, name=name).annotate(labeling))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    frame = labeling.to_frame()
    assert len(frame) == 30 * overlap
    assert set(frame.groupby("id").annotator.nunique()) == {overlap}
    labeling.verify()


def test_a_lease_that_ran_out_comes_back():
    clock = Clock()
    labeling = session(clock=clock, lease=100, pool=X[:5], batch=5)
    (kept,) = labeling.claim("ada")
    others = labeling.claim("bob", 5)
    assert kept.id not in [item.id for item in others]
    assert len(others) == 4
    clock.wait(101)
    again = labeling.claim("bob", 5)
    assert kept.id in [item.id for item in again]
    with pytest.raises(NotClaimedError, match="ran out and it was given to somebody else"):
        labeling.label(kept.id, 1, "ada")
    labeling.verify()


def test_a_late_answer_counts_while_nobody_else_has_the_item():
    clock = Clock()
    labeling = session(clock=clock, lease=100)
    (late,) = labeling.claim("ada")
    clock.wait(60)
    (held,) = labeling.claim("bob")
    clock.wait(50)
    assert (
        labeling.claim("bob")[0].id == held.id
    )  # ada's lease ends here, and nobody takes her item
    assert "expire" in [e.kind for e in labeling.events()]
    labeling.label(late.id, 1, "ada")
    assert labeling.consensus() == {late.id: 1}
    assert late.id not in [item.id for item in labeling.claim("cyd", 30)]
    labeling.verify()


def test_a_claim_that_is_looked_at_again_is_renewed():
    clock = Clock()
    labeling = session(clock=clock, lease=100)
    (item,) = labeling.claim("ada")
    clock.wait(80)
    (renewed,) = labeling.claim("ada")
    assert renewed.until > item.until
    clock.wait(80)
    assert labeling.claim("ada")[0].id == item.id


def test_rank_and_score_are_the_strategy_s():
    first = learner().fit(X[:40], Y[:40])
    idx, _, scores = first.query(X[100:], 7, return_scores=True)
    labeling = session(pool=X[100:], learner=learner().fit(X[:40], Y[:40]), batch=7)
    items = labeling.claim("ada", 7)
    assert [item.position for item in items] == idx.tolist()
    assert [item.rank for item in items] == list(range(7))
    np.testing.assert_array_equal([item.score for item in items], scores)
    query = next(e for e in labeling.events() if e.kind == "query")
    assert query.data["strategy"] == "Margin"
    assert query.data["seed"] == labeling.learner.seed_


def test_rows_labelled_from_the_start_are_not_asked():
    labeling = session(pool=X[:30], learner=learner().fit(X[:20], Y[:20]))
    assert {item.position for item in labeling.claim("ada", 30)} == set(range(20, 30))


# -- answers in -----------------------------------------------------------------------------


def test_a_skipped_item_takes_no_label_without_relabel():
    labeling = session()
    (item,) = labeling.claim("ada")
    labeling.skip(item.id, "ada")
    with pytest.raises(ConflictError, match="already skipped item .*relabel"):
        labeling.label(item.id, 3, "ada")


def test_the_same_label_again_changes_nothing():
    labeling = session()
    (item,) = labeling.claim("ada")
    labeling.label(item.id, 3, "ada")
    before = labeling.events()
    labeling.label(item.id, np.int64(3), "ada")
    assert labeling.events() == before
    with pytest.raises(ConflictError, match="already labelled item .* 3\\. Use relabel"):
        labeling.label(item.id, 4, "ada")
    with pytest.raises(ConflictError, match="already labelled item"):
        labeling.skip(item.id, "ada")
    assert labeling.events() == before


def test_undo_takes_back_one_answer_after_the_other():
    labeling = session()
    first, second = labeling.claim("ada", 2)
    labeling.label(first.id, 1, "ada")
    labeling.skip(second.id, "ada", "blurred")
    labeling.relabel(first.id, 2, "ada")
    assert labeling.undo("ada").label == 1
    assert labeling.undo("ada").id == second.id
    back = labeling.undo("ada")
    assert (back.id, back.state, back.label) == (first.id, "claimed", None)
    assert labeling.undo("ada") is None
    assert labeling.progress()["n_labels"] == labeling.progress()["n_skips"] == 0
    assert labeling.claim("ada")[0].id == first.id
    labeling.verify()


@pytest.mark.parametrize("undone", ["ada", "bob"])
@pytest.mark.parametrize("second", [3, 2])
def test_undo_leaves_what_another_referee_decided(tmp_path, undone, second):
    with session(tmp_path / "labels.db") as labeling:
        (item,) = answer(labeling, "cyd", 1, labels=np.full(400, 1))
        labeling.relabel(item.id, 2, "ada", final=True)
        labeling.relabel(item.id, second, "bob", final=True)
        labeling.relabel(item.id, second, "bob", final=True)  # again: nothing new
        labeling.undo(undone)
        assert labeling.consensus() == {item.id: second if undone == "ada" else 2}
        labeling.verify()
    with session(tmp_path / "labels.db") as labeling:
        labeling.undo("bob" if undone == "ada" else "ada")
        assert labeling.consensus() == {item.id: 1}  # what was withdrawn stays so
        assert labeling.undo("ada") is None
        assert labeling.undo("bob") is None
        labeling.verify()


def test_an_undo_in_an_older_store_does_what_it_did_then():
    labeling = session()
    (item,) = answer(labeling, "cyd", 1, labels=np.full(400, 1))
    for label in (2, 3):
        labeling.relabel(item.id, label, "ada", final=True)
    last = labeling.events()[-1]
    with labeling._store.write() as connection:
        append(connection, "undo", 0.0, annotator="ada", place=last.place, target=last.seq)
    assert labeling.consensus() == {item.id: 2}
    labeling.verify()


def test_a_skip_becomes_a_label_and_back():
    labeling = session()
    (item,) = labeling.claim("ada")
    labeling.skip(item.id, "ada", "blurred")
    labeling.relabel(item.id, 5, "ada")
    assert labeling.consensus() == {item.id: 5}
    assert labeling.undo("ada").state == "skipped"
    assert labeling.consensus() == {}
    labeling.verify()


def test_seconds_notes_and_reasons_are_kept():
    clock = Clock()
    labeling = session(clock=clock)
    first, second = labeling.claim("ada", 2)
    clock.wait(30)
    labeling.label(first.id, 1, "ada")
    labeling.note(first.id, "looks like a 7", "bob")
    labeling.skip(second.id, "ada", "blurred", seconds=2.5)
    frame = labeling.to_frame().set_index("id")
    assert 30 <= frame.seconds[first.id] < 40
    assert frame.notes[first.id] == "bob: looks like a 7"
    assert (frame.reason[second.id], frame.seconds[second.id]) == ("blurred", 2.5)
    assert [item.id for item in labeling.answered("ada")] == [second.id, first.id]


# -- refusals -------------------------------------------------------------------------------


def refusals(item):
    """What may not be, and in which words it is refused."""
    return [
        (UnknownItemError, "There is no item 'nine'.*ids are like '0-", "label", "nine", 1, "ada"),
        (UnknownItemError, f"Pass its id, {item.id!r}", "label", item, 1, "ada"),
        (UnknownClassError, "'3' is none of the declared.*Did you mean 3", "label", item.id, "3",
         "ada"),
        (UnknownClassError, "12 is none of the declared", "label", item.id, 12, "ada"),
        (UnknownClassError, "True is none", "label", item.id, True, "ada"),
        (NotClaimedError, "'bob' has not claimed item", "label", item.id, 1, "bob"),
        (NotClaimedError, "nothing to relabel", "relabel", item.id, 1, "ada"),
        (AnnotatorError, "'adda' is no annotator.*mean 'ada'", "label", item.id, 1, "adda"),
        (AnnotatorError, "must be a name", "label", item.id, 1, " "),
        (LabelingError, "text of at most", "note", item.id, 7, "ada"),
        (ValueError, "'n' parameter", "claim", "ada", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("number", range(10))
def test_what_is_refused_changes_nothing(number):
    labeling = session(annotators=["ada", "bob"])
    (item,) = labeling.claim("ada")
    error, words, method, *arguments = refusals(item)[number]
    before = labeling.events()
    with pytest.raises(error, match=words):
        getattr(labeling, method)(*arguments)
    assert labeling.events() == before
    labeling.verify()


def test_a_label_for_an_item_that_nobody_was_asked():
    labeling = session()
    asked = {item.id for item in labeling.claim("ada", 20)}
    ids = (f"{i}-{labeling._pool.digests([i])[0][:12]}" for i in range(400))
    other = next(each for each in ids if each not in asked)
    with pytest.raises(NotClaimedError, match="was not asked yet"):
        labeling.label(other, 1, "ada")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"pool": X[:399]}, "n_pool: 400 then, 399 now"),
        ({"pool": X[::-1]}, "another pool"),
        ({"overlap": 2}, "overlap: 1 then, 2 now"),
        ({"ids": np.arange(400)}, "ids: 'position' then, 'given' now"),
        ({"classes": CLASSES[:5]}, "none left out"),
        ({"learner": learner().fit(X[:50], Y[:50])}, "begins with other labelled samples"),
    ],
)
def test_a_store_of_another_session_is_refused_and_left_alone(tmp_path, changed, words):
    store = tmp_path / "labels.db"
    with session(store) as labeling:
        answer(labeling, "ada", 5)
        before = labeling.events()
    with pytest.raises(PoolChangedError, match=words):
        session(store, **changed)
    with session(store) as labeling:
        assert labeling.events() == before


def test_a_row_that_changed_after_it_was_asked_is_found(tmp_path):
    pool = np.tile(X, (20, 1)) + np.arange(8000, dtype=np.float32)[:, None]
    with session(tmp_path / "labels.db", pool=pool) as labeling:
        (item,) = labeling.claim("ada")
    changed = pool.copy()
    changed[item.position] += 1
    with pytest.raises(PoolChangedError, match="another pool|1 of the rows that were asked"):
        session(tmp_path / "labels.db", pool=changed)


def test_a_store_of_a_newer_version_is_left_alone(tmp_path):
    store = tmp_path / "labels.db"
    session(store).close()
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE skactive_meta SET value = '99' WHERE name = 'version'")
    connection.close()
    before = store.read_bytes()
    with pytest.raises(StoreVersionError, match="version 99, written by a newer skactive"):
        session(store)
    assert store.read_bytes() == before


def test_a_store_of_an_older_version_is_brought_up(tmp_path, monkeypatch):
    store = tmp_path / "labels.db"
    with session(store) as labeling:
        answer(labeling, "ada", 3)
    step = ["ALTER TABLE skactive_items ADD COLUMN colour TEXT"]
    steps = [*_schema.STEPS, {"sqlite": step, "postgresql": step}]
    monkeypatch.setattr("skactive.labeling._store.STEPS", steps)
    with session(store) as labeling:
        assert labeling.progress()["n_labels"] == 3
        with labeling.store.read() as connection:
            assert labeling.store.meta(connection)["version"] == len(steps)
    broken = [*steps, {"sqlite": [*step, "NONSENSE"], "postgresql": step}]
    monkeypatch.setattr("skactive.labeling._store.STEPS", broken)
    with pytest.raises(StoreError):
        session(store)
    monkeypatch.setattr("skactive.labeling._store.STEPS", steps)
    assert session(store).progress()["n_labels"] == 3


def test_what_is_no_store_is_left_alone(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    (tmp_path / "text.db").write_text("a text " * 1000)
    for name, error in (("other.db", StoreVersionError), ("text.db", StoreError)):
        before = (tmp_path / name).read_bytes()
        with pytest.raises(error):
            session(tmp_path / name)
        assert (tmp_path / name).read_bytes() == before
    with pytest.raises(StoreError, match="a folder that exists"):
        session(tmp_path / "no" / "labels.db")
    with pytest.raises(StoreError, match="sqlite, postgresql"):
        session("mysql://localhost/labels")


def test_one_process_at_a_time_has_a_role(tmp_path):
    one, other = session(tmp_path / "labels.db"), session(tmp_path / "labels.db")
    one.store.alone("server")
    with pytest.raises(StoreBusyError, match="already has the role of server"):
        other.store.alone("server")
    one.close()
    other.store.alone("server")
    other.close()


def test_events_cannot_be_changed(tmp_path):
    session(tmp_path / "labels.db").claim("ada")
    with sqlite3.connect(tmp_path / "labels.db") as connection:
        for statement in ("UPDATE skactive_events SET at = 0", "DELETE FROM skactive_events"):
            with pytest.raises(sqlite3.IntegrityError, match="appended, never changed"):
                connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"classes": "abc"}, "classes must be a list"),
        ({"classes": [1, "a"]}, "of one type"),
        ({"classes": [1, 1]}, "distinct"),
        ({"classes": ["a", ""]}, "holds ''"),
        ({"classes": [0.5, 1.0]}, r"got \[0.5, 1.0\].*Declare texts, \['0.5', '1.0'\], or number"),
        ({"classes": [1.0, np.inf]}, "classes must be .*whole numbers"),
        ({"classes": [1, 2**70]}, "classes must be .*whole numbers"),
        ({"classes": [-1, 2**63]}, "classes must be .*whole numbers"),
        ({"annotators": "ada"}, "annotators must be a list of texts, got 'ada'"),
        ({"annotators": [1]}, "annotators must be a list of texts"),
        ({"ids": [1] * 400}, "ids must be distinct"),
        ({"ids": np.arange(3)}, "must be 400 texts or whole numbers"),
        ({"ids": "name"}, "is no column of the pool"),
        ({"pool": X[:0]}, "pool has no rows"),
        ({"batch": 0}, "'batch' parameter"),
        ({"overlap": 1.5}, "'overlap' parameter"),
        ({"lease": -1}, "'lease' parameter"),
        ({"consensus": "majorty"}, "Did you mean 'majority'"),
        ({"learner": LogisticRegression()}, "'learner' parameter"),
        ({"learner": learner(classes=[0, 1])}, "those of the learner are"),
        ({"learner": learner().fit(X[:30], Y[:30] % 3)}, "but the learner knows"),
    ],
)
def test_parameters_are_checked(params, words):
    with pytest.raises(ValueError, match=words):
        session(**params)


@pytest.mark.parametrize("classes", [[0.0, 1.0], [-1, 1], [False, True], [2**63, 2**63 + 1]])
def test_classes_that_a_classifier_tells_apart_are_taught(classes):
    labeling = session(classes=classes, batch=10, retrain_every=10)
    answer(labeling, "ada", 21, labels=[classes[int(label) % 2] for label in Y])
    assert labeling.progress()["n_trainings"] == 2


# -- the learner ----------------------------------------------------------------------------


def test_the_learner_is_taught_what_was_labelled():
    labeling = session(batch=20, retrain_every=20)
    done = answer(labeling, "ada", 41)
    by_hand = learner(classes=CLASSES)
    for part in (done[:20], done[20:40]):
        at = [item.position for item in part]
        by_hand.teach(X[at], Y[at])
    np.testing.assert_array_equal(weights(labeling), _weights(by_hand))
    assert [row["n_labels"] for row in labeling.history] == [20, 40]
    assert [row["score"] is None for row in labeling.history] == [True, False]


def _weights(taught):
    return np.concatenate([taught.estimator_.coef_.ravel(), taught.estimator_.intercept_])


def warm_net():
    """A net that goes on training, and asks for its own pseudo-labels along (CEAL)."""
    net = AdversarialNetClassifier(
        SmallCNN, attack=None, max_epochs=1, lr=0.05, batch_size=20, random_state=0
    )
    first = X[300:340].reshape(-1, 1, 8, 8), Y[300:340]
    return ActiveLearner(net, "ceal", warm_start=True, random_state=0).fit(*first)


@pytest.mark.parametrize("strategy", ["margin", "random", "ceal", "warm net"])
def test_a_new_process_goes_on_where_the_last_stopped(tmp_path, strategy):
    pool = X[:200].reshape(-1, 1, 8, 8) if strategy == "warm net" else X[:200]

    def begin(name):
        made = warm_net() if strategy == "warm net" else learner(strategy)
        return session(tmp_path / name, pool=pool, learner=made, batch=10, retrain_every=10)

    whole = begin("whole.db")
    done = answer(whole, "ada", 31)
    again = []
    for n in (10, 7, 13, 1):
        with begin("parted.db") as parted:
            again += answer(parted, "ada", n)
    with begin("parted.db") as parted:
        assert [item.position for item in done] == [item.position for item in again]
        assert whole._trainer.digest() == parted._trainer.digest()
        assert picks(whole) == picks(parted)
    extras = [e.data["extras"] for e in whole.events() if e.kind == "query"]
    assert any(extras) == (strategy in ("ceal", "warm net"))
    whole.verify()


def test_a_learner_that_was_taught_here_goes_on_without_training(tmp_path, monkeypatch):
    with session(tmp_path / "labels.db", retrain_every=5) as labeling:
        answer(labeling, "ada", 16)
        taught = labeling.learner
    monkeypatch.setattr(LogisticRegression, "fit", None)  # a training would fail
    with session(tmp_path / "labels.db", learner=taught) as labeling:
        assert labeling.learner is taught
        assert labeling.progress()["n_taught"] == 15


def test_a_corrected_and_a_removed_label_retrain_without_it():
    labeling = session(retrain_every=None, learner=learner(warm_start=True))
    done = answer(labeling, "ada", 30)
    labeling.relabel(done[-1].id, (Y[done[-1].position] + 1) % 10, "ada")
    labeling.teach()
    labeling.relabel(done[-1].id, Y[done[-1].position], "ada")
    labeling.relabel(done[-1].id, (Y[done[-1].position] + 2) % 10, "ada")
    labeling.undo("ada")  # the second relabel
    labeling.undo("ada")  # the first
    labeling.undo("ada")  # the wrong label of before the training
    assert labeling.teach()
    at = [item.position for item in done]
    right = learner(classes=CLASSES).fit(X[at], Y[at])
    np.testing.assert_allclose(weights(labeling), _weights(right), rtol=1e-5, atol=1e-6)
    labeling.undo("ada")  # the label itself
    assert labeling.teach()
    without = learner(classes=CLASSES).fit(X[at[:-1]], Y[at[:-1]])
    np.testing.assert_allclose(weights(labeling), _weights(without), rtol=1e-5, atol=1e-6)
    told = [(row["n_new"], row["n_corrected"], row["n_removed"]) for row in labeling.history]
    assert told == [(30, 0, 0), (0, 1, 0), (0, 0, 1)]
    assert [row.get("forgotten") for row in labeling.learner.history_][-2:-1] == [1]
    assert not labeling.teach()
    labeling.verify()


@pytest.mark.parametrize("strategy", ["margin", "ceal"])
def test_labels_that_replace_all_that_was_taught(tmp_path, strategy):
    def begin():
        return session(tmp_path / "labels.db", learner=learner(strategy), retrain_every=None)

    labeling = begin()
    gone = answer(labeling, "ada", 20)
    labeling.teach()
    for _ in gone:
        labeling.undo("ada")
    for item in gone:
        labeling.skip(item.id, "ada")
    done = answer(labeling, "ada", 20)
    assert labeling.teach()
    at = [item.position for item in done]
    assert labeling.learner.y_labeled_.tolist() == Y[at].tolist()
    if strategy == "margin":
        fresh = learner(classes=CLASSES).fit(X[at], Y[at])
        np.testing.assert_allclose(weights(labeling), _weights(fresh), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(weights(begin()), weights(labeling))
    labeling.verify()


def test_a_training_that_fails_changes_nothing(monkeypatch):
    labeling = session(retrain_every=None)
    answer(labeling, "ada", 20)
    labeling.teach()
    answer(labeling, "ada", 5)
    before, events = weights(labeling), labeling.events()
    monkeypatch.setattr(LogisticRegression, "fit", _fails)
    with pytest.raises(MemoryError):
        labeling.teach()
    monkeypatch.undo()
    np.testing.assert_array_equal(weights(labeling), before)
    assert labeling.events() == events
    assert labeling.teach()


def _fails(*_):
    raise MemoryError


def test_answers_during_a_training_wait_for_the_next(monkeypatch):
    labeling = session(retrain_every=None)
    items = answer(labeling, "ada", 20)
    fit = LogisticRegression.fit

    def meanwhile(self, *arguments, **params):
        monkeypatch.undo()
        wrong = (Y[items[0].position] + 1) % 10
        thread = threading.Thread(target=labeling.relabel, args=(items[0].id, wrong, "ada"))
        thread.start()
        thread.join()
        return fit(self, *arguments, **params)

    monkeypatch.setattr(LogisticRegression, "fit", meanwhile)
    labeling.teach()
    assert labeling.progress()["n_waiting"] == 1
    assert labeling.teach()
    assert labeling.history[-1]["n_corrected"] == 1
    labeling.verify()


def test_one_class_alone_waits_for_another():
    labeling = session(retrain_every=5, batch=5)
    answer(labeling, "ada", 12, labels=np.zeros(400, dtype=int))
    assert labeling.progress()["n_trainings"] == 0
    answer(labeling, "ada", 2)
    assert labeling.due or labeling.history


def test_classes_may_be_added_later(tmp_path):
    few = [c for c in CLASSES if c < 9]
    with session(tmp_path / "labels.db", classes=few, learner=learner(classes=few)) as labeling:
        answer(labeling, "ada", 25, labels=np.minimum(Y, 8))
    with session(tmp_path / "labels.db") as labeling:
        answer(labeling, "ada", 20)
        assert labeling.learner.classes_.tolist() == CLASSES
    session(tmp_path / "labels.db").verify()


def test_two_sessions_on_one_store_have_one_learner_state(tmp_path):
    one, other = (session(tmp_path / "labels.db", batch=10, retrain_every=10) for _ in range(2))
    for _ in range(6):
        answer(one, "ada", 5)
        answer(other, "bob", 5)
    one.teach()
    other.ask(1)
    np.testing.assert_array_equal(weights(one), weights(other))
    one.verify()


# -- consensus ------------------------------------------------------------------------------


def four_answers(labeling, answers):
    """The annotators' labels of as many items as there are rows."""
    items = {}
    for name, labels in answers.items():
        for item, label in zip(labeling.claim(name, len(labels)), labels, strict=True):
            labeling.label(item.id, label, name)
            items[item.id] = None
    return list(items)


ANSWERS = {"ada": [0, 1, 2, 3], "bob": [0, 1, 2, 4], "cyd": [0, 1, 5, 6]}


def test_consensus_agreement_and_disagreements():
    labeling = session(overlap=3, retrain_every=None)
    ids = four_answers(labeling, ANSWERS)
    assert labeling.consensus() == dict(zip(ids, [0, 1, 2], strict=False))
    labeling.relabel(ids[3], 9, "referee", final=True)
    assert labeling.consensus()[ids[3]] == 9
    assert [each.id for each in labeling.disagreements()] == [ids[2]]
    agreement = labeling.agreement()
    pair = cohen_kappa_score(ANSWERS["ada"], ANSWERS["cyd"])
    assert agreement.cohen["ada", "cyd"] == pytest.approx(pair)
    # Fleiss (1971): mean agreement (1 + 1 + 1/3 + 0) / 4, by chance sum of squared shares.
    shares = np.unique(np.concatenate(list(ANSWERS.values())), return_counts=True)[1] / 12
    observed, chance = (2 + 1 / 3) / 4, (shares**2).sum()
    assert agreement.fleiss == pytest.approx((observed - chance) / (1 - chance))
    assert agreement.observed == pytest.approx(observed)
    assert labeling.consensus(lambda given: max(given.values()))[ids[2]] == 5
    with pytest.raises(UnknownClassError):
        labeling.consensus(lambda given: "seven")
    labeling.teach()
    assert labeling.learner.y_labeled_.tolist() == [0, 1, 2, 9]


def test_weighted_votes_are_log_odds():
    vote = WeightedVote([{"a": 0, "b": 0, "c": 1, "d": 0}] * 8, n_classes=3)
    right, wrong = 9 / 10, 1 / 10  # (8 + 1) / (8 + 2) of eight items each
    assert vote.accuracy == {"a": right, "b": right, "c": wrong, "d": right}
    assert vote({"c": 1, "d": 0}) == 0
    assert vote({"a": 2, "b": 0, "d": 0}) == 0
    assert vote({"a": 2, "b": 0}) is None
    assert vote({"stranger": 2, "c": 1}) == 2  # log(2 * 1 / 1) against log(2 / 9)


def test_unanimous_annotators_have_no_kappa():
    labeling = session(overlap=2, retrain_every=None)
    four_answers(labeling, {"ada": [0, 0], "bob": [0, 0]})
    agreement = labeling.agreement()
    assert np.isnan(agreement.fleiss)
    assert np.isnan(agreement.cohen["ada", "bob"])
    assert agreement.observed == 1


def test_a_wrong_label_is_suspicious():
    labeling = session(pool=X[:200], retrain_every=None, batch=200)
    wrong = np.array(Y)
    wrong[[7, 50, 99]] = (wrong[[7, 50, 99]] + 1) % 10
    answer(labeling, "ada", 200, labels=wrong)
    found = labeling.suspicious(15)
    where = {labeling.item(each.id, "ada").position for each in found}
    assert len({7, 50, 99} & where) >= 2
    assert [each.probability for each in found] == sorted(each.probability for each in found)
    labeling.teach()
    assert len(labeling.suspicious(cv=None)) <= len(found)


@pytest.mark.parametrize(
    ("estimator", "classes"),
    [
        (LogisticRegression(class_weight={0: 1, 1: 1, 2: 100}, max_iter=200), [0, 1, 2]),
        (LogisticRegression(class_weight={"b": 1, "c": 100}, max_iter=200), ["b", "c"]),
        (AdversarialNetClassifier(SmallMLP, classes=["b", "c"], attack=None, max_epochs=60, lr=0.05,
                                  criterion__weight=torch.tensor([1.0, 100.0])), ["b", "c"]),
    ],
)  # fmt: skip
def test_suspicions_are_of_models_that_learn_the_labels_as_they_are(estimator, classes):
    """A hundred times the weight: whoever doubts, doubts labels of the light class."""
    pool = np.random.default_rng(0).random((80, 4), dtype=np.float32)
    truth = np.repeat(classes[-2:], 40)
    labeling = session(
        pool=pool, learner=ActiveLearner(estimator, random_state=0), classes=classes, batch=80,
        retrain_every=None,
    )  # fmt: skip
    answer(labeling, "ada", 80, labels=truth)
    doubted = labeling.suspicious(80)
    assert {(each.label, each.predicted) for each in doubted} == {tuple(classes[-2:])}


@pytest.mark.parametrize("ids", [None, [0, 1, 41]])
def test_files_do_not_label_again_what_the_learner_came_with(tmp_path, ids):
    started = learner(classes=CLASSES).fit(X[[0, 1, 41]], Y[[0, 1, 41]], ids=ids)
    labeling = session(learner=started, ids=range(400), retrain_every=4, batch=10)
    (tmp_path / "file.csv").write_text("id,label,annotator\n5,3,ada\n0,3,ada\n41,,ada\n")
    with pytest.raises(LabelingError, match=r"lines 3: Item 0 is in .* learner\.relabel.* Nothing"):
        labeling.read_csv(tmp_path / "file.csv")
    assert labeling.progress()["n_labels"] == 0
    (tmp_path / "file.csv").write_text("id,label,annotator,final,referee\n41,,,3,ada\n")
    with pytest.raises(LabelingError, match="Item 41 is in the labelled set"):
        labeling.read_csv(tmp_path / "file.csv")
    answer(labeling, "ada", 8)
    assert len(labeling.learner.y_labeled_) == 7


def test_ids_that_are_other_rows_than_the_learners_are_refused_at_once():
    started = learner(classes=CLASSES).fit(X[[0, 1, 41]], Y[[0, 1, 41]], ids=[0, 7, 9])
    with pytest.raises(LabelingError, match="knows ids 7, 9, but in this pool they are other rows"):
        session(learner=started, ids=range(400))
    moved = np.arange(400)
    moved[[0, 1, 41]], moved[[7, 9]] = [0, 7, 9], [1, 41]
    assert len(session(learner=started, ids=moved).claim("ada", 3)) == 3


def split_answers(labeling):
    """Ada is right, bob on every other item alone."""
    for item in labeling.claim("ada", n=20):
        labeling.label(item.id, int(Y[item.position]), "ada")
    for i, item in enumerate(labeling.claim("bob", n=20)):
        labeling.label(item.id, int(Y[item.position] + i % 2) % 10, "bob")


@pytest.mark.parametrize("retrain_every", [None, 5])
@pytest.mark.parametrize("other", ["weighted", lambda given: given.get("ada")])
def test_a_store_that_is_opened_with_another_rule_is_taught_by_it(tmp_path, other, retrain_every):
    path = tmp_path / "store.db"
    params = {"overlap": 2, "batch": 20, "pool": X[:20], "retrain_every": retrain_every}
    labeling = session(path, **params)
    split_answers(labeling)
    labeling.teach()
    assert labeling.progress()["n_taught"] == 10
    labeling.close()
    labeling = session(path, consensus=other, **params)
    agreed = len(labeling.consensus())
    assert labeling.due == (retrain_every == 5 and agreed >= 15)
    assert labeling.teach() == (agreed > 10)
    assert labeling.progress()["n_taught"] == agreed
    assert not labeling.due
    assert not labeling.teach()
    labeling.verify()
    labeling.close()
    back = session(path, **params)
    assert back.teach() == (agreed > 10)
    assert back.progress()["n_taught"] == 10


# -- files ----------------------------------------------------------------------------------


def test_labels_go_out_and_come_in(tmp_path):
    labeling = session(overlap=2, batch=6, ids=[f"digit {i}" for i in range(400)])
    four_answers(labeling, {"ada": [0, 1, 2], "bob": [0, 1]})
    labeling.skip(labeling.claim("bob")[0].id, "bob", "blurred, or dirty")
    labeling.to_csv(tmp_path / "labels.csv")
    frame = pd.read_csv(tmp_path / "labels.csv")
    assert len(frame) == 6 + 3
    assert frame.label.isna().sum() == 4
    other = session(overlap=2, ids=[f"digit {i}" for i in range(400)])
    report = other.read_csv(tmp_path / "labels.csv")
    assert report == ImportReport(n_new=5, n_skips=1, n_blank=3)
    assert other.consensus() == labeling.consensus()
    before = other.events()
    assert other.read_csv(tmp_path / "labels.csv") == ImportReport(n_known=6, n_blank=3)
    assert other.events() == before
    other.verify()


def test_a_referee_s_decisions_and_skips_go_out_and_come_in(tmp_path):
    def begin(**params):
        return session(overlap=2, batch=5, ids=[f"digit {i}" for i in range(400)], **params)

    labeling = begin()
    ids = four_answers(labeling, {"ada": [0, 1, 2], "bob": [0, 3]})
    labeling.skip(labeling.claim("bob")[0].id, "bob", "blurred, or dirty")
    last = labeling.claim("cyd", 2)[-1].id  # nobody's answer
    for id, label in [(ids[1], 1), (ids[2], 4), (last, 5)]:
        labeling.relabel(id, label, "referee", final=True)
    labeling.relabel(ids[2], 6, "other", final=True)
    labeling.to_csv(tmp_path / "labels.csv")
    other = begin(annotators=["ada", "bob", "referee", "other"])
    report = other.read_csv(tmp_path / "labels.csv")
    assert report == ImportReport(n_new=5, n_skips=1, n_final=3, n_blank=1)
    assert other.consensus() == labeling.consensus()
    assert other.disagreements() == []
    other.to_csv(tmp_path / "again.csv")
    kept = ["id", "label", "annotator", "state", "reason", "final", "referee"]
    first, second = (pd.read_csv(tmp_path / name)[kept] for name in ("labels.csv", "again.csv"))
    pd.testing.assert_frame_equal(*(
        frame[frame.state.ne("open") | frame.final.notna()].sort_values(kept[:3], ignore_index=True)
        for frame in (first, second)
    ))  # fmt: skip
    assert other.read_csv(tmp_path / "labels.csv") == ImportReport(n_known=9, n_blank=1)
    other.verify()


def test_decisions_and_skips_that_contradict_are_conflicts(tmp_path):
    labeling = session(ids=np.arange(400), overlap=2)
    first, second = labeling.claim("ada", 2)
    labeling.label(first.id, 1, "ada")
    labeling.relabel(second.id, 2, "referee", final=True)
    rows = [f"{first.id},,ada,skipped,,", f"{second.id},,,open,3,cyd", "399,,,open,4,"]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["id,label,annotator,state,final,referee", *rows]))
    before = labeling.events()
    report = labeling.read_csv(file)
    assert report.conflicts == [(2, first.id, "ada", 1, None), (3, second.id, "cyd", 2, 3)]
    assert report.n_blank == 1  # a decision of nobody's is another program's column
    assert labeling.events() == before
    file.write_text(f"id,label,annotator,state,final,referee\n{first.id},,,,eleven,cyd\n")
    with pytest.raises(UnknownClassError, match="lines 2: 'eleven' is none of the declared"):
        labeling.read_csv(file)


def test_outer_blanks_of_classes_and_names_go_out_and_come_in(tmp_path):
    params = {"classes": ["cat", "cat "], "learner": learner("random"), "retrain_every": None}
    labeling = session(tmp_path / "labels.db", **params)
    for name, label in [("ada ", "cat "), ("ada", "cat"), ("bob", "cat ")]:
        labeling.label(labeling.claim(name)[0].id, label, name)
    labeling.relabel(labeling.claim("cyd")[0].id, "cat ", " cyd", final=True)
    labeling.to_csv(tmp_path / "labels.csv")
    before = labeling.events()
    assert labeling.read_csv(tmp_path / "labels.csv").n_known == 4
    assert labeling.events() == before
    other = session(tmp_path / "other.db", **params)
    other.read_csv(tmp_path / "labels.csv")
    assert other.consensus() == labeling.consensus()
    file = tmp_path / "typed.csv"
    file.write_text(f"id,label,annotator\n{labeling.claim('dan')[0].id}, cat, dan \n")
    assert labeling.read_csv(file).n_new == 1
    assert labeling.answered("dan")[0].label == "cat"


def test_a_text_of_any_length_goes_out_and_comes_in(tmp_path):
    texts = ["x" * 140_000, "three"]
    labeling = session(pool=texts, learner=learner("random"), batch=2)
    for item in labeling.claim("ada", 2):
        labeling.label(item.id, item.position, "ada")
    labeling.to_csv(tmp_path / "labels.csv")
    limit = csv.field_size_limit()
    assert labeling.read_csv(tmp_path / "labels.csv").n_known == 2
    assert csv.field_size_limit() == limit


@pytest.mark.parametrize("newline", list("\n\r\v\f\x1c\x85\u2028"))
def test_texts_of_several_lines_go_out_and_come_in(tmp_path, newline):
    texts = [f"first{newline}second", 'a "word", two', "three"]
    ids = [f"a{newline}b", "c", "d"]
    labeling = session(pool=texts, ids=ids, learner=learner("random"), batch=3)
    for item in labeling.claim("ada", 3):
        labeling.label(item.id, item.position, "ada")
    labeling.to_csv(tmp_path / "labels.csv")
    other = session(pool=texts, ids=ids)
    report = other.read_csv(tmp_path / "labels.csv")
    assert (report.n_new, report.n_blank) == (3, 0)
    assert other.consensus() == labeling.consensus()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_of_files_end_as_their_system_ends_them(tmp_path, newline):
    lines = ["id;label;text", '3;1;"two', 'lines"', "4;2;one\u2028line", "999;1;"]
    (tmp_path / "labels.csv").write_bytes(newline.join(lines).encode())
    with pytest.raises(LabelingError, match="lines 5: There is no item '999'"):
        session(ids=np.arange(400)).read_csv(tmp_path / "labels.csv", "ada")
    (tmp_path / "labels.csv").write_bytes(newline.join(lines[:-1]).encode())
    assert session(ids=np.arange(400)).read_csv(tmp_path / "labels.csv", "ada").n_new == 2


@pytest.mark.parametrize(
    ("classes", "written"),
    [
        ([3, 7], ["3.0", "7.0", "3", " 7.00 "]),
        ([-1, 1], ["-1.0", "1.0", "+1", "1."]),
        ([0.0, 1.0], ["0", "1.0", "1.", "-0.0"]),
    ],
)
def test_numbers_are_read_however_a_spreadsheet_writes_them(tmp_path, classes, written):
    labeling = session(ids=np.arange(400), classes=classes)
    rows = [f"{i},{text},ada" for i, text in enumerate(written)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,label,annotator", *rows]))
    labeling.read_csv(tmp_path / "labels.csv")
    said = {i: float(text) for i, text in enumerate(written)}
    assert labeling.consensus() == said
    assert {type(label) for label in labeling.consensus().values()} == {type(classes[0])}


@pytest.mark.parametrize(
    ("classes", "written"),
    [
        (["1", "2"], "1.0"),
        ([1, 2], "1.5"),
        ([1, 2], "1e0"),
        ([1, 2], "nan"),
        ([1, 2], "3.0"),
        ([2**53, 2**53 + 1], f"{2**53}.0"),  # which may have been the other one
        ([False, True], "1.0"),
    ],
)
def test_what_is_no_class_is_none_however_it_is_written(tmp_path, classes, written):
    labeling = session(ids=np.arange(400), classes=classes)
    (tmp_path / "labels.csv").write_text(f"id,label,annotator\n3,{written},ada\n")
    with pytest.raises(UnknownClassError, match="is none of the declared"):
        labeling.read_csv(tmp_path / "labels.csv")


def test_texts_that_look_like_numbers_are_told_apart(tmp_path):
    labeling = session(ids=np.arange(400), classes=["1", "1.0"])
    (tmp_path / "labels.csv").write_text("id,label,annotator\n3,1,ada\n4,1.0,ada\n")
    labeling.read_csv(tmp_path / "labels.csv")
    assert labeling.consensus() == {3: "1", 4: "1.0"}


def test_labels_come_back_from_pandas(tmp_path):
    labeling = session(ids=np.arange(400), overlap=2, retrain_every=None)
    done = answer(labeling, "ada", 3)
    labeling.claim("bob", 5)
    labeling.relabel(done[0].id, 4, "cyd", final=True)
    labeling.to_csv(tmp_path / "labels.csv")
    pd.read_csv(tmp_path / "labels.csv").to_csv(tmp_path / "edited.csv", index=False)
    assert ".0," in (tmp_path / "edited.csv").read_text()  # blank labels make floats of all
    assert labeling.read_csv(tmp_path / "edited.csv").n_known == 4
    labeling.to_frame().to_csv(tmp_path / "frame.csv", index=False)
    other = session(ids=np.arange(400), overlap=2)
    assert other.read_csv(tmp_path / "frame.csv").n_final == 1
    assert other.consensus() == labeling.consensus()


@pytest.mark.parametrize("classes", [CLASSES, [2**62 + i for i in range(10)], [*"abcdefghij"]])
def test_a_frame_keeps_whole_numbers_where_some_are_missing(tmp_path, classes):
    labeling = session(ids=np.arange(400), classes=classes, retrain_every=None)
    for item in labeling.claim("ada", 3):
        labeling.label(item.id, classes[Y[item.position]], "ada")
    labeling.relabel(item.id, classes[4], "cyd", final=True)
    never = next(i for i in range(400) if i not in set(labeling.to_frame().id))
    (tmp_path / "labels.csv").write_text(f"id,label\n{never},{classes[5]}\n")
    labeling.read_csv(tmp_path / "labels.csv", "bob")
    frame = labeling.to_frame().set_index("id")
    assert not any(isinstance(value, float) for value in frame.label.dropna())
    assert frame.label.dropna().to_dict() == labeling.consensus() | {
        item.id: classes[Y[item.position]]
    }
    assert frame.final.dropna().tolist() == [classes[4]]
    assert frame["round"].dropna().eq(0).all()
    assert not {"label", "round", "rank", "final"} & set(frame.select_dtypes("float"))
    assert frame["round"].isna().sum() == frame["rank"].isna().sum() == 1
    assert frame.label.isna().sum() == 17


def test_a_conflict_is_told_and_nothing_overwritten(tmp_path):
    labeling = session(ids=np.arange(400))
    first, second = labeling.claim("ada", 2)
    labeling.label(first.id, 1, "ada")
    file = tmp_path / "labels.csv"
    file.write_text(f"\ufeffid;label;remark\n{first.id};2;\n{second.id};3;x\n399;;\n")
    report = labeling.read_csv(file, annotator="ada")
    assert (report.n_new, report.n_blank) == (1, 1)
    assert report.conflicts == [(2, first.id, "ada", 1, 2)]
    assert labeling.consensus() == {first.id: 1, second.id: 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,label\n3,1\n999,1\n", "lines 3: There is no item '999'.*Nothing was entered"),
        ("id,label\n3,1\n4,eleven\n", "lines 3: 'eleven' is none of the declared"),
        ("id,klass\n3,1\n", "must have columns id and label"),
        ('id,label\n3,"1\n', "bad.csv, line 1: unexpected end of data"),
        ('"id,label\n', "bad.csv, line 0: unexpected end of data"),
        ("", "must have columns"),
    ],
)
def test_a_bad_file_enters_nothing(tmp_path, text, words):
    labeling = session(ids=np.arange(400))
    (tmp_path / "bad.csv").write_text(text)
    before = labeling.events()
    with pytest.raises(LabelingError, match=words):
        labeling.read_csv(tmp_path / "bad.csv", "ada")
    assert labeling.events() == before
    with pytest.raises(LabelingError, match="does not say whose labels stand in lines 2"):
        (tmp_path / "bad.csv").write_text("id,label\n3,1\n")
        labeling.read_csv(tmp_path / "bad.csv")


def test_an_id_of_another_kind_than_the_learner_s_is_refused_at_once():
    fitted = learner().fit(X[300:340], Y[300:340], ids=np.arange(40))
    with pytest.raises(LabelingError, match=r"learner's ids are whole numbers, .* texts.*ids="):
        session(pool=X[:200], learner=fitted)
    named = learner().fit(X[300:340], Y[300:340], ids=[f"first {i}" for i in range(40)])
    for known, ids in [(fitted, np.arange(100, 300)), (named, None)]:
        labeling = session(pool=X[:200], learner=known, ids=ids, retrain_every=None)
        answer(labeling, "ada", 5)
        assert labeling.teach()


def test_imported_labels_are_taught(tmp_path):
    labeling = session(ids=np.arange(400), retrain_every=None)
    pd.DataFrame({"id": range(60), "label": Y[:60]}).to_csv(tmp_path / "labels.csv")
    assert labeling.read_csv(tmp_path / "labels.csv", "ada").n_new == 60
    labeling.teach()
    at_once = learner(classes=CLASSES).fit(X[:60], Y[:60])
    np.testing.assert_array_equal(weights(labeling), _weights(at_once))
    assert min(item.position for item in labeling.claim("ada", 20)) >= 60
    labeling.verify()


def test_a_table_s_columns_are_exported(tmp_path):
    table = pd.DataFrame({"name": ["a", "b", "c"], "size": [1.5, 2.5, 3.5], "label": [0, 0, 0]})
    labeling = LabelingSession(
        ":memory:", table[["size"]].assign(name=table["name"]),
        learner=learner("random"), classes=["x", "y"], batch=3, ids="name",
    )  # fmt: skip
    labeling.claim("ada")
    labeling.to_csv(tmp_path / "labels.csv")
    frame = pd.read_csv(tmp_path / "labels.csv").set_index("id")
    assert frame["size"].to_dict() == {"a": 1.5, "b": 2.5, "c": 3.5}


def test_texts_are_labelled_through_a_pipeline(tmp_path):
    texts = [f"{'good' if i % 2 else 'bad'} film number {i}" for i in range(60)]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    labeling = LabelingSession(
        ":memory:", texts, learner=ActiveLearner(model, "margin", random_state=0),
        classes=["bad", "good"], batch=10, retrain_every=10,
    )  # fmt: skip
    truth = np.array(["good" if i % 2 else "bad" for i in range(60)])
    assert OracleAnnotator(truth).annotate(labeling, 31) == 31
    assert labeling.learner.predict(["good one"]) == ["good"]
    labeling.to_csv(tmp_path / "labels.csv")
    assert "film number" in (tmp_path / "labels.csv").read_text()


class Digits(torch.utils.data.Dataset):
    """Images one by one, as a net reads them."""

    def __len__(self):
        return 60

    def __getitem__(self, at):
        return torch.as_tensor(X[at].reshape(1, 8, 8))


POOLS = {
    "list of rows": lambda: X[:60].tolist(),
    "sparse": lambda: scipy.sparse.csr_array(X[:60]),
    "tensor": lambda: torch.as_tensor(X[:60]),
    "pandas": lambda: pd.DataFrame(X[:60], columns=[f"p{i}" for i in range(64)]),
    "polars": lambda: pl.DataFrame(X[:60], schema=[f"p{i}" for i in range(64)]),
    "dataset": Digits,
    "arrow": lambda: in_arrow(POOLS["pandas"]()),
    "record batch": lambda: in_batch(POOLS["pandas"]()),
    "arrow files": lambda: in_files(POOLS["pandas"]()),
    "dask table": lambda: in_dask(POOLS["pandas"]()),
    "dask array": lambda: imported("dask.array").from_array(X[:60], chunks=(25, 64)),
    "xarray": lambda: imported("xarray").DataArray(X[:60], dims=("row", "pixel")),
    "hugging face": lambda: imported("datasets").Dataset.from_pandas(POOLS["pandas"]()),
}


def imported(name):
    return pytest.importorskip(name, reason=f"needs {name}")


def in_arrow(table):
    return imported("pyarrow").Table.from_pandas(table)


def in_files(table):
    folder = tempfile.mkdtemp()
    imported("pyarrow.parquet").write_table(in_arrow(table), f"{folder}/a.parquet")
    return imported("pyarrow.dataset").dataset(folder)


def in_dask(table, npartitions=3):
    return imported("dask.dataframe").from_pandas(table, npartitions=npartitions)


@pytest.mark.parametrize("kind", POOLS)
def test_pools_of_every_kind_are_labelled_and_known_again(kind, tmp_path):
    def begin():
        made = learner()
        if kind == "dataset":
            net = AdversarialNetClassifier(
                SmallCNN, attack=None, max_epochs=1, lr=0.05, batch_size=20, random_state=0
            )
            made = ActiveLearner(net, "margin", random_state=0)
        pool = POOLS[kind]()
        return session(tmp_path / "labels.db", pool=pool, learner=made, batch=10, retrain_every=10)

    with begin() as labeling:
        done = answer(labeling, "ada", 21)
        row = np.asarray(done[0].content, dtype=float) if kind != "sparse" else None
        expected = X[done[0].position]
        assert row is None or np.allclose(row.ravel(), expected)
        known = labeling._trainer.digest()
    with begin() as labeling:
        assert labeling._trainer.digest() == known
        assert not {item.id for item in labeling.claim("ada", 9)} & {item.id for item in done}
        labeling.to_csv(tmp_path / "labels.csv")
        assert len(labeling.suspicious(5)) <= 5


@pytest.mark.parametrize("make", [in_arrow, in_dask], ids=["arrow", "dask"])
def test_a_table_in_partitions_is_labelled_as_the_table_itself(make):
    table = POOLS["pandas"]().assign(nr=range(60))
    given = make(table)
    first, second = (
        session(
            pool=pool, ids="nr", batch=10, retrain_every=10,
            learner=ActiveLearner(LogisticRegression(max_iter=9999), "margin", random_state=0),
        )
        for pool in (table, given)
    )  # fmt: skip
    for labeling in (first, second):
        answer(labeling, "ada", 31)
    assert second.pool is given
    assert picks(first) == picks(second)
    np.testing.assert_array_equal(weights(first), weights(second))
    for item in second.claim("ada", 9):
        pd.testing.assert_series_equal(item.content, table.iloc[item.position])
    assert first.suspicious() == second.suspicious()
    for kind in (first, second):
        with kind.serve(port=0, block=False, show_confidence=True) as server:
            shown = server.app.service.call("claim", {"annotator": "ada"})["items"]
            assert [name for name, _ in shown[0]["content"]["rows"]] == list(table.columns)
            assert len(shown[0]["sure"]) == 3


@pytest.mark.parametrize("make", [in_arrow, in_dask], ids=["arrow", "dask"])
def test_ids_that_are_no_column_of_a_table_in_partitions_are_refused(make):
    with pytest.raises(LabelingError, match="ids='nr' must be a column of the pool"):
        session(pool=make(POOLS["pandas"]()), ids="nr")
    with pytest.raises(LabelingError, match="pool has no rows"):
        session(pool=make(POOLS["pandas"]()[:0]))


def in_polars(table):
    return imported("polars").from_pandas(table)


def in_batch(table):
    return in_arrow(table).to_batches()[0]


TABLES = [pd.DataFrame, in_polars, in_arrow, in_batch, in_files, in_dask]


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_tables_of_every_kind_write_their_own_columns(make, tmp_path):
    table = pd.DataFrame(
        {
            "name": ["a", "b, c", "d"],
            "size": [1.5, 2.5, 3.5],
            "code": [2**60 + i for i in range(3)],
            "label": [0, 0, 0],
        }
    )
    labeling = LabelingSession(
        ":memory:", make(table), learner=learner("random"), classes=["x", "y"], batch=3, ids="name"
    )
    for item in labeling.claim("ada", 3):
        labeling.label(item.id, "xyx"[item.position], "ada")
    labeling.to_csv(tmp_path / "labels.csv")
    frame = pd.read_csv(tmp_path / "labels.csv")
    assert list(frame.columns[:6]) == ["id", "name", "size", "code", "label", "annotator"]
    frame = frame.set_index("id").loc[table["name"]]
    assert frame["label"].tolist() == ["x", "y", "x"]  # the labels, not the table's own column
    for name in ("name", "size", "code"):
        assert frame[name].tolist() == table[name].tolist()
    with labeling.serve(port=0, block=False) as server:
        shown = server.app.service.rendering.content(1)["rows"]
        assert shown == [
            ["name", "b, c"],
            ["size", "2.5"],
            ["code", str(2**60 + 1)],
            ["label", "0"],
        ]


@pytest.mark.parametrize("make", [in_polars, in_arrow, in_files])
def test_what_is_missing_in_a_table_is_blank_and_whole_numbers_stay_whole(make, tmp_path):
    table = pd.DataFrame({"size": pd.array([1, None, 2**60 + 1], dtype="Int64"), "b": [0, 1, 2]})
    labeling = session(pool=make(table), learner=learner("random"), ids=[7, 8, 9], batch=3)
    labeling.claim("ada", 3)
    labeling.to_csv(tmp_path / "labels.csv")
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    written = {row["id"]: row["size"] for row in csv.DictReader(lines)}
    assert written == {"7": "1", "8": "", "9": str(2**60 + 1)}


def test_images_in_a_table_are_no_columns_for_a_spreadsheet(tmp_path):
    pa = imported("pyarrow")
    images = pa.FixedShapeTensorArray.from_numpy_ndarray(X[:60].reshape(60, 8, 8).copy())
    labeling = session(pool=pa.table({"image": images}), learner=learner("random"))
    labeling.to_csv(tmp_path / "labels.csv")
    assert (tmp_path / "labels.csv").read_text().startswith("id,label,")
    with labeling.serve(port=0, block=False) as server:
        assert server.app.service.rendering.content(3) == {"width": 8, "height": 8}


def test_a_learner_that_cannot_repeat_says_so(tmp_path):
    with session(tmp_path / "labels.db", retrain_every=5) as labeling:
        answer(labeling, "ada", 16)
    wrong = ActiveLearner(LogisticRegression(C=-1), "margin", random_state=0)
    with pytest.raises(LabelingError, match="cannot repeat event .*labels are safe"):
        session(tmp_path / "labels.db", learner=wrong)
    other = ActiveLearner(LogisticRegression(C=0.01), "margin", random_state=0)
    with pytest.warns(UserWarning, match="came out otherwise"):
        opened = session(tmp_path / "labels.db", learner=other)
    assert opened.progress()["n_labels"] == 16


def test_labels_and_score_are_plotted():
    labeling = session(batch=10, retrain_every=10)
    for name in ("ada", "bob"):
        OracleAnnotator(Y, name=name).annotate(labeling, 16)
    ax = labeling.plot()
    assert [line.get_ydata()[-1] for line in ax.get_lines()] == [16, 16]
    assert len(ax.figure.axes[1].get_lines()[0].get_ydata()) == len(labeling.history) - 1


def test_a_plot_beside_others_leaves_them_as_they_are():
    plt = pytest.importorskip("matplotlib.pyplot")
    labeling = session(batch=10, retrain_every=10)
    OracleAnnotator(Y, name="ada").annotate(labeling, 10)
    figure, (other, own) = plt.subplots(2)
    other.plot([0, 1], [0, 1])
    labeling.plot(own)
    figure.canvas.draw()
    labels = [label for label in other.get_xticklabels() if label.get_text()]
    assert labels
    assert all(label.get_visible() and label.get_rotation() == 0 for label in labels)
    plt.close(figure)


# -- simulated annotators -------------------------------------------------------------------


def test_an_oracle_errs_as_often_as_told():
    labeling = session(retrain_every=None, batch=400)
    slow = OracleAnnotator(
        Y, name="slow", accuracy=0.8, skip_rate=0.1, seconds=5, sleep=lambda s: None, random_state=1
    )
    slow.annotate(labeling)
    frame = labeling.to_frame()
    said = frame[frame.state == "labelled"]
    right = (said.label.astype(int) == Y[said.position]).mean()
    assert right == pytest.approx(0.8, abs=0.06)
    assert (frame.state == "skipped").mean() == pytest.approx(0.1, abs=0.045)
    assert frame.seconds.mean() == pytest.approx(5, rel=0.15)


def test_an_oracle_confuses_as_told():
    confusion = np.eye(10)
    confusion[3, [3, 8]] = 0.5
    labeling = session(retrain_every=None, batch=400)
    OracleAnnotator(Y, confusion=confusion, random_state=1).annotate(labeling)
    said = labeling.to_frame()
    threes = said[Y[said.position] == 3].label.astype(int)
    assert set(threes) == {3, 8}
    others = said[Y[said.position] != 3]
    assert (others.label.astype(int) == Y[others.position]).all()
    with pytest.raises(ValueError, match="sum 1"):
        OracleAnnotator(Y, confusion=np.ones((10, 10))).annotate(session(), 1)
    with pytest.raises(ValueError, match="accuracy"):
        OracleAnnotator(Y, accuracy=1.1)


def test_a_saved_learner_goes_on_without_training(tmp_path, monkeypatch):
    with session(tmp_path / "labels.db", retrain_every=5) as labeling:
        answer(labeling, "ada", 16)
        labeling.learner.save(tmp_path / "learner.skactive")
        answer(labeling, "ada", 5)
        whole = weights(labeling)
    saved = skactive.load(tmp_path / "learner.skactive")
    trainings, fit = [], LogisticRegression.fit

    def counted(self, *arguments, **params):
        trainings.append(1)
        return fit(self, *arguments, **params)

    monkeypatch.setattr(LogisticRegression, "fit", counted)
    with session(tmp_path / "labels.db", learner=saved) as labeling:
        assert len(trainings) == 1  # the one that it was saved before
        np.testing.assert_array_equal(weights(labeling), whole)
