"""
What the strategies pick
========================

The same pool, the same model, and twenty-five labels to spend at once: each panel shows where a
strategy spends them. A pool in the plane is drawn as it is, so that nothing is hidden by a
projection.
"""

# %%
# A pool in the plane
# -------------------
#
# Two classes along interleaved bows, and a third in a small group far away. Two dozen labels are
# known, most of them along the bows; they are crosses in the pictures.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons
from torch import nn

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.analysis import PoolMapDisplay

rng = np.random.default_rng(0)
bows, of_bow = make_moons(560, noise=0.16, random_state=0)
far = rng.normal([2.6, 1.6], 0.12, size=(40, 2))
X = np.vstack([bows, far]).astype(np.float32)
y = np.concatenate([of_bow, np.full(40, 2)])
start = np.concatenate([rng.choice(560, 22, replace=False), [560, 561]])

net = AdversarialNetClassifier(
    nn.Sequential(
        nn.Linear(2, 32),
        nn.ReLU(),
        nn.Linear(32, 32),
        nn.ReLU(),
        nn.Linear(32, 3),
    ),
    attack=None,
    bounds=(
        -2,
        4,
    ),  # where inputs may lie: strategies that perturb them stay inside
    lr=1e-2,
    batch_size=24,
    max_epochs=100,
    random_state=0,
)
learner = ActiveLearner(net, random_state=0).fit(X[start], y[start])

# %%
# Alone, or together
# ------------------
#
# Strategies of the first row score every sample on its own, so that their picks crowd where the
# model is unsure. Those of the second row also want the picks to differ from each other. Those of
# the third look at where the pool is crowded, or draw from it.

PoolMapDisplay.from_estimator(
    learner,
    X,
    [
        "margin",
        "entropy",
        "bald",
        "badge",
        "clustermargin",
        "coreset",
        "typiclust",
        "dre",
        "random",
    ],
    n=25,
    y=y,
    embedding="input",
    size=8,
)
plt.show()

# %%
# By the gradient, and by the distance
# ------------------------------------
#
# Strategies for nets can ask more than probabilities: ``"egl"`` how far a label would move the
# weights, ``"dfal"`` how small a perturbation turns the prediction, ``"virtual_adversarial"``
# where a small one changes it most.

PoolMapDisplay.from_estimator(
    learner,
    X,
    ["egl", "dfal", "virtual_adversarial"],
    n=25,
    y=y,
    embedding="input",
    size=8,
)
plt.show()
