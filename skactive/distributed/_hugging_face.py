"""Pools of Hugging Face datasets, which are mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
        inputs = input_names(self._wanted())
        return replace(self, features=tuple(inputs)) if len(inputs) > 1 else self

    def _names(self, rows: Any) -> list:
        return list(rows) if isinstance(rows, dict) else rows.column_names

    def _column(self, rows: Any, name: str) -> NDArray:
        if isinstance(rows, dict):
            return np.asarray(rows[name])
        return columns_of(rows.select_columns([name]), 0, len(rows))[name]

    def _only(self, rows: Any, names: list) -> Any:
        return rows.select_columns(names)

    def _frame(self, rows: Any, names: list) -> Any:
        import pandas as pd

        return pd.DataFrame({name: rows[name] for name in names})

    def _array(self, rows: Any, names: list) -> NDArray:
        chosen = input_names(names) or names  # labels alone, where they are what is asked for
        if len(chosen) == 1:
            column = np.asarray(rows[chosen[0]])
            return column if column.ndim > 1 else column[:, None]
        return np.column_stack([rows[name] for name in chosen])

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        raise NotImplementedError("Datasets take their rows by position.")


def dataset_pool(X: Any) -> PartitionedPool:
    """A pool of a `datasets.Dataset`, some rows of it at a time."""
    if X.format["type"] == "custom":
        raise ValueError(
            "The dataset has a transform (set_transform, with_transform), which is run as its rows "
            "are taken one by one: what a model would read is not what the dataset holds. Apply "
            "it with dataset.map, or take it off with dataset.reset_format()."
        )
    row_bytes = 0
    if len(X):
        row_bytes = sum(column.nbytes for column in columns_of(X, 0, 1).values())
    windows, lengths = ranges(len(X), row_bytes)
    sources = [partial(columns_of, X, start, stop) for start, stop in windows]
    reader = HuggingFaceReader(tuple(X.column_names))
    return PartitionedPool(LocalEngine(sources, take=X.select), reader, lengths)


def columns_of(X: Any, start: int, stop: int) -> dict[str, NDArray]:
    """Some rows as arrays, with the dtypes that they are held in."""
    columns = X.with_format("numpy", dtype=None)[start:stop]
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
