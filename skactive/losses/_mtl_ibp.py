"""Between attack and proof: MTL-IBP and CC-IBP."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn
from torch.func import functional_call

from ..utils.compat import uncompiled
from ..utils.validation import StrOptions
from ._base import Batch
from ._certified import SHARE, CertifiedLoss


class MTLIBP(CertifiedLoss):
    """A mixture of the worst case by intervals and of the loss under the net's attack.

    α L(ẑ, y) + (1 − α) L(z(x'), y), where ẑ are the worst logits of the box, as of `IBP`, and x'
    is what the attack finds: α = 0 is adversarial training, α = 1 `IBP`, and what lies between
    trades certificates for accuracy under attack. Radii of box and attack grow together, each to
    its own ``eps``.

    Parameters
    ----------
    eps, warm_up, ramp
        As of `IBP`.
    kappa : float in [0, 1], default=0.0
        Weight of the clean loss at the end; it falls from 1 while the radius grows. The paper
        has none.
    alpha : float in [0, 1], default=0.5
        Weight of the worst case.
    mix : {"losses", "logits"}, default="losses"
        What is mixed: the two losses (MTL-IBP), or the margins before the loss (CC-IBP).

    Notes
    -----
    Attacked inputs take a pass of their own, of which BatchNorm keeps no statistics: these are
    the clean batch's.

    References
    ----------
    De Palma et al., "Expressive losses for verified robustness via convex combinations", ICLR
    2024 (arXiv 2305.13991), equations 5 and 6.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.attacks import PGD
    >>> from skactive.losses import MTLIBP
    >>> from skactive.networks import ConvSmall
    >>> net = AdversarialNetClassifier(ConvSmall, attack=PGD(eps=0.3, steps=8), loss="mtl-ibp")
    >>> net.set_params(loss__alpha=0.2).loss
    MTLIBP(alpha=0.2)
    """

    needs_attack = True
    reads_attacked = True
    _parameter_constraints: ClassVar[dict[str, list]] = {
        **CertifiedLoss._parameter_constraints,
        "alpha": [SHARE],
        "mix": [StrOptions({"losses", "logits"})],
    }

    def __init__(
        self,
        eps: float | None = None,
        warm_up: float = 0.03,
        ramp: float = 0.5,
        kappa: float = 0.0,
        alpha: float = 0.5,
        mix: str = "losses",
    ) -> None:
        super().__init__(eps, warm_up, ramp, kappa)
        self.alpha = alpha
        self.mix = mix

    def _robust(self, batch: Batch, margins: Tensor) -> Tensor:
        alpha, y = float(self.alpha), batch.y
        logits = _without_statistics(uncompiled(batch.module), batch.X_adv)
        if self.mix == "losses":
            return alpha * batch.criterion(-margins, y) + (1 - alpha) * batch.criterion(logits, y)
        ahead = logits.gather(1, y[:, None]) - logits
        return batch.criterion(-(alpha * margins + (1 - alpha) * ahead), y)


def _without_statistics(module: nn.Module, X: Tensor) -> Tensor:
    """What the module returns, BatchNorm's running statistics and other buffers left alone."""
    copies = {name: buffer.clone() for name, buffer in module.named_buffers()}
    return functional_call(module, copies, (X,))
