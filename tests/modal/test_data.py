"""Rows of every container."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal

from skactive.modal.utils.data import (
    add_row,
    data_hstack,
    data_shape,
    data_vstack,
    drop_rows,
    enumerate_data,
    retrieve_rows,
)

TABLE = np.arange(12.0).reshape(4, 3)
FORMATS = ("csr", "csc", "lil", "dok", "coo", "bsr", "dia")
CONTAINERS = {
    "ndarray": TABLE.copy,
    "list": TABLE.tolist,
    "frame": lambda: pd.DataFrame(TABLE, columns=list("abc"), index=[7, 7, 1, 0]),
    "frame with integer columns": lambda: pd.DataFrame(TABLE, columns=[0, 1, 2]),
    "tensor": lambda: torch.tensor(TABLE),
    **{f: (lambda f=f: getattr(sp, f"{f}_matrix")(TABLE)) for f in FORMATS},
    "csr_array": lambda: sp.csr_array(TABLE),
}


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_rows_are_positional_and_keep_their_type(kind):
    X = CONTAINERS[kind]()
    for picked in ([2, 0], np.array([3]), np.array([True, False, True, False]), slice(1, 3)):
        rows = retrieve_rows(X, picked)
        assert type(rows) is type(X)
        assert_array_equal(dense(rows), TABLE[picked])
    none = retrieve_rows(X, [])
    assert type(none) is type(X)
    assert len(dense(none)) == 0
    assert_array_equal(dense(retrieve_rows(X, 2)).ravel(), TABLE[2])
    assert_array_equal(dense(X), TABLE)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_stacking_dropping_and_walking(kind):
    X = CONTAINERS[kind]()
    stacked = data_vstack([X, X, X])
    assert type(stacked) is type(X)
    assert_array_equal(dense(stacked), np.vstack([TABLE] * 3))
    assert_array_equal(dense(drop_rows(X, [1, 3])), TABLE[[0, 2]])
    assert_array_equal(dense(drop_rows(X, 0)), TABLE[1:])
    side = data_hstack([X, X])
    assert_array_equal(dense(side), np.hstack([TABLE, TABLE]))
    assert type(side) is type(X)
    walked = list(enumerate_data(X))
    assert [i for i, _ in walked] == [0, 1, 2, 3]
    assert_array_equal(np.stack([dense(row).ravel() for _, row in walked]), TABLE)
    assert data_shape(X) == (4, 3)
    longer = add_row(X, retrieve_rows(X, 1))
    assert_array_equal(dense(longer), np.vstack([TABLE, TABLE[1]]))
    assert_array_equal(dense(X), TABLE)


def test_targets_and_texts():
    texts = pd.Series(["a", "b", "c"], index=[5, 6, 7])
    assert retrieve_rows(texts, [2, 0]).tolist() == ["c", "a"]
    assert data_vstack([texts, texts]).tolist() == ["a", "b", "c"] * 2
    assert data_vstack([texts, np.array(["d"])]).tolist() == ["a", "b", "c", "d"]
    assert data_vstack([[1, 2], [3]]) == [1, 2, 3]
    assert data_vstack([np.array([1, 2]), pd.Series([3])]).tolist() == [1, 2, 3]
    modes = {"a": TABLE, "b": torch.tensor(TABLE)}
    assert retrieve_rows(modes, [1])["b"].shape == (1, 3)
    assert_array_equal(drop_rows(modes, [0, 2])["a"], TABLE[[1, 3]])
    assert_array_equal(drop_rows(modes, [0, 2])["b"], TABLE[[1, 3]])
    mixed = data_vstack([TABLE, sp.csr_matrix(TABLE)])
    assert sp.issparse(mixed)
    assert mixed.shape == (8, 3)


@pytest.mark.parametrize("bad", [3, "text", {1, 2}, None])
def test_what_holds_no_rows_is_refused(bad):
    for call in (
        lambda: data_vstack([bad, bad]),
        lambda: data_hstack([bad, bad]),
        lambda: retrieve_rows(bad, [0]),
        lambda: drop_rows(bad, [0]),
        lambda: enumerate_data(bad),
        lambda: data_shape(bad),
    ):
        with pytest.raises(TypeError, match="no container of rows"):
            call()


def test_a_dict_has_no_rows_of_its_own():
    columns = {"a": [1, 2], "b": [3, 4]}
    for call in (enumerate_data, data_shape, lambda X: data_vstack([X, X])):
        with pytest.raises(TypeError, match="dict is no container of rows"):
            call(columns)


def test_shapes_must_agree():
    with pytest.raises(ValueError, match="shape"):
        data_vstack([TABLE, TABLE[:, :2]])
    with pytest.raises(ValueError, match="same number of rows"):
        data_hstack([TABLE, TABLE[:2]])
