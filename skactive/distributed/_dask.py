"""Pools of Dask: arrays and DataFrames, on the active client or in this process."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ._engine import Engine, Merge, unreadable
from ._pool import PartitionedPool
from ._readers import ArrayReader, TableReader
from ._task import Sent, Task, Visited, follow, merge_visited, visit, what_of

_AT_ONCE = 8  # results merged in one task


def array_pool(X: Any) -> PartitionedPool:
    """A pool of a `dask.array`, a partition for each chunk of rows."""
    engine = array_engine(X)
    reader = ArrayReader(tuple(int(size) for size in X.shape[1:]))
    return PartitionedPool(engine, reader, np.array(X.chunks[0]))


def array_engine(X: Any, take: Callable[[NDArray[np.intp]], Any] | None = None) -> DaskEngine:
    """An engine for the chunks of rows of a `dask.array`."""
    if X.ndim == 0:
        raise ValueError("The pool is a dask array without rows: it has no dimension.")
    _check_chunks(X, "The pool")
    _check_alive(X)
    delayed = X.rechunk(dict.fromkeys(range(1, X.ndim), -1)).to_delayed().ravel()
    return DaskEngine(delayed, partial(_array_mask, chunks=X.chunks[0]), take)


def frame_pool(X: Any) -> PartitionedPool:
    """A pool of a `dask.dataframe`, partition by partition."""
    if X.ndim != 2:
        raise TypeError(
            "A pool must be a table, got a dask Series. Pass a DataFrame: series.to_frame()."
        )
    _check_alive(X)
    engine = DaskEngine(X.to_delayed(), partial(_series_mask, n_partitions=X.npartitions))
    return PartitionedPool(engine, TableReader(tuple(map(str, X.columns))))


def _check_chunks(X: Any, what: str) -> None:
    if any(np.isnan(size) for axis in X.chunks for size in axis):
        raise ValueError(
            f"{what} is a dask array of unknown chunk sizes, so that its rows have no positions. "
            "Call X.compute_chunk_sizes() first, which reads it once."
        )


def _array_mask(mask: Any, chunks: tuple[int, ...]) -> list[Any] | None:
    """Parts of a mask that is a dask array, cut like the pool."""
    if type(mask).__module__.partition(".")[0] == "xarray" and mask.chunks is not None:
        mask = mask.data
    if type(mask).__module__.partition(".")[0] != "dask" or not hasattr(mask, "chunks"):
        return None
    _check_chunks(mask, "candidates")
    if mask.dtype != bool or mask.shape != (sum(chunks),):
        raise ValueError(
            f"candidates as a dask array must be a mask with one entry per row, shape "
            f"({sum(chunks)},), got shape {mask.shape} and dtype {mask.dtype}."
        )
    return list(mask.rechunk((chunks,)).to_delayed())


def _series_mask(mask: Any, n_partitions: int) -> list[Any] | None:
    """Parts of a mask that is a dask Series, in partitions like those of the pool."""
    if type(mask).__module__.partition(".")[0] not in ("dask", "dask_expr"):
        return None
    if getattr(mask, "npartitions", None) != n_partitions or mask.ndim != 1 or mask.dtype != bool:
        raise ValueError(
            f"candidates as a dask mask must have the pool's {n_partitions} partitions, one "
            f"dimension and dtype bool, got {mask!r}. Make it of the pool, such as X['a'] > 0."
        )
    return list(mask.to_delayed().ravel()) if hasattr(mask, "chunks") else mask.to_delayed()


def _check_alive(X: Any) -> None:
    """Raise a ConnectionError if parts of a pool were held by a cluster that is gone."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return
    try:
        closed = any(future.client.status == "closed" for future in distributed.futures_of(X))
    except distributed.CancelledError:
        closed = True
    if closed:
        raise ConnectionError(
            "The pool was persisted on a Dask client that was closed since, and is lost with it. "
            "Connect again, and build the pool anew from what it is read from."
        )


