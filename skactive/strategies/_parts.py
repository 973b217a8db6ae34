"""What strategies do with the partitions of a pool, and how it becomes their picks.

The functions that are mapped over partitions lie here by name, so that workers find them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part, PartitionedPool
from ..kernels.best_of_parts import Best
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
    pool: PartitionedPool = query.X
    payload = (score, query.model, query.rng, query.n)
    merged = pool.map(_score_part, payload, _merge_best)
    pool.check_n(query.n)
    best, state = merged
    if state is not None:
        query.rng.bit_generator.state = state
    return picked_of(best, query)


def picked_of(best: Best, query: Any) -> tuple[NDArray[np.intp], NDArray]:
    """Positions in the whole pool and scores of the best; their rows need not be read again."""
    pool: PartitionedPool = query.X
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
