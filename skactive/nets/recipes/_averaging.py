"""Averages of the weights over a training: exponential (EMA) and stochastic (SWA)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from ...utils.compat import BATCH_NORMS


class WeightAverage:
    """Average weights beside the trained ones.

    Parameters
    ----------
    module : torch.nn.Module
    kind : {"ema", "swa"}
        ``"ema"`` averages after each update, ``"swa"`` after each epoch from `start` on.
    decay : float
        Of the EMA; in the first updates smaller, min(decay, (1 + t) / (10 + t)), so that
        the initial weights do not stay in short trainings.
    start : int
        First epoch, counted from 1, that SWA averages.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI
    2018; EMA in adversarial training: Rebuffi et al., arXiv 2103.01946.
    """

    def __init__(self, module: nn.Module, kind: str, decay: float, start: int) -> None:
        self.kind = kind
        self.start = start

        def ema(average: Tensor, current: Tensor, count: Any) -> Tensor:
            count = float(count)
            rate = min(decay, (1 + count) / (10 + count))
            return average + (1 - rate) * (current - average)

        # Buffers are copied, not averaged: BatchNorm's statistics are averages already.
        self.model = AveragedModel(module, avg_fn=ema if kind == "ema" else None)

    def after_update(self, module: nn.Module) -> None:
        """Note the weights after a step of the optimiser."""
        if self.kind == "ema":
            self._note(module)

    def after_epoch(self, module: nn.Module, epoch: int) -> None:
        """Note the weights at the end of an epoch."""
        if self.kind == "swa" and epoch >= self.start:
            self._note(module)

    def _note(self, module: nn.Module) -> None:
        self.model.update_parameters(module)
        with torch.no_grad():
            for mine, theirs in zip(self.model.module.buffers(), module.buffers(), strict=True):
                mine.copy_(theirs)

    @property
    def ready(self) -> bool:
        """Whether anything was averaged yet."""
        return int(self.model.n_averaged) > 0

    @property
    def module(self) -> nn.Module:
        """The module with averaged weights."""
        return self.model.module

    def renew_statistics(self, batches: Callable[[nn.Module], Iterable[Tensor]]) -> None:
        """Compute BatchNorm's statistics for weights averaged by SWA, which none were seen with."""
        has_norm = any(isinstance(sub, BATCH_NORMS) for sub in self.module.modules())
        if self.kind == "swa" and self.ready and has_norm:
            update_bn(batches(self.module), self.module)

    def hand_over(self, module: nn.Module) -> None:
        """Give `module` the averaged weights."""
        if self.ready:
            module.load_state_dict(self.module.state_dict())
