"""What all of modAL's learners share."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble._base import _BaseHeterogeneousEnsemble
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, check_X_y, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ...utils.indexing import n_rows
from .._errors import InvalidType
from ..utils.combination import accepts
from ..utils.data import data_hstack, retrieve_rows


class Querying:
    """Ask a query strategy: learners and committees alike."""

    query_strategy: Any
    random_state: Any = None

    def _ask(self, X_pool: Any, args: tuple, return_metrics: bool, kwargs: dict[str, Any]) -> tuple:
        strategy = self.query_strategy
        if not callable(strategy):
            raise InvalidType(f"query_strategy must be callable, got {strategy!r}.")
        if "n" in kwargs and not accepts(strategy, "n"):
            if "n_instances" in kwargs:
                raise TypeError("Pass either n_instances or n (skactive's name for it), not both.")
            kwargs["n_instances"] = kwargs.pop("n")
        if self.random_state is not None and accepts(strategy, "random_state"):
            kwargs.setdefault("random_state", self._generator())
        answer = strategy(self, X_pool, *args, **kwargs)
        # By type: an array or a list of two indices is not (indices, metrics).
        pair = isinstance(answer, tuple) and len(answer) == 2
        indices, metrics = answer if pair else (answer, None)
        rows = retrieve_rows(X_pool, indices)
        if not return_metrics:
            return indices, rows
        if metrics is None:
            warnings.warn(
                "The query strategy returned no metrics: return_metrics=True gives None. Let it "
                "return (indices, metrics).",
                stacklevel=3,
            )
        return indices, rows, metrics

    def _generator(self) -> np.random.RandomState:
        """NumPy's global generator, as in modAL, unless `random_state` was given."""
        if self.random_state is None:
            return check_random_state(None)
        if not hasattr(self, "_rng"):
            self._rng = check_random_state(self.random_state)
        return self._rng


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
        For bootstraps and ties; ``None`` is NumPy's global generator, as in modAL.
    **fit_kwargs
        Not used here; subclasses pass them to the first fit.
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
        if isinstance(self.estimator, _BaseHeterogeneousEnsemble):
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
            n = n_rows(next(iter(X.values())) if isinstance(X, Mapping) else X)
            rows = self._generator().choice(n, n, replace=True)
            X, y = retrieve_rows(X, rows), retrieve_rows(y, rows)
        getattr(self.estimator, method)(X, y, **fit_kwargs)
