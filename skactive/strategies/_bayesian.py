"""Disagreement of Monte-Carlo dropout samples of a network."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels import uncertainty
from ..utils.indexing import Rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Interval
from ._base import ScoringStrategy


class _DropoutStrategy(ScoringStrategy):
    _requires: ClassVar[tuple[str, ...]] = ("dropout",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "n_passes": [COUNT],
        "rate": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(
        self, n_passes: int = 10, rate: float = 0.1, *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.n_passes = n_passes
        self.rate = rate

    def _sample(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.dropout_proba(X, n_passes=self.n_passes, rate=self.rate, random_state=rng)


class BALD(_DropoutStrategy):
    """Pick the samples on whose class the dropout samples of the model disagree most.

    The score is the mutual information of the label and the model's parameters,
    H(mean_t p_t) − mean_t H(p_t) over T dropout passes; it is never negative.

    Parameters
    ----------
    n_passes : int, default=10
        T, the number of stochastic passes.
    rate : float in (0, 1), default=0.1
        Dropout rate, for networks that have no dropout of their own: there it is injected
        after every ReLU of the convolutional part for the time of the query.
    random_state : None, int, RandomState or Generator, default=None
        Seeds the dropout masks and orders ties.

    Notes
    -----
    Only dropout is stochastic: BatchNorm stays in eval mode. One mask per pass is shared by
    the whole pool, so that each pass is one sampled network, as in the paper's formula.

    References
    ----------
    Houlsby et al., "Bayesian active learning for classification and preference learning",
    arXiv 1112.5745; Gal et al., "Deep Bayesian active learning with image data", ICML 2017.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import BALD
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> found = BALD(n_passes=20, random_state=0).select(net, data.X_train[100:400], n=5)
    >>> found.indices.shape, bool(found.scores.min() >= 0)
    ((5,), True)
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return uncertainty.mutual_information(self._sample(model, X, rng))


class DropoutEntropy(_DropoutStrategy):
    """Pick the samples with the highest entropy of the mean probability over dropout passes.

    Parameters
    ----------
    n_passes : int, default=10
        T, the number of stochastic passes.
    rate : float in (0, 1), default=0.1
        Dropout rate, for networks that have no dropout of their own (see `BALD`).
    random_state : None, int, RandomState or Generator, default=None
        Seeds the dropout masks and orders ties.

    References
    ----------
    Gal et al., "Deep Bayesian active learning with image data", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import DropoutEntropy
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> strategy = DropoutEntropy(n_passes=20, random_state=0)
    >>> scores = strategy.score_samples(net, data.X_train[100:400])
    >>> bool((scores <= np.log(10)).all())  # ten classes, in nats
    True
    """

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return uncertainty.entropy(self._sample(model, X, rng).mean(axis=0))
