"""A faster twin of a module for passes without gradients: folded BatchNorm, sliced max-pooling."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from ..utils.modules import module_device, untouched

_FUSE: dict[tuple[type, type], Callable[..., nn.Module]] = {
    (nn.Conv1d, nn.BatchNorm1d): fuse_conv_bn_eval,
    (nn.Conv2d, nn.BatchNorm2d): fuse_conv_bn_eval,
    (nn.Conv3d, nn.BatchNorm3d): fuse_conv_bn_eval,
    (nn.Linear, nn.BatchNorm1d): fuse_linear_bn_eval,
}


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
    BatchNorm that reads the output of a convolution or linear layer becomes part of its weights.
    On a CPU, 2×2 max-pooling is the maximum of strided slices, which torch vectorises as it does
    not its own max-pooling. Its gradient would be another one where values tie, hence the
    restriction to passes without gradients. No tracing is involved, so this works on any module:
    what follows what is seen in one run, and what that may miss is caught by the comparison.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skactive.kernels.folding import optimized_for_inference
    >>> module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2)).eval()
    >>> X = torch.rand(4, 1, 8, 8)
    >>> twin = optimized_for_inference(module, X)
    >>> [type(layer).__name__ for layer in twin]
    ['Conv2d', 'Identity', 'SliceMax']
    >>> with torch.inference_mode():
    ...     torch.allclose(twin(X), module(X), atol=1e-5)
    True
    """
    with torch.no_grad(), untouched(module, freeze=False):
        if not _gains(module):
            return module
        twin = private_copy(module)
        if twin is None:
            return module
        expected = module(example)
        _replace(twin, _sliced_pools(twin) | _folded_norms(twin, example))
        return twin if same_outputs(twin(example), expected) else module


def private_copy(module: nn.Module) -> nn.Module | None:
    """A copy in eval mode that shares parameters and buffers, or None where that fails."""
    shared = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    try:
        return copy.deepcopy(module, shared).eval()
    except Exception:  # whatever the module's owner keeps in it: locks, files, graphs
        return None


def same_outputs(found: Tensor, expected: Tensor) -> bool:
    """Whether two outputs are equal but for float32 rounding."""
    if found.shape != expected.shape:
        return False
    scale = float(expected.abs().max()) if expected.numel() else 0.0
    return torch.allclose(found, expected, rtol=1e-5, atol=1e-5 * max(scale, 1e-3))


class SliceMax(nn.Module):
    """2×2 max-pooling as the maximum of strided slices."""

    def forward(self, X: Tensor) -> Tensor:
        """``(..., h, w)`` to ``(..., h // 2, w // 2)``."""
        X = X[..., : X.shape[-2] // 2 * 2, : X.shape[-1] // 2 * 2]
        rows = torch.maximum(X[..., ::2, :], X[..., 1::2, :])
        return torch.maximum(rows[..., ::2], rows[..., 1::2])


def _gains(module: nn.Module) -> bool:
    kinds = tuple(norm for _, norm in _FUSE)
    return any(_is_sliceable(sub) or isinstance(sub, kinds) for sub in module.modules())


def _is_sliceable(sub: nn.Module) -> bool:
    return (
        type(sub) is nn.MaxPool2d
        and sub.kernel_size in (2, (2, 2))
        and sub.stride in (2, (2, 2))
        and sub.padding in (0, (0, 0))
        and sub.dilation in (1, (1, 1))
        and not (sub.ceil_mode or sub.return_indices)
    )


def _sliced_pools(twin: nn.Module) -> dict[nn.Module, nn.Module]:
    if module_device(twin).type != "cpu":
        return {}  # a GPU has nothing against pooling
    return {sub: SliceMax() for sub in twin.modules() if _is_sliceable(sub) and not _hooked(sub)}


def _folded_norms(twin: nn.Module, example: Tensor) -> dict[nn.Module, nn.Module]:
    """Replacements of each convolution or linear layer and the BatchNorm that reads it."""
    calls: Counter[nn.Module] = Counter()
    made_by: dict[int, tuple[Any, Any]] = {}  # the tensors too: else another may get their id
    pairs: list[tuple[Any, Any]] = []

    def note(sub: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        calls[sub] += 1
        before, _ = made_by.get(id(inputs[0]), (None, None))
        if before is not None and (type(before), type(sub)) in _FUSE:
            pairs.append((before, sub))
        made_by[id(output)] = (sub, output)

    kinds = tuple({kind for pair in _FUSE for kind in pair})
    tracked = [sub for sub in twin.modules() if type(sub) in kinds and not _hooked(sub)]
    handles = [sub.register_forward_hook(note) for sub in tracked]
    try:
        twin(example)
    finally:
        for handle in handles:
            handle.remove()
    replacements: dict[nn.Module, nn.Module] = {}
    for layer, norm in pairs:
        if calls[layer] == calls[norm] == 1 and norm.running_mean is not None:
            fuse = _FUSE[type(layer), type(norm)]
            replacements |= {layer: fuse(layer, norm), norm: nn.Identity()}
    return replacements


def _hooked(sub: nn.Module) -> bool:
    return bool(sub._forward_hooks or sub._forward_pre_hooks or hasattr(sub, "parametrizations"))


def _replace(twin: nn.Module, replacements: dict[nn.Module, nn.Module]) -> None:
    for parent in list(twin.modules()):
        for name, child in parent._modules.items():
            if child in replacements:
                parent._modules[name] = replacements[child]
