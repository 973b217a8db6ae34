"""An exception at any line of query, teach, fit and retrain leaves the old state or the new one."""

import builtins
import copy
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from torch import nn

import skactive
from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.strategies import QueryStrategy, Selection
from skactive.utils.alone import ALONE

PACKAGE = str(Path(skactive.__file__).parent)
RNG = np.random.default_rng(0)
SHARE = float(os.environ.get("SKACTIVE_FAULTS", "0.2"))  # of the lines; 1 is all of them
X = RNG.random((60, 3)).astype(np.float32)
Y = (X[:, 0] > X[:, 1]).astype(int)
WEIGHTS = np.linspace(1, 2, 60)


class Injected(BaseException):
    """Like an interrupt: nothing that catches errors catches it."""


class Fault:
    """Raise at a line of the package, counted from the start of the block.

    A tracer also raises where no interrupt comes: on the very lines that take and give back a
    lock or a signal's handler. What such a fault keeps is given back here, for the next test.
    """

    def __init__(self, at=None):
        self.at, self.n_lines = at, 0

    def __enter__(self):
        self.before = sys.gettrace()
        self.handler = signal.getsignal(signal.SIGINT)
        sys.settrace(self._call)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)
        signal.signal(signal.SIGINT, self.handler)
        while ALONE._is_owned():
            ALONE.release()

    def _call(self, frame, event, arg):
        return self._line if frame.f_code.co_filename.startswith(PACKAGE) else None

    def _line(self, frame, event, arg):
        if event == "line":
            self.n_lines += 1
            if self.n_lines - 1 == self.at:
                raise Injected
        return self._line


class Twins(QueryStrategy):
    """Picks the first n, with twins."""

    _requires = ()

    def _select(self, query):
        rows = np.asarray(query.X.take(np.arange(query.n)))
        return Selection(np.arange(query.n), twins=1 - rows)


def logistic():
    learner = ActiveLearner(LogisticRegression(), Twins(), random_state=0)
    learner.fit(X[:20], Y[:20], sample_weight=WEIGHTS[:20])
    learner.query(X[20:], n=4)
    return learner


def net():
    module = nn.Sequential(nn.Linear(3, 2))
    inside = AdversarialNetClassifier(
        module, attack=FGSM(eps=0.05), max_epochs=1, batch_size=10, random_state=0
    )
    learner = ActiveLearner(inside, Twins(), random_state=0).fit(X[:20], Y[:20])
    learner.query(X[20:], n=4)
    return learner


def state(learner):
    """Everything that a round changes, seconds left out."""
    parts = (learner.X_labeled_, learner.y_labeled_, learner.sample_weight_)
    parts += (learner.X_twins_, learner.y_twins_, learner.classes_, learner.predict_proba(X))
    ledger = [{k: v for k, v in row.items() if "time" not in k} for row in learner.history_]
    return repr([None if part is None else part.tolist() for part in parts]), ledger


CALLS = {
    "teach": lambda learner: learner.teach(X[20:24], Y[20:24]),
    "teach only new": lambda learner: learner.teach(X[20:24], Y[20:24], only_new=True),
    "fit": lambda learner: learner.fit(X[30:50], Y[30:50]),
    "retrain": lambda learner: learner.retrain(X[40:44], Y[40:44], mix="clean"),
    "query": lambda learner: learner.query(X[24:], n=3),
}


def check_faults(base, call, share):
    """Interrupt `call` at a share of its lines and at each of the last 20."""
    old, done = state(base), copy.deepcopy(base)
    with Fault() as counter:
        call(done)
    new = state(done)
    lines = set(range(0, counter.n_lines, max(1, round(1 / share))))
    lines |= set(range(counter.n_lines - 20, counter.n_lines))
    for at in sorted(lines):
        learner = copy.deepcopy(base)
        with pytest.raises(Injected), Fault(at):
            call(learner)
        found = state(learner)
        assert found in (old, new), f"line {at} of {counter.n_lines}"
        if found != new:
            call(learner)
            assert state(learner) == new, f"again after line {at} of {counter.n_lines}"


@pytest.mark.parametrize("name", CALLS)
def test_a_fault_at_any_line_loses_and_doubles_nothing(name):
    check_faults(logistic(), CALLS[name], share=SHARE)


@pytest.mark.parametrize("name", ["teach", "fit", "retrain"])
def test_a_fault_in_a_net_loses_and_doubles_nothing(name):
    check_faults(net(), CALLS[name], share=SHARE / 40)


def test_a_closed_terminal_loses_and_doubles_no_round(monkeypatch):
    learner = logistic().set_params(verbose=1)

    def broken(*args, **kwargs):
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(builtins, "print", broken)
    learner.teach(X[20:24], Y[20:24])
    assert [row["n_labels"] for row in learner.history_] == [20, 24]
