"""One lock for what threads must do one after another."""

from __future__ import annotations

import contextlib
import os
import threading


class ProcessLock:
    """A re-entrant lock for the whole process, free again in a forked child.

    Some state belongs to the process: torch's global generators, standard output, the filters of
    warnings. What changes it for a while holds this lock, and no other, so that no two threads
    wait for each other.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        # The thread that held it may not exist in the child.
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(RuntimeError):  # taken before a fork, released in the child
            self._lock.release()


ALONE = ProcessLock()
