"""Ctrl-C at a random line or moment: the learner is the old one or the new one."""

from __future__ import annotations

import pickle
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.strategies import DFAL
from tests.models import SmallCNN
from tests.test_interrupts import interrupted_at

from ._digits import images
from ._state import fingerprint
from ._tally import Effort, Tally

_TABLE = ("random", "entropy", "coreset", "dre", "ceal", "badge", "typiclust")
_NET = ("entropy", "bald", "egl", "dfal", "coreset", "adversarial_dre")
_NAMES = [f"table, {name}" for name in _TABLE] + [f"net, {name}" for name in _NET]


OPERATIONS = ("query", "teach", "fit", "retrain")


def interrupts(effort: Effort) -> Iterator[Tally]:
    """A tally for each of query, teach, fit and retrain."""
    rng = np.random.default_rng([effort.seed, 20])
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    unraisable, sys.unraisablehook = sys.unraisablehook, lambda _: None  # Ctrl-C in a __del__
    try:
        made: dict[str, ActiveLearner] = {}
        for operation in OPERATIONS:
            tally = Tally(f"interrupts of {operation}")
            blows: dict[str, _Blow] = {}
            names = rng.permutation(_NAMES)
            for i in effort.times(250):
                name = names[i % len(names)]
                if name not in blows:
                    made[name] = made.get(name) or _learner(name)
                    blows[name] = _Blow(name, made[name], operation)
                blows[name].strike(tally, rng, only_lines=effort.repeatable)
            yield tally
    finally:
        sys.unraisablehook = unraisable
        signal.signal(signal.SIGINT, handler)


def _learner(name: str) -> ActiveLearner:
    """A fitted learner that was asked once, over a table or over images."""
    X, y = images()
    kind, strategy = name.split(", ")
    estimator = LogisticRegression(max_iter=1000)
    if kind == "net":
        estimator = AdversarialNetClassifier(
            SmallCNN, attack=FGSM(eps=0.1), max_epochs=1, lr=0.05, batch_size=20, random_state=0
        )
    learner = ActiveLearner(
        estimator,
        DFAL(adversarial_twins=True) if strategy == "dfal" else strategy,
        warm_start=kind == "net" and strategy in ("egl", "dfal"),
        random_state=0,
    )
    data = X if kind == "net" else X.reshape(len(X), -1)
    learner.fit(data[:40], y[:40]).query(data[100:160], 5)
    return learner


class _Blow:
    """One operation of one learner, and what it comes to when nobody interferes."""

    def __init__(self, name: str, learner: ActiveLearner, operation: str) -> None:
        self.name = f"{operation}, {name}"
        X, y = images()
        self.X, self.y = (X.reshape(len(X), -1) if name.startswith("table") else X), y
        self.act: Callable[[ActiveLearner], Any] = getattr(self, f"_{operation}")
        self.packed = pickle.dumps(learner)
        quiet = pickle.loads(self.packed)
        self.old = fingerprint(quiet)
        self.n_lines = interrupted_at(0, lambda: self.act(pickle.loads(self.packed)))
        started = time.process_time()
        self.wanted = self.act(quiet)
        self.seconds = time.process_time() - started
        self.new = fingerprint(quiet)

    def strike(self, tally: Tally, rng: np.random.Generator, only_lines: bool) -> None:
        """Interrupt at a line of the package or at a moment, which may be in a library."""
        learner = pickle.loads(self.packed)
        line, moment = int(rng.integers(1, self.n_lines + 1)), rng.uniform(0, self.seconds)
        by_line = only_lines or rng.random() < 0.5
        where = (
            f"line {line} of {self.n_lines}" if by_line else f"{moment:.4f}/{self.seconds:.4f} s"
        )
        try:
            if by_line:
                interrupted_at(line, lambda: self.act(learner))
            else:
                interrupted_after(moment, lambda: self.act(learner))
        except KeyboardInterrupt:
            pass
        except Exception as error:
            tally.silent.append(f"{self.name}, {where}: raises {error!r}"[:300])
            return
        wrong = self._what_is_wrong(learner)
        if wrong:
            tally.silent.append(f"{self.name}, {where}: {wrong}"[:300])
        else:
            tally.equal += 1

    def _what_is_wrong(self, learner: ActiveLearner) -> str:
        found = fingerprint(learner)
        if found == self.new != self.old:
            return ""
        if found != self.old:
            return f"neither old nor new: {_differing(found, self.old, self.new)}"
        try:
            again = self.act(learner)
        except Exception as error:
            return f"the repeated call fails: {error!r}"
        if again != self.wanted:
            return "the repeated call gives something else"
        found = fingerprint(learner)
        return "" if found == self.new else f"repeated: {_differing(found, self.new)}"

    def _query(self, learner: ActiveLearner) -> Any:
        return learner.query(self.X[100:160], 5)[0].tolist()

    def _teach(self, learner: ActiveLearner) -> Any:
        learner.teach(self.X[100:110], self.y[100:110])

    def _fit(self, learner: ActiveLearner) -> Any:
        learner.fit(self.X[50:100], self.y[50:100])

    def _retrain(self, learner: ActiveLearner) -> Any:
        mix = "clean" if isinstance(learner.estimator, LogisticRegression) else "adversarial"
        learner.retrain(self.X[200:210], self.y[200:210], mix=mix)


def _differing(found: dict, *others: dict) -> str:
    """Names of what differs from each of the others."""
    parts = []
    for other in others:
        names = [key for key in found if found[key] != other.get(key)]
        if "model" in names and isinstance(found["model"], dict):
            mine, theirs = found["model"], other["model"]
            names += [f"model.{key}" for key in mine if mine[key] != theirs[key]]
        parts.append("+".join(names))
    return " / ".join(parts)


def interrupted_after(seconds: float, act: Callable[[], Any]) -> None:
    """Run `act` with Ctrl-C after so many seconds of CPU time, if it takes so long."""
    before = signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        act()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
