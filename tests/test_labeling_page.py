"""The labelling page's server: who may ask what, what items look like, what is refused."""

import http.client
import io
import json
import socket
import threading
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingError, LabelingSession, PageOptions, StoreBusyError
from skactive.labeling._pool import SessionPool
from skactive.labeling.page._keys import class_keys
from skactive.labeling.page._once import Once
from skactive.labeling.page._rendering import as_pixels, make_rendering
from skactive.labeling.page._security import LARGEST, is_loopback

pytest.importorskip("starlette")

X = np.random.default_rng(0).random((60, 3))
Y = (X[:, 0] > 0.5).astype(int)
TOKEN = "a-token-of-this-test"
JSON = {"Content-Type": "application/json"}


def make_session(store=":memory:", **params):
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0).fit(X[:4], [0, 1, 0, 1])
    given = {"learner": learner, "classes": [0, 1], "batch": 10, "retrain_every": 10, **params}
    return LabelingSession(store, X[4:], **given)


@pytest.fixture
def session():
    with make_session() as session:
        yield session


@pytest.fixture
def server(session):
    with session.serve(port=0, block=False) as server:
        yield server


def ask(server, method="GET", path="/", body=None, **headers):
    """Status, headers and body of an answer; headers are written with _ for -."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, named)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def call(server, action, *, status=200, **payload):
    """What the page's server answers to an action."""
    got, _, content = ask(server, "POST", f"/api/{action}", json.dumps(payload), **JSON)
    assert got == status, content
    return json.loads(content)


def claim_some(server, n, annotator="ada", **payload):
    """Items, once there are so many."""
    pause = threading.Event()
    for _ in range(500):
        items = call(server, "claim", annotator=annotator, n=n, **payload)["items"]
        if len(items) == n:
            return items
        pause.wait(0.02)
    raise AssertionError(f"{n} items did not come")


def claim_one(server, annotator="ada", **payload):
    """An item, once there is one."""
    return claim_some(server, 1, annotator, **payload)[0]


# -- what is done ---------------------------------------------------------------------------


def test_an_item_is_claimed_labelled_and_undone(server, session):
    item = claim_one(server)
    assert item["content"]["kind"] == "table"
    assert [name for name, _ in item["content"]["rows"]] == ["x0", "x1", "x2"]
    answer = call(server, "label", annotator="ada", id=item["id"], label=1, seconds=2.5)
    assert answer["progress"]["total"] == 56
    assert session.item(item["id"], "ada").label == 1
    (event,) = [e for e in session.events() if e.kind == "label"]
    assert event.data["seconds"] == 2.5
    assert call(server, "history", annotator="ada")["items"][0]["answer"] == {"label": 1}
    call(server, "relabel", annotator="ada", id=item["id"], label=0)
    for what, left in [("correction", {"label": 1}), ("label", None)]:
        undone = call(server, "undo", annotator="ada")
        assert (undone["what"], undone["item"]["id"]) == (what, item["id"])
        assert undone["item"]["answer"] == left
    assert session.item(item["id"], "ada").state == "claimed"


def in_a_browser(answer):
    """What JavaScript reads: all of its numbers are floats."""
    return json.loads(json.dumps(answer), parse_int=lambda digits: int(float(digits)))


@pytest.fixture(params=[3, 2**53, 1_790_000_000_000_000_001])
def long_numbers(request):
    """A session whose ids and classes are numbers from there on."""
    first = request.param
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0)
    learner.fit(X[:4], [first, first + 1] * 2)
    classes, ids = [first, first + 1], first + np.arange(56)
    with make_session(learner=learner, classes=classes, ids=ids) as session:
        yield session


def test_ids_of_64_bits_come_back_as_they_were_sent(long_numbers):
    with long_numbers.serve(port=0, block=False) as server:
        first, second, third = in_a_browser(claim_some(server, 3))
        label = in_a_browser(call(server, "setup"))["classes"][0]["value"]
        call(server, "label", annotator="ada", id=second["id"], label=label)
        call(server, "note", annotator="ada", id=second["id"], text="odd")
        call(server, "skip", annotator="ada", id=third["id"])
        answered = [str(item.id) for item in long_numbers.answered("ada")]
        assert answered == [third["id"], second["id"]]
        labelled, noted = (e.place for e in long_numbers.events() if e.kind in ("label", "note"))
        assert labelled == noted
        undone = in_a_browser(call(server, "undo", annotator="ada"))
        assert undone["item"]["id"] == third["id"]
        again = in_a_browser(claim_some(server, 2))
        assert [item["id"] for item in again] == [first["id"], third["id"]]


