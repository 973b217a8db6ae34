"""Callbacks of a net: recipes by name, copied before a net changes them."""

from __future__ import annotations

import copy
from typing import Any

from skorch.callbacks import Callback, PrintLog

from ..utils.names import no_such
from .recipes import OverfittingGuard, Recipe

_PREFIX = "callbacks__"


class NamedCallbacks:
    """Mixin of a skorch net: recipes are named after their class and belong to one net alone."""

    callbacks: Any
    initialized_: bool

    def get_default_callbacks(self) -> list[tuple[str, Any]]:
        """Those of skorch, less valid_acc, which compares labels with encoded ones; the guard."""
        defaults = super().get_default_callbacks()  # type: ignore[misc]
        kept = [(name, callback) for name, callback in defaults if name != "valid_acc"]
        return [*kept, ("overfitting_guard", OverfittingGuard())]

    def initialize_callbacks(self) -> Any:
        """Set ``callbacks_``; recipes in it are copies."""
        named = self._named_callbacks()
        for callback in named.values():
            callback.initialize()
        self.callbacks_ = list(named.items())
        return self

    def _named_callbacks(self) -> dict[str, Any]:
        """Callbacks by name, as they are set; a given one takes the place of a default."""
        if not isinstance(self.callbacks, (list, tuple, type(None))):  # "disable"
            return {}
        named = {**dict(self.get_default_callbacks()), **_given(self.callbacks or ())}
        for name in self._set_by_name():
            if name.split("__")[1] not in named:
                raise ValueError(no_such("callback", name.split("__")[1], named))
        found = {}
        for name, callback in named.items():
            callback = vars(self).get(_PREFIX + name, callback)
            params = self.get_params_for(_PREFIX + name)  # type: ignore[attr-defined]
            if isinstance(callback, type):
                found[name] = callback(**params)
            elif callback is not None:
                found[name] = copy.copy(callback) if isinstance(callback, Recipe) else callback
                if params:
                    found[name].set_params(**params)
        return dict(sorted(found.items(), key=lambda item: isinstance(item[1], PrintLog)))

    def _set_by_name(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name.startswith(_PREFIX)}

    def _set_callbacks(self, params: dict[str, Any]) -> None:
        """Take ``callbacks``, ``callbacks__name`` and ``callbacks__name__param`` as set."""
        before = dict(vars(self))
        # A callback that is replaced takes along what was set of it before.
        defaults = dict(self.get_default_callbacks())
        for name in self._set_by_name():
            gone = "callbacks" in params and name.split("__")[1] not in defaults
            if gone or any(name.startswith(f"{owner}__") for owner in params if "__" in owner):
                del vars(self)[name]
        vars(self).update(params)
        try:
            if self.initialized_ or set(params) != {"callbacks"}:
                self.initialize_callbacks()
        except BaseException:
            object.__setattr__(self, "__dict__", before)
            raise

    def _callback_params(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, callback in self._named_callbacks().items():
            nested = callback.get_params() if isinstance(callback, Callback) else {}
            found[_PREFIX + name] = callback
            found |= {f"{_PREFIX}{name}__{param}": value for param, value in nested.items()}
        return {**self._set_by_name(), **found}


def _given(callbacks: Any) -> dict[str, Any]:
    """Callbacks by their names, or those of their classes; several numbered, as in skorch."""
    pairs = [cb if isinstance(cb, (tuple, list)) else (_class_name(cb), cb) for cb in callbacks]
    names = [name for name, _ in pairs]
    numbered = [f"{name}_{names[:i].count(name) + 1}" for i, name in enumerate(names)]
    return {
        many if names.count(name) > 1 else name: callback
        for many, (name, callback) in zip(numbered, pairs, strict=True)
    }


def _class_name(callback: Any) -> str:
    kind = callback if isinstance(callback, type) else type(callback)
    return kind.default_name() if issubclass(kind, Recipe) else kind.__name__
