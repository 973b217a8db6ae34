"""A faster twin of a module for passes without gradients: max-pooling by strided slices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from ...utils.compat import is_hooked
from ..private_copy import private_copy


def optimized_for_inference(module: nn.Module, example: Tensor) -> nn.Module:
    """A separate module in eval mode with the same outputs, faster, for use without gradients.

    Parameters
    ----------
    module : torch.nn.Module
        Not modified. Parameters and buffers that are left as they are, are shared with it, so
        make a new twin after each change of the module.
    example : Tensor of shape (n, ...)
        A few inputs of the module, on which the twin is compared with it.

    Returns
    -------
    twin : torch.nn.Module
        `module` itself where nothing can be gained, it cannot be copied, or the twin's
        outputs differ.

    Notes
    -----
    On a CPU, 2×2 max-pooling is the maximum of strided slices, which torch vectorises as it does
    not its own max-pooling; a ReLU before it moves behind it, a quarter of the work. Where values
    tie, the gradient would be another one: hence the restriction to passes without gradients.
    Which layer reads which is seen in one run, without tracing, so this works on any module; what
    one run may miss (another reader of the same output) is caught by the comparison.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.passes.shortcuts.pooling import optimized_for_inference
    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2)).eval()
    >>> X = torch.rand(4, 1, 8, 8)
    >>> twin = optimized_for_inference(module, X)
    >>> [type(layer).__name__ for layer in twin]
    ['Conv2d', 'Identity', 'SliceMax']
    >>> with torch.inference_mode():
    ...     torch.allclose(twin(X), module(X), atol=1e-5)
    True
    """
    twin = private_copy(module) if any(map(is_sliceable, module.modules())) else None
    if twin is None:
        return module
    with torch.no_grad():
        return twin if optimize_copy(twin, example) else module


def same_outputs(compute: Callable[[], Iterable[Tensor]], expected: Iterable[Tensor]) -> bool:
    """Whether `compute` gives the expected outputs, but for float32 rounding, and no error."""
    try:
        found = list(compute())
    except Exception:  # the code asks a replaced layer for what it does not have
        return False
    return all(map(_close, found, expected))


def _close(found: Tensor, expected: Tensor) -> bool:
    largest = float(expected.abs().max()) if expected.numel() else 0.0
    if not largest < float("inf"):
        return False  # infinite or NaN: nothing to compare
    return found.shape == expected.shape and torch.allclose(
        found, expected, rtol=1e-5, atol=1e-5 * max(largest, 1e-3)
    )


def is_sliceable(sub: Any) -> bool:
    """Whether a layer is plain 2×2 max-pooling with stride 2."""
    return (
        type(sub) is nn.MaxPool2d
        and sub.kernel_size in (2, (2, 2))
        and sub.stride in (2, (2, 2))
        and sub.padding in (0, (0, 0))
        and sub.dilation in (1, (1, 1))
        and not sub.ceil_mode
        and not sub.return_indices
    )


class SliceMax(nn.Module):
    """2×2 max-pooling as the maximum of strided slices, of the positive parts if `relu`."""

    def __init__(self, relu: bool = False) -> None:
        super().__init__()
        self.relu = relu

    def forward(self, X: Tensor) -> Tensor:
        """``(..., h, w)`` to ``(..., h // 2, w // 2)``."""
        X = X[..., : X.shape[-2] // 2 * 2, : X.shape[-1] // 2 * 2]
        rows = torch.maximum(X[..., ::2, :], X[..., 1::2, :])
        pooled = torch.maximum(rows[..., ::2], rows[..., 1::2])
        return pooled.relu_() if self.relu else pooled


def optimize_copy(twin: nn.Module, example: Tensor) -> bool:
    """Replace layers of a private copy where its output stays the same.

    Layers with hooks of their own stay as they are. Returns whether any was replaced.
    """
    expected = [twin(example)]
    groups = _replacements(twin, example)

    def accept(group: dict[nn.Module, nn.Module]) -> bool:
        _swap(twin, group)
        same = same_outputs(lambda: [twin(example)], expected)
        if not same:
            _swap(twin, {new: old for old, new in group.items()})
        return same

    together: dict[nn.Module, nn.Module] = {}
    for group in groups:
        if together.keys().isdisjoint(group):
            together |= group
    if together and accept(together):
        return True
    return sum([accept(group) for group in groups]) > 0


def _replacements(twin: nn.Module, example: Tensor) -> list[dict[nn.Module, nn.Module]]:
    """Groups of layers and what replaces them, the larger ones first."""
    if example.device.type != "cpu":
        return []  # a GPU has nothing against pooling
    calls, pairs = _calls_and_pairs(twin, example)
    groups: list[dict[nn.Module, nn.Module]] = [
        {relu: nn.Identity(), pool: SliceMax(relu=True)}
        for relu, pool in pairs
        if calls[relu] == calls[pool] == 1
    ]
    return groups + [{sub: SliceMax()} for sub in calls if is_sliceable(sub)]


def _swap(twin: nn.Module, replacements: dict[nn.Module, nn.Module]) -> None:
    for name, sub in list(twin.named_modules(remove_duplicate=False)):
        if name and sub in replacements:
            twin.set_submodule(name, replacements[sub])


def _calls_and_pairs(
    twin: nn.Module, example: Tensor
) -> tuple[Counter[nn.Module], list[tuple[Any, Any]]]:
    """How often ReLUs and pools are executed, and which pool reads which ReLU's output."""
    calls: Counter[nn.Module] = Counter()
    made_by: dict[int, tuple[Any, Any]] = {}  # the tensors too: else another may get their id
    pairs: list[tuple[Any, Any]] = []

    def note(sub: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls[sub] += 1
        if id(inputs[0]) in made_by and not isinstance(sub, nn.ReLU):
            pairs.append((made_by[id(inputs[0])][0], sub))
        if isinstance(sub, nn.ReLU):
            made_by[id(output)] = (sub, output)

    kinds = [sub for sub in twin.modules() if type(sub) is nn.ReLU or is_sliceable(sub)]
    tracked = [sub for sub in kinds if not is_hooked(sub)]
    handles = [sub.register_forward_hook(note) for sub in tracked]
    try:
        twin(example)
    finally:
        for handle in handles:
            handle.remove()
    return calls, pairs
