"""
Images and a network of your own
================================

Any torch module that returns logits can be what learns. It is wrapped into
:class:`~skactive.AdversarialNetClassifier`, which is a skorch net, so that everything skorch's
users know is there: optimiser, learning rate schedule, early stopping, progress bar, device.

Here the net is trained without attacks (``attack=None``), on scikit-learn's digits.
:ref:`sphx_glr_gallery_robustness_plot_robust_training.py` trains with them.
"""

# %%
# The module
# ----------
#
# Nothing in it knows of active learning. Parameters that a module calls ``n_classes``,
# ``in_channels`` or ``input_size`` are taken from the data, if they are not set as ``module__…``.

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from skactive.datasets import load_digits


class SmallConvNet(nn.Module):
    """Two convolutions and two dense layers."""

    def __init__(self, n_classes, in_channels=1, width=16):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1, stride=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(64),
            nn.ReLU(),
            nn.Linear(64, n_classes),
        )

    def forward(self, images):
        """Logits of the classes."""
        return self.layers(images)


digits = load_digits(random_state=0)
digits

# %%
# The net
# -------
#
# ``augment`` changes training batches only and is drawn anew in every epoch; the pool is scored
# without it. The callbacks are skorch's own. A fifth of the labels decides when training stops;
# they were bought like all others, and the learner's ledger counts them. ``device`` takes the GPU
# where there is one.

from skorch.callbacks import EarlyStopping, LRScheduler, ProgressBar
from skorch.dataset import ValidSplit
from torchvision.transforms import RandomAffine

from skactive import ActiveLearner, AdversarialNetClassifier

net = AdversarialNetClassifier(
    SmallConvNet,
    module__width=16,
    attack=None,
    augment=RandomAffine(degrees=10, translate=(0.1, 0.1)),
    optimizer=torch.optim.AdamW,
    lr=5e-3,
    batch_size=32,
    max_epochs=30,
    train_split=ValidSplit(0.2, stratified=True, random_state=0),
    callbacks=[
        (
            "schedule",
            LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=30),
        ),
        ("early_stopping", EarlyStopping(patience=8, load_best=True)),
        ("progress", ProgressBar()),
    ],
    device="cuda" if torch.cuda.is_available() else "cpu",
    random_state=0,
)
net.set_params(
    callbacks__progress=None
)  # a page like this one has no use for bars

# %%
# The loop
# --------
#
# Sixty digits drawn at random, then forty at a time. ``"badge"`` asks where the net is unsure,
# and for images that differ from each other. ``verbose=1`` prints a line for each round.

learner = ActiveLearner(net, query_strategy="badge", random_state=0, verbose=1)
first = np.random.default_rng(0).choice(len(digits.X_train), 60, replace=False)
learner.fit(digits.X_train[first], digits.y_train[first])
accuracies = [learner.score(digits.X_test, digits.y_test)]
for _ in range(4):
    idx, images = learner.query(digits.X_train, n=40)
    guesses = learner.predict(images)
    learner.teach(images, digits.y_train[idx])
    accuracies.append(learner.score(digits.X_test, digits.y_test))

# %%
# What the net asked for last, with what it would have said itself. Wrong guesses are orange.

fig, axes = plt.subplots(2, 8, figsize=(9, 3.2), layout="constrained")
for ax, image, guess, truth in zip(
    axes.flat, images, guesses, digits.y_train[idx], strict=False
):
    ax.imshow(image[0], cmap="gray_r")
    ax.set_title(f"{guess}?", color="black" if guess == truth else "#D55E00")
    ax.axis("off")
fig.suptitle("The net asks: is this a …")
plt.show()

# %%
# The training that this round ended with. skorch's history has a row for each epoch; early
# stopping went back to the best of them.

history = learner.estimator_.history
best = int(np.argmin(history[:, "valid_loss"]))
n_labels = [row["n_labels"] for row in learner.history_]

fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
left.plot(n_labels, accuracies, marker="o")
left.set(xlabel="labels", ylabel="accuracy on test images")
right.plot(history[:, "train_loss"], label="training, augmented")
right.plot(history[:, "valid_loss"], label="validation")
right.axvline(
    best, color="black", linewidth=1, linestyle=":", label="weights kept"
)
right.set(xlabel="epoch", ylabel="loss")
right.legend()
plt.show()
