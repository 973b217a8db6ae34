"""Pools of Hugging Face datasets, which are mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..utils.inputs import input_names
from ._engine import LocalEngine
from ._pool import PartitionedPool
from ._readers import Reader, TableReader
from ._sizes import ranges


class HuggingFaceReader(TableReader):
    """Partitions that are dicts of columns; of image datasets the images, channels first."""

    carries: ClassVar[bool] = False  # the library takes rows by position

    def read(self, rows: Any, number: int) -> tuple[Any, Any, int]:
        columns = rows if isinstance(rows, dict) else columns_of(rows, 0, len(rows))
        own, inputs, _ = super().read(columns, number)
        return own, inputs, len(next(iter(columns.values())))

    def by_columns(self) -> Reader:
        return super().by_columns() if len(input_names(self._wanted())) > 1 else self

    def _names(self, rows: Any) -> list:
        return list(rows) if isinstance(rows, dict) else rows.column_names

    def _column(self, rows: Any, name: str) -> NDArray:
        column = rows[name] if isinstance(rows, dict) else rows.with_format("numpy")[:][name]
        return np.asarray(column)

    def _only(self, rows: Any, names: list) -> Any:
        return rows.select_columns(names)

    def _frame(self, rows: Any, names: list) -> Any:
        import pandas as pd

        return pd.DataFrame({name: rows[name] for name in names})

    def _array(self, rows: Any, names: list) -> NDArray:
        chosen = input_names(names)
        if len(chosen) == 1:
            column = np.asarray(rows[chosen[0]])
            return column if column.ndim > 1 else column[:, None]
        return np.column_stack([rows[name] for name in chosen])

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        raise NotImplementedError("Datasets take their rows by position.")


def dataset_pool(X: Any) -> PartitionedPool:
    """A pool of a `datasets.Dataset`, some rows of it at a time."""
    row_bytes = 0
    if len(X):
        row_bytes = sum(column.nbytes for column in columns_of(X, 0, 1).values())
    windows, lengths = ranges(len(X), row_bytes)
    sources = [partial(columns_of, X, start, stop) for start, stop in windows]
    reader = HuggingFaceReader(tuple(X.column_names))
    return PartitionedPool(LocalEngine(sources, take=X.select), reader, lengths)


def columns_of(X: Any, start: int, stop: int) -> dict[str, NDArray]:
    """Some rows as arrays."""
    columns = X.with_format("numpy")[start:stop]
    return {name: _first_channels(X, name, column) for name, column in columns.items()}


def _first_channels(X: Any, name: str, column: Any) -> NDArray:
    values = np.asarray(column)
    if type(X.features[name]).__name__ != "Image":
        return values
    if values.dtype == object:
        raise ValueError(
            f"The images of the column {name!r} have different shapes. A net reads one: resize "
            "them, for instance with dataset.map."
        )
    return values[:, None] if values.ndim == 3 else values.transpose(0, 3, 1, 2)


def refuse_stream(X: Any) -> PartitionedPool:
    """Refuse an `IterableDataset`, whose rows have no positions."""
    raise TypeError(
        "An IterableDataset is read from its beginning each time and has no rows by position. Load "
        "it without streaming=True: it is mapped into memory, not read into it."
    )
