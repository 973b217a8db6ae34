"""
The first labels: cold start
============================

Before anything is labelled there is no model whose doubts could be asked. Drawing the first
labels at random is honest, but wasteful: crowded places are asked over and over, rare ones not at
all.

Some strategies need no model. They look at where the samples lie, and
:class:`~skactive.ActiveLearner` asks them before it is fitted.
"""

# %%
# A pool with crowded and rare places
# -----------------------------------
#
# Eight groups in the plane, two of them large. ``"typiclust"`` asks for the most typical sample
# of each cluster, :class:`~skactive.strategies.ProbCover` for samples whose neighbourhoods
# together hold as much of the pool as possible (it is told how large a neighbourhood is), and
# ``"coreset"`` for samples far away from each other, outliers first.

import matplotlib.pyplot as plt
from sklearn.datasets import make_blobs
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner
from skactive.strategies import ProbCover

sizes = [300, 300, 40, 40, 40, 40, 40, 40]
X, group = make_blobs(sizes, cluster_std=0.6, random_state=8)

strategies = {
    "random": "random",
    "typiclust": "typiclust",
    "probcover": ProbCover(radius=1.5),
    "coreset": "coreset",
}
fig, axes = plt.subplots(1, 4, figsize=(11, 3.2), layout="constrained")
for ax, (name, strategy) in zip(axes, strategies.items(), strict=True):
    learner = ActiveLearner(LogisticRegression(), strategy, random_state=0)
    idx, _ = learner.query(X, n=8)
    ax.scatter(*X.T, s=4, color="0.75")
    ax.scatter(*X[idx].T, s=40, color="tab:blue", edgecolor="black")
    ax.set(
        title=f"{name}: {len(set(group[idx]))} of 8 groups",
        xticks=[],
        yticks=[],
    )

# %%
# What the first labels are worth
# -------------------------------
#
# Handwritten digits, a nearest-neighbour classifier, and nothing but a cold start: the samples
# are asked at once, by each strategy with several seeds.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skactive.analysis import ActiveLearningCurveDisplay

X, y = load_digits(return_X_y=True)
pool, test, y_pool, y_test = train_test_split(
    X / 16, y, test_size=0.3, stratify=y, random_state=0
)
counts, seeds = (5, 10, 20, 40), range(4)


def accuracy(strategy, n, seed):
    learner = ActiveLearner(
        KNeighborsClassifier(1), strategy, random_state=seed
    )
    idx, first = learner.query(pool, n=n)
    return learner.fit(first, y_pool[idx]).score(test, y_test)


curves = {
    strategy: (
        counts,
        [[accuracy(strategy, n, seed) for seed in seeds] for n in counts],
    )
    for strategy in ("random", "coreset", "typiclust", "uherding")
}
ActiveLearningCurveDisplay(curves, score_name="accuracy").plot()
plt.show()

# %%
# Typical samples of many places are worth most when there is next to nothing else. Samples that
# are far from each other are often outliers, from which a nearest-neighbour classifier learns
# little. Once there are labels of all classes, strategies that ask the model take over:
# ``learner.set_params(query_strategy="margin")``, or ``"uherding"``, which goes from the one to
# the other by itself.

# sphinx_gallery_thumbnail_number = 2
