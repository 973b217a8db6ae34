"""One "did you mean" for whatever is known by a name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def did_you_mean(name: Any, names: Iterable[Any]) -> str:
    """A sentence that proposes the nearest of the known names; empty if none is near.

    Examples
    --------
    >>> did_you_mean("entrpy", ["entropy", "margin"])
    " Did you mean 'entropy'?"
    """
    plain = {str(known).lower(): known for known in names}
    near = difflib.get_close_matches(str(name).lower(), plain, n=1)
    return f" Did you mean {plain[near[0]]!r}?" if near else ""


def unknown(what: str, name: Any, names: Iterable[Any]) -> str:
    """Message for a name that is not known: the nearest one, and all of them.

    Examples
    --------
    >>> unknown("The attack", "pdg", ["pgd", "fgsm"])
    "The attack 'pdg' is not known. Did you mean 'pgd'? The names are pgd, fgsm."
    """
    names = list(names)
    listed = ", ".join(map(str, names))
    return f"{what} {name!r} is not known.{did_you_mean(name, names)} The names are {listed}."
