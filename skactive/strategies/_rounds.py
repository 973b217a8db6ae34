"""Two rounds over a pool in partitions: each proposes rows, and one machine chooses among them.

The scheme is GreeDi's [1]_: every partition makes the strategy's own choice of n of its rows, and
the strategy then chooses n of all rows proposed. Where no partition has more than n rows, all are
proposed, and the picks are those of memory.

What is guaranteed otherwise, with n picks, m partitions and OPT the best there is:

- *k-center*: a covering radius of at most 4 · OPT, where one machine's greedy has 2 · OPT. Among
  n + 1 rows of a partition that are farther than 2 · OPT from each other and from what is labelled,
  two would share a centre of OPT's; so each row is within 2 · OPT of a proposal or of a labelled
  row, and by the same argument each proposal is within 2 · OPT of a pick or of a labelled row [2]_.
- *Monotone submodular objectives* (joint information, coverage, herding): (1 − 1/e)² / min(m, n)
  · OPT, as some partition's part of the best picks is worth OPT / m, its greedy choice 1 − 1/e of
  that, and the second greedy choice 1 − 1/e of the best among the proposals [1]_. For coverage the
  objective is estimated on the proposals and a uniform sample of the pool.

.. [1] Mirzasoleiman, Karbasi, Sarkar & Krause, "Distributed submodular maximization: identifying
   representative elements in massive data", NIPS 2013.
.. [2] Malkomes, Kusner, Chen, Weinberger & Moseley, "Fast distributed k-center clustering with
   outliers on massive data", NIPS 2015.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part, PartitionedPool
from ..kernels.proposals import Proposals
from ..utils.indexing import Rows, take_rows
from ..utils.random_state import derive_seed

CONTEXT = 10_000  # rows of the sample by which a second round knows how dense the pool is


def in_two_rounds(strategy: Any, query: Any, *, context: int = 0) -> Any:
    """What a strategy picks among the rows that it picked in each partition.

    Parameters
    ----------
    strategy : QueryStrategy
        Proposes by ``_propose(query)``, which is ``_select`` where it has none, and chooses by
        ``_select``; both draw from copies of one generator.
    query : Query
        Over a `PartitionedPool`.
    context : int, default=0
        Rows of a uniform sample of the pool that are looked at as well, for strategies that ask
        how dense it is.

    Returns
    -------
    selection : Selection
    """
    positions, union = proposed_rows(_propose, (strategy, without_pool(query), context), query)
    return strategy._select(replace(query, X=union)).within(positions)


def proposed_rows(propose: Any, payload: Any, query: Any) -> tuple[NDArray[np.intp], Rows]:
    """Rows that `propose` returns as `Proposals`, as a model reads them, and their positions."""
    pool: PartitionedPool = query.X
    merged = pool.map(propose, payload, _merge)
    pool.check_n(query.n)
    for piece in merged.pieces:
        pool.carry(piece.part, piece.at, piece.rows)
    parts, at = merged.where()
    order = pool.order()
    by = np.lexsort((at, parts)) if order is None else np.argsort(order(parts, at), kind="stable")
    positions = pool.positions(parts[by], at[by])
    return positions, Rows.of(pool.inputs(positions))


def without_pool(query: Any) -> Any:
    """The query, to be sent to where the pool is."""
    return replace(query, X=None)


def of_part(query: Any, part: Part, n: int) -> Any:
    """The same query of one partition; each draws from a copy of the generator."""
    return replace(query, X=part.X, n=n, rng=copy.deepcopy(query.rng))


def sample_generator(query: Any, part: Part) -> np.random.Generator:
    """A generator for the sample of the pool, of this partition's own."""
    return np.random.default_rng(derive_seed(copy.deepcopy(query.rng), part.number))


def _propose(part: Part, payload: Any) -> Proposals:
    strategy, query, context = payload
    n = min(query.n, len(part))
    chosen = np.arange(n)
    if n < len(part):
        propose = getattr(strategy, "_propose", strategy._select)
        chosen = propose(of_part(query, part, n)).indices
    rng = sample_generator(query, part)
    return Proposals.of(part.number, chosen, len(part), context, rng, part.own_rows, part.positions)


def _merge(results: Sequence[Proposals]) -> Proposals:
    first, *rest = results
    return first.merged(*rest, take=take_rows)
