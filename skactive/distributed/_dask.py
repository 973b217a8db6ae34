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
    holder = _holder(X)
    delayed = X.rechunk(dict.fromkeys(range(1, X.ndim), -1)).to_delayed().ravel()
    return DaskEngine(delayed, partial(_array_mask, chunks=X.chunks[0]), take, holder)


def frame_pool(X: Any) -> PartitionedPool:
    """A pool of a `dask.dataframe`, partition by partition."""
    if X.ndim != 2:
        raise TypeError(
            "A pool must be a table, got a dask Series. Pass a DataFrame: series.to_frame()."
        )
    mask = partial(_series_mask, n_partitions=X.npartitions)
    engine = DaskEngine(X.to_delayed(), mask, holder=_holder(X))
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
    if getattr(mask, "npartitions", None) != n_partitions or mask.ndim != 1 or not _is_bool(mask):
        raise ValueError(
            f"candidates as a dask mask must have the pool's {n_partitions} partitions, one "
            f"dimension and dtype bool, got {mask!r}. Make it of the pool, such as X['a'] > 0."
        )
    return list(mask.to_delayed().ravel()) if hasattr(mask, "chunks") else mask.to_delayed()


def _is_bool(mask: Any) -> bool:
    """Whether it holds truth values, of NumPy, pandas or Arrow."""
    return mask.dtype == bool or str(mask.dtype).partition("[")[0] in ("bool", "boolean")


def _holder(X: Any) -> Any:
    """The client of the cluster that holds parts of a pool; None if none does.

    Raises
    ------
    ConnectionError
        If that cluster is gone.
    """
    distributed = _distributed()
    if distributed is None:
        return None
    try:
        clients = [future.client for future in distributed.futures_of(X)]
        closed = any(client.status == "closed" for client in clients)
    except distributed.CancelledError:
        closed = True
    if closed:
        raise ConnectionError(
            "The pool was persisted on a Dask client that was closed since, and is lost with it. "
            "Connect again, and build the pool anew from what it is read from."
        )
    return next(iter(clients), None)


def _distributed() -> Any:
    """Dask's `distributed` where it is loaded; a module of that name may be the user's own."""
    module = sys.modules.get("distributed")
    return module if hasattr(module, "futures_of") else None


def active_client() -> Any:
    """The client of a cluster that Dask would use now; None if there is none."""
    import dask

    distributed = _distributed()
    if distributed is None:
        return None
    chosen = dask.config.get("scheduler", None)
    if isinstance(chosen, distributed.Client):
        return chosen
    if chosen not in (None, "dask.distributed", "distributed"):
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
    holder : distributed.Client or None, default=None
        Of the cluster that holds the pool; ``None``: whatever client is active is used.
    """

    def __init__(
        self,
        sources: Any,
        mask: Callable[[Any], list[Any] | None],
        take: Callable[[NDArray[np.intp]], Any] | None = None,
        holder: Any = None,
    ) -> None:
        self.sources = list(sources)
        self._holder = holder
        self.n_partitions = len(self.sources)
        self._mask = mask
        self._take = take

    def rows_at(self, positions: NDArray[np.intp]) -> Any:
        return None if self._take is None else self._take(positions)

    def aligned(self, candidates: Any) -> list[Any] | None:
        return self._mask(candidates)

    def by_position(self, names: Any) -> Any:
        if not hasattr(names, "to_dask_array"):  # neither a Series nor an Index
            return names
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Dask currently has limited support", UserWarning)
            return names.to_dask_array(lengths=True)

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
        client = self._client()
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

        client, visited = self._client(), [v for _, v in handles]
        keep = dask.persist if client is None else lambda *every: client.persist(every)
        persisted = self._run(handles, lambda: keep(*visited))
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

    def _client(self) -> Any:
        return active_client() if self._holder is None else self._holder

    def _computed(self, handles: Any, root: Any) -> Visited:
        client = self._client()
        if client is None:
            return root.compute()
        return _waited(client, handles, root, self.n_partitions)

    def _run(self, handles: Any, compute: Callable[[], Any]) -> Any:
        try:
            return compute()
        except (PartitionError, KeyboardInterrupt):
            raise
        except Exception as error:
            if self._client() is not None:
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

    merged = client.compute(root)  # and not the parts: each would stay until the last is done
    try:
        return merged.result()
    except CancelledError as error:
        raise ConnectionError(
            "The connection to the Dask scheduler was lost, or its client closed, before the query "
            "was done. Nothing was changed: connect again, and ask again."
        ) from error
    except Exception as error:
        raise unreadable(_failed(client, handles), n_partitions, error) from error


def _failed(client: Any, handles: Any) -> int | None:
    """A partition that failed, which the scheduler remembers while what failed of it is held."""
    from distributed import as_completed

    futures = {client.compute(visited): number for number, visited in handles}
    failed = (futures[future] for future in as_completed(futures) if future.status == "error")
    return next(failed, None)
