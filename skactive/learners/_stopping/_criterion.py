"""What a criterion is, and how several are asked as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator

from ...distributed import is_partitioned
from ...utils.indexing import Rows
from ...utils.validation import check_params

Watch = Callable[..., bool]


class StoppingCriterion(BaseEstimator):
    """Base class: ``watch = criterion.start()``, then ``watch(learner, X_pool)`` after each round.

    A criterion itself has no state; each `start` makes a fresh watch. Criteria combine:
    ``a | b`` stops when either does, ``a & b`` when both do in the same round.

    A subclass implements ``_start()`` and returns a function ``(learner, pool) -> bool``, where
    `pool` is a `Rows` view of the unlabelled samples (``pool.X`` is the whole pool) or ``None``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.stopping import MaxLabels, PredictionStability
    >>> X, y = load_iris(return_X_y=True)
    >>> unlabeled = np.arange(len(X)) % 15 != 0
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> learner = learner.fit(X[~unlabeled], y[~unlabeled])
    >>> watch = (MaxLabels(100) | PredictionStability(patience=2)).start()
    >>> while not watch(learner, X, candidates=unlabeled):
    ...     idx, X_new = learner.query(X, n=10, candidates=unlabeled)
    ...     unlabeled[idx] = False
    ...     learner = learner.teach(X_new, y[idx])
    >>> learner.history_[-1]["n_labels"] <= 100
    True
    """

    _parameter_constraints: ClassVar[dict] = {}

    def start(self) -> Watch:
        """Begin to watch a run.

        Returns
        -------
        watch : callable
            ``watch(learner, X_pool=None, *, candidates=None) -> bool``: whether to stop, asked
            once after each round, round 0 included. `X_pool` and `candidates` are those of
            `ActiveLearner.query`, which leaves out what is labelled already where there are no
            `candidates`; criteria without reference data of their own need them.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        check_params(self)
        wants_to_stop = self._start()

        def watch(learner: Any, X_pool: Any = None, *, candidates: Any = None) -> bool:
            return bool(wants_to_stop(learner, _unlabelled(learner, X_pool, candidates)))

        return watch

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        raise NotImplementedError(f"{type(self).__name__} must implement _start().")

    def __or__(self, other: Any) -> StoppingCriterion:
        return AnyOf([self, other]) if isinstance(other, StoppingCriterion) else NotImplemented

    def __and__(self, other: Any) -> StoppingCriterion:
        return AllOf([self, other]) if isinstance(other, StoppingCriterion) else NotImplemented


def resolve_stopping(stopping: Any) -> StoppingCriterion:
    """A criterion from a criterion or a list of them; ``None`` never stops.

    Parameters
    ----------
    stopping : StoppingCriterion, list of them or None
        Of a list, any one that is met stops.

    Returns
    -------
    criterion : StoppingCriterion

    Raises
    ------
    TypeError
        If it is none of these.

    Examples
    --------
    >>> from skactive.stopping import MaxLabels, MaxRounds, resolve_stopping
    >>> resolve_stopping([MaxLabels(100), MaxRounds(5)])
    AnyOf(criteria=[MaxLabels(n=100), MaxRounds(n=5)])
    """
    if isinstance(stopping, StoppingCriterion):
        return stopping
    return AnyOf([] if stopping is None else list(stopping))


class _Combination(StoppingCriterion):
    """Several criteria asked in each round: every one of them has to see every round."""

    _parameter_constraints: ClassVar[dict] = {"criteria": [list, tuple]}

    def __init__(self, criteria: Sequence[StoppingCriterion]) -> None:
        self.criteria = criteria

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        for criterion in self.criteria:
            if not isinstance(criterion, StoppingCriterion):
                raise TypeError(
                    f"criteria must be stopping criteria, objects such as MaxLabels(100), got "
                    f"{criterion!r}."
                )
        watches = [criterion.start() for criterion in self.criteria]

        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            X, candidates = (None, None) if pool is None else (pool.X, pool.indices)
            return self._combine([watch(learner, X, candidates=candidates) for watch in watches])

        return wants_to_stop

    def _combine(self, answers: list[bool]) -> bool:
        raise NotImplementedError


class AnyOf(_Combination):
    """Stop when one of several criteria does; what ``a | b`` makes.

    Parameters
    ----------
    criteria : list of StoppingCriterion
        An empty list never stops.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import AnyOf, MaxLabels, MaxRounds
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, random_state=0,
    ...                       stopping=AnyOf([MaxLabels(60), MaxRounds(3)]))
    >>> run.fit(X, y).n_labels_
    40
    """

    def _combine(self, answers: list[bool]) -> bool:
        return any(answers)


class AllOf(_Combination):
    """Stop when all of several criteria do in the same round; what ``a & b`` makes.

    Parameters
    ----------
    criteria : list of StoppingCriterion
        An empty list never stops.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import MaxLabels, MaxRounds
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, random_state=0,
    ...                       stopping=MaxLabels(60) & MaxRounds(3))
    >>> run.fit(X, y).n_labels_
    60
    """

    def _combine(self, answers: list[bool]) -> bool:
        return bool(answers) and all(answers)


def _unlabelled(learner: Any, X_pool: Any, candidates: Any) -> Rows | None:
    """What a query of the pool may return: the candidates, or all but what is labelled."""
    if X_pool is None:
        return None
    if candidates is None:
        labeled = getattr(learner, "labeled_", None)
        if labeled is None or is_partitioned(X_pool):
            return Rows(X_pool)
        candidates = ~labeled.found_in(X_pool)
    candidates = np.asarray(candidates)
    return Rows(X_pool, np.flatnonzero(candidates) if candidates.dtype == bool else candidates)
