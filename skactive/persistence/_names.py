"""Classes and functions that a file may name, by public names that outlive a move of the code."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from ..exceptions import UnsavableError, UntrustedError

# Rooms whose public names may be in a file.
_ROOMS = (
    "", "strategies", "attacks", "losses", "callbacks", "stopping", "networks", "metrics",
    "retraining", "analysis", "prioritization", "nets", "nets.recipes",
)  # fmt: skip
# What is not public, and has to be in a file: name in files -> module, name there. Never renamed.
_INTERNAL = {
    "LabeledSet": ("learners._labeled_set", "LabeledSet"),
    "PendingExtras": ("learners._pending", "PendingExtras"),
    "MemberEnsemble": ("learners._committee", "MemberEnsemble"),
    "Rows": ("utils.indexing", "Rows"),
    "AllBut": ("utils.indexing", "AllBut"),
    "BytesAsNumbers": ("utils.stacking", "_AsBatch"),
    "BatchIterator": ("nets._batches", "BatchIterator"),
    "RepeatedBatches": ("nets._batches", "RepeatedBatches"),
    "ReorderedColumns": ("nets._pretrained", "ReorderedColumns"),
}
# Of skorch: what neither reads nor writes files.
_SKORCH = {
    "": "NeuralNet NeuralNetClassifier NeuralNetBinaryClassifier",
    "callbacks": "BatchScoring EarlyStopping EpochScoring EpochTimer Freezer "
    "GradientNormClipping Initializer InputShapeSetter LRScheduler ParamMapper "
    "PassthroughScoring PrintLog ProgressBar Unfreezer WarmRestartLR",
    "dataset": "Dataset ValidSplit",
}
# Of scikit-learn: functions of arrays alone by which features are selected.
FEATURE_SCORES = (
    "chi2", "f_classif", "f_oneway", "f_regression", "mutual_info_classif",
    "mutual_info_regression", "r_regression",
)  # fmt: skip
_BUILTINS = (
    bool, bytes, complex, dict, float, frozenset, int, list, object, print, set, str, tuple,
)  # fmt: skip


def _skactive() -> dict[str, Any]:
    found = {}
    for room in _ROOMS:
        module = importlib.import_module(f"skactive.{room}".rstrip("."))
        for name in module.__all__:
            if inspect.isclass(value := getattr(module, name)):
                found[f"{module.__name__}.{name}"] = value
    for name, (room, attribute) in _INTERNAL.items():
        module = importlib.import_module(f"skactive.{room}")
        found[f"skactive:{name}"] = getattr(module, attribute)
    return found


def _torch() -> dict[str, Any]:
    import torch

    data = torch.utils.data
    found = {
        **_classes("torch.nn", torch.nn, torch.nn.Module),
        **_classes("torch.optim", torch.optim, torch.optim.Optimizer),
        **_classes("torch.optim.lr_scheduler", torch.optim.lr_scheduler, object),
    }
    for name in ("DataLoader", "TensorDataset", "Subset", "ConcatDataset"):
        found[f"torch.utils.data.{name}"] = getattr(data, name)
    functional = vars(torch.nn.functional)
    return found | {
        f"torch.nn.functional.{name}": value
        for name, value in functional.items()
        if isinstance(value, FunctionType)
        and value.__module__ == "torch.nn.functional"
        and not name.startswith("_")
    }


def _torchvision() -> dict[str, Any]:
    transforms = importlib.import_module("torchvision.transforms")
    v2 = importlib.import_module("torchvision.transforms.v2")
    return {
        **_classes("torchvision.transforms", transforms, object),
        **_classes("torchvision.transforms.v2", v2, object),
    }


def _torchattacks() -> dict[str, Any]:
    module = importlib.import_module("torchattacks")
    return _classes("torchattacks", module, object)


def _skorch() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, names in _SKORCH.items():
        path = f"skorch.{part}".rstrip(".")
        module = importlib.import_module(path)
        found |= {f"{path}.{name}": getattr(module, name) for name in names.split()}
    return found


def _sklearn() -> dict[str, Any]:
    from sklearn import feature_selection, metrics, model_selection
    from sklearn.dummy import DummyClassifier
    from sklearn.utils import all_estimators

    found = {f"sklearn.metrics.{name}": getattr(metrics, name) for name in metrics.__all__}
    for name in FEATURE_SCORES:
        found[f"sklearn.feature_selection.{name}"] = getattr(feature_selection, name)
    found |= _classes("sklearn.model_selection", model_selection, object)
    # What a search scores by: its classes are private.
    found["sklearn:Scorer"] = type(metrics.get_scorer("accuracy"))
    found["sklearn:PassthroughScorer"] = type(metrics.check_scoring(DummyClassifier()))
    for name, value in all_estimators():
        public = [part for part in value.__module__.split(".") if not part.startswith("_")]
        if public[0] == "sklearn":
            found[".".join([*public, name])] = value
    return found


def _numpy() -> dict[str, Any]:
    import numpy as np

    return {
        f"numpy.{name}": value
        for name, value in vars(np).items()
        if isinstance(value, np.ufunc)
        or (isinstance(value, type) and issubclass(value, np.generic) and value is not np.object_)
    }


def _classes(path: str, module: Any, base: type) -> dict[str, Any]:
    """Public classes that a module lists."""
    listed = getattr(module, "__all__", None) or dir(module)
    names = [name for name in listed if name in vars(module)]
    return {
        f"{path}.{name}": value
        for name in names
        if not name.startswith("_")
        and inspect.isclass(value := getattr(module, name))
        and issubclass(value, base)
        and value.__module__.split(".")[0] == path.split(".")[0]
    }


_TABLES: dict[str, Callable[[], dict[str, Any]]] = {
    "skactive": _skactive,
    "torch": _torch,
    "torchvision": _torchvision,
    "torchattacks": _torchattacks,
    "skorch": _skorch,
    "sklearn": _sklearn,
    "numpy": _numpy,
    "builtins": lambda: {f"builtins.{kind.__name__}": kind for kind in _BUILTINS},
}


@functools.cache
def _table(package: str) -> dict[str, Any]:
    return _TABLES[package]() if package in _TABLES else {}


@functools.cache
def _names(package: str) -> dict[int, str]:
    """Names by the identity of what they name; the shortest where there are several."""
    names = sorted(_table(package), key=lambda name: (len(name), name), reverse=True)
    return {id(_table(package)[name]): name for name in names}


def known_name(value: Any) -> str | None:
    """The name of a class or function on the list, or None."""
    module = getattr(value, "__module__", None) or type(value).__module__
    return _names(module.split(".")[0]).get(id(value))


def name_of(value: Any, where: str) -> tuple[str, bool]:
    """The name of a class or function, and whether it is on the list.

    Raises
    ------
    UnsavableError
        If it has none by which it could be found again.
    """
    known = known_name(value)
    if known is not None:
        return known, True
    name = getattr(value, "__qualname__", None)
    module = getattr(value, "__module__", None)
    if name is None or module is None or "<lambda>" in name:
        what = "a lambda" if name else f"a {type(value).__name__}"
        raise UnsavableError(
            f"{where} is {what}, which a file that runs no code cannot hold. Write it as a "
            "function with a name (def …) or a class, save, and hand it to "
            "skactive.load(path, modules={'name': function})."
        )
    return f"{module}.{name}", False


class Resolver:
    """Finds what a file names: on the list, among what was passed, or by a trusted import path.

    Parameters
    ----------
    modules : mapping of str to class or function
        By import path or by last name.
    trusted : iterable of str
        Import paths.
    """

    def __init__(self, modules: Mapping[str, Any] | None, trusted: Iterable[str]) -> None:
        if isinstance(trusted, str):
            raise TypeError(f"trusted must be a tuple of import paths, got {trusted!r} alone.")
        self.modules, self.trusted = dict(modules or {}), tuple(trusted)
        for name, value in self.modules.items():
            if not callable(value):
                raise TypeError(
                    f"modules must map names to classes or functions, got {value!r} for {name!r}."
                )

    def missing(self, names: Iterable[str]) -> list[str]:
        """Names that would not be found."""
        return [
            name
            for name in names
            if name not in _table(name.partition(".")[0].partition(":")[0])
            and name not in self.modules
            and name.rpartition(".")[2] not in self.modules
            and name not in self.trusted
        ]

    def check(self, names: Iterable[str], file: Any) -> None:
        """Raise unless all names will be found.

        Raises
        ------
        UntrustedError
            Naming those that will not.
        """
        missing = self.missing(names)
        if missing:
            short = missing[0].rpartition(".")[2]
            raise UntrustedError(
                f"{file} names classes or functions that are not skactive's: {missing}. Nothing is "
                f"imported because a file says so. Pass them, load(path, modules={{{short!r}: "
                f"{short}}}), or if you trust the code at that import path, load(path, "
                f"trusted={tuple(missing)!r}).",
                missing,
            )

    def allows(self, name: str) -> bool:
        """Whether the user trusts an import path."""
        return name in self.trusted

    def find(self, name: str) -> Any:
        """The class or function of a name that was checked."""
        if not isinstance(name, str):
            raise ValueError(f"{name!r} is no name")
        known = _table(name.partition(".")[0].partition(":")[0])
        if name in known:
            return known[name]
        for key in (name, name.rpartition(".")[2]):
            if key in self.modules:
                return self.modules[key]
        if name not in self.trusted:
            raise ValueError(f"it names {name} without declaring it")
        return _imported(name)


def _imported(name: str) -> Any:
    """What a trusted import path leads to."""
    parts = name.split(".")
    for n in range(len(parts) - 1, 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError as error:
            if error.name is not None and not name.startswith(error.name):
                raise
            continue
        return functools.reduce(getattr, parts[n:], found)
    raise ModuleNotFoundError(f"trusted names {name}, but there is no such module here.")
