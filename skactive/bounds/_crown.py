"""Backward linear relaxation (CROWN-IBP): bounds of a linear function of the output.

The inner bounds are intervals; one pass backwards along the tape of a `Box` replaces each
activation by a line below and a line above it. Every linear step is undone by its own
vector-Jacobian product, so that no layer needs a rule of its own.

Zhang et al., "Towards stable and efficient training of verifiably robust neural networks",
ICLR 2020 (arXiv 1906.06316).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import vjp, vmap
from torch.nn import functional as F

from ._box import Box
from ._relaxations import is_plain, lines_of, picked, winners
from ._rules import LINEAR, PRODUCTS, WEIGHTED, of_channels

_SUMS = (torch.add, Tensor.add, torch.sub, Tensor.sub, torch.rsub)
_PRODUCTS = (torch.mul, Tensor.mul, torch.div, Tensor.div, torch.true_divide, Tensor.true_divide)


def linear_lower_bound(output: Box, coefficients: Tensor) -> Tensor:
    """Lower bounds of ``Σ coefficients · output`` over the input box.

    Parameters
    ----------
    output : Box
        What a module made of the input box.
    coefficients : Tensor of shape (n_functions, n, *output.shape[1:])

    Returns
    -------
    bounds : Tensor of shape (n, n_functions)
    """
    pending: dict[int, Tensor] = {id(output): coefficients}
    total = torch.zeros(coefficients.shape[:2], dtype=coefficients.dtype)
    total = total.to(coefficients.device)
    for box in outputs_first(output):
        weights = pending.pop(id(box), None)
        if weights is None:
            continue
        if box.function is None:
            total = total + _concrete(weights, box)
            continue
        parts, offset = _step_back(box, weights)
        total = total + offset
        for part, passed in parts:
            pending[id(part)] = pending[id(part)] + passed if id(part) in pending else passed
    return total.T


def outputs_first(output: Box) -> list[Box]:
    """All boxes that `output` was made of, each before those it was made of."""
    order: list[Box] = []
    seen: set[int] = set()
    stack: list[tuple[Box, bool]] = [(output, False)]
    while stack:
        box, done = stack.pop()
        if done:
            order.append(box)
        elif id(box) not in seen:
            seen.add(id(box))
            stack.append((box, True))
            stack.extend((source, False) for source in box.sources())
    return order[::-1]


def _concrete(weights: Tensor, box: Box) -> Tensor:
    """The smallest value of a linear function on a box."""
    low = weights.clamp_min(0) * box.lower + weights.clamp_max(0) * box.upper
    return low.flatten(2).sum(2) if low.ndim > 2 else low


def _sum(products: Tensor) -> Tensor:
    return products.flatten(2).sum(2)


def _step_back(box: Box, weights: Tensor) -> tuple[list[tuple[Box, Tensor]], Any]:
    """Coefficients of what a box was made of, and the constant that is left over."""
    func, args, kwargs = box.function, box.args, box.kwargs
    if func in (*LINEAR, *WEIGHTED, *PRODUCTS, F.pad, F.interpolate):
        at = next(i for i, value in enumerate(args) if isinstance(value, Box))
        before, after = args[:at], args[at + 1 :]
        return _through_map(lambda X: func(*before, X, *after, **kwargs), args[at], weights)
    if func is F.batch_norm:
        return _through_batch_norm(box, weights)
    if func in _SUMS:
        return _through_sum(box, weights)
    if func in _PRODUCTS:
        return _through_product(box, weights)
    if func in (torch.neg, Tensor.neg):
        return [(args[0], -weights)], 0.0
    if func in (torch.cat, torch.concat):
        return _through_cat(box, weights)
    return _through_activation(box, weights)


def _through_map(function: Any, source: Box, weights: Tensor) -> tuple[list, Tensor]:
    """Back through any affine function: vector-Jacobian products, and what it makes of zero."""
    constant, back = vjp(function, torch.zeros_like(source.nominal))[:2]
    return [(source, vmap(lambda row: back(row)[0])(weights))], _sum(weights * constant)


def _through_batch_norm(box: Box, weights: Tensor) -> tuple[list, Tensor]:
    source, maps = box.args[0], box.channel_map
    assert maps is not None
    scale, shift = (of_channels(value, box) for value in maps)
    return [(source, weights * scale)], _sum(weights * shift)


def _through_sum(box: Box, weights: Tensor) -> tuple[list, Tensor | float]:
    first, second = box.args[:2]
    alpha = float(box.kwargs.get("alpha", 1))
    if box.function is torch.rsub:
        first, second = second, first
    sign = alpha if box.function in (torch.add, Tensor.add) else -alpha
    parts: list[tuple[Box, Tensor]] = []
    offset: Tensor | float = 0.0
    for value, factor in ((first, 1.0), (second, sign)):
        if isinstance(value, Box):
            parts.append((value, (factor * weights).sum_to_size(len(weights), *value.shape)))
        else:
            offset = offset + _sum(factor * weights * value)
    return parts, offset


def _through_product(box: Box, weights: Tensor) -> tuple[list, float]:
    first, second = box.args[:2]
    source, factor = (first, second) if isinstance(first, Box) else (second, first)
    dividing = box.function in _PRODUCTS[2:]
    passed = weights / factor if dividing else weights * factor
    return [(source, passed.sum_to_size(len(weights), *source.shape))], 0.0


def _through_cat(box: Box, weights: Tensor) -> tuple[list, Tensor | float]:
    dim = box.args[1] if len(box.args) > 1 else box.kwargs.get("dim", 0)
    dim = dim + 1 if dim >= 0 else dim
    sizes = [value.shape[dim - 1 if dim >= 0 else dim] for value in box.args[0]]
    parts: list[tuple[Box, Tensor]] = []
    offset: Tensor | float = 0.0
    for value, passed in zip(box.args[0], weights.split(sizes, dim), strict=True):
        if isinstance(value, Box):
            parts.append((value, passed))
        else:
            offset = offset + _sum(passed * value)
    return parts, offset


def _through_activation(box: Box, weights: Tensor) -> tuple[list, Tensor]:
    """A line below where the coefficient is positive, one above where it is negative."""
    source = box.args[0]
    up, down = weights.clamp_min(0), weights.clamp_max(0)
    if box.function is F.max_pool2d and is_plain(box):
        return _through_max_pool(box, up, down)
    lines = lines_of(box.function, source, box, box.args[1:], box.kwargs)
    if lines is None:
        return [], _sum(up * box.lower + down * box.upper)
    passed = up * lines.low_slope + down * lines.high_slope
    return [(source, passed)], _sum(up * lines.low_offset + down * lines.high_offset)


def _through_max_pool(box: Box, up: Tensor, down: Tensor) -> tuple[list, Tensor]:
    """A maximum is at least its likeliest entry; it is that entry where no other can win."""
    pick, decided = winners(box)
    ((source, passed),), _ = _through_map(
        lambda X: picked(box, X, pick), box.args[0], up + down * decided
    )
    return [(source, passed)], _sum(down * ~decided * box.upper)
