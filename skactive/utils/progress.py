"""A progress bar for those who ask for one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def shown(steps: Iterable, total: int, what: str, unit: str) -> Any:
    """`steps` with a progress bar.

    Raises
    ------
    ImportError
        If tqdm is not installed.
    """
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm.") from error
    return tqdm(steps, total=total, desc=what, unit=unit)
