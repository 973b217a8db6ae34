"""Pools of xarray: its first dimension is that of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._engine import LocalEngine
from ._pool import PartitionedPool
from ._readers import ArrayReader, Reader
from ._sizes import ranges


@dataclass(frozen=True)
class XarrayReader(ArrayReader):
    """Arrays whose rows may be named by a coordinate; picks are a `DataArray` again."""

    coordinates: tuple[str, ...] = ()
    ids: str | None = None

    carries: ClassVar[bool] = False  # the library takes rows by position

    def with_ids(self, column: str) -> Reader:
        if column not in self.coordinates:
            raise ValueError(
                f"ids={column!r} must be a coordinate of the rows, which have "
                f"{list(self.coordinates)}."
            )
        return replace(self, ids=column)

    def without_ids(self, rows: Any) -> tuple[Any, NDArray | None]:
        return rows, None if self.ids is None else np.asarray(rows.coords[self.ids])


def array_pool(X: Any) -> PartitionedPool:
    """A pool of a `DataArray`: chunk by chunk if it is one of Dask, else some rows at a time."""
    along = X.dims[0]
    names = [name for name, values in X.coords.items() if values.dims == (along,)]
    shape = tuple(int(size) for size in X.shape[1:])
    reader = XarrayReader(shape, tuple(map(str, names)))

    def take(positions: NDArray[np.intp]) -> Any:
        return X.isel({along: positions}).compute()

    if X.chunks is not None:
        from ._dask import array_engine

        return PartitionedPool(array_engine(X.data, take), reader, np.array(X.data.chunks[0]))
    windows, lengths = ranges(X.shape[0], X.dtype.itemsize * int(np.prod(shape)))
    sources = [partial(_window, X, along, *window) for window in windows]
    return PartitionedPool(LocalEngine(sources, take=take), reader, lengths)


def _window(X: Any, along: Any, start: int, stop: int) -> NDArray:
    return X.isel({along: slice(start, stop)}).values


def refuse_dataset(X: Any) -> PartitionedPool:
    """Refuse an xarray `Dataset`, which is several arrays."""
    raise TypeError(
        f"A pool must be one DataArray, got a Dataset of {list(X.data_vars)}. Pass one of them, "
        "X['name'], or X.to_array() with the rows as its first dimension."
    )
