"""Lines that enclose an activation between its bounds: slope and offset, below and above."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ._box import Box


class Lines(NamedTuple):
    """``low_slope x + low_offset <= f(x) <= high_slope x + high_offset`` on the box.

    No offset is one of zeros.
    """

    low_slope: Tensor
    low_offset: Tensor | None
    high_slope: Tensor
    high_offset: Tensor


def lines_of(func: Any, box: Box, made: Box, args: tuple, kwargs: dict[str, Any]) -> Lines | None:
    """Lines around an element-wise activation; None where only constants are known."""
    if func in (torch.relu, Tensor.relu, F.relu):
        return _kinked(box, 0.0)
    if func is F.leaky_relu:
        slope = float(args[0] if args else kwargs.get("negative_slope", 0.01))
        return _kinked(box, slope) if slope <= 1 else None  # its chord would lie below
    if func in (torch.sigmoid, Tensor.sigmoid, F.sigmoid):
        return _parallel(box, made, lambda value: value * (1 - value))
    if func in (torch.tanh, Tensor.tanh, F.tanh):
        return _parallel(box, made, lambda value: 1 - value**2)
    return None


def _kinked(box: Box, slope: float) -> Lines:
    """ReLU and leaky ReLU: the chord above, the steeper of the two sides that fits better below.

    Zhang et al., "Efficient neural network robustness certification with general activation
    functions", NeurIPS 2018 (CROWN), with its adaptive lower slope.
    """
    low, high = box.lower, box.upper
    crossing = (low < 0) & (high > 0)
    side = torch.where(high <= 0, slope, 1.0).to(low)
    width = torch.where(crossing, high - low, torch.ones_like(low))
    chord = torch.where(crossing, (high - slope * low) / width, side)
    offset = torch.where(crossing, high * (1 - chord), torch.zeros_like(low))
    below = torch.where(crossing, torch.where(high > -low, 1.0, slope).to(low), side)
    return Lines(below, None, chord, offset)


def _parallel(box: Box, made: Box, derivative: Any) -> Lines:
    """Sigmoid and tanh: the smaller slope of the two ends bounds the derivative in between."""
    slope = torch.minimum(derivative(made.lower), derivative(made.upper))
    return Lines(
        slope, made.lower - slope * box.lower, slope, made.upper - slope * box.upper
    )  # fmt: skip


def is_plain(box: Box) -> bool:
    """Whether windows of a max-pooling lie side by side or overlap, without padding or gaps."""
    given = box.kwargs
    return (
        box.ndim == 4
        and given.get("padding", 0) in (0, (0, 0))
        and given.get("dilation", 1) in (1, (1, 1))
        and not given.get("ceil_mode", False)
    )


def winners(box: Box) -> tuple[Tensor, Tensor]:
    """In each window of a max-pooling: the entry with the largest lower bound, and if it must win.

    Returns
    -------
    pick : int64 Tensor of the pooled shape
        Its position in the plane, counted row by row.
    decided : bool Tensor of the pooled shape
    """
    source = box.args[0]
    size, stride = box.args[1], _stride(box)
    best, pick = F.max_pool2d(source.lower, size, stride, return_indices=True)
    height, width = source.shape[2:]
    plane = torch.arange(height * width, device=pick.device, dtype=torch.float64)
    positions = _windows(box, plane.reshape(1, 1, height, width)).long()
    is_pick = positions == pick.flatten(2)[:, :, None]
    rivals = _windows(box, source.upper).masked_fill(is_pick, -torch.inf).amax(dim=2)
    return pick, best >= rivals.reshape(best.shape)


def _stride(box: Box) -> Any:
    return box.kwargs.get("stride") or (box.args[2] if len(box.args) > 2 else None) or box.args[1]


def _windows(box: Box, X: Tensor) -> Tensor:
    """Entries of each window, shape (n, channels, window size, n_windows)."""
    columns = F.unfold(X, box.args[1], stride=_stride(box))
    return columns.reshape(len(X), X.shape[1], -1, columns.shape[-1])
