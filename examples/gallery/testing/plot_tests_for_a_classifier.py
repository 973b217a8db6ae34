"""
Selecting tests for a deployed classifier
=========================================

A classifier is in use, and data come in without labels. Which few of them should be labelled, to
find its mistakes, and to mend them? The strategies that choose what to learn from choose tests,
too.
"""

# %%
# The deployed classifier
# -----------------------
#
# It was trained on tidy digits; those that come in are shifted by a pixel now and then.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier

X, y = load_digits(return_X_y=True)
X_train, y_train = X[:600], y[:600]
X_new, y_new = X[600:].copy().reshape(-1, 8, 8), y[600:]
rng = np.random.default_rng(0)
shifted = rng.random(len(X_new)) < 0.4
X_new[shifted] = np.roll(X_new[shifted], 1, axis=2)
X_new = X_new.reshape(-1, 64)

deployed = RandomForestClassifier(100, random_state=0).fit(X_train, y_train)
wrong = deployed.predict(X_new) != y_new
print(f"{wrong.sum()} of {len(X_new)} new digits are misread")

# %%
# Which order finds the mistakes first?
# -------------------------------------
#
# A strategy is used alone, without a learner: ``prioritize`` orders all new data, and
# ``apfd_score`` says how early the mistakes come (1 is best, one half is chance).

from skactive.prioritization import apfd_score, prioritize

orders = {
    name: prioritize(deployed, X_new, name, random_state=0)
    for name in ("random", "gini", "margin", "entropy")
}
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, order in orders.items():
    looked_at = np.arange(1, len(order) + 1) / len(order)
    label = f"{name} (APFD {apfd_score(wrong, order):.2f})"
    ax.plot(looked_at, np.cumsum(wrong[order]) / wrong.sum(), label=label)
ax.set(xlabel="share of new data labelled", ylabel="share of mistakes found")
ax.legend()
plt.show()

# %%
# Mend it
# -------
#
# A tenth of the new data is labelled, and the classifier trained again with it. What was selected
# may not measure: an :class:`~skactive.retraining.EvaluationSplit` keeps half of the data for
# that, and raises where a learner was taught what it is measured on.

from skactive import ActiveLearner
from skactive.retraining import EvaluationSplit

split = EvaluationSplit(X_new, y_new, exclude=X_train, random_state=0)
before = split.score(ActiveLearner.from_fitted(deployed, X_train, y_train))
after = {}
for name in ("random", "gini", "margin", "coreset"):
    learner = ActiveLearner.from_fitted(
        deployed, X_train, y_train, name, random_state=0
    )
    chosen = learner.select_tests(split.X_candidates, budget=0.1)
    learner.retrain(*split.label(chosen), mix="clean")
    after[f"{name}, {len(chosen)} labels"] = split.score(learner)

fig, ax = plt.subplots(figsize=(6.5, 3), layout="constrained")
ax.barh(list(after), list(after.values()))
ax.axvline(before, color="black", linestyle=":", label="as deployed")
ax.set(
    xlabel="accuracy on new data that nobody selected",
    xlim=(before - 0.05, None),
)
ax.invert_yaxis()
ax.legend()
plt.show()
