"""The pool of a session: items by the user's ids, or by position and content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import PartitionedPool, is_partitioned, partitioned
from ..utils.indexing import n_rows, take_rows
from ..utils.inputs import is_dataset
from ..utils.row_keys import row_keys
from ._errors import LabelingError, PoolChangedError, UnknownItemError

_SAMPLED, _SAMPLED_ITEMS = 4096, 64  # rows read to know a pool again; items of a Dataset


class SessionPool:
    """Rows and their ids; nothing is copied.

    Parameters
    ----------
    X : any pool
    ids : array-like of str or int of shape (n_pool,), name of a column, or None
        ``None`` makes ids of the position and the content, ``"17-3f9a0c44d21b"``.

    Attributes
    ----------
    given : the pool as it came
    X : the pool as rows are taken of it: a `PartitionedPool` where it comes in partitions
    """

    def __init__(self, X: Any, ids: Any = None) -> None:
        self.given = X
        self.X: Any = partitioned(X).by_columns() if is_partitioned(X) else X
        self.n = n_rows(self.X)
        if self.n == 0:
            raise LabelingError("pool has no rows: there is nothing to label.")
        self.ids = None if ids is None else self._given(ids)
        self._positions: dict[str, int] | None = None

    def beside(self, show: Any) -> SessionPool:
        """Rows that people see in place of these, as many."""
        shown = SessionPool(show)
        if shown.n != self.n:
            raise LabelingError(f"show has {shown.n} rows, the pool {self.n}. Pass as many.")
        return shown

    # -- ids ------------------------------------------------------------------------------

    def texts(self, positions: Sequence[int], digests: Sequence[str]) -> list[str]:
        """Ids of rows as they are stored."""
        if self.ids is None:
            return [f"{p}-{d[:12]}" for p, d in zip(positions, digests, strict=True)]
        return [str(self.ids[p]) for p in positions]

    def shown(self, text: str) -> Any:
        """An id as the user gave it."""
        return int(text) if self.ids is not None and self.ids.dtype.kind in "iu" else text

    def position_of(self, item: Any) -> int:
        """Where the item of that id lies.

        Raises
        ------
        UnknownItemError
            If there is none.
        """
        text = str(item)
        if self.ids is not None:
            if self._positions is None:
                self._positions = {str(each): i for i, each in enumerate(self.ids.tolist())}
            if text in self._positions:
                return self._positions[text]
        else:
            start = text.partition("-")[0]
            if start.isdecimal() and int(start) < self.n:
                position = int(start)
                if self.texts([position], self.digests([position])) == [text]:
                    return position
        if hasattr(item, "id"):
            raise UnknownItemError(f"{type(item).__name__} is no id. Pass its id, {item.id!r}.")
        example = self.shown(self.texts([0], self.digests([0]))[0])
        raise UnknownItemError(
            f"There is no item {item!r} in this pool of {self.n}; ids are like {example!r}."
        )

    # -- content --------------------------------------------------------------------------

    def content(self, position: int) -> Any:
        """One row: an array, a row of a DataFrame as a Series, a text, an item of a Dataset."""
        X = self.X
        if isinstance(X, PartitionedPool):
            # Rows of arrays keep their type, DataArray, say; tables come as rows of a DataFrame.
            rows = X.take_named([position])[0] if hasattr(X, "shape") else X.take([position])
            if not hasattr(rows, "iloc"):
                return rows[0]
            row = rows.iloc[0]
            # Arrow, Ray and Hugging Face have no index: a row is called as it lies in the pool.
            return row if hasattr(self.given, "index") else row.rename(position)
        if hasattr(X, "iloc"):
            return X.iloc[position]
        if is_dataset(X) or isinstance(X, (list, tuple)):
            return X[position]
        return take_rows(X, [position])[0] if not hasattr(X, "tocsr") else X[[position]]

    @cached_property
    def columns(self) -> list[str] | None:
        """Names of the columns of a table; None for any other pool."""
        rows = self.X.take([0]) if isinstance(self.X, PartitionedPool) else self.X
        return [str(name) for name in rows.columns] if hasattr(rows, "columns") else None

    def cells(self, positions: Sequence[int]) -> list[tuple]:
        """Rows of a table, each value as its column has it: whole numbers beside floats, too."""
        if not isinstance(self.X, PartitionedPool):
            rows = take_rows(self.X, np.asarray(positions, dtype=np.intp))
        elif hasattr(self.given, "to_pydict") or hasattr(self.given, "to_table"):
            # Of Arrow, whose whole numbers a DataFrame makes floats of, where some are missing.
            table = self.X.take_named(positions)[0]
            columns = [table.column(name).to_pylist() for name in self.columns or ()]
            return list(zip(*columns, strict=True))
        else:
            rows = self.X.take(positions)
        if not hasattr(rows, "iloc"):
            return rows.rows()  # polars
        columns = [rows.iloc[:, i].array for i in range(rows.shape[1])]
        return list(zip(*columns, strict=True))

    def digests(self, positions: Sequence[int] | NDArray) -> list[str]:
        """A digest of each row's content."""
        if len(positions) == 0:
            return []
        rows = take_rows(self.X, np.asarray(positions, dtype=np.intp))
        return [key.hex() for key in row_keys(rows)]

    def fingerprint(self) -> str:
        """Digest of the number of rows, and of rows and ids all over the pool.

        All of a pool of up to 4096 rows, else that many; of a Dataset, whose items may be costly
        to read, 64.
        """
        at = self.sample(self.n)
        digests = self.digests(at)
        text = repr([self.n, digests, self.texts(at.tolist(), digests)])
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

    def sample(self, n: int, most: int | None = None) -> NDArray[np.intp]:
        """Which of `n` rows are read to know them again, evenly spaced; at most so many."""
        sampled = most or (_SAMPLED_ITEMS if is_dataset(self.given) else _SAMPLED)
        return np.unique(np.linspace(0, n - 1, min(n, sampled)).astype(np.intp))

    def check(self, positions: Sequence[int], digests: Sequence[str]) -> None:
        """Raise a `PoolChangedError` if rows are no more what they were when they were asked."""
        changed = [
            int(p)
            for p, kept, now in zip(positions, digests, self.digests(positions), strict=True)
            if kept != now
        ]
        if changed:
            raise PoolChangedError(
                f"The pool changed under the session: {len(changed)} of the rows that were asked "
                f"are others now (positions {changed[:5]}). Pass the pool that the store was made "
                "with. Nothing was changed."
            )

    # -- inside ---------------------------------------------------------------------------

    def _given(self, ids: Any) -> NDArray:
        if isinstance(ids, str) and isinstance(self.X, PartitionedPool):
            ids = _ids_in(self.given, ids)
        elif isinstance(ids, str):
            if not hasattr(self.X, "columns") or ids not in list(self.X.columns):
                raise LabelingError(f"ids={ids!r} is no column of the pool.")
            ids = self.X[ids]
        given = np.asarray(ids)
        if given.dtype.kind == "O":
            given = given.astype(str) if all(isinstance(i, str) for i in given.ravel()) else given
        if given.shape != (self.n,) or given.dtype.kind not in "iuUT":
            raise LabelingError(
                f"ids must be {self.n} texts or whole numbers, one a row of the pool, got shape "
                f"{given.shape} and dtype {given.dtype}."
            )
        values, counts = np.unique(given, return_counts=True)
        if len(values) < self.n:
            twice = values[counts > 1][:5].tolist()
            raise LabelingError(
                f"ids must be distinct; {self.n - len(values)} come again, such as {twice}. Leave "
                "ids out to number the rows, or drop the duplicates."
            )
        return given


def _ids_in(X: Any, column: str) -> NDArray:
    """A column of ids, one partition after the other: no two of them need lie in memory."""
    try:
        pool = partitioned(X).named(column)
    except (TypeError, ValueError) as error:
        raise LabelingError(str(error)) from error
    ends = np.cumsum(pool.lengths)
    parts = [np.arange(end - n, end) for end, n in zip(ends, pool.lengths, strict=True)]
    return np.concatenate([np.asarray(pool.take_named(part)[1]) for part in parts])
