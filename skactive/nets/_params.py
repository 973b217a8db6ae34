"""Parameters of objects inside a net that skorch does not know: attack, teacher, augmentation."""

from __future__ import annotations

import copy
import inspect
from typing import Any

from sklearn.base import clone

from ..attacks import resolve_attack
from ..utils.compat import given_names
from ._checks import check_attack_arguments


class NestedParams:
    """Mixin of a skorch net: ``attack__…`` and ``teacher__…`` can be set and searched."""

    attack: Any
    teacher: Any
    augment: Any

    def set_params(self, **params: Any) -> Any:
        """Set parameters, those of the attack (``attack__eps``) and the teacher included.

        Changing the attack keeps the weights.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        for owner in ("attack", "teacher"):
            if owner in params:
                setattr(self, owner, params.pop(owner))
            prefix = f"{owner}__"
            nested = {
                name.removeprefix(prefix): params.pop(name)
                for name in list(params)
                if name.startswith(prefix)
            }
            if nested:
                self._set_nested(owner, nested)
        for name in [name for name in params if name.startswith("iterator_")]:
            # Read when a pass begins: no need for skorch to re-initialise anything.
            setattr(self, name, params.pop(name))
            given_names(self).add(name)
        if params:
            super().set_params(**params)  # type: ignore[misc]
        return self

    def _set_nested(self, owner: str, params: dict[str, Any]) -> None:
        if getattr(self, owner) is None:
            without, example = {
                "attack": ("standard training", "PGD(…)"),
                "teacher": ("a clone of the net, trained cleanly", "AdversarialNetClassifier(…)"),
            }[owner]
            raise ValueError(
                f"{owner}__{next(iter(params))} cannot be set: {owner} is None ({without}). Set "
                f"{owner}={example} first."
            )
        if owner == "attack":
            self.attack = resolve_attack(self.attack).set_params(**params)
        else:
            self.teacher.set_params(**params)

    def get_params(self, deep: bool = True, **kwargs: Any) -> dict[str, Any]:
        """Parameters by name, those of attack and teacher included as ``attack__…``."""
        params = super().get_params(deep=deep, **kwargs)  # type: ignore[misc]
        params["augment"] = self.augment
        # skorch takes what scikit-learn's searches note on an estimator for parameters.
        return {name: value for name, value in params.items() if not name.startswith("_")}

    def _get_param_names(self) -> list[str]:
        """Without `augment`: transforms have a ``get_params`` that is no estimator's."""
        names = super()._get_param_names()  # type: ignore[misc]
        return [name for name in names if name != "augment"]

    def __sklearn_clone__(self) -> Any:
        params = {
            name: copy.deepcopy(value) if name == "augment" else clone(value, safe=False)
            for name, value in self.get_params(deep=False).items()
        }
        twin: Any = type(self)(**params)
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(vars(self)["_metadata_request"])
        return twin

    def _validate_params(self) -> None:
        check_attack_arguments(self)
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
