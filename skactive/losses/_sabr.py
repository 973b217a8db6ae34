"""SABR: intervals of a small box where an attack ends."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar

from torch import Tensor

from ..attacks import Attack
from ..bounds import Box
from ..utils.validation import Interval
from ._certified import CertifiedLoss, resized


class SABR(CertifiedLoss):
    """Small adversarial bounding regions: intervals of a small box around an attacked point.

    The net's attack searches the ball of radius (1 − λ) ε; the box around what it finds has
    radius λ ε, so that it lies within the ball of radius ε. Less regularised than `IBP`: more
    accuracy, clean and under attack, for certificates that intervals alone no longer prove
    (``method="crown"`` shows more of them).

    Parameters
    ----------
    eps, warm_up, ramp
        As of `IBP`.
    kappa : float in [0, 1], default=0.0
        Weight of the clean loss at the end; it falls from 1 while the radius grows. The paper
        has none.
    ratio : float in (0, 1], default=0.6
        λ, the radius of the box as a share of ε: .6 at ε = .3 and .4 at ε = .1 on MNIST in the
        paper; 1 is `IBP`.

    References
    ----------
    Müller et al., "Certified training: small boxes are all you need", ICLR 2023 (arXiv
    2210.04871), equation 5.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.attacks import PGD
    >>> from skactive.losses import SABR
    >>> from skactive.networks import ConvSmall
    >>> net = AdversarialNetClassifier(ConvSmall, attack=PGD(eps=0.3, steps=8), loss=SABR())
    >>> net.set_params(loss__ratio=0.4).loss
    SABR(ratio=0.4)
    """

    needs_attack = True
    reads_attacked = True
    _parameter_constraints: ClassVar[dict[str, list]] = {
        **CertifiedLoss._parameter_constraints,
        "ratio": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(
        self,
        eps: float | None = None,
        warm_up: float = 0.03,
        ramp: float = 0.5,
        kappa: float = 0.0,
        ratio: float = 0.6,
    ) -> None:
        super().__init__(eps, warm_up, ramp, kappa)
        self.ratio = ratio

    def with_attack(self, attack: Attack | None) -> CertifiedLoss:
        """The loss with the radius of the attack, if it has none of its own."""
        if attack is not None and (attack.norm != "Linf" or attack.eps == float("inf")):
            raise ValueError(
                f"loss={self!r} lets the attack search an L∞ ball that it chooses, but {attack!r} "
                "has no L∞ radius. Use PGD(eps=…)."
            )
        return super().with_attack(attack)

    def attack_at(self, attack: Attack, progress: float) -> Attack | None:
        """The attack within what the box leaves of the ball by now; None for none."""
        left = (1 - float(self.ratio)) * self.radius(progress)
        return resized(attack, left) if left > 0 else None

    def box(
        self, X: Tensor, X_adv: Tensor, bounds: tuple[float, float], progress: float
    ) -> Box | None:
        """The small box around attacked inputs."""
        radius = float(self.ratio) * self.radius(progress)
        if not radius:
            return None
        around = Box.around(X_adv, radius, bounds)
        return Box(around.lower, around.upper, X)
