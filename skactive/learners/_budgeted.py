"""Active learning under a label budget as an estimator: labels are hidden, and bought."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from ..distributed import is_partitioned, partitioned
from ..strategies import RandomSampling, resolve_strategy
from ..utils.budget import COUNT_OR_SHARE, as_count, as_text
from ..utils.indexing import take_rows
from ..utils.labels import as_labels
from ..utils.progress import Progress
from ..utils.random_state import derive_seed, undrawn_on_error
from ..utils.saving import SavableWithData
from ..utils.typing import Estimator, Pool, RandomState, StrategyLike
from ..utils.validation import HasMethods, check_params
from ._delegation import DelegatedPrediction
from ._facts import LearnerFacts
from ._learner import ActiveLearner
from ._stopping import StoppingCriterion, resolve_stopping

_INITIAL, _LEARNER = 0, 1


class BudgetedLearner(
    LearnerFacts,
    SavableWithData,
    DelegatedPrediction,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Active learning as an estimator: ``fit(X, y)`` hides `y` and buys labels from it.

    So that searches and cross-validation compare strategies at equal label cost:
    ``GridSearchCV(BudgetedLearner(…), {"query_strategy": ["random", "dre"]})``.

    Parameters
    ----------
    estimator : classifier
    query_strategy : str, QueryStrategy or callable, default="entropy"
    n_initial : int or float, default=10
        Labels bought to start with: a count, or a share of the training data.
    n_per_query : int or float, default=10
        Labels bought each round.
    budget : int or float, default=100
        Labels bought in all.
    initial_strategy : str or QueryStrategy, default="random"
        Picks the first samples; it must need no model.
    warm_start : bool, default=False
        See `ActiveLearner`.
    use_pool : bool, default=False
        Also learn from the samples whose labels were not bought; see `ActiveLearner`.
    stopping : StoppingCriterion, list of them or None, default=None
        May end the run before the budget is spent; see `skactive.stopping`. Of a list, the
        first one that wants to.
    random_state : None, int, RandomState or Generator, default=None
    verbose : int, default=0
        1 shows a progress bar over the budget, or lines where tqdm is not installed; 2 prints a
        line for each round.

    Attributes
    ----------
    learner_ : ActiveLearner
        As it is after the last round; its ``ids_`` are the rows of `X`, for corrections.
    classes_ : ndarray of shape (n_classes,)
        All labels in `y`. The *names* of the classes are known beforehand; which sample has
        which is not.
    queried_indices_ : ndarray of shape (n_labels,)
        Rows of `X` whose labels were bought, in that order.
    n_labels_ : int
    learning_curve_ : dict of str to ndarray
        The columns of the learner's ledger (``history_``), one entry a round.
    ledger_ : Ledger
        The same as a report: a table when printed, ``to_frame()``, ``plot()``.

    Notes
    -----
    No label is read that was not paid for: `y` is only ever indexed at `queried_indices_`.
    A first sample that holds a single class is enlarged, one paid label after another, until
    there are two, as most classifiers need.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skactive import BudgetedLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BudgetedLearner(LogisticRegression(max_iter=500), budget=30, random_state=0)
    >>> search = GridSearchCV(model, {"query_strategy": ["random", "margin"]}, cv=3).fit(X, y)
    >>> search.best_estimator_.n_labels_
    30
    """

    _predictor = "learner_"
    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "query_strategy": [str, HasMethods(["select"]), callable],
        "n_initial": COUNT_OR_SHARE,
        "n_per_query": COUNT_OR_SHARE,
        "budget": COUNT_OR_SHARE,
        "initial_strategy": [str, HasMethods(["select"])],
        "warm_start": ["boolean"],
        "use_pool": ["boolean"],
        "stopping": [StoppingCriterion, list, tuple, None],
        "random_state": ["random_state", np.random.Generator],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Estimator,
        query_strategy: StrategyLike = "entropy",
        n_initial: int | float = 10,
        n_per_query: int | float = 10,
        budget: int | float = 100,
        *,
        initial_strategy: StrategyLike = "random",
        warm_start: bool = False,
        use_pool: bool = False,
        stopping: StoppingCriterion | list[StoppingCriterion] | None = None,
        random_state: RandomState = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.n_initial = n_initial
        self.n_per_query = n_per_query
        self.budget = budget
        self.initial_strategy = initial_strategy
        self.warm_start = warm_start
        self.use_pool = use_pool
        self.stopping = stopping
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Pool, y: ArrayLike) -> BudgetedLearner:
        """Spend the budget on labels of `X` and learn from them.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            The pool.
        y : array-like of shape (n_samples,)
            What the oracle will answer.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the budget is larger than the data or smaller than the first sample, or a
            parameter is out of range.
        CapabilityError
            If the estimator lacks what the strategy needs.
        """
        with (
            undrawn_on_error(self.random_state),
            Progress("buying labels", "label", self.verbose == 1) as bar,
        ):
            for _ in self._rounds(X, y, bar):
                pass
        return self

    def rounds(self, X: Pool, y: ArrayLike) -> Iterator[ActiveLearner]:
        """Spend the budget round by round: `fit` with a look at the learner after each.

        Parameters
        ----------
        X, y : array-like
            As in `fit`.

        Yields
        ------
        learner : ActiveLearner
            After the first labels, then after each query; leave the loop to stop buying.

        Raises
        ------
        ValueError, CapabilityError
            As in `fit`.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.linear_model import LogisticRegression
        >>> from skactive import BudgetedLearner
        >>> X, y = load_iris(return_X_y=True)
        >>> model = BudgetedLearner(LogisticRegression(max_iter=500), budget=30, random_state=0)
        >>> [len(learner.y_labeled_) for learner in model.rounds(X, y)]
        [10, 20, 30]
        """
        yield from self._rounds(X, y)

    def _rounds(self, X: Any, y: Any, bar: Progress | None = None) -> Iterator[ActiveLearner]:
        """Run, yielding the learner after each round."""
        check_params(self)
        resolve_strategy(self.query_strategy).check_estimator(self.estimator)
        if is_partitioned(X):
            X = partitioned(X).by_columns()
        y = as_labels(X, y)
        n_initial, n_per_query, budget = self._counts(len(y))
        seed = derive_seed(self.random_state)
        unlabeled = np.ones(len(y), dtype=bool)
        first = self._first_samples(X, y, n_initial, budget, derive_seed(seed, _INITIAL))
        unlabeled[first] = False
        self.classes_ = np.unique(y)
        learner = ActiveLearner(
            clone(self.estimator),
            self.query_strategy,
            warm_start=self.warm_start,
            use_pool=self.use_pool,
            classes=self.classes_,
            random_state=None if self.random_state is None else derive_seed(seed, _LEARNER),
            verbose=self.verbose > 1,
        )
        self.learner_ = learner.fit(take_rows(X, first), y[first], ids=first)
        bought = [first]
        wants_to_stop = resolve_stopping(self.stopping).start()
        while True:
            self._note(bought)
            if bar is not None:
                bar.show(self.n_labels_, budget)
            yield self.learner_
            left = budget - self.n_labels_
            if wants_to_stop(self.learner_, X, candidates=unlabeled) or left <= 0:
                return
            idx, rows = learner.query(X, min(left, n_per_query), candidates=unlabeled)
            unlabeled[idx] = False
            bought.append(idx)
            learner.teach(rows, y[idx], ids=idx)

    def _history(self) -> list[dict[str, Any]]:
        check_is_fitted(self)
        return self.learner_.history_

    def _facts(self) -> dict[str, Any]:
        budget = f"{as_text(self.budget)} labels, {as_text(self.n_per_query)} a round"
        return {"budget": budget.replace("% labels", "% of the labels"), **super()._facts()}

    def _note(self, bought: list[NDArray]) -> None:
        self.queried_indices_ = np.concatenate(bought)
        self.n_labels_ = len(self.queried_indices_)
        history = self.learner_.history_
        self.learning_curve_ = {key: np.array([row[key] for row in history]) for key in history[0]}

    def _counts(self, n: int) -> tuple[int, int, int]:
        asked = (self.n_initial, self.n_per_query, self.budget)
        n_initial, n_per_query, budget = (as_count(value, n) for value in asked)
        if budget > n:
            raise ValueError(
                f"budget must not exceed the number of training samples, {n}, got {self.budget}. "
                "Pass a smaller one, or a share of the data (float in (0, 1])."
            )
        if n_initial > budget:
            raise ValueError(
                f"n_initial ({n_initial} labels) must not exceed the budget ({budget} labels)."
            )
        return n_initial, n_per_query, budget

    def _first_samples(self, X: Any, y: NDArray, n: int, budget: int, seed: int) -> NDArray:
        strategy = resolve_strategy(self.initial_strategy)
        if strategy.needs_model():
            raise ValueError(
                f"initial_strategy must need no model, but {type(strategy).__name__} does. Use "
                "'random', or CoreSet(embedding='input')."
            )
        first = strategy.select(None, X, n, random_state=seed).indices
        rest = (
            RandomSampling(random_state=seed).query(
                None, X, len(y) - n, candidates=np.setdiff1d(np.arange(len(y)), first)
            )
            if n < len(y)
            else np.empty(0, dtype=np.intp)
        )
        for more in range(min(budget - n, len(rest)) + 1):
            bought = np.concatenate([first, rest[:more]])
            if len(np.unique(y[bought])) > 1:
                return bought
        return first

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(ActiveLearner(self.estimator))
        tags.input_tags, tags.classifier_tags = inner.input_tags, inner.classifier_tags
        return tags
