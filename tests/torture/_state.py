"""What a learner is, in comparable form."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from torch import nn

_TIMES = ("query_time", "fit_time")


def fingerprint(learner: Any) -> dict[str, Any]:
    """Labels, ledger, weights and the state of modules; nothing that only tells the time."""
    if not hasattr(learner, "estimator_"):
        return {"fitted": False, "random": _random()}
    estimator = learner.estimator_
    final = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    module = getattr(final, "module_", None)
    return {
        "fitted": True,
        "X": _digest(learner.X_labeled_),
        "y": _digest(learner.y_labeled_),
        "history": [
            {k: v for k, v in dict(row).items() if not k.endswith("time")}
            for row in learner.history_
        ],
        "model": _numbers(final) if module is None else _module(module),
        "random": _random(),
    }


def _digest(array: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(np.asarray(array)).tobytes()).hexdigest()


def _numbers(estimator: Any) -> list[str]:
    return [
        f"{name}={_digest(value)}"
        for name, value in sorted(vars(estimator).items())
        if name.endswith("_") and isinstance(value, np.ndarray)
    ]


def _module(module: nn.Module) -> dict[str, Any]:
    return {
        "weights": {k: _digest(v) for k, v in module.state_dict().items()},
        "modes": [sub.training for sub in module.modules()],
        "hooks": [
            len(sub._forward_hooks) + len(sub._forward_pre_hooks) + len(sub._backward_hooks)
            for sub in module.modules()
        ],
        "flags": [p.requires_grad for p in module.parameters()],
        "gradients": [p.grad is None for p in module.parameters()],
    }


def _random() -> str:
    state = torch.random.get_rng_state().numpy().tobytes()
    return hashlib.sha256(state + np.random.get_state()[1].tobytes()).hexdigest()
