"""Use a torch module without leaving a trace in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from ..utils.alone import ALONE
from .input_gradient import quick_input_gradients, take_shortcuts
from .private_copy import private_copy


@contextlib.contextmanager
def untouched(module: nn.Module, *, freeze: bool = True) -> Iterator[nn.Module]:
    """Yield `module` in eval mode, to be run inside the block, and leave it as it was.

    Parameters
    ----------
    module : torch.nn.Module
    freeze : bool, default=True
        Also without ``requires_grad`` of the parameters, so that a backward pass
        reaches the inputs only and costs less, and with shortcuts that are the same up
        to rounding (`quick_input_gradients`).

    Yields
    ------
    net : torch.nn.Module
        What to run: a private copy that shares the weights (see `private_copy`), so that
        `module` is never written, whatever happens inside, in however many threads.

    Notes
    -----
    A module that cannot be copied (compiled by torch, say) is yielded itself and restored
    after the block: training flags per sub-module, ``requires_grad`` and ``.grad``. Threads
    then take turns.
    """
    twin = private_copy(module, freeze=freeze)
    if twin is None:
        with _in_turn(module, freeze):
            yield module
    else:
        if freeze:
            take_shortcuts(twin)
        yield twin


@contextlib.contextmanager
def _in_turn(module: nn.Module, freeze: bool) -> Iterator[None]:
    """The module itself in eval mode, for one thread at a time; restored afterwards."""
    with ALONE:
        modes = {sub: sub.training for sub in module.modules()}
        flags = [(p, p.requires_grad, p.grad) for p in module.parameters()]
        try:
            for sub in modes:
                sub.training = False
            if freeze:
                for parameter, _, _ in flags:
                    parameter.requires_grad_(False)
            with quick_input_gradients(module) if freeze else contextlib.nullcontext():
                yield
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
