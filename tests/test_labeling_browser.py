"""The labelling page in a real browser, by keyboard."""

import numpy as np
import pytest
from sklearn.datasets import load_digits as sklearn_digits
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingSession

from .browser import all_of, chord, errors, look, open_browser, press, text_of, until

LEFT, RIGHT, ESCAPE, ENTER, CONTROL = "\ue012", "\ue014", "\ue00c", "\ue007", "\ue009"
X, Y = sklearn_digits(return_X_y=True)
X = X[:300]


@pytest.fixture(scope="module")
def browser():
    with open_browser() as window:
        yield window


@pytest.fixture
def window(browser):
    """A fresh tab; pages of other tests have other ports, so nothing of theirs is remembered."""
    browser.switch_to.new_window("tab")
    look(browser)
    errors(browser)
    yield browser
    browser.get("about:blank")


@pytest.fixture
def session(tmp_path):
    learner = ActiveLearner(LogisticRegression(max_iter=200), "margin", random_state=0)
    with LabelingSession(
        tmp_path / "labels.db", X, learner=learner, classes=range(10), batch=8, retrain_every=8
    ) as session:
        yield session


@pytest.fixture
def server(session):
    with session.serve(port=0, block=False, image_shape=(8, 8), title="Digits") as server:
        yield server


def begin(window, name="ada"):
    """Give a name and wait for an item."""
    (field,) = until(window, lambda w: all_of(w, ".sk-ask input"))
    field.send_keys(name, "\n")
    shown(window)


def shown(window):
    """Position in the pool of the item on show, once its image is there."""
    until(window, lambda w: all_of(w, ".sk-stage img") and w.execute_script(
        "return document.querySelector('.sk-stage img').naturalWidth"))  # fmt: skip
    return int(text_of(window, ".sk-name").removeprefix("Item ")) - 1


def label_one(window):
    """Label the item on show by its key; its position."""
    position = shown(window)
    press(window, str(Y[position]))
    until(window, lambda w: text_of(w, ".sk-name") != f"Item {position + 1}")
    return position


def saved(window):
    """Wait until everything has arrived."""
    until(window, lambda w: not text_of(w, ".sk-saving"))
    return window


def labels_of(session, annotator="ada"):
    """Labels that stand, by position, as a fresh reading of the store tells them."""
    found = session.answered(annotator, 1000)
    return {item.position: item.label for item in found if item.state == "labelled"}


def wait_for_labels(window, session, n):
    until(window, lambda _: len(labels_of(session)) == n)


def test_twenty_digits_undo_skip_reload_and_two_tabs(window, session, server):
    window.get(server.address)
    begin(window)
    done = [label_one(window) for _ in range(20)]
    wait_for_labels(window, session, 20)
    assert labels_of(session) == {position: Y[position] for position in done}

    press(window, "u")  # the last label is taken back, and its item is on show again
    wait_for_labels(window, session, 19)
    until(window, lambda w: shown(w) == done[-1])
    assert "Undone" in text_of(window, ".sk-status")
    assert label_one(window) == done[-1]
    wait_for_labels(window, session, 20)

    skipped = shown(window)
    press(window, "s")
    until(window, lambda w: all_of(w, "dialog[open]"))
    press(window, "2")
    until(window, lambda w: not all_of(w, "dialog"))
    until(window, lambda w: shown(w) != skipped)
    until(window, lambda w: session.progress()["n_skips"] == 1)
    (event,) = [e for e in session.events() if e.kind == "skip"]
    assert event.data["reason"] == "broken"

    before = shown(window)
    window.refresh()  # the name is known, and so is what was on show
    assert shown(window) == before
    press(window, LEFT)  # arrow left: what was answered before the reload
    until(window, lambda w: shown(w) == skipped)
    press(window, RIGHT)
    until(window, lambda w: shown(w) == before)

    first_tab = window.current_window_handle
    window.switch_to.new_window("tab")
    window.get(server.address)
    other = shown(window)
    assert other != before  # two tabs share the work
    assert label_one(window) == other
    window.switch_to.window(first_tab)
    assert label_one(window) == before
    wait_for_labels(window, session, 22)

    expected = {position: Y[position] for position in [*done, before, other]}
    assert labels_of(session) == expected
    assert session.progress()["n_trainings"] >= 1
    assert errors(window) == []
    session.verify()


def test_a_label_is_changed_on_the_way_back(window, session, server):
    window.get(server.address)
    begin(window)
    position = label_one(window)
    following = shown(window)
    press(window, LEFT)
    until(window, lambda w: shown(w) == position)
    (pressed,) = all_of(window, '[aria-pressed="true"]')
    assert pressed.text == str(Y[position])
    press(window, str((Y[position] + 1) % 10))
    until(window, lambda w: shown(w) == following)
    until(window, lambda _: labels_of(session) == {position: (Y[position] + 1) % 10})
    assert [e.kind for e in session.events() if e.kind in ("label", "relabel")] == [
        "label", "relabel",
    ]  # fmt: skip


