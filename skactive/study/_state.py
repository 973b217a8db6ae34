"""A learner's learned state as one safetensors file: tensors, and JSON in its metadata.

Nothing in such a file is code: the learner itself is built from the protocol, and what it had
learned is put into it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from skorch.history import History
from torch import Tensor

from ..learners import ActiveLearner
from ..learners._training import final_step
from ..utils.optional import optional_import
from ._errors import StudyError

# Parts of a net that are kept apart, or made when it is built.
_PARTS = ("module_", "criterion_", "optimizer_", "callbacks_", "history_", "virtual_params_")
_TWINS = ("X_twins", "y_twins", "twin_of")


def check_installed() -> None:
    """Raise unless states can be written.

    Raises
    ------
    StudyError
        Without safetensors.
    """
    optional_import("safetensors", what="A study", extra="study", error=StudyError)


def learned_state(learner: ActiveLearner) -> bytes:
    """Content of a file with all that `learner` learned, without the images it was taught."""
    net = final_step(learner.estimator_)
    return pack(
        {
            "learner": _learned(learner, ("labeled_",)),
            "twins": {name: getattr(learner.labeled_, name) for name in _TWINS},
            "net": _learned(net, _PARTS),
            "module": net.module_.state_dict(),
            "optimizer": net.optimizer_.state_dict(),
            "history": list(net.history_),
        }
    )


def put_state(learner: ActiveLearner, content: bytes) -> ActiveLearner:
    """Give a learner of the same protocol, fitted for no epoch, what another had learned."""
    state = unpack(content)
    net = final_step(learner.estimator_)
    learner.__dict__.update(state["learner"])
    net.__dict__.update(state["net"])
    net.module_.load_state_dict(state["module"])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.history_ = History(state["history"])
    learner.labeled_ = replace(learner.labeled_, **state["twins"])
    return learner


def _learned(owner: Any, apart: tuple[str, ...]) -> dict[str, Any]:
    """Attributes that end in ``_`` and are numbers, words, arrays, or containers of those."""
    found = {}
    for name, value in vars(owner).items():
        if name.endswith("_") and name not in apart:
            try:
                _encoded(value, {})
            except TypeError:  # a part that building the learner made already
                continue
            found[name] = value
    return found


def pack(tree: Any) -> bytes:
    """A tree of containers, numbers, words, arrays and tensors as a safetensors file.

    Raises
    ------
    TypeError
        If something else is in it.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    words = json.dumps(_encoded(tree, tensors))
    return save(tensors, metadata={"tree": words})


def unpack(content: bytes) -> Any:
    """The tree that `pack` was given."""
    from safetensors.torch import load

    length = int.from_bytes(content[:8], "little")
    words = json.loads(content[8 : 8 + length])["__metadata__"]["tree"]
    return _decoded(json.loads(words), load(content))


def _encoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    """JSON data; tensors and arrays go into `tensors`."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Tensor, np.ndarray)):
        kind = "tensor" if isinstance(value, Tensor) else "array"
        name = str(len(tensors))
        tensors[name] = torch.as_tensor(value).detach().cpu().clone().contiguous()
        return {kind: name}
    if isinstance(value, Mapping):
        pairs = [[_encoded(k, tensors), _encoded(v, tensors)] for k, v in value.items()]
        return {"dict": pairs}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_encoded(item, tensors) for item in value]}
    raise TypeError(f"{type(value).__name__} is no data")


def _decoded(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "array":
        return tensors[content].numpy()
    if kind == "dict":
        return {_decoded(k, tensors): _decoded(v, tensors) for k, v in content}
    items = [_decoded(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)
