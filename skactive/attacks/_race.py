"""Give up attacks whose result can no longer matter."""

from __future__ import annotations

import torch
from torch import Tensor


class Race:
    """The n shortest distances found so far, and from where on a sample is out.

    Parameters
    ----------
    n : int
        How many are wanted.
    limit : float, default=inf
        The n-th shortest distance of a race before, some of whose samples may take part again.
    steepest : float, default=0.0
        Largest slope met there.

    Attributes
    ----------
    steepest : float
        Largest slope ‖∇f_k − ∇f_y‖ met on any path.
    """

    # A path may turn back a little: its overshoot, and what clipping takes away.
    _SLACK = 1.05

    def __init__(self, n: int, limit: float = float("inf"), steepest: float = 0.0) -> None:
        self.n = n
        self.limit = limit
        self.steepest = steepest
        self._best = torch.empty(0)

    def step(self, arrived: Tensor, so_far: Tensor, steepest: Tensor) -> Tensor:
        """Note distances of samples that have arrived; return which of the others are out."""
        self.steepest = max(self.steepest, float(steepest.max()))
        if len(arrived):
            self._best = torch.cat([self._best, arrived.cpu()]).sort().values[: self.n]
        return so_far > self._SLACK * self.worst

    @property
    def worst(self) -> float:
        """Distance of the n-th best so far, the limit before there are n."""
        return min(self.limit, float(self._best[-1])) if len(self._best) == self.n else self.limit
