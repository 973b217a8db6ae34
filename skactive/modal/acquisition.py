"""Acquisition functions of Bayesian optimisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import norm

from ..utils.indexing import n_rows
from ._proba import UNFITTED
from .disagreement import predict_with_std
from .utils.selection import multi_argmax


def PI(mean: ArrayLike, std: ArrayLike, max_val: float, tradeoff: float) -> NDArray:
    """Probability of improvement Φ((μ − max − tradeoff) / σ).

    Parameters
    ----------
    mean, std : array-like
        Prediction and its standard deviation. Where σ is 0 the improvement is sure or not: 1 or 0.
    max_val : float
        Best value so far.
    tradeoff : float
        What counts as an improvement.

    Returns
    -------
    probability : ndarray of the same shape

    References
    ----------
    Kushner, "A new method of locating the maximum point of an arbitrary multipeak curve in the
    presence of noise", 1964.

    Examples
    --------
    >>> from skactive.modal.acquisition import PI
    >>> PI([1.0, 2.0], [1.0, 0.0], max_val=1.0, tradeoff=0.0)
    array([0.5, 1. ])
    """
    gain, std = _gain(mean, std, max_val, tradeoff)
    return np.where(std > 0, ndtr(gain / _positive(std)), (gain > 0).astype(float))


def EI(mean: ArrayLike, std: ArrayLike, max_val: float, tradeoff: float) -> NDArray:
    """Expected improvement g Φ(g/σ) + σ φ(g/σ) with g = μ − max − tradeoff.

    Where σ is 0 it is max(g, 0).

    Parameters
    ----------
    mean, std, max_val, tradeoff
        As in `PI`.

    Returns
    -------
    improvement : ndarray of the same shape

    References
    ----------
    Močkus, "On Bayesian methods for seeking the extremum", 1974.

    Examples
    --------
    >>> from skactive.modal.acquisition import EI
    >>> EI([1.0, 2.0], [0.0, 0.0], max_val=1.0, tradeoff=0.0)
    array([0., 1.])
    """
    gain, std = _gain(mean, std, max_val, tradeoff)
    z = gain / _positive(std)
    return np.where(std > 0, gain * ndtr(z) + std * norm.pdf(z), np.maximum(gain, 0.0))


def UCB(mean: ArrayLike, std: ArrayLike, beta: float) -> NDArray:
    """Upper confidence bound μ + β σ.

    Parameters
    ----------
    mean, std : array-like
        Prediction and its standard deviation.
    beta : float
        How much a standard deviation is worth: large values explore.

    Returns
    -------
    bound : ndarray of the same shape

    References
    ----------
    Srinivas et al., "Gaussian process optimization in the bandit setting", ICML 2010.

    Examples
    --------
    >>> from skactive.modal.acquisition import UCB
    >>> UCB([1.0, 2.0], [1.0, 0.0], beta=2.0)
    array([3., 2.])
    """
    return np.asarray(mean) + beta * np.asarray(std)


def optimizer_PI(optimizer: Any, X: Any, tradeoff: float = 0) -> NDArray:
    """`PI` of each sample for a `BayesianOptimizer`.

    Parameters
    ----------
    optimizer : BayesianOptimizer
        Not fitted: μ = 0 and σ = 1 everywhere.
    X : array-like of shape (n_samples, ...)
    tradeoff : float, default=0
        How far above the best value so far, ``optimizer.y_max``, an improvement begins.

    Returns
    -------
    utility : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If the regressor tells no standard deviation; a `TypeError`.

    References
    ----------
    Kushner, "A new method of locating the maximum point of an arbitrary multipeak curve in the
    presence of noise", 1964.

    Examples
    --------
    A value of 1 is known at 0; at 1 and 2 the process expects 0.61 ± 0.80 and 0.14 ± 0.99:

    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import optimizer_PI
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), X_training=[[0.0]], y_training=[1.0])
    >>> optimizer_PI(optimizer, np.array([[1.0], [2.0]])).round(3).tolist()
    [0.31, 0.191]
    """
    return PI(*_predicted(optimizer, X, "optimizer_PI"), optimizer.y_max, tradeoff)


def optimizer_EI(optimizer: Any, X: Any, tradeoff: float = 0) -> NDArray:
    """`EI` of each sample for a `BayesianOptimizer`.

    Parameters
    ----------
    optimizer, X, tradeoff
        As in `optimizer_PI`.

    Returns
    -------
    utility : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If the regressor tells no standard deviation; a `TypeError`.

    References
    ----------
    Močkus, "On Bayesian methods for seeking the extremum", 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import optimizer_EI
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), X_training=[[0.0]], y_training=[1.0])
    >>> optimizer_EI(optimizer, np.array([[1.0], [2.0]])).round(3).tolist()
    [0.159, 0.105]
    """
    return EI(*_predicted(optimizer, X, "optimizer_EI"), optimizer.y_max, tradeoff)


def optimizer_UCB(optimizer: Any, X: Any, beta: float = 1) -> NDArray:
    """`UCB` of each sample for a `BayesianOptimizer`.

    Parameters
    ----------
    optimizer, X
        As in `optimizer_PI`.
    beta : float, default=1
        How much a standard deviation is worth: large values explore.

    Returns
    -------
    utility : ndarray of shape (n_samples,)

    Raises
    ------
    CapabilityError
        If the regressor tells no standard deviation; a `TypeError`.

    References
    ----------
    Srinivas et al., "Gaussian process optimization in the bandit setting", ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import optimizer_UCB
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), X_training=[[0.0]], y_training=[1.0])
    >>> pool = np.array([[1.0], [2.0]])
    >>> optimizer_UCB(optimizer, pool).round(3).tolist()
    [1.402, 1.126]
    >>> optimizer_UCB(optimizer, pool, beta=3).round(3).tolist()
    [2.992, 3.108]
    """
    return UCB(*_predicted(optimizer, X, "optimizer_UCB"), beta)


def max_PI(
    optimizer: Any, X: Any, tradeoff: float = 0, n_instances: int = 1
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `optimizer_PI`.

    Parameters
    ----------
    optimizer : BayesianOptimizer
    X : array-like of shape (n_pool, ...)
    tradeoff : float, default=0
        The third positional argument, as in modAL.
    n_instances : int, default=1

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)
        The largest first.

    Raises
    ------
    CapabilityError
        If the regressor tells no standard deviation; a `TypeError`.
    ValueError
        If `n_instances` does not fit the pool (an `AssertionError`, too).

    References
    ----------
    Kushner, "A new method of locating the maximum point of an arbitrary multipeak curve in the
    presence of noise", 1964.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import max_PI
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), query_strategy=max_PI,
    ...     X_training=[[0.0]], y_training=[1.0])
    >>> pool = np.array([[1.0], [2.0]])
    >>> query_idx, query_instance, utilities = optimizer.query(pool, return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), utilities.round(3).tolist()
    ([0], [[1.0]], [0.31])
    """
    return multi_argmax(optimizer_PI(optimizer, X, tradeoff), n_instances)


