"""What a net was before a training, to go back to should the training fail."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch

from ..utils.compat import optimizers_of, parts_of


class TrainingState:
    """A fitted net's attributes, and all that training changes inside of them.

    Parameters
    ----------
    net : skorch NeuralNet

    Notes
    -----
    Of the weights and the optimiser's state it holds a copy. `restore` puts it back into the same
    objects, layers and parameter groups that a callback has changed included.
    """

    def __init__(self, net: Any) -> None:
        self._n_epochs = len(net.history_)
        self._history = net.history_
        modules = list(parts_of(net))
        self._layers = [
            (sub, {name: _own(value) for name, value in sub.__dict__.items()})
            for module in modules
            for sub in module.modules()
        ]
        self._tensors = [
            (tensor, tensor.detach().clone(), tensor.requires_grad)
            for module in modules
            for tensor in (*module.parameters(), *module.buffers())
        ]
        self._optimizers = [_Optimizer(optimizer) for optimizer in optimizers_of(net)]

    def restore(self) -> None:
        """Put everything back."""
        del self._history[self._n_epochs :]
        for sub, attributes in self._layers:
            object.__setattr__(sub, "__dict__", attributes)
        with torch.no_grad():
            for tensor, value, trained in self._tensors:
                tensor.requires_grad_(trained)
                tensor.copy_(value)
        for optimizer in self._optimizers:
            optimizer.restore()


class _Optimizer:
    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        self._attributes = dict(optimizer.__dict__)
        self._groups = [
            {**group, "params": list(group["params"])} for group in optimizer.param_groups
        ]
        self._state = {p: copy.deepcopy(values) for p, values in optimizer.state.items()}

    def restore(self) -> None:
        self._optimizer.__dict__.clear()
        self._optimizer.__dict__.update(self._attributes)
        self._optimizer.param_groups[:] = self._groups
        self._optimizer.state.clear()
        self._optimizer.state.update(self._state)


def _own(value: Any) -> Any:
    return value.copy() if type(value) in (dict, OrderedDict) else value
