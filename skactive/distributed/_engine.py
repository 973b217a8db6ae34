"""Engines read partitions and run functions where they are; this one does so in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ..utils.indexing import n_rows, take_rows
from ._task import Sent, Task, Visited, merge_visited, visit

Merge = Callable[[Sequence[Any]], Any]


class Engine:
    """What a pool asks of the library that holds it.

    A handle stands for what comes of one partition, wherever and whenever that is.
    """

    n_partitions: int

    def visit(self, task: Task, chosen: list[Any] | None, only: list[int] | None = None) -> Any:
        """Handles of partitions, all or `only` some, in which a task is done."""
        raise NotImplementedError

    def then(self, handles: Any, function: Callable[[Any, Any], Any], payload: Any) -> Any:
        """Handles of what is made of the results of others."""
        raise NotImplementedError

    def hold(self, handles: Any) -> Any:
        """Handles whose results are computed once and stay where they are."""
        raise NotImplementedError

    def reduce(self, handles: Any, merge: Merge) -> Visited:
        """What came of all partitions, merged.

        Raises
        ------
        PartitionError
            If a partition could not be read.
        """
        raise NotImplementedError

    def aligned(self, candidates: Any) -> list[Any] | None:
        """The parts of a mask of this engine's own kind; None if it is of another."""
        return None

    def rows_at(self, positions: NDArray[np.intp]) -> Any:
        """Rows at positions in the whole pool, where the library finds them by itself; or None."""
        return None

    def by_position(self, names: Any) -> Any:
        """Ids in a form that finds them by their position in the whole pool."""
        return names

    def names_at(self, names: Any, positions: NDArray[np.intp], n: int) -> NDArray:
        """Ids of rows at positions in the whole pool, of an array of one for each of n rows."""
        check_names(names, n)
        return np.asarray(take_rows(names, positions))


class LocalEngine(Engine):
    """Partitions read one after the other, in this process.

    Parameters
    ----------
    sources : sequence of callable
        Each reads one partition.
    take : callable or None, default=None
        Takes rows by their position in the whole pool.
    """

    def __init__(
        self,
        sources: Sequence[Callable[[], Any]],
        take: Callable[[NDArray[np.intp]], Any] | None = None,
    ) -> None:
        self.sources = sources
        self.n_partitions = len(sources)
        self._take = take

    def visit(self, task: Task, chosen: list[Any] | None, only: list[int] | None = None) -> Any:
        sent = Sent.here(task)
        numbers = range(self.n_partitions) if only is None else only
        return [
            (number, self._visitor(sent, number, None if chosen is None else chosen[number]))
            for number in numbers
        ]

    def _visitor(self, sent: Sent, number: int, chosen: Any) -> Callable[[], Visited]:
        def visited() -> Visited:
            try:
                rows = self.sources[number]()
            except PartitionError:
                raise
            except Exception as error:
                raise unreadable(number, self.n_partitions, error) from error
            return visit(sent, number, rows, chosen)

        return visited

    def then(self, handles: Any, function: Callable[[Any, Any], Any], payload: Any) -> Any:
        sent = Sent.here(payload)

        def following(number: int, visited: Callable[[], Visited]) -> Callable[[], Visited]:
            return lambda: visited().then(function, sent, number)

        return [(number, following(number, visited)) for number, visited in handles]

    def hold(self, handles: Any) -> Any:
        done = [(number, visited()) for number, visited in handles]
        return [(number, partial(_same, visited)) for number, visited in done]

    def reduce(self, handles: Any, merge: Merge) -> Visited:
        done = Visited({})
        for _, visited in handles:
            done = merge_visited(merge, [done, visited()])
            if done.failed is not None:
                break
        return done

    def rows_at(self, positions: NDArray[np.intp]) -> Any:
        return None if self._take is None else self._take(positions)


def check_names(names: Any, n: int) -> None:
    """Raise a ValueError unless there is an id for each of n rows."""
    if n_rows(names) != n:
        raise ValueError(f"ids must name each of the {n} rows, got {n_rows(names)}.")


def _same(visited: Visited) -> Visited:
    return visited


def unreadable(number: int | None, n: int | None, error: BaseException) -> PartitionError:
    """What to say of one of n partitions that could not be read."""
    which = "A partition" if number is None else f"Partition {number}"
    all_of = "the pool" if n is None else f"the pool's {n}"
    return PartitionError(
        f"{which} of {all_of} could not be read: {type(error).__name__}: {error}. Nothing was "
        "changed; mend or leave out what it is read from, and ask again.",
        number,
    )
