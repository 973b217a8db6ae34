"""Parameters of objects inside a net: attack, losses, teacher, augmentation, callbacks."""

from __future__ import annotations

import copy
import inspect
from typing import Any, ClassVar

from sklearn.base import clone

from ..attacks import resolve_attack
from ..losses import resolve_loss, resolve_pool_loss
from ..utils.compat import given_names
from ._callbacks import NamedCallbacks
from ._checks import check_nested_arguments

# Owner of parameters -> how its name becomes an object; what None means, and an example.
_OWNERS: dict[str, tuple[Any, str, str]] = {
    "attack": (resolve_attack, "standard training", "PGD(…)"),
    "loss": (resolve_loss, "no loss", "TRADES(…)"),
    "unlabeled": (resolve_pool_loss, "nothing is learned from a pool", "UATKL(…)"),
    "teacher": (lambda teacher: teacher, "a clone of the net, trained cleanly",
                "AdversarialNetClassifier(…)"),
}  # fmt: skip


class NestedParams(NamedCallbacks):
    """Mixin of a skorch net: ``attack__…``, ``loss__…``, … can be set and searched."""

    augment: Any

    _views: ClassVar[tuple[str, ...]] = ("augment",)  # transforms: never searched inside
    _by_reference: ClassVar[tuple[str, ...]] = ()  # what a clone has as it is
    _view_words: ClassVar[frozenset[str]] = frozenset()  # what else than a view may be given
    _owners: ClassVar[tuple[str, ...]] = tuple(_OWNERS)

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the attack, losses, teacher and callbacks included.

        They are written ``attack__eps``, ``loss__beta``, ``callbacks__awp__gamma``. Changing them
        keeps the weights; objects that were passed in are not changed.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        for owner in self._owners:
            if owner in params:
                setattr(self, owner, params.pop(owner))
            prefix = f"{owner}__"
            nested = {name: params.pop(name) for name in list(params) if name.startswith(prefix)}
            if nested:
                self._set_nested(owner, nested)
        callbacks = {n: params.pop(n) for n in list(params) if n.split("__")[0] == "callbacks"}
        if callbacks:
            self._set_callbacks(callbacks)
        for name in [name for name in params if name.startswith("iterator_")]:
            # Read when a pass begins: no need for skorch to re-initialise anything.
            setattr(self, name, params.pop(name))
            given_names(self).add(name)
        if params:
            super().set_params(**params)  # type: ignore[misc]
        return self

    def _set_nested(self, owner: str, params: dict[str, Any]) -> None:
        resolve, without, example = _OWNERS[owner]
        if getattr(self, owner) is None:
            raise ValueError(
                f"{next(iter(params))} cannot be set: {owner} is None ({without}). Set "
                f"{owner}={example} first."
            )
        own = clone(resolve(getattr(self, owner)))
        names = {name.removeprefix(f"{owner}__"): value for name, value in params.items()}
        setattr(self, owner, own.set_params(**names))

    def get_params(self, deep: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Parameters by name, those of the objects inside included as ``attack__…``."""
        params = super().get_params(deep=deep, **kwargs)  # type: ignore[misc]
        params |= {name: getattr(self, name) for name in self._views}
        if deep:
            params = {n: value for n, value in params.items() if not n.startswith("callbacks__")}
            params |= self._callback_params()
        # skorch takes what scikit-learn's searches note on an estimator for parameters.
        return {name: value for name, value in params.items() if not name.startswith("_")}

    def _get_param_names(self) -> list[str]:
        """Without views: transforms have a ``get_params`` that is no estimator's."""
        names = super()._get_param_names()  # type: ignore[misc]
        return [name for name in names if name not in self._views]

    def __sklearn_clone__(self) -> Any:
        params = {
            name: self._cloned(name, value) for name, value in self.get_params(deep=False).items()
        }
        twin: Any = type(self)(**params)
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(vars(self)["_metadata_request"])
        return twin

    def _cloned(self, name: str, value: Any) -> Any:
        if name in self._by_reference:
            return value
        return copy.deepcopy(value) if name in self._views else clone(value, safe=False)

    def _validate_params(self) -> None:
        check_nested_arguments(self)
        super()._validate_params()  # type: ignore[misc]


def sizes_of_data(net: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters of the module class, with sizes that it takes and nobody set filled in."""
    if not inspect.isclass(net.module) or not hasattr(net, "input_shape_"):
        return params
    sizes = {"n_classes": len(net.classes_)}
    if len(net.input_shape_) == 3:
        sizes["in_channels"], sizes["input_size"] = net.input_shape_[0], net.input_shape_[2]
    if len(net.input_shape_) == 1:
        sizes["n_features"] = net.input_shape_[0]
    accepted = inspect.signature(net.module.__init__).parameters
    return {**{name: size for name, size in sizes.items() if name in accepted}, **params}
