"""A progress bar for those who ask for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optional import optional_import


def shown(steps: Iterable, total: int, what: str, unit: str) -> Any:
    """`steps` with a progress bar.

    Raises
    ------
    ImportError
        If tqdm is not installed.
    """
    tqdm = optional_import("tqdm.auto", what="progress=True")
    return tqdm.tqdm(steps, total=total, desc=what, unit=unit)
