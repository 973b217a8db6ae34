"""What all of modAL's learners share, and what its committees do."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_X_y, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ...utils.indexing import n_rows
from .._errors import InvalidType
from ..utils.data import data_hstack, data_vstack, is_dict, retrieve_rows
from ._querying import Querying

_OF_NAMED_MEMBERS = (VotingClassifier, VotingRegressor, StackingClassifier, StackingRegressor)


def _estimator_has(name: str) -> Any:
    return lambda learner: hasattr(learner.estimator, name)


class BaseLearner(Querying, BaseEstimator, abc.ABC):
    """Base class of learners: an estimator, fitted in place, and a query strategy.

    Parameters
    ----------
    estimator : estimator
        The very object is fitted.
    query_strategy : callable
        ``strategy(learner, X_pool, *args, **kwargs)`` returning indices or
        ``(indices, metrics)``; a strategy object of `skactive.strategies` is one.
    on_transformed : bool, default=False
        Let ranked batch mode measure distances after the transforming steps of the estimator.
    force_all_finite : bool, default=True
        Refuse NaN and infinite values.
    random_state : None, int or RandomState, default=None
        For bootstraps, ties and what a query strategy without one of its own draws; ``None`` is
        NumPy's global generator, as in modAL.
    **fit_kwargs
        Not used here; subclasses pass them to the first fit.

    Raises
    ------
    TypeError
        If `query_strategy` cannot be called or `force_all_finite` is no bool (an `AssertionError`,
        too).

    Examples
    --------
    A learner of one's own says how it is taught, here without storing what it was taught:

    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive.modal.models.learners import BaseLearner
    >>> from skactive.modal.uncertainty import margin_sampling
    >>> class OnlineLearner(BaseLearner):
    ...     def teach(self, X, y):
    ...         self.estimator.partial_fit(X, y, classes=[0, 1])
    >>> learner = OnlineLearner(GaussianNB(), query_strategy=margin_sampling)
    >>> learner.teach([[0.0], [1.0]], [0, 0])
    >>> learner.teach([[8.0], [9.0]], [1, 1])
    >>> query_idx, query_instance = learner.query(np.array([[2.0], [5.0], [8.0]]))
    >>> query_instance.tolist(), learner.predict([[2.0], [8.0]]).tolist()
    ([[5.0]], [0, 1])
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Any,
        on_transformed: bool = False,
        force_all_finite: bool = True,
        *,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        if not callable(query_strategy):
            raise InvalidType(
                f"query_strategy must be callable, got {query_strategy!r}. Pass a function of "
                "skactive.modal, or a strategy object such as skactive.strategies.Entropy()."
            )
        if not isinstance(force_all_finite, bool):
            raise InvalidType(f"force_all_finite must be True or False, got {force_all_finite!r}.")
        self.estimator = estimator
        self.query_strategy = query_strategy
        self.on_transformed = on_transformed
        self.force_all_finite = force_all_finite
        self.random_state = random_state

    @abc.abstractmethod
    def teach(self, *args: Any, **kwargs: Any) -> None:
        """Learn from new labelled samples."""

    def query(
        self, X_pool: Any, *query_args: Any, return_metrics: bool = False, **query_kwargs: Any
    ) -> tuple:
        """Ask the query strategy for samples to label.

        Parameters
        ----------
        X_pool : array-like, sparse matrix, DataFrame, tensor, list or dict of them
        *query_args, **query_kwargs
            Passed to the strategy, such as ``n_instances``; ``n`` is another name for it.
        return_metrics : bool, default=False
            Also return what the strategy returned beside the indices.

        Returns
        -------
        indices : as the strategy returned them
        rows : those of `X_pool`, in its type
        metrics : whatever the strategy returned, or None
            Only with ``return_metrics=True``.
        """
        return self._ask(X_pool, query_args, return_metrics, query_kwargs)

    def predict(self, X: Any, **predict_kwargs: Any) -> Any:
        """Prediction of the estimator."""
        return self.estimator.predict(X, **predict_kwargs)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **predict_proba_kwargs: Any) -> Any:
        """Class probabilities of the estimator."""
        return self.estimator.predict_proba(X, **predict_proba_kwargs)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any, **kwargs: Any) -> Any:
        """Decision function of the estimator."""
        return self.estimator.decision_function(X, **kwargs)

    def score(self, X: Any, y: Any, **score_kwargs: Any) -> Any:
        """Score of the estimator."""
        return self.estimator.score(X, y, **score_kwargs)

    @property
    def classes_(self) -> Any:
        """Classes of the fitted estimator."""
        return self.estimator.classes_

    def transform_without_estimating(self, X: Any) -> Any:
        """Transform samples as the estimator does before it predicts.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)

        Returns
        -------
        transformed : of all steps but the last of a Pipeline; of the members of a voting or
            stacking ensemble, side by side; else `X` itself
        """
        pipes = [self.estimator]
        if isinstance(self.estimator, _OF_NAMED_MEMBERS):
            pipes = list(self.estimator.estimators_)
        # A Pipeline of its own class that ends in nothing: subclasses treat the last step apart.
        parts = [
            type(pipe)(steps=[*pipe.steps[:-1], ("passthrough", "passthrough")]).transform(X)
            for pipe in pipes
            if isinstance(pipe, Pipeline)
        ]
        if not parts:
            return X
        return parts[0] if len(parts) == 1 else data_hstack(parts)

    def __sklearn_is_fitted__(self) -> bool:
        try:
            check_is_fitted(self.estimator)
        except (NotFittedError, TypeError):
            return False
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if isinstance(self.estimator, BaseEstimator):
            inner = get_tags(self.estimator)
            for name in ("estimator_type", "classifier_tags", "regressor_tags", "target_tags"):
                setattr(tags, name, getattr(inner, name))
            tags.input_tags = inner.input_tags
        return tags

    # -- inside -------------------------------------------------------------------------

    def _check(self, X: Any, y: Any) -> None:
        """Raise a ValueError if samples and targets do not fit together or are not finite."""
        check_X_y(
            X,
            y,
            accept_sparse=True,
            ensure_2d=False,
            allow_nd=True,
            multi_output=True,
            dtype=None,
            ensure_all_finite=self.force_all_finite,
        )

    def _fit_estimator(
        self, X: Any, y: Any, bootstrap: bool, fit_kwargs: dict[str, Any], method: str = "fit"
    ) -> None:
        if bootstrap:
            n = n_rows(next(iter(X.values())) if is_dict(X) else X)
            rows = self._generator().choice(n, n, replace=True)
            X, y = retrieve_rows(X, rows), retrieve_rows(y, rows)
        getattr(self.estimator, method)(X, y, **fit_kwargs)


