"""Strategies made of strategies: combined, balanced over classes, on a part of the pool."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ..kernels.stratified import equal_quotas
from ..utils.budget import COUNT_OR_SHARE, as_count
from ..utils.indexing import Rows
from ..utils.random_state import numpy_generator
from ..utils.typing import RandomState
from ..utils.validation import HasMethods, check_params
from ._base import Query, QueryStrategy, ScoringStrategy, Selection
from ._parts import drawn_from_parts
from ._registry import all_strategies, resolve_strategy


class Combine(ScoringStrategy):
    """Pick by the weighted mean rank of several strategies' scores.

    Parameters
    ----------
    strategies : list of str or ScoringStrategy
        Such as rank the samples by their scores: none that picks a set, as `MCP` does, a batch
        together (`BatchBALD`), or by drawing lots (`PowerBALD`). `CEAL` counts by its entropy,
        without its pseudo-labels, and `DFAL` by its distances, without a draw of candidates.
    weights : list of float or None, default=None
        One for each, none negative, not all zero; ``None`` weighs them alike.
    random_state : None, int, RandomState or Generator, default=None
        Seeds the query. A strategy within that has a `random_state` of its own draws from that,
        the others from this one.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import Combine
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> Combine(["margin", "entropy"], weights=[2, 1], random_state=0).query(model, X, n=3).shape
    (3,)
    """

    _by_row: ClassVar[bool] = False  # a rank is one among all rows
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "strategies": [list, tuple],
        "weights": ["array-like", None],
    }

    def __init__(
        self, strategies: Any, weights: Any = None, *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.strategies = strategies
        self.weights = weights

    def _parts(self) -> list[ScoringStrategy]:
        parts = [_checked_strategy(strategy) for strategy in self.strategies]
        for part in parts:
            if not _ranks_by_score(part):
                ranking = [name for name, cls in all_strategies().items() if _ranks_by_score(cls())]
                raise ValueError(
                    "Combine needs strategies that rank each sample by its score; "
                    f"{type(part).__name__} picks a set. These do: {', '.join(ranking)}."
                )
        if not parts:
            raise ValueError("strategies is empty: there is nothing to combine.")
        return parts

    def _capabilities(self) -> tuple[str, ...]:
        return tuple({need for part in self._parts() for need in part._capabilities()})

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        parts = self._parts()
        weights = self._checked_weights(len(parts))
        scores = [part._score_checked(model, X, _generator(part, rng)) for part in parts]
        ranks = [rankdata(scored) for scored in scores]
        return np.average(ranks, axis=0, weights=weights) / len(X)

    def _checked_weights(self, n_parts: int) -> NDArray:
        if self.weights is None:
            return np.ones(n_parts)
        weights = np.asarray(self.weights, float)
        if (
            weights.shape != (n_parts,)
            or not (np.isfinite(weights) & (weights >= 0)).all()
            or not weights.any()
        ):
            raise ValueError(
                f"weights must hold one number for each of the {n_parts} strategies, finite, none "
                f"negative and not all zero, got {self.weights!r}. To ask for the opposite of a "
                "score, write a ScoringStrategy that negates it."
            )
        return weights


def _checked_strategy(strategy: Any) -> QueryStrategy:
    """A strategy within another: its hooks are called, not the `select` that checks parameters."""
    resolved = resolve_strategy(strategy)
    check_params(resolved)
    return resolved


def _generator(within: QueryStrategy, rng: np.random.Generator) -> np.random.Generator:
    """What a strategy within another draws from: its own random state, if it has one."""
    return rng if within.random_state is None else numpy_generator(within.random_state)


def _ranks_by_score(strategy: QueryStrategy) -> bool:
    return isinstance(strategy, ScoringStrategy) and strategy._ranks_by_score


class _Wrapper(QueryStrategy):
    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "strategy": [str, HasMethods(["select"])],
    }

    strategy: Any

    def _capabilities(self) -> tuple[str, ...]:
        return _checked_strategy(self.strategy)._capabilities()

    def needs_model(self) -> bool:
        return _checked_strategy(self.strategy).needs_model()

    def _asked(self, query: Query) -> Query:
        """The query, drawing from the random state of the wrapped strategy, if it has one."""
        return replace(query, rng=_generator(resolve_strategy(self.strategy), query.rng))

    def _inner(self, query: Query, X: Rows, n: int) -> Selection:
        """What the wrapped strategy picks from a part of the candidates."""
        inner = resolve_strategy(self.strategy)
        found = inner._select(replace(query, X=X, n=n))
        # Here, where the numbers are those it gave: taken in the pool, -1 would be some row.
        return inner._checked(found, n, len(X), None)


class Subsample(_Wrapper):
    """Ask a strategy about a random part of the pool: for very large pools.

    Parameters
    ----------
    strategy : str or QueryStrategy, default="entropy"
    size : int or float, default=10_000
        How many samples (int), or which share of the pool (float in (0, 1]); never fewer than
        are asked for.
    random_state : None, int, RandomState or Generator, default=None
        Draws the part of the pool, and what `strategy` draws if it has no `random_state`.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import CoreSet, Subsample
    >>> X = np.random.default_rng(0).random((1000, 3))
    >>> Subsample(CoreSet(embedding="input"), size=50, random_state=0).query(None, X, n=5).shape
    (5,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **_Wrapper._parameter_constraints,
        "size": COUNT_OR_SHARE,
    }

    def __init__(
        self,
        strategy: Any = "entropy",
        size: int | float = 10_000,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.strategy = strategy
        self.size = size

    def _select(self, query: Query) -> Selection:
        n_pool = len(query.X)
        size = min(n_pool, max(as_count(self.size, n_pool), query.n))
        part = query.rng.choice(n_pool, size, replace=False)
        return self._inner(self._asked(query), query.X.subset(part), query.n).within(part)

    def _select_from_parts(self, query: Query) -> Selection:
        query.pool.check_n(query.n)
        n_pool = query.pool.n_candidates
        size = min(n_pool, max(as_count(self.size, n_pool), query.n))
        at = drawn_from_parts(query, size)
        return self._inner(self._asked(query), Rows(query.pool.inputs(at)), query.n).within(at)


class ClassBalanced(_Wrapper):
    """Ask a strategy for as many samples of each predicted class as possible.

    Parameters
    ----------
    strategy : str or QueryStrategy, default="entropy"
        Asked once for each predicted class that gets a share; all that it says comes through:
        scores, twins (`DFAL`), and pseudo-labels (`CEAL`), of the samples of these classes.
    random_state : None, int, RandomState or Generator, default=None
        Orders classes of one size, and draws what `strategy` draws if it has no `random_state`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import ClassBalanced
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> picks = ClassBalanced("margin", random_state=0).query(model, X, n=6)
    >>> [int((model.predict(X[picks]) == c).sum()) for c in range(3)]
    [2, 2, 2]
    """

    def __init__(self, strategy: Any = "entropy", *, random_state: RandomState = None) -> None:
        super().__init__(random_state=random_state)
        self.strategy = strategy

    def _capabilities(self) -> tuple[str, ...]:
        return tuple({*super()._capabilities(), "predict_proba"})

    def needs_model(self) -> bool:
        return True

    def _select(self, query: Query) -> Selection:
        predicted = query.model.predict_proba(query.X).argmax(axis=1)
        asked, found, turns = self._asked(query), [], []
        for c, quota in equal_quotas(np.bincount(predicted), query.n, query.rng):
            if quota:
                members = np.flatnonzero(predicted == c)
                picked = self._inner(asked, query.X.subset(members), quota)
                found.append(picked.within(members))
                turns.append(np.arange(quota))
        # One of each class in turn: a first part of the picks is balanced too.
        return _joined(found, np.argsort(np.concatenate(turns), kind="stable"))


def _joined(found: list[Selection], order: NDArray) -> Selection:
    """All that was said of several parts of the candidates, the picks in another order."""
    scores = [part.scores for part in found if part.scores is not None]
    twins, twinned = _joined_twins(found, order)
    indices, labels = _joined_pseudo_labels(found)
    return Selection(
        np.concatenate([part.indices for part in found])[order],
        np.concatenate(scores)[order] if len(scores) == len(found) else None,
        twins=twins,
        pseudo_indices=indices,
        pseudo_labels=labels,
        twinned=twinned,
    )


def _joined_twins(found: list[Selection], order: NDArray) -> tuple[NDArray | None, NDArray | None]:
    """Twins, in the order of the picks, and which picks have one."""
    twins = [part.twins for part in found if part.twins is not None]
    if not twins:
        return None, None
    twinned = np.concatenate([_have_twins(part) for part in found])
    place = (np.cumsum(twinned) - 1)[order]
    twinned = twinned[order]
    return np.concatenate(twins)[place[twinned]], twinned


def _have_twins(part: Selection) -> NDArray:
    if part.twinned is None:
        return np.full(len(part.indices), part.twins is not None)
    return part.twinned


def _joined_pseudo_labels(found: list[Selection]) -> tuple[NDArray | None, NDArray | None]:
    """Where samples have pseudo-labels, as they come in the pool, and the labels."""
    indices = [part.pseudo_indices for part in found if part.pseudo_indices is not None]
    labels = [part.pseudo_labels for part in found if part.pseudo_labels is not None]
    if not indices or not labels:
        return None, None
    joined = np.concatenate(indices)
    by = np.argsort(joined)
    return joined[by], np.concatenate(labels)[by]
