"""Sessions on a few digits, and what two of them may be compared by."""

import itertools

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.labeling import LabelingSession

X, Y = load_digits(return_X_y=True)
X, Y = (X[:400] / 16).astype(np.float32), Y[:400]
CLASSES = list(range(10))


def learner(strategy="margin", **params):
    return ActiveLearner(
        LogisticRegression(max_iter=200), strategy, **{"random_state": 0, **params}
    )


def session(store=":memory:", **params):
    """A session on 400 digits."""
    given = {"learner": params.pop("learner", None) or learner(), "classes": CLASSES, **params}
    return LabelingSession(store, given.pop("pool", X), **given)


class Clock:
    """A time that tests move; each look at it takes a second."""

    def __init__(self, now=1_000_000.0):
        self.now = itertools.count(now)

    def __call__(self):
        return next(self.now)

    def wait(self, seconds):
        self.now = itertools.count(next(self.now) + seconds)


def answer(labeling, annotator, n, labels=Y):
    """Label the next `n` items; the items."""
    done = []
    for _ in range(n):
        (item,) = labeling.claim(annotator)
        labeling.label(item.id, labels[item.position], annotator)
        done.append(item)
    return done


def picks(labeling):
    """Queries in the order of asking, as `(round, n, model)`, and the items they asked for."""
    queries = [e.data for e in labeling.events() if e.kind == "query"]
    asked = labeling.to_frame().drop_duplicates("id")[["id", "round", "rank"]]
    return [(q["round"], q["n"], q["model"]) for q in queries], asked.to_numpy().tolist()


def weights(labeling):
    """What the learner has learned."""
    model = labeling.learner.estimator_
    return np.concatenate([model.coef_.ravel(), model.intercept_])