def test_classes_of_64_bits_come_back_as_they_were_sent(long_numbers):
    with long_numbers.serve(port=0, block=False) as server:
        first, second = (each["value"] for each in in_a_browser(call(server, "setup"))["classes"])
        item = claim_one(server)["id"]
        call(server, "label", annotator="ada", id=item, label=second)
        assert long_numbers.answered("ada")[0].label == long_numbers.classes[1]
        refused = call(server, "label", status=409, annotator="ada", id=item, label=first)
        assert in_a_browser(refused)["item"]["answer"] == {"label": second}
        call(server, "relabel", annotator="ada", id=item, label=first)
        assert long_numbers.answered("ada")[0].label == long_numbers.classes[0]


def test_what_the_model_asks_next_comes_while_it_trains(session, server):
    for _ in range(25):
        item = claim_one(server)
        position = session.item(item["id"], "ada").position
        call(server, "label", annotator="ada", id=item["id"], label=int(Y[4 + position]))
    assert session.progress()["n_trainings"] >= 1
    assert session.progress()["n_rounds"] >= 3


def test_a_request_that_arrives_twice_is_done_once(server, session):
    for _ in range(2):
        item = claim_one(server)
        call(server, "label", annotator="ada", id=item["id"], label=1)
    first = call(server, "undo", annotator="ada", key="k1")
    assert call(server, "undo", annotator="ada", key="k1") == first
    assert session.progress()["n_labels"] == 1
    assert call(server, "undo", annotator="ada", key="k2") != first


def test_what_failed_is_not_remembered():
    once, calls = Once(), []

    def fail():
        calls.append(1)
        raise OSError("away")

    for _ in range(2):
        with pytest.raises(OSError, match="away"):
            once.do("key", fail)
    assert once.do("key", lambda: 3) == 3
    assert once.do("key", fail) == 3
    assert len(calls) == 2


def test_two_tabs_of_one_person_get_different_items(server):
    claim_one(server, tab="one")
    seen = {tab: call(server, "claim", annotator="ada", n=3, tab=tab)["items"] for tab in "ab"}
    ids = [item["id"] for items in seen.values() for item in items]
    assert len(ids) == len(set(ids)) == 6
    again = call(server, "claim", annotator="ada", n=3, tab="a")["items"]
    assert again == seen["a"]


def test_another_answer_from_elsewhere_is_told_and_not_overwritten(server, session):
    item = claim_one(server)
    call(server, "label", annotator="ada", id=item["id"], label=1)
    answer = call(server, "label", status=409, annotator="ada", id=item["id"], label=0)
    assert answer["item"]["answer"] == {"label": 1}
    assert "relabel" in answer["error"]
    assert session.item(item["id"], "ada").label == 1
    call(server, "relabel", annotator="ada", id=item["id"], label=0)
    assert session.item(item["id"], "ada").label == 0


def test_the_models_opinion_is_shown_only_where_it_is_asked_for(session):
    with session.serve(port=0, block=False) as server:
        assert claim_one(server)["sure"] is None
    with session.serve(port=0, block=False, show_confidence=True) as server:
        (first, p), (second, q) = claim_one(server)["sure"]
    assert {first, second} == {"0", "1"}
    assert p >= q
    assert p + q == pytest.approx(1, abs=1e-3)


# -- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "words"),
    [
        ("label", {"label": 1}, "id is missing"),
        ("label", {"id": "nothing", "label": 1}, "There is no item 'nothing'"),
        ("claim", {"n": 0}, "n must be a whole number"),
        ("claim", {"n": 10**6}, "n must be a whole number"),
        ("claim", {"annotator": " "}, "annotator must be a name"),
        ("claim", {"annotator": None}, "annotator must be a name"),
        ("claim", {"annotator": ["ada"]}, "annotator must be a name"),
        ("undo", {}, "nothing of yours"),
        ("close", {}, "There is no 'close'"),
        ("_claim", {}, "There is no '_claim'"),
    ],
)
def test_bad_requests_are_refused_in_words(server, session, action, payload, words):
    before = len([e for e in session.events() if e.kind != "query"])
    answer = call(server, action, status=400, **{"annotator": "ada", **payload})
    assert words in answer["error"]
    assert len([e for e in session.events() if e.kind != "query"]) == before


def test_a_class_that_was_not_declared_is_refused(server, session):
    item = claim_one(server)
    for label in ("1", 7, True, None, {"a": 1}):
        answer = call(server, "label", status=400, annotator="ada", id=item["id"], label=label)
        assert "none of the declared classes" in answer["error"]
    assert session.progress()["n_labels"] == 0


