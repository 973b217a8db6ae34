"""
One at a time, or many at once
==============================

After each label the model could be trained again. People rarely have the patience: they label
fifty samples, and the model is trained over night. What does a large batch cost, and does a
strategy that looks at the batch as a whole win it back?
"""

# %%
# A pool with repetitions
# -----------------------
#
# Real pools repeat themselves: frames of a film, messages that were forwarded, sensors that
# report every second. Here each of scikit-learn's digits is there four times, with a little
# noise. Splits keep copies of one image together, so that no test image is a copy of a training
# image.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit

from skactive import ActiveLearner, active_learning_curve
from skactive.analysis import ActiveLearningCurveDisplay

images, digits = load_digits(return_X_y=True)
original = np.repeat(np.arange(400), 4)
noise = np.random.default_rng(0).normal(0, 0.01, (len(original), 64))
X, y = images[original] / 16 + noise, digits[original]

splits = list(
    GroupShuffleSplit(5, test_size=0.4, random_state=0).split(
        X, y, groups=original
    )
)

# %%
# The same labels, in batches of two sizes
# ----------------------------------------
#
# ``"margin"`` scores each sample on its own: where it is unsure of an image, it is as unsure of
# the three others like it, and a large batch holds them all. ``"badge"`` chooses samples that
# differ.

model = LogisticRegression(C=10, max_iter=500)
results = {
    f"{strategy}, {n} at a time": active_learning_curve(
        model,
        X,
        y,
        query_strategy=strategy,
        n_initial=20,
        n_per_query=n,
        budget=140,
        cv=splits,
        random_state=0,
    )
    for strategy, n in [
        ("random", 40),
        ("margin", 8),
        ("margin", 40),
        ("badge", 40),
    ]
}
ActiveLearningCurveDisplay.from_results(results, score_name="accuracy")
plt.show()

# %%
# What was asked
# --------------
#
# How many different images are among the questions of one batch?

start = np.random.default_rng(0).choice(len(X), 20, replace=False)
different = {}
for strategy in ("random", "margin", "badge"):
    learner = ActiveLearner(model, strategy, classes=range(10), random_state=0)
    idx, _ = learner.fit(X[start], y[start]).query(X, n=40)
    different[strategy] = len(set(original[idx]))

fig, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
bars = ax.barh(list(different), list(different.values()))
ax.bar_label(bars, padding=3)
ax.set(xlabel="different images among 40 questions", xlim=(0, 42))
plt.show()

# %%
# The price of small batches is training:

for name, (n_labels, _, _) in results.items():
    print(f"{name:>20}: trained {len(n_labels)} times")
