"""Things of the user's own, by the name they can be imported under."""

from __future__ import annotations

import importlib
import re
from typing import Any

_NAME = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_own(name: Any) -> bool:
    """Whether this is written ``module:attribute``."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def imported(name: str, what: str, *, error: type[Exception] = ImportError) -> Any:
    """What is found under ``module:attribute``.

    Raises
    ------
    error
        If there is no such module or attribute, or importing it fails.

    Examples
    --------
    >>> imported("math:pi", "number")
    3.141592653589793
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as failure:  # whatever a module of the user's raises
        raise error(
            f"The {what} {name!r} cannot be imported: {type(failure).__name__}: {failure}. It is "
            "written module:attribute, and the module must be on PYTHONPATH or in this folder."
        ) from failure
    return found
