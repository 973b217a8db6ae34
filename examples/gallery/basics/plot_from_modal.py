"""
Coming from modAL
=================

Replace ``modAL`` by ``skactive.modal`` in the imports of a script, and it runs on today's
scikit-learn. When there is time, the library's own learner does the same in fewer lines, and more
besides.
"""

# %%
# A script for modAL
# ------------------
#
# This is how a loop is written with modAL: the pool shrinks by hand. Only the imports were
# changed.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

from skactive.modal.models import (
    ActiveLearner,
)  # was: from modAL.models import ActiveLearner
from skactive.modal.uncertainty import (
    margin_sampling,
)  # was: from modAL.uncertainty import …

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, random_state=0
)
initial = np.random.default_rng(0).choice(len(X_train), 50, replace=False)

learner = ActiveLearner(
    estimator=RandomForestClassifier(50, random_state=0),
    query_strategy=margin_sampling,
    X_training=X_train[initial],
    y_training=y_train[initial],
)
X_pool, y_pool = (
    np.delete(X_train, initial, axis=0),
    np.delete(y_train, initial),
)
scores = [learner.score(X_test, y_test)]
for _ in range(10):
    query_idx, query_instance = learner.query(X_pool, n_instances=20)
    learner.teach(query_instance, y_pool[query_idx])
    X_pool, y_pool = (
        np.delete(X_pool, query_idx, axis=0),
        np.delete(y_pool, query_idx),
    )
    scores.append(learner.score(X_test, y_test))

# %%
# The same with the library's own learner
# ---------------------------------------
#
# The pool stays whole: rows that are labelled are found in it and not asked again, and the
# positions that come back mean the same thing in every round. There is a ledger, ``random_state``
# seeds everything, and the learner can be cloned, searched and saved.

import skactive


def own_loop(strategy):
    forest = RandomForestClassifier(50, random_state=0)
    learner = skactive.ActiveLearner(forest, strategy, random_state=0)
    learner.fit(X_train[initial], y_train[initial])
    scores = [learner.score(X_test, y_test)]
    for _ in range(10):
        idx, rows = learner.query(X_train, n=20)
        learner.teach(rows, y_train[idx])
        scores.append(learner.score(X_test, y_test))
    return learner, scores


own, own_scores = own_loop("margin")
asked_alike = set(map(bytes, learner.X_training)) & set(
    map(bytes, own.X_labeled_)
)
print(
    f"{len(asked_alike)} of {len(own.X_labeled_)} samples were asked by both"
)

# %%
# They part where samples are tied, as they often are with a forest of fifty trees: modAL takes
# the first of them, the library draws. modAL's functions are strategies of the library's own
# learner as well, and there are many that modAL has not: a name is enough.

n_labels = np.arange(50, 251, 20)
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
ax.plot(n_labels, scores, marker="o", label="skactive.modal, margin_sampling")
ax.plot(
    n_labels,
    own_scores,
    marker="s",
    linestyle="--",
    label="skactive, 'margin'",
)
ax.plot(
    n_labels,
    own_loop(margin_sampling)[1],
    marker="^",
    label="skactive, margin_sampling",
)
ax.plot(n_labels, own_loop("badge")[1], marker="D", label="skactive, 'badge'")
ax.plot(
    n_labels,
    own_loop("random")[1],
    linestyle=":",
    color="0.5",
    label="skactive, 'random'",
)
ax.set(xlabel="labels bought", ylabel="accuracy on test data")
ax.legend()
plt.show()
