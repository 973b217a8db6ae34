"""Rows below rows: in the container of the first, without a changed value, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from .indexing import n_rows, take_rows
from .inputs import (
    as_array,
    as_batch,
    common_dtype,
    dtype_name,
    input_of,
    is_dataset,
    stacked_items,
)


def stack_rows(first: Any, second: Any) -> Any:
    """`first` on top of `second`, in the container of `first`; neither is modified.

    Numbers of two dtypes become the smallest one that holds both: 5.56 below integers stays
    5.56.

    Parameters
    ----------
    first, second : array-like, sparse matrix, DataFrame, tensor, Dataset or list

    Returns
    -------
    stacked : new container; of Datasets a lazy one

    Raises
    ------
    ValueError
        If the rows have different shapes or columns, or a value would be lost.
    TypeError
        If `second` cannot become what `first` is.
    """
    if isinstance(first, torch.Tensor):
        return _stack_tensors(first, second)
    if is_dataset(first):
        return _stack_datasets(first, second)
    if sp.issparse(first):
        second = second if sp.issparse(second) else sp.csr_matrix(as_array(second))
        return _stack_sparse(first, second)
    if hasattr(first, "iloc"):
        return _stack_pandas(first, second)
    if hasattr(first, "vstack") and hasattr(first, "columns"):
        return _stack_polars(first, second)
    if isinstance(first, list):
        return _stack_lists(first, second)
    array = as_array(second)
    if hasattr(second, "columns") and hasattr(second, "dtypes"):
        _check_columns(second, [array.dtype] * second.shape[1])
    return _stack_arrays(np.asarray(first), array)


def copied(X: Any) -> Any:
    """A copy of rows that later changes of `X` do not reach; Datasets stay as they are."""
    if isinstance(X, torch.Tensor):
        return X.detach().clone()
    if isinstance(X, torch.utils.data.Dataset):
        return X
    if hasattr(X, "iloc") or sp.issparse(X):
        return X.copy()
    if hasattr(X, "__array__") and not hasattr(X, "columns"):
        X = np.asarray(X).copy()  # a memmap too becomes an array in memory
        return copy.deepcopy(X) if X.dtype == object else X
    return copy.deepcopy(X)


# -- containers -----------------------------------------------------------------------------


def _stack_arrays(first: NDArray, second: NDArray) -> NDArray:
    _check_trailing(first.shape[1:], second.shape[1:])
    if (first.dtype.kind in "SU") != (second.dtype.kind in "SU") and "O" not in (
        first.dtype.kind,
        second.dtype.kind,
    ):
        raise ValueError(
            f"Text cannot be stacked with numbers: the rows are {first.dtype} and {second.dtype}. "
            "Pass rows of the same kind."
        )
    stacked = np.concatenate([first, second])
    for part in (first, second):
        _check_kept(part.dtype, stacked.dtype, part)
    return stacked


def _stack_sparse(first: Any, second: Any) -> Any:
    _check_trailing(first.shape[1:], second.shape[1:])
    stacked = sp.vstack([first, second], format=first.format)
    for part in (first, second):
        _check_kept(part.dtype, stacked.dtype, part.tocsr().data)
    return stacked


def _stack_tensors(first: torch.Tensor, second: Any) -> torch.Tensor:
    if not isinstance(second, torch.Tensor):
        second = torch.as_tensor(as_array(second))
    first, second = first.detach(), second.detach().to(first.device)
    _check_trailing(first.shape[1:], second.shape[1:])
    dtype = torch.promote_types(first.dtype, second.dtype)
    parts = [first.to(dtype), second.to(dtype)]
    if any(not _equal(old, new) for old, new in zip((first, second), parts, strict=True)):
        parts = [first.double(), second.double()]  # integers beyond what the floats hold
        for old, new in zip((first, second), parts, strict=True):
            if not _equal(old, new):
                _refuse_loss(old.dtype, new.dtype)
    return torch.cat(parts)


def _equal(old: torch.Tensor, new: torch.Tensor) -> bool:
    return old.dtype.is_floating_point or torch.equal(new.to(old.dtype), old)


def _check_kept(old: np.dtype, new: np.dtype, part: NDArray) -> None:
    """Raise if integers were rounded on their way to floats."""
    if old.kind in "iu" and new.kind == "f" and part.size:
        largest = 2 ** (np.finfo(new).nmant + 1)
        if int(part.max()) > largest or int(part.min()) < -largest:
            _refuse_loss(old, new)


def _check_columns(frame: Any, dtypes: Iterable[Any]) -> None:
    """The same for each column of a DataFrame, on its way to these dtypes."""
    for i, (old, new) in enumerate(zip(frame.dtypes, dtypes, strict=True)):
        if old == new:
            continue
        column = frame.iloc[:, i] if hasattr(frame, "iloc") else frame[:, i]
        was, now = common_dtype([old]), common_dtype([new])
        if was is not None and now is not None:
            present = column.dropna() if hasattr(column, "dropna") else column.drop_nulls()
            _check_kept(was, now, np.asarray(present))


def _refuse_loss(old: Any, new: Any) -> None:
    raise ValueError(
        f"Integers ({old}) too large for {new} cannot be stacked with floats: they would be "
        "rounded. Convert one of the two first."
    )


def _stack_pandas(first: Any, second: Any) -> Any:
    import pandas as pd

    if isinstance(first, pd.Series):
        second = second if isinstance(second, pd.Series) else pd.Series(as_array(second))
    elif not isinstance(second, pd.DataFrame) or _names(first) != _names(second):
        _refuse_columns(first, second, "a pandas DataFrame")
    else:
        second = second[list(first.columns)]
    return _checked(pd.concat([first, second]), first, second)


def _names(frame: Any) -> list:
    return sorted(frame.columns, key=str)  # numbers and texts, too


def _stack_polars(first: Any, second: Any) -> Any:
    import polars as pl

    if not isinstance(second, pl.DataFrame) or sorted(first.columns) != sorted(second.columns):
        _refuse_columns(first, second, "a polars DataFrame")
    second = second.select(first.columns)
    return _checked(pl.concat([first, second], how="vertical_relaxed"), first, second)


def _checked(stacked: Any, *parts: Any) -> Any:
    """What was stacked, unless large integers were rounded in it."""
    whole, *frames = (X.to_frame() if hasattr(X, "to_frame") else X for X in (stacked, *parts))
    for frame in frames:
        _check_columns(frame, whole.dtypes)
    return stacked


def _refuse_columns(first: Any, second: Any, kind: str) -> None:
    columns = list(getattr(second, "columns", []))
    what = f"columns {columns}" if columns else f"no column names ({type(second).__name__})"
    if columns == list(first.columns):
        what = f"the same columns, but are a {type(second).__module__.split('.')[0]} DataFrame"
    raise ValueError(
        f"The new rows have {what}, the rows already there {list(first.columns)}. Pass {kind} with "
        "the same columns."
    )


def _stack_lists(first: list, second: Any) -> list:
    if not isinstance(second, (list, tuple)):
        second = as_array(second)
        nested = bool(first) and isinstance(first[0], (list, tuple))
        second = second.tolist() if nested or second.ndim == 1 else list(second)
    if (
        first
        and second
        and isinstance(first[0], (str, bytes)) != isinstance(second[0], (str, bytes))
    ):
        raise ValueError(
            f"The new rows are of type {type(second[0]).__name__}, the rows already there of type "
            f"{type(first[0]).__name__}. Pass rows of the same kind."
        )
    return [*first, *copied(list(second))]


def _stack_datasets(first: Any, second: Any) -> Any:
    """Lazily; arrays below a Dataset are read as its items are."""
    if not is_dataset(second):
        second = torch.utils.data.TensorDataset(torch.as_tensor(as_array(second)))
    if n_rows(first) and n_rows(second):
        item, new = (stacked_items(take_rows(X, np.arange(1))) for X in (first, second))
        _check_trailing(tuple(item.shape[1:]), tuple(new.shape[1:]))
        if (dtype_name(item) == "uint8") != (dtype_name(new) == "uint8"):
            first, second = _AsBatch(first), _AsBatch(second)
    return torch.utils.data.ConcatDataset([first, second])


class _AsBatch(torch.utils.data.Dataset):
    """Items of a Dataset, bytes as numbers in [0, 1]."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return n_rows(self.dataset)

    def __getitem__(self, i: int) -> Any:
        return as_batch(input_of(self.dataset[i]))


def _check_trailing(expected: Sequence[int], got: Sequence[int]) -> None:
    expected, got = tuple(expected), tuple(got)
    if expected == got:
        return
    hint = ""
    if len(got) == 3 and expected == (got[2], *got[:2]):
        hint = " Their channels come last: pass X.transpose(0, 3, 1, 2)."
    elif expected == (1, *got):
        hint = " They lack the axis of the channel: pass X[:, None]."
    raise ValueError(
        f"X must have rows of shape {expected}, as the data already labelled; got rows of shape "
        f"{got}.{hint}"
    )
