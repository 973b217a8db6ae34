"""Attacks run in turn: each attacks only those whom the ones before it left."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..passes.precision import at_least_float32
from ._base import Attack


def attack_in_turn(
    parts: list[tuple[str, Attack]],
    module: nn.Module,
    X: Tensor,
    y: Tensor,
    predicted: Callable[[Tensor], Tensor],
    generator: torch.Generator,
    spared: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Attack a batch with one part after the other.

    Parameters
    ----------
    parts : list of (str, Attack)
        As of `Attack.parts`.
    module, X, y, generator
        As in a call of an attack.
    predicted : callable
        Class index of each sample of a batch: who is left is decided by it.
    spared : bool Tensor of shape (n,) or None, default=None
        Samples that are not attacked: it is known that nothing turns them.

    Returns
    -------
    X_adv : Tensor like `X`
        What turned a sample; the others as they were.
    left : dict of str to bool Tensor of shape (n,)
        Samples classified as `y`: ``"clean"`` first, then after each part.
    """
    attacked, still = at_least_float32(X.clone()), predicted(X) == y
    left = {"clean": still.clone()}
    for name, part in parts:
        rows = (still if spared is None else still & ~spared).nonzero()[:, 0]
        if len(rows):
            candidate = part(module, X[rows], y[rows], generator=generator)
            broken = predicted(candidate) != y[rows]
            attacked[rows[broken]] = candidate[broken]
            still[rows[broken]] = False
        left[name] = still.clone()
    return attacked, left
