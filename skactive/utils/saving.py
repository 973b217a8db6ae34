"""``obj.save(path)``: the method, here below; what writes the file, above all that is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

_WRITERS: list[Callable[..., None]] = []


def use_writer(writer: Callable[..., None]) -> None:
    """Have `Savable.save` write by this function from now on; `skactive.persistence` calls it."""
    _WRITERS[:] = [writer]


class Savable:
    """Mixin of what can be kept in a file that runs no code when it is read."""

    def save(self, path: str | Path) -> None:
        """Write this to a file of data only, for `skactive.load`.

        Parameters
        ----------
        path : str or Path
            Written beside it first, and replaced once all is on disk.

        Raises
        ------
        UnsavableError
            If it holds something that is no data, such as a lambda. Nothing is written then.
        """
        _WRITERS[0](self, path)


class SavableWithData(Savable):
    """Mixin of learners, whose file may hold their samples or not."""

    def save(self, path: str | Path, data: str = "labels", pool: Any = None) -> None:
        """Write this learner to a file of data only, for `skactive.load`.

        A loaded learner goes on bit by bit as this one would: labelled set, twins, queries that
        were not answered yet, weights, the optimiser's state, random numbers.

        Parameters
        ----------
        path : str or Path
            Written beside it first, and replaced once all is on disk.
        data : {"labels", "all", "ids"}, default="labels"
            ``"labels"`` keeps the labelled samples. ``"all"`` keeps the pool of the last query
            too, which ``use_pool=True`` learns from. ``"ids"`` keeps no samples but the positions
            of the labelled ones in `pool` and a digest of it; `skactive.load` wants the same pool
            then. Adversarial twins are kept in any case.
        pool : array-like of shape (n_pool, ...) or None, default=None
            For ``data="ids"``: what the labelled samples are from; ``None`` is the pool of the
            last query.

        Raises
        ------
        UnsavableError
            If it holds something that is no data, such as a lambda. Nothing is written then.
        ValueError
            If labelled samples are not in `pool`.
        """
        _WRITERS[0](self, path, data=data, pool=pool)
