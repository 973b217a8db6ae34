"""Certified training: the worst that a box of inputs can do, and schedules that lead there."""

from __future__ import annotations

import copy
from numbers import Real
from typing import ClassVar

from torch import Tensor

from ..attacks import Attack
from ..bounds import Box, margin_bounds
from ..utils.ranges import RADIUS, check_width
from ..utils.validation import Interval
from ._base import Batch, Loss

SHARE = Interval(Real, 0, 1, closed="both")


class CertifiedLoss(Loss):
    """Base class of losses that read bounds of the logits over a box around each sample.

    The clean logits are those inside of the box: both come from one pass. The box and the
    weight of the worst case grow over the training, as most nets collapse otherwise.

    Parameters
    ----------
    eps, warm_up, ramp, kappa
        As of `IBP`.

    Examples
    --------
    >>> from skactive.losses import IBP, CertifiedLoss
    >>> class Squared(CertifiedLoss):  # slow at first
    ...     def grown(self, progress):
    ...         return super().grown(progress) ** 2
    >>> for loss in (IBP(eps=0.4, warm_up=0, ramp=0.5), Squared(eps=0.4, warm_up=0, ramp=0.5)):
    ...     print([round(loss.radius(progress), 3) for progress in (0, 0.25, 0.5, 1)])
    [0.0, 0.2, 0.4, 0.4]
    [0.0, 0.1, 0.4, 0.4]
    >>> loss.clean_share(0.25)  # of the way from 1 to kappa=0.5 a quarter
    0.875
    """

    reads_clean = True
    reads_bounds = True
    reads_attacked = False
    needs_attack = False
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "eps": [RADIUS, None],
        "warm_up": [SHARE],
        "ramp": [SHARE],
        "kappa": [SHARE],
    }

    def __init__(
        self,
        eps: float | None = None,
        warm_up: float = 0.03,
        ramp: float = 0.5,
        kappa: float = 0.5,
    ) -> None:
        self.eps = eps
        self.warm_up = warm_up
        self.ramp = ramp
        self.kappa = kappa

    # -- schedules -----------------------------------------------------------------------

    def grown(self, progress: float) -> float:
        """Share of its way that the schedule is, when a share `progress` of the updates is done."""
        since = progress - float(self.warm_up)
        if since < 0 or self.warm_up == 1:
            return 0.0
        return min(1.0, since / float(self.ramp)) if self.ramp else 1.0

    def radius(self, progress: float) -> float:
        """Radius of the box by now."""
        return float(self.eps or 0.0) * self.grown(progress)

    def clean_share(self, progress: float) -> float:
        """Weight of the clean loss by now, 1 at first and `kappa` at the end."""
        return 1 - (1 - float(self.kappa)) * self.grown(progress)

    # -- what a net asks -----------------------------------------------------------------

    def with_attack(self, attack: Attack | None) -> CertifiedLoss:
        """The loss with the radius of the attack, if it has none of its own."""
        if self.eps is not None:
            return self
        own = copy.copy(self)
        own.eps = self._radius_of(attack)
        return own

    def _radius_of(self, attack: Attack | None) -> float:
        if attack is None or attack.norm != "Linf" or attack.eps == float("inf"):
            given = "attack is None" if attack is None else f"{attack!r} has no L∞ radius"
            raise ValueError(
                f"loss={self!r} takes its radius from the attack, but {given}. Set it: "
                f"loss={type(self).__name__}(eps=…)."
            )
        return attack.eps

    def attack_at(self, attack: Attack, progress: float) -> Attack | None:
        """The attack to search with by now, its radius grown as far as the box; None for none."""
        grown = self.grown(progress)
        return resized(attack, float(attack.eps) * grown) if grown else None

    def check(self, bounds: tuple[float, float]) -> None:
        """Raise unless radius and schedule fit inputs in `bounds` and a training."""
        check_width("loss__eps", float(self.eps or 0.0), bounds)
        total = float(self.warm_up) + float(self.ramp)
        if total > 1 + 1e-9 or self.warm_up == 1:
            raise ValueError(
                f"warm_up={self.warm_up:g} and ramp={self.ramp:g} are shares of the updates, and "
                f"{total:g} together: the radius would never be eps={self.eps:g}. Leave "
                "some for the end, such as warm_up=0.03, ramp=0.5."
            )

    def box(
        self, X: Tensor, X_adv: Tensor, bounds: tuple[float, float], progress: float
    ) -> Box | None:
        """Inputs to bound the logits over by now; None where that is only `X`."""
        radius = self.radius(progress)
        return Box.around(X, radius, bounds) if radius else None

    # -- the loss ------------------------------------------------------------------------

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        share = self.clean_share(batch.progress)
        if batch.output is None or share == 1:
            return batch.criterion(batch.logits, batch.y)
        robust = self._robust(batch, self._margins(batch.output, batch))
        if share == 0:
            return robust
        return share * batch.criterion(batch.logits, batch.y) + (1 - share) * robust

    def _margins(self, output: Box, batch: Batch) -> Tensor:
        """Lower bounds of how far the label is ahead of each class."""
        return margin_bounds(output, batch.y)

    def _robust(self, batch: Batch, margins: Tensor) -> Tensor:
        """What the clean loss is mixed with: the criterion on the worst logits of the box."""
        return batch.criterion(-margins, batch.y)


def resized(attack: Attack, eps: float) -> Attack:
    """An attack with another radius, its step size in proportion."""
    own: Attack = copy.copy(attack)
    step = own.get_params().get("alpha")
    if step is not None:
        own.set_params(alpha=float(step) * eps / float(attack.eps))
    return own.set_params(eps=eps)
