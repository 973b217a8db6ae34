"""The template every query strategy follows: validate once, call one hook, check the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from ..distributed import PartitionedPool, is_partitioned, partitioned
from ..exceptions import CapabilityError
from ..kernels.selection import top_k
from ..model_view import ModelView, require_of
from ..utils.budget import budget_to_count
from ..utils.indexing import AllBut, Rows, distinct_positions, n_rows
from ..utils.random_state import numpy_generator
from ..utils.saving import Savable
from ..utils.typing import Estimator, Pool, RandomState
from ..utils.validation import check_params
from ._parts import best_of_parts


@dataclass(frozen=True)
class Selection:
    """What a strategy picked.

    Attributes
    ----------
    indices : ndarray of shape (n,), dtype intp
        Distinct positions in the pool, most wanted first.
    scores : ndarray of shape (n,) or None
        Score of each pick, larger = more wanted; ``None`` for rules without scores.
    twins : ndarray of shape (n_twins, ...) or None
        Adversarial twins of the picks, each to be taught under its pick's own label (DFAL).
    pseudo_indices : ndarray of int or None
        Positions that may be taught under the model's own label for one round (CEAL).
    pseudo_labels : ndarray or None
        Those labels.
    twinned : ndarray of shape (n,), bool, or None
        Which picks have a twin, in the order of `twins`; ``None``: all of them.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import Selection
    >>> found = Selection(np.array([2, 0]), scores=np.array([0.9, 0.7]))
    >>> found.within(np.array([10, 20, 30])).indices  # candidates were rows 10, 20 and 30
    array([30, 10])
    """

    indices: NDArray
    scores: NDArray | None = None
    twins: NDArray | None = None
    pseudo_indices: NDArray | None = None
    pseudo_labels: NDArray | None = None
    twinned: NDArray | None = None

    @property
    def twin_indices(self) -> NDArray:
        """Positions in the pool of the picks that `twins` are twins of."""
        return self.indices if self.twinned is None else self.indices[self.twinned]

    def within(self, positions: NDArray) -> Selection:
        """What was picked of the rows at `positions` of a pool, as positions in that pool.

        Parameters
        ----------
        positions : ndarray of int
            Where the rows that were picked from stand in the pool.

        Returns
        -------
        selection : Selection
        """
        pseudo = None if self.pseudo_indices is None else positions[self.pseudo_indices]
        return replace(self, indices=positions[self.indices], pseudo_indices=pseudo)


@dataclass(frozen=True)
class Query:
    """What the hook of a strategy is given: everything checked, nothing copied.

    Attributes
    ----------
    model : ModelView or None
        What the estimator can tell; ``None`` where there is none, or no need of it.
    X : Rows
        The candidates. Model view methods take it as it is; ``X.batches(size)`` walks it and
        ``X.materialise()`` is all of it, in the pool's own type.
    n : int
        How many to pick, 1 <= n <= len(X).
    rng : numpy.random.Generator
        The only source of randomness, already seeded.
    X_labeled : array-like or None
        Samples of the labelled set.
    y_labeled : array-like or None
        Their labels.
    stage : int
        How many rounds came before this one.
    estimator : estimator or None
        What `model` is a view of, as it was passed.

    Examples
    --------
    A strategy that takes the most uncertain candidates of each predicted class in turn:

    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import Query, QueryStrategy, Selection
    >>> class InTurn(QueryStrategy):
    ...     def _select(self, query: Query) -> Selection:
    ...         proba = query.model.predict_proba(query.X)
    ...         order = np.argsort(proba.max(axis=1), kind="stable")
    ...         predicted = proba.argmax(axis=1)[order]
    ...         rank = np.empty(len(order), int)
    ...         for label in np.unique(predicted):
    ...             rank[predicted == label] = np.arange(np.sum(predicted == label))
    ...         return Selection(order[np.argsort(rank, kind="stable")][: query.n])
    >>> X, y = load_iris(return_X_y=True)
    >>> picked = InTurn().query(LogisticRegression(max_iter=500).fit(X, y), X, n=6)
    >>> sorted(y[picked].tolist())
    [0, 0, 1, 1, 2, 2]
    """

    model: ModelView
    X: Rows
    n: int
    rng: np.random.Generator
    X_labeled: Pool | None = None
    y_labeled: ArrayLike | None = None
    stage: int = 0
    estimator: Any = None

    @property
    def pool(self) -> PartitionedPool:
        """`X` where it is a pool in partitions, as it is for `_select_from_parts`."""
        assert isinstance(self.X, PartitionedPool)
        return self.X


class QueryStrategy(Savable, BaseEstimator):
    """Base class of all query strategies (acquisition functions).

    A subclass implements ``_select(query) -> Selection`` (positions within ``query.X``) and
    names in ``_requires`` what it needs of the estimator. For strategies that score each
    sample on its own, `ScoringStrategy` asks for even less.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Seeds ties and sampling. An integer makes every query with the same input return
        the same indices.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import QueryStrategy, Selection
    >>> class EveryOther(QueryStrategy):
    ...     _requires = ()
    ...
    ...     def _select(self, query):
    ...         return Selection(np.arange(0, 2 * query.n, 2))
    >>> EveryOther().query(None, np.zeros((10, 2)), n=3)
    array([0, 2, 4])
    """

    _requires: ClassVar[tuple[str, ...]] = ("predict_proba",)
    _parameter_constraints: ClassVar[dict] = {"random_state": ["random_state", np.random.Generator]}

    def __init__(self, *, random_state: RandomState = None) -> None:
        self.random_state = random_state

    def query(
        self,
        estimator: Estimator | None,
        X_pool: Pool,
        n: int = 1,
        *,
        X_labeled: Pool | None = None,
        candidates: ArrayLike | None = None,
    ) -> NDArray:
        """Pick the `n` samples of a pool whose labels are wanted most.

        Parameters
        ----------
        estimator : fitted estimator, Pipeline or learner
            ``None`` is enough for strategies that need no model (see `needs_model`).
        X_pool : array-like of shape (n_pool, ...)
            Unlabelled samples: array of any dimension, sparse matrix, DataFrame, tensor,
            memmap, list or torch Dataset. Neither copied nor modified.
        n : int, default=1
            How many to pick, ``1 <= n <= n_pool``.
        X_labeled : array-like or None, default=None
            Samples labelled already, for strategies that keep away from them.
        candidates : array of int or bool, default=None
            Restrict the query to these positions (or this mask) of `X_pool`.

        Returns
        -------
        indices : ndarray of shape (n,)
            Distinct positions in `X_pool`, most wanted first.

        Raises
        ------
        ValueError
            If `n` or `candidates` do not fit the pool, or a parameter is out of range.
        CapabilityError
            If the estimator lacks what the strategy needs.
        """
        return self.select(estimator, X_pool, n, X_labeled=X_labeled, candidates=candidates).indices

    def select(
        self,
        estimator: Estimator | None,
        X_pool: Pool,
        n: int = 1,
        *,
        X_labeled: Pool | None = None,
        y_labeled: ArrayLike | None = None,
        candidates: ArrayLike | None = None,
        stage: int = 0,
        random_state: RandomState = None,
    ) -> Selection:
        """Like `query`, but return all that the strategy has to say.

        Parameters
        ----------
        estimator, X_pool, n, X_labeled, candidates
            See `query`.
        y_labeled : array-like or None, default=None
            Labels of `X_labeled`.
        stage : int, default=0
            How many rounds came before this one.
        random_state : None, int, RandomState or Generator, default=None
            Used when the strategy's own `random_state` is ``None``.

        Returns
        -------
        selection : Selection
        """
        check_params(self)
        X, positions, select = self._candidates(X_pool, candidates, estimator)
        n = _check_n(n, None if isinstance(X, PartitionedPool) else len(X))
        seed = self.random_state if self.random_state is not None else random_state
        found = select(
            Query(
                model=self._view(estimator),
                X=X,
                n=n,
                rng=numpy_generator(seed),
                X_labeled=X_labeled,
                y_labeled=y_labeled,
                stage=stage,
                estimator=estimator,
            )
        )
        return self._checked(found, n, len(X), positions)

    def _candidates(
        self, X_pool: Any, candidates: Any, estimator: Any
    ) -> tuple[Rows, Any, Callable[[Query], Selection]]:
        """What may be picked, where that is in the pool, and the hook that picks."""
        if is_partitioned(X_pool):
            pool = partitioned(X_pool).restricted(candidates).read_by(estimator)
            return pool, None, self._select_from_parts
        positions = candidate_positions(candidates, n_rows(X_pool))
        return Rows(X_pool, positions), positions, self._select

    def select_tests(
        self,
        estimator: Estimator | None,
        X_test: Pool,
        budget: float = 0.04,
        *,
        X_labeled: Pool | None = None,
    ) -> NDArray:
        """Select test samples once, to be labelled and used for retraining.

        Parameters
        ----------
        estimator : fitted estimator
        X_test : array-like of shape (n_test, ...)
            Unlabelled test data.
        budget : int or float, default=0.04
            How many samples (int >= 1) or which share of them (float in (0, 1]; rounded,
            at least one).
        X_labeled : array-like or None, default=None
            What the estimator was trained on, for strategies that keep away from it.

        Returns
        -------
        indices : ndarray of shape (n_selected,)

        Raises
        ------
        ValueError
            If the budget is not positive or larger than the test set.

        References
        ----------
        Guo et al., "Robust Active Learning", section 8 (arXiv 2112.02542).
        """
        X: Any = partitioned(X_test) if is_partitioned(X_test) else X_test
        n = budget_to_count(budget, len(X) if isinstance(X, PartitionedPool) else n_rows(X))
        return self.query(estimator, X, n, X_labeled=X_labeled)

    def __call__(
        self,
        classifier: Any,
        X: Pool,
        n_instances: int = 1,
        *,
        random_state: RandomState = None,
        **kwargs: Any,
    ) -> tuple[NDArray, NDArray | None]:
        """Query with modAL's signature: ``(indices, scores)`` for a modAL learner or estimator.

        Where neither the strategy nor the call has a `random_state`, NumPy's global generator is
        drawn from, as in modAL.
        """
        if random_state is None:
            random_state = check_random_state(None)
        labelled = getattr(classifier, "X_training", kwargs.pop("X_labeled", None))
        estimator = classifier
        if not hasattr(classifier, "estimator_"):
            estimator = getattr(classifier, "estimator", classifier)
        found = self.select(
            estimator, X, n_instances, X_labeled=labelled, random_state=random_state, **kwargs
        )
        return found.indices, found.scores

    def _select(self, query: Query) -> Selection:
        raise NotImplementedError(f"{type(self).__name__} must implement _select(query).")

    def _select_from_parts(self, query: Query) -> Selection:
        """Like `_select`, from a pool that is read in partitions.

        ``query.pool`` is a `skactive.distributed.PartitionedPool`, and the picks are positions in
        all of it. A strategy that can do without seeing all rows at once overrides this.
        """
        raise CapabilityError(
            f"{type(self).__name__} looks at all rows of a pool at once, and this one is read in "
            f"partitions. Let it choose among a random part of them that fits into memory, "
            f"Subsample({type(self).__name__}(), size=100_000), or pass a pool in memory."
        )

    def check_estimator(self, estimator: Estimator) -> None:
        """Raise unless an estimator, fitted or not, can serve this strategy.

        Parameters
        ----------
        estimator : classifier
            Fitted or not.

        Raises
        ------
        CapabilityError
            If it lacks something.
        InvalidParameterError
            If a parameter of the strategy is none.
        """
        check_params(self)
        require_of(estimator, *self._capabilities(), caller=type(self).__name__)

    def _capabilities(self) -> tuple[str, ...]:
        """Capabilities needed with the present parameters."""
        return self._requires

    def needs_model(self) -> bool:
        """Whether a query needs a fitted model; ``False`` if it can start a learner.

        Returns
        -------
        needed : bool
            With the present parameters. A strategy that has a use for a model, but can do
            without, overrides this, and is then given ``query.model = None``.
        """
        return bool(self._capabilities())

    def _view(self, estimator: Estimator | None) -> Any:
        needs = self._capabilities()
        if not needs or (estimator is None and not self.needs_model()):
            return None
        view = ModelView.of(estimator, caller=type(self).__name__)
        view.require(*needs)
        return view

    def _checked(
        self, found: Selection, n: int, n_candidates: int, positions: NDArray | None
    ) -> Selection:
        """Check what the hook returned and translate it to positions in the whole pool."""
        indices = np.asarray(found.indices)
        name = type(self).__name__
        if indices.shape != (n,) or indices.dtype.kind not in "iu":
            raise ValueError(
                f"{name}._select must return {n} integer indices, got an array of shape "
                f"{indices.shape} and dtype {indices.dtype}."
            )
        if indices.min() < 0 or indices.max() >= n_candidates or len(np.unique(indices)) != n:
            raise ValueError(
                f"{name}._select must return distinct indices in [0, {n_candidates}), got "
                f"{len(np.unique(indices))} distinct in [{indices.min()}, {indices.max()}]."
            )
        found = replace(found, indices=indices.astype(np.intp, copy=False))
        return found if positions is None else found.within(positions)


class ScoringStrategy(QueryStrategy):
    """Base class of strategies that score every sample and ask for the highest.

    A subclass implements ``_score(model, X, rng)``: one number per sample of `X`,
    **larger = ask first, always**.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import ScoringStrategy
    >>> class SmallestSecond(ScoringStrategy):
    ...     def _score(self, model, X, rng):
    ...         return np.sort(model.predict_proba(X), axis=1)[:, -2]
    >>> X, y = load_iris(return_X_y=True)
    >>> SmallestSecond().query(LogisticRegression(max_iter=500).fit(X, y), X, n=3).shape
    (3,)
    """

    # Whether the picks are the highest scores; not where they are chosen together or drawn.
    _ranks_by_score: ClassVar[bool] = True
    # Whether a score is of its row, the model and the seed alone: then any part of a pool will do.
    _by_row: ClassVar[bool] = True

    def score_samples(self, estimator: Estimator | None, X: Pool) -> NDArray:
        """Score samples; the larger, the sooner asked.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like of shape (n_samples, ...)

        Returns
        -------
        scores : ndarray of shape (n_samples,)
        """
        check_params(self)
        rows = Rows.of(X)
        return self._score_checked(self._view(estimator), rows, numpy_generator(self.random_state))

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        raise NotImplementedError(f"{type(self).__name__} must implement _score(model, X, rng).")

    def _score_checked(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        scores = np.asarray(self._score(model, X, rng))
        if scores.shape != (len(X),):
            raise ValueError(
                f"{type(self).__name__}._score must return one score per sample, shape "
                f"({len(X)},), got {scores.shape}."
            )
        if np.isnan(scores).any():
            raise ValueError(
                f"{type(self).__name__} scored {int(np.isnan(scores).sum())} of {len(X)} samples "
                "NaN. Does the pool, or what the model predicts, hold NaN or infinite values?"
            )
        return scores

    def _select(self, query: Query) -> Selection:
        scores = self._score_checked(query.model, query.X, query.rng)
        indices = top_k(scores, query.n, query.rng)
        return Selection(indices, scores[indices])

    def _select_from_parts(self, query: Query) -> Selection:
        # One that chooses otherwise than by its scores has to say how it does so in parts.
        if not self._by_row or type(self)._select is not ScoringStrategy._select:
            return super()._select_from_parts(query)
        return Selection(*best_of_parts(self._score_checked, query))


class FunctionStrategy(QueryStrategy):
    """A plain function as a query strategy, in modAL's form.

    Parameters
    ----------
    function : callable
        ``function(estimator, X, n_instances=n)`` returning an array or list of indices, or a
        tuple whose first part is one (``(indices, instances)``, ``(indices, metrics)``). Inside
        an `ActiveLearner` the estimator also has ``X_training``, ``y_training`` and
        ``estimator``, as functions written for modAL's learners expect.
    random_state : ignored
        Kept for a uniform signature; a function seeds itself.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import FunctionStrategy
    >>> first = FunctionStrategy(lambda estimator, X, n_instances=1: np.arange(n_instances))
    >>> first.query(None, np.zeros((5, 2)), n=2)
    array([0, 1])
    """

    _requires: ClassVar[tuple[str, ...]] = ()
    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "function": [callable],
    }

    def __init__(self, function: Callable, *, random_state: RandomState = None) -> None:
        super().__init__(random_state=random_state)
        self.function = function

    def _select(self, query: Query) -> Selection:
        asked = query.estimator
        if asked is not None and query.X_labeled is not None:
            asked = _TaughtEstimator(asked, query.X_labeled, query.y_labeled)
        answer = self.function(asked, query.X.materialise(), n_instances=query.n)
        # Told apart by type: two indices in an array or a list are not (indices, metrics).
        if isinstance(answer, tuple) and not all(isinstance(part, Integral) for part in answer):
            answer = answer[0]
        return Selection(np.atleast_1d(np.asarray(answer)))


class _TaughtEstimator:
    """An estimator with what it was taught, for functions that read both of a modAL learner."""

    on_transformed = False

    def __init__(self, estimator: Any, X_training: Any, y_training: Any) -> None:
        self.estimator = estimator
        self.X_training = X_training
        self.y_training = y_training

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "estimator":
            raise AttributeError(name)
        return getattr(self.estimator, name)


def _check_n(n: Any, n_available: int | None) -> int:
    """`n` as a number of picks; how many there are to pick from may not be known yet."""
    if not isinstance(n, Integral) or isinstance(n, bool):
        raise TypeError(f"n must be an integer, got {n!r}.")
    if n_available is None and int(n) >= 1:
        return int(n)
    if n_available == 0:
        raise ValueError("The pool is empty: there is nothing to query. Pass at least one sample.")
    if n_available is None or not 1 <= int(n) <= n_available:
        known = "" if n_available is None else f" ({n_available})"
        raise ValueError(
            f"n must be between 1 and the number of candidates in the pool{known}, got {n}. Ask "
            "for fewer, or pass a larger pool."
        )
    return int(n)


def candidate_positions(candidates: Any, n_pool: int) -> Any:
    """Positions that a query may pick; None for all of the pool."""
    if candidates is None or isinstance(candidates, AllBut):
        return candidates
    return distinct_positions(candidates, n_pool, "candidates")