@pytest.mark.parametrize("body", ["", "{", "[]", '"x"', "null", "\xff"])
def test_what_is_no_json_object_is_refused(server, body):
    status, _, content = ask(server, "POST", "/api/claim", body.encode("latin-1"), **JSON)
    assert status == 400
    assert "error" in json.loads(content)


def test_large_requests_are_cut_off(server):
    large = json.dumps({"annotator": "a" * LARGEST})
    assert ask(server, "POST", "/api/claim", large, **JSON)[0] == 413

    def pieces():  # without a Content-Length
        yield from (large[i : i + 8192].encode() for i in range(0, len(large), 8192))

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("POST", "/api/claim", pieces(), JSON, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


# -- who may ask ----------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]:8765", "LOCALHOST:80"])
def test_this_machines_names_are_answered(server, host):
    assert ask(server, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.7", "localhost.evil.example", ""]
)
def test_other_names_are_refused(server, host):
    status, _, content = ask(server, Host=host)
    assert status == 421
    assert b"allowed_hosts" in content
    assert ask(server, "POST", "/api/claim", "{}", Host=host, **JSON)[0] == 421


def test_a_proxys_name_can_be_allowed(session):
    with session.serve(port=0, block=False, allowed_hosts=["label.example"]) as server:
        assert ask(server, Host="label.example")[0] == 200
        assert ask(server, Host="other.example")[0] == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content_Type": "application/json; charset=utf-8"}, 200),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
    ],
)
def test_only_the_page_itself_may_change_anything(server, session, headers, status):
    body = json.dumps({"annotator": "ada"})
    given = {"Content_Type": "application/json", **headers}
    assert ask(server, "POST", "/api/progress", body, **given)[0] == status


def test_the_pages_own_origin_is_let_through(server):
    origin = f"http://127.0.0.1:{server.port}"
    assert ask(server, "POST", "/api/setup", "{}", Origin=origin, **JSON)[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(server, method):
    assert ask(server, method, "/api/claim")[0] == 405


def test_nothing_else_is_served(server):
    for path in ("/static/../_app.py", "/static/_app.py", "/api/claim", "/content/0/0", "/etc"):
        assert ask(server, path=path)[0] in (404, 405)


def test_the_page_has_no_content_from_elsewhere(server):
    status, headers, content = ask(server)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for name in ("labeler.js", "page.js", "labeler.css", "icon.svg"):
        status, headers, content = ask(server, path=f"/static/{name}")
        assert status == 200
        assert b"https:" not in content
        assert headers["x-content-type-options"] == "nosniff"


def test_with_a_token_nothing_is_seen_without_it(session):
    with session.serve(port=0, block=False, token=TOKEN) as server:
        assert server.address.endswith(f"/?token={TOKEN}")
        for path in ("/", "/static/page.js", "/?token=", "/?token=wrong", "/content/x/0"):
            assert ask(server, path=path)[0] == 403
        assert ask(server, "POST", "/api/setup", "{}", **JSON)[0] == 403
        status, headers, _ = ask(server, path=f"/?token={TOKEN}")
        assert status == 200
        cookie = headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        sent = cookie.partition(";")[0]
        assert ask(server, "POST", "/api/setup", "{}", Cookie=sent, **JSON)[0] == 200
        assert ask(server, Cookie=sent.replace(TOKEN, "x" * 20))[0] == 403
        assert ask(server, Cookie="\xff=\x01; a b", path="/")[0] == 403


def test_beyond_this_machine_there_is_a_token(session, capsys):
    with session.serve(host="0.0.0.0", port=0, block=False) as server:
        token = server.address.partition("token=")[2]
        assert len(token) >= 32
        assert "Whoever has this address" in capsys.readouterr().out
        assert ask(server)[0] == 403
        assert ask(server, path=f"/?token={token}", Host="192.168.0.7")[0] == 200
        assert ask(server, path=f"/?token={token}", Host="evil.example")[0] == 421
    with pytest.raises(LabelingError, match="needs a token"):
        session.serve(host="0.0.0.0", port=0, block=False, token=False)
    with pytest.raises(LabelingError, match="at least 16"):
        session.serve(port=0, block=False, token="short")


def test_loopback_is_told_apart():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.9.9.9", "::1"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.0.1", "example.org", ""]))


def test_a_port_that_is_taken_is_told(session, server):
    with pytest.raises(LabelingError, match=r"port=0 takes any"):
        session.serve(port=server.port, block=False)
    with pytest.raises(LabelingError, match="port must be"):
        session.serve(port=70_000, block=False)


