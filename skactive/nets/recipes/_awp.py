"""Adversarial weight perturbation."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...utils.validation import Interval
from ._recipe import Recipe

_TINY = 1e-20


class AWP(Recipe):
    """Adversarial weight perturbation: compute gradients where the weights are at their worst.

    One more forward and backward pass per update.

    Parameters
    ----------
    gamma : float >= 0, default=0.005
        Size of the step relative to the norm of each weight tensor: 0.01 with PGD training, 0.005
        with TRADES.

    References
    ----------
    Wu et al., "Adversarial weight perturbation helps robust generalization", NeurIPS 2020,
    equations 8-10, with one step.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import AWP
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", callbacks=[AWP(0.01)])
    >>> net.set_params(callbacks__awp__gamma=0.005).get_params()["callbacks__awp__gamma"]
    0.005
    """

    _parameter_constraints: ClassVar = {"gamma": [Interval(Real, 0, None, closed="left")]}

    def __init__(self, gamma: float = 0.005) -> None:
        self.gamma = gamma

    def around_gradient(
        self, net: Any, loss: Callable[[], Tensor], **kwargs: Any
    ) -> contextlib.AbstractContextManager:
        """Perturbed weights."""
        return perturbed_weights(net.module_, loss, float(self.gamma))


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
    """
    if gamma == 0:
        yield
        return
    weights = [p for p in module.parameters() if p.requires_grad and p.dim() > 1]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    with _on_copies(module):  # the same batch is read again inside the block
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


@contextlib.contextmanager
def _on_copies(module: nn.Module) -> Iterator[None]:
    """Give the module copies of its inputs, which it may overwrite."""

    def copied(_: nn.Module, inputs: tuple) -> tuple:
        return tuple(value.clone() if torch.is_tensor(value) else value for value in inputs)

    handle = module.register_forward_pre_hook(copied)
    try:
        yield
    finally:
        handle.remove()
