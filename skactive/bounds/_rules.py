"""Interval rules of torch's functions (interval bound propagation).

Each is exact for its function taken alone. Sources: Gowal et al., "On the effectiveness of
interval bound propagation for training verifiably robust models", arXiv 1810.12715.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..exceptions import UnsupportedOperationError
from ._box import RULES, Box

# f(lower) <= f(x) <= f(upper), and linear: shapes, means, padding.
LINEAR = (
    torch.flatten, Tensor.flatten, torch.reshape, Tensor.reshape, Tensor.view, torch.squeeze,
    Tensor.squeeze, torch.unsqueeze, Tensor.unsqueeze, torch.permute, Tensor.permute,
    torch.transpose, Tensor.transpose, Tensor.contiguous, Tensor.__getitem__, Tensor.mean,
    torch.mean, torch.sum, Tensor.sum, F.avg_pool1d, F.avg_pool2d, F.avg_pool3d,
    F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d, Tensor.expand,
    torch.repeat_interleave, Tensor.repeat_interleave, Tensor.repeat, torch.unflatten,
    Tensor.unflatten, Tensor.float, Tensor.double, Tensor.to, torch.clone, Tensor.clone,
)  # fmt: skip
# Monotone, element by element or over windows, not linear.
MONOTONE = (
    torch.relu, Tensor.relu, F.relu, F.relu6, torch.sigmoid, Tensor.sigmoid, F.sigmoid, torch.tanh,
    Tensor.tanh, F.tanh, F.max_pool1d, F.max_pool2d, F.max_pool3d, F.adaptive_max_pool2d,
    F.hardtanh, torch.clamp, Tensor.clamp, torch.amax, Tensor.amax,
    torch.logit, Tensor.logit, Tensor.detach,
)  # fmt: skip
SOFTMAX = (F.softmax, torch.softmax, Tensor.softmax)
LOG_SOFTMAX = (F.log_softmax, torch.log_softmax, Tensor.log_softmax)
WEIGHTED = (F.linear, F.conv1d, F.conv2d, F.conv3d, torch.conv1d, torch.conv2d, torch.conv3d)
PRODUCTS = (torch.matmul, Tensor.matmul, torch.mm, Tensor.mm)


def rule(*functions: Any, several: bool = False) -> Any:
    """Register the interval rule of some torch functions, of one box or of several values."""

    def register(made: Any) -> Any:
        RULES.update(dict.fromkeys(functions, made if several else _of_one(made)))
        return made

    return register


def _of_one(made: Any) -> Any:
    """A rule that is only asked what becomes of one box, all else being constant."""

    @functools.wraps(made)
    def asked(func: Any, box: Any, *args: Any, **kwargs: Any) -> Box:
        others = (*args, *kwargs.values())
        if not isinstance(box, Box) or any(isinstance(other, Box) for other in others):
            raise UnsupportedOperationError(_of_two(func))
        return made(func, box, *args, **kwargs)

    return asked


def _of_two(func: Any) -> str:
    return f"{func.__name__} of two values that depend on the input"


@rule(*MONOTONE)
def _monotone(func: Any, box: Box, *args: Any, **kwargs: Any) -> Box:
    return box.map(lambda value: func(value, *args, **kwargs))


@rule(*LINEAR)
def _linear(func: Any, box: Box, *args: Any, **kwargs: Any) -> Box:
    return box.map_linear(lambda value: func(value, *args, **kwargs))


@rule(F.avg_pool2d, F.avg_pool3d)
def _average(func: Any, box: Box, *args: Any, **kwargs: Any) -> Box:
    if (kwargs.get("divisor_override") or (*args, *[1] * 6)[5] or 1) < 0:
        raise UnsupportedOperationError(f"{func.__name__} with a negative divisor_override")
    return _linear(func, box, *args, **kwargs)


@rule(*WEIGHTED, several=True)
def _weighted(func: Any, box: Any, weight: Any, bias: Any = None, *args: Any, **kwargs: Any) -> Box:
    """W m + b ± |W| r around the centre m with radius r, once somebody asks."""
    if isinstance(weight, Box) or isinstance(bias, Box) or not isinstance(box, Box):
        raise UnsupportedOperationError(f"{func.__name__} with weights that depend on the input")
    nominal = func(box.nominal, weight, bias, *args, **kwargs)
    return Box.later(Weighted(func, box, weight, bias, args, kwargs), nominal)


@dataclass(frozen=True)
class Weighted:
    """What a linear layer or a convolution does to a box."""

    function: Any
    source: Box
    weight: Tensor
    bias: Tensor | None
    args: tuple
    kwargs: dict[str, Any]

    def __call__(self) -> tuple[Tensor, Tensor]:
        """Centre and radius of its output."""
        centre, radius = self.source.centre, self.source.radius
        middle = self.function(centre, self.weight, self.bias, *self.args, **self.kwargs)
        return middle, self.function(radius, self.weight.abs(), None, *self.args, **self.kwargs)

    def then(self, scale: Tensor, shift: Tensor) -> Weighted:
        """With its outputs, one for each row of the weight, scaled and shifted after it."""
        weight = self.weight * scale.reshape(-1, *[1] * (self.weight.ndim - 1))
        bias = shift.reshape(-1)
        if self.bias is not None:
            bias = bias + self.bias * scale.reshape(-1)
        return replace(self, weight=weight, bias=bias)


@rule(*PRODUCTS, several=True)
def _matmul(func: Any, first: Any, second: Any) -> Box:
    _refuse_two(func, first, second)
    box, weight = (first, second) if isinstance(first, Box) else (second, first)

    def product(value: Tensor, factor: Tensor) -> Tensor:
        return func(value, factor) if box is first else func(factor, value)

    centre, radius = product(box.centre, weight), product(box.radius, weight.abs())
    return Box.ball(centre, radius, product(box.nominal, weight))


def _refuse_two(func: Any, first: Any, second: Any) -> None:
    if isinstance(first, Box) and isinstance(second, Box):
        raise UnsupportedOperationError(_of_two(func))


@rule(F.batch_norm)
def _batch_norm(
    func: Any,
    box: Box,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Box:
    """An affine map per channel; in training its statistics are those of the clean batch."""
    if training or running_mean is None or running_var is None:
        rate = 0.0 if momentum is None else momentum
        nominal, mean, inverse = torch.native_batch_norm(
            box.nominal, weight, bias, running_mean, running_var, True, rate, eps
        )
        mean, inverse = BatchStatistics.apply(box.nominal, mean, inverse)
    else:
        nominal = func(box.nominal, running_mean, running_var, weight, bias, False, momentum, eps)
        mean, inverse = running_mean, (running_var + eps).rsqrt()
    scale = inverse if weight is None else inverse * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    return _normalised(box, scale, shift, nominal)


def _normalised(box: Box, scale: Tensor, shift: Tensor, nominal: Tensor) -> Box:
    """A channel-wise map of a box: one with the weights before it, if they alone made the box."""
    layer = box.pending
    if isinstance(layer, Weighted) and box.ndim == layer.weight.ndim:
        made = Box.later(layer.then(scale, shift), nominal)
    else:
        wide, beside = (of_channels(value, box) for value in (scale, shift))
        made = Box.ball(torch.addcmul(beside, wide, box.centre), wide.abs() * box.radius, nominal)
    made.channel_map = scale, shift
    return made


def of_channels(value: Tensor, box: Box) -> Tensor:
    """One value per channel, shaped to fit `box`."""
    return value.reshape(1, -1, *[1] * (box.ndim - 2))


class BatchStatistics(torch.autograd.Function):
    """Mean and 1/deviation of each channel as `torch.native_batch_norm` found them.

    That function has them, but no gradient of them; to compute them anew costs more than to
    normalise.
    """

    @staticmethod
    def forward(ctx: Any, X: Tensor, mean: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
        """The two as they are."""
        ctx.save_for_backward(X, mean, inverse)
        return mean.clone(), inverse.clone()

    @staticmethod
    def backward(ctx: Any, of_mean: Tensor, of_inverse: Tensor) -> tuple[Tensor, None, None]:
        """``of_mean / n - of_inverse · inverse³ (X - mean) / n``, n values in a channel."""
        X, mean, inverse = ctx.saved_tensors
        shape = (1, -1, *[1] * (X.ndim - 2))
        n = X.numel() // mean.numel()
        slope = -of_inverse * inverse**3 / n
        offset = of_mean / n - slope * mean
        return torch.addcmul(offset.reshape(shape), slope.reshape(shape), X), None, None


@rule(F.leaky_relu)
def _leaky_relu(func: Any, box: Box, negative_slope: float = 0.01) -> Box:
    if negative_slope < 0:
        raise UnsupportedOperationError("leaky_relu with a negative slope")
    return box.map(lambda value: F.leaky_relu(value, negative_slope))


@rule(F.elu)
def _elu(func: Any, box: Box, alpha: float = 1.0) -> Box:
    if alpha < 0:
        raise UnsupportedOperationError("elu with a negative alpha")
    return box.map(lambda value: F.elu(value, alpha))


@rule(F.softplus)
def _softplus(func: Any, box: Box, beta: float = 1, threshold: float = 20) -> Box:
    """Monotone but for a step down at the threshold, above which it is the identity."""
    if beta <= 0:
        raise UnsupportedOperationError("softplus with beta <= 0")
    step = math.log1p(math.exp(-threshold)) / beta
    made = box.map(lambda value: func(value, beta, threshold))
    return Box(made.lower - step, made.upper + step, made.nominal)


@rule(*SOFTMAX, *LOG_SOFTMAX)
def _softmax(
    func: Any, box: Box, dim: int | None = None, *args: Any, dtype: Any = None, **kwargs: Any
) -> Box:
    """Each logit's own bound over those of the sum of all: margins undo it (`before_softmax`)."""
    if dim is None or dtype not in (None, box.dtype):
        given = f"dtype={dtype}" if dim is not None else "no dim"
        raise UnsupportedOperationError(f"{func.__name__} with {given}")
    low = box.lower - torch.logsumexp(box.upper, dim, keepdim=True)
    high = (box.upper - torch.logsumexp(box.lower, dim, keepdim=True)).clamp_max(0)
    if func in SOFTMAX:
        low, high = low.exp(), high.exp()
    return Box(low, high, func(box.nominal, dim))