def test_ctrl_c_before_the_wait_ends_the_page_too(session, monkeypatch):
    def announce(server, open_browser):
        told.append(server.port)
        raise KeyboardInterrupt

    told = []
    monkeypatch.setattr("skactive.labeling._serving.announce", announce)
    session.serve(port=0)
    with pytest.raises(KeyboardInterrupt):
        session.serve(port=0, block=False)
    for port in told:
        with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", port)):
            pass


def test_two_servers_on_one_store_are_refused(tmp_path):
    with make_session(tmp_path / "labels.db") as one, make_session(tmp_path / "labels.db") as two:
        with (
            one.serve(port=0, block=False),
            pytest.raises(StoreBusyError, match="Stop that one first"),
        ):
            two.serve(port=0, block=False)
        with two.serve(port=0, block=False) as server:
            claim_one(server)


# -- what items look like -------------------------------------------------------------------


def shown(pool, position=0, **options):
    rendering = make_rendering(SessionPool(pool), **options)
    return rendering.kind, rendering.content(position)


@pytest.mark.parametrize("container", ["array", "tensor", "float", "list"])
@pytest.mark.parametrize("shape", [(5, 8, 6), (5, 1, 8, 6), (5, 3, 8, 6), (5, 8, 6, 3)])
def test_images_of_all_shapes_are_shown_as_they_are(container, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pool = {
        "array": pixels, "tensor": torch.from_numpy(pixels), "float": pixels / np.float32(255),
        "list": list(torch.from_numpy(pixels)),
    }[container]  # fmt: skip
    kind, content = shown(pool)
    assert (kind, content) == ("image", {"width": 6, "height": 8})
    data, media_type = make_rendering(SessionPool(pool)).data(2)
    assert media_type == "image/png"
    expected = pixels[2].transpose(1, 2, 0) if shape[1] in (1, 3) else pixels[2]
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image), expected.squeeze())


def test_pixels_in_one_line_take_a_shape_and_their_own_range():
    pool = np.arange(4 * 6.0).reshape(4, 6) - 2
    rendering = make_rendering(SessionPool(pool), image_shape=(2, 3))
    assert rendering.content(0) == {"width": 3, "height": 2}
    with Image.open(io.BytesIO(rendering.data(3)[0])) as image:
        assert np.asarray(image).max() == 255  # white is the largest number of the pool
    with pytest.raises(ValueError, match="has 4 numbers, a row of the pool has 6"):
        make_rendering(SessionPool(pool), image_shape=(2, 2))


@pytest.mark.parametrize(("brightest", "white"), [(1, 1), (200, 255)])
def test_bytes_are_masks_only_where_none_is_larger(brightest, white):
    pool = np.zeros((2000, 4, 4), np.uint8)
    pool[:, 0, 0] = 1
    pool[1234, 1, 1] = brightest
    assert make_rendering(SessionPool(pool)).range == (0, white)


