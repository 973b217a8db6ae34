"""Queries of pools that are read in partitions, and what samples are called."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import PartitionedPool, is_partitioned, partitioned
from ..utils.ids import check_ids
from ..utils.indexing import n_rows, take_rows


def in_parts(
    X_pool: Any, candidates: Any, ids: Any, estimator: Any, *, use_pool: bool
) -> PartitionedPool | None:
    """The candidates of a pool in partitions; None where the pool is another.

    Raises
    ------
    ValueError
        If the learner was to learn from the pool itself.
    """
    if not is_partitioned(X_pool):
        return None
    if use_pool:
        raise ValueError(
            "use_pool=True teaches the whole pool, which has to be in memory then; this one is "
            "read in partitions. Query it with use_pool=False, or pass a part of it as an array."
        )
    return partitioned(X_pool).named(ids).restricted(candidates).read_by(estimator)


def answer(X_pool: Any, indices: NDArray[np.intp], ids: Any) -> tuple[NDArray, Any]:
    """What was picked: positions, or what the samples there are called, and their rows."""
    if isinstance(X_pool, PartitionedPool):
        rows, names = X_pool.take_named(indices)
        return indices if names is None else _distinct(names), rows
    rows = take_rows(X_pool, indices)
    if ids is None:
        return indices, rows
    if isinstance(ids, str):
        raise ValueError(
            f"ids={ids!r} names a column, but only pools in partitions have their features told "
            "apart from it. Pass the ids themselves, one for each row."
        )
    if n_rows(ids) != n_rows(X_pool):
        raise ValueError(f"ids must name each of the {n_rows(X_pool)} rows, got {n_rows(ids)}.")
    return _distinct(np.asarray(take_rows(ids, indices))), rows


def _distinct(names: NDArray) -> NDArray:
    """Ids of picks, which must tell them apart."""
    checked = check_ids(names, len(names))
    assert checked is not None
    return checked
