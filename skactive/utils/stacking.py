"""Rows below rows: in the container of the first, without a changed value, or not at all."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from .indexing import n_rows, take_rows
from .inputs import as_batch
from .items import input_of, is_dataset, is_list_of_items, stacked_items


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
        _check_trailing(first.shape[1:], second.shape[1:])
        return sp.vstack([first, second], format=first.format)
    if hasattr(first, "iloc"):
        return _stack_pandas(first, second)
    if hasattr(first, "vstack") and hasattr(first, "columns"):
        return _stack_polars(first, second)
    if isinstance(first, list):
        return _stack_lists(first, second)
    return _stack_arrays(np.asarray(first), as_array(second))


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


def as_array(X: Any) -> NDArray:
    """Rows of any container as an array, their values unchanged.

    Raises
    ------
    TypeError
        If they are none: dicts, or items of different shapes.
    """
    if isinstance(X, np.ndarray):
        return X
    if sp.issparse(X):
        return X.toarray()
    if is_dataset(X) or is_list_of_items(X):
        X = stacked_items(X)
    if isinstance(X, torch.Tensor):
        X = X.detach().cpu()
        return (X.float() if X.dtype == torch.bfloat16 else X).numpy()
    if isinstance(X, dict):
        raise TypeError("Rows were passed as a dict. Pass an array, a DataFrame or a tensor.")
    try:
        return np.asarray(X)
    except ValueError as error:
        raise TypeError(
            f"The rows of this {type(X).__name__} have different shapes and make no array. Bring "
            "them to one shape first."
        ) from error


def bytes_as_numbers(first: Any, second: Any, *, pixels: bool) -> tuple[Any, Any]:
    """Two lots of rows that are to be stacked or compared, with numbers of one range.

    Parameters
    ----------
    first, second : containers of rows
    pixels : bool
        Whether bytes are read as numbers in [0, 1]: those beside other numbers become such.

    Returns
    -------
    first, second : converted only where one has bytes and the other has not

    Raises
    ------
    ValueError
        If bytes over 1 meet numbers in [0, 1] that they do not become, or the other way round.
    """
    if isinstance(first, (np.ndarray, torch.Tensor)) and not _is_typed(second):
        second = stacked_items(second) if is_dataset(second) else as_array(second)
    dtypes = [_dtype(first), _dtype(second)]
    if dtypes.count("uint8") != 1 or None in dtypes:
        return first, second
    numbers, raw = (first, second) if dtypes[1] == "uint8" else (second, first)
    if pixels:
        _refuse_large_integers(numbers)
        return (as_batch(first), second) if raw is first else (first, as_batch(second))
    if _is_float(numbers) and n_rows(numbers) and _any_above_one(raw):
        _refuse_unit_numbers(numbers, raw)
    return first, second


# -- ranges -------------------------------------------------------------------------------


def _is_typed(X: Any) -> bool:
    return hasattr(X, "dtype") or hasattr(X, "columns")


def _dtype(X: Any) -> str | None:
    """The dtype of an array or tensor, without its library's name."""
    if hasattr(X, "columns") or sp.issparse(X) or getattr(X, "dtype", None) is None:
        return None
    return str(X.dtype).removeprefix("torch.")


def _blocks(X: Any) -> Any:
    for start in range(0, n_rows(X), 1024):
        yield take_rows(X, slice(start, start + 1024))


def _any_above_one(X: Any) -> bool:
    return any(bool((block > 1).any()) for block in _blocks(X))


def _any_outside_unit(X: Any) -> bool:
    """Whether a number is outside [0, 1], or none at all."""
    return any(not bool(((block >= 0) & (block <= 1)).all()) for block in _blocks(X))


def _is_float(X: Any) -> bool:
    return str(_dtype(X)).startswith(("float", "bfloat"))


def _refuse_unit_numbers(numbers: Any, raw: Any) -> None:
    if not _any_outside_unit(numbers):
        highest = max(int(block.max()) for block in _blocks(raw))
        raise ValueError(
            f"Bytes (uint8) up to {highest} came together with {_dtype(numbers)} numbers that all "
            "lie in [0, 1]: they are not of one range. Divide the bytes by 255, or whatever the "
            "numbers were divided by, or give both the same dtype if they are meant as they are."
        )


def _refuse_large_integers(X: Any) -> None:
    if str(_dtype(X)).startswith(("int", "uint")) and _any_above_one(X):
        raise ValueError(
            f"Bytes (uint8), which a net reads as numbers in [0, 1], came together with "
            f"{_dtype(X)} numbers over 1. Pass both as uint8, or both as floats in [0, 1]."
        )


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


def _stack_tensors(first: torch.Tensor, second: Any) -> torch.Tensor:
    if not isinstance(second, torch.Tensor):
        second = torch.as_tensor(as_array(second))
    second = second.detach().to(first.device)
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


def _refuse_loss(old: Any, new: Any) -> None:
    raise ValueError(
        f"Integers ({old}) too large for {new} cannot be stacked with floats: they would be "
        "rounded. Convert one of the two first."
    )


def _stack_pandas(first: Any, second: Any) -> Any:
    import pandas as pd

    if isinstance(first, pd.Series):
        new = second if isinstance(second, pd.Series) else pd.Series(as_array(second))
        return pd.concat([first, new])
    if not isinstance(second, pd.DataFrame) or sorted(map(str, first.columns)) != sorted(
        map(str, second.columns)
    ):
        _refuse_columns(first, second, "a DataFrame")
    return pd.concat([first, second[list(first.columns)]])


def _stack_polars(first: Any, second: Any) -> Any:
    import polars as pl

    if not isinstance(second, pl.DataFrame) or sorted(first.columns) != sorted(second.columns):
        _refuse_columns(first, second, "a polars DataFrame")
    return pl.concat([first, second.select(first.columns)], how="vertical_relaxed")


def _refuse_columns(first: Any, second: Any, kind: str) -> None:
    columns = list(getattr(second, "columns", []))
    what = f"columns {columns}" if columns else f"no column names ({type(second).__name__})"
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
        if (_dtype(item) == "uint8") != (_dtype(new) == "uint8"):
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
