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
from ._relaxations import is_plain, lines_of, winners
from ._rules import LINEAR, PRODUCTS, WEIGHTED, of_channels

_SUMS = (torch.add, Tensor.add, torch.sub, Tensor.sub, torch.rsub)
_TRANSPOSED: dict[int, Any] = {
    1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d
}  # fmt: skip
_TURNS = (torch.permute, Tensor.permute, torch.transpose, Tensor.transpose)
# What keeps the order of rows, and may add or drop dimensions behind them.
_RESHAPES = (
    None, torch.flatten, Tensor.flatten, torch.reshape, Tensor.reshape, Tensor.view, torch.squeeze,
    Tensor.squeeze, torch.unsqueeze, Tensor.unsqueeze, torch.unflatten, Tensor.unflatten,
    torch.mean, Tensor.mean, torch.sum, Tensor.sum, torch.amax, Tensor.amax,
)  # fmt: skip
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
    boxes = outputs_first(output)
    if keeps_samples(boxes, coefficients.shape[1]):
        return _backward(boxes, coefficients, coefficients.shape[:2]).T
    # A bound grows with the coefficients of its sample: by the gradient of the sum of all bounds
    # each gets its own back, wherever code has put the samples meanwhile.
    graph = torch.is_grad_enabled()
    with torch.enable_grad():
        shares = coefficients.new_ones(coefficients.shape[1], requires_grad=True)
        wide = shares.reshape(1, -1, *[1] * (coefficients.ndim - 2))
        sums = _backward(boxes, coefficients * wide, (len(coefficients), 1))[:, 0]
        rows = [torch.autograd.grad(one, shares, retain_graph=True, create_graph=graph)[0]
                for one in sums]  # fmt: skip
    return torch.stack(rows, dim=1)


def _backward(boxes: list[Box], coefficients: Tensor, shape: Any) -> Tensor:
    """Bounds of linear functions of the first box: of each sample, or of all together."""
    pending: dict[int, Tensor] = {id(boxes[0]): coefficients}
    total = coefficients.new_zeros(shape)
    for box in boxes:
        weights = pending.pop(id(box), None)
        if weights is None:
            continue
        if box.function is None:
            total = total + _of_samples(_concrete(weights, box), total)
            continue
        parts, offset = _step_back(box, weights)
        total = total + _of_samples(offset, total)
        for part, passed in parts:
            pending[id(part)] = pending[id(part)] + passed if id(part) in pending else passed
    return total


def keeps_samples(boxes: list[Box], n: int) -> bool:
    """Whether the first dimension is the `n` samples in all that a module makes of them.

    Parameters
    ----------
    boxes : list of Box
        See `outputs_first`.
    n : int
    """
    return n == 1 or all(box.shape[:1] == (n,) and not _moves_rows(box) for box in boxes)


def _moves_rows(box: Box) -> bool:
    """Whether a function may have put other things where the samples were."""
    func, given = box.function, (*box.args[1:], *box.kwargs.values())
    if func in _TURNS:
        dims = given[0] if len(given) == 1 else given
        moved = dims[0] % box.ndim != 0 if "permute" in func.__name__ else 0 in dims
        return moved or -box.ndim in dims
    if func is Tensor.__getitem__:
        index = given[0] if isinstance(given[0], tuple) else given
        whole = isinstance(index[0], slice) and index[0] == slice(None)
        return not (whole or (index[0] is Ellipsis and len(index) <= box.args[0].ndim))
    return func not in _RESHAPES and any(source.ndim != box.ndim for source in box.sources())


def _of_samples(offset: Tensor | float, total: Tensor) -> Tensor | float:
    """Sums over the rows of a layer, where these are not the samples."""
    if isinstance(offset, Tensor) and offset.shape != total.shape:
        return offset.reshape(*total.shape, -1).sum(2)
    return offset


def outputs_first(output: Box) -> list[Box]:
    """All boxes that `output` was made of, each before those it was made of.

    Parameters
    ----------
    output : Box
        Made with ``tape=True``.

    Returns
    -------
    boxes : list of Box

    Examples
    --------
    >>> import torch
    >>> from skactive.bounds import Box, outputs_first
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    >>> output = module(Box.around(torch.rand(5, 2), 0.1, bounds=(0, 1)))
    >>> for box in outputs_first(output):
    ...     print(getattr(box.function, "__name__", "input"), tuple(box.shape))
    relu (5, 3)
    linear (5, 3)
    input (5, 2)
    """
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
    return _dot(weights, box.centre) - _dot(weights.abs(), box.radius)


def _dot(weights: Tensor, values: Tensor | float) -> Tensor:
    """``Σ weights · values`` of each sample, shape (n_functions, n), no product kept."""
    if weights.ndim == 2:
        return weights * values
    values = torch.as_tensor(values, dtype=weights.dtype, device=weights.device)
    rows = values.expand(weights.shape[1:]).flatten(1)
    return torch.einsum("fnd,nd->fn", weights.flatten(2), rows)


