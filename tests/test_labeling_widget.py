"""The labeler as a widget: its messages, and itself in a real browser with a kernel played."""

import base64
import http.server
import io
import json
import threading

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingSession
from skactive.labeling._widget import widget_module

from .browser import all_of, errors, open_browser, press, text_of, until

pytest.importorskip("anywidget")

X = np.random.default_rng(0).random((40, 4))


@pytest.fixture
def session():
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0)
    learner.fit(X[:4], ["a", "b", "a", "b"])
    with LabelingSession(":memory:", X[4:], learner=learner, classes=["a", "b"]) as session:
        yield session


@pytest.fixture
def widget(session):
    widget = session.widget(image_shape=(2, 2), annotator="ada")
    yield widget
    widget.close()


def ask(widget, action, **payload):
    """What the kernel's side answers to a message."""
    answered = []
    widget.send = answered.append
    widget._handle_custom_msg({"number": "1", "action": action, "payload": payload}, [])
    (answer,) = answered
    assert answer.pop("to") == "1"
    return answer


def claim(widget):
    for _ in range(500):
        items = ask(widget, "claim", n=2)["answer"]["items"]
        if items:
            return items
        threading.Event().wait(0.02)
    raise AssertionError("no item came")


def test_messages_are_answered_with_images_in_them(widget, session):
    item = claim(widget)[0]
    start = "data:image/png;base64,"
    assert item["content"]["src"].startswith(start)
    data = base64.b64decode(item["content"]["src"].removeprefix(start))
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (2, 2)
    assert "progress" in ask(widget, "label", id=item["id"], label="b")["answer"]
    assert session.item(item["id"], "ada").label == "b"
    other = ask(widget, "label", id=item["id"], label="a")
    assert "already" in other["error"]
    assert other["item"]["answer"] == {"label": "b"}
    assert "There is no" in ask(widget, "nothing")["error"]


def test_ids_of_64_bits_go_out_as_texts(session):
    ids = 1_790_000_000_000_000_001 + np.arange(36)
    with LabelingSession(
        ":memory:", X[4:], learner=session.learner, classes=["a", "b"], ids=ids
    ) as named:
        widget = named.widget(annotator="ada")
        first, other = claim(widget)
        assert int(first["id"]) in ids
        assert "progress" in ask(widget, "label", id=first["id"], label="b")["answer"]
        assert str(named.answered("ada")[0].id) == first["id"] != other["id"]
        widget.close()


def test_html_of_the_users_goes_into_the_frame(session):
    widget = session.widget(render=lambda row: f"<i>{row[0]}</i>", annotator="ada")
    assert "<i>" in claim(widget)[0]["content"]["srcdoc"]
    widget.close()


def test_the_module_is_one():
    module = widget_module()
    assert "import " not in [line[:7] for line in module.splitlines()]
    assert module.count("export ") == 1


PAGE = """<!doctype html><link rel="icon" href="data:,"><input id="cell"><div id="out"></div>
<link rel="stylesheet" href="/widget.css"><script type="module">
import widget from "/widget.js";
const heard = [];
const model = {
  on: (name, handler) => heard.push(handler),
  send: async (message) => {
    const answer = await fetch("/message", { method: "POST", body: JSON.stringify(message) });
    const told = await answer.json();
    heard.forEach((handler) => handler(told));
  },
};
widget.render({ model, el: document.getElementById("out") });
</script>"""


@pytest.fixture
def page(widget):
    """A page that has the widget, with the kernel's part played by a server."""
    files = {"/": ("text/html", PAGE), "/widget.js": ("text/javascript", widget_module()),
             "/widget.css": ("text/css", str(widget._css))}  # fmt: skip

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(*files[self.path])

        def do_POST(self):
            message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer("application/json", json.dumps(widget._answer(message)))

        def answer(self, media_type, text):
            self.send_response(200)
            self.send_header("Content-Type", media_type)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_widget_reads_keys_only_where_it_has_the_focus(page, session):
    with open_browser() as window:
        window.get(page)
        until(window, lambda w: all_of(w, ".sk-stage img"))
        name = text_of(window, ".sk-name")
        (cell,) = all_of(window, "#cell")
        cell.send_keys("a")  # what is typed into a cell labels nothing
        assert text_of(window, ".sk-name") == name
        all_of(window, ".sk-stage")[0].click()
        press(window, "a")
        until(window, lambda w: text_of(w, ".sk-name") != name)
        until(window, lambda _: session.progress()["n_labels"] == 1)
        all_of(window, ".sk-classes button")[1].click()
        until(window, lambda _: session.progress()["n_labels"] == 2)
        labels = {item.label for item in session.answered("ada")}
        assert labels == {"a", "b"}
        assert errors(window) == []
