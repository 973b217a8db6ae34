"""Interval bound propagation, by intervals alone or with a linear relaxation on the way."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ..bounds import Box, margin_bounds
from ._base import Batch
from ._certified import SHARE, CertifiedLoss


class IBP(CertifiedLoss):
    """Interval bound propagation: the criterion on the worst logits of a box, by intervals.

    κ L(z(x), y) + (1 − κ) L(ẑ, y), where ẑ is 0 for the label and, for any other class, an upper
    bound of how far it gets ahead anywhere within `eps`, the last linear layer elided. No attack
    is run in training; an update costs about three of plain training.

    Parameters
    ----------
    eps : float or None, default=None
        L∞ radius of the box at the end, in input units; ``None`` is the attack's. It may be
        larger than the radius that is certified later (.33 for .3).
    warm_up : float in [0, 1], default=0.03
        Share of the updates at radius 0, which is plain training.
    ramp : float in [0, 1], default=0.5
        Share of the updates, after those, over which the radius grows linearly.
    kappa : float in [0, 1], default=0.5
        Weight of the clean loss at the end; it falls from 1 while the radius grows.

    Raises
    ------
    ValueError
        By ``fit``, before any training: if a parameter is out of range, the radius is wider than
        the net's ``bounds``, or warm-up and ramp are longer than the training.
    UnsupportedOperationError
        Likewise, if there is no bound for something that the module does.

    See Also
    --------
    skactive.bounds.certified_margins : the certificates that this trains for.

    References
    ----------
    Gowal et al., "On the effectiveness of interval bound propagation for training verifiably
    robust models", arXiv 1810.12715, equations 12 and 14.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import IBP
    >>> from skactive.networks import ConvSmall
    >>> net = AdversarialNetClassifier(ConvSmall, attack=None, loss=IBP(eps=0.3))
    >>> net.set_params(loss__eps=0.33).loss
    IBP(eps=0.33)
    """


class CROWNIBP(CertifiedLoss):
    """Bounds by a linear relaxation (CROWN-IBP), which give way to intervals over the ramp.

    As `IBP`, with margins β m + (1 − β) m', where m' are those of intervals and m the larger of
    these and of one backward pass of lines around each activation. β falls from 1 to `beta` while
    the radius grows. Tighter, and so stabler early in the training; while β is above 0 an update
    costs, on a CPU, about three plain ones for each class but the label.

    Parameters
    ----------
    eps, warm_up, ramp
        As of `IBP`.
    kappa : float in [0, 1], default=0.5
        Weight of the clean loss at the end; it falls from 1 while the radius grows.
    beta : float in [0, 1], default=0.0
        Weight of the linear relaxation at the end.

    References
    ----------
    Zhang et al., "Towards stable and efficient training of verifiably robust neural networks",
    ICLR 2020 (arXiv 1906.06316), equation 9.

    Examples
    --------
    >>> from skactive.losses import CROWNIBP
    >>> CROWNIBP(eps=0.3).relaxed_share(0.28)  # half of the ramp is over
    0.5
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **CertifiedLoss._parameter_constraints,
        "beta": [SHARE],
    }

    def __init__(
        self,
        eps: float | None = None,
        warm_up: float = 0.03,
        ramp: float = 0.5,
        kappa: float = 0.5,
        beta: float = 0.0,
    ) -> None:
        super().__init__(eps, warm_up, ramp, kappa)
        self.beta = beta

    def relaxed_share(self, progress: float) -> float:
        """Weight of the linear relaxation by now, 1 at first and `beta` at the end."""
        return 1 - (1 - float(self.beta)) * self.grown(progress)

    def _margins(self, output: Box, batch: Batch) -> Tensor:
        share = self.relaxed_share(batch.progress)
        if share == 0:
            return margin_bounds(output, batch.y)
        relaxed = margin_bounds(output, batch.y, "crown")
        return share * relaxed + (1 - share) * margin_bounds(output, batch.y)
