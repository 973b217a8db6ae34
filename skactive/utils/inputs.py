"""Rows of any container as the floating point batches a net reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch


def as_batch(X: Any) -> Any:
    """Rows of any container as an array or tensor; bytes as numbers in [0, 1].

    Parameters
    ----------
    X : array-like, DataFrame, tensor or torch Dataset
        Bytes (uint8) are taken for pixels and divided by 255. Items of a Dataset may be
        ``(x, y)`` pairs: the first part counts.

    Returns
    -------
    batch : ndarray, Tensor or DataFrame
        Other dtypes than uint8 are left as they are.

    Raises
    ------
    TypeError
        If `X` is a sparse matrix.
    """
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but a net reads dense data. Convert rows with X.toarray(), "
            "or put a dimensionality reduction such as TruncatedSVD before the net in a Pipeline."
        )
    if isinstance(X, torch.utils.data.Dataset) and not hasattr(X, "shape"):
        return _stack_items([X[i] for i in range(len(X))])  # type: ignore[arg-type]
    if isinstance(X, torch.Tensor):
        return X.float() / 255 if X.dtype == torch.uint8 else X
    if hasattr(X, "columns"):
        return X  # a DataFrame: its names are checked where it becomes an array
    X = np.asarray(X)
    return X.astype(np.float32) / np.float32(255) if X.dtype == np.uint8 else X


def as_float_tensor(X: Any, device: torch.device | str) -> torch.Tensor:
    """Rows of any container as a float32 tensor on `device`."""
    batch = as_batch(X)
    if not isinstance(batch, torch.Tensor):
        batch = torch.from_numpy(np.array(batch, dtype=np.float32, order="C"))
    return batch.to(device=device, dtype=torch.float32)


def _stack_items(items: list[Any]) -> Any:
    first = [item[0] if isinstance(item, (tuple, list)) else item for item in items]
    if first and isinstance(first[0], torch.Tensor):
        return as_batch(torch.stack(first))
    return as_batch(np.stack([np.asarray(item) for item in first]) if first else np.empty((0,)))
