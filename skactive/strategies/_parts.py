"""What strategies do with the partitions of a pool, and how it becomes their picks.

The functions that are mapped over partitions lie here by name, so that workers find them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part, PartitionedPool
from ..kernels.best_of_parts import Best
from ..kernels.stratified import Binning, count_bins, finite_range, points_between
from ..utils.indexing import Rows, take_rows
from ..utils.random_state import derive_seed

# (model, X, rng) -> one number for each row of X
_Score = Callable[[Any, Rows, np.random.Generator], NDArray]


def best_of_parts(score: _Score, query: Any) -> tuple[NDArray[np.intp], NDArray]:
    """The rows of highest score, as `top_k` picks them of all scores at once.

    Parameters
    ----------
    score : callable
        ``score(model, X, rng)`` -> a number for each row, of this row alone; what it draws from
        `rng` is the same for all partitions, as long as it does not draw for each row.
    query : Query
        Over a `PartitionedPool`.

    Returns
    -------
    indices : ndarray of shape (n,), dtype intp
        Positions in the whole pool, best first.
    scores : ndarray of shape (n,)
    """
    pool: PartitionedPool = query.pool
    payload = (score, query.model, query.rng, query.n)
    merged = pool.map(_score_part, payload, _merge_best)
    pool.check_n(query.n)
    best, state = merged
    if state is not None:
        query.rng.bit_generator.state = state
    return picked_of(best, query)


def picked_of(best: Best, query: Any) -> tuple[NDArray[np.intp], NDArray]:
    """Positions in the whole pool and scores of the best; their rows need not be read again."""
    pool: PartitionedPool = query.pool
    for entries in best.entries:
        if entries.rows is not None:
            pool.carry(entries.part, entries.at, entries.rows)
    parts, at, scores = best.picked(query.rng, pool.order())
    return pool.positions(parts, at), scores


def scores_of_part(part: Part, score: _Score, model: Any, rng: np.random.Generator) -> Any:
    """Scores of a partition, and the state of the generator after them.

    All partitions draw the same, as one sampled network serves all rows of a pool. A function that
    draws for each row gets numbers of its own in each partition, and no state is told.
    """
    own = copy.deepcopy(rng)
    scores = score(model, part.X, own)
    after = own.bit_generator.state
    if after == rng.bit_generator.state or len(part) == 1:
        return scores, after
    probe = copy.deepcopy(rng)
    score(model, part.X.subset(np.arange(1)), probe)
    if probe.bit_generator.state == after:
        return scores, after
    return score(model, part.X, np.random.default_rng(derive_seed(own, part.number))), None


def _score_part(part: Part, payload: Any) -> tuple[Best, Any]:
    score, model, rng, n = payload
    scores, state = scores_of_part(part, score, model, rng)
    return Best.of(scores, n, part.number, part.positions, part.own_rows), state


def _merge_best(results: Sequence[tuple[Best, Any]]) -> tuple[Best, Any]:
    (first, state), *rest = results
    return first.merged(*(best for best, _ in rest), take=take_rows), state


# -- drawn ----------------------------------------------------------------------------------


def drawn_from_parts(query: Any, size: int) -> NDArray[np.intp]:
    """Positions in the whole pool of candidates drawn at random, as in memory."""
    pool: PartitionedPool = query.pool
    pool.check_n(query.n)
    return pool.nth(query.rng.choice(pool.n_candidates, size=size, replace=False))


# -- rows by one number ---------------------------------------------------------------------

_SHIFT = 40  # bits for the position in a partition


def keys_of(part: Part) -> NDArray[np.int64]:
    """A number for each candidate of a partition, ascending in the whole pool."""
    at = np.arange(len(part)) if part.positions is None else part.positions
    return (part.number << _SHIFT) + at.astype(np.int64)


def located(keys: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Partitions and positions there."""
    return keys >> _SHIFT, keys & ((1 << _SHIFT) - 1)


# -- stratified -----------------------------------------------------------------------------


