"""Callbacks of a net: recipes by name, copied before a net changes them."""

from __future__ import annotations

import copy
from typing import Any

from ..utils.names import no_such
from .recipes import OverfittingGuard, Recipe

_PREFIX = "callbacks__"


class NamedCallbacks:
    """Mixin of a skorch net: recipes are named after their class and belong to one net alone."""

    callbacks: Any
    callbacks_: list[tuple[str, Any]]
    initialized_: bool

    def get_default_callbacks(self) -> list[tuple[str, Any]]:
        """Those of skorch and the guard, but for those whose name a given one has."""
        given = {item[0] for item in self._given() if isinstance(item, tuple)}
        defaults = [*super().get_default_callbacks(),  # type: ignore[misc]
                    ("overfitting_guard", OverfittingGuard())]  # fmt: skip
        # skorch's valid_acc compares predicted labels with encoded ones.
        return [item for item in defaults if item[0] not in {*given, "valid_acc"}]

    def _given(self) -> list[Any]:
        given = self.callbacks if isinstance(self.callbacks, (list, tuple)) else []
        return [_named(callback) for callback in given]

    def initialize_callbacks(self) -> Any:
        """Set ``callbacks_``; recipes in it are copies.

        Raises
        ------
        ValueError
            If a parameter is meant for a callback that there is not.
        """
        if self.callbacks == "disable":
            self.callbacks_ = []
            return self
        mine = vars(self)
        as_set = {name: mine[name] for name in mine if name.startswith(_PREFIX)}
        before = {**as_set, "callbacks": self.callbacks}
        mine.update({name: _own(value) for name, value in as_set.items()})
        mine["callbacks"] = self._given()
        try:
            super().initialize_callbacks()  # type: ignore[misc]
        finally:
            mine.update(before)
        known = [name for name, _ in self.callbacks_]
        for name, value in as_set.items():
            callback = name.split("__")[1]
            if value is not None and callback not in known:
                raise ValueError(no_such("callback", callback, known))
        return self

    def _set_callbacks(self, params: dict[str, Any]) -> None:
        """Take ``callbacks``, ``callbacks__name`` and ``callbacks__name__param`` as set."""
        mine, before = vars(self), dict(vars(self))
        try:
            if "callbacks" in params:
                mine["callbacks"] = params.pop("callbacks")
                kept = {name for name, _ in self.get_default_callbacks()}
                self._forget(lambda name: name.split("__")[1] not in kept)
            for name, value in sorted(params.items()):
                self._forget(lambda old, new=name: old.startswith(f"{new}__"))
                mine[name] = value
            if params or self.initialized_:
                self.initialize_callbacks()
        except BaseException:
            object.__setattr__(self, "__dict__", before)
            raise

    def _forget(self, which: Any) -> None:
        for name in [n for n in vars(self) if n.startswith(_PREFIX) and which(n)]:
            del vars(self)[name]

    def _callback_params(self) -> dict[str, Any]:
        """Callbacks and their parameters by name, as they are set; nothing that they learned.

        Of callbacks without a name that are no recipes skorch makes one up in the first fit.
        """
        named = [item for item in self._given() if isinstance(item, tuple)]
        pairs = {**dict(getattr(self, "callbacks_", ())), **dict(self.get_default_callbacks())}
        found: dict[str, Any] = {}
        for name, callback in {**pairs, **dict(named)}.items():
            callback = _own(vars(self).get(f"{_PREFIX}{name}", callback))
            params = self.get_params_for(f"{_PREFIX}{name}")  # type: ignore[attr-defined]
            if isinstance(callback, Recipe):
                callback.set_params(**params)
            found[f"{_PREFIX}{name}"] = callback
            if callback is not None and not isinstance(callback, type):
                params = {**callback.get_params(), **params}
            found |= {f"{_PREFIX}{name}__{param}": value for param, value in params.items()}
        return found


def _named(item: Any) -> Any:
    """A recipe as its name and a copy; any other callback as it was given."""
    pair = isinstance(item, (tuple, list))
    callback = item[1] if pair else item
    kind = callback if isinstance(callback, type) else type(callback)
    if issubclass(kind, Recipe):
        return (item[0] if pair else kind.default_name()), _own(callback)
    return tuple(item) if pair else item


def _own(value: Any) -> Any:
    return copy.copy(value) if isinstance(value, Recipe) else value
