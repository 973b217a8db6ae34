"""What layers hold beside parameters and buffers, where a new layer of the class has it otherwise.

A dropout rate that was changed, a projection that nobody registered, a mean that `forward` updates.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor, equal, nn, strided

from ..exceptions import UnsavableError
from ..utils.compat import module_attributes
from ._codec import Decoder, Encoder
from ._tensors import named_tensors

_PLAIN = (bool, int, float, str, type(None))
_CONTAINERS = (list, tuple, set, frozenset, dict)


def aliases(module: nn.Module) -> dict[str, dict[str, str]]:
    """Plain attributes that are a registered tensor, by layer: a training changes both as one."""
    names = {id(tensor): name for name, tensor in named_tensors(module).items()}
    found = {
        path: {
            name: names[id(value)]
            for name, value in module_attributes(layer).state.items()
            if id(value) in names
        }
        for path, layer in module.named_modules()
    }
    return {path: own for path, own in found.items() if own}


def restore_aliases(module: nn.Module, found: dict[str, dict[str, str]]) -> None:
    """Make them one tensor again.

    Raises
    ------
    ValueError
        If one stands for a method: no layer was saved so.
    """
    layers, registered = dict(module.named_modules()), named_tensors(module)
    for path, own in found.items():
        for name, tensor in own.items():
            _give(layers, path, name, registered[tensor])


def changed_attributes(part: nn.Module, fresh: nn.Module, encoder: Encoder) -> dict:
    """Data of layers that differ from a new one's, by the layer's path and their names.

    Raises
    ------
    UnsavableError
        If layers that are not registered, such as in a list, have other weights than new ones.
    """
    others, changed = dict(fresh.named_modules()), {}
    views, fresh_views, layers = _storages(part), _storages(fresh), set(part.modules())
    for path, layer in part.named_modules():
        other = vars(others[path]) if path in others else {}
        own = {}
        for name, value in module_attributes(layer).state.items():
            there = other.get(name)
            if not _holds_same_layers(value, there, layers):
                _refuse_unknown_layers(f"{path}.{name}".strip("."), encoder)
            if not _is_data(value) or (name in other and _same(value, there)):
                continue
            if _shares(value, views) and _shares(there, fresh_views):
                continue  # another name of a parameter or buffer, and so it will be
            own[name] = encoder.encode(value, name)
        if own:
            changed[path] = own
    return changed


def restore_attributes(layers: dict[str, nn.Module], changed: dict, decoder: Decoder) -> None:
    """Give them to layers, by path.

    Raises
    ------
    ValueError
        If one is no data, or stands for a method: no layer was saved so.
    """
    for path, attributes in changed.items():
        for name, node in attributes.items():
            value = decoder.decode(node)
            if not _is_data(value):
                raise ValueError(f"{path} is given {name}, which no layer can be")
            _give(layers, path, name, value)


def _give(layers: dict[str, nn.Module], path: str, name: str, value: Any) -> None:
    if callable(getattr(type(layers[path]), name, None)):
        raise ValueError(f"{path} is given {name}, which no layer can be")
    object.__setattr__(layers[path], name, value)


def _is_data(value: Any) -> bool:
    if isinstance(value, (Tensor, *_PLAIN)):
        return True
    if isinstance(value, np.ndarray | np.generic):
        return not value.dtype.hasobject
    # Of their own kind, too: torch.Size, named tuples.
    return isinstance(value, _CONTAINERS) and all(map(_is_data, _items(value)))


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from value
        yield from value.values()
    else:
        yield from value


def _same(value: Any, other: Any) -> bool:
    if type(value) is not type(other):
        return False
    if isinstance(value, Tensor):
        kinds = [(one.dtype, one.shape, one.device, one.layout) for one in (value, other)]
        return kinds[0] == kinds[1] and equal(value.to_dense(), other.to_dense())
    if isinstance(value, np.ndarray):
        return value.dtype == other.dtype and np.array_equal(value, other)
    if isinstance(value, dict):
        return list(value) == list(other) and all(_same(value[key], other[key]) for key in value)
    if isinstance(value, list | tuple):
        return len(value) == len(other) and all(map(_same, value, other))
    return bool(value == other)


def _storages(module: nn.Module) -> set[int]:
    return {tensor.untyped_storage().data_ptr() for tensor in named_tensors(module).values()}


def _shares(value: Any, storages: set[int]) -> bool:
    dense = isinstance(value, Tensor) and value.layout == strided
    return dense and value.untyped_storage().data_ptr() in storages


def _holds_same_layers(value: Any, other: Any, layers: set[nn.Module]) -> bool:
    """Whether layers that torch does not know of have the weights of a new one's."""
    if isinstance(value, nn.Module) and value not in layers:
        new = named_tensors(other) if isinstance(other, nn.Module) else {}
        return _same(named_tensors(value), new)
    if not isinstance(value, _CONTAINERS):
        return True
    own_items = list(_items(value))
    others = list(_items(other)) if type(other) is type(value) else []
    others += [None] * (len(own_items) - len(others))
    return all(
        _holds_same_layers(item, there, layers)
        for item, there in zip(own_items, others, strict=False)
    )


def _refuse_unknown_layers(where: str, encoder: Encoder) -> None:
    raise UnsavableError(
        f"{encoder.where} holds layers in {where} that torch does not know of, and whose weights "
        "would be lost: nothing trains them either. Put them in an nn.ModuleList or nn.ModuleDict."
    )
