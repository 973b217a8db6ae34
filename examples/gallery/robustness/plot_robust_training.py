"""
Robust against standard training
================================

A net that is right about an image can be wrong about one that looks the same to us. This page
trains the same net twice on the same actively bought labels, once as usual and once on attacked
images, and shows what an attacker makes of each.
"""

# %%
# The same loop, twice
# --------------------
#
# The only difference is ``attack``. With it, each training batch is replaced by what projected
# gradient descent makes of it, within a radius of 0.15 for pixels between 0 and 1.

import matplotlib.pyplot as plt
import numpy as np
import torch

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import load_digits
from skactive.metrics import RobustnessCurveDisplay, robust_accuracy_score
from skactive.networks import LeNet5

digits = load_digits(random_state=0)
X_test, y_test = digits.X_test[:120], digits.y_test[:120]
EPS = 0.15


def bought_and_trained(attack):
    net = AdversarialNetClassifier(
        LeNet5,
        attack=attack,
        lr=3e-3,
        batch_size=50,
        max_epochs=12,
        random_state=0,
    )
    learner = ActiveLearner(net, "dre", random_state=0)
    start = np.random.default_rng(0).choice(
        len(digits.X_train), 150, replace=False
    )
    learner.fit(digits.X_train[start], digits.y_train[start])
    idx, images = learner.query(digits.X_train, n=150)
    return learner.teach(images, digits.y_train[idx])


learners = {
    "standard": bought_and_trained(None),
    "robust": bought_and_trained(PGD(eps=EPS, steps=4)),
}
for name, learner in learners.items():
    accuracy = learner.score(X_test, y_test)
    robust = robust_accuracy_score(
        learner, X_test, y_test, PGD(eps=EPS, steps=20)
    )
    print(f"{name}: accuracy {accuracy:.1%}, under attack {robust:.1%}")

# %%
# What an attack does to an image
# -------------------------------
#
# Six test images, and what the attack makes of them against each net. The prediction of the net
# stands above each image, in orange where it is wrong.

images = {"as they are": X_test[:6]}
for name, learner in learners.items():
    module = learner.estimator_.module_
    attacked = PGD(eps=EPS, steps=20)(
        module, torch.tensor(X_test[:6]), torch.tensor(y_test[:6])
    )
    images[f"against {name}"] = attacked.numpy()

fig, axes = plt.subplots(4, 6, figsize=(8, 6), layout="constrained")
shown = [
    ("as they are", "standard"),
    ("as they are", "robust"),
    ("against standard", "standard"),
    ("against robust", "robust"),
]
for line, (which, name) in zip(axes, shown, strict=True):
    guesses = learners[name].predict(images[which])
    for ax, image, guess, truth in zip(
        line, images[which], guesses, y_test, strict=False
    ):
        ax.imshow(image[0], cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(
            str(guess), color="black" if guess == truth else "#D55E00"
        )
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(f"{name} net,\n{which}")
plt.show()

# %%
# Over all radii
# --------------

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, learner in learners.items():
    RobustnessCurveDisplay.from_estimator(
        learner,
        X_test,
        y_test,
        [0, 0.05, 0.1, 0.15, 0.2],
        PGD(steps=7),
        name=name,
        ax=ax,
    )
plt.show()

# %%
# Projected gradient descent is a quick look. A figure for a paper is measured with AutoAttack,
# ``attack="autoattack"``, or proved:
# :ref:`sphx_glr_gallery_robustness_plot_certified_accuracy.py`.

# sphinx_gallery_thumbnail_number = 2