def test_an_undone_correction_leaves_the_answer_before_it(window, session, server):
    window.get(server.address)
    begin(window)
    position = label_one(window)
    following = shown(window)
    for undone in (True, False):
        press(window, LEFT if undone else "u")
        until(window, lambda w: shown(w) == position)
        (pressed,) = all_of(window, '[aria-pressed="true"]')
        assert pressed.text == str(Y[position])
        press(window, str((Y[position] + 1) % 10))
        until(window, lambda w: shown(w) == following)
        until(window, lambda _: labels_of(session) == {position: (Y[position] + 1) % 10})
    press(window, "u")
    until(window, lambda w: shown(w) == position)
    said = f"Undone: correction of Item {position + 1}. You labelled it {Y[position]}."
    assert text_of(window, ".sk-status") == said
    assert errors(window) == []


def test_a_skip_becomes_a_label_on_the_way_back(window, session, server):
    window.get(server.address)
    begin(window)
    skipped = shown(window)
    press(window, "s")
    until(window, lambda w: all_of(w, "dialog[open]"))
    press(window, "2")
    until(window, lambda w: not all_of(w, "dialog") and shown(w) != skipped)
    press(window, LEFT)
    until(window, lambda w: shown(w) == skipped)
    press(window, str(Y[skipped]))
    until(window, lambda _: labels_of(session) == {skipped: Y[skipped]})


def test_keys_can_be_turned_off_and_buttons_do_the_same(window, session, server):
    look(window, 390, 844, dark=True, phone=True)
    window.get(server.address)
    begin(window)
    press(window, "?")
    (box,) = until(window, lambda w: all_of(w, "dialog input[type=checkbox]"))
    box.click()
    press(window, ESCAPE)
    until(window, lambda w: not all_of(w, "dialog"))
    position = shown(window)
    press(window, str(Y[position]))
    button = all_of(window, ".sk-classes button")[Y[position]]
    assert shown(window) == position
    button.click()
    until(window, lambda w: labels_of(session) == {position: Y[position]})


def test_a_note_is_typed_and_labels_nothing(window, session, server):
    window.get(server.address)
    begin(window)
    position = shown(window)
    press(window, "n")
    until(window, lambda w: all_of(w, "dialog textarea"))
    press(window, "3 or 8?")
    chord(window, CONTROL, ENTER)
    until(window, lambda w: not all_of(w, "dialog"))
    until(window, lambda _: [e for e in session.events() if e.kind == "note"])
    (note,) = [e for e in session.events() if e.kind == "note"]
    assert note.data["text"] == "3 or 8?"
    assert shown(window) == position
    assert labels_of(session) == {}


def test_labels_given_while_the_server_is_away_arrive_when_it_is_back(window, session):
    options = {"image_shape": (8, 8), "block": False}
    server = session.serve(port=0, **options)
    window.get(server.address)
    begin(window)
    server.stop()
    first, second = label_one(window), label_one(window)
    until(window, lambda w: "2 not saved yet" in text_of(w, ".sk-saving"))
    assert labels_of(session) == {}
    with session.serve(port=server.port, **options):
        wait_for_labels(window, session, 2)
        until(window, lambda w: not text_of(w, ".sk-saving"))
    assert labels_of(session) == {first: Y[first], second: Y[second]}


def test_the_users_html_runs_no_script_and_reaches_nothing(window, tmp_path):
    rows = [f"row {i}" for i in range(30)]
    learner = ActiveLearner(LogisticRegression(), random_state=0)

    def render(row):
        return (
            f"<script>top.document.title = 'taken'</script><h2>{row}</h2>"
            f"<img src=x onerror=\"top.document.title = 'taken'\">"
        )

    with (
        LabelingSession(
            tmp_path / "labels.db", np.array(rows), learner=learner, classes=["a", "b"]
        ) as session,
        session.serve(port=0, block=False, render=render) as server,
    ):
        window.get(server.address)
        (field,) = until(window, lambda w: all_of(w, ".sk-ask input"))
        field.send_keys("ada\n")
        (frame,) = until(window, lambda w: all_of(w, ".sk-stage iframe"))
        name = text_of(window, ".sk-name")
        window.switch_to.frame(frame)
        assert until(window, lambda w: all_of(w, "h2"))[0].text in rows
        all_of(window, "h2")[0].click()  # which takes the focus into the frame
        window.switch_to.default_content()
        until(window, lambda w: w.switch_to.active_element.tag_name != "iframe")
        press(window, "a")
        until(window, lambda w: text_of(w, ".sk-name") != name)
        until(window, lambda _: session.progress()["n_labels"] == 1)
        assert window.title == "Labelling"


def test_names_of_classes_and_texts_are_never_markup(window, tmp_path):
    bad = "<img src=x onerror=\"document.title='taken'\">"
    learner = ActiveLearner(LogisticRegression(), random_state=0)
    rows = np.array([f"{bad} {i}" for i in range(20)])
    with (
        LabelingSession(
            tmp_path / "labels.db", rows, learner=learner, classes=[bad, "b"]
        ) as session,
        session.serve(port=0, block=False, title=bad, reasons=[bad]) as server,
    ):
        window.get(server.address)
        (field,) = until(window, lambda w: all_of(w, ".sk-ask input"))
        field.send_keys(bad + "\n")
        until(window, lambda w: all_of(w, ".sk-text"))
        assert text_of(window, ".sk-text") in rows.tolist()
        assert text_of(window, ".sk-classes button:first-child span") == bad
        press(window, "s")
        until(window, lambda w: all_of(w, "dialog[open]"))
        assert all_of(window, "img") == []
        assert window.title == bad
