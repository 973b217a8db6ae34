"""One "did you mean" for whatever is known by a name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def plain(name: Any) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def by_name(what: str, name: str, known: Mapping[str, T]) -> T:
    """What has that name, whatever its case and punctuation; the nearest one is proposed.

    Raises
    ------
    ValueError
        If nothing has it.

    Examples
    --------
    >>> by_name("letter", "ALPHA-1", {"alpha_1": "a", "beta": "b"})
    'a'
    """
    for other, found in known.items():
        if name == other or plain(name) == plain(other):
            return found
    raise ValueError(no_such(what, name, known))


def did_you_mean(name: Any, names: Iterable[str]) -> str:
    """A sentence that proposes the nearest of the names; empty if none is near.

    Examples
    --------
    >>> did_you_mean("RobustCoreset", ["entropy", "robust_coreset"])
    " Did you mean 'robust_coreset'?"
    """
    known = {plain(other): other for other in names}
    near = difflib.get_close_matches(plain(name), known, n=1)
    return f" Did you mean {known[near[0]]!r}?" if near else ""


def no_such(what: str, name: Any, names: Iterable[str]) -> str:
    """Message for a name that nothing has: the nearest one, and all there are.

    Examples
    --------
    >>> no_such("attack", "pdg", ["pgd", "fgsm"])
    "There is no attack 'pdg'. Did you mean 'pgd'? There are pgd, fgsm."
    """
    names = list(names)
    return f"There is no {what} {name!r}.{did_you_mean(name, names)} There are {', '.join(names)}."
