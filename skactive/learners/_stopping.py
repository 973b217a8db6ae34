"""When to stop asking: criteria that watch a learner from round to round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring, cohen_kappa_score

from ..distributed import is_partitioned
from ..kernels.uncertainty import entropy
from ..model_view import ModelView
from ..utils.budget import COUNT_OR_SHARE, as_count
from ..utils.indexing import Rows, n_rows
from ..utils.validation import COUNT, Interval, check_params

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


class MaxLabels(StoppingCriterion):
    """Stop once that many labels are bought.

    Parameters
    ----------
    n : int or float
        How many (int), or which share of all samples, labelled or in the pool (float in (0, 1]).

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import MaxLabels
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, stopping=MaxLabels(0.2), random_state=0)
    >>> run.fit(X, y).n_labels_
    30
    """

    _parameter_constraints: ClassVar[dict] = {"n": COUNT_OR_SHARE}

    def __init__(self, n: int | float) -> None:
        self.n = n

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            n_labels = learner.history_[-1]["n_labels"]
            if pool is None and not isinstance(self.n, Integral):
                raise ValueError(
                    f"MaxLabels({self.n}) is a share of the samples there are. Pass the pool, "
                    "watch(learner, X_pool), or a count."
                )
            return n_labels >= as_count(self.n, n_labels + (0 if pool is None else len(pool)))

        return wants_to_stop


class MaxRounds(StoppingCriterion):
    """Stop after that many rounds of asking (round 0 is none).

    Parameters
    ----------
    n : int

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import MaxRounds
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, stopping=MaxRounds(3), random_state=0)
    >>> run.fit(X, y).n_labels_
    40
    """

    _parameter_constraints: ClassVar[dict] = {"n": [COUNT]}

    def __init__(self, n: int) -> None:
        self.n = n

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            return _n_rounds(learner.history_) > self.n

        return wants_to_stop


def _n_rounds(history: Sequence[dict]) -> int:
    """Trainings that new labels came before, the first one among them; others asked nothing."""
    rounds = bought = 0
    for row in history:
        bought += row.get("n_taught", 1)
        if row.get("training") != "none":
            rounds, bought = rounds + (bought > 0), 0
    return rounds


class Plateau(StoppingCriterion):
    """Stop when a score has not risen for some rounds.

    Parameters
    ----------
    X, y : array-like or None, default=None
        Validation data. Its labels cost, too: they come on top of the budget.
    scoring : str, callable or None, default=None
        As in scikit-learn; ``make_robust_scorer(…)`` watches robust accuracy. ``None`` is the
        learner's ``score``.
    patience : int, default=3
        Rounds without a rise.
    min_delta : float, default=0.0
        What counts as a rise: more than this above the best so far, in units of the score.
    key : str or None, default=None
        Watch this column of the learner's ``history_`` in place of validation data: a score
        you write there yourself, ``learner.history_[-1]["robust"] = …``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import ActiveLearner
    >>> from skactive.stopping import Plateau
    >>> X, y = load_iris(return_X_y=True)
    >>> pool, y_pool, test, y_test = X[::2], y[::2], X[1::2], y[1::2]
    >>> learner = ActiveLearner(LogisticRegression(max_iter=500), "margin", random_state=0)
    >>> learner = learner.fit(pool[::10], y_pool[::10])
    >>> watch = Plateau(key="score", patience=2).start()
    >>> learner.history_[-1]["score"] = learner.score(test, y_test)
    >>> while not watch(learner):
    ...     idx, rows = learner.query(pool, n=5)
    ...     learner = learner.teach(rows, y_pool[idx])
    ...     learner.history_[-1]["score"] = learner.score(test, y_test)
    >>> scores = [row["score"] for row in learner.history_]
    >>> max(scores[-2:]) <= max(scores[:-2])
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "y": "no_validation",
        "scoring": [str, callable, None],
        "patience": [COUNT],
        "min_delta": [Interval(Real, 0, None, closed="left")],
        "key": [str, None],
    }

    def __init__(
        self,
        X: Any = None,
        y: Any = None,
        scoring: Any = None,
        patience: int = 3,
        min_delta: float = 0.0,
        *,
        key: str | None = None,
    ) -> None:
        self.X = X
        self.y = y
        self.scoring = scoring
        self.patience = patience
        self.min_delta = min_delta
        self.key = key

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        if (self.key is None) == (self.X is None) or (self.X is None) != (self.y is None):
            raise ValueError(
                "Plateau watches either a score on validation data, Plateau(X, y), or a column of "
                "the learner's history_, Plateau(key=…). Pass one of the two."
            )
        best, waited = -np.inf, 0

        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            nonlocal best, waited
            score = self._score(learner)
            # What a mean of the same numbers in another order differs by is no rise.
            risen = score > best + self.min_delta + 1e-12 * abs(score)
            best, waited = (score, 0) if risen else (best, waited + 1)
            return waited >= self.patience

        return wants_to_stop

    def _score(self, learner: Any) -> float:
        if self.key is None:
            return check_scoring(learner, scoring=self.scoring)(learner, self.X, self.y)
        row = learner.history_[-1]
        if self.key not in row:
            raise ValueError(
                f"Plateau(key={self.key!r}) finds no such column in the last row of history_, "
                f"which has {', '.join(row)}. Write it there before you ask the criterion."
            )
        return row[self.key]


