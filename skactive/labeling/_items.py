"""One item to be labelled."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Item:
    """A row of the pool that the session asks for.

    Attributes
    ----------
    id : str or int
        The user's id, or position and content digest.
    position : int
        Its row in the pool.
    round : int or None
        Query that asked for it, from 0; ``None`` for labels that came in a file.
    rank : int or None
        Place in that query, 0 is wanted most.
    score : float or None
        The strategy's score; ``None`` for strategies without scores.
    state : {"claimed", "labelled", "skipped"}
        What this annotator has done with it.
    label : object or None
        This annotator's label.
    until : float or None
        When the lease runs out, in seconds since 1970.
    content : object
        The row: an array, a Series, a text, an item of a Dataset.
    """

    id: Any
    position: int
    round: int | None
    rank: int | None
    score: float | None
    state: str
    label: Any = None
    until: float | None = None
    content: Any = field(default=None, repr=False, compare=False)
