"""One lock for what threads must do one after another."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import Any

from .compat import free_in_child

# Some state belongs to the process: torch's global generators, standard output, the filters of
# warnings. What changes it for a while holds this lock, and no other, so that no two threads
# wait for each other. Taken and given back in C, where Ctrl-C cannot come in between.
ALONE: Any = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=partial(free_in_child, ALONE))