def _step_back(box: Box, weights: Tensor) -> tuple[list[tuple[Box, Tensor]], Any]:
    """Coefficients of what a box was made of, and the constant that is left over."""
    func, args, kwargs = box.function, box.args, box.kwargs
    if func in WEIGHTED and _is_batched(box):
        return _through_weights(box, weights)
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
    return [(source, vmap(lambda row: back(row)[0])(weights))], _dot(weights, constant)


def _is_batched(box: Box) -> bool:
    """Whether a layer reads samples, with a border given in numbers."""
    padding = box.args[4] if len(box.args) > 4 else box.kwargs.get("padding")
    linear = box.function is F.linear
    return linear or (box.ndim == box.args[1].ndim and not isinstance(padding, str))


def _through_weights(box: Box, weights: Tensor) -> tuple[list, Tensor | float]:
    """Back through a linear layer or a convolution, all functions in one batch."""
    source, weight = box.args[:2]
    bias = box.args[2] if len(box.args) > 2 else box.kwargs.get("bias")
    if box.function is F.linear:
        passed = weights @ weight
        shifts = weights.flatten(2, -2).sum(2) if weights.ndim > 3 else weights
    else:
        passed = _transposed(box, weights, source, weight)
        shifts = weights.flatten(3).sum(3)
    return [(source, passed)], 0.0 if bias is None else shifts @ bias


def _transposed(box: Box, weights: Tensor, source: Box, weight: Tensor) -> Tensor:
    """The transpose of a convolution."""
    names, dims = ("stride", "padding", "dilation", "groups"), weight.ndim - 2
    given = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    given |= dict(zip(names, box.args[3:], strict=False))
    given |= {name: box.kwargs[name] for name in names if name in box.kwargs}
    wide = {name: _per_dim(given[name], dims) for name in names[:3]}
    left_over = [
        source.shape[2 + i]
        + 2 * wide["padding"][i]
        - wide["dilation"][i] * (weight.shape[2 + i] - 1)
        - 1
        - (box.shape[2 + i] - 1) * wide["stride"][i]
        for i in range(dims)
    ]
    passed = _TRANSPOSED[dims](
        weights.flatten(0, 1), weight, output_padding=left_over, groups=given["groups"], **wide
    )
    return passed.unflatten(0, weights.shape[:2])


def _per_dim(value: Any, dims: int) -> list[int]:
    return [value] * dims if isinstance(value, int) else list(value) * (dims // len(value))


def _through_batch_norm(box: Box, weights: Tensor) -> tuple[list, Tensor]:
    source, maps = box.args[0], box.channel_map
    assert maps is not None
    scale, shift = (of_channels(value, box) for value in maps)
    return [(source, weights * scale)], _dot(weights, shift)


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
            parts.append((value, _of_shape(factor * weights, box, value)))
        else:
            offset = offset + factor * _dot(weights, value)
    return parts, offset


def _through_product(box: Box, weights: Tensor) -> tuple[list, float]:
    first, second = box.args[:2]
    source, factor = (first, second) if isinstance(first, Box) else (second, first)
    dividing = box.function in _PRODUCTS[2:]
    passed = weights / factor if dividing else weights * factor
    return [(source, _of_shape(passed, box, source))], 0.0


def _of_shape(weights: Tensor, box: Box, source: Box) -> Tensor:
    """Coefficients of what was broadcast: the sum of those of its copies."""
    added = [1] * (box.ndim - source.ndim)  # dimensions that `source` does not have
    functions = len(weights)
    return weights.sum_to_size(functions, *added, *source.shape).reshape(functions, *source.shape)


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
            offset = offset + _dot(passed, value)
    return parts, offset


def _through_activation(box: Box, weights: Tensor) -> tuple[list, Tensor]:
    """A line below where the coefficient is positive, one above where it is negative."""
    source, size = box.args[0], weights.abs()
    if box.function is F.max_pool2d and is_plain(box):
        return _through_max_pool(box, weights, size)
    lines = lines_of(box.function, source, box, box.args[1:], box.kwargs)
    if lines is None:
        return [], _concrete(weights, box)
    # Positive and negative parts of w are (|w| + w) / 2 and (w - |w|) / 2.
    even = (lines.low_slope + lines.high_slope) / 2
    odd = (lines.low_slope - lines.high_slope) / 2
    offset = (_dot(weights, lines.high_offset) - _dot(size, lines.high_offset)) / 2
    if lines.low_offset is not None:
        offset = offset + (_dot(weights, lines.low_offset) + _dot(size, lines.low_offset)) / 2
    return [(source, torch.addcmul(weights * even, size, odd))], offset


def _through_max_pool(box: Box, weights: Tensor, size: Tensor) -> tuple[list, Tensor]:
    """A maximum is at least its likeliest entry; it is that entry where no other can win."""
    source = box.args[0]
    pick, decided = winners(box)
    down = (weights - size) / 2
    lost = down * ~decided  # what is known of these is the upper bound
    planes = weights.new_zeros(*weights.shape[:3], source.shape[2] * source.shape[3])
    rows = pick.flatten(2).expand(len(weights), *[-1] * 3)
    passed = planes.scatter_add(3, rows, (weights - lost).flatten(3))
    return [(source, passed.unflatten(3, source.shape[2:]))], _dot(lost, box.upper)
