"""DRE that spreads out inside each bin."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part
from ..kernels.k_center import k_center_greedy
from ..kernels.proposals import Proposals
from ..kernels.stratified import allocate, bin_indices, fair_order
from ..kernels.uncertainty import CHARACTERISTICS
from ..utils.indexing import Rows, n_rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, StrOptions
from ._base import Query, QueryStrategy, Selection
from ._rounds import of_part, proposed_rows, sample_generator, without_pool


class DiverseDRE(QueryStrategy):
    """`DRE` that spreads out inside each bin instead of drawing at random there.

    The quotas are DRE's, so that the picks' entropies are distributed like the pool's; inside a
    bin, `k-center greedy <CoreSet>` takes what is farthest from everything labelled and picked.
    They come in DRE's order: any first part is a fair sample of all of them. Of a pool in
    partitions the quotas are those of memory, and each partition proposes rows of each bin.

    Parameters
    ----------
    n_bins : int, default=50
    characteristic : {"entropy", "gini", "least_confidence", "margin"}, default="entropy"
    allocation : {"proportional", "ceil_tail", "equal"}, default="proportional"
        See `DRE`.
    random_state : None, int, RandomState or Generator, default=None
        Rounds the quotas and draws the first pick when nothing is labelled.

    References
    ----------
    Guo et al., arXiv 2112.02542, algorithm 1 (the quotas); Sener & Savarese, ICLR 2018,
    algorithm 1 (the picks).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import DiverseDRE, MaxEntropy
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::10], y[::10])
    >>> picked = DiverseDRE(n_bins=5, random_state=0).query(model, X, n=30)
    >>> entropy = MaxEntropy().score_samples(model, X)
    >>> bool(abs(entropy[picked].mean() - entropy.mean()) < 0.1)  # as uncertain as the pool
    True
    """

    _requires: ClassVar[tuple[str, ...]] = ("predict_proba", "embed")
    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "n_bins": [COUNT],
        "characteristic": [StrOptions(set(CHARACTERISTICS))],
        "allocation": [StrOptions({"proportional", "ceil_tail", "equal"})],
    }

    def __init__(
        self,
        n_bins: int = 50,
        characteristic: str = "entropy",
        allocation: str = "proportional",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.n_bins = n_bins
        self.characteristic = characteristic
        self.allocation = allocation

    def _select(self, query: Query) -> Selection:
        proba, points = query.model.predict_proba_and_embed(query.X)
        values = CHARACTERISTICS[self.characteristic](proba)
        bins = bin_indices(values, self.n_bins)
        counts = np.bincount(bins, minlength=self.n_bins)
        quotas = allocate(counts, query.n, self.allocation, rng=query.rng)
        return self._among(query, points, values, bins, quotas)

    def _select_from_parts(self, query: Query) -> Selection:
        score = CHARACTERISTICS[self.characteristic]
        ends = query.pool.map(_range_of_part, (score, query.model), _widest)
        query.pool.check_n(query.n)
        low, high = ends
        binned = _Binned(score, low, high, self.n_bins)
        counts = query.pool.map(_counts_of_part, (binned, query.model), _sum)
        quotas = allocate(counts, query.n, self.allocation, rng=query.rng)
        payload = (without_pool(query), binned, quotas)
        positions, union = proposed_rows(_spread_in_part, payload, query)
        proba, points = query.model.predict_proba_and_embed(union)
        values, bins = binned(proba)
        return self._among(query, points, values, bins, quotas).within(positions)

    def _among(
        self, query: Query, points: NDArray, values: NDArray, bins: NDArray, quotas: NDArray
    ) -> Selection:
        """Picks that fill the quotas of the bins, each far from all before it."""
        centers = _labelled_points(query, points)
        picked: list[NDArray] = []
        for b in np.flatnonzero(quotas):
            rows = np.flatnonzero(bins == b)
            found, _ = k_center_greedy(points[rows], int(quotas[b]), centers, query.rng)
            picked.append(rows[found])
            centers = np.concatenate([centers, points[picked[-1]]])
        indices = np.concatenate(picked)[fair_order(query.n, query.rng)]
        return Selection(indices, values[indices])


def _labelled_points(query: Query, points: NDArray) -> NDArray:
    labelled = query.X_labeled
    known = labelled is not None and n_rows(labelled) > 0
    return query.model.embed(Rows.of(labelled)) if known else points[:0]


@dataclass(frozen=True)
class _Binned:
    """Values of rows, and their bins between the ends that the whole pool has."""

    score: Callable[[NDArray], NDArray]
    low: Any
    high: Any
    n_bins: int

    def __call__(self, proba: NDArray) -> tuple[NDArray, NDArray]:
        values = self.score(proba)
        ends = np.array([self.low, self.high], dtype=values.dtype)
        return values, bin_indices(np.concatenate([values, ends]), self.n_bins)[:-2]


def _range_of_part(part: Part, payload: Any) -> tuple[Any, Any]:
    score, model = payload
    values = score(model.predict_proba(part.X))
    return values.min(), values.max()


def _widest(results: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    return min(low for low, _ in results), max(high for _, high in results)


def _counts_of_part(part: Part, payload: Any) -> NDArray:
    binned, model = payload
    return np.bincount(binned(model.predict_proba(part.X))[1], minlength=binned.n_bins)


def _sum(results: Sequence[NDArray]) -> NDArray:
    return np.sum(results, axis=0)


def _spread_in_part(part: Part, payload: Any) -> Proposals:
    """Rows of each bin that are far from each other and from what is labelled."""
    query, binned, quotas = payload
    chosen = np.arange(len(part))
    if len(part) > query.n:
        chosen = _far_apart(of_part(query, part, query.n), binned, quotas)
    rng = sample_generator(query, part)
    return Proposals.of(part.number, chosen, len(part), 0, rng, part.own_rows, part.positions)


def _far_apart(query: Query, binned: _Binned, quotas: NDArray) -> NDArray[np.intp]:
    """As many rows of each bin as its quota, if it has them."""
    proba, points = query.model.predict_proba_and_embed(query.X)
    bins = binned(proba)[1]
    centers = _labelled_points(query, points)
    chosen = []
    for b in np.flatnonzero(quotas):
        rows = np.flatnonzero(bins == b)
        if len(rows) > quotas[b]:
            rows = rows[k_center_greedy(points[rows], int(quotas[b]), centers, query.rng)[0]]
        chosen.append(rows)
    return np.concatenate(chosen)
