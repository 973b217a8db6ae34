"""
One at a time, or many at once
==============================

After each label the model could be trained again. People rarely have the patience: they label
twenty, fifty, a hundred samples, and the model is trained over night. What does a large batch
cost, and does a strategy that looks at the batch as a whole win it back?
"""

# %%
# ``"margin"`` scores each sample on its own, so that a large batch of it holds near copies of one
# question. ``"badge"`` chooses samples that differ. Both spend the same labels on scikit-learn's
# digits, in batches of two sizes.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit

from skactive import active_learning_curve
from skactive.analysis import ActiveLearningCurveDisplay

X, y = load_digits(return_X_y=True)
X = X / 16
settings = {
    "n_initial": 20,
    "budget": 120,
    "cv": StratifiedShuffleSplit(5, test_size=0.4, random_state=0),
    "random_state": 0,
}

results = {
    f"{strategy}, {n} at a time": active_learning_curve(
        LogisticRegression(C=10, max_iter=500),
        X,
        y,
        query_strategy=strategy,
        n_per_query=n,
        **settings,
    )
    for strategy in ("margin", "badge")
    for n in (5, 50)
}
ActiveLearningCurveDisplay.from_results(results, score_name="accuracy")
plt.show()

# %%
# The price of small batches is training. The number of times that the model was trained, and how
# alike the questions of the first batch were: the mean distance of each to the nearest other one.

from scipy.spatial.distance import cdist

from skactive import ActiveLearner

for strategy in ("random", "margin", "badge"):
    learner = ActiveLearner(LogisticRegression(C=10, max_iter=500), strategy, random_state=0)
    learner.fit(X[:20], y[:20])
    _, asked = learner.query(X, n=50)
    apart = np.sort(cdist(asked, asked), axis=1)[:, 1].mean()
    print(f"{strategy:>7}: 50 questions, {apart:.2f} from the nearest other one")
for name, (n_labels, _, _) in results.items():
    print(f"{name:>20}: trained {len(n_labels)} times")
