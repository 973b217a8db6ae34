"""What this package needs of other libraries that they do not promise to keep.

Each function says what it stands for and why there is no public way. No other file uses a private
name of another library but `validation`, and the overrides that `PRIVATE_OVERRIDES` lists;
``tests/test_compat.py`` holds both and says what breaks when one of the names is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.utils.metadata_routing import MetadataRequest
from torch import nn

# Its public base, BrokenProcessPool, is raised as well for what a worker cannot unpickle.
__all__ = ["TerminatedWorkerError"]

# Methods and attributes of scikit-learn's and skorch's base classes that subclasses here override,
# since both leave no other door: file -> names.
PRIVATE_OVERRIDES = {
    "nets/_accelerated.py": {"_initialize_accelerator"},
    "nets/_params.py": {"_get_param_names", "_metadata_request", "_validate_params"},
}


# -- scikit-learn ------------------------------------------------------------------------


def is_search(estimator: Any) -> bool:
    """Whether it is a hyper-parameter search: its base class is not public, its parameters are."""
    return hasattr(estimator, "estimator") and hasattr(estimator, "return_train_score")


def has_learned(estimator: Any) -> bool:
    """Whether an estimator has more than its parameters: requests of metadata are no knowledge."""
    params = set(estimator.get_params(deep=False))
    return bool(set(vars(estimator)) - params - {"_metadata_request"})


def metadata_requests(state: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Take the metadata that an estimator requests out of its attributes: no method names them."""
    found = vars(state.pop("_metadata_request", object.__new__(MetadataRequest)))
    requests = {name: dict(of.requests) for name, of in found.items() if hasattr(of, "requests")}
    return {name: of for name, of in requests.items() if of}


def set_metadata_requests(estimator: Any, requests: dict[str, dict[str, Any]]) -> None:
    """Give an estimator such requests: its own methods for it work with routing switched on."""
    made = MetadataRequest(owner=estimator)
    for method, of in requests.items():
        for param, alias in of.items():
            getattr(made, method).add_request(param=param, alias=alias)
    estimator._metadata_request = made


def boosted_trees(estimator: Any) -> tuple[list[Any], np.ndarray] | None:
    """A histogram gradient boosting's tables of nodes, and which features are categories."""
    if not hasattr(estimator, "_predictors"):
        return None
    trees = [tree.nodes for stage in estimator._predictors for tree in stage]
    return trees, np.asarray(estimator._bin_mapper.is_categorical_)


# -- skorch ------------------------------------------------------------------------------


def part_names(net: Any) -> list[str]:
    """Names of the modules and criteria of a skorch net, as its attributes have them."""
    return [f"{name}_" for name in (*net._modules, *net._criteria)]


def optimizer_names(net: Any) -> list[str]:
    """Names of the optimisers of a skorch net, as its attributes have them."""
    return [f"{name}_" for name in net._optimizers]


def parts_of(net: Any) -> Iterator[nn.Module]:
    """The modules and criteria of a skorch net: their names are only listed in private."""
    for name in part_names(net):
        if isinstance(part := getattr(net, name), nn.Module):
            yield part


def optimizers_of(net: Any) -> list[Any]:
    """The optimisers of a skorch net: their names are only listed in private."""
    return [getattr(net, name) for name in optimizer_names(net)]


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


_HOOKS = [name for name in vars(nn.Module()) if name.endswith("_hooks")]


class ModuleAttributes(NamedTuple):
    """What a layer holds itself: see `module_attributes`."""

    state: dict[str, Any]
    parameters: dict[str, Any]
    buffers: dict[str, Any]
    modules: dict[str, Any]
    not_persistent: set[str]
    hooks: bool


def module_attributes(module: nn.Module) -> ModuleAttributes:
    """All that a layer holds, torch's own book-keeping told apart: no public way lists None."""
    book_keeping = vars(nn.Module())
    own = vars(module)
    hooks = any(isinstance(own.get(name), dict) and own[name] for name in _HOOKS)
    return ModuleAttributes(
        {name: value for name, value in own.items() if name not in book_keeping},
        dict(module._parameters),
        dict(module._buffers),
        dict(module._modules),
        set(module._non_persistent_buffers_set),
        hooks,
    )


def is_hooked(module: nn.Module) -> bool:
    """Whether something runs around a layer's forward pass: torch does not list hooks."""
    hooks = module._forward_hooks or module._forward_pre_hooks
    return bool(hooks) or hasattr(module, "parametrizations")


def is_transformed() -> bool:
    """Whether code runs inside ``torch.func``: its transforms cannot see through own backwards."""
    return torch._C._are_functorch_transforms_active()


# -- Python ------------------------------------------------------------------------------


def is_named_tuple(kind: Any) -> bool:
    """Whether it is a class of named tuples, which have no base class but their fields' names."""
    return isinstance(kind, type) and issubclass(kind, tuple) and hasattr(kind, "_fields")


def free_in_child(lock: Any) -> None:
    """Free a lock whose owner is a thread that this forked child does not have."""
    if not lock._is_owned():
        lock._at_fork_reinit()
