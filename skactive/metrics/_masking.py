"""Signs that a figure is too high: gradients that are masked, or vanish."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attacks._heads import logits_head
from ..passes.modules import untouched
from ..passes.precision import at_least_float32, in_float32

_MASKING = 0.002  # robust accuracy that Square may take from the white-box parts unremarked
_ZERO_GRADIENTS = 0.01  # share of samples without a gradient that goes unremarked


@in_float32()
def without_gradient(module: nn.Module, X: Tensor, y: Tensor) -> Tensor:
    """Which samples have an input gradient of exactly zero."""
    with torch.inference_mode(False), torch.enable_grad(), untouched(module) as net:
        inputs = at_least_float32(X.clone()).requires_grad_(True)
        loss = F.cross_entropy(logits_head(net, X, y)(inputs), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, inputs, allow_unused=True)
    if gradient is None:
        return torch.ones(len(X), dtype=torch.bool, device=X.device)
    return gradient.flatten(1).abs().amax(dim=1) == 0


def warn_if_masked(survivors: dict[str, float], zero_gradients: float) -> None:
    """Warn if the parts' survivors, or vanished gradients, say that a figure may be too high.

    Parameters
    ----------
    survivors : dict of str to float
        Share of samples left after each part, in order.
    zero_gradients : float
        Share of samples whose gradient is exactly zero.
    """
    if "square" in survivors:
        before = list(survivors.values())[list(survivors).index("square") - 1]
        if before - survivors["square"] > _MASKING:
            warnings.warn(
                f"Square reduced the robust accuracy from {before:.1%} to "
                f"{survivors['square']:.1%} after the white-box attacks: the module masks its "
                "gradients, and its true robustness may be lower.",
                UserWarning,
                stacklevel=3,
            )
    if zero_gradients > _ZERO_GRADIENTS:
        warnings.warn(
            f"{zero_gradients:.1%} of the samples are classified with an input gradient of exactly "
            "zero (a saturated softmax, a rounding layer): white-box attacks are blind there, and "
            "the robust accuracy may be too high. Scale the logits down, or attack in float64.",
            UserWarning,
            stacklevel=3,
        )
