"""Uncertainty of the predicted class probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import uncertainty
from ..utils.indexing import Rows
from ._base import ScoringStrategy


class MaxEntropy(ScoringStrategy):
    """Pick the samples with the highest entropy H(p) = −Σ p log p (in nats).

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Shannon (1948); Guo et al., "Robust Active Learning", arXiv 2112.02542, section 4.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import MaxEntropy
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> MaxEntropy(random_state=0).query(model, X, n=3).shape
    (3,)
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.score_proba(X, uncertainty.entropy)


class DeepGini(ScoringStrategy):
    """Pick the samples with the highest Gini impurity 1 − Σ p².

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Feng et al., "DeepGini: prioritizing massive tests to enhance the robustness of deep
    neural networks", ISSTA 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import DeepGini
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> scores = DeepGini().score_samples(model, X)
    >>> bool((scores >= 0).all() and (scores <= 2 / 3).all())
    True
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.score_proba(X, uncertainty.gini)


class LeastConfidence(ScoringStrategy):
    """Pick the samples whose most likely class is the least likely: highest 1 − max p.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import LeastConfidence
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> LeastConfidence(random_state=0).query(model, X, n=2).shape
    (2,)
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.score_proba(X, uncertainty.least_confidence)


class Margin(ScoringStrategy):
    """Pick the samples with the smallest gap p₁ − p₂ between the two most likely classes.

    The score is the negated gap, at most 0 (larger = ask first, as everywhere).

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    Notes
    -----
    Equation 9 of the DRE paper prints arg max where the maximum itself is meant.

    References
    ----------
    Scheffer et al., "Active hidden Markov models for information extraction", 2001.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import Margin
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> Margin(random_state=0).query(model, X, n=2).shape
    (2,)
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.score_proba(X, uncertainty.negative_margin)
