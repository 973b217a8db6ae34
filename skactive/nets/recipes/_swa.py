"""Stochastic weight averaging (SWA)."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

from torch.optim.swa_utils import update_bn

from ...utils.compat import BATCH_NORMS
from ...utils.validation import Interval
from ._averaging import Averaging


class SWA(Averaging):
    """Average the weights equally over the last epochs.

    Parameters
    ----------
    start : float in [0, 1), default=0.75
        Share of the epochs before the first that is averaged.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI
    2018.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import SWA
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", callbacks=[SWA(0.5)])
    >>> net.get_params()["callbacks__swa__start"]  # the second half of the epochs is averaged
    0.5
    """

    _parameter_constraints: ClassVar = {"start": [Interval(Real, 0, 1, closed="left")]}

    def __init__(self, start: float = 0.75) -> None:
        self.start = start

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Begin with nothing averaged."""
        super().on_train_begin(net, X, y, **kwargs)
        self.epochs_left_ = int(float(self.start) * net.run.max_epochs)

    def on_epoch_trained(self, net: Any, **kwargs: Any) -> None:
        """Note the weights of a late epoch."""
        if self.epochs_left_ == 0:
            self._note(net.module_)
        else:
            self.epochs_left_ -= 1

    def on_run_end(self, net: Any, interrupted: bool, **kwargs: Any) -> None:
        """Compute BatchNorm's statistics for the average, which none were seen with."""
        average = self.judged_module(net)
        if average is None or interrupted:
            return
        if any(isinstance(sub, BATCH_NORMS) for sub in average.modules()):
            update_bn(net.run.attacked_batches(average), average)
