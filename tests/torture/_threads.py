"""Two threads ask one learner at once: each gets what it gets alone, for every strategy."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.strategies import all_strategies
from tests.models import SmallCNN

from ._digits import images
from ._state import fingerprint
from ._tally import Effort, Tally

_COMMITTEE = ("vote_entropy", "consensus_entropy", "max_disagreement")


def threads(effort: Effort) -> Iterator[Tally]:
    """One tally: a query and a prediction beside a query, over all strategies in turn."""
    X, y = images()
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=3, lr=0.01, random_state=0)
    committee = Committee(LogisticRegression(max_iter=100), n_members=3, random_state=0)
    fitted = {
        True: ActiveLearner(committee, "random", random_state=0).fit(_flat(X[:150]), y[:150]),
        False: ActiveLearner(net, "random", random_state=0).fit(X[:150], y[:150]),
    }
    tally = Tally("two threads, all strategies")
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        names = np.random.default_rng([effort.seed, 30]).permutation(list(all_strategies()))
        for i in effort.times(5 * len(names)):
            name = str(names[i % len(names)])
            learner = fitted[name in _COMMITTEE].set_params(query_strategy=name)
            pools = [X[200:260], X[260:330]]
            pools = [_flat(pool) for pool in pools] if name in _COMMITTEE else pools
            _both(tally, name, learner, pools)
    finally:
        sys.setswitchinterval(interval)
    yield tally


def _flat(X):
    return X.reshape(len(X), -1)


def _both(tally: Tally, name: str, learner: ActiveLearner, pools: list) -> None:
    """The same two jobs one after the other, then side by side."""

    def ask(pool):
        return learner.query(pool, 7)[0].tolist(), learner.predict_proba(pool).tobytes()

    wanted = [ask(pool) for pool in pools]
    before = fingerprint(learner)
    found = _side_by_side([lambda pool=pool: ask(pool) for pool in pools])
    errors = [part for part in found if isinstance(part, Exception)]
    if errors:
        tally.silent.append(f"{name}: {errors[0]!r}"[:300])
    elif found != wanted:
        what = "picks" if [f[0] for f in found] != [w[0] for w in wanted] else "probabilities"
        tally.silent.append(f"{name}: other {what} in threads")
    elif fingerprint(learner) != before:
        tally.silent.append(f"{name}: the learner was changed")
    else:
        tally.equal += 1


def _side_by_side(jobs: list[Callable[[], Any]]) -> list[Any]:
    found: list[Any] = [None] * len(jobs)
    together = threading.Barrier(len(jobs))

    def work(i: int) -> None:
        together.wait()
        try:
            found[i] = jobs[i]()
        except Exception as error:
            found[i] = error

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(jobs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found
