"""Modules that are objects: layers by class and attributes, weights as safetensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..exceptions import UnsavableError
from ..utils.compat import module_attributes
from ._attributes import aliases, restore_aliases
from ._codec import Decoder, Encoder, Kinds, part_of
from ._tensors import read_tensors, write_tensors

KINDS = Kinds()


def _encode_module(module: nn.Module, encoder: Encoder) -> dict:
    if isinstance(module, torch.jit.ScriptModule):
        raise UnsavableError(
            f"{encoder.where} is a compiled TorchScript module, whose code cannot be saved. Pass "
            "the module it was made of."
        )
    tensors: dict[str, Tensor] = {}
    first: dict[int, str] = {}
    tree = _encode_layer(module, "", tensors, first, encoder)
    node = {"tree": tree, "tensors": write_tensors(tensors, encoder, "weights")}
    found = aliases(module)
    return {**node, "aliases": found} if found else node


def _encode_layer(
    layer: nn.Module, path: str, tensors: dict, first: dict[int, str], encoder: Encoder
) -> dict:
    if id(layer) in first:
        return {"same": first[id(layer)]}
    first[id(layer)] = path
    if hasattr(layer, "parametrizations"):
        raise UnsavableError(
            f"{encoder.where} has parametrizations (weight_norm, spectral_norm, …): torch makes a "
            "class for it at run time, which no file can name. Pass the module as a class that "
            "makes them, or remove them: torch.nn.utils.parametrize.remove_parametrizations."
        )
    own = module_attributes(layer)
    if own.hooks:
        raise UnsavableError(
            f"{encoder.where} has hooks ({path or 'the module itself'}), which are code. Remove "
            "them before saving, or pass the module as a class."
        )
    node: dict[str, Any] = {
        "class": encoder.name(type(layer)),
        "training": layer.training,
        "state": {name: encoder.encode(value, name) for name, value in own.state.items()},
        "parameters": {},
        "buffers": {},
        "modules": {},
    }
    for kind, values in (("parameters", own.parameters), ("buffers", own.buffers)):
        for name, tensor in values.items():
            node[kind][name] = _encode_entry(tensor, f"{path}{name}", tensors, first)
    node["not persistent"] = sorted(own.not_persistent)
    for name, inner in own.modules.items():
        with part_of(encoder, name):
            made = (
                None
                if inner is None
                else _encode_layer(inner, f"{path}{name}.", tensors, first, encoder)
            )
        node["modules"][name] = made
    return node


def _encode_entry(tensor: Tensor | None, name: str, tensors: dict, first: dict) -> Any:
    if tensor is None:
        return None
    if id(tensor) not in first:
        first[id(tensor)], tensors[name] = name, tensor
    return {"of": first[id(tensor)], "trained": tensor.requires_grad}


def _decode_module(node: dict, decoder: Decoder) -> nn.Module:
    tensors = read_tensors(node["tensors"], decoder)
    module = _decode_layer(node["tree"], "", tensors, {}, decoder)
    restore_aliases(module, node.get("aliases", {}))
    return module


def _decode_layer(
    node: dict, path: str, tensors: dict[str, Tensor], made: dict[str, Any], decoder: Decoder
) -> nn.Module:
    if "same" in node:
        return made[node["same"]]
    kind = decoder.resolver.find(node["class"])
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise ValueError(f"{node['class']} is no class of modules")
    layer: nn.Module = object.__new__(kind)
    nn.Module.__init__(layer)  # what this version of torch expects of every module
    made[path] = layer
    for name, value in node["state"].items():
        object.__setattr__(layer, name, decoder.decode(value))
    for name, entry in node["parameters"].items():
        layer.register_parameter(name, _parameter(entry, tensors, made))
    for name, entry in node["buffers"].items():
        persistent = name not in node["not persistent"]
        tensor = None if entry is None else tensors[entry["of"]]
        layer.register_buffer(name, tensor, persistent=persistent)
    for name, inner in node["modules"].items():
        deeper = f"{path}{name}."
        below = None if inner is None else _decode_layer(inner, deeper, tensors, made, decoder)
        layer.add_module(name, below)
    layer.training = bool(node["training"])
    return layer


def _parameter(entry: Any, tensors: dict[str, Tensor], made: dict[str, Any]) -> Any:
    if entry is None:
        return None
    key = f"parameter {entry['of']}"
    if key not in made:
        made[key] = nn.Parameter(tensors[entry["of"]], requires_grad=bool(entry["trained"]))
    return made[key]


KINDS.add("module", nn.Module, _encode_module, _decode_module)
