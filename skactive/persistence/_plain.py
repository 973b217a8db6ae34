"""Containers, numbers that JSON has no word for, types, states of generators."""

from __future__ import annotations

import base64
import decimal
import enum
import functools
import inspect
import pathlib
from collections import OrderedDict, defaultdict
from typing import Any

import numpy as np
import torch

from ..exceptions import UnsavableError
from ._codec import Decoder, Encoder, Kinds

KINDS = Kinds()

# -- containers -----------------------------------------------------------------------------


def _encode_dict(value: dict, encoder: Encoder) -> dict:
    if all(type(key) is str for key in value):
        return {"of": {key: encoder.encode(item, key) for key, item in value.items()}}
    pairs = [
        [encoder.encode(key), encoder.encode(item, str(key if isinstance(key, int) else i))]
        for i, (key, item) in enumerate(value.items())
    ]
    return {"pairs": pairs}


def _decode_dict(node: dict, decoder: Decoder) -> dict:
    if "of" in node:
        return {key: decoder.decode(item) for key, item in node["of"].items()}
    return {decoder.decode(key): decoder.decode(item) for key, item in node["pairs"]}


def _encode_default(value: defaultdict, encoder: Encoder) -> dict:
    return {**_encode_dict(value, encoder), "default": encoder.encode(value.default_factory)}


def _decode_default(node: dict, decoder: Decoder) -> defaultdict:
    items = _decode_dict(node, decoder)
    return defaultdict(decoder.decode(node["default"]), items)


def _items(values: Any, encoder: Encoder) -> dict:
    return {"of": [encoder.encode(value, str(i)) for i, value in enumerate(values)]}


def _set(values: Any, encoder: Encoder) -> dict:
    return _items(sorted(values, key=lambda value: (str(type(value)), str(value))), encoder)


KINDS.exact("dict", dict, _encode_dict, _decode_dict)
KINDS.exact("ordered dict", OrderedDict, _encode_dict, lambda n, d: OrderedDict(_decode_dict(n, d)))
KINDS.exact("default dict", defaultdict, _encode_default, _decode_default)
KINDS.exact("tuple", tuple, _items, lambda n, d: tuple(d.decode(n["of"])))
KINDS.exact("set", set, _set, lambda n, d: set(d.decode(n["of"])))
KINDS.exact("frozenset", frozenset, _set, lambda n, d: frozenset(d.decode(n["of"])))
KINDS.exact("size", torch.Size, _items, lambda n, d: torch.Size(d.decode(n["of"])))

# -- single values ----------------------------------------------------------------------------


def _word(tag: str, kind: type, write: Any, read: Any) -> None:
    """A kind of value that one word says."""
    KINDS.exact(tag, kind, lambda v, e: {"value": write(v)}, lambda n, d: read(n["value"]))


_word("float", float, repr, float)
_word("complex", complex, repr, complex)
_word("bytes", bytes, lambda v: base64.b64encode(v).decode(), lambda t: base64.b64decode(t))
_word("bytearray", bytearray, lambda v: v.hex(), bytearray.fromhex)
_word("decimal", decimal.Decimal, str, decimal.Decimal)
_word("torch dtype", torch.dtype, lambda v: str(v).partition(".")[2], lambda t: _torch_dtype(t))
_word("torch device", torch.device, str, torch.device)
KINDS.exact(
    "slice",
    slice,
    lambda v, encoder: {"value": encoder.encode([v.start, v.stop, v.step])},
    lambda node, decoder: slice(*decoder.decode(node["value"])),
)
_word("range", range, lambda v: [v.start, v.stop, v.step], lambda t: range(*t))
KINDS.add(
    "path",
    pathlib.PurePath,
    lambda value, encoder: {"value": str(value)},
    lambda node, decoder: pathlib.Path(node["value"]),
)


def _torch_dtype(name: str) -> torch.dtype:
    found = getattr(torch, name)
    if not isinstance(found, torch.dtype):
        raise ValueError(f"{name!r} is no type of tensors")
    return found


KINDS.add(
    "memory format",
    lambda value: isinstance(value, torch.memory_format),
    lambda value, encoder: {"value": str(value).partition(".")[2]},
    lambda node, decoder: {"channels_last": torch.channels_last,
                           "contiguous_format": torch.contiguous_format,
                           "preserve_format": torch.preserve_format}[node["value"]],
)  # fmt: skip


def _dtype_word(dtype: np.dtype) -> Any:
    return dtype.str if dtype.names is None else dtype.descr


def data_dtype(word: Any) -> np.dtype:
    """A dtype of plain data.

    Raises
    ------
    ValueError
        If it would hold objects.
    """
    dtype = np.lib.format.descr_to_dtype(_fields(word))
    if dtype.hasobject:
        raise ValueError("it holds an array of objects")
    return dtype


def _fields(word: Any) -> Any:
    """Fields as NumPy describes them, in tuples: JSON has lists alone."""
    if isinstance(word, str):
        return word
    return [
        (tuple(name) if isinstance(name, list) else name, _fields(kind), *map(tuple, shape))
        for name, kind, *shape in word
    ]


