"""
Selecting tests for a torch module trained elsewhere
====================================================

Somebody hands over a torch module: trained, with normalisation inside or out, on data of their
own. Two lines make it a classifier whose tests can be selected, whose robustness can be measured,
and which can be retrained on adversarial examples of the tests. The module itself is never
changed.
"""

# %%
# A module from elsewhere
# -----------------------
#
# Plain torch, trained in a loop of its own.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from skactive.datasets import load_digits

digits = load_digits(random_state=0)
X_train, y_train = digits.X_train[:600], digits.y_train[:600]

torch.manual_seed(0)
module = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1),
    nn.ReLU(),
    nn.Conv2d(16, 32, 3, stride=2, padding=1),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(32 * 16, 10),
)
optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
for _ in range(15):
    for rows in torch.randperm(len(X_train)).split(50):
        optimizer.zero_grad()
        logits = module(torch.from_numpy(X_train)[rows])
        nn.functional.cross_entropy(
            logits, torch.from_numpy(y_train)[rows]
        ).backward()
        optimizer.step()

# %%
# Here it becomes a classifier. ``attack`` is what it will be retrained with; a normalisation that
# is done outside of the module belongs in front of it, ``nn.Sequential(Normalize(mean, std),
# module)``, so that attacks work on what a camera sees.

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.metrics import RobustnessCurveDisplay, make_robust_scorer
from skactive.retraining import EvaluationSplit

attack = PGD(eps=0.1, steps=7)
deployed = AdversarialNetClassifier.from_module(
    module,
    classes=range(10),
    X=X_train[:5],
    attack=attack,
    lr=3e-3,
    batch_size=50,
    random_state=0,
)

# %%
# Which tests to label, and what they bring
# -----------------------------------------
#
# A quarter of the test images that may be selected is labelled. The module is retrained for a few
# epochs on its training data and on adversarial examples of the selected, from the weights that
# it has.

split = EvaluationSplit(
    digits.X_test, digits.y_test, exclude=X_train, random_state=0
)
robust = make_robust_scorer(PGD(eps=0.1, steps=20))
known = ActiveLearner.from_fitted(deployed, X_train, y_train, random_state=0)
rows, learners = (
    {"as deployed": (split.score(known), split.score(known, robust))},
    {},
)
for name in ("random", "gini", "dre"):
    learner = ActiveLearner.from_fitted(
        deployed, X_train, y_train, name, random_state=0
    )
    chosen = learner.select_tests(split.X_candidates, budget=0.25)
    learner.retrain(*split.label(chosen), mix="adversarial", epochs=5)
    rows[name] = split.score(learner), split.score(learner, robust)
    learners[name] = learner

fig, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
places = np.arange(len(rows))
for offset, (label, values) in enumerate(
    zip(
        ("accuracy", "accuracy under PGD"),
        zip(*rows.values(), strict=True),
        strict=True,
    )
):
    bars = ax.barh(places + 0.38 * offset, values, height=0.36, label=label)
    ax.bar_label(bars, fmt="{:.1%}", padding=3)
ax.set_yticks(places + 0.19, list(rows))
ax.set(xlim=(0, 1.15), xlabel="on test images that nobody selected")
ax.invert_yaxis()
ax.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2)
plt.show()

# %%
# Over all radii
# --------------

fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, model in {
    "as deployed": deployed,
    "retrained": learners["gini"],
}.items():
    RobustnessCurveDisplay.from_estimator(
        model,
        split.X_evaluation[:150],
        split.y_evaluation[:150],
        [0, 0.05, 0.1, 0.15],
        PGD(steps=10),
        name=name,
        ax=ax,
    )
plt.show()

# %%
# The module of the learner is an ordinary torch module again, ready to be handed back.

learners["gini"].estimator_.module_
