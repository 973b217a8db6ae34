"""Virtual adversarial divergence: how rough a net's predictions are around a sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .divergence import divergence
from .modules import untouched
from .precision import in_float32

_TINY = 1e-20


@in_float32()
def virtual_adversarial_divergence(
    module: nn.Module,
    X: Tensor,
    *,
    eps: float = 1.0,
    xi: float = 0.1,
    n_power: int = 1,
    bounds: tuple[float, float] | None = None,
    seed: int = 0,
) -> Tensor:
    """KL(p(x) ‖ p(x + r)) with r the L2 perturbation of length ε that changes p most.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits of shape (n, n_classes). Run in eval mode and left as it was.
    X : Tensor of shape (n, ...)
        Not modified.
    eps : float, default=1.0
        L2 length of r.
    xi : float, default=0.1
        Length at which the curvature is measured.
    n_power : int, default=1
        Power iterations for the direction; each costs a forward and a backward pass.
    bounds : (float, float) or None, default=None
        Clip x + r to this range.
    seed : int, default=0
        Of the first direction, which is the same for all samples: the value of one depends
        neither on its neighbours nor on its place.

    Returns
    -------
    divergence : Tensor of shape (n,)
        In nats, never negative.

    References
    ----------
    Miyato et al., "Virtual adversarial training", IEEE TPAMI 41(8), 2019, algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from skactive.passes.virtual_adversarial import virtual_adversarial_divergence
    >>> module = torch.nn.Linear(2, 2)
    >>> _ = torch.nn.init.zeros_(module.weight)
    >>> virtual_adversarial_divergence(module, torch.rand(3, 2)).tolist()
    [0.0, 0.0, 0.0]
    """
    generator = torch.Generator().manual_seed(seed)
    first = torch.randn(X.shape[1:], generator=generator, dtype=X.dtype).to(X.device)
    with torch.inference_mode(False), torch.enable_grad(), untouched(module) as module:
        X = X.clone() if X.is_inference() else X.detach()
        clean = module(X.clone()).detach()  # it may overwrite what it gets
        direction = _unit(first.expand_as(X))
        for _ in range(n_power):
            step = (xi * direction).requires_grad_(True)
            total = divergence(clean, module(X + step)).sum()
            (gradient,) = torch.autograd.grad(total, step)
            # Where the prediction is flat the direction stays: any is as good.
            flat = gradient.flatten(1).abs().amax(dim=1) == 0
            direction = torch.where(_per_row(flat, X), direction, _unit(gradient))
        moved = X + eps * direction
        moved = moved if bounds is None else moved.clamp(*bounds)
        return divergence(clean, module(moved)).clamp_min(0).detach()


def _unit(direction: Tensor) -> Tensor:
    # Scaled first: squares of tiny gradients vanish in float32.
    scaled = direction / _per_row(direction.flatten(1).abs().amax(dim=1) + _TINY, direction)
    return scaled / _per_row(scaled.flatten(1).norm(dim=1) + _TINY, direction)


def _per_row(values: Tensor, X: Tensor) -> Tensor:
    return values.view(-1, *[1] * (X.dim() - 1))
