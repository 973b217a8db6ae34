"""
Wrong labels
============

People err. A learner that asks for hard samples gets more wrong labels than one that asks for
easy ones, and learns from them. This page finds labels to doubt, has them looked at again, and
corrects the learner, which then is as if they had never been wrong.
"""

# %%
# One label in six is wrong
# -------------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skactive import ActiveLearner

X, y = load_digits(return_X_y=True)
pool, test, y_pool, y_test = train_test_split(
    X / 16, y, test_size=0.3, stratify=y, random_state=0
)

rng = np.random.default_rng(0)
wrong = rng.random(len(pool)) < 1 / 6
y_said = np.where(
    wrong, (y_pool + rng.integers(1, 10, len(pool))) % 10, y_pool
)


def taught(answers):
    learner = ActiveLearner(
        LogisticRegression(C=10, max_iter=500), "margin", random_state=0
    )
    learner.fit(pool[:50], answers[:50], ids=np.arange(50))
    for _ in range(10):
        idx, rows = learner.query(pool, n=25)
        learner.teach(rows, answers[idx], ids=idx)
    return learner


learner = taught(y_said)
print(f"accuracy {learner.score(test, y_test):.1%}, with true labels", end=" ")
print(f"{taught(y_pool).score(test, y_test):.1%}")

# %%
# Labels to doubt
# ---------------
#
# What does a model that was not trained on a label think of it? Cross-validation over what is
# labelled gives each label a probability, and the least probable come first. In a
# :class:`~skactive.labeling.LabelingSession`, ``session.suspicious()`` does this.

from sklearn.model_selection import cross_val_predict

asked = np.asarray(learner.ids_)
proba = cross_val_predict(
    LogisticRegression(C=10, max_iter=500), learner.X_labeled_, learner.y_labeled_, cv=5,
    method="predict_proba",
)  # fmt: skip
doubt = 1 - proba[np.arange(len(asked)), learner.y_labeled_]
order = asked[np.argsort(-doubt)]

fig, axes = plt.subplots(2, 9, figsize=(9, 2.8), layout="constrained")
for ax, i in zip(axes.flat, order, strict=False):
    ax.imshow(pool[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"“{y_said[i]}”", color="#D55E00" if wrong[i] else "black")
    ax.axis("off")
fig.suptitle("The labels doubted most; those that are wrong in orange")
plt.show()

# %%
# Look again, and correct
# -----------------------
#
# ``relabel`` changes labels by the ids under which they were taught, without training; the next
# ``teach`` trains on what is right now. The curve says how many wrong labels are found by looking
# at so many again, in this order and in any order.

found = np.cumsum(wrong[order])
scores, looked_at = [learner.score(test, y_test)], [0]
for some in np.array_split(order[:120], 6):
    learner.relabel(ids=some, y=y_pool[some])
    learner.teach()
    looked_at.append(looked_at[-1] + len(some))
    scores.append(learner.score(test, y_test))

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(np.arange(1, len(order) + 1), found, label="most doubted first")
left.plot(
    [0, len(order)], [0, found[-1]], ":", color="0.5", label="in any order"
)
left.set(xlabel="labels looked at again", ylabel="wrong labels found")
left.legend()
right.plot(looked_at, scores, marker="o")
right.set(xlabel="labels looked at again", ylabel="accuracy on test data")
plt.show()

# %%
# The ledger tells it: a correction is a row of its own, in which nothing was trained.

learner.ledger_

# sphinx_gallery_thumbnail_number = 2
