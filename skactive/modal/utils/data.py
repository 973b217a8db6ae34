"""Rows of every container modAL's users have, positional everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from numbers import Integral
from typing import Any, Union

import numpy as np
import scipy.sparse as sp
import torch

from ...utils.indexing import n_rows, take_rows
from ...utils.stacking import stack_rows

modALinput = Union[np.ndarray, sp.spmatrix, sp.sparray, list, torch.Tensor, Any]  # noqa: UP007


def data_vstack(blocks: Sequence[Any]) -> Any:
    """Stack blocks of rows, or of targets, in the type of the first one.

    Parameters
    ----------
    blocks : sequence of arrays, sparse matrices, DataFrames, Series, tensors or lists
        Sparse if one of them is.

    Returns
    -------
    stacked : new object; the blocks are left as they are

    Raises
    ------
    ValueError
        If the rows have different shapes.
    TypeError
        If a block is no container of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.utils.data import data_vstack
    >>> data_vstack([np.array([[1, 2]]), np.array([[3, 4], [5, 6]])]).tolist()
    [[1, 2], [3, 4], [5, 6]]
    >>> data_vstack([["a text"], ["another"]])
    ['a text', 'another']
    """
    for block in blocks:
        _check_container(block)
    if any(sp.issparse(block) for block in blocks):
        blocks = [block if sp.issparse(block) else sp.csr_matrix(block) for block in blocks]
    return reduce(stack_rows, blocks)


def data_hstack(blocks: Sequence[Any]) -> Any:
    """Put blocks of columns side by side, in the type of the first one.

    Parameters
    ----------
    blocks : sequence of 2-D arrays, sparse matrices, DataFrames, tensors or lists of lists
        Sparse if one of them is.

    Returns
    -------
    joined : new object
        Rows of a DataFrame have the index of the first block.

    Raises
    ------
    ValueError
        If the numbers of rows differ.
    TypeError
        If a block is no container of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.utils.data import data_hstack
    >>> data_hstack([np.array([[1], [2]]), np.array([[3, 4], [5, 6]])]).tolist()
    [[1, 3, 4], [2, 5, 6]]
    """
    for block in blocks:
        _check_container(block)
    first = blocks[0]
    if any(sp.issparse(block) for block in blocks):
        return sp.hstack(blocks, format=getattr(first, "format", "csr"))
    if len({n_rows(block) for block in blocks}) > 1:
        raise ValueError(
            f"All blocks must have the same number of rows, got {[n_rows(b) for b in blocks]}."
        )
    if hasattr(first, "iloc"):
        import pandas as pd

        return pd.concat([pd.DataFrame(block).set_axis(first.index) for block in blocks], axis=1)
    if isinstance(first, torch.Tensor):
        return torch.cat([torch.as_tensor(block) for block in blocks], dim=1)
    joined = np.hstack([np.asarray(block) for block in blocks])
    return joined.tolist() if isinstance(first, list) else joined


def add_row(X: Any, row: Any) -> Any:
    """`X` with one more row at its end; `X` itself is left as it is.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, tensor or list
    row : one row: array-like, Series, sparse matrix, or an item of a list

    Returns
    -------
    longer : new object of the type of `X`

    Raises
    ------
    ValueError
        If the row has another shape; a list takes any.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.utils.data import add_row
    >>> add_row(np.array([[1, 2], [3, 4]]), [5, 6]).tolist()
    [[1, 2], [3, 4], [5, 6]]
    """
    if hasattr(X, "iloc"):
        import pandas as pd

        row = row.to_frame().T if isinstance(row, pd.Series) else row
        return data_vstack([X, row if hasattr(row, "iloc") else _frame_like(X, row)])
    if isinstance(X, list):
        return [*X, row]
    if not sp.issparse(row):
        row = np.asarray(row).reshape(1, *X.shape[1:])
    return data_vstack([X, row])


def retrieve_rows(X: Any, I: Any) -> Any:  # noqa: E741 - modAL's name
    """Rows of `X` at positions `I`, in the type of `X`.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, Series, tensor, list, or dict of them
    I : int, slice, list or array of int, or boolean mask
        A single position gives a single row: 1-D, or a Series.

    Returns
    -------
    rows : new object of the type of `X`

    Examples
    --------
    >>> import pandas as pd
    >>> from skactive.modal.utils.data import retrieve_rows
    >>> frame = pd.DataFrame({"age": [31, 45, 27]}, index=["ann", "bob", "cy"])
    >>> retrieve_rows(frame, [2, 0]).index.tolist()
    ['cy', 'ann']
    >>> retrieve_rows({"image": [10, 11, 12], "text": ["a", "b", "c"]}, [1])
    {'image': [11], 'text': ['b']}
    """
    if is_dict(X):
        return {key: retrieve_rows(part, I) for key, part in X.items()}
    _check_container(X)
    if isinstance(I, Integral) and not isinstance(I, bool):
        if hasattr(X, "iloc"):
            return X.iloc[int(I)]
        return take_rows(X, [int(I)]) if sp.issparse(X) else X[int(I)]
    if not isinstance(I, slice):
        I = np.asarray(I)  # noqa: E741
        I = I.astype(np.intp) if I.size == 0 else I  # noqa: E741
        I = np.flatnonzero(I) if I.dtype == bool else I  # noqa: E741
    return take_rows(X, I)


def drop_rows(X: Any, I: Any) -> Any:  # noqa: E741 - modAL's name
    """`X` without the rows at positions `I`, as of a pool after a query.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, Series, tensor, list, or dict of them
    I : int, slice, list or array of int, or boolean mask

    Returns
    -------
    rest : new object of the type of `X`

    Raises
    ------
    TypeError
        If `X` is no container of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.utils.data import drop_rows
    >>> drop_rows(np.array([[1, 2], [3, 4], [5, 6]]), [0, 2]).tolist()
    [[3, 4]]
    """
    if is_dict(X):
        return {key: drop_rows(part, I) for key, part in X.items()}
    _check_container(X)
    keep = np.ones(n_rows(X), dtype=bool)
    keep[I] = False
    return retrieve_rows(X, np.flatnonzero(keep))


def enumerate_data(X: Any) -> Iterator[tuple[int, Any]]:
    """Pairs of position and row.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, Series, tensor or list

    Returns
    -------
    pairs : iterator of (int, row)
        Rows as of `retrieve_rows`: 1-D, or Series.

    Raises
    ------
    TypeError
        If `X` is no container of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.modal.utils.data import enumerate_data
    >>> [(i, row.tolist()) for i, row in enumerate_data(np.array([[1, 2], [3, 4]]))]
    [(0, [1, 2]), (1, [3, 4])]
    """
    _check_container(X)
    rows = X.tocsr() if sp.issparse(X) else X
    return ((i, retrieve_rows(rows, i)) for i in range(n_rows(X)))


def data_shape(X: Any) -> tuple[int, ...]:
    """Shape of `X`, also of a list.

    Parameters
    ----------
    X : array, sparse matrix, DataFrame, Series, tensor or list

    Returns
    -------
    shape : tuple of int

    Raises
    ------
    TypeError
        If `X` is no container of rows.

    Examples
    --------
    >>> from skactive.modal.utils.data import data_shape
    >>> data_shape([[1, 2, 3], [4, 5, 6]])
    (2, 3)
    """
    _check_container(X)
    shape = getattr(X, "shape", None)
    return tuple(np.asarray(X).shape if shape is None else shape)


def is_dict(X: Any) -> bool:
    """Whether `X` is a dict of containers (SciPy's dok_matrix is a dict, too)."""
    return isinstance(X, Mapping) and not sp.issparse(X)


def _check_container(X: Any) -> None:
    array_like = hasattr(X, "__len__") or hasattr(X, "shape")
    if not array_like or isinstance(X, (str, bytes, set)) or is_dict(X):
        raise TypeError(
            f"{type(X).__name__} is no container of rows. Pass an array, a sparse matrix, a "
            "DataFrame, a tensor or a list."
        )


def _frame_like(X: Any, row: Any) -> Any:
    import pandas as pd

    return pd.DataFrame([np.asarray(row).ravel()], columns=X.columns)
