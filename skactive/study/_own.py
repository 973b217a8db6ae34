"""Strategies, networks and data of the user's own, by the name they can be imported under."""

from __future__ import annotations

from typing import Any

from ..utils import own_names
from ..utils.own_names import is_own
from ._errors import StudyError


def name_of(thing: Any, what: str) -> str:
    """``module:attribute`` of a class or function, for the record and for worker processes.

    Raises
    ------
    StudyError
        If it cannot be imported under such a name.
    """
    name = f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None)}"
    if not callable(thing) or not is_own(name) or name.startswith("__main__:"):
        raise StudyError(
            f"The {what} {thing!r} cannot be recorded, nor found by other processes. Give a class "
            "or function of a module that can be imported (not of a script, a notebook or inside "
            'a function), or its name, "module:attribute".'
        )
    return name


def imported(name: str, what: str) -> Any:
    """What is found under ``module:attribute``.

    Raises
    ------
    StudyError
        If there is no such module or attribute, or importing it fails.
    """
    return own_names.imported(name, what, error=StudyError)
