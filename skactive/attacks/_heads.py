"""What an attacked module returns: checked once a call, and turned into logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..passes.logits import LogProbabilities

_ROWS = 2


def logits_head(module: nn.Module, X: Tensor, y: Tensor | None = None) -> nn.Module:
    """`module`, or for one that returns probabilities a wrapper that returns their logarithms.

    Probabilities shrink gradients to nothing where the module is confident and make distances
    to the boundary meaningless; their logarithms serve as logits do. A module that overwrites its
    input is given copies: steps and gradients are taken of the input as it was.

    Raises
    ------
    ValueError
        If the module returns anything but one finite score per class, or `y` holds a class
        that it does not have.
    """
    with torch.no_grad():
        output = module(given := X[:_ROWS].clone())
    n_rows = min(_ROWS, len(X))
    shape = tuple(getattr(output, "shape", ()))
    if len(shape) != 2 or shape[0] != n_rows or shape[1] < 2:
        raise ValueError(
            f"The module must return logits of shape (n, n_classes) with at least two classes; for "
            f"{n_rows} samples it returned {shape or type(output).__name__}."
        )
    if torch.isnan(output).any():
        raise ValueError(
            "The module returned NaN: its training has diverged, or its inputs were scaled wrongly."
        )
    if y is not None and len(y) and (int(y.min()) < 0 or int(y.max()) >= shape[1]):
        raise ValueError(
            f"y holds class {int(y.max() if y.max() >= shape[1] else y.min())}, but the module has "
            f"{shape[1]} classes, 0 to {shape[1] - 1}."
        )
    head = LogProbabilities(module) if _are_probabilities(output) else module
    return head if torch.equal(given, X[:_ROWS]) else OnCopies(head)


class OnCopies(nn.Module):
    """A module that may overwrite its input, given a copy."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, X: Tensor) -> Tensor:
        """What the module makes of the input."""
        return self.module(X.clone())


def are_log_probabilities(output: Tensor) -> bool:
    """Whether rows are logarithms of probabilities."""
    return bool((output <= 0).all()) and _sum_to_one(output.exp())


def _are_probabilities(output: Tensor) -> bool:
    return bool((output >= 0).all()) and _sum_to_one(output)


def _sum_to_one(proba: Tensor) -> bool:
    total = proba.double().sum(dim=1)
    return torch.allclose(total, torch.ones_like(total), atol=1e-4)