def before_softmax(output: Box) -> Box:
    """The logits of a module that ends in a softmax over classes, which keeps their order."""
    while output.function in (*SOFTMAX, *LOG_SOFTMAX) and output.ndim == 2:
        dim = output.args[1] if len(output.args) > 1 else output.kwargs["dim"]
        if dim not in (1, -1):
            break
        output = output.args[0]
    return output


@rule(F.pad)
def _pad(func: Any, box: Box, *args: Any, **kwargs: Any) -> Box:
    return box.map(lambda value: F.pad(value, *args, **kwargs))


@rule(F.interpolate)
def _interpolate(func: Any, box: Box, *args: Any, **kwargs: Any) -> Box:
    """Nearest and (bi)linear interpolation: averages with weights that are not negative."""
    if kwargs.get("mode", "nearest") == "bicubic":
        raise UnsupportedOperationError("interpolate(mode='bicubic')")
    return box.map(lambda value: func(value, *args, **kwargs))


@rule(F.dropout, F.dropout1d, F.dropout2d, F.dropout3d)
def _dropout(func: Any, box: Box, p: float = 0.5, training: bool = True) -> Box:
    """One mask for all three: what is dropped is dropped for every point of the box."""
    if not training or p == 0:
        return box
    return box * func(torch.ones_like(box.nominal), p, True)


