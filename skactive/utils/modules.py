"""Use a torch module without leaving a trace in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from ..kernels.input_gradient import quick_input_gradients


@contextlib.contextmanager
def untouched(module: nn.Module, *, freeze: bool = True) -> Iterator[nn.Module]:
    """Put `module` in eval mode for the block; leave it exactly as it was, whatever happens.

    Parameters
    ----------
    module : torch.nn.Module
    freeze : bool, default=True
        Also switch off ``requires_grad`` of the parameters, so that a backward pass
        reaches the inputs only and costs less, and let it take shortcuts that are the same up
        to rounding (`quick_input_gradients`).

    Notes
    -----
    The training flag is kept per sub-module: a BatchNorm layer that its owner froze in
    eval mode is still in eval mode afterwards. ``requires_grad`` and ``.grad`` are
    restored as well. Eval mode also keeps the running statistics of BatchNorm unchanged.
    """
    modes = {sub: sub.training for sub in module.modules()}
    flags = [(p, p.requires_grad, p.grad) for p in module.parameters()]
    try:
        module.eval()
        if freeze:
            for parameter, _, _ in flags:
                parameter.requires_grad_(False)
        with quick_input_gradients(module) if freeze else contextlib.nullcontext():
            yield module
    finally:
        for sub, mode in modes.items():
            sub.training = mode
        for parameter, flag, grad in flags:
            parameter.requires_grad_(flag)
            parameter.grad = grad


def module_device(module: nn.Module) -> torch.device:
    """Device of the module's first parameter or buffer (CPU when it has none)."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")
