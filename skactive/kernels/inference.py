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
from ..utils.modules import untouched


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
    ValueError
        If the module returns NaN, or has no linear layer whose input could be the embedding.
    """
    rows = Rows.of(X)
    outputs: list[NDArray | None] = [None, None]
    with torch.inference_mode(), untouched(module, freeze=False):
        for window, batch in rows.batches(batch_size):
            inputs = prepare(batch)
            parts: list[Tensor]
            if embedding:
                with last_linear_input(module) as seen:
                    logits = module(inputs)
                parts = [logits, seen.value.flatten(1)]
            else:
                parts = [module(inputs)]
            for i, part in enumerate(parts):
                block = part.float().cpu().numpy()
                whole = outputs[i]
                if whole is None:
                    whole = outputs[i] = np.empty((len(rows), *block.shape[1:]), np.float32)
                whole[window] = block
    logits_out = outputs[0]
    if logits_out is None:
        logits_out = np.empty((0, 0), np.float32)
    if np.isnan(logits_out).any():
        bad = int(np.isnan(logits_out).any(axis=1).sum())
        raise ValueError(
            f"The model returned NaN for {bad} of {len(rows)} samples. Either X holds NaN or "
            "infinite values, or the training has diverged (try a smaller learning rate)."
        )
    return logits_out, outputs[1]


class _Seen:
    """What the hook saw last: a linear layer and its input."""

    layer: nn.Module
    value: Tensor


@contextlib.contextmanager
def last_linear_input(module: nn.Module) -> Iterator[_Seen]:
    """Note the input of the linear layer that is executed last inside the block."""
    linear = [sub for sub in module.modules() if isinstance(sub, nn.Linear)]
    if not linear:
        raise ValueError(
            f"{type(module).__name__} has no nn.Linear layer, whose input is the embedding. Use "
            "another embedding ('proba', 'input' or a function)."
        )
    seen = _Seen()

    def note(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.layer, seen.value = layer, inputs[0].detach()

    handles = [sub.register_forward_pre_hook(note) for sub in linear]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
