"""modAL's learners: the estimator passed is the one that is fitted."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from ..acquisition import max_EI
from ..uncertainty import uncertainty_sampling
from ..utils.data import data_vstack, retrieve_rows
from .base import BaseCommittee, BaseLearner
from .committees import Committee, CommitteeRegressor

__all__ = [
    "ActiveLearner",
    "BaseCommittee",
    "BaseLearner",
    "BayesianOptimizer",
    "Committee",
    "CommitteeRegressor",
    "DeepActiveLearner",
]


class ActiveLearner(BaseLearner):
    """A learner with its data: modAL's `ActiveLearner`, working on today's scikit-learn.

    Parameters
    ----------
    estimator : estimator
        The very object is fitted, here and in `teach`; no clone.
    query_strategy : callable, default=uncertainty_sampling
        See `BaseLearner`.
    X_training, y_training : array-like or None, default=None
        Labelled samples to start with: the estimator is fitted at once. Stored as they are.
    bootstrap_init : bool, default=False
        Fit on a bootstrap sample of them.
    on_transformed, force_all_finite, random_state
        See `BaseLearner`.
    **fit_kwargs
        Passed to the estimator's ``fit`` now, not later.

    Attributes
    ----------
    X_training, y_training : what the learner was taught, or None

    See Also
    --------
    skactive.ActiveLearner : The library's own, with a label ledger, twins and candidates.

    Notes
    -----
    ``clone(learner)`` has a clone of the estimator and the same training data, and is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> X, y = load_iris(return_X_y=True)
    >>> learner = ActiveLearner(
    ...     RandomForestClassifier(random_state=0), X_training=X[::10], y_training=y[::10])
    >>> query_idx, query_instance = learner.query(X, n_instances=3)
    >>> learner.teach(X[query_idx], y[query_idx])
    >>> len(learner.X_training)
    18
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Any = uncertainty_sampling,
        X_training: Any = None,
        y_training: Any = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        *,
        force_all_finite: bool = True,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        super().__init__(
            estimator, query_strategy, on_transformed, force_all_finite, random_state=random_state
        )
        self.X_training = X_training
        self.y_training = y_training
        self.bootstrap_init = bootstrap_init
        if X_training is not None:
            self._fit_estimator(X_training, y_training, bootstrap_init, fit_kwargs)

    def __sklearn_clone__(self) -> ActiveLearner:
        # Not through __init__: that would fit the clone.
        copy = object.__new__(type(self))
        for name, value in self.get_params(deep=False).items():
            shared = name in ("X_training", "y_training")
            setattr(copy, name, value if shared else clone(value, safe=False))
        copy._cloned()
        return copy

    def _cloned(self) -> None:
        """Set what is no parameter in a fresh clone."""

    def fit(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> ActiveLearner:
        """Forget what was taught, and learn from these samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        bootstrap : bool, default=False
            Train on a bootstrap sample.
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ or values are not finite.
        """
        self._check(X, y)
        self._fit_estimator(X, y, bootstrap, fit_kwargs)
        self._store(X, y)
        return self

    def teach(
        self, X: Any, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any
    ) -> None:
        """Add labelled samples and train again on all.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            New labels may occur.
        bootstrap : bool, default=False
            Train on a bootstrap sample.
        only_new : bool, default=False
            Train on these samples alone, and do not store them (as in modAL).
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Raises
        ------
        ValueError
            If lengths differ, values are not finite, or the shape of the rows or of the labels
            differs from what was taught before. What is stored is unchanged then.
        """
        if only_new:
            self._check(X, y)
            self._fit_estimator(X, y, bootstrap, fit_kwargs)
            return
        X_all, y_all = self._joined(X, y)
        self._fit_estimator(X_all, y_all, bootstrap, fit_kwargs)
        self._store(X_all, y_all)

    def add_training_data(self, X: Any, y: Any) -> None:
        """Store labelled samples without training.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)

        Raises
        ------
        ValueError
            As in `teach`.
        """
        self._store(*self._joined(X, y))

    _add_training_data = add_training_data  # the private name modAL's users know (#95)

    def _joined(self, X: Any, y: Any) -> tuple[Any, Any]:
        """Stored and new data; nothing is stored yet."""
        self._check(X, y)
        if self.X_training is None:
            return X, y
        return data_vstack([self.X_training, X]), data_vstack([self.y_training, y])

    def _store(self, X: Any, y: Any) -> None:
        self.X_training, self.y_training = X, y


class BayesianOptimizer(ActiveLearner):
    """Maximise an unknown function, asking for its values one by one.

    Parameters
    ----------
    estimator : regressor with ``predict(X, return_std=True)``
    query_strategy : callable, default=max_EI
    X_training, y_training, bootstrap_init, on_transformed, force_all_finite, random_state
        See `ActiveLearner`.

    Attributes
    ----------
    X_max : ndarray or None
        Where the best value was found.
    y_max : scalar or ndarray
        That value, −inf before any.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.models import BayesianOptimizer
    >>> X = np.linspace(0, 6, 61).reshape(-1, 1)
    >>> y = np.sin(X).ravel()
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(alpha=1e-4), X_training=X[[0, 60]], y_training=y[[0, 60]])
    >>> for _ in range(6):
    ...     query_idx, query_instance = optimizer.query(X)
    ...     optimizer.teach(X[query_idx], y[query_idx])
    >>> bool(optimizer.get_max()[1] > 0.99)
    True
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Any = max_EI,
        X_training: Any = None,
        y_training: Any = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        *,
        force_all_finite: bool = True,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        super().__init__(
            estimator,
            query_strategy,
            X_training,
            y_training,
            bootstrap_init,
            on_transformed,
            force_all_finite=force_all_finite,
            random_state=random_state,
            **fit_kwargs,
        )
        self._cloned()
        if X_training is not None:
            self._note_max(X_training, y_training)

    def _cloned(self) -> None:
        self.X_max: Any = None
        self.y_max: Any = -np.inf

    def fit(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> BayesianOptimizer:
        """Forget what was taught, learn from these samples and find their maximum."""
        super().fit(X, y, bootstrap, **fit_kwargs)
        self._cloned()
        self._note_max(X, y)
        return self

    def teach(
        self, X: Any, y: Any, bootstrap: bool = False, only_new: bool = False, **fit_kwargs: Any
    ) -> None:
        """Add values, train again and note the maximum.

        Parameters
        ----------
        X, y, bootstrap, **fit_kwargs
            See `ActiveLearner.teach`.
        only_new : bool, default=False
            Train on these samples alone; they are stored all the same (as in modAL).
        """
        X_all, y_all = self._joined(X, y)
        trained_on = (X, y) if only_new else (X_all, y_all)
        self._fit_estimator(*trained_on, bootstrap, fit_kwargs)
        self._store(X_all, y_all)
        self._note_max(X, y)

    def get_max(self) -> tuple[Any, Any]:
        """Where the best value was found, and this value."""
        return self.X_max, self.y_max

    def _note_max(self, X: Any, y: Any) -> None:
        values = np.asarray(y)
        best = int(values.reshape(len(values), -1).max(axis=1).argmax())
        if np.max(values[best]) > np.max(self.y_max):
            self.X_max = np.asarray(retrieve_rows(X, best))
            self.y_max = values[best]


class DeepActiveLearner(BaseLearner):
    """A learner of a skorch net that stores no data.

    Parameters
    ----------
    estimator : skorch NeuralNet
        Initialised at once.
    query_strategy : callable, default=uncertainty_sampling
    on_transformed, force_all_finite, random_state
        See `BaseLearner`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from skactive.modal.models import DeepActiveLearner
    >>> net = NeuralNetClassifier(
    ...     torch.nn.Linear, module__in_features=3, module__out_features=2,
    ...     criterion=torch.nn.CrossEntropyLoss, train_split=None, verbose=0)
    >>> learner = DeepActiveLearner(net)
    >>> X = np.eye(3, dtype=np.float32)
    >>> learner.teach(X, np.array([0, 1, 1]))
    >>> learner.query(X, n_instances=2)[0].shape
    (2,)
    """

    def __init__(
        self,
        estimator: Any,
        query_strategy: Any = uncertainty_sampling,
        on_transformed: bool = False,
        *,
        force_all_finite: bool = True,
        random_state: Any = None,
        **fit_kwargs: Any,
    ) -> None:
        super().__init__(
            estimator, query_strategy, on_transformed, force_all_finite, random_state=random_state
        )
        self.estimator.initialize()

    def fit(self, X: Any, y: Any, bootstrap: bool = False, **fit_kwargs: Any) -> DeepActiveLearner:
        """Train the net anew.

        Parameters
        ----------
        X : array, tensor or dict of them
        y : array or tensor
        bootstrap : bool, default=False
            Train on a bootstrap sample.
        **fit_kwargs
            Passed to the net's ``fit``.
        """
        self._fit_estimator(X, y, bootstrap, fit_kwargs)
        return self

    def teach(
        self, X: Any, y: Any, warm_start: bool = True, bootstrap: bool = False, **fit_kwargs: Any
    ) -> None:
        """Train on these samples, from the current weights or anew.

        Parameters
        ----------
        X : array, tensor or dict of them
        y : array or tensor
        warm_start : bool, default=True
            ``False`` starts from fresh weights.
        bootstrap : bool, default=False
            Train on a bootstrap sample.
        **fit_kwargs
            Passed to the net's ``partial_fit`` or ``fit``.
        """
        method = "partial_fit" if warm_start else "fit"
        self._fit_estimator(X, y, bootstrap, fit_kwargs, method)

    @property
    def num_epochs(self) -> int:
        """Epochs of each training; the net's ``max_epochs``."""
        return self.estimator.max_epochs

    @num_epochs.setter
    def num_epochs(self, value: int) -> None:
        self.estimator.set_params(max_epochs=_positive_count(value, "num_epochs"))

    @property
    def batch_size(self) -> int:
        """Samples per batch; the net's ``batch_size``."""
        return self.estimator.batch_size

    @batch_size.setter
    def batch_size(self, value: int) -> None:
        self.estimator.set_params(batch_size=_positive_count(value, "batch_size"))


def _positive_count(value: Any, name: str) -> int:
    if not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value <= 0:
        raise ValueError(f"{name} must be positive, got {value}.")
    return int(value)
