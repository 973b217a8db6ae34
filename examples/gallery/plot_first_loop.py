"""
A first loop: fit, query, teach
===============================

Digits of scikit-learn and a logistic regression. A hundred labels are bought once at random and
once where the model is least sure.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner

X, y = load_digits(return_X_y=True)
X_pool, y_pool, X_test, y_test = (
    X[:1200] / 16,
    y[:1200],
    X[1200:] / 16,
    y[1200:],
)

# %%
# Twenty labels to start with, then ten a round. ``query`` says which rows to label, most wanted
# first, and ``teach`` trains again with their labels.


def accuracies(strategy):
    """Accuracy after each round."""
    learner = ActiveLearner(
        LogisticRegression(max_iter=500), strategy, random_state=0
    )
    learner.fit(X_pool[:20], y_pool[:20])
    scores = [learner.score(X_test, y_test)]
    for _ in range(8):
        idx, X_new = learner.query(X_pool, n=10)
        learner.teach(X_new, y_pool[idx])
        scores.append(learner.score(X_test, y_test))
    return scores


labels = range(20, 101, 10)
for strategy in ("random", "margin"):
    plt.plot(labels, accuracies(strategy), marker="o", label=strategy)
plt.xlabel("labels bought")
plt.ylabel("accuracy")
plt.legend()
plt.show()
