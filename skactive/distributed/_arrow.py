"""Pools of PyArrow: tables in memory, and datasets of files read one row group after the other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ._engine import LocalEngine
from ._pool import PartitionedPool
from ._readers import TableReader
from ._sizes import ranges


class ArrowReader(TableReader):
    """Partitions that are PyArrow tables; a model fitted on columns reads a pandas DataFrame."""

    def _names(self, rows: Any) -> list:
        return rows.column_names

    def _column(self, rows: Any, name: str) -> NDArray:
        return _as_numpy(rows.column(name), name)

    def _only(self, rows: Any, names: list) -> Any:
        return rows.select(names)

    def _frame(self, rows: Any, names: list) -> Any:
        if len(names) == 1 and (column := self._column(rows, names[0])).ndim > 1:
            return column  # of images, say, of which a DataFrame makes objects
        return rows.select(names).to_pandas()

    def _array(self, rows: Any, names: list) -> NDArray:
        if len(names) == 1:
            column = self._column(rows, names[0])
            return column if column.ndim > 1 else column[:, None]
        return np.column_stack([self._column(rows, name) for name in names])

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        import pyarrow as pa

        return pa.concat_tables(pieces).take(order)


def _as_numpy(column: Any, name: str) -> NDArray:
    """A column as an array; of lists or tensors of one shape, with one row for each.

    Raises
    ------
    ValueError
        If lists or tensors are missing, or not of one shape. Numbers missing in lists are NaN.
    """
    whole = column.combine_chunks()
    whole = whole.chunk(0) if hasattr(whole, "chunks") and whole.num_chunks == 1 else whole
    if not hasattr(whole, "to_numpy_ndarray"):
        return _stacked(column, name)
    numbers = whole.storage.flatten()
    _refuse(whole.is_null(), 1, name, "a null in place of a tensor")
    _refuse(numbers.is_null(), len(numbers) // max(1, len(whole)), name, "a null within a tensor")
    return whole.to_numpy_ndarray()


def _stacked(column: Any, name: str) -> NDArray:
    """Lists of numbers, or of such lists, as one array; other columns as they are."""
    import pyarrow.compute as pc

    shape = [len(column)]
    while len(column) and hasattr(column.type, "value_field"):
        per_row = math.prod(shape[1:])
        _refuse(column.is_null(), per_row, name, "a null in place of a list")
        lengths = pc.list_value_length(column)
        differ = pc.not_equal(lengths, lengths[0])
        _refuse(differ, per_row, name, "a list of another length than the first")
        shape.append(lengths[0].as_py())
        column = pc.list_flatten(column)
    return column.to_numpy().reshape(shape)


def _refuse(wrong: Any, per_row: int, name: str, what: str) -> None:
    """Raise if one of the items of a column, so many in each row, is wrong."""
    import pyarrow.compute as pc

    first = pc.index(wrong, True).as_py()
    if first >= 0:
        raise ValueError(
            f"The column {name!r} of the pool has {what}, first in row {first // per_row} of those "
            "read: no array holds it. Leave such rows out, table.filter(mask), or fill them."
        )


def table_pool(X: Any) -> PartitionedPool:
    """A pool of a `pyarrow.Table` or `RecordBatch`, some rows of it at a time."""
    import pyarrow as pa

    table = X if isinstance(X, pa.Table) else pa.Table.from_batches([X])
    windows, lengths = ranges(table.num_rows, table.nbytes // max(1, table.num_rows))
    sources = [partial(table.slice, start, stop - start) for start, stop in windows]
    reader = ArrowReader(tuple(table.column_names))
    return PartitionedPool(LocalEngine(sources, take=table.take), reader, lengths)


def dataset_pool(X: Any) -> PartitionedPool:
    """A pool of a `pyarrow.dataset`: a partition for each row group, or file without any."""
    try:
        files = list(X.get_fragments())
    except ValueError as error:  # it was filtered
        raise ValueError(
            "A filtered PyArrow dataset cannot say where its rows are. Pass the dataset as it is, "
            "and candidates=, a mask or the name of a column of truth values; or what the filter "
            "leaves, if it fits into memory: dataset.to_table()."
        ) from error
    fragments = [part for whole in files for part in _row_groups(whole)]
    if not fragments:
        raise ValueError("The pool is a dataset without a file. Is the folder right?")
    columns = fragments[0].physical_schema.names
    sources = [
        partial(_read_fragment, fragment, X.schema, columns, number)
        for number, fragment in enumerate(fragments)
    ]
    counts = [_n_rows(fragment) for fragment in fragments]
    lengths = None if None in counts else np.array(counts)
    return PartitionedPool(LocalEngine(sources), ArrowReader(tuple(X.schema.names)), lengths)


def _row_groups(fragment: Any) -> list[Any]:
    return fragment.split_by_row_group() if hasattr(fragment, "split_by_row_group") else [fragment]


def _n_rows(fragment: Any) -> int | None:
    """Rows of a fragment, where its metadata tell."""
    groups = getattr(fragment, "row_groups", None)
    return None if groups is None else sum(group.num_rows for group in groups)


def _read_fragment(fragment: Any, schema: Any, columns: list[str], number: int) -> Any:
    found = fragment.physical_schema.names
    if sorted(found) != sorted(columns):  # else what is missing would be read as null
        raise PartitionError(
            f"Partition {number} of the pool, {getattr(fragment, 'path', '')}, has the columns "
            f"{found}, the first one {columns}. Bring all files to the same columns.",
            number,
        )
    return fragment.to_table(schema=schema)
