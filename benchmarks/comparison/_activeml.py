"""A fitted learner as scikit-activeml's classifiers are, so that it is not fitted again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import SklearnClassifier
from sklearn.base import BaseEstimator, clone

if TYPE_CHECKING:
    from ._pickers import Round


class Fitted(SkactivemlClassifier):
    """Answers as the learner inside does; classes that it has not seen have probability 0."""

    def __init__(self, inner: Any = None, classes: Any = None, missing_label: float = np.nan,
                 cost_matrix: Any = None, random_state: Any = None) -> None:  # fmt: skip
        super().__init__(classes, missing_label, cost_matrix, random_state)
        self.inner = inner

    def fit(self, X: NDArray, y: NDArray, sample_weight: Any = None) -> Fitted:
        """Note the classes; the learner is fitted already."""
        self._validate_data(X, y)
        return self

    def predict_proba(self, X: NDArray) -> NDArray:
        """Probabilities of all classes."""
        proba = np.zeros((len(X), len(self.classes_)))
        proba[:, np.searchsorted(self.classes_, self.inner.classes_)] = self.inner.predict_proba(X)
        return proba / proba.sum(axis=1, keepdims=True)


def fitted(model: BaseEstimator, round: Round) -> Fitted:
    """The learner of a round, for scikit-activeml."""
    wrapped = Fitted(model, classes=list(range(round.n_classes)), random_state=round.seed)
    return wrapped.fit(round.X[round.labeled], round.y)


def discriminator(round: Round) -> SklearnClassifier:
    """What tells labelled from unlabelled: the learner, untaught."""
    return SklearnClassifier(clone(round.model), classes=[0, 1], random_state=round.seed)
