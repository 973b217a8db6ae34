"""A pool in partitions: what is mapped over it, and where its rows are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import PartitionError
from ..kernels.best_of_parts import Marked
from ..utils.indexing import Rows, distinct_positions
from ._engine import Engine, check_names
from ._readers import ArrayReader, Reader
from ._task import Facts, Known, Part, Task, Visited

_Merge = Callable[[Sequence[Any]], Any]


class PartitionedPool(Rows):
    """Rows that an engine reads in partitions, anywhere; never all at once.

    Made by `partitioned`. A row is known by the number of its partition and its position there,
    ``(part, at)``, or by its position in the whole pool.

    Parameters
    ----------
    engine : Engine
        Reads partitions and runs functions where they are.
    reader : Reader
        What a model reads of a partition.
    lengths : ndarray of int or None, default=None
        Rows of each partition; ``None`` where only reading tells.

    Attributes
    ----------
    excluded : ndarray of int
        Positions left out of the last pass because they are labelled.

    Examples
    --------
    The largest value of each partition, then of all:

    >>> import dask.array as da
    >>> from skactive.distributed import partitioned
    >>> pool = partitioned(da.arange(10, chunks=4)[:, None])
    >>> pool.map(lambda part, payload: int(part.X.materialise().max()))
    [3, 7, 9]
    >>> pool.map(lambda part, payload: int(part.X.materialise().max()), merge=max)
    9
    >>> pool.take([9, 0])
    array([[9],
           [0]])
    """

    def __init__(self, engine: Engine, reader: Reader, lengths: NDArray | None = None) -> None:
        super().__init__(None)
        self.engine = engine
        self.reader = reader
        self.known: Known | None = None
        self.names: Any = None  # ids of rows, where no column has them
        self._lengths = None if lengths is None else np.asarray(lengths, dtype=np.intp)
        self._chosen: list[Any] | None = None
        self._asked: NDArray[np.intp] | None = None  # positions, in the order in which they came
        self._facts: dict[int, Facts] = {}
        self._carried: dict[int, tuple[NDArray[np.intp], Any]] = {}

    # -- which rows -----------------------------------------------------------------------

    def without(self, X: Any, *, pixels: bool) -> PartitionedPool:
        """The pool, less its rows that have the content of a row of `X`."""
        pool = self._fresh()
        pool.known = Known(X, pixels)
        return pool

    def restricted(self, candidates: Any) -> PartitionedPool:
        """The pool, of which only the candidates may be picked.

        Parameters
        ----------
        candidates : array of int or bool, mask of the pool's own kind, str or None
            Positions; a mask in memory, or in partitions like those of the pool; or the name of a
            column of truth values.
        """
        if candidates is None:
            return self
        pool = self._fresh()
        own = self.engine.aligned(candidates)
        if own is not None:
            pool._chosen = own
        elif isinstance(candidates, str):
            pool.reader = self.reader.with_mask(candidates)
            pool._chosen = [candidates] * self.n_partitions
        else:
            positions = distinct_positions(candidates, int(self.lengths.sum()), "candidates")
            pool._lengths = self._lengths
            pool._asked = None if (np.diff(positions) > 0).all() else positions
            parts, at = self.located(np.sort(positions))
            pool._chosen = [at[parts == part] for part in range(self.n_partitions)]
        return pool

    def named(self, ids: Any) -> PartitionedPool:
        """The pool, whose rows have ids: the name of a column, or one for each row."""
        if ids is None:
            return self
        pool = self._fresh()
        if isinstance(ids, str):
            pool.reader = self.reader.with_ids(ids)
        else:
            ids = self.engine.by_position(ids)
            if self._lengths is not None:
                check_names(ids, len(self))
            pool.names = ids
        return pool

    def read_by(self, estimator: Any) -> PartitionedPool:
        """The pool, as an estimator wants to read it."""
        return self._through(self.reader.for_model(estimator))

    def by_columns(self) -> PartitionedPool:
        """The pool, read as a DataFrame where it is a table."""
        return self._through(self.reader.by_columns())

    def _through(self, reader: Reader) -> PartitionedPool:
        if reader == self.reader:
            return self
        pool = self._fresh()
        pool.reader = reader
        return pool

    def _fresh(self) -> PartitionedPool:
        pool = copy(self)
        pool._facts, pool._carried = {}, {}
        return pool

    # -- passes ---------------------------------------------------------------------------

    def map(
        self, function: Callable[[Part, Any], Any], payload: Any = None, merge: _Merge | None = None
    ) -> Any:
        """Read each partition once and do something with it.

        Parameters
        ----------
        function : callable
            ``function(part, payload)`` -> a result that can be pickled, not None. It runs where the
            partition is read, and is not asked about partitions without a candidate.
        payload : object
            Sent to each process once: a model, say.
        merge : callable or None, default=None
            ``merge(results)`` -> one result, whatever the order in which it is asked; merged in a
            tree where they are. ``None`` returns all results.

        Returns
        -------
        merged : result of `merge`
        results : list, where there is no `merge`
            One for each partition that has candidates, in their order.

        Raises
        ------
        PartitionError
            If a partition cannot be read.
        TypeError
            If function or payload cannot be pickled, where they have to be.
        ValueError
            If there is a `merge` and no candidate at all.
        """
        return self.kept(function, payload, keep=False).merged(merge)

    def kept(
        self, function: Callable[[Part, Any], Any], payload: Any = None, *, keep: bool = True
    ) -> Kept:
        """Like `map`, but results stay where they are, to be asked more than once."""
        task = Task(function, payload, self.reader, self.known, self._lengths)
        handles = self.engine.visit(task, self._chosen)
        return Kept(self, self.engine.hold(handles) if keep else handles)

    def learned(self, facts: dict[int, Facts]) -> None:
        """Remember how many rows the partitions have, and how many candidates."""
        self._facts.update(facts)
        if self._lengths is None and len(self._facts) == self.n_partitions:
            ordered = [self._facts[part].n_rows for part in range(self.n_partitions)]
            self._lengths = np.array(ordered, dtype=np.intp)

    def carry(self, part: int, at: NDArray[np.intp], rows: Any) -> None:
        """Keep rows that came along with a result, so that `take` need not read them again."""
        self._carried[part] = (at, rows)

    # -- where rows are -------------------------------------------------------------------

    @property
    def n_partitions(self) -> int:
        """How many partitions there are."""
        return self.engine.n_partitions

    @property
    def lengths(self) -> NDArray[np.intp]:
        """Rows of each partition; they are read, all of them, if nothing else tells."""
        if self._lengths is None:
            counted = self._fresh()
            counted.known = counted._chosen = None
            counted.map(_nothing)
            self._lengths = counted._lengths
        assert self._lengths is not None
        return self._lengths

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a pool of arrays, what its array would have."""
        if not isinstance(self.reader, ArrayReader):
            raise AttributeError("shape")
        return (int(self.lengths.sum()), *self.reader.row_shape)

    @property
    def is_restricted(self) -> bool:
        """Whether only some rows were named as candidates."""
        return self._chosen is not None

    @property
    def n_candidates(self) -> int:
        """How many rows may be picked, known after a pass over them."""
        if len(self._facts) < self.n_partitions:
            if self._chosen is None and self.known is None:
                return int(self.lengths.sum())
            self.map(_nothing)
        return sum(fact.n_candidates for fact in self._facts.values())

    @property
    def excluded(self) -> NDArray[np.intp]:
        """Positions left out of the last pass because they are labelled, ascending."""
        found = [
            self.positions(np.full(len(fact.excluded), part), fact.excluded)
            for part, fact in sorted(self._facts.items())
            if len(fact.excluded)
        ]
        return np.concatenate(found) if found else np.empty(0, dtype=np.intp)

    def __len__(self) -> int:
        return int(self.lengths.sum())

    def check_n(self, n: int) -> None:
        """Raise a ValueError unless a pass found at least n candidates."""
        found = self.n_candidates
        if n > found:
            raise ValueError(
                f"n must be between 1 and the number of candidates in the pool ({found}), got {n}"
                f"{self._why_so_few()}."
            )

    def refuse_empty(self) -> None:
        """Raise a ValueError: a pass found no candidate."""
        raise ValueError(f"The pool has no candidate to pick from{self._why_so_few()}.")

    def _why_so_few(self) -> str:
        left_out = sum(len(fact.excluded) for fact in self._facts.values())
        if not left_out:
            return ""
        return (
            f": of its {len(self)} rows, {left_out} are labelled already and left out. Ask for "
            "fewer, pass a larger pool, or exclude_labeled=False"
        )

    def nth(self, ordinals: NDArray[np.intp]) -> NDArray[np.intp]:
        """Positions in the whole pool of the candidates that come at some places among them."""
        if self.known is None and self._asked is not None:
            return self._asked[ordinals]
        if self.known is None and self._chosen is None:
            return ordinals
        marks = dict(self.map(_marks))
        ends = np.cumsum([len(marks.get(part, ())) for part in range(self.n_partitions)])
        parts = np.searchsorted(ends, ordinals, side="right")
        at = np.empty(len(ordinals), dtype=np.intp)
        for part in np.unique(parts):
            here = marks[part].positions()
            at[parts == part] = here[ordinals[parts == part] - (ends[part] - len(here))]
        return self.positions(parts, at)

    def positions(self, parts: NDArray, at: NDArray) -> NDArray[np.intp]:
        """Positions in the whole pool of rows known by partition and position there."""
        return self._starts()[parts] + at

    def located(self, positions: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Partitions, and positions there, of rows known by their position in the whole pool."""
        positions = np.asarray(positions, dtype=np.intp)
        starts = self._starts()
        parts = np.searchsorted(starts, positions, side="right") - 1
        return parts, positions - starts[parts]

    def order(self) -> Callable[[NDArray, NDArray], NDArray] | None:
        """Where a row comes among the candidates, if not in the order of the pool."""
        if self._asked is None:
            return None
        sorter = np.argsort(self._asked)
        ascending = self._asked[sorter]
        return lambda parts, at: sorter[np.searchsorted(ascending, self.positions(parts, at))]

    def _starts(self) -> NDArray[np.intp]:
        return np.concatenate([[0], np.cumsum(self.lengths)])[: self.n_partitions]

    # -- rows -----------------------------------------------------------------------------

    def take(self, indices: Any) -> Any:
        """Rows of the whole pool, as NumPy takes them, and as a model reads them: `inputs`."""
        return self.inputs(indices)

    def take_named(self, indices: Any) -> tuple[Any, NDArray | None]:
        """Rows at positions in the whole pool, in its own type, and their ids if they have some."""
        positions = _positions_at(indices, len(self))
        kept, ids = self.reader.without_ids(self._own(positions))
        if self.names is not None:
            ids = self.engine.names_at(self.names, positions, len(self))
        return kept, ids

    def inputs(self, indices: Any) -> Any:
        """Rows at positions in the whole pool, as a model reads them."""
        return self.reader.read(self._own(_positions_at(indices, len(self))), 0)[1]

    def _own(self, positions: NDArray[np.intp]) -> Any:
        rows = self.engine.rows_at(positions)
        return self._taken(*self.located(positions)) if rows is None else rows

    def _taken(self, parts: NDArray, at: NDArray) -> Any:
        """Rows by partition and position there: those carried, and the others read."""
        wanted = {int(part): np.unique(at[parts == part]) for part in np.unique(parts)}
        wanted = wanted or {0: np.empty(0, dtype=np.intp)}
        missing = {
            part: rows
            for part, rows in wanted.items()
            if part not in self._carried or not np.isin(rows, self._carried[part][0]).all()
        }
        found = {**self._carried, **self._read(missing)}
        pieces, order, start = [], np.empty(len(at), dtype=np.intp), 0
        for part in wanted:
            here, rows = found[part]
            chosen = parts == part
            order[chosen] = start + np.searchsorted(here, at[chosen])
            pieces.append(rows)
            start += len(here)
        return self.reader.joined(pieces, order)

    def _read(self, wanted: dict[int, NDArray]) -> dict[int, tuple[NDArray, Any]]:
        if not wanted:
            return {}
        task = Task(_own_rows, wanted, self.reader, None, self._lengths, on_empty=True)
        handles = self.engine.visit(task, None, only=sorted(wanted))
        found = Kept(self._fresh(), handles).merged(None)  # which tells nothing of the candidates
        return {part: (wanted[part], rows) for part, rows in found}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_carried": {}}


class Kept:
    """Results of a pass, where they were made."""

    def __init__(self, pool: PartitionedPool, handles: Any) -> None:
        self._pool = pool
        self._handles = handles

    def map(
        self, function: Callable[[Any, Any], Any], payload: Any = None, merge: _Merge | None = None
    ) -> Any:
        """Do ``function(result, payload)`` with each; see `PartitionedPool.map`."""
        handles = self._pool.engine.then(self._handles, function, payload)
        return Kept(self._pool, handles).merged(merge)

    def kept(self, function: Callable[[Any, Any], Any], payload: Any = None) -> Kept:
        """Like `map`, but what it makes stays where it is."""
        engine = self._pool.engine
        return Kept(self._pool, engine.hold(engine.then(self._handles, function, payload)))

    def merged(self, merge: _Merge | None) -> Any:
        """All results merged; a list of them without `merge`."""
        engine = self._pool.engine
        if merge is None:
            listed = engine.reduce(engine.then(self._handles, _in_list, None), _end_to_end)
            return self._seen(listed) or []
        result = self._seen(engine.reduce(self._handles, merge))
        if result is None:
            self._pool.refuse_empty()
        return result

    def _seen(self, visited: Visited) -> Any:
        if visited.failed is not None:
            number, error = visited.failed
            if not isinstance(error, PartitionError):
                error.add_note(f"This was in partition {number} of the pool.")
            raise error
        self._pool.learned(visited.facts)
        return visited.result


def _positions_at(indices: Any, n: int) -> NDArray[np.intp]:
    """Positions of the rows that NumPy would take of n, without an array of all of them.

    Parameters
    ----------
    indices : array-like of int or bool, or slice
        Positions, negative ones from the end, or a mask.
    n : int
        Number of rows.

    Raises
    ------
    IndexError
        If they are of another kind or shape, or lie elsewhere.
    """
    if isinstance(indices, slice):
        return np.arange(*indices.indices(n))
    given = np.asarray(indices)
    if given.dtype == bool and given.shape == (n,):
        return np.flatnonzero(given)
    if given.dtype == bool and given.ndim == 1:
        raise IndexError(
            f"indices as a mask must have one entry per row, shape ({n},), got {given.shape}."
        )
    if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
        raise IndexError(
            "indices must be a 1-d array of positions, which are integers, a boolean mask or a "
            f"slice, got shape {given.shape} and dtype {given.dtype}."
        )
    positions = given.astype(np.intp)
    if positions.size and (positions.min() < -n or positions.max() >= n):
        raise IndexError(
            f"indices must lie in [{-n}, {n}), got values in [{positions.min()}, "
            f"{positions.max()}]. Are they positions in another pool?"
        )
    return np.where(positions < 0, positions + n, positions)


def _nothing(part: Part, payload: Any) -> bool:
    return True


def _marks(part: Part, payload: Any) -> tuple[int, Marked]:
    every = np.arange(len(part)) if part.positions is None else part.positions
    return part.number, Marked.at(every)


def _own_rows(part: Part, wanted: dict[int, NDArray]) -> Any:
    return part.number, part.own_rows(wanted[part.number])


def _in_list(result: Any, payload: Any) -> list:
    return [result]


def _end_to_end(results: Sequence[list]) -> list:
    return [item for part in results for item in part]
