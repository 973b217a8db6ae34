"""Strategies, networks and data of the user's own, by the name they can be imported under."""

from __future__ import annotations

import importlib
import re
from typing import Any

from ._errors import StudyError

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_own(name: Any) -> bool:
    """Whether this is written ``module:attribute``."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


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
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever a module of the user's raises
        raise StudyError(
            f"The {what} {name!r} cannot be imported: {type(error).__name__}: {error}. It is "
            "written module:attribute, and the module must be on PYTHONPATH or in this folder."
        ) from error
    return found
