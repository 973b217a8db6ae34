"""Counterexamples to robustness: points of a ball that are verified to be classified otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..utils.ranges import check_width
from ._pgd import PGD

_SHARES = (0.125, 0.25, 0.5, 1.0)  # of the radius that are searched, one after the other
_RIVALS = 9  # most likely other classes that are headed for one by one, as AutoAttack does
_STEPS = 20
_HALVINGS = 12
_INSIDE = 2**-22  # of the largest input: a step in float32 may end a rounding beyond the ball
_CLEAR = 1e-5  # of the largest logit: by how much the other class wins, float32 or not


class Counterexamples(NamedTuple):
    """What `counterexamples` found.

    Attributes
    ----------
    points : Tensor like X
        A sample itself where none was found.
    distance : Tensor of shape (n,)
        L∞, ``inf`` where none was found.
    """

    points: Tensor
    distance: Tensor


def counterexamples(
    module: nn.Module, exact: nn.Module, X: Tensor, eps: float, *, bounds: tuple[float, float]
) -> Counterexamples:
    """Search each sample's L∞ ball for a point that is classified otherwise, the nearest first.

    `PGD` on the gap to the other classes looks in balls of an eighth, a quarter, a half and all of
    the radius, in the last one also for each of the nine likeliest other classes. What it finds is
    drawn back towards the sample as far as the prediction stays changed. A point counts if it lies
    within the ball and a forward pass in float64 says that another class wins by 1e-5 (1 + the
    largest logit), so that rounding does not decide.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits, or probabilities. Left as it was.
    exact : torch.nn.Module
        The same in float64 and eval mode.
    X : Tensor of shape (n, ...), float32
        Inputs within `bounds`.
    eps : float
    bounds : (float, float)
        Range of the inputs.

    Returns
    -------
    found : Counterexamples
    """
    check_width("eps", eps, bounds)
    points, distance = X.clone(), X.new_full((len(X),), torch.inf)
    if len(X) == 0:
        return Counterexamples(points, distance)
    logits = _logits(exact, X)
    own = logits.argmax(dim=1)
    for radius, rivals in _searches(eps - _INSIDE * max(map(abs, bounds)), logits):
        left = torch.isinf(distance).nonzero()[:, 0]
        if not len(left):
            break
        gap = _Gap(own[left], None if rivals is None else rivals[left])
        attack = PGD(radius, steps=_STEPS, random_start=False, bounds=bounds)
        moved = attack(module, X[left], own[left], loss=gap)
        hit = _is_verified(exact, moved, own[left])
        rows = left[hit]
        points[rows] = _drawn_back(exact, X[rows], moved[hit], own[rows])
        distance[rows] = (points[rows] - X[rows]).flatten(1).abs().amax(dim=1)
    return Counterexamples(points, distance)


def _searches(eps: float, logits: Tensor) -> Iterator[tuple[float, Tensor | None]]:
    """Radii, from small to large, and class to go to; ``None`` is whichever is best on the way."""
    if eps <= 0:  # float32 hardly tells such a ball from a point
        return
    for share in _SHARES:
        yield share * eps, None
    ranked = logits.argsort(dim=1, descending=True)
    for rank in range(1, min(_RIVALS + 1, logits.shape[1])):
        yield eps, ranked[:, rank]


class _Gap:
    """How far another class is ahead, summed: its gradient does not vanish in a softmax."""

    def __init__(self, own: Tensor, rivals: Tensor | None) -> None:
        self.own = own[:, None]
        self.rivals = rivals

    def __call__(self, logits: Tensor) -> Tensor:
        if self.rivals is None:
            others = logits.scatter(1, self.own, -torch.inf).amax(dim=1)
        else:
            others = logits.gather(1, self.rivals[:, None])[:, 0]
        return (others - logits.gather(1, self.own)[:, 0]).sum()


def _logits(exact: nn.Module, X: Tensor) -> Tensor:
    with torch.no_grad():
        return exact(X.double())


def _is_verified(exact: nn.Module, X: Tensor, own: Tensor) -> Tensor:
    """Whether another class than `own` wins clearly."""
    logits = _logits(exact, X)
    others = logits.scatter(1, own[:, None], -torch.inf).amax(dim=1)
    ahead = others - logits.gather(1, own[:, None])[:, 0]
    return ahead > _CLEAR * (1 + logits.abs().amax(dim=1))


def _drawn_back(exact: nn.Module, X: Tensor, moved: Tensor, own: Tensor) -> Tensor:
    """The nearest verified points on the way from samples to counterexamples, by bisection."""
    near = torch.zeros(len(X), *[1] * (X.ndim - 1), dtype=X.dtype, device=X.device)
    far = torch.ones_like(near)
    for _ in range(_HALVINGS if len(X) else 0):
        middle = (near + far) / 2
        tried = X + middle * (moved - X)
        changed = _is_verified(exact, tried, own).reshape(near.shape)
        near, far = torch.where(changed, near, middle), torch.where(changed, middle, far)
    return torch.where(far < 1, X + far * (moved - X), moved)
