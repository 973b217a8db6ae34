"""skorch nets: parameters, then weights, the optimiser's state and what else training left."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler
from skorch.history import History
from torch import Tensor, nn
from torch.optim import Optimizer

from ..exceptions import UnsavableError
from ..utils.alone import ALONE
from ..utils.compat import (
    metadata_requests,
    optimizer_names,
    part_names,
    set_metadata_requests,
    uncompiled,
)
from ..utils.random_state import guarded_draws, seeded_torch
from ._arrays import there
from ._attributes import changed_attributes, restore_attributes
from ._codec import Decoder, Encoder, Kinds, part_of
from ._names import known_name
from ._objects import decode_object, encode_object
from ._tensors import named_tensors, read_tensors, write_tensors

KINDS = Kinds()

# Made when a net is built.
_STRUCTURE = {
    "callbacks_", "prefixes_", "cuda_dependent_attributes_", "init_context_", "virtual_params_",
    "initialized_", "history_",
}  # fmt: skip


def _params(net: NeuralNet) -> dict[str, Any]:
    own = vars(net)
    return {n: value for n, value in own.items() if not n.endswith("_") and not n.startswith("_")}


def _learned(net: NeuralNet) -> dict[str, Any]:
    """Numbers, classes and the like that training left on a net."""
    apart = {*_STRUCTURE, *part_names(net), *optimizer_names(net)} if net.initialized_ else set()
    return {
        name: value
        for name, value in vars(net).items()
        if name.endswith("_") and name not in apart and not name.startswith("_")
    }


# -- writing ------------------------------------------------------------------------------------


def _encode_net(net: NeuralNet, encoder: Encoder) -> dict:
    node: dict[str, Any] = {
        "class": encoder.name(type(net)),
        "params": {name: encoder.encode(value, name) for name, value in _params(net).items()},
    }
    requests = metadata_requests(dict(vars(net)))
    if requests:
        node["requests"] = requests
    if not net.initialized_:
        return node
    learned = {name: encoder.encode(value, name) for name, value in _learned(net).items()}
    fresh = _fresh_parts(net)
    return {
        **node,
        "learned": learned,
        "parts": {n: _encode_part(getattr(net, n), fresh.get(n), n, encoder)
                  for n in part_names(net)},
        "optimizers": {n: _encode_optimizer(getattr(net, n), n, encoder)
                       for n in optimizer_names(net)},
        "history": encoder.encode(list(net.history_), "history_"),
        "callbacks": _encode_callbacks(net, encoder),
    }  # fmt: skip


def _fresh_parts(net: NeuralNet) -> dict[str, Any]:
    """Modules and criteria as they will be built for the weights to be put in."""
    made = {}
    with ALONE, guarded_draws(), seeded_torch(0):
        for name in part_names(net):
            kind = name.removesuffix("_")
            if hasattr(net, kind):
                made[name] = net.initialized_instance(getattr(net, kind), net.get_params_for(kind))
    return made


def _encode_part(part: Any, fresh: Any, name: str, encoder: Encoder) -> Any:
    if not isinstance(part, nn.Module):
        return None
    part = uncompiled(part)
    with part_of(encoder, name):
        tensors = named_tensors(part)
        if not isinstance(fresh, nn.Module):
            raise UnsavableError(f"{encoder.where} is not made of the net's parameters.")
        _check_same_shape(tensors, named_tensors(fresh), encoder)
        return {
            "tensors": write_tensors(tensors, encoder, "weights"),
            "frozen": [n for n, p in part.named_parameters() if not p.requires_grad],
            "training": [n for n, layer in part.named_modules() if layer.training],
            "changed": changed_attributes(part, fresh, encoder),
        }


def _check_same_shape(
    there: Mapping[str, Tensor], fresh: Mapping[str, Tensor], encoder: Any
) -> None:
    differing = sorted(set(there) ^ set(fresh)) or [
        name for name, tensor in there.items() if tensor.shape != fresh[name].shape
    ]
    if differing:
        raise UnsavableError(
            f"{encoder.where} is not what the net's parameters build: {differing[:5]} differ, so "
            "that its weights would find no place. Pass the changed module as an instance, "
            "AdversarialNetClassifier.from_module(net.module_, net.classes_)."
        )


def _encode_optimizer(optimizer: Any, name: str, encoder: Encoder) -> dict:
    """State as safetensors where it is tensors, the rest as data."""
    state = optimizer.state_dict()
    tensors, rest = {}, {}
    with part_of(encoder, name):
        for number, values in state["state"].items():
            kept = {}
            for entry, value in values.items():
                if type(value) is Tensor:
                    tensors[f"{number}.{entry}"] = value
                else:
                    kept[entry] = value
            rest[number] = kept
        return {
            "tensors": write_tensors(tensors, encoder, "optimizer"),
            "rest": encoder.encode(rest, "state"),
            "groups": encoder.encode(state["param_groups"], "param_groups"),
        }


def _encode_scheduler(callback: LRScheduler, encoder: Encoder) -> dict:
    """Without torch's scheduler, which is made anew when a training begins."""
    own = vars(callback)
    state = {name: value for name, value in own.items() if name != "lr_scheduler_"}
    return encode_object(callback, encoder, state)


