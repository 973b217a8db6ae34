"""Label Studio: questions there, answers back, each once; its answers are recorded ones."""

import base64
import contextlib
import http.server
import json
import threading
import xml.etree.ElementTree as ElementTree

import pytest

from skactive.labeling import LabelingError, LabelStudio, LabelStudioBackend, LabelStudioError
from skactive.labeling.label_studio._client import Client
from skactive.labeling.label_studio._tasks import answers_of

from .labeling_helpers import X, session
from .real_label_studio import ANSWERS, TEXTS, TOKEN, USER, make_session, make_studio

pytest.importorskip("starlette")


@contextlib.contextmanager
def serving(answer):
    """A server that gives what `answer` says to a request: status and body, or None to hang up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = json.loads(body) if body else None
            answered = answer(self.command, self.path, given, self.headers)
            if answered is None:
                self.close_connection = True
                return
            status, told, *headers = answered
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = do_PATCH = handle_any

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def client_of(url, token=TOKEN):
    return Client(url, token, pauses=(0.0, 0.0))


def personal_token():
    claims = base64.urlsafe_b64encode(json.dumps({"token_type": "refresh"}).encode())
    return f"head.{claims.decode().rstrip('=')}.sign"


# -- both ways, with recorded answers -------------------------------------------------------


class Replay:
    """What the server said, in its order; every request must be the recorded one."""

    def __init__(self):
        self.kept = json.loads(ANSWERS.read_text(encoding="utf-8"))
        self.wrong = []

    def __call__(self, method, path, body, headers):
        expected_method, expected_path, expected_body, answer = self.kept.pop(0)
        same = (method, path, body) == (expected_method, expected_path, expected_body)
        if not same or headers["Authorization"] != f"Token {TOKEN}":
            self.wrong.append((method, path, body, expected_method, expected_path, expected_body))
        return 200, answer


@pytest.fixture
def replayed():
    replay = Replay()
    with serving(replay) as url, make_session() as session:
        studio = make_studio(session, url)
        yield studio, session, replay
    assert replay.wrong == []


def test_questions_go_in_the_order_of_asking_and_answers_come_back_once(replayed):
    studio, session, replay = replayed
    pushed = studio.push()
    assert (pushed.n_open, pushed.n_new, pushed.n_ranked) == (6, 6, 0)
    asked = [id for id, _ in studio.open_items()]
    pulled = studio.pull()
    assert (pulled.n_labels, pulled.n_skips, pulled.n_known, pulled.refused) == (3, 1, 0, [])
    states = [session.item(id, USER) for id in asked[:4]]
    assert [(item.state, item.label) for item in states] == [
        ("labelled", "low"), ("labelled", "high"), ("skipped", None), ("labelled", "high"),
    ]  # fmt: skip
    (event, *_) = [e for e in session.events() if e.kind == "import"]
    assert event.data["seconds"] == 2.5
    assert event.data["source"].startswith("label-studio annotation ")
    before = len(session.events())
    assert studio.pull().n_known == 4
    assert len(session.events()) == before
    assert studio.pull().n_changed == 1
    assert session.item(asked[3], USER).label == "low"
    repeated = studio.push()
    assert session.progress()["n_trainings"] == 1
    assert repeated.n_open == repeated.n_new + repeated.n_ranked
    assert studio.push().n_new == 0
    assert replay.kept == []
    session.verify()


def test_the_store_remembers_the_project(replayed):
    studio, session, _ = replayed
    project = studio.push().project
    assert make_studio(session, studio.client.url)._project() == project


def test_tasks_have_the_rank_as_score_and_no_label_to_copy():
    requests = []

    def answer(method, path, body, headers):
        requests.append((method, path, body))
        return 200, {"id": 5, "tasks": [], "total": 0}

    with serving(answer) as url, make_session() as session:
        make_studio(session, url).push()
        (tasks,) = [body for method, path, body in requests if path.endswith("/import")]
        assert [task["data"]["skactive_id"] for task in tasks] == [
            item.id for item in session.claim("bob", 6)
        ]
        scores = [task["predictions"][0]["score"] for task in tasks]
        assert scores == sorted(scores)
        assert len(set(scores)) == 6
        assert all(task["predictions"][0]["result"] == [] for task in tasks)
        position = session.item(tasks[0]["data"]["skactive_id"], "bob").position
        assert tasks[0]["data"]["text"] == TEXTS[position]
        assert requests[-1][2]["sampling"] == "Uncertainty sampling"


def test_the_interface_is_xml_whatever_the_classes_are_called():
    with make_session() as session:
        studio = make_studio(session, "http://localhost:1")
        view = ElementTree.fromstring(studio.label_config)
        assert [choice.get("value") for choice in view.iter("Choice")] == ["low", "high"]
        session._classes.labels[:] = ['<a "b">', "&"]
        view = ElementTree.fromstring(studio.label_config)
        assert [choice.get("value") for choice in view.iter("Choice")] == ['<a "b">', "&"]


@pytest.mark.parametrize(
    ("options", "kind", "start"),
    [({}, "table", "{'x0':"), ({"image_shape": (1, 2)}, "image", "data:image/png;base64,"),
     ({"render": lambda row: f"<b>{row[0]}</b>"}, "html", "<!doctype html>"),
     ({"image_shape": (1, 2), "image_url": "https://x/{}".format}, "image", "https://x/r")],
)  # fmt: skip
def test_all_kinds_of_items_become_tasks(options, kind, start):
    bodies = []

    def answer(method, path, body, headers):
        bodies.append(body)
        return 200, {"id": 5, "tasks": [], "total": 0}

    with serving(answer) as url, make_session() as session:
        LabelStudio(session, url, TOKEN, **options).push()
    (tasks,) = [body for body in bodies if isinstance(body, list)]
    assert str(tasks[0]["data"][kind]).startswith(start)


def test_addresses_are_made_of_ids_as_the_user_gave_them():
    asked = []

    def address(id):
        asked.append(id)
        return f"https://x/{id:06d}"

    served = serving(lambda *_: (200, {"id": 5, "tasks": [], "total": 0}))
    with served as url, session(pool=X[:20], ids=range(100, 120)) as numbered:
        LabelStudio(numbered, url, TOKEN, image_shape=(8, 8), image_url=address).push()
    assert {type(id) for id in asked} == {int}


# -- answers that do not fit ----------------------------------------------------------------


def annotated(id, label, by=1, **more):
    value = {"choices": [label]}
    result = [{"from_name": "label", "type": "choices", "value": value}]
    annotation = {"id": 9, "completed_by": by, "result": result, "was_cancelled": False, **more}
    return {"id": 3, "data": {"skactive_id": id}, "annotations": [annotation]}


def test_what_does_not_fit_is_told_and_the_rest_is_entered():
    tasks = [
        annotated("r7", "low"), annotated("r8", "medium"), annotated("r99", "low"),
        annotated("r9", "high", by={"email": "bob@example.org"}), annotated("r10", "high", by=77),
        {"id": 4, "data": {"text": "of somebody else"}, "annotations": [{}]},
    ]  # fmt: skip

    def answer(method, path, body, headers):
        if path.startswith("/api/users"):
            return 200, [{"id": 1, "email": "ada@example.org"}]
        return 200, {"tasks": tasks, "total": len(tasks)}

    with serving(answer) as url, make_session() as session:
        studio = LabelStudio(session, url, TOKEN, project=1)
        report = studio.pull()
        assert report.n_labels == 3
        assert [answer.id for answer, _ in report.refused] == ["r8", "r99"]
        assert "none of the declared classes" in report.refused[0][1]
        assert session.item("r9", "bob@example.org").label == "high"
        assert session.item("r10", "user 77").label == "high"


def test_what_was_corrected_here_stays_until_it_changes_there():
    said = {"r7": "low", "r8": None}

    def answer(method, path, body, headers):
        if path.startswith("/api/users"):
            return 200, [{"id": 1, "email": "ada"}]
        tasks = [
            annotated(id, label or "", **({} if label else {"result": [], "was_cancelled": True}))
            for id, label in said.items()
        ]
        return 200, {"tasks": tasks, "total": len(tasks)}

    with serving(answer) as url, make_session() as session:
        studio = LabelStudio(session, url, TOKEN, project=1)
        studio.pull()
        for id in said:
            session.relabel(id, "high", "ada")
        report = studio.pull()
        assert (report.n_known, report.n_changed, report.refused) == (2, 0, [])
        assert session.consensus() == {"r7": "high", "r8": "high"}
        said["r8"] = "low"  # said there since
        assert studio.pull().n_changed == 1
        assert session.consensus() == {"r7": "high", "r8": "low"}
        session.verify()


def test_the_last_answer_of_an_annotator_counts():
    first = annotated("r1", "low", updated_at="2026-01-01T00:00:00Z")
    second = annotated("r1", "high", updated_at="2026-01-02T00:00:00Z")["annotations"]
    first["annotations"] = [*second, *first["annotations"]]
    (answer,) = answers_of(first, {1: "ada"})
    assert (answer.label, answer.annotator) == ("high", "ada")
    empty = annotated("r1", "low", result=[])
    assert answers_of(empty, {}) == []


# -- tokens, pages, failures ----------------------------------------------------------------


def test_a_personal_token_is_exchanged_and_renewed():
    token, seen = personal_token(), []

    def answer(method, path, body, headers):
        seen.append((path, headers["Authorization"]))
        if path == "/api/token/refresh":
            assert body == {"refresh": token}
            return 200, {"access": f"access{len(seen)}"}
        return (401, {"detail": "expired"}) if len(seen) == 4 else (200, [])

    with serving(answer) as url:
        client = client_of(url, token)
        for _ in range(3):
            client.get("/api/users/")
    assert seen == [
        ("/api/token/refresh", None), ("/api/users/", "Bearer access1"),
        ("/api/users/", "Bearer access1"), ("/api/users/", "Bearer access1"),
        ("/api/token/refresh", None), ("/api/users/", "Bearer access5"),
    ]  # fmt: skip


@pytest.mark.parametrize("token", [TOKEN, personal_token()])
def test_a_token_that_is_refused_is_told(token):
    with (
        serving(lambda *_: (401, {"detail": "Invalid token."})) as url,
        pytest.raises(LabelStudioError, match="Invalid token") as raised,
    ):
        client_of(url, token).get("/api/users/")
    assert raised.value.status == 401
    assert "Access Token Settings" in str(raised.value)


@pytest.mark.parametrize("token", ["", " ", None, "a\nb"])
def test_what_is_no_token_is_refused(token):
    with pytest.raises(ValueError, match="token must be"):
        Client("http://localhost:8080", token)
    with pytest.raises(ValueError, match="url must be"):
        Client("localhost:8080", TOKEN)


def test_all_pages_of_tasks_are_read():
    pages = {1: [{"id": 1}, {"id": 2}], 2: [{"id": 3}]}

    def answer(method, path, body, headers):
        page = int(path.partition("page=")[2].partition("&")[0])
        return 200, {"tasks": pages[page], "total": 3}

    with serving(answer) as url:
        assert [task["id"] for task in client_of(url).tasks(7)] == [1, 2, 3]


def test_a_busy_server_is_asked_again_but_nothing_is_made_twice():
    seen = []

    def busy_once(method, path, body, headers):
        seen.append(method)
        return (503, {"detail": "busy"}) if len(seen) == 1 else (200, {"ok": 1})

    with serving(busy_once) as url:
        assert client_of(url).post("/api/projects", {}) == {"ok": 1}
    assert seen == ["POST", "POST"]

    def hangs_up(method, path, body, headers):
        seen.append(method)

    seen.clear()
    with serving(hangs_up) as url:
        with pytest.raises(LabelStudioError, match="gave no answer to POST"):
            client_of(url).post("/api/projects", {})
        assert seen == ["POST"]
        with pytest.raises(LabelStudioError, match="gave no answer to GET"):
            client_of(url).get("/api/users/")
        assert seen == ["POST", "GET", "GET", "GET"]


def test_the_token_goes_to_no_other_host():
    stolen = []
    with (
        serving(lambda *given: stolen.append(given) or (200, {})) as other,
        serving(lambda *_: (302, {}, ("Location", other))) as url,
        pytest.raises(LabelStudioError, match=f"It lives at {other}"),
    ):
        client_of(url).get("/api/users/")
    assert stolen == []


# -- the backend ----------------------------------------------------------------------------


@contextlib.contextmanager
def asked(backend):
    """A function that asks a backend as Label Studio does."""
    import http.client

    import uvicorn

    config = uvicorn.Config(backend, port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    def ask(method, path, body=None, password=None, **headers):
        if password is not None:
            known = base64.b64encode(f"user:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {known}"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        connection.request(
            method, path, None if body is None else json.dumps(body),
            {"Content-Type": "application/json", **headers},
        )  # fmt: skip
        answer = connection.getresponse()
        told = json.loads(answer.read())
        connection.close()
        return answer.status, told

    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join()


def test_the_backend_ranks_tasks_and_reads_answers_from_the_server_itself():
    made = []
    task = {}

    def answer(method, path, body, headers):
        made.append((method, path))
        if path.startswith("/api/users"):
            return 200, [{"id": 1, "email": "ada@example.org"}]
        return 200, task if path == "/api/tasks/3" else {"tasks": [], "total": 0}

    with serving(answer) as url, make_session() as session:
        studio = LabelStudio(session, url, TOKEN, project=1)
        session.ask(6)
        backend = LabelStudioBackend(studio)
        with asked(backend) as ask:
            assert ask("GET", "/health") == (200, {"status": "UP", "model_class": "skactive"})
            _, told = ask("POST", "/setup", {"project": "1.1"})
            assert told == {"model_version": "skactive 1.0"}
            items = [id for id, _ in studio.open_items()]
            other = next(id for id in map("r{}".format, range(4, 30)) if id not in items)
            task.update(annotated(other, "high"))
            tasks = [{"data": {"skactive_id": id}} for id in [items[2], other, items[0]]]
            _, told = ask("POST", "/predict", {"tasks": tasks})
            assert [result["score"] for result in told["results"]] == [0.333333, 1.0, 0.0]
            forged = annotated(other, "low")["annotations"][0]
            hook = {"action": "ANNOTATION_CREATED", "annotation": forged, "task": {"id": 3}}
            assert ask("POST", "/webhook", hook)[1]["labels"] == 1
            assert session.item(other, "ada@example.org").label == "high"
            assert ask("POST", "/webhook", {"action": "TASKS_DELETED"})[1] == {"status": "ignored"}
            for bad in ({}, {"tasks": 3}, {"tasks": [3]}):
                assert ask("POST", "/predict", bad)[0] == 400
            assert ask("GET", "/health", Host="evil.example")[0] == 421
        backend.worker.stop()


def test_the_backend_has_a_password_where_others_reach_it():
    with make_session() as session:
        studio = LabelStudio(session, "http://localhost:1", TOKEN, project=1)
        with pytest.raises(LabelingError, match="needs a password"):
            LabelStudioBackend(studio, host="0.0.0.0")
        with asked(LabelStudioBackend(studio, password="secret")) as ask:
            assert ask("GET", "/health")[0] == 401
            assert ask("GET", "/health", password="wrong")[0] == 401
            assert ask("GET", "/health", Authorization="Basic \xff")[0] == 401
            assert ask("POST", "/predict", {"tasks": []})[0] == 401
            assert ask("GET", "/health", password="secret")[0] == 200
            assert ask("POST", "/webhook", {"action": "PROJECT_UPDATED"})[0] == 200
