"""
Attacked and certified accuracy
===============================

An attack finds out how many images *it* can turn; a stronger one may turn more. A certificate is
a proof that none can. Between the two lies the truth, and for a net that was trained for
certificates the two are close together.
"""

# %%
# Two trainings
# -------------
#
# The same small net twice: trained on attacked images, and trained on bounds
# (:class:`~skactive.losses.IBP`), which hold for every perturbation at once.

import matplotlib.pyplot as plt

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import load_digits
from skactive.losses import IBP
from skactive.metrics import RobustnessCurveDisplay, robustness_report
from skactive.networks import ConvSmall

digits = load_digits(random_state=0)
X_test, y_test = digits.X_test[:120], digits.y_test[:120]
common = {"lr": 5e-3, "batch_size": 100, "max_epochs": 20, "random_state": 0}
nets = {
    "trained on attacks": AdversarialNetClassifier(
        ConvSmall, attack=PGD(eps=0.1, steps=3), **common
    ),
    "trained on bounds": AdversarialNetClassifier(
        ConvSmall, attack=None, loss=IBP(eps=0.1), **common
    ),
}
for net in nets.values():
    net.fit(digits.X_train, digits.y_train)

# %%
# The gap
# -------
#
# The upper line of each panel is accuracy under attack, the lower one what is proved. What the
# net is really worth lies in the band.

fig, axes = plt.subplots(
    1, 2, figsize=(9, 3.8), sharey=True, layout="constrained"
)
for ax, (name, net) in zip(axes, nets.items(), strict=True):
    RobustnessCurveDisplay.from_estimator(
        net,
        X_test,
        y_test,
        [0, 0.025, 0.05, 0.075, 0.1, 0.125],
        PGD(steps=20),
        certified=True,
        name=name,
        ax=ax,
    )
plt.show()

# %%
# In numbers, at the radius of the training
# -----------------------------------------
#
# The report attacks only what is not certified, and a few of the certified all the same: a turned
# one would mean that a proof is wrong, and raises.

net = nets["trained on bounds"]
robustness_report(net, X_test, y_test, PGD(steps=20), eps=0.1, certify=True)
