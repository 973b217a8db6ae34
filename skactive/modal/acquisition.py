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
    """Expected improvement g Φ(g/σ) + σ φ(g/σ) with g = μ − max − tradeoff; see `PI`.

    Where σ is 0 it is max(g, 0).

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

    Returns
    -------
    utility : ndarray of shape (n_samples,)
    """
    return PI(*_predicted(optimizer, X, "optimizer_PI"), optimizer.y_max, tradeoff)


def optimizer_EI(optimizer: Any, X: Any, tradeoff: float = 0) -> NDArray:
    """`EI` of each sample for a `BayesianOptimizer`; see `optimizer_PI`."""
    return EI(*_predicted(optimizer, X, "optimizer_EI"), optimizer.y_max, tradeoff)


def optimizer_UCB(optimizer: Any, X: Any, beta: float = 1) -> NDArray:
    """`UCB` of each sample for a `BayesianOptimizer`; see `optimizer_PI`."""
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
    """
    return multi_argmax(optimizer_PI(optimizer, X, tradeoff), n_instances)


def max_EI(
    optimizer: Any, X: Any, tradeoff: float = 0, n_instances: int = 1
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `optimizer_EI`; see `max_PI`."""
    return multi_argmax(optimizer_EI(optimizer, X, tradeoff), n_instances)


def max_UCB(
    optimizer: Any, X: Any, beta: float = 1, n_instances: int = 1
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest `optimizer_UCB`; see `max_PI`."""
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
