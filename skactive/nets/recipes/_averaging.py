"""Averages of the weights beside the trained ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ._recipe import Recipe


class Averaging(Recipe):
    """Base of recipes whose net gets averaged weights when training ends.

    Whatever judges an epoch judges the average; BatchNorm's statistics are averages already and
    are those of the trained net. Costs one more copy of the weights.
    """

    # How an average moves towards present weights; None is the mean of all.
    _step: Callable[[Tensor, Tensor, Any], Tensor] | None = None

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Begin with nothing averaged."""
        self.average_ = AveragedModel(net.module_, avg_fn=self._step)

    def _note(self, module: nn.Module) -> None:
        self.average_.update_parameters(module)
        with torch.no_grad():
            for mine, theirs in zip(self.average_.module.buffers(), module.buffers(), strict=True):
                mine.copy_(theirs)

    def judged_module(self, net: Any) -> nn.Module | None:
        """The module with averaged weights, once there are some."""
        average = getattr(self, "average_", None)
        return average.module if average is not None and int(average.n_averaged) else None
