"""Which pools come in partitions, told by the name of their type's module: nothing is imported."""

from __future__ import annotations

import importlib
from typing import Any

from ._pool import PartitionedPool

# Module of a type, what it is called there -> the module here that reads it, and the function.
_KINDS = {
    ("dask.array", "Array"): ("_dask", "array_pool"),
    ("dask.dataframe", "DataFrame"): ("_dask", "frame_pool"),
    ("dask.dataframe", "Series"): ("_dask", "frame_pool"),
    ("dask_expr", "DataFrame"): ("_dask", "frame_pool"),  # where it lay until 2025
    ("dask_expr", "Series"): ("_dask", "frame_pool"),
    ("ray.data", "Dataset"): ("_ray", "dataset_pool"),
    ("datasets", "Dataset"): ("_hugging_face", "dataset_pool"),
    ("datasets", "IterableDataset"): ("_hugging_face", "refuse_stream"),
    ("pyarrow.lib", "Table"): ("_arrow", "table_pool"),
    ("pyarrow.lib", "RecordBatch"): ("_arrow", "table_pool"),
    ("pyarrow._dataset", "Dataset"): ("_arrow", "dataset_pool"),
    ("xarray", "DataArray"): ("_xarray", "array_pool"),
    ("xarray", "Dataset"): ("_xarray", "refuse_dataset"),
}


def _kind(X: Any) -> tuple[str, str] | None:
    for cls in type(X).__mro__:
        for (module, name), reader in _KINDS.items():
            if cls.__name__ == name and f"{cls.__module__}.".startswith(f"{module}."):
                return reader
    return None


def is_partitioned(X: Any) -> bool:
    """Whether a pool is read in partitions: of Dask, Ray, Arrow, Hugging Face or xarray.

    Parameters
    ----------
    X : object

    Returns
    -------
    partitioned : bool

    Examples
    --------
    >>> import dask.array as da
    >>> from skactive.distributed import is_partitioned
    >>> is_partitioned(da.ones(3)), is_partitioned([1, 2])
    (True, False)
    """
    return isinstance(X, PartitionedPool) or _kind(X) is not None


def partitioned(X: Any) -> PartitionedPool:
    """A pool in partitions.

    Parameters
    ----------
    X : dask.array, dask.dataframe, ray.data.Dataset, datasets.Dataset, pyarrow or xarray

    Returns
    -------
    pool : PartitionedPool
        `X` itself if it is one.

    Raises
    ------
    TypeError
        If `X` is none of these.
    ValueError
        If it is a dask array of unknown chunk sizes.
    PartitionError
        If Ray cannot read it.

    Examples
    --------
    >>> import dask.array as da
    >>> from skactive.distributed import partitioned
    >>> partitioned(da.ones((10, 2), chunks=(4, -1))).lengths
    array([4, 4, 2])
    """
    if isinstance(X, PartitionedPool):
        return X
    kind = _kind(X)
    if kind is None:
        raise TypeError(f"{type(X).__name__} is no pool in partitions.")
    module, name = kind
    return getattr(importlib.import_module(f".{module}", __package__), name)(X)


def in_memory(X: Any) -> Any:
    """Rows of a pool in partitions as an array or DataFrame; anything else as it is.

    Parameters
    ----------
    X : object
        If it comes in partitions, it has to fit into memory.

    Returns
    -------
    rows : ndarray, DataFrame, or `X` itself

    Examples
    --------
    >>> import pyarrow as pa
    >>> from skactive.distributed import in_memory
    >>> in_memory(pa.table({"a": [1, 2]}))["a"].tolist()
    [1, 2]
    """
    if not is_partitioned(X):
        return X
    return partitioned(X).by_columns().inputs(slice(None))
