"""Gradients in the input of a frozen module, faster on a CPU and the same up to rounding."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...utils.compat import is_compiled, is_transformed

# First layers of small nets: beyond this, torch's own backward pass is as fast.
_MOST_INPUTS, _MOST_OUTPUTS = 3, 16


@contextlib.contextmanager
def quick_input_gradients(module: nn.Module) -> Iterator[None]:
    """Let first convolutions of `module` use faster backward passes inside the block.

    Parameters
    ----------
    module : torch.nn.Module
        Left as it was after the block. On other devices than the CPU, under `torch.func` and
        where a layer's weights require a gradient, layers work as ever.

    Notes
    -----
    A convolution of one to three channels dominates the attacks on small nets. It is slow to
    differentiate in its input: with one output channel at a time, vector units idle. Here
    several neighbouring positions of the input's gradient are the channels of one strided
    convolution.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.passes.shortcuts.convolution import quick_input_gradients
    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU()).requires_grad_(False)
    >>> x = torch.rand(1, 1, 6, 6, requires_grad=True)
    >>> (plain,) = torch.autograd.grad(module(x).sum(), x)
    >>> with quick_input_gradients(module):
    ...     (quick,) = torch.autograd.grad(module(x).sum(), x)
    >>> torch.allclose(quick, plain, atol=1e-6)
    True
    """
    replaced: list[nn.Module] = []
    try:
        take_shortcuts(module, replaced)
        yield
    finally:
        for sub in replaced:
            sub.__dict__.pop("forward", None)


def take_shortcuts(module: nn.Module, replaced: list[nn.Module] | None = None) -> None:
    """Let layers of `module` use faster backward passes, for good; note which, if asked."""
    if any(map(is_compiled, module.modules())):
        return
    for sub in module.modules():
        if type(sub) is nn.Conv2d and _fits(sub) and "forward" not in sub.__dict__:
            if replaced is not None:
                replaced.append(sub)  # first: an interrupt may come in between
            sub.__dict__["forward"] = partial(_convolve, sub)


def _fits(conv: nn.Conv2d) -> bool:
    return (
        conv.in_channels <= _MOST_INPUTS
        and conv.out_channels <= _MOST_OUTPUTS
        and conv.stride == conv.dilation == (1, 1)
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and not isinstance(conv.padding, str)
        and all(p < k for p, k in zip(conv.padding, conv.kernel_size, strict=True))
    )


def _plain(x: Tensor) -> bool:
    """Whether autograd alone follows what happens to `x`, on a CPU."""
    return (
        x.requires_grad
        and x.device.type == "cpu"
        and x.dim() == 4
        and x.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and not is_transformed()
    )


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    frozen = not conv.weight.requires_grad and (conv.bias is None or not conv.bias.requires_grad)
    if not (frozen and _plain(x)):
        return nn.Conv2d.forward(conv, x)
    return _Convolution.apply(x, conv.weight, conv.bias, conv.padding)


class _Convolution(torch.autograd.Function):
    """A convolution of stride 1 whose gradient in the input is one of a larger stride."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.padding, ctx.size = padding, x.shape[2:]
        return F.conv2d(x, weight, bias, padding=padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = gradients
        (weight,) = ctx.saved_tensors
        n_inputs = weight.shape[1]
        side = 4 if n_inputs == 1 else 2
        kernel = _phases(weight, side)
        blocks = [-(-size // side) for size in ctx.size]
        margins: list[int] = []
        for i in (1, 0):  # F.pad wants the last dimension first
            before = weight.shape[2 + i] - 1 - ctx.padding[i]
            needed = (blocks[i] - 1) * side + kernel.shape[2 + i]
            margins += [before, needed - before - gradient.shape[2 + i]]
        found = F.conv2d(F.pad(gradient, margins), kernel, stride=side)
        found = found.view(-1, side, side, n_inputs, *blocks).permute(0, 3, 4, 1, 5, 2)
        found = found.reshape(len(found), n_inputs, blocks[0] * side, blocks[1] * side)
        return found[:, :, : ctx.size[0], : ctx.size[1]], None, None, None


def _phases(weight: Tensor, side: int) -> Tensor:
    """Weights (o, i, kh, kw) turned round, shifted by 0 … side − 1 in both directions."""
    turned = weight.flip(2, 3).transpose(0, 1)
    shifted = [
        F.pad(turned, (b, side - 1 - b, a, side - 1 - a)) for a in range(side) for b in range(side)
    ]
    return torch.cat(shifted)
