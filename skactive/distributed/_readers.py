"""What a model reads of the rows of a partition, and what their own type is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ..utils.indexing import take_rows


class Reader:
    """Rows of a partition in the pool's own type, and as a model reads them."""

    carries: ClassVar[bool] = True  # rows picked come along with the scores

    def read(self, rows: Any, number: int) -> tuple[Any, Any, int]:
        """Rows in their own type, as a model reads them, and how many there are.

        Raises
        ------
        PartitionError
            If the partition has other columns, or rows of another shape, than the first.
        """
        raise NotImplementedError

    def marked(self, rows: Any, chosen: Any, number: int) -> Any:
        """Which rows may be picked: as it came, or the column of that name."""
        return chosen

    def for_model(self, estimator: Any) -> Reader:
        """As this estimator wants to read."""
        return self

    def by_columns(self) -> Reader:
        """As a DataFrame of all features, where these have names."""
        return self

    def with_mask(self, column: str) -> Reader:
        """As this, with a column of truth values that say which rows may be picked."""
        raise TypeError(
            f"candidates={column!r} names a column, and this pool has none. Pass positions, or a "
            "mask of the pool's own kind."
        )

    def with_ids(self, column: str) -> Reader:
        """As this, with a column that names the rows."""
        raise TypeError(
            f"ids={column!r} names a column, and this pool has none. Pass an array with one for "
            "each row."
        )

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        """Rows of some partitions, one below the other, in another order."""
        raise NotImplementedError

    def without_ids(self, rows: Any) -> tuple[Any, NDArray | None]:
        """Rows without the column of ids, and that column."""
        return rows, None


@dataclass(frozen=True)
class ArrayReader(Reader):
    """Partitions that are arrays, all with rows of one shape."""

    row_shape: tuple[int, ...]

    def read(self, rows: Any, number: int) -> tuple[Any, Any, int]:
        rows = np.asarray(rows)
        if rows.shape[1:] != self.row_shape:
            raise PartitionError(
                f"Partition {number} of the pool has rows of shape {rows.shape[1:]}, the others of "
                f"shape {self.row_shape}.",
                number,
            )
        return rows, rows, len(rows)

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        return np.concatenate(pieces)[order]


@dataclass(frozen=True)
class TableReader(Reader):
    """Partitions that are tables, all with the same columns.

    Attributes
    ----------
    columns : tuple of str
    ids : str or None
        Column that names the rows; no feature.
    mask : str or None
        Column that says which rows may be picked; no feature.
    features : tuple of str or None
        What the model was fitted on, if it was fitted on a table; it is given one then. ``None``:
        all columns but those above, as an array.
    """

    columns: tuple[str, ...]
    ids: str | None = None
    mask: str | None = None
    features: tuple[str, ...] | None = None

    def for_model(self, estimator: Any) -> Reader:
        member = (getattr(estimator, "members_", None) or [None])[0]  # a committee has no names
        names = getattr(estimator, "feature_names_in_", getattr(member, "feature_names_in_", None))
        return self if names is None else replace(self, features=tuple(map(str, names)))

    def by_columns(self) -> Reader:
        return replace(self, features=tuple(self._wanted()))

    def _wanted(self) -> list[str]:
        return [name for name in self.columns if name not in (self.ids, self.mask)]

    def with_mask(self, column: str) -> Reader:
        self._check_column(column, "candidates")
        return replace(self, mask=column)

    def with_ids(self, column: str) -> TableReader:
        """As this, with a column that names the rows."""
        self._check_column(column, "ids")
        return replace(self, ids=column)

    def _check_column(self, column: str, name: str) -> None:
        if column not in self.columns:
            raise ValueError(
                f"{name}={column!r} must be a column of the pool, which has {list(self.columns)}."
            )

    def read(self, rows: Any, number: int) -> tuple[Any, Any, int]:
        found = tuple(map(str, self._names(rows)))
        if sorted(found) != sorted(self.columns):
            missing, more = (
                sorted(set(a) - set(b)) for a, b in ((self.columns, found), (found, self.columns))
            )
            raise PartitionError(
                f"Partition {number} of the pool has other columns than the first: it lacks "
                f"{missing}, and has {more} beside them. Bring all partitions to the same columns.",
                number,
            )
        wanted = self._wanted()
        if self.features is not None:
            unknown = [c for c in self.features if c not in wanted]
            if unknown:
                raise ValueError(
                    f"The model was fitted on the columns {list(self.features)}, of which the pool "
                    f"lacks {unknown}."
                )
            return rows, self._frame(rows, list(self.features)), len(rows)
        return rows, self._array(rows, wanted), len(rows)

    def marked(self, rows: Any, chosen: Any, number: int) -> Any:
        if not isinstance(chosen, str):
            return chosen
        return truth_values(self._column(rows, chosen), f"the column {chosen!r}", number)

    def without_ids(self, rows: Any) -> tuple[Any, NDArray | None]:
        names = None if self.ids is None else self._column(rows, self.ids)
        kept = [c for c in map(str, self._names(rows)) if c not in (self.ids, self.mask)]
        return self._only(rows, kept), names

    def _names(self, rows: Any) -> list:
        return list(rows.columns)

    def _column(self, rows: Any, name: str) -> NDArray:
        return np.asarray(self._only(rows, [name]).iloc[:, 0])

    def _only(self, rows: Any, names: list) -> Any:
        own = {str(label): label for label in self._names(rows)}  # which may be numbers
        return rows[[own[name] for name in names]]

    def _frame(self, rows: Any, names: list) -> Any:
        return self._only(rows, names)

    def _array(self, rows: Any, names: list) -> NDArray:
        return self._only(rows, names).to_numpy()

    def joined(self, pieces: Sequence[Any], order: NDArray[np.intp]) -> Any:
        import pandas as pd

        return take_rows(pd.concat(pieces), order)


def truth_values(values: Any, what: str, number: int) -> NDArray[np.bool_]:
    """Values of a partition as a mask: what is missing is not to be picked.

    Raises
    ------
    PartitionError
        If they are neither truth values nor 0 and 1.
    """
    values = np.asarray(values)
    if values.dtype == bool:
        return values
    if values.dtype == object:
        missing = np.fromiter(map(_is_missing, values), bool, len(values))
        allowed = all(value in (0, 1) for value in values[~missing])
    else:
        missing = values != values
        allowed = values.dtype.kind in "iuf" and bool(np.isin(values[~missing], (0, 1)).all())
    if not allowed:
        raise PartitionError(
            f"candidates, {what}, must hold truth values; in partition {number} of the pool it "
            f"holds others, of dtype {values.dtype}. Compare them: pool['price'] > 10, say.",
            number,
        )
    return np.where(missing, False, values).astype(bool)


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or value != value