def test_numbers_outside_the_range_and_nan_are_drawn():
    pixels = as_pixels(np.array([[np.nan, -5.0], [0.5, 9.0]]), limits=(0.0, 1.0))
    assert pixels.tolist() == [[0, 0], [128, 255]]
    assert as_pixels(np.array([[True, False]]), limits=(0, 1)).tolist() == [[255, 0]]
    with pytest.raises(ValueError, match="no images that can be shown"):
        as_pixels(np.zeros((2, 5, 5)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_files_of_images_are_sent_as_they_are_or_made_png(tmp_path, suffix):
    paths = [tmp_path / f"{i}{suffix}" for i in range(3)]
    for path in paths:
        Image.new("RGB", (9, 7), "red").save(path)
    rendering = make_rendering(SessionPool([str(path) for path in paths]))
    assert rendering.kind == "image"
    data, media_type = rendering.data(1)
    if suffix != ".bmp":
        assert data == paths[1].read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (9, 7)
        assert media_type == f"image/{image.format.lower()}"


def test_files_of_more_than_bytes_are_not_shown_as_white(tmp_path):
    Image.fromarray(np.full((4, 4), 4000, np.uint16)).save(tmp_path / "deep.tif")
    with pytest.raises(LabelingError, match=r"deep.tif has pixels of mode.*8-bit"):
        make_rendering(SessionPool([str(tmp_path / "deep.tif")])).data(0)


def test_texts_and_tables_are_told_apart():
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    texts = ["one <b>", "two"]
    for pool in (texts, np.array(texts), np.array(texts, dtype=object), pd.Series(texts),
                 pd.DataFrame({"t": texts}), pl.DataFrame({"t": texts})):  # fmt: skip
        assert shown(pool) == ("text", {"text": "one <b>"})
    table = {"a": [1.23456789, None], "b": ["x", None]}
    for pool in (pd.DataFrame(table), pl.DataFrame(table)):
        assert shown(pool) == ("table", {"rows": [["a", "1.23457"], ["b", "x"]]})
        assert shown(pool, 1)[1] == {"rows": [["a", None], ["b", None]]}
    whole = {"customer": [12345678, 2], "price": [1.5, 2.5], "other": [12345678.0, None]}
    rows = [["customer", "12345678"], ["price", "1.5"], ["other", "12345678"]]
    for pool in (pd.DataFrame(whole), pl.DataFrame(whole)):
        assert shown(pool)[1] == {"rows": rows}
    assert shown(sp.csr_matrix([[0, 2.0, 0]])) == ("table", {"rows": [["x1", "2"]]})
    assert len(shown(np.zeros((2, 999)))[1]["rows"]) == 201


def test_what_cannot_be_shown_hides_no_other_item(session):
    def render(row):
        if row[0] > 0.5:
            raise ZeroDivisionError("as it happens")
        return f"<b>{row[0]}</b>"

    with session.serve(port=0, block=False, render=render) as server:
        claim_one(server)
        items = call(server, "claim", annotator="ada", n=8)["items"]
        for item in items:
            row = session.pool[session.item(item["id"], "ada").position]
            status, headers, content = ask(server, path=f"/{item['content']['src']}")
            assert status == (500 if row[0] > 0.5 else 200)
            assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
            assert row[0] > 0.5 or f"<b>{row[0]}</b>".encode() in content


# -- options and keys -----------------------------------------------------------------------


def test_keys_are_the_classes_themselves_else_the_next_free():
    assert class_keys(range(10)) == list("0123456789")
    assert class_keys(["cat", "dog", "s"]) == ["1", "2", "s"]
    assert class_keys(["cat", "dog", "1"]) == ["2", "3", "1"]
    assert class_keys(["cat", "dog"], {"dog": "D"}) == ["1", "d"]
    many = class_keys([f"class {i}" for i in range(50)])
    assert len(set(filter(None, many))) == 32  # ten digits, 26 letters but u, s, n, b
    assert many[-1] is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [({"cow": "c"}, "no class"), ({"cat": "cc"}, "one letter"), ({"cat": "!"}, "one letter"),
     ({"cat": "c", "dog": "c"}, "more than one")],
)  # fmt: skip
def test_keys_that_cannot_be_are_refused(keys, words):
    with pytest.raises(LabelingError, match=words):
        class_keys(["cat", "dog"], keys)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"titel": "x"}, TypeError, "Did you mean 'title'"),
        ({"render": "images"}, ValueError, "Did you mean 'image'"),
        ({"render": 3}, ValueError, "render"),
        ({"reasons": "unclear"}, ValueError, "reasons"),
        ({"allowed_hosts": "labels.example.org"}, LabelingError, "allowed_hosts must be a list"),
        ({"show_confidence": "yes"}, ValueError, "show_confidence"),
        ({"keys": {"9": "c"}}, LabelingError, "no class"),
        ({"image_shape": (7, 7)}, ValueError, "has 49 numbers"),
    ],
)
def test_options_that_are_wrong_are_refused(session, options, error, words):
    with pytest.raises(error, match=words):
        session.serve(port=0, block=False, **options)
    assert PageOptions().annotator is None


# -- the package ----------------------------------------------------------------------------


def test_the_page_is_installed_with_the_package():
    installed = {str(path) for path in metadata.files("skactive") or ()}
    if "skactive/labeling/page/_app.py" not in installed:
        pytest.skip("skactive is installed in place or older: there is no wheel to look into")
    static = Path(__file__).parents[1] / "skactive" / "labeling" / "page" / "static"
    for file in static.iterdir():
        assert f"skactive/labeling/page/static/{file.name}" in installed


# -- many people ----------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", [1, 2])
def test_many_people_at_once_are_given_each_item_as_often_as_it_is_wanted(tmp_path, overlap):
    from benchmarks.labeling_page import check, label_all

    params = {"overlap": overlap, "batch": 20, "retrain_every": 20}
    with make_session(tmp_path / "labels.db", **params) as session:
        with session.serve(port=0, block=False) as server:
            label_all(server.port, 8, 0.0, 0, Y[4:].tolist())
        check(session, overlap, 56)
        assert session.progress()["n_trainings"] >= 1
