"""One key for the content of a row, whatever container, dtype and layout it comes in."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from .indexing import Rows, n_rows
from .inputs import as_array, as_batch

_AT_ONCE = 1 << 22  # numbers looked at together
_WIDE = 4096  # from here on rows are keyed by what is not zero in them
_EXACT = 1 << 53  # whole numbers up to here are float64 numbers
_PROBES = 4  # columns compared before whole rows are


def row_keys(X: Any, *, pixels: bool = True) -> Iterator[bytes]:
    """A key for each row: equal for equal values, whatever their dtype and layout.

    Numbers are compared as float64 (larger whole numbers exactly), text and other objects by
    content, missing values as NaN. The shape of a row does not count, nor do column names.

    Parameters
    ----------
    X : array-like, sparse matrix, DataFrame, tensor, Dataset, list or Rows
        Walked in batches.
    pixels : bool, default=True
        Read bytes (uint8) as numbers in [0, 1], as nets do.

    Yields
    ------
    key : bytes of length 16

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.utils.row_keys import row_keys
    >>> first, second = row_keys(np.array([[1, 2], [1, 3]]))
    >>> first == next(row_keys([[1.0, 2.0]])), first == second
    (True, False)
    """
    rows = Rows.of(X)
    for _, batch in rows.batches(_rows_at_once(rows)):
        yield from _batch_keys(batch, pixels)


def row_readings(X: Any) -> Iterator[tuple[bytes, bytes]]:
    """Two keys for each row, its bytes read as pixels and as plain numbers; see `row_keys`.

    For where no estimator tells how bytes are to be read. Rows are read once.
    """
    rows = Rows.of(X)
    for _, batch in rows.batches(_rows_at_once(rows)):
        yield from zip(_batch_keys(batch, True), _batch_keys(batch, False), strict=True)


def rows_among(X: Any, known: Any, *, pixels: bool = True) -> NDArray[np.bool_]:
    """Which rows of `X` have the content of a row of `known`.

    Of arrays, tensors and DataFrames a few columns are compared first, and whole rows only where
    these agree: a large pool costs little more than reading it.

    Parameters
    ----------
    X : any container of rows, or Rows
    known : container of the same kind of rows
    pixels : bool, default=True
        See `row_keys`.

    Returns
    -------
    found : ndarray of bool, shape (n_rows(X),)
    """
    rows = Rows.of(X)
    found = np.zeros(len(rows), dtype=bool)
    keys = set(row_keys(known, pixels=pixels))
    if not keys:
        return found
    probes = _probes(known, pixels)
    for window, batch in rows.batches(_rows_at_once(rows)):
        batch = _read(batch, pixels)
        alike = np.arange(window.stop - window.start)
        for column, values in probes if _n_columns(batch) is not None else ():
            alike = alike[_isin(_column(batch, column, pixels)[alike], values)]
        if len(alike):
            suspects = Rows(batch, alike)
            hits = [key in keys for key in row_keys(suspects, pixels=pixels)]
            found[window.start + alike[hits]] = True
    return found


def _rows_at_once(rows: Rows) -> int:
    shape = getattr(rows.X, "shape", (0, 64))
    return max(16, _AT_ONCE // max(1, int(np.prod(shape[1:]))))


# -- keys ---------------------------------------------------------------------------------


def _batch_keys(batch: Any, pixels: bool) -> Iterator[bytes]:
    if sp.issparse(batch) and batch.shape[1] >= _WIDE:
        return _sparse_keys(batch)
    table = _table(batch, pixels)
    if table.dtype == object:
        return (_row_key(row, pixels) for row in table.tolist())
    if table.shape[1] >= _WIDE:
        return _sparse_keys(sp.csr_matrix(table))
    return (_digest(row.tobytes()) for row in table)


def _row_key(row: list[Any], pixels: bool) -> bytes:
    """Key of a row of objects; of a row that is one array or list, that of what it holds."""
    if len(row) == 1 and _is_nested(row[0]):
        return _key_alone(row[0], pixels)
    return _digest(_cells(row))


def _key_alone(row: Any, pixels: bool) -> bytes:
    """Key of an array or a list, whatever the shapes of those that it came with."""
    try:
        as_array([row])
    except TypeError:  # its own parts have different shapes
        return _digest(_cells(list(row)))
    return next(_batch_keys([row], pixels))


def _is_nested(value: Any) -> bool:
    return hasattr(value, "__array__") or isinstance(value, (list, tuple))


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _sparse_keys(X: Any) -> Iterator[bytes]:
    X = sp.csr_matrix(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    values, at = _floats(X.data), X.indices.astype(np.int64)
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        yield _digest(b"sparse" + at[start:stop].tobytes() + values[start:stop].tobytes())


def _read(batch: Any, pixels: bool) -> Any:
    """A DataFrame of bytes as numbers, which its columns one by one do not show; others as is."""
    return as_batch(batch) if pixels and _is_frame(batch) else batch


def _is_frame(batch: Any) -> bool:
    return hasattr(batch, "columns") and not sp.issparse(batch)


def _table(batch: Any, pixels: bool) -> NDArray:
    """Rows as a contiguous 2-d array: float64 where that says all, else objects."""
    batch = _read(batch, pixels)
    if _is_frame(batch):
        columns = [_column(batch, i, pixels) for i in range(batch.shape[1])]
        if all(_is_exact(column) for column in columns):
            return np.stack([_floats(column) for column in columns], axis=1)
        return np.array([[*row] for row in zip(*map(_objects, columns), strict=True)], dtype=object)
    array = _array(batch, pixels)
    flat = array.reshape(len(array), int(np.prod(array.shape[1:])))
    if _is_exact(flat):
        return np.ascontiguousarray(_floats(flat))
    return np.stack([_objects(column) for column in flat.T], axis=1)


def _array(batch: Any, pixels: bool) -> NDArray:
    """A batch of any container but a DataFrame as an array."""
    if sp.issparse(batch):
        return batch.toarray()
    try:
        array = as_array(batch)
    except TypeError:  # rows of different shapes
        array = np.empty(len(batch), dtype=object)
        array[:] = list(batch)
    if array.dtype.kind in "SU" and not hasattr(batch, "dtype"):
        array = np.asarray(batch, dtype=object)
    return np.asarray(as_batch(array) if pixels else array)


def _is_exact(array: NDArray) -> bool:
    """Whether all of its values are float64 numbers."""
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        return int(array.max()) <= _EXACT and int(array.min()) >= -_EXACT
    return array.dtype.kind in "biuf"


def _floats(array: NDArray) -> NDArray:
    """As float64, with one zero and one NaN."""
    floats = array.astype(np.float64) + 0.0
    floats[np.isnan(floats)] = np.nan
    return floats


def _objects(column: NDArray) -> NDArray:
    if column.dtype.kind not in "mM":
        return column.astype(object)
    missing = np.isnat(column)
    column = column.astype(f"{column.dtype.kind}8[ns]").astype(str).astype(object)
    column[missing] = np.nan
    return column


def _cells(row: list[Any]) -> bytes:
    """The content of a row of objects; that of its numbers if they are all it has."""
    cells = [_cell(value) for value in row]
    if all(kind == "number" for kind, _ in cells):
        return b"".join(content for _, content in cells)
    return repr(cells).encode(errors="surrogatepass")


def _cell(value: Any) -> tuple[str, Any]:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        value = np.nan
    if isinstance(value, np.timedelta64) or hasattr(value, "total_seconds"):
        return _moment(value, "m8[ns]")
    if isinstance(value, np.datetime64) or _is_local_date(value):
        return _moment(value, "M8[ns]")
    if isinstance(value, (Real, np.bool_)):
        return _number(value)
    if isinstance(value, (str, bytes)):
        return type(value).__name__, value
    if _is_nested(value):
        return "array", _key_alone(value, pixels=True)
    return type(value).__name__, repr(value)


def _is_local_date(value: Any) -> bool:
    """Whether it is a date, with a time or not, of no time zone."""
    return hasattr(value, "toordinal") and getattr(value, "tzinfo", None) is None


def _moment(value: Any, dtype: str) -> tuple[str, Any]:
    """As a column of such values is written."""
    exact = value.to_numpy() if hasattr(value, "to_numpy") else value  # pandas' nanoseconds, too
    return _cell(_objects(np.array([exact], dtype=dtype))[0])


def _number(value: Any) -> tuple[str, Any]:
    try:
        number = float(value)
    except OverflowError:
        return "whole", str(value)
    if number != value and number == number:
        return "whole", str(value)
    return "number", struct.pack("=d", number + 0.0 if number == number else np.nan)


# -- a few columns first --------------------------------------------------------------------


def _n_columns(batch: Any) -> int | None:
    """How many columns an array, tensor or DataFrame has; None for all else."""
    if sp.issparse(batch) or not (
        isinstance(batch, (np.ndarray, torch.Tensor)) or hasattr(batch, "columns")
    ):
        return None
    return int(np.prod(batch.shape[1:]))


def _column(batch: Any, number: int, pixels: bool) -> NDArray:
    if hasattr(batch, "iloc"):
        return np.asarray(batch.iloc[:, number])
    if hasattr(batch, "columns"):
        return batch[:, number].to_numpy()
    return _array(batch.reshape(len(batch), -1)[:, number], pixels)


def _probes(known: Any, pixels: bool) -> list[tuple[int, Any]]:
    """Columns in which known rows differ most, and the values that they have there."""
    known = _read(known, pixels)
    n_columns = _n_columns(known)
    if not n_columns or n_rows(known) == 0:
        return []
    few = Rows(known, np.unique(np.linspace(0, n_rows(known) - 1, 64).astype(int)))
    table = _table(few.materialise(), pixels)
    if table.dtype == object:
        distinct = np.array([len({_cell(value) for value in column}) for column in table.T])
    else:
        distinct = (np.diff(np.sort(table, axis=0), axis=0) != 0).sum(axis=0)
    chosen = np.argsort(-distinct, kind="stable")[:_PROBES]
    return [(int(i), _values(_column(known, int(i), pixels))) for i in chosen]


def _values(column: NDArray) -> Any:
    """Values to look others up in: sorted numbers, or a set."""
    if column.dtype.kind in "biuf":
        return np.unique(column)
    return {_cell(value) for value in _objects(column).tolist()}


def _isin(column: NDArray, values: Any) -> NDArray[np.bool_]:
    """Where `column` may be among `values`; NaN is left to whole rows."""
    if isinstance(values, set):
        return np.fromiter((_cell(v) in values for v in _objects(column).tolist()), bool)
    if column.dtype.kind not in "biuf":
        return np.ones(len(column), dtype=bool)
    at = np.minimum(np.searchsorted(values, column), len(values) - 1)
    return (values[at] == column) | (column != column)
