"""Objects of classes on the list or of the user's own: class by name, attributes as data."""

from __future__ import annotations

from types import BuiltinFunctionType
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from ..exceptions import UnsavableError
from ..utils.compat import is_named_tuple, metadata_requests, set_metadata_requests
from ._codec import Decoder, Encoder, Kinds
from ._sklearn_types import check_widths

KINDS = Kinds()


def state_of(value: Any, encoder: Encoder) -> dict[str, Any]:
    """Attributes of an object, as its own ``__getstate__`` gives them if it has one."""
    kind = type(value)
    own = kind.__getstate__ is not object.__getstate__
    if own and not isinstance(value, BaseEstimator):
        state = value.__getstate__()
    else:
        state = dict(vars(value)) if hasattr(value, "__dict__") else {}
        slots = [vars(base).get("__slots__", ()) for base in kind.__mro__]
        for name in [name for of in slots for name in ([of] if isinstance(of, str) else of)]:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                state[name] = getattr(value, name)
    if not isinstance(state, dict) or not all(type(name) is str for name in state):
        raise UnsavableError(
            f"{encoder.where} is a {kind.__qualname__} whose __getstate__ gives no dict of "
            "attributes, so that it cannot be saved."
        )
    return state


def encode_object(value: Any, encoder: Encoder, state: dict[str, Any] | None = None) -> dict:
    """An object's class and attributes."""
    if isinstance(value, tuple):
        node: dict[str, Any] = {"class": encoder.name(type(value))}
        return {**node, "items": [encoder.encode(item, str(i)) for i, item in enumerate(value)]}
    state = state_of(value, encoder) if state is None else dict(state)
    node = {"class": encoder.name(type(value))}
    requests = metadata_requests(state)
    if requests:
        node["requests"] = requests
    return {**node, "state": {n: encoder.encode(part, n) for n, part in state.items()}}


def decode_object(node: dict, decoder: Decoder) -> Any:
    """An object made without its constructor, and given its attributes."""
    kind = decoder.resolver.find(node["class"])
    if not isinstance(kind, type) or issubclass(kind, (type, nn.Module)):
        raise ValueError(f"{node['class']} is no class of such objects")
    if "items" in node:
        if not is_named_tuple(kind):
            raise ValueError(f"{node['class']} is no named tuple")
        return kind(*decoder.decode(node["items"]))
    state = {name: decoder.decode(part) for name, part in node["state"].items()}
    if any(name.startswith("__") for name in state):
        raise ValueError(f"{node['class']} is given attributes that nothing has")
    made = object.__new__(kind)
    if hasattr(kind, "__setstate__") and not issubclass(kind, BaseEstimator):
        kind.__setstate__(made, state)
    else:
        for name, part in state.items():
            object.__setattr__(made, name, part)
    if "requests" in node:
        set_metadata_requests(made, node["requests"])
    if isinstance(made, BaseEstimator):
        check_widths(made)  # its trees may be parts of the file that know no owner
    return made


def _is_object(value: Any) -> bool:
    if isinstance(value, nn.Module):
        return False
    if isinstance(value, tuple):
        return is_named_tuple(type(value))
    plain = hasattr(value, "__dict__") or hasattr(type(value), "__slots__")
    builtin = type(value).__module__ in ("builtins", "numpy", "torch", "functools")
    return plain and not builtin and not _holds_more_than_attributes(type(value))


def _holds_more_than_attributes(kind: type) -> bool:
    """Whether compiled code makes its objects: what it keeps in them stands in no attribute."""
    made_by = [vars(base).get("__new__") for base in kind.__mro__]
    compiled = [new for new in made_by if isinstance(new, BuiltinFunctionType)]
    return any(new.__self__ is not object for new in compiled)


KINDS.add("object", _is_object, encode_object, decode_object)
