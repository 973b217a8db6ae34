"""Notice catastrophic overfitting: single-step training that a real attack sees through."""

from __future__ import annotations

import copy
import warnings
from typing import Any, ClassVar

import numpy as np

from ...attacks import PGD
from ...utils.validation import StrOptions
from ._best_epoch import accuracy_under
from ._recipe import Recipe

_DROP = 0.2  # loss of robust accuracy from the best epoch to this one that is a collapse
_STEPS = 10
_SAMPLES = 128


class OverfittingGuard(Recipe):
    """Attack the same 128 training samples with PGD after each epoch; act when they collapse.

    Every `AdversarialNetClassifier` has one, which looks only where the attack takes a single
    step. Its figure is in the history as ``guard_robust_acc``.

    Parameters
    ----------
    action : {"warn", "restore"}, default="warn"
        ``"restore"`` also ends the training, with the weights of the last epoch before.

    Warns
    -----
    UserWarning
        When robust accuracy has fallen by more than 0.2 below its best.

    References
    ----------
    Wong et al., "Fast is better than free", ICLR 2020, section 5.4.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import OverfittingGuard
    >>> from skactive.networks import LeNet5
    >>> guard = OverfittingGuard("restore")
    >>> net = AdversarialNetClassifier(LeNet5, attack="fgsm", callbacks=[guard])
    >>> net.get_params()["callbacks__overfitting_guard__action"]
    'restore'
    """

    _parameter_constraints: ClassVar = {"action": [StrOptions({"warn", "restore"})]}

    def __init__(self, action: str = "warn") -> None:
        self.action = action

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Choose the samples, where the attack is one that can collapse."""
        attack, samples = net.attack_, net.run.samples.to_attack()
        self.best_score_, self.collapsed_ = 0.0, False
        self.judge_: PGD | None = None
        if attack is None or not attack.single_step or len(samples.y) == 0:
            return
        self.judge_ = PGD(
            eps=attack.eps, alpha=attack.eps / 4, steps=_STEPS, norm=attack.norm,
            bounds=attack.bounds,
        )  # fmt: skip
        picked = np.random.default_rng(net.run.seed).permutation(len(samples.y))[:_SAMPLES]
        self.X_, self.y_ = net.run.tensors(samples.X[picked], samples.y[picked])

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge this epoch."""
        if self.judge_ is None:
            return
        score = accuracy_under(net.module_, self.X_, self.y_, self.judge_, net.run.seed)
        net.history.record("guard_robust_acc", score)
        self.best_score_ = max(score, self.best_score_)
        if self.best_score_ - score <= _DROP:
            self.last_good_ = copy.deepcopy(net.module_.state_dict())
        elif not self.collapsed_:
            self._act(len(net.history), score)

    def _act(self, epoch: int, score: float) -> None:
        self.collapsed_ = True
        restored = self.action == "restore"
        done = "Training ended with the weights of the last epoch before. " if restored else ""
        warnings.warn(
            f"Catastrophic overfitting: in epoch {epoch}, robust accuracy of training samples "
            f"under PGD fell from {self.best_score_:.1%} to {score:.1%}, while the training attack "
            f"takes a single step. {done}Train with PGD(steps=…), a smaller eps, or with "
            "callbacks=[EpsWarmup()] or [OverfittingGuard('restore')].",
            UserWarning,
            stacklevel=2,
        )
        if restored:
            raise KeyboardInterrupt  # ends the training, as skorch's callbacks do

    def restore(self, net: Any) -> None:
        """Put the last good weights back, if it came to that."""
        if self.collapsed_ and self.action == "restore":
            net.module_.load_state_dict(self.last_good_)
