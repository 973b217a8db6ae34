"""Compute once what several passes over the same batch have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from torch import Tensor, nn


class Replay:
    """Outputs of the layers that are executed before given ones, kept for later passes.

    Parameters
    ----------
    net : torch.nn.Module
        A private copy: the ``forward`` of its layers is replaced.
    example : Tensor of shape (n, ...)
        Inputs, on which one run shows what is executed when.
    until : collection of torch.nn.Module
        Layers whose outputs change from pass to pass, by hooks. The first of them that is
        executed ends what passes have in common.

    Notes
    -----
    What stands between the layers in the code of a ``forward`` is computed in each pass, from the
    kept outputs. If it overwrites them, passes differ; compare one with a pass of the plain net.
    """

    def __init__(self, net: nn.Module, example: Tensor, until: Collection[nn.Module]) -> None:
        self._kept: dict[nn.Module, list[Tensor]] = {}
        self._calls: Counter[nn.Module] = Counter()
        self._recording = True
        for sub in _executed_before(net, example, until):
            sub.__dict__["forward"] = partial(self._forward, sub, sub.forward)

    def start(self, *, record: bool) -> None:
        """Begin a pass: the first one of a batch records, the others replay."""
        self._recording = record
        self._calls.clear()
        if record:
            self._kept = {}

    @property
    def n_floats(self) -> int:
        """Numbers kept."""
        distinct = {id(kept): kept.numel() for outputs in self._kept.values() for kept in outputs}
        return sum(distinct.values())

    def _forward(
        self, sub: nn.Module, compute: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        if self._recording:
            output = compute(*args, **kwargs)
            self._kept.setdefault(sub, []).append(output)
            return output
        self._calls[sub] += 1
        return self._kept[sub][self._calls[sub] - 1]


def _executed_before(
    net: nn.Module, example: Tensor, until: Collection[nn.Module]
) -> set[nn.Module]:
    """Outermost modules that are left for the last time before, or as, one of `until` is."""
    left: list[nn.Module] = []
    handles = [sub.register_forward_hook(lambda sub, *_: left.append(sub)) for sub in net.modules()]
    try:
        net(example)
    finally:
        for handle in handles:
            handle.remove()
    end = 1 + min((i for i, sub in enumerate(left) if sub in until), default=-1)
    found = set(left[:end]) - set(left[end:])
    inside = {sub for outer in found for sub in outer.modules() if sub is not outer}
    return found - inside
