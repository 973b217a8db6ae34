"""Rows of any container as the floating point batches a net reads."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from .items import is_dataset, is_list_of_items, stacked_items


def as_batch(X: Any) -> Any:
    """Rows of any container as an array or tensor; bytes as numbers in [0, 1].

    Parameters
    ----------
    X : array-like, DataFrame, tensor, torch Dataset or list of PIL images
        Bytes (uint8) are taken for pixels and divided by 255. Items of a Dataset may be
        ``(x, y)`` pairs, of which the first part counts, or dicts with one input such as
        ``"image"``. PIL images become arrays with channels first.

    Returns
    -------
    batch : ndarray, Tensor or DataFrame
        Other dtypes than uint8 are left as they are.

    Raises
    ------
    TypeError
        If `X` is a sparse matrix.
    ValueError
        If items differ in shape, or it is not clear what of a dict to read.
    """
    if sp.issparse(X):
        raise TypeError(
            "Sparse data was passed, but a net reads dense data. Convert rows with X.toarray(), "
            "or put a dimensionality reduction such as TruncatedSVD before the net in a Pipeline."
        )
    if is_dataset(X) or is_list_of_items(X):
        return as_batch(stacked_items(X))
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


def unlazy(X: Any) -> Any:
    """Rows of a torch Dataset or tensor as an array; anything else as it is."""
    if isinstance(X, torch.Tensor):
        return X.detach().cpu().numpy()
    if isinstance(X, torch.utils.data.Dataset) and not hasattr(X, "shape"):
        return np.asarray(as_batch(X))
    return X
