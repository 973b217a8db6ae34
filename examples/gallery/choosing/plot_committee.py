"""
A committee
===========

Several models, trained side by side, vote. Where they agree there is little to learn; where they
disagree, a label decides between them. That works for models that give no useful probabilities,
such as decision trees.
"""

# %%
# Five trees
# ----------
#
# One classifier stands for as many members as are asked for, each trained on a bootstrap sample
# of its own. A list of different classifiers is a committee, too.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_circles
from sklearn.tree import DecisionTreeClassifier

from skactive import Committee

X, y = make_circles(800, noise=0.15, factor=0.5, random_state=0)
committee = Committee(
    DecisionTreeClassifier(min_samples_leaf=2),
    "vote_entropy",
    n_members=5,
    bootstrap=True,
    random_state=0,
)
start = np.random.default_rng(0).choice(len(X), 40, replace=False)
committee.fit(X[start], y[start])

# %%
# What the members think
# ----------------------
#
# The first five panels are the members, the last one the share of members in the minority: it is
# there that the committee asks.

idx, rows = committee.query(X, n=15)

edges = [
    np.linspace(values.min() - 0.3, values.max() + 0.3, 120) for values in X.T
]
grid = np.stack(np.meshgrid(*edges), axis=-1)
points = grid.reshape(-1, 2)
votes = committee.vote(points).reshape(*grid.shape[:2], -1)
share = votes.mean(axis=-1)

fig, axes = plt.subplots(
    2, 3, figsize=(10, 6), sharex=True, sharey=True, layout="constrained"
)
for number, ax in enumerate(axes.flat[:5]):
    ax.contourf(
        *edges,
        votes[..., number],
        levels=[-0.5, 0.5, 1.5],
        cmap="cividis",
        alpha=0.5,
    )
    ax.scatter(
        *X[start].T, c=y[start], cmap="cividis", edgecolor="black", s=25
    )
    ax.set_title(f"member {number + 1}")
last = axes.flat[5]
minority = np.minimum(share, 1 - share)
image = last.contourf(
    *edges, minority, levels=np.linspace(0, 0.5, 6), cmap="Greys"
)
last.scatter(
    *rows.T,
    marker="*",
    s=90,
    color="#F0E442",
    edgecolor="black",
    label="asked",
)
last.set_title("disagreement")
last.legend(loc="upper left")
fig.colorbar(image, ax=last, label="share of the minority")
plt.show()

# %%
# Does it help?
# -------------
#
# A committee is a classifier like any other, so that the loop can be run at equal label cost.
# Digits, five trees, six splits. ``"vote_entropy"`` counts votes, ``"consensus_entropy"``
# averages the members' probabilities first.

from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

from skactive.analysis import ActiveLearningCurveDisplay

X, y = load_digits(return_X_y=True)
ActiveLearningCurveDisplay.from_estimator(
    Committee(
        DecisionTreeClassifier(min_samples_leaf=3), n_members=5, bootstrap=True
    ),
    X,
    y,
    ["random", "vote_entropy", "consensus_entropy"],
    n_initial=50,
    n_per_query=50,
    budget=300,
    cv=StratifiedShuffleSplit(6, test_size=0.3, random_state=0),
    scoring="accuracy",
    random_state=0,
)
plt.show()
