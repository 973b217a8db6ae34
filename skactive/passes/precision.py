"""Float32 around modules of half precision, and around modules that autocast makes such."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

HALF = (torch.float16, torch.bfloat16)
_Function = TypeVar("_Function", bound=Callable[..., Any])


def at_least_float32(X: Tensor) -> Tensor:
    """Tensors of half precision as float32, others as they are."""
    return X.float() if X.dtype in HALF else X


class Float32Door(nn.Module):
    """A module that reads float32 and returns it, whatever it computes with inside.

    Parameters
    ----------
    module : torch.nn.Module
    dtype : torch.dtype or None
        What its layers read; ``None`` leaves inputs as they are.
    autocast : tuple of (str, torch.dtype) or None
        Type of device and dtype of the autocast that it runs under.
    """

    def __init__(
        self,
        module: nn.Module,
        dtype: torch.dtype | None,
        autocast: tuple[str, torch.dtype] | None,
    ) -> None:
        super().__init__()
        self.module = module
        self.dtype = dtype
        self.autocast = autocast

    def forward(self, X: Tensor) -> Any:
        """What the module returns, a tensor of half precision as float32."""
        if self.dtype is not None and X.is_floating_point():
            X = X.to(self.dtype)
        if self.autocast is None:
            output = self.module(X)
        else:
            kind, dtype = self.autocast
            # Weights cast without a graph must not be kept for a training step.
            with torch.autocast(kind, dtype=dtype, cache_enabled=False):
                output = self.module(X)
        return at_least_float32(output) if isinstance(output, Tensor) else output


def float32_door(module: nn.Module) -> nn.Module:
    """`module` itself, or behind a door if it is of half precision or autocast is on."""
    if isinstance(module, Float32Door) or any(
        isinstance(sub, Float32Door) for sub in module.modules()
    ):
        return module
    first = next((p for p in module.parameters() if p.is_floating_point()), None)
    dtype = first.dtype if first is not None and first.dtype in HALF else None
    kind = "cpu" if first is None else first.device.type
    autocast = (kind, torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else None
    if dtype is None and autocast is None:
        return module
    door = Float32Door(module, dtype, autocast)
    door.training = module.training
    return door


def in_float32(position: int = 0) -> Callable[[_Function], _Function]:
    """Decorator: the argument at `position` is a module; all but its layers runs in float32.

    Whether gradients are on is as before, too, when an interrupt came between the lines of one of
    torch's own blocks, such as ``no_grad``.
    """

    def decorate(compute: _Function) -> _Function:
        @functools.wraps(compute)
        def computed(*args: Any, **kwargs: Any) -> Any:
            with_gradients = torch.is_grad_enabled()
            try:
                return _behind_a_door(compute, position, args, kwargs)
            finally:
                torch.set_grad_enabled(with_gradients)

        return computed  # type: ignore[return-value]

    return decorate


def _behind_a_door(compute: Callable, position: int, args: tuple, kwargs: dict[str, Any]) -> Any:
    module = args[position]
    door = float32_door(module)
    if door is module:
        return compute(*args, **kwargs)
    args = (*args[:position], door, *args[position + 1 :])
    device = next((p.device.type for p in module.parameters()), "cpu")
    with torch.autocast(device, enabled=False):
        return compute(*args, **kwargs)
