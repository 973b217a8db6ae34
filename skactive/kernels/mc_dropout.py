"""Monte-Carlo dropout: sampled networks, also for modules that have no dropout."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..utils.indexing import Rows
from ..utils.modules import untouched

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
_PER_CHANNEL = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def mc_dropout_proba(
    module: nn.Module,
    X: Any,
    prepare: Callable[[Any], Tensor],
    *,
    n_passes: int = 10,
    rate: float = 0.1,
    seed: int = 0,
    batch_size: int = 512,
) -> NDArray:
    """Class probabilities of `n_passes` networks sampled by dropout.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits. Its own dropout layers are used, with their own rates; a module
        without any gets dropout of rate `rate` after every ReLU of its convolutional part
        (after every ReLU before the last linear layer if it has no convolutions). ReLUs must
        be ``nn.ReLU`` modules: a functional ``F.relu`` cannot be hooked.
    X : any container or Rows
    prepare : callable
        Rows -> what the module reads, on its device.
    n_passes : int, default=10
    rate : float, default=0.1
    seed : int, default=0
    batch_size : int, default=512

    Returns
    -------
    proba : ndarray of shape (n_passes, n, n_classes), float32

    Raises
    ------
    ValueError
        If the module has neither dropout layers nor ReLU modules, or returns NaN.

    Notes
    -----
    One mask per pass is shared by all samples, so that a pass is *one* network, as in
    BALD's formula, and the result depends neither on the batch size nor on the order of the
    pool. Everything else runs in eval mode; hooks, modes, BatchNorm statistics and torch's
    generators are as before afterwards.
    """
    rows = Rows.of(X)
    proba: NDArray | None = None
    with torch.inference_mode(), untouched(module, freeze=False):
        first = prepare(rows.take(slice(0, 1)))
        points = _stochastic_points(module, first, rate)
        masks = [_Masks(seed, number) for number in range(n_passes)]
        for window, batch in rows.batches(batch_size):
            inputs = prepare(batch)
            for number, mask in enumerate(masks):
                with _dropping(points, mask):
                    sampled = torch.softmax(module(inputs).float(), dim=1)
                if proba is None:
                    proba = np.empty((n_passes, len(rows), sampled.shape[1]), np.float32)
                proba[number, window] = sampled.cpu().numpy()
    assert proba is not None
    if np.isnan(proba).any():
        raise ValueError(
            "The model returned NaN under dropout. Either X holds NaN or infinite values, or the "
            "training has diverged (try a smaller learning rate)."
        )
    return proba


def _stochastic_points(
    module: nn.Module, first: Tensor, rate: float
) -> list[tuple[nn.Module, float, bool]]:
    """Modules whose output is to be dropped: (module, rate, whole channels?)."""
    own = [sub for sub in module.modules() if isinstance(sub, _DROPOUTS) and sub.p > 0]
    if own:
        return [(sub, sub.p, isinstance(sub, _PER_CHANNEL)) for sub in own]
    order = _execution_order(module, first)
    linear = [i for i, sub in enumerate(order) if isinstance(sub, nn.Linear)]
    if any(isinstance(sub, _CONVOLUTIONS) for sub in order):
        end = linear[0] if linear else len(order)
    else:
        end = linear[-1] if linear else len(order)
    relus = dict.fromkeys(sub for sub in order[:end] if isinstance(sub, nn.ReLU))
    if not relus:
        raise ValueError(
            f"{type(module).__name__} has neither dropout layers nor nn.ReLU modules after which "
            "dropout could be injected (a functional F.relu cannot be hooked). Add nn.Dropout "
            "layers, or use nn.ReLU modules."
        )
    return [(sub, rate, False) for sub in relus]


def _execution_order(module: nn.Module, first: Tensor) -> list[nn.Module]:
    order: list[nn.Module] = []
    kinds = (nn.ReLU, nn.Linear, *_CONVOLUTIONS)
    handles = [
        sub.register_forward_hook(lambda sub, *_: order.append(sub))
        for sub in module.modules()
        if isinstance(sub, kinds)
    ]
    try:
        module(first)
    finally:
        for handle in handles:
            handle.remove()
    return order


class _Masks:
    """The masks of one pass, drawn when they are first asked for, in order of execution."""

    def __init__(self, seed: int, number: int) -> None:
        self.generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
        self.drawn: list[Tensor] = []
        self.call = 0

    def next(self, output: Tensor, rate: float, per_channel: bool) -> Tensor:
        if self.call == len(self.drawn):
            shape = output.shape[1:2] if per_channel else output.shape[1:]
            keep = torch.rand(shape, generator=self.generator) >= rate
            mask = keep.to(output) / (1 - rate)
            if per_channel:
                mask = mask.view(-1, *[1] * (output.dim() - 2))
            self.drawn.append(mask)
        self.call += 1
        return self.drawn[self.call - 1]


@contextlib.contextmanager
def _dropping(points: list[tuple[nn.Module, float, bool]], masks: _Masks) -> Iterator[None]:
    masks.call = 0
    handles = []
    try:
        for sub, rate, per_channel in points:

            def drop(
                _: nn.Module,
                __: Any,
                output: Tensor,
                rate: float = rate,
                per_channel: bool = per_channel,
            ) -> Tensor:
                return output * masks.next(output, rate, per_channel)

            handles.append(sub.register_forward_hook(drop))
        yield
    finally:
        for handle in handles:
            handle.remove()
