"""A labelling session is killed at random moments while three annotators label and a net trains.

Every acknowledged answer is there, none twice, and what it picked and learned is what a session
without kills picks and learns from the same events.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import os
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.labeling import LabelingSession, StoreError
from tests import postgres
from tests.models import SmallCNN

from ._digits import images
from ._tally import Effort, Tally

_KILLS = 100
_NAMES = ("ada", "bob", "cyd")
_PER_SESSION = 25
_REFUSED = 3
_ANSWERS = ("label", "skip", "relabel", "undo")


def sessions(effort: Effort) -> Iterator[Tally]:
    """One tally, of sessions in SQLite: a session counts once a kill."""
    tally = Tally("kills of a session in SQLite")
    with tempfile.TemporaryDirectory() as folder:
        stores = (f"{folder}/{i}.db" for i in itertools.count())
        _strike(tally, effort, stores, Path(folder), lambda: None)
    yield tally


def servers(effort: Effort) -> Iterator[Tally]:
    """One tally, of sessions in PostgreSQL, which is killed every other time; none without it."""
    if postgres.why_not():
        return
    tally = Tally("kills of a session and its PostgreSQL")
    with postgres.running() as server, tempfile.TemporaryDirectory() as folder:
        _strike(tally, effort, _schemas(server), Path(folder), lambda: _again(server))
    yield tally


def _schemas(server: postgres.Server) -> Iterator[str]:
    """URLs of one database, each with a schema of its own."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(server.url, poolclass=sqlalchemy.NullPool)
    for number in itertools.count():
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA store{number}")
        yield f"{server.url}?options=-csearch_path%3Dstore{number}"


def _again(server: postgres.Server) -> None:
    server.kill()
    server.start()


