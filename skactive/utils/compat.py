"""What this package needs of other libraries that they do not promise to keep.

Each function says what it stands for and why there is no public way. No other file uses a private
name of another library but `validation`, and the overrides that `PRIVATE_OVERRIDES` lists;
``tests/test_compat.py`` holds both and says what breaks when one of the names is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from torch import nn

# Its public base, BrokenProcessPool, is raised as well for what a worker cannot unpickle.
__all__ = ["TerminatedWorkerError"]

# Methods and attributes of scikit-learn's and skorch's base classes that subclasses here override,
# since both leave no other door: file -> names.
PRIVATE_OVERRIDES = {
    "nets/_params.py": {"_get_param_names", "_metadata_request", "_validate_params"},
}


# -- scikit-learn ------------------------------------------------------------------------


def is_search(estimator: Any) -> bool:
    """Whether it is a hyper-parameter search: its base class is not public, its parameters are."""
    return hasattr(estimator, "estimator") and hasattr(estimator, "return_train_score")


# -- skorch ------------------------------------------------------------------------------


def parts_of(net: Any) -> Iterator[nn.Module]:
    """The modules and criteria of a skorch net: their names are only listed in private."""
    for name in (*net._modules, *net._criteria):
        if isinstance(part := getattr(net, f"{name}_"), nn.Module):
            yield part


def optimizers_of(net: Any) -> list[Any]:
    """The optimisers of a skorch net: their names are only listed in private."""
    return [getattr(net, f"{name}_") for name in net._optimizers]


def set_training(net: Any, training: bool) -> None:
    """Bring modules and criteria of a skorch net into training or evaluation mode."""
    for part in parts_of(net):
        part.train(training)


def fit_loop(net: Any, X: Any, method: str, **fit_params: Any) -> None:
    """Run skorch's epochs, metadata routed as for `method`: only its loop can be told."""
    net.fit_loop(X, None, _routing_method=method, **fit_params)


def given_names(net: Any) -> set[str]:
    """Names with a prefix that a skorch net was given and checks: a set that may be added to."""
    return net._params_to_validate


# -- torch -------------------------------------------------------------------------------


# What has running statistics: its base class is private.
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def uncompiled(module: nn.Module) -> nn.Module:
    """The module that ``torch.compile`` wrapped, or itself: the wrapper's class is private."""
    return getattr(module, "_orig_mod", module)


def is_compiled(module: nn.Module) -> bool:
    """Whether a module is one that ``torch.compile`` or `nn.Module.compile` made."""
    return (
        isinstance(module, torch.jit.ScriptModule)
        or "_orig_mod" in module._modules
        or hasattr(type(module), "_orig_mod")
        or vars(module).get("_compiled_call_impl") is not None
    )


def tensors_of(module: nn.Module) -> tuple[Iterable[Any], Iterable[Any]]:
    """A layer's own parameters and buffers, None for what it lacks: the public way is slow."""
    return module._parameters.values(), module._buffers.values()


def is_hooked(module: nn.Module) -> bool:
    """Whether something runs around a layer's forward pass: torch does not list hooks."""
    hooks = module._forward_hooks or module._forward_pre_hooks
    return bool(hooks) or hasattr(module, "parametrizations")


def is_transformed() -> bool:
    """Whether code runs inside ``torch.func``: its transforms cannot see through own backwards."""
    return torch._C._are_functorch_transforms_active()


# -- Python ------------------------------------------------------------------------------


def free_in_child(lock: Any) -> None:
    """Free a lock whose owner is a thread that this forked child does not have."""
    if not lock._is_owned():
        lock._at_fork_reinit()
