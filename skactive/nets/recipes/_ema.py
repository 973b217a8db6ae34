"""The exponential moving average of the weights (EMA)."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from torch import Tensor

from ...utils.validation import Interval
from ._averaging import Averaging


class EMA(Averaging):
    """Average the weights exponentially over the updates.

    Parameters
    ----------
    decay : float in [0, 1), default=0.99
        In the first updates smaller, min(decay, (1 + t) / (10 + t)), so that the initial weights
        do not stay in short trainings.

    References
    ----------
    In adversarial training: Rebuffi et al., "Fixing data augmentation to improve adversarial
    robustness", arXiv 2103.01946.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import EMA
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", callbacks=[EMA(0.99)])
    >>> net.set_params(callbacks__ema__decay=0.999).get_params()["callbacks__ema__decay"]
    0.999
    """

    _parameter_constraints: ClassVar = {"decay": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, decay: float = 0.99) -> None:
        self.decay = decay

    def _step(self, average: Tensor, current: Tensor, count: Any) -> Tensor:
        count = float(count)
        rate = min(float(self.decay), (1 + count) / (10 + count))
        return average + (1 - rate) * (current - average)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Note the weights after an update."""
        if training:
            self._note(net.module_)
