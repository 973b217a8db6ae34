"""What is sent to the partitions, once for each process, and what comes back from one."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ..utils.indexing import Rows, take_rows
from ..utils.inputs import bytes_as_numbers
from ..utils.row_keys import rows_among
from ._readers import Reader, truth_values

_KEPT: dict[bytes, Any] = {}  # what this process unpickled last
_N_KEPT = 4


class Sent:
    """An object on its way to other processes: pickled once, unpickled once in each of them."""

    def __init__(self, pickled: bytes | None, digest: bytes, value: Any = None) -> None:
        self._pickled, self._digest, self._value = pickled, digest, value

    @classmethod
    def here(cls, value: Any) -> Sent:
        """An object that stays in this process."""
        return cls(None, b"", value)

    @classmethod
    def away(cls, value: Any, what: str, pickler: Any) -> Sent:
        """An object that is to be pickled, by the `pickler` of the engine.

        Raises
        ------
        TypeError
            If it cannot be, naming `what` it is.
        """
        try:
            pickled = pickler.dumps(value)
        except Exception as error:
            raise TypeError(
                f"{what} cannot be pickled, so that it cannot be sent to the workers that read the "
                f"pool: {error}. Leave open files, locks, sessions and generators out of it, or "
                "query a pool in memory."
            ) from error
        return cls(pickled, hashlib.blake2b(pickled, digest_size=16).digest())

    @property
    def name(self) -> str:
        """The same for the same content."""
        return f"skactive-{self._digest.hex()}"

    def value(self) -> Any:
        """The object."""
        if self._pickled is None:
            return self._value
        value = _KEPT.get(self._digest, _KEPT)  # which nobody sends
        if value is _KEPT:
            value = pickle.loads(self._pickled)
            for digest in list(_KEPT)[: 1 - _N_KEPT]:
                _KEPT.pop(digest, None)  # another thread may have done so
            _KEPT[self._digest] = value
        return value


@dataclass(frozen=True)
class Known:
    """Rows that are labelled already, to be left out.

    Attributes
    ----------
    X : container of rows
    pixels : bool
        Whether bytes (uint8) are read as numbers in [0, 1].
    """

    X: Any
    pixels: bool


@dataclass(frozen=True)
class Task:
    """What is to be done with each partition: ``function(part, payload)``.

    Attributes
    ----------
    function : callable
    payload : object
    reader : Reader
    known : Known or None, default=None
    lengths : ndarray of int or None, default=None
        Rows that each partition has, if that is known.
    on_empty : bool, default=False
        Whether it is also done where there is no candidate.
    """

    function: Callable[[Part, Any], Any]
    payload: Any
    reader: Reader
    known: Known | None = None
    lengths: NDArray[np.intp] | None = None
    on_empty: bool = False


class Part:
    """One partition, as a function that is mapped over a pool sees it.

    Attributes
    ----------
    number : int
    X : Rows
        The candidates in it, as a model reads them: an array or a DataFrame.
    positions : ndarray of int, ascending, or None
        Where they are in the partition; ``None``: they are all of it.

    Examples
    --------
    >>> import dask.array as da
    >>> from skactive.distributed import partitioned
    >>> pool = partitioned(da.arange(10, chunks=5)[:, None]).restricted([1, 2, 8])
    >>> pool.map(lambda part, payload: (part.number, part.positions.tolist()))
    [(0, [1, 2]), (1, [3])]
    """

    def __init__(
        self, number: int, X: Rows, positions: NDArray | None, own: Any, *, carries: bool = True
    ) -> None:
        self.number = number
        self.X = X
        self.positions = positions
        self._own = own
        self._carries = carries

    def __len__(self) -> int:
        return len(self.X)

    def own_rows(self, at: NDArray[np.intp]) -> Any:
        """Rows at positions in the partition, in the pool's own type, with all their columns.

        None where the pool's library finds rows by their position in the whole pool.
        """
        return take_rows(self._own, at) if self._carries else None


@dataclass(frozen=True)
class Facts:
    """What was learned of a partition by reading it."""

    n_rows: int
    n_candidates: int
    excluded: NDArray[np.intp]


class Visited:
    """What came of some partitions: facts, and results merged; or the first that failed."""

    def __init__(
        self, facts: dict[int, Facts], result: Any = None, failed: tuple | None = None
    ) -> None:
        self.facts = facts
        self.result = result
        self.failed = failed

    def __sizeof__(self) -> int:
        # Dask asks, to know when to put what is kept on disk.
        return object.__sizeof__(self) + _n_bytes(self.result)

    @classmethod
    def failing(cls, number: int, error: BaseException) -> Visited:
        """A partition in which the function failed."""
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return cls({}, failed=(number, error))

    def then(self, function: Callable[[Any, Any], Any], payload: Sent, number: int) -> Visited:
        """The same partition, with something made of its result."""
        if self.failed is not None or self.result is None:
            return self
        try:
            return Visited(self.facts, function(self.result, payload.value()))
        except Exception as error:
            return Visited.failing(number, error)


def _n_bytes(value: Any) -> int:
    """Size of a result: of the arrays and tables in it, all else is small."""
    if isinstance(value, (list, tuple)):
        return sum(map(_n_bytes, value))
    if hasattr(value, "memory_usage"):
        return int(np.sum(value.memory_usage()))
    if is_dataclass(value):
        return sum(map(_n_bytes, vars(value).values()))
    return int(getattr(value, "nbytes", 64))


def follow(visited: Visited, sent: Sent, number: int) -> Visited:
    """`Visited.then`, with the function on its way as well."""
    function, payload = sent.value()
    return visited.then(function, Sent.here(payload), number)


def what_of(value: Any) -> str:
    """What to call an object that cannot be pickled."""
    return "The model or the strategy" if isinstance(value, Task) else "What is sent to the workers"


def merge_visited(merge: Callable[[Sequence[Any]], Any], visited: Sequence[Visited]) -> Visited:
    """What came of all these; partitions without a candidate have no result to merge."""
    failed = [v.failed for v in visited if v.failed is not None]
    facts = {number: fact for v in visited for number, fact in v.facts.items()}
    if failed:
        return Visited(facts, failed=min(failed, key=lambda item: item[0]))
    results = [v.result for v in visited if v.result is not None]
    return Visited(facts, merge(results) if len(results) > 1 else next(iter(results), None))


def visit(sent: Sent, number: int, rows: Any, chosen: Any = None) -> Visited:
    """Do a task with a partition that has just been read."""
    try:
        return _visit(sent.value(), number, rows, chosen)
    except Exception as error:
        return Visited.failing(number, error)


def _visit(task: Task, number: int, rows: Any, chosen: Any) -> Visited:
    reader = task.reader
    own, inputs, n = reader.read(rows, number)
    if task.lengths is not None and n != task.lengths[number]:
        raise PartitionError(
            f"Partition {number} of the pool has {n} rows, where it was said to have, or had when "
            f"it was read before, {task.lengths[number]}. Positions need partitions that are as "
            "long as they say, and that give the same rows each time they are read.",
            number,
        )
    at = _candidates(reader.marked(rows, chosen, number), n, number)
    X, excluded = Rows(inputs, at), np.empty(0, dtype=np.intp)
    if task.known is not None and len(X):
        if not task.known.pixels:
            bytes_as_numbers(task.known.X, inputs, pixels=False)
        labeled = rows_among(X, task.known.X, pixels=task.known.pixels)
        if labeled.any():
            at = np.arange(n) if at is None else at
            X, excluded, at = Rows(inputs, at[~labeled]), at[labeled], at[~labeled]
    part = Part(number, X, at, own, carries=reader.carries)
    result = task.function(part, task.payload) if len(X) or task.on_empty else None
    return Visited({number: Facts(n, len(X), excluded)}, result)


def _candidates(chosen: Any, n: int, number: int) -> NDArray[np.intp] | None:
    """Positions in a partition that may be picked, ascending; None for all."""
    if chosen is None:
        return None
    if isinstance(chosen, np.ndarray) and chosen.dtype != bool:
        return chosen
    chosen = truth_values(chosen, "a mask", number)
    if chosen.shape != (n,):
        raise PartitionError(
            f"candidates as a mask must have one entry per row: partition {number} of the pool has "
            f"{n} rows, that of the mask has shape {chosen.shape}.",
            number,
        )
    return np.flatnonzero(chosen)