class BaseCommittee(Querying, BaseEstimator, abc.ABC):
    """Base class of committees.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : callable
    on_transformed : bool, default=False
        See `ActiveLearner`.
    random_state : None, int or RandomState, default=None
        For ties and what a query strategy without one of its own draws; each member has its own
        for its bootstraps.

    Raises
    ------
    TypeError
        If `learner_list` is no list (an `AssertionError`, too).

    Examples
    --------
    A committee of one's own says how its members vote, and what it makes of their votes:

    >>> import numpy as np
    >>> from sklearn.dummy import DummyRegressor
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.models.learners import BaseCommittee
    >>> class MedianCommittee(BaseCommittee):
    ...     def vote(self, X):
    ...         return np.column_stack([learner.predict(X) for learner in self])
    ...     def predict(self, X):
    ...         return np.median(self.vote(X), axis=1)
    >>> def first(committee, X):
    ...     return [0]
    >>> members = [ActiveLearner(DummyRegressor(strategy="quantile", quantile=q))
    ...            for q in (0.0, 0.5, 1.0)]
    >>> committee = MedianCommittee(members, query_strategy=first).fit([[0], [1], [2]], [3, 4, 8])
    >>> committee.vote([[5]]).tolist(), committee.predict([[5]]).tolist()
    ([[3.0, 4.0, 8.0]], [4.0])
    """

    def __init__(
        self,
        learner_list: list[BaseLearner],
        query_strategy: Any,
        on_transformed: bool = False,
        *,
        random_state: Any = None,
    ) -> None:
        if not isinstance(learner_list, list):
            raise InvalidType(
                f"learner_list must be a list of learners, got {type(learner_list).__name__}."
            )
        self.learner_list = learner_list
        self.query_strategy = query_strategy
        self.on_transformed = on_transformed
        self.random_state = random_state

    def __iter__(self) -> Iterator[BaseLearner]:
        return iter(self.learner_list)

    def __len__(self) -> int:
        return len(self.learner_list)

    def __sklearn_is_fitted__(self) -> bool:
        try:
            for learner in self.learner_list:
                check_is_fitted(learner)
        except (NotFittedError, TypeError):
            return False
        return True

    @property
    def X_training(self) -> Any:
        """What the members were taught, what several were taught the same counted once; or None."""
        distinct: list[Any] = []
        for learner in self.learner_list:
            X = getattr(learner, "X_training", None)
            if X is not None and not any(_same(X, other) for other in distinct):
                distinct.append(X)
        return data_vstack(distinct) if distinct else None

    def fit(self, X: Any, y: Any, **fit_kwargs: Any) -> BaseCommittee:
        """Let all members forget what they were taught, and learn from these samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        **fit_kwargs
            Passed to each member's ``fit``; ``bootstrap=True`` trains each on a sample of its own.

        Returns
        -------
        self
        """
        for learner in self.learner_list:
            learner.fit(X, y, **fit_kwargs)
        return self

    def teach(
        self, X: Any, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any
    ) -> None:
        """Teach all members.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        bootstrap : bool, default=False
            Train each member on a bootstrap sample of its own.
        only_new : bool, default=False
            Train on these samples alone; they are stored all the same (as in modAL).
        **fit_kwargs
            Passed to the estimators' ``fit``.

        Raises
        ------
        ValueError
            If the data does not fit together or to what was taught before. No member has changed
            then. Whatever a member's training raises, none has stored the samples.
        """
        joined = [learner._joined(X, y) for learner in self.learner_list]
        for learner, (X_all, y_all) in zip(self.learner_list, joined, strict=True):
            trained_on = (X, y) if only_new else (X_all, y_all)
            learner._fit_estimator(*trained_on, bootstrap, fit_kwargs)
        # Not before all are trained: a second try would store the samples twice.
        for learner, data in zip(self.learner_list, joined, strict=True):
            learner._store(*data)

    def rebag(self, **fit_kwargs: Any) -> None:
        """Train each member on a bootstrap sample of its own data again.

        Parameters
        ----------
        **fit_kwargs
            Passed to the estimators' ``fit``.
        """
        for learner in self.learner_list:
            if learner.X_training is None:
                raise NotFittedError("A member has no data to be bagged again. Call fit first.")
            learner._fit_estimator(learner.X_training, learner.y_training, True, fit_kwargs)

    def query(
        self,
        X_pool: Any,
        return_metrics: bool = False,
        *query_args: Any,
        **query_kwargs: Any,
    ) -> tuple:
        """Ask the query strategy; see `ActiveLearner.query`.

        Parameters
        ----------
        X_pool : array-like
        return_metrics : bool, default=False
            A number that is no bool is taken for `n_instances`, as in ``query(X_pool, 3)``.
        *query_args, **query_kwargs
            Passed to the strategy.
        """
        if isinstance(return_metrics, Integral) and not isinstance(return_metrics, bool):
            query_args, return_metrics = (return_metrics, *query_args), False
        return self._ask(X_pool, query_args, return_metrics, query_kwargs)

    def transform_without_estimating(self, X: Any) -> Any:
        """Transformed samples of all members side by side; see `ActiveLearner`."""
        return data_hstack([learner.transform_without_estimating(X) for learner in self])

    @abc.abstractmethod
    def predict(self, X: Any) -> Any:
        """Prediction of the committee."""

    @abc.abstractmethod
    def vote(self, X: Any) -> Any:
        """Prediction of each member, shape (n_samples, n_members)."""


def _same(X: Any, other: Any) -> bool:
    if X is other:
        return True
    if type(X) is not type(other) or np.shape(X) != np.shape(other) or not np.ndim(X):
        return False
    if sp.issparse(X):
        return not (other != X).nnz
    return bool(np.array_equal(np.asarray(X), np.asarray(other)))
