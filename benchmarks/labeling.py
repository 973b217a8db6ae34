"""What a labelling session costs: its store with a million items, and many annotators at once.

    python -m benchmarks.labeling            # writes docs/results/labeling.json
    python -m benchmarks.labeling --quick    # small, printed only

``claim`` is timed with all items asked already (the queue of a million) and with a pool of so many
rows of which a few were asked; memory is the growth of anonymous pages of a fresh process between
the first hundred calls and the last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.naive_bayes import GaussianNB

from skactive import ActiveLearner
from skactive.labeling import LabelingSession

from .bench_memory import anonymous_mb

_RESULTS = Path(__file__).parents[1] / "docs" / "results" / "labeling.json"
N_CALLS = 500


def make(folder: str, n_rows: int, batch: int, **params) -> LabelingSession:
    """A session on random rows with two classes."""
    pool = np.random.default_rng(0).random((n_rows, 8), dtype=np.float32)
    learner = ActiveLearner(GaussianNB(), "random", random_state=0)
    return LabelingSession(
        f"{folder}/labels.db", pool, learner=learner, classes=[0, 1], batch=batch,
        retrain_every=None, **params,
    )  # fmt: skip


def queue(n_rows: int, n_asked: int) -> dict[str, float]:
    """In a process of its own: claim and label with so many rows, so many of them asked."""
    with tempfile.TemporaryDirectory() as folder:
        session = make(folder, n_rows, n_asked)
        started = time.perf_counter()
        session.ask()
        asking = time.perf_counter() - started
        claims, labels, memory = [], [], 0.0
        for call in range(N_CALLS):
            started = time.perf_counter()
            (item,) = session.claim("ada", wait=False)
            claims.append(time.perf_counter() - started)
            started = time.perf_counter()
            session.label(item.id, call % 2, "ada")
            labels.append(time.perf_counter() - started)
            if call == 100:
                memory = anonymous_mb()
        grown = anonymous_mb() - memory
        session.close()
        started = time.perf_counter()
        make(folder, n_rows, n_asked).close()
        return {
            "n_rows": n_rows, "n_asked": n_asked, "ask_s": round(asking, 2),
            "open_s": round(time.perf_counter() - started, 2), **_times("claim", claims),
            **_times("label", labels), "grown_mb": round(grown, 2),
        }  # fmt: skip


def _times(name: str, seconds: list[float]) -> dict[str, float]:
    at = {"median": 50, "p99": 99}
    return {
        f"{name}_ms_{words}": round(float(np.percentile(seconds, q)) * 1000, 2)
        for words, q in at.items()
    }


def crowd(n_annotators: int, n_items: int, pause: float, overlap: int = 2) -> dict[str, float]:
    """Annotators in threads, each thinking for a while between labels, until all is labelled."""
    with tempfile.TemporaryDirectory() as folder:
        session = make(folder, n_items, 500, overlap=overlap)
        session.ask()
        seconds: list[float] = []
        threads = [
            threading.Thread(target=_annotate, args=(session, f"a{i}", pause, seconds))
            for i in range(n_annotators)
        ]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            session.prepare(500)
            time.sleep(0.05)
        wall = time.perf_counter() - started
        session.verify()
        per_item = session.to_frame().groupby("id").annotator.nunique()
        assert (per_item == overlap).all()
        assert len(per_item) == n_items
        return {
            "n_annotators": n_annotators, "n_items": n_items, "overlap": overlap,
            "pause_s": pause, "labels_per_s": round(len(seconds) / wall),
            **_times("label", seconds), "most_per_item": int(per_item.max()),
        }  # fmt: skip


def _annotate(session: LabelingSession, name: str, pause: float, seconds: list[float]) -> None:
    rng = np.random.default_rng(int(name[1:]))
    while True:
        items = session.claim(name, wait=False)
        if not items and session.progress()["n_asked"] == len(session.pool):
            return
        for item in items:
            time.sleep(rng.exponential(pause))
            started = time.perf_counter()
            session.label(item.id, item.position % 2, name)
            seconds.append(time.perf_counter() - started)
        if not items:
            time.sleep(0.05)


def main() -> None:
    """Measure, print, and write unless quick."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.labeling", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--queue", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.queue:
        print(json.dumps(queue(*options.queue)))
        return
    sizes = [(1000, 500), (1000, 1000)]
    if not options.quick:
        sizes = [(10_000, 500), (10_000, 10_000), (1_000_000, 500), (1_000_000, 1_000_000)]
    rows = [_alone(*size) for size in sizes]
    many = crowd(10, 200, 0.01) if options.quick else crowd(50, 10_000, 1.0)
    print(json.dumps(many))
    if not options.quick:
        machine = f"{platform.machine()}, {os.cpu_count()} cores"
        told = {"machine": machine, "load": os.getloadavg(), "queue": rows, "crowd": many}
        _RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def _alone(n_rows: int, n_asked: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.labeling", "--queue", str(n_rows), str(n_asked)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    print(run.stdout.strip(), flush=True)
    return json.loads(run.stdout)


if __name__ == "__main__":
    main()
