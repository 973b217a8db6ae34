"""Adversarial weight perturbation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

_TINY = 1e-20


@contextlib.contextmanager
def perturbed_weights(
    module: nn.Module, loss: Callable[[], Tensor], gamma: float
) -> Iterator[None]:
    """Move the weights up the loss for the block, then back.

    Each weight tensor of two or more dimensions moves by γ‖w‖ in the direction of its gradient;
    biases and normalisation layers stay. The statistics of BatchNorm are those of before.

    Parameters
    ----------
    module : torch.nn.Module
    loss : callable
        Loss of the batch with the present weights, attached to the graph.
    gamma : float
        Size of the step relative to the tensor's norm; 0 leaves the weights alone.

    References
    ----------
    Wu et al., "Adversarial weight perturbation helps robust generalization", NeurIPS 2020,
    equations 8-10, with one step; γ = 0.01 for PGD training, 0.005 for TRADES.
    """
    if gamma == 0:
        yield
        return
    weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    gradients = torch.autograd.grad(loss(), weights, allow_unused=True)
    before = [weight.detach().clone() for weight in weights]
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    try:
        with torch.no_grad():
            for weight, gradient in zip(weights, gradients, strict=True):
                if gradient is not None:
                    size = gamma * weight.norm() / (gradient.norm() + _TINY)
                    weight.add_(gradient, alpha=float(size))
        yield
    finally:
        with torch.no_grad():
            for weight, value in zip(weights, before, strict=True):
                weight.copy_(value)