def _encode_scalar(value: np.generic, encoder: Encoder) -> dict:
    return {"dtype": _dtype_word(value.dtype), "hex": value.tobytes().hex()}


def _decode_scalar(node: dict, decoder: Decoder) -> Any:
    dtype = data_dtype(node["dtype"])
    if not dtype.itemsize:  # an empty text has no bytes to be read from
        return np.zeros((), dtype)[()]
    return np.frombuffer(bytes.fromhex(node["hex"]), dtype)[0]


KINDS.add(
    "scalar",
    lambda value: isinstance(value, np.generic) and not value.dtype.hasobject,
    _encode_scalar,
    _decode_scalar,
)
KINDS.add(
    "dtype",
    lambda value: isinstance(value, np.dtype) and not value.hasobject,
    lambda value, encoder: {"value": _dtype_word(value)},
    lambda node, decoder: data_dtype(node["value"]),
)


def _decode_enum(node: dict, decoder: Decoder) -> Any:
    kind = decoder.resolver.find(node["class"])
    if not (isinstance(kind, type) and issubclass(kind, enum.Enum)):
        raise ValueError(f"{node['class']} is no enumeration")
    return kind[node["name"]]


KINDS.add(
    "member of",
    enum.Enum,
    lambda value, encoder: {"class": encoder.name(type(value)), "name": value.name},
    _decode_enum,
)

# -- classes and functions ----------------------------------------------------------------------


def _is_code(value: Any) -> bool:
    return inspect.isclass(value) or inspect.isroutine(value) or isinstance(value, np.ufunc)


def _encode_code(value: Any, encoder: Encoder) -> dict:
    owner = getattr(value, "__self__", None)
    if owner is not None and not inspect.ismodule(owner):
        raise UnsavableError(
            f"{encoder.where} is the method {value.__qualname__} of an object, of which only the "
            "name would be kept. Pass the object itself, or a function with a name."
        )
    return {"name": encoder.name(value)}


def _encode_partial(value: functools.partial, encoder: Encoder) -> dict:
    return {
        "function": encoder.encode(value.func, "func"),
        "args": encoder.encode(list(value.args), "args"),
        "params": encoder.encode(value.keywords, "keywords"),
    }


def _decode_partial(node: dict, decoder: Decoder) -> functools.partial:
    function, args, params = (decoder.decode(node[name]) for name in ("function", "args", "params"))
    return functools.partial(function, *args, **params)


KINDS.add("code", _is_code, _encode_code, lambda n, d: d.resolver.find(n["name"]))
KINDS.exact("partial", functools.partial, _encode_partial, _decode_partial)

# -- random numbers -------------------------------------------------------------------------------

_BIT_GENERATORS = {
    kind.__name__: kind
    for kind in (
        np.random.MT19937,
        np.random.PCG64,
        np.random.PCG64DXSM,
        np.random.Philox,
        np.random.SFC64,
    )
}


def _encode_random_state(value: np.random.RandomState, encoder: Encoder) -> dict:
    return {"state": encoder.encode(value.get_state(legacy=False), "state")}


def _encode_generator(value: np.random.Generator, encoder: Encoder) -> dict:
    bits = value.bit_generator
    node: dict[str, Any] = {"state": encoder.encode(bits.state, "state")}
    if isinstance(bits.seed_seq, np.random.SeedSequence):  # what spawn() goes on from
        node["seeds"] = encoder.encode(bits.seed_seq.state, "seeds")
    return node


def _bit_generator(node: dict, decoder: Decoder) -> tuple[Any, dict[str, Any]]:
    state = decoder.decode(node["state"])
    kind = _BIT_GENERATORS[state["bit_generator"]]
    seeds = decoder.decode(node["seeds"]) if "seeds" in node else {"entropy": 0}
    if not isinstance(seeds.get("entropy"), (int, list, tuple, np.ndarray)):
        raise ValueError("a generator of random numbers has no seed")
    bits: Any = kind(np.random.SeedSequence(**seeds))
    bits.state = {key: state[key] for key in bits.state}
    return bits, state


def _decode_random_state(node: dict, decoder: Decoder) -> np.random.RandomState:
    bits, state = _bit_generator(node, decoder)
    made = np.random.RandomState(bits)
    made.set_state(state)
    return made


def _decode_torch_generator(node: dict, decoder: Decoder) -> torch.Generator:
    made = torch.Generator(device=torch.device(node["device"]))
    made.set_state(decoder.decode(node["state"]))
    return made


KINDS.exact("RandomState", np.random.RandomState, _encode_random_state, _decode_random_state)
KINDS.exact(
    "Generator",
    np.random.Generator,
    _encode_generator,
    lambda node, decoder: np.random.Generator(_bit_generator(node, decoder)[0]),
)
KINDS.exact(
    "torch Generator",
    torch.Generator,
    lambda value, encoder: {
        "device": str(value.device),
        "state": encoder.encode(value.get_state(), "state"),
    },
    _decode_torch_generator,
)
