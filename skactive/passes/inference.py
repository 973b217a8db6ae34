"""One batched pass of a module over a pool: logits, and the last layer's input with them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..utils.indexing import Rows
from .modules import untouched
from .precision import in_float32
from .shortcuts.pooling import optimized_for_inference

_MANY_ROWS = 1024  # from here on a faster twin pays for itself
_EXAMPLES = 8


@in_float32()
def forward_in_batches(
    module: nn.Module,
    X: Any,
    prepare: Callable[[Any], Tensor],
    *,
    batch_size: int = 512,
    embedding: bool = False,
) -> tuple[NDArray, NDArray | None]:
    """Logits of all rows, in eval mode and without gradients; the module is left as it was.

    Parameters
    ----------
    module : torch.nn.Module
    X : any container or Rows
        Walked in batches, never copied whole.
    prepare : callable
        Rows of the container -> what the module reads, on its device.
    batch_size : int, default=512
    embedding : bool, default=False
        Also return the input of the last linear layer.

    Returns
    -------
    logits : ndarray of shape (n, n_outputs), float32
    embeddings : ndarray of shape (n, d), float32, or None

    Raises
    ------
    NoSuchLayer
        If `embedding`, and the module executes no linear layer.
    ValueError
        If the module returns NaN.
    TypeError
        If the module returns anything but a tensor.

    Examples
    --------
    >>> import numpy as np, torch
    >>> from torch import nn
    >>> from skactive.passes.inference import forward_in_batches
    >>> module = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    >>> X = np.ones((10, 5), dtype=np.float32)
    >>> logits, embeddings = forward_in_batches(module, X, torch.from_numpy, embedding=True)
    >>> logits.shape, embeddings.shape
    ((10, 3), (10, 4))
    """
    rows = Rows.of(X)
    outputs: list[NDArray | None] = [None, None]
    with torch.inference_mode(), untouched(module, freeze=False) as plain:
        net = _fastest(plain, rows, prepare)
        observed = last_linear_input(net) if embedding else contextlib.nullcontext()
        with observed as seen:
            for window, batch in rows.batches(batch_size):
                parts = [_checked(net(prepare(batch)))]
                if seen is not None:
                    parts.append(seen.value.flatten(1))
                for i, part in enumerate(parts):
                    block = part.float().cpu().numpy()
                    whole = outputs[i]
                    if whole is None:
                        whole = outputs[i] = np.empty((len(rows), *block.shape[1:]), np.float32)
                    whole[window] = block
    logits = outputs[0]
    if logits is None:
        logits = np.empty((0, 0), np.float32)
    check_not_diverged(logits)
    return logits, outputs[1]


def check_not_diverged(values: NDArray) -> None:
    """Raise a ValueError if any row of `values`, computed by a net, holds NaN."""
    bad = np.isnan(values).reshape(len(values), -1).any(axis=1) if values.size else np.zeros(0)
    if bad.any():
        raise ValueError(
            f"The model returned NaN for {int(bad.sum())} of {len(values)} samples. Either X holds "
            "NaN or infinite values, or the training has diverged (try a smaller learning rate)."
        )


def _fastest(module: nn.Module, rows: Rows, prepare: Callable[[Any], Tensor]) -> nn.Module:
    """The module, or its faster twin if there are rows enough to pay for making it."""
    if len(rows) < _MANY_ROWS:
        return module
    return optimized_for_inference(module, prepare(rows.take(slice(0, _EXAMPLES))))


def _checked(output: Any) -> Tensor:
    if isinstance(output, Tensor):
        return output
    raise TypeError(
        f"The module must return a tensor of logits, one column per class; it returned "
        f"{type(output).__name__}. Wrap it in one that returns the logits alone."
    )


class NoSuchLayer(ValueError):
    """The module lacks the layers that something asks for."""


class _Seen:
    """The linear layer that was executed last, and its input."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: tuple[nn.Module, Tensor] | None = None

    def note(self, layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._last = layer, inputs[0].detach()

    @property
    def layer(self) -> nn.Module:
        return self._get()[0]

    @property
    def value(self) -> Tensor:
        return self._get()[1]

    def _get(self) -> tuple[nn.Module, Tensor]:
        if self._last is None:
            raise self.missing()
        return self._last

    def missing(self) -> NoSuchLayer:
        return NoSuchLayer(
            f"{self._name} executes no nn.Linear layer, whose input is the embedding. Use "
            "another embedding ('proba', 'input' or a function)."
        )


@contextlib.contextmanager
def last_linear_input(module: nn.Module) -> Iterator[_Seen]:
    """Note the input of the linear layer that is executed last inside the block.

    Yields an object whose ``layer`` and ``value`` are that layer and its input. Raises
    `NoSuchLayer` if the module has none, and on reading them if none was executed. The hooks
    are gone after the block.
    """
    seen = _Seen(type(module).__name__)
    linear = [sub for sub in module.modules() if isinstance(sub, nn.Linear)]
    if not linear:
        raise seen.missing()
    handles = [sub.register_forward_pre_hook(seen.note) for sub in linear]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