def max_EI(
    optimizer: Any, X: Any, tradeoff: float = 0, n_instances: int = 1
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `optimizer_EI`; what a `BayesianOptimizer` does by default.

    Parameters
    ----------
    optimizer, X, tradeoff, n_instances
        As in `max_PI`.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)
        The largest first.

    References
    ----------
    Močkus, "On Bayesian methods for seeking the extremum", 1974.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import max_EI
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), query_strategy=max_EI,
    ...     X_training=[[0.0]], y_training=[1.0])
    >>> pool = np.array([[1.0], [2.0]])
    >>> query_idx, query_instance, utilities = optimizer.query(pool, return_metrics=True)
    >>> query_idx.tolist(), query_instance.tolist(), utilities.round(3).tolist()
    ([0], [[1.0]], [0.159])
    """
    return multi_argmax(optimizer_EI(optimizer, X, tradeoff), n_instances)


def max_UCB(
    optimizer: Any, X: Any, beta: float = 1, n_instances: int = 1
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `optimizer_UCB`.

    Parameters
    ----------
    optimizer, X, n_instances
        As in `max_PI`.
    beta : float, default=1
        How much a standard deviation is worth: large values explore. The third positional argument,
        as in modAL.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)
        The largest first.

    References
    ----------
    Srinivas et al., "Gaussian process optimization in the bandit setting", ICML 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.gaussian_process import GaussianProcessRegressor
    >>> from skactive.modal.acquisition import max_UCB
    >>> from skactive.modal.models import BayesianOptimizer
    >>> optimizer = BayesianOptimizer(
    ...     GaussianProcessRegressor(optimizer=None), query_strategy=max_UCB,
    ...     X_training=[[0.0]], y_training=[1.0])
    >>> pool = np.array([[1.0], [2.0]])
    >>> [optimizer.query(pool, beta=beta)[0].tolist() for beta in (1, 3)]
    [[0], [1]]
    """
    return multi_argmax(optimizer_UCB(optimizer, X, beta), n_instances)


def _predicted(optimizer: Any, X: Any, caller: str) -> tuple[NDArray, NDArray]:
    try:
        return predict_with_std(optimizer, X, caller)
    except UNFITTED:
        return np.zeros(n_rows(X)), np.ones(n_rows(X))


def _gain(
    mean: ArrayLike, std: ArrayLike, max_val: float, tradeoff: float
) -> tuple[NDArray, NDArray]:
    return np.asarray(mean) - max_val - tradeoff, np.asarray(std, dtype=float)


def _positive(std: NDArray) -> NDArray:
    return np.where(std > 0, std, 1.0)
