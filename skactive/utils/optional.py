"""Libraries that not everybody needs, imported where they are used."""

from __future__ import annotations

import importlib
from typing import Any


def optional_import(
    module: str, *, what: str, extra: str | None = None, error: type[Exception] = ImportError
) -> Any:
    """A module of an optional library; an error that says who needs it and how to get it.

    Parameters
    ----------
    module : str
        ``"pandas"``, ``"matplotlib.pyplot"``.
    what : str
        Who needs it: the first words of the message.
    extra : str or None, default=None
        Extra of this package that brings it; ``None`` names the library itself.
    error : exception class, default=ImportError
        What to raise.

    Raises
    ------
    error
        If it is not installed.

    Examples
    --------
    >>> optional_import("no_such_library", what="Flying", extra="wings")
    Traceback (most recent call last):
      ...
    ImportError: Flying needs no_such_library: pip install "skactive[wings]".
    """
    library = module.partition(".")[0]
    try:
        importlib.import_module(library)  # a part of it may be there without it
        return importlib.import_module(module)
    except ImportError as missing:
        wanted = library.replace("_", "-") if extra is None else f'"skactive[{extra}]"'
        raise error(f"{what} needs {library}: pip install {wanted}.") from missing