class PredictionStability(StoppingCriterion):
    """Stop when successive models agree on reference data. Costs no labels.

    Parameters
    ----------
    X : array-like or None, default=None
        Reference data, not to be labelled. ``None`` takes the whole pool of the run.
    threshold : float, default=0.99
        Cohen's kappa between the predictions of two rounds.
    patience : int, default=3
        Rounds in a row that must agree with the one before.

    Notes
    -----
    Where all predictions are equal kappa counts as 1, also for a single class (0/0).

    References
    ----------
    Bloodgood & Vijay-Shanker, "A method for stopping active learning based on stabilizing
    predictions and the need for user-adjustable stopping", CoNLL 2009.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import PredictionStability
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, random_state=0,
    ...                       stopping=PredictionStability(threshold=0.9, patience=2))
    >>> run.fit(X, y).n_labels_
    50
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "threshold": [Interval(Real, -1, 1, closed="both")],
        "patience": [COUNT],
    }

    def __init__(self, X: Any = None, threshold: float = 0.99, patience: int = 3) -> None:
        self.X = X
        self.threshold = threshold
        self.patience = patience

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        last, agreed = None, 0

        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            nonlocal last, agreed
            predicted = np.asarray(learner.predict(_reference(self, pool).X))
            if last is not None:
                agreed = agreed + 1 if _kappa(last, predicted) >= self.threshold else 0
            last = predicted
            return agreed >= self.patience

        return wants_to_stop


class UncertaintyThreshold(StoppingCriterion):
    """Stop when the model is sure of reference data. Costs no labels.

    Parameters
    ----------
    X : array-like or None, default=None
        Reference data, not to be labelled. ``None`` takes what is unlabelled in the pool of
        the run.
    threshold : float, default=0.1
        Stop when the `quantile` of the entropies (in nats) is below this.
    quantile : float in [0, 1], default=1.0
        1 looks at the most uncertain sample.

    Notes
    -----
    Once nothing is left unlabelled it stops.

    References
    ----------
    Zhu et al., "Confidence-based stopping criteria for active learning for data annotation",
    ACM TSLP 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import BudgetedLearner
    >>> from skactive.stopping import UncertaintyThreshold
    >>> X, y = load_iris(return_X_y=True)
    >>> run = BudgetedLearner(LogisticRegression(max_iter=500), "margin", n_initial=10,
    ...                       n_per_query=10, budget=100, random_state=0,
    ...                       stopping=UncertaintyThreshold(threshold=0.5, quantile=0.9))
    >>> run.fit(X, y).n_labels_
    60
    """

    _parameter_constraints: ClassVar[dict] = {
        "X": "no_validation",
        "threshold": [Interval(Real, 0, None, closed="left")],
        "quantile": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, X: Any = None, threshold: float = 0.1, quantile: float = 1.0) -> None:
        self.X = X
        self.threshold = threshold
        self.quantile = quantile

    def _start(self) -> Callable[[Any, Rows | None], bool]:
        def wants_to_stop(learner: Any, pool: Rows | None) -> bool:
            rows = _reference(self, pool)
            if len(rows) == 0:
                return True
            view = ModelView.of(learner, caller=type(self).__name__)
            scores = entropy(view.predict_proba(rows))
            return bool(np.quantile(scores, self.quantile) < self.threshold)

        return wants_to_stop


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


def _reference(criterion: Any, pool: Rows | None) -> Rows:
    """The criterion's own reference data, or the pool."""
    if criterion.X is not None:
        return Rows(criterion.X)
    if pool is None:
        name = type(criterion).__name__
        raise ValueError(
            f"{name} has no data to look at. Pass the pool, watch(learner, X_pool), or reference "
            f"data, {name}(X)."
        )
    return pool


def _kappa(last: NDArray, predicted: NDArray) -> float:
    if n_rows(last) != n_rows(predicted):
        raise ValueError(
            f"PredictionStability compares predictions of the same samples, got {len(last)} and "
            f"then {len(predicted)}. Keep one X_pool and restrict it by candidates=, or give the "
            "criterion reference data of its own, PredictionStability(X)."
        )
    return 1.0 if np.array_equal(last, predicted) else cohen_kappa_score(last, predicted)
