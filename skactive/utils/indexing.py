"""Rows of any pool: counted, taken and walked in batches, never copied whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

from .inputs import detached, is_dataset


def n_rows(X: Any) -> int:
    """Number of rows of a pool of any kind.

    Raises
    ------
    TypeError
        If `X` has neither a shape nor a length.
    """
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) > 0:
        return int(shape[0])
    if hasattr(X, "__len__"):
        return len(X)
    if hasattr(X, "__array__"):
        return len(np.asarray(X))
    raise TypeError(
        f"A pool needs a length and integer indexing; got {type(X).__name__}. Pass an array, a "
        "sparse matrix, a DataFrame, a tensor, a list or a torch Dataset."
    )


def distinct_positions(given: Any, n: int, name: str) -> NDArray[np.intp]:
    """Positions of rows from integers or a mask; raise unless they are distinct and in [0, n).

    Parameters
    ----------
    given : array-like of int or bool
    n : int
        Number of rows.
    name : str
        What to call them in a message.
    """
    positions = np.asarray(given)
    if positions.dtype == bool:
        if positions.shape != (n,):
            raise ValueError(
                f"{name} as a mask must have one entry per row, shape ({n},), got "
                f"{positions.shape}."
            )
        return np.flatnonzero(positions)
    if positions.ndim != 1 or (positions.size and positions.dtype.kind not in "iu"):
        raise ValueError(
            f"{name} must be a 1-d array of positions, which are integers, or a boolean mask, got "
            f"shape {positions.shape} and dtype {positions.dtype}."
        )
    positions = positions.astype(np.intp)
    if positions.size and (positions.min() < 0 or positions.max() >= n):
        raise ValueError(
            f"{name} must lie in [0, {n}), got values in [{positions.min()}, {positions.max()}]. "
            "Are they positions in another set, such as another test set?"
        )
    taken = np.zeros(n, dtype=bool)
    taken[positions] = True
    if np.count_nonzero(taken) != len(positions):
        raise ValueError(f"{name} must be distinct positions; some occur more than once.")
    return positions


def take_rows(X: Any, indices: Any) -> Any:
    """Rows of `X` at `indices` (integers or a slice), in its type; tensors want no gradients."""
    if isinstance(X, Rows):
        return X.take(indices)
    if isinstance(X, torch.Tensor):
        X = detached(X)
        return X[torch.as_tensor(indices)] if not isinstance(indices, slice) else X[indices]
    if is_dataset(X):
        return torch.utils.data.Subset(X, np.arange(n_rows(X))[indices].tolist())
    if hasattr(X, "__array__") and not hasattr(X, "__getitem__"):
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        return X[indices]
    if hasattr(X, "column_names") and hasattr(X, "take"):  # a table of PyArrow
        return X.take(np.arange(n_rows(X))[indices])
    if sp.issparse(X) and X.format not in ("csr", "csc"):
        return _safe_indexing(X.tocsr(), indices).asformat(X.format)
    return _safe_indexing(X, indices)


class AllBut:
    """All positions of a pool but a few, indexed like an array that nobody has to hold.

    Parameters
    ----------
    n : int
        Number of rows of the pool.
    excluded : ndarray of int, ascending
        Positions left out.
    """

    def __init__(self, n: int, excluded: np.ndarray) -> None:
        self.n = n
        # Where in what is left each excluded row would come.
        self._gaps = excluded - np.arange(len(excluded))

    def __len__(self) -> int:
        return self.n - len(self._gaps)

    def __getitem__(self, at: Any) -> Any:
        """Positions in the pool; a slice of it where nothing is left out in between."""
        if not isinstance(at, slice):
            at = np.asarray(at)
            return self._of(np.flatnonzero(at) if at.dtype == bool else at)
        start, stop, step = at.indices(len(self))
        if step == 1 and start < stop:
            first, last = (int(self._of(np.intp(end))) for end in (start, stop - 1))
            if last - first == stop - 1 - start:
                return slice(first, last + 1)
        return self._of(np.arange(start, stop, step))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self._of(np.arange(len(self))).astype(dtype or np.intp, copy=False)

    def _of(self, at: Any) -> Any:
        return at + np.searchsorted(self._gaps, at, side="right")


class Rows:
    """A pool restricted to some of its rows, without copying it.

    Parameters
    ----------
    X : array-like, sparse matrix, DataFrame, tensor, Dataset or list
        The whole pool.
    indices : ndarray of int, AllBut or None, default=None
        Rows to keep, ``None`` for all.

    Attributes
    ----------
    X : the whole pool, as given
    indices : ndarray of int, AllBut or None
    """

    def __init__(self, X: Any, indices: np.ndarray | AllBut | None = None) -> None:
        self.X = X
        self.indices = indices

    @classmethod
    def of(cls, X: Any) -> Rows:
        """`X` itself if it is a `Rows` already, else a view on all its rows."""
        return X if isinstance(X, cls) else cls(X)

    def __len__(self) -> int:
        return n_rows(self.X) if self.indices is None else len(self.indices)

    def take(self, indices: Any) -> Any:
        """Materialise some rows (positions within this view), in the pool's own type."""
        return take_rows(self.X, indices if self.indices is None else self.indices[indices])

    def subset(self, positions: np.ndarray) -> Rows:
        """A view on some of these rows (positions within this view), nothing copied."""
        return Rows(self.X, positions if self.indices is None else self.indices[positions])

    def batches(self, batch_size: int) -> Iterator[tuple[slice, Any]]:
        """Yield ``(slice into this view, materialised rows)``, `batch_size` rows at a time."""
        for start in range(0, len(self), batch_size):
            window = slice(start, min(start + batch_size, len(self)))
            yield window, self.take(window)

    def materialise(self) -> Any:
        """All rows, in the pool's own type; the pool itself when nothing is left out."""
        if self.indices is None:
            return detached(self.X)
        return take_rows(self.X, np.asarray(self.indices))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.materialise(), dtype=dtype)
