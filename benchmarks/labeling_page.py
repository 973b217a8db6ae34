"""Fifty people label ten thousand items on one page: how long calls take, that none comes twice.

``python -m benchmarks.labeling_page`` starts a page's server in a process of its own, lets threads
label through its requests as browsers do, each with a pause as people make, and writes
``docs/results/labeling_page.csv``. The learner is taught and asked behind the page all the while.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import http.client
import json
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingSession

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "labeling_page.csv"
_FEATURES = 16


def make_session(folder, items, overlap, seed, retrain_every):
    """A session over random points with a line between two classes."""
    X = np.random.default_rng(seed).normal(size=(items, _FEATURES))
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=seed)
    return LabelingSession(
        Path(folder) / "labels.db", X, learner=learner, classes=["no", "yes"], overlap=overlap,
        batch=retrain_every, retrain_every=retrain_every,
    )  # fmt: skip


def serve(folder, items, overlap, seed, retrain_every, port, stop):
    """A page in a process of its own."""
    with (
        make_session(folder, items, overlap, seed, retrain_every) as session,
        session.serve(port=0, block=False) as server,
    ):
        port.put(server.port)
        stop.wait()


class Annotator(threading.Thread):
    """Claims and labels until there is nothing left; what each call took is kept."""

    def __init__(self, name, port, pause, seed, truth):
        super().__init__(name=name)
        self.port, self.pause, self.truth = port, pause, truth
        self.random = random.Random(f"{seed} {name}")
        self.took = {"claim": [], "label": []}
        self.error = None

    def run(self):
        """Label."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            with contextlib.closing(connection):
                self._label(connection)
        except Exception as error:
            self.error = error

    def _label(self, connection):
        while True:
            answer = self._call(connection, "claim", n=3)
            if not answer["items"]:
                if answer["progress"]["finished"]:
                    return
                time.sleep(0.2)
            for item in answer["items"]:
                time.sleep(self.random.uniform(0.5, 1.5) * self.pause)
                position = int(item["id"].partition("-")[0])
                self._call(connection, "label", id=item["id"], label=self.truth[position])

    def _call(self, connection, action, **payload):
        body = json.dumps({"annotator": self.name, **payload})
        started = time.perf_counter()
        connection.request("POST", f"/api/{action}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        self.took[action].append(time.perf_counter() - started)
        if answer.status != 200:
            raise RuntimeError(f"{action}: {answer.status} {content[:300]!r}")
        return json.loads(content)


def label_all(port, annotators, pause, seed, truth):
    """Let people label until nothing is left; their threads."""
    people = [Annotator(f"annotator {i}", port, pause, seed, truth) for i in range(annotators)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    for person in people:
        if person.error is not None:
            raise person.error
    return people


def check(session, overlap, items):
    """Raise unless every item has its labels, no item more, and no person labelled one twice."""
    labels = [e for e in session.events() if e.kind == "label"]
    assert max(Counter((e.place, e.annotator) for e in labels).values()) == 1
    assert set(Counter(e.place for e in labels).values()) == {overlap}
    assert len(labels) == items * overlap
    session.verify()


def measure(annotators, items, overlap, pause, seed, retrain_every):
    """One row of results."""
    rng = np.random.default_rng(seed)
    truth = np.where(rng.normal(size=(items, _FEATURES))[:, 0] > 0, "yes", "no").tolist()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        port, stop = context.Queue(), context.Event()
        server = context.Process(
            target=serve, args=(folder, items, overlap, seed, retrain_every, port, stop)
        )
        server.start()
        started = time.perf_counter()
        people = label_all(port.get(timeout=120), annotators, pause, seed, truth)
        wall = time.perf_counter() - started
        stop.set()
        server.join()
        with make_session(folder, items, overlap, seed, retrain_every) as session:
            check(session, overlap, items)
            trainings = session.progress()["n_trainings"]
    row = {
        "annotators": annotators, "items": items, "overlap": overlap, "pause_s": pause,
        "seed": seed, "trainings": trainings, "wall_s": round(wall, 1),
        "labels_per_s": round(items * overlap / wall, 1),
    }  # fmt: skip
    for action in ("label", "claim"):
        took = 1000 * np.concatenate([person.took[action] for person in people])
        for name, share in (("median", 50), ("p95", 95), ("p99", 99)):
            row[f"{action}_{name}_ms"] = round(float(np.percentile(took, share)), 2)
    return row | {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}


def main():
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--overlap", type=int, default=1)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds before each label")
    parser.add_argument("--retrain-every", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = vars(parser.parse_args())
    out = args.pop("out")
    row = measure(**args)
    print("\n".join(f"{name:18} {value}" for name, value in row.items()))
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