@rule(torch.add, Tensor.add, torch.sub, Tensor.sub, torch.rsub, several=True)
def _sum(func: Any, first: Any, second: Any, *, alpha: float = 1) -> Box:
    if func is torch.rsub:
        first, second = second, first
    sign = -1.0 if func in (torch.sub, Tensor.sub, torch.rsub) else 1.0
    one, two = as_box(first), _scaled(as_box(second), sign * float(alpha))
    return Box(one.lower + two.lower, one.upper + two.upper, one.nominal + two.nominal)


@rule(torch.neg, Tensor.neg)
def _neg(func: Any, box: Box) -> Box:
    return _scaled(box, -1.0)


@rule(
    *(torch.mul, Tensor.mul, torch.div, Tensor.div, torch.true_divide, Tensor.true_divide),
    several=True,
)
def _scale(func: Any, first: Any, second: Any, *, rounding_mode: str | None = None) -> Box:
    _refuse_two(func, first, second)
    if rounding_mode is not None:
        raise UnsupportedOperationError(f"div with rounding_mode={rounding_mode!r}")
    dividing = func in (torch.div, Tensor.div, torch.true_divide, Tensor.true_divide)
    if dividing and isinstance(second, Box):
        raise UnsupportedOperationError("division by a value that depends on the input")
    box, factor = (first, second) if isinstance(first, Box) else (second, first)
    return _scaled(box, 1 / factor if dividing else factor)


@rule(torch.cat, torch.concat, several=True)
def _cat(func: Any, boxes: Any, dim: int = 0) -> Box:
    parts = [as_box(box) for box in boxes]
    return Box(
        torch.cat([part.lower for part in parts], dim),
        torch.cat([part.upper for part in parts], dim),
        torch.cat([part.nominal for part in parts], dim),
    )


def as_box(value: Any) -> Box:
    """A box as it is; a constant as a box without width."""
    if isinstance(value, Box):
        return value
    if isinstance(value, float):
        value = torch.tensor(value, dtype=torch.float64)  # beside float32 it counts as such
    value = torch.as_tensor(value)
    return Box(value, value, value)


def _scaled(box: Box, factor: Any) -> Box:
    if isinstance(factor, Tensor):
        return Box.ball(factor * box.centre, factor.abs() * box.radius, factor * box.nominal)
    one, two = factor * box.lower, factor * box.upper
    low, high = (one, two) if factor >= 0 else (two, one)
    return Box(low, high, factor * box.nominal)
