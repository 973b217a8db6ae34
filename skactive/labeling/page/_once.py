"""Requests that arrive twice are done once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

_REMEMBERED = 10_000


class Once:
    """Remembers the answers of the last requests by the keys that their senders made up.

    A browser whose answer was lost on the way sends its request again; an undo would take back
    another answer then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: OrderedDict[Any, Future[Any]] = OrderedDict()

    def do(self, key: Any, act: Callable[[], Any]) -> Any:
        """What `act` returns, or returned when the key came first; failures are not remembered."""
        if key is None:
            return act()
        with self._lock:
            first = key not in self._answers
            future = self._answers.setdefault(key, Future())
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        if not first:
            return future.result()
        try:
            future.set_result(act())
        except BaseException as error:
            with self._lock:
                self._answers.pop(key, None)
            future.set_exception(error)
        return future.result()
