"""Pools of Ray: the blocks of a `ray.data.Dataset`, where they are."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._arrow import ArrowReader
from ._engine import Engine, Merge, unreadable
from ._pool import PartitionedPool
from ._task import Sent, Task, Visited, follow, merge_visited, visit, what_of

_AT_ONCE = 8  # results merged in one task


class RayReader(ArrowReader):
    """Blocks that are PyArrow tables; picks are a Dataset of Ray again."""

    def without_ids(self, rows: Any) -> tuple[Any, NDArray | None]:
        import ray.data

        table, names = super().without_ids(rows)
        return ray.data.from_arrow(table), names

    def read(self, rows: Any, number: int) -> tuple[Any, Any, int]:
        # Ray forgets the columns of a block of which it left no row.
        return super().read(rows, number) if rows.num_columns else (rows, np.empty((0, 0)), 0)

    def marked(self, rows: Any, chosen: Any, number: int) -> Any:
        return super().marked(rows, chosen, number) if rows.num_columns else None


def dataset_pool(X: Any) -> PartitionedPool:
    """A pool of a `ray.data.Dataset`, block by block, in the order of its rows."""
    options = X.context.execution_options
    before = options.preserve_order
    options.preserve_order = True  # else a row's position is that of whoever came first
    try:
        blocks = X.to_arrow_refs()
    except Exception as error:
        raise unreadable(None, None, error) from error
    finally:
        options.preserve_order = before
    if not blocks:
        raise ValueError("The pool is a Ray Dataset without a block. Is there anything in it?")
    return PartitionedPool(RayEngine(blocks), RayReader(tuple(X.columns() or ())))


class RayEngine(Engine):
    """Blocks in Ray's object store, and tasks of Ray.

    Parameters
    ----------
    blocks : list of ObjectRef
        PyArrow tables.
    """

    def __init__(self, blocks: list[Any]) -> None:
        self.blocks = blocks
        self.n_partitions = len(blocks)

    def visit(self, task: Task, chosen: list[Any] | None, only: list[int] | None = None) -> Any:
        sent, visitor = self._sent(task), _remote(visit)
        numbers = range(self.n_partitions) if only is None else only
        return [
            (number, visitor.remote(sent, number, self.blocks[number], chosen and chosen[number]))
            for number in numbers
        ]

    def aligned(self, candidates: Any) -> list[Any] | None:
        if type(candidates).__module__.startswith("ray.data"):
            raise TypeError(
                "candidates is a Ray Dataset, whose blocks need not be those of the pool. Make it "
                "a column of the pool and pass its name, or pass positions or an array as a mask."
            )
        return None

    def then(self, handles: Any, function: Callable[[Any, Any], Any], payload: Any) -> Any:
        sent, following = self._sent((function, payload)), _remote(follow)
        return [(number, following.remote(visited, sent, number)) for number, visited in handles]

    def _sent(self, value: Any) -> Any:
        import ray

        return ray.put(Sent.away(value, what_of(value), ray.cloudpickle))

    def hold(self, handles: Any) -> Any:
        return handles  # tasks begin at once, and the store keeps what they make

    def reduce(self, handles: Any, merge: Merge) -> Visited:
        import ray

        merged = _remote(_merged)
        level = [visited for _, visited in handles]
        while len(level) > 1:
            level = [
                merged.remote(merge, *level[start : start + _AT_ONCE])
                for start in range(0, len(level), _AT_ONCE)
            ]
        return _merged(merge, ray.get(level[0]))


def _remote(function: Callable[..., Any]) -> Any:
    import ray

    return ray.remote(function)


def _merged(merge: Merge, *visited: Visited) -> Visited:
    # Arrays in the store are not to be written to; what is merged may be.
    return merge_visited(merge, [pickle.loads(pickle.dumps(each)) for each in visited])
