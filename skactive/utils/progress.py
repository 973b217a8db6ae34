"""Progress for those who ask for it: a bar of tqdm, or lines where tqdm is not installed."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

_STEP = 0.1  # share of the work from one line to the next


class Progress:
    """How much of some work is done; a context manager.

    Parameters
    ----------
    what : str
        What is done, ``"attacking"``.
    unit : str
        What is counted, in the singular.
    wanted : bool, default=True
        ``False`` shows nothing.

    Examples
    --------
    >>> with Progress("certifying", "batch", wanted=False) as bar:
    ...     bar.show(1, 2)
    """

    def __init__(self, what: str, unit: str, wanted: bool = True) -> None:
        self.what, self.unit, self.wanted = what, unit, wanted
        self._bar: Any = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done by now."""
        if not self.wanted:
            return
        if self._bar is None:
            self._bar = _bar()(desc=self.what, unit=self.unit, total=total, initial=done)
        self._bar.update(done - self._bar.n)


def shown(steps: Iterable, total: int, what: str, unit: str) -> Iterator[Any]:
    """`steps` one by one, and how many of them are done."""
    with Progress(what, unit) as bar:
        bar.show(0, total)
        for number, step in enumerate(steps, 1):
            yield step
            bar.show(number, total)


def _bar() -> Any:
    try:
        return importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return _Lines


class _Lines:
    """What of tqdm's bar is used here, as lines: one every tenth of the work."""

    def __init__(self, desc: str, unit: str, total: int, initial: int) -> None:
        self.desc, self.unit, self.total, self.n = desc, unit, total, initial
        self._told, self._began = initial, time.perf_counter()

    def update(self, n: int) -> None:
        self.n += n
        if self.n == self._told or (
            self.n < self.total and self.n - self._told < _STEP * self.total
        ):
            return
        self._told = self.n
        seconds = time.perf_counter() - self._began
        with contextlib.suppress(OSError, ValueError):  # a terminal that is gone stops no work
            print(f"{self.desc}: {self.n} of {self.total} ({self.unit}), {seconds:.0f} s")

    def close(self) -> None:
        pass
