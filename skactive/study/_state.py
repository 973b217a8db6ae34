"""A learner's learned state as a file of data: arrays, and JSON.

Nothing in such a file is code: the learner itself is built from the protocol, and what it had
learned is put into it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from skorch.history import History
from torch import Tensor

from ..learners import ActiveLearner
from ..learners._training import final_step
from ..persistence import from_bytes, to_bytes

# Parts of a net that are kept apart, or made when it is built.
_PARTS = ("module_", "criterion_", "optimizer_", "callbacks_", "history_", "virtual_params_")
_TWINS = ("X_twins", "y_twins", "twin_of")


def learned_state(learner: ActiveLearner) -> bytes:
    """Content of a file with all that `learner` learned, without the images it was taught."""
    net = final_step(learner.estimator_)
    return to_bytes(
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
    state = from_bytes(content)
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
    own = {name: value for name, value in vars(owner).items() if name.endswith("_")}
    return {name: value for name, value in own.items() if name not in apart and _is_data(value)}


def _is_data(value: Any) -> bool:
    """Whether it is no part that building the learner makes already."""
    if isinstance(value, Mapping):
        return all(_is_data(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return all(_is_data(part) for part in value)
    words = (bool, int, float, str, np.generic, np.ndarray, Tensor)
    return value is None or isinstance(value, words)
