"""A learning rate that falls along a cosine."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...utils.validation import Number
from ._recipe import Recipe


class CosineDecay(Recipe):
    """Let the learning rate fall with the updates, as cos(π · `cycles` · progress).

    Parameters
    ----------
    cycles : float in [0, 0.5], default=7/16
        At 7/16 the last update has a fifth of the first one's rate, at 1/2 none.

    Notes
    -----
    Over the updates of each fit: the next one begins with the full rate again.

    References
    ----------
    Sohn et al., "FixMatch", arXiv 2001.07685, section 2.5.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import CosineDecay
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, callbacks=[CosineDecay()])
    >>> net.set_params(callbacks__cosine_decay__cycles=0.5).get_params()["callbacks__cosine_decay"]
    <skactive.nets.recipes._cosine_decay.CosineDecay object at 0x...>
    """

    _parameter_constraints: ClassVar = {
        "cycles": [Number("a number in [0, 0.5]", 0, 0.5, closed="both")]
    }

    def __init__(self, cycles: float = 7 / 16) -> None:
        self.cycles = cycles

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Note the full rates."""
        self.groups_ = net.optimizer_.param_groups
        self.rates_ = [group["lr"] for group in self.groups_]

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Set the rates of this update."""
        if training:
            self._set(math.cos(math.pi * float(self.cycles) * net.run.progress))

    def on_run_end(self, net: Any, interrupted: bool, **kwargs: Any) -> None:
        """Back to the full rates."""
        self._set(1.0)

    def _set(self, factor: float) -> None:
        for group, rate in zip(self.groups_, self.rates_, strict=True):
            group["lr"] = rate * factor
