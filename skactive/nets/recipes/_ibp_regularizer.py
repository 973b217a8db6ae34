"""A penalty on bounds that grow from layer to layer, while the radius still grows."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ...bounds import Box, outputs_first
from ...losses import CertifiedLoss, resolve_loss
from ...utils.validation import Interval
from ._recipe import Recipe

_RELUS = (F.relu, torch.relu, Tensor.relu)
_TINY = 1e-12


class IBPRegularizer(Recipe):
    """Keep bounds narrow and ReLUs balanced while a certified training's radius grows.

    Adds λ (1 − ε_t / ε) (L_tightness + L_relu) to the loss of each batch: the former where the
    bounds before a ReLU are, on average, more than 1 / τ times as wide as those of the input; the
    latter where ReLUs that are active for the whole box and those that are inactive differ in
    mean or variance by more than a factor of 1 / τ.

    Parameters
    ----------
    strength : float >= 0, default=0.5
        λ, at radius 0; 0 is no penalty.
    tolerance : float in (0, 1], default=0.5
        τ.

    Notes
    -----
    There is no penalty while the radius is 0, that is during the loss's ``warm_up``, when there
    are no bounds.

    References
    ----------
    Shi et al., "Fast certified robust training with short warmup", NeurIPS 2021 (arXiv
    2103.17268), equations 10 to 12, with the published code's centres and variances.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import IBPInit, IBPRegularizer
    >>> from skactive.losses import IBP
    >>> from skactive.networks import ConvSmall
    >>> net = AdversarialNetClassifier(ConvSmall, attack=None, loss=IBP(eps=0.1),
    ...                                callbacks=[IBPInit(), IBPRegularizer(strength=0.5)])
    """

    _parameter_constraints: ClassVar = {
        "strength": [Interval(Real, 0, None, closed="left")],
        "tolerance": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, strength: float = 0.5, tolerance: float = 0.5) -> None:
        self.strength = strength
        self.tolerance = tolerance

    def on_run_begin(self, net: Any, **kwargs: Any) -> None:
        """Refuse losses without bounds that grow."""
        if not isinstance(resolve_loss(net.loss), CertifiedLoss):
            raise ValueError(
                f"IBPRegularizer needs a certified loss such as loss=IBP(eps=0.3), got "
                f"loss={net.loss!r}."
            )

    def penalty(self, net: Any, output: Box | None) -> Tensor | None:
        """The penalty of a batch, from the bounds of its logits."""
        loss = resolve_loss(net.loss)
        assert isinstance(loss, CertifiedLoss)
        share = float(self.strength) * (1 - loss.grown(net.run.progress))
        if output is None or share == 0:
            return None
        boxes = outputs_first(output)
        layers = [box.args[0] for box in boxes if box.function in _RELUS]
        if not layers:
            return None
        width = next(box for box in boxes if box.function is None).radius.mean()
        found = [of_layer(layer, width, float(self.tolerance)) for layer in layers]
        return share * torch.stack(found).mean()


def of_layer(before: Box, width: Tensor, tolerance: float) -> Tensor:
    """The penalty of one ReLU: of the bounds it reads, where inputs are `width` wide."""

    def short_of(ratio: Tensor) -> Tensor:
        return F.relu(tolerance - ratio) / tolerance

    centre = before.centre
    active, inactive = before.lower > 0, before.upper < 0
    spread = (centre - centre.mean()).square()
    means = balance((centre * active).sum(), -(centre * inactive).sum())
    variances = balance((spread * active).sum(), (spread * inactive).sum())
    tightness = width / before.radius.mean().clamp_min(_TINY)
    return short_of(tightness) + short_of(means) + short_of(variances)


def balance(one: Tensor, other: Tensor) -> Tensor:
    """The smaller of two sums over the larger: 1 if they are equal, 0 if one is 0."""
    return torch.minimum(one, other) / torch.maximum(one, other).clamp_min(_TINY)
