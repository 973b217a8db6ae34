"""Disagreement among the members of a committee."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import disagreement
from ..utils.indexing import Rows
from ._base import ScoringStrategy


class _CommitteeStrategy(ScoringStrategy):
    _requires: ClassVar[tuple[str, ...]] = ("votes",)


class VoteEntropy(_CommitteeStrategy):
    """Pick the samples with the highest entropy of the members' votes.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties, of which votes have many.

    References
    ----------
    Engelson & Dagan, "Minimizing manual annotation cost in supervised training from corpora",
    ACL 1996.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from skactive import Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> trees = Committee(DecisionTreeClassifier(), "vote_entropy", n_members=5, bootstrap=True,
    ...                   random_state=0).fit(X[::10], y[::10])
    >>> idx, rows = trees.query(X, n=3)
    >>> [len(set(votes)) > 1 for votes in trees.vote(rows)]  # they disagree about each
    [True, True, True]
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.vote_entropy(model.vote_proba(X))


class ConsensusEntropy(_CommitteeStrategy):
    """Pick the samples with the highest entropy of the members' mean probability.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    Settles, "Active learning literature survey", 2009, section 3.2.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> pair = Committee([LogisticRegression(max_iter=500), GaussianNB()], "consensus_entropy",
    ...                  random_state=0).fit(X[::10], y[::10])
    >>> idx, rows = pair.query(X, n=3)
    >>> sorted(set(pair.predict(rows).tolist()))  # setosa is easy
    [1, 2]
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.consensus_entropy(model.vote_proba(X))


class MaxDisagreement(_CommitteeStrategy):
    """Pick the samples where one member differs most from all: largest KL from their mean.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    McCallum & Nigam, "Employing EM and pool-based active learning for text classification",
    ICML 1998.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive import Committee
    >>> X, y = load_iris(return_X_y=True)
    >>> pair = Committee([LogisticRegression(max_iter=500), KNeighborsClassifier(3)],
    ...                  "max_disagreement", random_state=0).fit(X[::10], y[::10])
    >>> idx, rows = pair.query(X, n=3)
    >>> idx.shape, rows.shape
    ((3,), (3, 4))
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return disagreement.max_disagreement(model.vote_proba(X))
