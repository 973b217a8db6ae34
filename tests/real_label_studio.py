"""Label Studio itself, tried: ``python -m tests.real_label_studio path/to/bin/label-studio``.

It starts the server (``pip install label-studio`` in an environment of its own) on a database in a
temporary folder, sends questions, answers some as an annotator would, reads them back, asks by both
kinds of tokens and through the backend. With ``--record`` the server's answers to the session are
kept in ``tests/label_studio_answers.json``, which ``tests/test_label_studio.py`` replays.
"""

import argparse
import contextlib
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingSession, LabelStudio, LabelStudioBackend

ANSWERS = Path(__file__).with_name("label_studio_answers.json")
USER, PASSWORD, TOKEN = "ada@example.org", "a password for a test", "0123456789abcdef" * 2
CLASSES = ["low", "high"]
X = np.random.default_rng(0).random((30, 2))
TEXTS = [f"{row[0]:.2f} & <{row[1]:.2f}>" for row in X]


def make_session(store=":memory:"):
    """A session whose questions are the same each time."""
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=0)
    learner.fit(X[:4], ["low", "high", "low", "high"])
    return LabelingSession(
        store, X, learner=learner, classes=CLASSES, batch=6, retrain_every=3,
        ids=[f"r{i}" for i in range(len(X))],
    )  # fmt: skip


def make_studio(session, url, token=TOKEN):
    """The project of these tests."""
    return LabelStudio(session, url, token, show=TEXTS, title="A session")


@contextlib.contextmanager
def label_studio(program, port):
    """The server, on a database that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true", "COLLECT_ANALYTICS": "False",
            "SSRF_PROTECTION_ENABLED": "false", "LATEST_VERSION_CHECK": "false",
            "ML_BLOCK_LOCAL_IP": "false", "USE_DEFAULT_BANNED_SUBNETS": "false",
        }  # fmt: skip
        command = [
            program, "start", "--no-browser", "--port", str(port), "--internal-host", "127.0.0.1",
            "--data-dir", folder, "--username", USER, "--password", PASSWORD, "--user-token", TOKEN,
        ]  # fmt: skip
        with Path(folder, "log.txt").open("w") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                with contextlib.suppress(OSError):
                    urllib.request.urlopen(f"{url}/health", timeout=2).close()
                    break
                if process.poll() is not None:
                    raise RuntimeError(Path(folder, "log.txt").read_text()[-3000:])
                time.sleep(0.5)
            yield url
        finally:
            process.terminate()
            process.wait(30)


class Recorder:
    """Requests of a client, with what was answered."""

    def __init__(self, client):
        self.kept = []
        self._send = client._send
        client._send = self.send

    def send(self, method, path, body, authorization):
        answer = self._send(method, path, body, authorization)
        self.kept.append([method, path, body, _short(path, answer)])
        return answer


def _short(path, answer):
    """An answer without people's settings and invitations."""
    if path.startswith("/api/users"):
        return [{"id": user["id"], "email": user["email"]} for user in answer]
    return {"id": answer["id"]} if path.startswith("/api/projects") and "id" in answer else answer


def annotate(studio, task, label=None, *, seconds=2.5):
    """What a person does in the browser."""
    result = [] if label is None else [
        {"from_name": "label", "to_name": "item", "type": "choices", "value": {"choices": [label]}}
    ]  # fmt: skip
    body = {"result": result, "was_cancelled": label is None, "lead_time": seconds}
    return studio.client.post(f"/api/tasks/{task}/annotations/", body)


def try_it(url, record):
    """Everything once; prints what was seen."""
    session = make_session()
    studio, person = make_studio(session, url), make_studio(session, url)
    recorder = Recorder(studio.client)
    pushed = studio.push()
    person.project = studio.project
    print(pushed)
    assert (pushed.n_open, pushed.n_new) == (6, 6)
    asked = [id for id, _ in studio.open_items()]

    given = []
    for label in ("low", "high", None, "high"):  # in the order in which the server gives tasks out
        task = person.client.get(f"/api/projects/{studio.project}/next")
        given.append(task["data"]["skactive_id"])
        made = annotate(person, task["id"], label)
    print("given out:", given, "asked:", asked)
    assert given == asked[:4]

    pulled = studio.pull()
    print(pulled)
    assert (pulled.n_labels, pulled.n_skips) == (3, 1)
    again = studio.pull()
    assert (again.n_labels, again.n_skips, again.n_known) == (0, 0, 4)

    other = [{**made["result"][0], "value": {"choices": ["low"]}}]
    person.client.patch(f"/api/annotations/{made['id']}/", {"result": other})
    assert studio.pull().n_changed == 1
    assert session.item(given[3], USER).label == "low"

    repeated = studio.push()
    print(repeated)
    assert studio.push().n_new == 0
    if record:
        ANSWERS.write_text(json.dumps(recorder.kept, indent=1) + "\n", encoding="utf-8")

    access = person.client.post("/api/token/", {})["token"]
    assert make_session_known(url, studio.project, session, access) == 4
    print("personal access token: read the same answers")
    try_backend(person, studio, session)


def make_session_known(url, project, session, token):
    """How many answers are known when they are read with that token."""
    studio = make_studio(session, url, token)
    studio.project = project
    return studio.pull().n_known


def try_backend(person, studio, session):
    """The project asks the session."""
    import uvicorn

    backend = LabelStudioBackend(studio, password=PASSWORD)
    config = uvicorn.Config(backend, port=9099, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.1)
    made = person.client.post("/api/ml/", {
        "url": "http://127.0.0.1:9099", "project": studio.project, "title": "skactive",
        "auth_method": "BASIC_AUTH", "basic_auth_user": "x", "basic_auth_pass": PASSWORD,
    })  # fmt: skip
    print("backend:", made.get("state"), made.get("readable_state"), made.get("model_version"))
    assert made["state"] == "CO", made
    before = session.progress()["n_labels"]
    task = person.client.get(f"/api/projects/{studio.project}/next")
    annotate(person, task["id"], "high")
    for _ in range(100):
        if session.progress()["n_labels"] > before:
            break
        time.sleep(0.1)
    assert session.item(task["data"]["skactive_id"], USER).label == "high"
    print("webhook: the label came by itself")
    server.should_exit = True
    backend.worker.stop()


def main():
    """Try it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="label-studio of its own environment")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    with label_studio(args.program, args.port) as url:
        try_it(url, args.record)
    print("all as it should be")


if __name__ == "__main__":
    main()