def active_client() -> Any:
    """The client of a cluster that is in use; None if there is none."""
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return distributed.default_client()
    except ValueError:
        return None


class DaskEngine(Engine):
    """Partitions of Dask.

    Parameters
    ----------
    sources : list of Delayed
        One for each partition.
    mask : callable
        The parts of a mask of the same kind; None if it is of another.
    take : callable or None, default=None
        Takes rows by their position in the whole pool.
    """

    def __init__(
        self,
        sources: Any,
        mask: Callable[[Any], list[Any] | None],
        take: Callable[[NDArray[np.intp]], Any] | None = None,
    ) -> None:
        self.sources = list(sources)
        self.n_partitions = len(self.sources)
        self._mask = mask
        self._take = take

    def rows_at(self, positions: NDArray[np.intp]) -> Any:
        return None if self._take is None else self._take(positions)

    def aligned(self, candidates: Any) -> list[Any] | None:
        return self._mask(candidates)

    def visit(self, task: Task, chosen: list[Any] | None, only: list[int] | None = None) -> Any:
        import dask

        sent = self._sent(task)
        visitor = dask.delayed(visit, pure=False)
        numbers = range(self.n_partitions) if only is None else only
        return [
            (number, visitor(sent, number, self.sources[number], chosen and chosen[number]))
            for number in numbers
        ]

    def then(self, handles: Any, function: Callable[[Any, Any], Any], payload: Any) -> Any:
        import dask

        sent, made = self._sent((function, payload)), dask.delayed(follow, pure=False)
        return [(number, made(visited, sent, number)) for number, visited in handles]

    def _sent(self, value: Any) -> Any:
        """An object for all workers: a task of its own, which is run again where it is lost."""
        client = active_client()
        if client is None:
            import dask

            return dask.delayed(Sent.here(value), traverse=False, pure=False)
        import cloudpickle

        sent = Sent.away(value, what_of(value), cloudpickle)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return client.submit(_same, sent, key=sent.name, pure=True)

    def hold(self, handles: Any) -> Any:
        import dask

        persisted = self._run(handles, lambda: dask.persist(*(v for _, v in handles)))
        return [(number, v) for (number, _), v in zip(handles, persisted, strict=True)]

    def reduce(self, handles: Any, merge: Merge) -> Visited:
        import dask

        merged = dask.delayed(merge_visited, pure=False)
        level, done = [visited for _, visited in handles], False
        while not done:
            level = [
                merged(merge, level[start : start + _AT_ONCE])
                for start in range(0, len(level), _AT_ONCE)
            ]
            done = len(level) == 1
        return self._run(handles, lambda: self._computed(handles, level[0]))

    def _computed(self, handles: Any, root: Any) -> Visited:
        client = active_client()
        if client is None:
            return root.compute()
        return _waited(client, handles, root, self.n_partitions)

    def _run(self, handles: Any, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except (PartitionError, KeyboardInterrupt):
            raise
        except Exception as error:
            if active_client() is not None:
                raise
            number = _failing(handles)
            raise unreadable(number, self.n_partitions, error) from error


def _same(value: Any) -> Any:
    return value


def _failing(handles: Any) -> int | None:
    """The first partition that fails alone."""
    for number, visited in handles:
        try:
            visited.compute()
        except Exception:
            return number
    return None


def _waited(client: Any, handles: Any, root: Any, n_partitions: int) -> Visited:
    """The result on a cluster; which partition it was, if one cannot be read."""
    from distributed import CancelledError

    *parts, merged = client.compute([*(visited for _, visited in handles), root])
    try:
        return merged.result()
    except CancelledError as error:
        raise ConnectionError(
            "The connection to the Dask scheduler was lost, or its client closed, before the query "
            "was done. Nothing was changed: connect again, and ask again."
        ) from error
    except Exception as error:
        failed = [n for (n, _), future in zip(handles, parts, strict=True) if _erred(future)]
        raise unreadable(min(failed, default=None), n_partitions, error) from error


def _erred(future: Any) -> bool:
    return future.status == "error"
