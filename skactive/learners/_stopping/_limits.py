"""Stop after so many labels or rounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, ClassVar

from ...utils.budget import COUNT_OR_SHARE, as_count
from ...utils.indexing import Rows
from ...utils.validation import COUNT
from ._criterion import StoppingCriterion


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
