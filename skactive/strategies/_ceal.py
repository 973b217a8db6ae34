"""Cost-effective active learning: ask about the uncertain, believe the certain."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..distributed import Part
from ..kernels.best_of_parts import Best
from ..kernels.selection import top_k
from ..kernels.uncertainty import entropy
from ..utils.indexing import Rows, take_rows
from ..utils.typing import RandomState
from ..utils.validation import Interval
from ._base import Query, ScoringStrategy, Selection
from ._parts import picked_of


class CEAL(ScoringStrategy):
    """Ask for the samples of highest entropy; pseudo-label those of very low entropy.

    Every sample that is not asked and has entropy below the threshold δ gets its predicted
    class as a pseudo-label. `ActiveLearner` teaches these for one round only, withdraws them
    before the next, and never counts them as bought labels.

    Parameters
    ----------
    threshold : float, default=0.05
        δ in nats. The papers use .05 for MNIST, .19 for Shoe-Bag, .08 for Quick, Draw!.
    decay : float, default=0.0
        δ of round k is ``threshold - decay * k``, but not below 0 (Wang et al. decay it; the
        DFAL paper does not).
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Wang et al., "Cost-effective active learning for deep image classification", IEEE TCSVT
    2017; Ducoffe & Precioso, arXiv 1802.09841, section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import CEAL
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> found = CEAL(threshold=0.1, random_state=0).select(model, X, n=2)
    >>> set(found.indices).isdisjoint(found.pseudo_indices)
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "threshold": [Interval(Real, 0, None, closed="left")],
        "decay": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self, threshold: float = 0.05, decay: float = 0.0, *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.threshold = threshold
        self.decay = decay

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return entropy(model.predict_proba(X))

    def _select(self, query: Query) -> Selection:
        proba = query.model.predict_proba(query.X)
        scores = entropy(proba)
        asked = top_k(scores, query.n, query.rng)
        certain = scores < max(0.0, self.threshold - self.decay * query.stage)
        certain[asked] = False
        believed = np.flatnonzero(certain)
        labels = np.asarray(query.model.classes_)[proba[believed].argmax(axis=1)]
        return Selection(asked, scores[asked], pseudo_indices=believed, pseudo_labels=labels)

    def _select_from_parts(self, query: Query) -> Selection:
        pool = query.pool
        below = max(0.0, self.threshold - self.decay * query.stage)
        best, certain = pool.map(_ask_part, (query.model, query.n, below), _merged)
        pool.check_n(query.n)
        asked, scores = picked_of(best, query)
        parts, at, labels = (np.concatenate(column) for column in zip(*certain, strict=True))
        believed, order = pool.positions(parts, at), pool.order()
        by = np.argsort(believed if order is None else order(parts, at), kind="stable")
        by = by[~np.isin(believed[by], asked)]
        return Selection(asked, scores, pseudo_indices=believed[by], pseudo_labels=labels[by])


def _ask_part(part: Part, payload: Any) -> tuple[Best, list]:
    """The most uncertain rows of a partition; where its certain ones are, and their labels."""
    model, n, threshold = payload
    proba = model.predict_proba(part.X)
    scores = entropy(proba)
    certain = np.flatnonzero(scores < threshold)
    labels = np.asarray(model.classes_)[proba[certain].argmax(axis=1)]
    at = certain if part.positions is None else part.positions[certain]
    best = Best.of(scores, n, part.number, part.positions, part.own_rows)
    return best, [(np.full(len(at), part.number), at, labels)]


def _merged(results: Sequence[tuple[Best, list]]) -> tuple[Best, list]:
    (best, _), *rest = results
    merged = best.merged(*(other for other, _ in rest), take=take_rows)
    return merged, [found for _, certain in results for found in certain]
