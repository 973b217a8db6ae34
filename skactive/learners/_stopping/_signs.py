"""Stop where more labels no longer help: no score rises, predictions stay, nothing is uncertain."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring, cohen_kappa_score

from ...kernels.uncertainty import entropy
from ...model_view import ModelView
from ...utils.indexing import Rows, n_rows
from ...utils.validation import COUNT, Interval
from ._criterion import StoppingCriterion


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
