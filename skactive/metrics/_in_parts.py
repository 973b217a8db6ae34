"""Batches of data that is read in partitions, examined where they are, as those of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part, PartitionedPool, in_memory, is_partitioned, partitioned
from ..utils.indexing import Rows

# (batch, its labels, its number) -> an array for each name, with one entry for each row
_Examine = Callable[[Any, NDArray, int], dict[str, NDArray]]


def labels_in_memory(y: Any) -> Any:
    """Labels as an array, of data in partitions too; anything else as it is."""
    if not is_partitioned(y):
        return y
    found = np.asarray(y if hasattr(y, "__array__") else in_memory(y))
    return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found


def examined_in_parts(
    pool: PartitionedPool, y: NDArray, batch_size: int, examine: _Examine
) -> list[dict[str, NDArray]]:
    """What `examine` says of each batch, in their order: the same batches as in memory.

    Parameters
    ----------
    pool : PartitionedPool
    y : ndarray of int, shape (n_samples,)
        Columns of the labels.
    batch_size : int
    examine : callable
        ``examine(batch, y, number)``; runs where the rows are.

    Notes
    -----
    A batch that lies in one partition is examined there. The rows of one that crosses partitions
    come to this machine, fewer than `batch_size` from either end of each partition: so batches,
    and the seeds that go with their numbers, are those of memory.
    """
    starts = np.concatenate([[0], np.cumsum(pool.lengths)])
    small = y.astype(np.promote_types(np.min_scalar_type(int(y.max(initial=0))), np.int8))
    payload = (examine, small, starts, batch_size)
    found: dict[int, Any] = {}
    loose: dict[int, list[tuple[int, Any]]] = {}
    for whole, ends in pool.map(_examine_part, payload):
        found.update(whole)
        for number, part, at, rows in ends:
            loose.setdefault(number, []).append((part, (at, rows)))
    for number, pieces in loose.items():
        n = sum(len(at) for _, (at, _) in pieces)
        window = slice(number * batch_size, number * batch_size + n)
        found[number] = examine(_across(pool, window, pieces), y[window], number)
    return [found[number] for number in sorted(found)]


def _across(pool: PartitionedPool, window: slice, pieces: list[tuple[int, Any]]) -> Any:
    """Rows of a batch that crosses partitions, as a model reads them."""
    if not pool.reader.carries:  # the pool's library takes them by position
        return pool.inputs(window)
    rows = [rows for _, (_, rows) in sorted(pieces, key=lambda piece: piece[0])]
    n = window.stop - window.start
    own = rows[0] if len(rows) == 1 else pool.reader.joined(rows, np.arange(n))
    return pool.reader.read(own, 0)[1]


def _examine_part(part: Part, payload: Any) -> tuple[dict[int, Any], list]:
    """Batches that lie in a partition, examined; the rows at its ends that belong to others."""
    examine, y, starts, size = payload
    first, last = int(starts[part.number]), int(starts[part.number + 1])
    total = int(starts[-1])
    whole, ends = {}, []
    for number in range(first // size, -(-last // size)):
        begin, end = number * size, min((number + 1) * size, total)
        at = np.arange(max(begin, first), min(end, last)) - first
        if begin >= first and end <= last:
            labels = y[begin:end].astype(np.int64)
            whole[number] = examine(part.X.take(slice(begin - first, end - first)), labels, number)
        else:
            ends.append((number, part.number, at, part.own_rows(at)))
    return whole, ends


def as_rows(X: Any, estimator: Any) -> Rows:
    """Rows of any container; of data in partitions as the estimator reads them."""
    if not is_partitioned(X):
        return Rows.of(X)
    return partitioned(X).read_by(estimator)
