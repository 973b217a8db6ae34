"""Use a torch module without leaving a trace in it."""

from __future__ import annotations

import contextlib

import torch
from torch import nn

from ..utils.alone import ALONE
from .private_copy import private_copy
from .shortcuts.convolution import quick_input_gradients, take_shortcuts


def untouched(
    module: nn.Module, *, freeze: bool = True
) -> contextlib.AbstractContextManager[nn.Module]:
    """A block in which `module` is run in eval mode, and after which it is as it was.

    Parameters
    ----------
    module : torch.nn.Module
    freeze : bool, default=True
        Also without ``requires_grad`` of the parameters, so that a backward pass
        reaches the inputs only and costs less, and with shortcuts that are the same up
        to rounding (`quick_input_gradients`).

    Returns
    -------
    block : context manager
        ``with untouched(module) as net:`` gives what to run: a private copy that shares the
        weights (see `private_copy`), so that `module` is never written, whatever happens
        inside, in however many threads.

    Notes
    -----
    A module that cannot be copied (compiled by torch, say) is run itself and restored
    after the block: training flags per sub-module, ``requires_grad`` and ``.grad``. Threads
    then take turns.
    """
    twin = private_copy(module, freeze=freeze)
    if twin is None:
        return _InTurn(module, freeze)
    if freeze:
        take_shortcuts(twin)
    return contextlib.nullcontext(twin)


class _InTurn:
    """The module itself in eval mode, for one thread at a time; restored afterwards."""

    def __init__(self, module: nn.Module, freeze: bool) -> None:
        self.module = module
        self.freeze = freeze
        self._shortcuts = contextlib.ExitStack()
        self._modes: dict[nn.Module, bool] = {}
        self._flags: list[tuple] = []

    def __enter__(self) -> nn.Module:
        ALONE.acquire()
        try:
            self._note()
            self._change()
        except BaseException:
            self.__exit__()
            raise
        return self.module

    def __exit__(self, *_: object) -> None:
        try:
            self._shortcuts.close()
            for sub, mode in self._modes.items():
                sub.training = mode
            for parameter, flag, grad in self._flags:
                parameter.requires_grad_(flag)
                parameter.grad = grad
        finally:
            ALONE.release()

    def _note(self) -> None:
        self._modes = {sub: sub.training for sub in self.module.modules()}
        self._flags = [(p, p.requires_grad, p.grad) for p in self.module.parameters()]

    def _change(self) -> None:
        for sub in self._modes:
            sub.training = False
        if self.freeze:
            for parameter, _, _ in self._flags:
                parameter.requires_grad_(False)
            self._shortcuts.enter_context(quick_input_gradients(self.module))


def module_device(module: nn.Module) -> torch.device:
    """Device of the module's first parameter or buffer (CPU when it has none)."""
    for tensor in (*module.parameters(), *module.buffers()):
        return tensor.device
    return torch.device("cpu")