def largest_finite(values: NDArray) -> float:
    """The largest finite value, 0 if there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0


@dataclass(frozen=True)
class _Values:
    """One number for each candidate of a partition; their bins, once these are known."""

    part: int
    at: NDArray[np.intp] | None
    values: NDArray
    state: Any
    bins: NDArray | None = None


@dataclass(frozen=True)
class _Range:
    """What has to be known of all numbers to put them in bins."""

    low: float
    high: float
    largest_finite: float
    dtype: np.dtype
    state: Any
    counts: dict[int, int]


class ValuesOfParts:
    """The bins of all candidates, where their partitions are: what `sample_bins` asks of them.

    A pass computes the numbers, which stay where they are. Bins are looked up there; what comes
    here are the counts, and the bins of rows that were drawn.

    Parameters
    ----------
    values : callable
        ``values(model, X, rng)`` -> a number for each row.
    query : Query
        Over a `PartitionedPool`.
    n_bins : int
    caps : bool
        Whether an infinite number counts as the largest finite one.

    Attributes
    ----------
    counts : ndarray of shape (n_bins,), int64
        Candidates in each bin.
    """

    def __init__(self, values: _Score, query: Any, n_bins: int, *, caps: bool) -> None:
        self._pool: PartitionedPool = query.pool
        held = self._pool.kept(_values_of_part, (values, query.model, query.rng))
        known: _Range = held.map(_range_of, None, _merged_ranges)
        self._pool.check_n(query.n)
        if known.state is not None:
            query.rng.bit_generator.state = known.state
        low, high = known.low, known.high
        if caps:
            high = known.largest_finite if known.largest_finite > -np.inf else 0.0
            low = min(low, high)
        binning = Binning(*finite_range(low, high), n_bins, known.dtype)
        self._held = held.kept(_binned, (binning, caps))
        self.counts = self._held.map(_counts_of, n_bins, _summed)
        self._sizes = [known.counts.get(part, 0) for part in range(self._pool.n_partitions)]
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)]).astype(np.intp)
        self._order, self._place = self._asked_order()

    def at(self, points: NDArray[np.intp]) -> NDArray:
        """Bins of some candidates, by their place among all."""
        return self._looked_up(points, _bins_at)[0]

    def between(self, low: int, high: int) -> tuple[NDArray[np.intp], NDArray]:
        """Candidates of the bins from `low` up to, not including, `high`, and their bins."""
        found = self._held.map(_bins_between, (low, high))
        points = np.concatenate([self._starts[part] + at for part, at, _ in found])
        bins = np.concatenate([own for *_, own in found])
        if self._place is None:
            return points, bins
        points = self._place[points]
        by = np.argsort(points, kind="stable")
        return points[by], bins[by]

    def rows(self, points: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray]:
        """Positions in the whole pool, and numbers, of some candidates."""
        parts, at, values = self._looked_up(points, _rows_at)
        return self._pool.positions(parts, at), values

    def _looked_up(self, points: NDArray[np.intp], function: Any) -> list[NDArray]:
        """Columns of what each partition says of those of the points that are in it."""
        inside = points if self._order is None else self._order[points]
        parts = np.searchsorted(self._starts, inside, side="right") - 1
        wanted = {int(part): inside[parts == part] - self._starts[part] for part in set(parts)}
        answers = dict(self._held.map(function, wanted))
        columns: list[NDArray] = []
        for part, answer in answers.items():
            columns = columns or [np.empty(len(points), column.dtype) for column in answer]
            for into, column in zip(columns, answer, strict=True):
                into[parts == part] = column
        return columns

    def _asked_order(self) -> tuple[NDArray | None, NDArray | None]:
        """Where the candidates come in the order in which they were asked for, and back."""
        order = self._pool.order()
        if order is None:
            return None, None
        every = {part: np.arange(size) for part, size in enumerate(self._sizes) if size}
        answers = dict(self._held.map(_rows_at, every))
        parts, at = (np.concatenate([answers[part][i] for part in sorted(answers)]) for i in (0, 1))
        place = order(parts, at)
        return np.argsort(place), place


def _values_of_part(part: Part, payload: Any) -> _Values:
    values, model, rng = payload
    found, state = scores_of_part(part, values, model, rng)
    return _Values(part.number, part.positions, np.asarray(found), state)


def _range_of(held: _Values, payload: Any) -> _Range:
    low, high = float(held.values.min()), float(held.values.max())
    counts = {held.part: len(held.values)}
    largest = high
    if not np.isfinite(high):
        largest = float(held.values[np.isfinite(held.values)].max(initial=-np.inf))
    return _Range(low, high, largest, held.values.dtype, held.state, counts)


def _merged_ranges(results: Sequence[_Range]) -> _Range:
    return _Range(
        float(np.min([found.low for found in results])),
        float(np.max([found.high for found in results])),
        max(found.largest_finite for found in results),
        results[0].dtype,
        results[0].state,
        {part: size for found in results for part, size in found.counts.items()},
    )


def _binned(held: _Values, payload: Any) -> _Values:
    binning, caps = payload
    values = np.minimum(held.values, binning.high) if caps else held.values
    return replace(held, values=values, bins=binning.bins_of(values))


def _counts_of(held: _Values, n_bins: int) -> NDArray[np.int64]:
    return count_bins(_bins(held), n_bins)


def _summed(results: Sequence[NDArray]) -> NDArray:
    return np.sum(results, axis=0)


def _bins_at(held: _Values, wanted: dict[int, NDArray]) -> tuple[int, list[NDArray]]:
    at = wanted.get(held.part, np.empty(0, dtype=np.intp))
    return held.part, [_bins(held)[at]]


def _bins_between(held: _Values, payload: tuple[int, int]) -> tuple[int, NDArray, NDArray]:
    found = points_between(_bins(held), *payload)
    return held.part, found, _bins(held)[found]


def _rows_at(held: _Values, wanted: dict[int, NDArray]) -> tuple[int, list[NDArray]]:
    at = wanted.get(held.part, np.empty(0, dtype=np.intp))
    positions = at if held.at is None else held.at[at]
    return held.part, [np.full(len(at), held.part), positions, held.values[at]]


def _bins(held: _Values) -> NDArray:
    assert held.bins is not None
    return held.bins
