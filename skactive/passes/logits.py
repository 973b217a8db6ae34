"""The module that returns logits, whatever the criterion of a skorch net reads."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from ..exceptions import UnsupportedOperationError
from ..utils.compat import uncompiled
from .precision import HALF, Float32Door, float32_door


def logits_module(net: Any, *, eager: bool = False) -> nn.Module:
    """Module of a fitted skorch net, or a wrapper of it, that returns one logit per class.

    Parameters
    ----------
    net : skorch NeuralNet
        With ``CrossEntropyLoss`` its module returns logits; with ``NLLLoss`` probabilities
        (skorch takes their logarithm) or log-probabilities; with ``BCEWithLogitsLoss`` the logit
        and with ``BCELoss`` the probability of the second of two classes.
    eager : bool, default=False
        Leave ``torch.compile`` out: compiled code does not run hooks.
    """
    module = net.module_
    if eager:
        module = uncompiled(module)
    module = float32_door(module)
    for criterion, wrapper in _WRAPPERS.items():
        if isinstance(net.criterion_, criterion):
            return wrapper(module)
    return module


def deciding_module(net: Any, *, eager: bool = False) -> nn.Module:
    """As `logits_module`, the largest one being of the class that ``predict`` says.

    They differ for nets of one output with another threshold than one half.

    Parameters
    ----------
    net, eager
        See `logits_module`.
    """
    module = logits_module(net, eager=eager)
    if not isinstance(module, _TwoColumns) or getattr(net, "threshold", 0.5) == 0.5:
        return module
    return _Shifted(module, torch.logit(torch.tensor(float(net.threshold))) / 2)


def in_float64(module: nn.Module) -> nn.Module:
    """A copy, in float64 and eval mode, of a module that returns logits.

    Of one that `LogProbabilities` wraps it returns the probabilities: their order is the same.

    Raises
    ------
    ValueError
        If a layer is of half precision, or autocast makes it so, or it cannot be copied.
    UnsupportedOperationError
        If torch.jit compiled it.
    """
    doors = any(isinstance(sub, Float32Door) for sub in float32_door(module).modules())
    if doors or any(parameter.dtype in HALF for parameter in module.parameters()):
        raise ValueError(
            "What is proved is about a module that runs in float32: in half precision rounding "
            "alone can change a prediction. Pass module.float(), outside torch.autocast."
        )
    module = uncompiled(module)
    while isinstance(module, LogProbabilities):
        module = uncompiled(module.module)
    if any(isinstance(sub, torch.jit.ScriptModule) for sub in module.modules()):
        raise UnsupportedOperationError("a module that torch.jit compiled")
    try:
        twin = copy.deepcopy(module)
    except Exception as error:  # whatever the module's owner keeps in it
        raise ValueError(
            f"What is proved is proved of a copy in float64, but {type(module).__name__} cannot be "
            f"copied: {error}. Keep what cannot be copied (locks, files) outside of the module."
        ) from error
    return twin.double().eval()


class _Wrapper(nn.Module):
    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


class LogProbabilities(_Wrapper):
    """Logarithms of the probabilities that a module returns; log-probabilities as they are."""

    def forward(self, X: Tensor) -> Tensor:
        output = self.module(X)
        # Negative values are no probabilities but their logarithms (nn.LogSoftmax).
        logs = output.clamp_min(torch.finfo(output.dtype).tiny).log()
        return torch.where((output < 0).any(), output, logs)


class _TwoColumns(_Wrapper):
    def forward(self, X: Tensor) -> Tensor:
        half = self._logit(self.module(X)).reshape(len(X), 1) / 2
        return torch.cat([-half, half], dim=1)

    def _logit(self, output: Tensor) -> Tensor:
        return output


class _Shifted(_Wrapper):
    def __init__(self, module: nn.Module, by: Tensor) -> None:
        super().__init__(module)
        self.register_buffer("by", torch.stack([by, -by]))

    def forward(self, X: Tensor) -> Tensor:
        logits = self.module(X)
        return logits + self.by.to(logits.device)


class _TwoColumnsOfProbability(_TwoColumns):
    def _logit(self, output: Tensor) -> Tensor:
        return output.logit(eps=torch.finfo(output.dtype).eps)


_WRAPPERS: dict[type[nn.Module], type[_Wrapper]] = {
    nn.NLLLoss: LogProbabilities,
    nn.BCEWithLogitsLoss: _TwoColumns,
    nn.BCELoss: _TwoColumnsOfProbability,
}
