"""A module's structure copied, its weights shared: it can be run, hooked and patched at will."""

from __future__ import annotations

import copy
from collections import OrderedDict
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..utils.compat import is_compiled, tensors_of

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None), torch.dtype, torch.device})
_CONTAINERS = frozenset({list, tuple, dict, set, OrderedDict})
_AS_THEY_ARE = (Tensor, np.ndarray, type)


def private_copy(module: nn.Module, *, freeze: bool = False) -> nn.Module | None:
    """A copy in eval mode that shares parameters and buffers, or None where that fails.

    Parameters
    ----------
    module : torch.nn.Module
        Only read, so that several threads may copy it at once.
    freeze : bool, default=False
        Let no parameter of the copy require a gradient; their memory is shared all the same.

    Returns
    -------
    twin : torch.nn.Module or None
        ``None`` for compiled and scripted modules, and for those that hold what cannot be copied
        (locks, files) or a function that reaches the original by itself, past the copy.
    """
    try:
        subs = list(module.modules())
        memo = _shared(subs, freeze)
        return _deep(subs, memo) if _copies_itself(subs) else _quick(subs, memo)
    except Exception:  # whatever the module's owner keeps in it
        return None


class _NotCopyable(Exception):
    pass


def _shared(subs: list[nn.Module], freeze: bool) -> dict[int, Any]:
    """What is not copied: the memo of a deep copy."""
    memo: dict[int, Any] = {}
    for sub in subs:
        parameters, buffers = tensors_of(sub)
        memo.update({id(buffer): buffer for buffer in buffers})
        for parameter in parameters:
            if parameter is None or id(parameter) in memo:
                continue
            frozen = freeze and parameter.requires_grad
            memo[id(parameter)] = (
                nn.Parameter(parameter.detach(), requires_grad=False) if frozen else parameter
            )
    return memo


def _copies_itself(subs: list[nn.Module]) -> bool:
    """Whether parts of it have their own way of being copied; raise if they have none."""
    for sub in subs:
        if is_compiled(sub):
            raise _NotCopyable
    # That of a parametrized layer does what is done here.
    return any(
        hasattr(type(sub), "__deepcopy__") and not hasattr(sub, "parametrizations") for sub in subs
    )


def _deep(subs: list[nn.Module], memo: dict[int, Any]) -> nn.Module:
    for sub in subs:
        _refuse_reaching_out(list(sub.__dict__.values()))
    return copy.deepcopy(subs[0], memo).eval()


def _quick(subs: list[nn.Module], memo: dict[int, Any]) -> nn.Module:
    """As `copy.deepcopy`, faster: it is made for each batch of a training."""
    twins = [object.__new__(type(sub)) for sub in subs]
    memo.update({id(sub): twin for sub, twin in zip(subs, twins, strict=True)})
    for sub, twin in zip(subs, twins, strict=True):
        mine = twin.__dict__
        for name, value in list(sub.__dict__.items()):
            mine[name] = value if type(value) in _PLAIN else _copied(value, memo)
        mine["training"] = False
    return twins[0]


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    kind = type(value)
    if kind in _CONTAINERS and not value:
        return kind()
    if kind in _PLAIN:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, _AS_THEY_ARE):
        return value
    if kind in _CONTAINERS:
        if _is_plain(value):
            return value if kind is tuple else value.copy()
        if kind in (dict, OrderedDict):
            return kind((key, _copied(item, memo)) for key, item in value.items())
    _refuse_reaching_out(value)
    return copy.deepcopy(value, memo)


def _is_plain(values: Any) -> bool:
    if isinstance(values, dict):
        values = values.values()
    return all(type(value) in _PLAIN for value in values)


def _refuse_reaching_out(value: Any) -> None:
    """Raise if functions in it may know the module that is copied: they are never copied."""
    if isinstance(value, MethodType):
        value = value.__func__
    if isinstance(value, FunctionType):
        known = [cell.cell_contents for cell in value.__closure__ or ()]
        names = (value.__globals__.get(name) for name in value.__code__.co_names)
        if any(type(found) not in _PLAIN and not isinstance(found, type) for found in known) or any(
            isinstance(found, nn.Module) for found in names
        ):
            raise _NotCopyable
    elif isinstance(value, partial):
        _refuse_reaching_out([value.func, *value.args, *value.keywords.values()])
    elif isinstance(value, dict):
        _refuse_reaching_out(list(value.values()))
    elif isinstance(value, list | tuple | set) and not _is_plain(value):
        for item in value:
            _refuse_reaching_out(item)
