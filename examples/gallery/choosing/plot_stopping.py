"""
When to stop
============

Labels cost the same on the last day as on the first, and bring less. Stopping criteria watch a
learner from round to round and say when enough is enough. Most of them need no labels for it.
"""

# %%
# Criteria, and how to join them
# ------------------------------
#
# ``|`` stops when either criterion wants to, ``&`` when both do. Here the run ends when two
# successive models agree on nearly all of the pool three times in a row, or at the latest after
# 600 labels.

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skactive import BudgetedLearner
from skactive.stopping import (
    MaxLabels,
    Plateau,
    PredictionStability,
    UncertaintyThreshold,
)

X, y = load_digits(return_X_y=True)
pool, test, y_pool, y_test = train_test_split(
    X / 16, y, test_size=0.3, stratify=y, random_state=0
)

model = BudgetedLearner(
    LogisticRegression(max_iter=500),
    "margin",
    n_initial=20,
    n_per_query=20,
    budget=600,
    stopping=PredictionStability(threshold=0.99, patience=3),
    random_state=0,
).fit(pool, y_pool)
print(
    f"stopped at {model.n_labels_} labels, accuracy {model.score(test, y_test):.1%}"
)

# %%
# By hand
# -------
#
# In a loop of your own, ``start`` gives a watch that is asked once after each round. Several may
# watch one run: this one goes on to 600 labels, and notes when each criterion would have ended
# it. Every one looks at the pool alone but for ``Plateau``, which reads a score that the loop
# writes into the learner's ledger.

import matplotlib.pyplot as plt
import numpy as np

from skactive import ActiveLearner

criteria = {
    "models agree (0.95)": PredictionStability(threshold=0.95, patience=3),
    "models agree (0.99)": PredictionStability(threshold=0.99, patience=3),
    "sure of 90 % of the pool": UncertaintyThreshold(
        threshold=1.0, quantile=0.9
    ),
    "score on a plateau": Plateau(key="score", patience=4),
}
watches = {name: criterion.start() for name, criterion in criteria.items()}
at_most = MaxLabels(600).start()

rng = np.random.default_rng(0)
unlabeled = np.ones(len(pool), dtype=bool)
unlabeled[rng.choice(len(pool), 20, replace=False)] = False
learner = ActiveLearner(
    LogisticRegression(max_iter=500),
    "margin",
    classes=range(10),
    random_state=0,
)
learner.fit(pool[~unlabeled], y_pool[~unlabeled])
curve, stopped = [], {}
while True:
    n_labels = learner.history_[-1]["n_labels"]
    learner.history_[-1]["score"] = learner.score(test, y_test)
    curve.append((n_labels, learner.history_[-1]["score"]))
    for name, watch in watches.items():
        if watch(learner, pool, candidates=unlabeled):
            stopped.setdefault(name, curve[-1])
    if at_most(learner):
        break
    idx, rows = learner.query(pool, n=20, candidates=unlabeled)
    unlabeled[idx] = False
    learner.teach(rows, y_pool[idx])

fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(*zip(*curve, strict=True), color="0.4")
for (name, place), marker in zip(stopped.items(), "os^D", strict=False):
    ax.plot(*place, marker, markersize=9, label=f"{name}: {place[0]} labels")
ax.set(xlabel="labels bought", ylabel="accuracy on test data")
ax.legend()
plt.show()
