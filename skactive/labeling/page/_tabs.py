"""Two tabs of one person are given different items."""

from __future__ import annotations

import threading
import time
from typing import Any

_AWAY = 20.0  # seconds after which a tab that says nothing is closed


class Tabs:
    """Which tab of an annotator shows which items.

    A session gives an annotator who asks again the items they already hold; tabs share them out.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[tuple[str, str], float] = {}
        self._items: dict[tuple[str, str], set[Any]] = {}

    def is_here(self, annotator: str, tab: str) -> None:
        """A tab says something."""
        with self._lock:
            now = time.monotonic()
            self._seen[annotator, tab] = now
            for one in [one for one, at in self._seen.items() if now - at > _AWAY]:
                del self._seen[one]
                self._items.pop(one, None)

    def elsewhere(self, annotator: str, tab: str) -> set[Any]:
        """Items that other tabs of the annotator show."""
        with self._lock:
            others = [i for (a, t), i in self._items.items() if a == annotator and t != tab]
            return set().union(*others)

    def show(self, annotator: str, tab: str, items: set[Any]) -> None:
        """What a tab shows now, all of it."""
        with self._lock:
            self._items[annotator, tab] = items
