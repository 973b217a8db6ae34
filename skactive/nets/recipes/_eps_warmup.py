"""A radius that grows while a net trains."""

from __future__ import annotations

import copy
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from ...utils.validation import Interval
from ._recipe import Recipe


class EpsWarmup(Recipe):
    """Let the attack's radius grow linearly to its ``eps`` over the first updates.

    Parameters
    ----------
    share : float in [0, 1], default=0.3
        Of the updates of each fit.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import EpsWarmup
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", callbacks=[EpsWarmup(0.4)])
    >>> net.get_params()["callbacks__eps_warmup__share"]
    0.4
    """

    _parameter_constraints: ClassVar = {"share": [Interval(Real, 0, 1, closed="both")]}

    def __init__(self, share: float = 0.3) -> None:
        self.share = share

    def on_run_begin(self, net: Any, **kwargs: Any) -> None:
        """Refuse attacks without a radius."""
        if self.share and net.attack_ is not None and net.attack_.eps == np.inf:
            raise ValueError("EpsWarmup needs an attack with a radius eps; this one has none.")

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the radius that is allowed so far."""
        run = net.run
        if not training or run.attack is None or self.share == 0:
            return
        total = float(self.share) * run.max_epochs * run.updates_per_epoch
        grown = min(1.0, (run.updates + 1) / max(total, 1.0))
        run.attack = copy.copy(run.attack).set_params(eps=float(net.attack_.eps) * grown)
