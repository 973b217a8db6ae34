"""modAL's committees: several learners that are taught the same and asked where they differ."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from .._errors import InvalidType
from ..disagreement import max_std_sampling, vote_entropy_sampling
from ..utils.data import data_hstack, data_vstack
from ..utils.validation import check_class_proba
from .base import BaseLearner, Querying


class BaseCommittee(Querying, BaseEstimator, abc.ABC):
    """Base class of committees.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : callable
    on_transformed : bool, default=False
        See `ActiveLearner`.
    random_state : None, int or RandomState, default=None
        For ties; each member has its own for its bootstraps.
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
            then.
        """
        joined = [learner._joined(X, y) for learner in self.learner_list]
        for learner, (X_all, y_all) in zip(self.learner_list, joined, strict=True):
            trained_on = (X, y) if only_new else (X_all, y_all)
            learner._fit_estimator(*trained_on, bootstrap, fit_kwargs)
            learner._store(X_all, y_all)

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


class Committee(BaseCommittee):
    """Classifiers that are asked where they disagree.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : callable, default=vote_entropy_sampling
    on_transformed : bool, default=False
    random_state : None, int or RandomState, default=None

    Attributes
    ----------
    classes_ : ndarray or None
        Labels that any member knows, sorted; None while a member is not fitted.
    n_classes_ : int

    See Also
    --------
    skactive.Committee : The library's own.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skactive.modal.models import ActiveLearner, Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> committee = Committee([
    ...     ActiveLearner(GaussianNB(), X_training=X[::10], y_training=y[::10]),
    ...     ActiveLearner(DecisionTreeClassifier(), X_training=X[::15], y_training=y[::15])])
    >>> query_idx, query_instance = committee.query(X, n_instances=2)
    >>> committee.teach(query_instance, y[query_idx])
    >>> committee.vote(X).shape, committee.vote_proba(X).shape
    ((150, 2), (150, 2, 3))
    """

    def __init__(
        self,
        learner_list: list[BaseLearner],
        query_strategy: Any = vote_entropy_sampling,
        on_transformed: bool = False,
        *,
        random_state: Any = None,
    ) -> None:
        super().__init__(learner_list, query_strategy, on_transformed, random_state=random_state)

    @property
    def classes_(self) -> NDArray | None:
        """Labels that any member knows, sorted; None while a member is not fitted."""
        try:
            known = [np.asarray(learner.estimator.classes_) for learner in self.learner_list]
        except AttributeError:
            return None
        return np.unique(np.concatenate(known)) if known else None

    @property
    def n_classes_(self) -> int:
        """Number of classes, 0 while a member is not fitted."""
        return 0 if self.classes_ is None else len(self.classes_)

    def vote(self, X: Any, **predict_kwargs: Any) -> NDArray:
        """Label each member predicts.

        Returns
        -------
        votes : ndarray of shape (n_samples, n_members)
            float64 for numeric labels, as in modAL; else of the labels' own dtype.
        """
        votes = np.stack(
            [np.asarray(learner.predict(X, **predict_kwargs)) for learner in self.learner_list],
            axis=1,
        )
        return votes.astype(float) if votes.dtype.kind in "biuf" else votes

    def vote_proba(self, X: Any, **predict_proba_kwargs: Any) -> NDArray:
        """Probabilities of each member, 0 for classes it does not know.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_members, n_classes)
        """
        proba = [
            (learner.predict_proba(X, **predict_proba_kwargs), learner.estimator)
            for learner in self.learner_list
        ]
        classes = np.asarray(self.classes_)
        return np.stack([check_class_proba(p, est.classes_, classes) for p, est in proba], axis=1)

    def predict_proba(self, X: Any, **predict_proba_kwargs: Any) -> NDArray:
        """Mean of the members' probabilities, shape (n_samples, n_classes)."""
        return self.vote_proba(X, **predict_proba_kwargs).mean(axis=1)

    def predict(self, X: Any, **predict_proba_kwargs: Any) -> NDArray:
        """Most likely label, shape (n_samples,)."""
        proba = self.predict_proba(X, **predict_proba_kwargs)
        return np.asarray(self.classes_)[proba.argmax(axis=1)]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy."""
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))


class CommitteeRegressor(BaseCommittee):
    """Regressors that are asked where they disagree.

    Parameters
    ----------
    learner_list : list of ActiveLearner
    query_strategy : callable, default=max_std_sampling
    on_transformed : bool, default=False
    random_state : None, int or RandomState, default=None

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LinearRegression
    >>> from skactive.modal.models import ActiveLearner, CommitteeRegressor
    >>> X = np.arange(10.0).reshape(-1, 1)
    >>> committee = CommitteeRegressor([
    ...     ActiveLearner(LinearRegression(), X_training=X[part], y_training=X[part, 0] ** 2)
    ...     for part in (slice(0, 4), slice(3, 8))])
    >>> mean, std = committee.predict(X, return_std=True)
    >>> int(committee.query(X)[0][0])
    9
    """

    def __init__(
        self,
        learner_list: list[BaseLearner],
        query_strategy: Any = max_std_sampling,
        on_transformed: bool = False,
        *,
        random_state: Any = None,
    ) -> None:
        super().__init__(learner_list, query_strategy, on_transformed, random_state=random_state)

    def vote(self, X: Any, **predict_kwargs: Any) -> NDArray:
        """Prediction of each member, shape (n_samples, n_members)."""
        return np.stack(
            [
                np.asarray(learner.predict(X, **predict_kwargs)).reshape(-1)
                for learner in self.learner_list
            ],
            axis=1,
        )

    def predict(self, X: Any, return_std: bool = False, **predict_kwargs: Any) -> Any:
        """Mean of the members' predictions.

        Parameters
        ----------
        X : array-like
        return_std : bool, default=False
            Also return their standard deviation (``ddof=0``).

        Returns
        -------
        mean : ndarray of shape (n_samples,)
        std : ndarray of shape (n_samples,), only with ``return_std=True``
        """
        votes = self.vote(X, **predict_kwargs)
        return (votes.mean(axis=1), votes.std(axis=1)) if return_std else votes.mean(axis=1)


def _same(X: Any, other: Any) -> bool:
    if X is other:
        return True
    if type(X) is not type(other) or np.shape(X) != np.shape(other) or not np.ndim(X):
        return False
    return bool(np.array_equal(np.asarray(X), np.asarray(other)))
