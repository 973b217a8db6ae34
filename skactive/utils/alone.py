"""One lock for what threads must do one after another."""

from __future__ import annotations

import os
import threading
from typing import Any

# Some state belongs to the process: torch's global generators, standard output, the filters of
# warnings. What changes it for a while holds this lock, and no other, so that no two threads
# wait for each other. Taken and given back in C, where Ctrl-C cannot come in between.
ALONE: Any = threading.RLock()


def _free_in_child() -> None:
    if not ALONE._is_owned():  # its owner is a thread that a forked child does not have
        ALONE._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_in_child)
