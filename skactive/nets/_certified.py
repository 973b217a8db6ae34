"""What certified training needs of a net: the range of its inputs, and bounds of its module."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..attacks import Attack
from ..bounds import Box
from ..bounds._certifier import check_followed
from ..losses import RST, resolve_loss, resolve_pool_loss
from ..passes.modules import untouched
from ..passes.precision import float32_door
from ..utils.compat import uncompiled

_CLOSE = 1e-3  # logits that differ by less, relatively or not, are the same in float32


def bounds_of(module: nn.Module, box: Box) -> Box:
    """Bounds of a module's output over a box; compiled code is told from what was compiled."""
    return uncompiled(module)(box)


def reads_bounds(net: Any) -> bool:
    """Whether the net is trained on bounds of its logits."""
    return resolve_loss(net.loss).reads_bounds


def enforced_bounds(net: Any, attack: Attack | None) -> tuple[float, float] | None:
    """The range that inputs must keep to: that of the attack, or of the boxes to be bounded."""
    if attack is not None:
        return attack.bounds
    return net.bounds_ if reads_bounds(net) else None


def check_loss(net: Any, attack: Attack | None) -> None:
    """Raise unless the loss fits the attack, the range of the inputs and the pool's loss."""
    loss = resolve_loss(net.loss).with_attack(attack)
    loss.check(net.bounds_)
    beside = resolve_pool_loss(net.unlabeled)
    if loss.reads_bounds and beside is not None and not isinstance(beside, RST):
        raise ValueError(
            f"unlabeled={net.unlabeled!r} trains the pool under attack, but loss={net.loss!r} "
            "trains on bounds. Use unlabeled='rst', which gives the pool the same loss."
        )


def check_bounded(net: Any, X: Tensor) -> None:
    """Raise unless a loss that reads bounds will get them from the module, tried on samples."""
    if not reads_bounds(net):
        return
    if float32_door(net.module_) is not net.module_:
        raise ValueError(
            f"loss={net.loss!r} needs a module that runs in float32: in half precision rounding "
            "alone is as wide as bounds. Train module.float(), outside torch.autocast."
        )
    middle = sum(net.bounds_) / 2
    # Mirrored and far away, too: there units take sides that they do not take on the samples yet.
    X = torch.cat([X, *(middle + scale * (X - middle) for scale in (-1, 100, -100))])
    with torch.no_grad(), untouched(net.module_, freeze=False) as module:
        together, alone = module(X.clone()), module(X[:1].clone())  # it may overwrite them
        output = bounds_of(module, Box.around(X, 0.0, net.bounds_))
    name = type(net.module_).__name__
    if not torch.allclose(together[:1], alone, rtol=_CLOSE, atol=_CLOSE):
        raise ValueError(
            f"loss={net.loss!r} needs a module that is a function of one sample, but what {name} "
            "returns for one depends on the other samples of its batch (BatchNorm without "
            "running statistics?) or on chance."
        )
    if not isinstance(output, Box) or output.shape != together.shape:
        raise ValueError(
            f"loss={net.loss!r} needs bounds of the module's logits, but for bounds of its input "
            f"{name} returned {type(output).__name__}: its forward must be a function of its one "
            "input, made of torch's functions."
        )
    check_followed(output.nominal, together, _CLOSE)
