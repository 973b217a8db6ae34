"""Multiple-boundary clustering and prioritization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..distributed import Part
from ..kernels.clusters import Contenders, check_proba, mcp_select
from ._base import Query, QueryStrategy, Selection
from ._parts import keys_of, located


class MCP(QueryStrategy):
    """Pick evenly from the boundaries between pairs of classes, closest to each first.

    Clusters are the ordered pairs (most likely class, second most likely class); the priority
    within one is p₂ / p₁. Each sweep takes the best of every non-empty cluster, the last sweep
    the best of those.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Shen et al., "Multiple-boundary clustering and prioritization to promote neural network
    retraining", ASE 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import MCP
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> MCP(random_state=0).query(model, X, n=5).shape
    (5,)
    """

    def _select(self, query: Query) -> Selection:
        return Selection(mcp_select(query.model.predict_proba(query.X), query.n, query.rng))

    def _select_from_parts(self, query: Query) -> Selection:
        pool = query.pool
        contenders = pool.map(_contenders_of_part, (query.model, query.n), _merged)
        pool.check_n(query.n)
        order = pool.order()
        places = None if order is None else order(*located(contenders.rows()))
        keys = contenders.picked(query.rng, places)
        return Selection(pool.positions(*located(keys)))


def _contenders_of_part(part: Part, payload: Any) -> Contenders:
    model, n = payload
    proba = model.predict_proba(part.X)
    check_proba(proba)
    return Contenders.of(proba, n, keys_of(part))


def _merged(results: Sequence[Contenders]) -> Contenders:
    return results[0].merged(*results[1:])
