"""modAL's committees: several learners that are taught the same and asked where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ..disagreement import max_std_sampling, vote_entropy_sampling
from ..utils.validation import check_class_proba
from .base import BaseCommittee, BaseLearner


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