def _encode_callbacks(net: NeuralNet, encoder: Encoder) -> dict:
    """What callbacks noted, by name; their parameters are the net's."""
    found = {}
    for name, callback in getattr(net, "callbacks_", ()):
        params = callback.get_params(deep=False)
        left_out = {*params, "lr_scheduler_"}
        state = {n: value for n, value in vars(callback).items() if n not in left_out}
        with part_of(encoder, name):
            found[name] = {n: encoder.encode(value, n) for n, value in state.items()}
    return found


# -- reading ------------------------------------------------------------------------------------


def _decode_net(node: dict, decoder: Decoder) -> NeuralNet:
    kind = decoder.resolver.find(node["class"])
    if not (isinstance(kind, type) and issubclass(kind, NeuralNet)):
        raise ValueError(f"{node['class']} is no class of nets")
    params = {name: decoder.decode(value) for name, value in node["params"].items()}
    for name, base in (("module", nn.Module), ("criterion", nn.Module), ("optimizer", Optimizer)):
        _check_kind(name, params.get(name), base)
    net: Any = kind(**_on_this_machine(params))
    if "requests" in node:
        set_metadata_requests(net, node["requests"])
    if "learned" not in node:
        return net
    learned = {name: decoder.decode(value) for name, value in node["learned"].items()}
    if any(not name.endswith("_") or name.startswith("_") for name in learned):
        raise ValueError("a net is given attributes that it does not learn")
    vars(net).update(learned)
    with ALONE, guarded_draws(), seeded_torch(0):
        net.initialize()
    for name, part in node["parts"].items():
        if name in part_names(net) and part is not None:
            _restore_part(getattr(net, name), part, decoder)
    for name in optimizer_names(net):
        _restore_optimizer(getattr(net, name), node["optimizers"][name], decoder)
    net.history_ = History(decoder.decode(node["history"]))
    callbacks = dict(net.callbacks_)
    for name, state in node["callbacks"].items():
        if name in callbacks:
            for key, value in state.items():
                setattr(callbacks[name], key, decoder.decode(value))
    vars(net).update(learned)
    return net


def _check_kind(name: str, value: Any, base: type) -> None:
    """Building a net calls these: they must be what they stand for, or the user's own."""
    while isinstance(value, functools.partial):
        value = value.func
    fits = isinstance(value, base) or (isinstance(value, type) and issubclass(value, base))
    listed = known_name(value) or known_name(type(value))
    if callable(value) and not fits and listed is not None:
        raise ValueError(f"a net has {listed} for its {name}")


def _on_this_machine(params: dict[str, Any]) -> dict[str, Any]:
    device = params.get("device")
    if device is None or there(device) == device:
        return params
    warnings.warn(
        f"The net was saved on {device!r}, which this machine does not have: it is loaded on the "
        "CPU. net.set_params(device=…) moves it.",
        stacklevel=2,
    )
    return {**params, "device": "cpu"}


def _restore_part(part: nn.Module, node: dict, decoder: Decoder) -> None:
    part = uncompiled(part)
    stored, own = read_tensors(node["tensors"], decoder), named_tensors(part)
    if set(stored) != set(own) or any(stored[n].shape != own[n].shape for n in own):
        names = sorted(set(stored) ^ set(own)) or [
            n for n in own if stored[n].shape != own[n].shape
        ]
        raise ValueError(
            f"its weights do not fit the module {type(part).__name__}: {names[:5]} differ. Was the "
            "class changed since, or another one passed?"
        )
    frozen, training = set(node["frozen"]), set(node["training"])
    with torch.no_grad():
        for name, tensor in own.items():
            if tensor.dtype != stored[name].dtype:
                tensor.data = tensor.data.to(stored[name].dtype)
            tensor.copy_(stored[name])
    for name, parameter in part.named_parameters():
        parameter.requires_grad_(name not in frozen)
    layers = dict(part.named_modules())
    for name, layer in layers.items():
        layer.training = name in training
    restore_attributes(layers, node["changed"], decoder)


def _restore_optimizer(optimizer: Any, node: dict, decoder: Decoder) -> None:
    state: dict[int, dict[str, Any]] = decoder.decode(node["rest"])
    for name, tensor in read_tensors(node["tensors"], decoder).items():
        number, _, entry = name.partition(".")
        state[int(number)][entry] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": decoder.decode(node["groups"])})


KINDS.add("rate scheduler", LRScheduler, _encode_scheduler, decode_object)
KINDS.add("net", NeuralNet, _encode_net, _decode_net)