def _strike(
    tally: Tally, effort: Effort, stores: Iterator[str], folder: Path,
    kill_more: Callable[[], None],
) -> None:  # fmt: skip
    """Sessions, some kills each, and whether nothing came of the kills."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.torture._sessions", "torch._dynamo"])
    rng = np.random.default_rng([effort.seed, 40])
    planned = max(2, round(_KILLS * effort.share))
    odd = itertools.cycle([1, 0])
    while tally.tried < planned and time.monotonic() < effort.until:
        store, told = next(stores), folder / f"told{tally.tried}"
        kills = min(_PER_SESSION, planned - tally.tried)
        seed = 2 * int(rng.integers(2**30)) + next(odd)
        for kill in range(kills):
            process = context.Process(target=work, args=(store, told, seed, None))
            process.start()
            _wait_for_life(told, process)
            if kill % 2:
                kill_more()
            process.join(rng.uniform(0, 1.5))
            process.kill()
            process.join()
            if process.exitcode == _REFUSED:
                tally.silent.append(f"{store}, seed {seed}, kill {kill}: something was refused")
        process = context.Process(target=work, args=(store, told, seed, 20))
        process.start()
        process.join()
        where = f"{store}, seed {seed}, {kills} kills"
        problem = f"exit {process.exitcode}" if process.exitcode else _problem(store, told, seed)
        if problem:
            tally.silent.append(f"{where}: {problem}")
        else:
            tally.equal += kills


def _wait_for_life(told: Path, process: Any) -> None:
    """Until it has acknowledged something, so that kills do not all hit the start."""
    before = told.stat().st_size if told.exists() else 0
    until = time.monotonic() + 60
    while time.monotonic() < until and process.is_alive():
        if told.exists() and told.stat().st_size > before:
            return
        time.sleep(0.01)


def make(store: str, seed: int, **params: Any) -> LabelingSession:
    """A session on digits, with a net that goes on training; odd seeds add pseudo-labels."""
    X, y = images()
    net = AdversarialNetClassifier(
        SmallCNN, attack=None, max_epochs=1, lr=0.05, batch_size=20, random_state=0
    )
    asks = "ceal" if seed % 2 else "margin"
    learner = ActiveLearner(net, asks, warm_start=True, random_state=0)
    learner.fit(X[:40], y[:40])
    return LabelingSession(
        store, X[40:], learner=learner, classes=list(range(10)), batch=12, overlap=2,
        retrain_every=12, **params,
    )  # fmt: skip


def work(store: str, told: Path, seed: int, answers: int | None) -> None:
    """In a process of its own: annotators and a training thread, for so many answers each."""
    import torch

    torch.set_num_threads(1)
    session = _insist(lambda: make(store, seed))
    done = threading.Event()
    annotators = [
        threading.Thread(target=_annotate, args=(session, told, name, seed, answers))
        for name in _NAMES
    ]
    trainer = threading.Thread(target=_train, args=(session, done))
    for thread in (*annotators, trainer):
        thread.start()
    for thread in annotators:
        thread.join()
    done.set()
    trainer.join()
    session.close()


def _train(session: LabelingSession, done: threading.Event) -> None:
    while not done.is_set():
        if not _insist(session.prepare):
            done.wait(0.02)


def _annotate(
    session: LabelingSession, told: Path, name: str, seed: int, answers: int | None
) -> None:
    """Answer items; write down what was acknowledged, after it was."""
    rng = np.random.default_rng([seed, os.getpid(), _NAMES.index(name)])
    _, y = images()
    with told.open("ab", buffering=0) as file:
        while answers is None or answers > 0:
            items = _insist(lambda: session.claim(name, wait=False))
            for item in items:
                label = int(y[40 + item.position]) if rng.random() < 0.9 else int(rng.integers(10))
                _insist(lambda: session.label(item.id, label, name))
                file.write(json.dumps([name, item.id, label]).encode() + b"\n")
                answers = None if answers is None else answers - 1
                if rng.random() < 0.08:
                    _insist(lambda: session.undo(name))
                elif rng.random() < 0.08:
                    _insist(lambda: session.relabel(item.id, (label + 1) % 10, name))
            if not items:
                if _insist(session.progress)["n_asked"] == len(session.pool):
                    return
                time.sleep(0.01)


def _insist(call: Callable[[], Any]) -> Any:
    """What a client does when the database is away: again, until it is acknowledged."""
    until = time.monotonic() + 60
    while True:
        try:
            return call()
        except Exception as error:
            if not isinstance(error, StoreError) or time.monotonic() > until:
                traceback.print_exc()
                os._exit(_REFUSED)  # all threads
            time.sleep(0.05)


# -- what came of it ------------------------------------------------------------------------


def _problem(store: str, told: Path, seed: int) -> str:
    with make(store, seed) as session, tempfile.TemporaryDirectory() as folder:
        session.verify()
        events = session.events()
        ids = _ids(session)
        lost = _lost(events, ids, told) or _twice(events)
        if lost:
            return lost
        now = [0.0]
        with make(f"{folder}/whole.db", seed, clock=lambda: now[0]) as whole:
            problem = _repeated(whole, events, ids, now)
            if problem:
                return problem
            whole.verify()
            mine, other = (_weights(each) for each in (session, whole))
            if [e.kind for e in events] != [e.kind for e in whole.events()]:
                return "other events"
            if ids != _ids(whole):
                return "other picks"
            return "" if mine == other else "other weights"


def _ids(session: LabelingSession) -> dict[int, str]:
    """Ids in the order of asking."""
    frame = session.to_frame().drop_duplicates("id")
    return dict(enumerate(frame["id"], start=1))


def _weights(session: LabelingSession) -> list[bytes]:
    state = session.learner.estimator_.module_.state_dict()
    return [state[name].numpy().tobytes() for name in sorted(state)]


def _lost(events: list, ids: dict[int, str], told: Path) -> str:
    """Acknowledged labels without an event."""
    kept = {(e.annotator, ids[e.place], e.data["label"]) for e in events if e.kind == "label"}
    for line in told.read_bytes().splitlines():
        with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed process
            if tuple(json.loads(line)) not in kept:
                return f"acknowledged, but not there: {line!r}"
    return ""


def _twice(events: list) -> str:
    """Labels of one annotator for one item that were not undone in between."""
    standing: dict[tuple, int] = {}
    undone = {e.target for e in events if e.kind == "undo"}
    for e in events:
        if e.kind == "label" and e.seq not in undone:
            key = (e.annotator, e.place)
            standing[key] = standing.get(key, 0) + 1
    return next((f"entered twice: {key}" for key, n in standing.items() if n > 1), "")


def _repeated(whole: LabelingSession, events: list, ids: dict[int, str], now: list) -> str:
    """Do all of it again without a kill, each training begun at the event where it was begun."""
    begins = {e.data["upto"] for e in events if e.kind == "teach"}
    trained: Any = None
    for e in events:
        now[0] = e.at
        if e.kind == "teach":
            same = [list(change) for change in trained.told["taught"]] == e.data["taught"]
            if not same or trained.told["model"] != e.data["model"]:
                return f"another training at event {e.seq}"
            whole._enter_training(trained)
        elif e.kind == "query":
            whole.ask(e.data["n"])
        elif e.kind == "claim":
            if ids[e.place] not in [item.id for item in whole.claim(e.annotator, wait=False)]:
                return f"another item at event {e.seq}"
        elif e.kind in _ANSWERS:
            _answer(whole, e, ids)
        if e.seq in begins:
            trained = whole._train()
    return ""


def _answer(whole: LabelingSession, e: Any, ids: dict[int, str]) -> None:
    if e.kind == "undo":
        whole.undo(e.annotator)
    elif e.kind == "skip":
        whole.skip(ids[e.place], e.annotator, e.data["reason"])
    else:
        getattr(whole, e.kind)(ids[e.place], e.data["label"], e.annotator)
