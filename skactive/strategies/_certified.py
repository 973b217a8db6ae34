"""Strategies that ask by proofs of robustness, and by what stands in for them."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..bounds import METHODS
from ..kernels.uncertainty import negative_margin
from ..utils.indexing import Rows
from ..utils.ranges import RADIUS
from ..utils.typing import RandomState
from ..utils.validation import StrOptions
from ._base import Query, ScoringStrategy
from ._dre import StratifiedStrategy

_CONSTRAINTS: dict[str, list] = {"eps": [RADIUS, None], "method": [StrOptions(set(METHODS))]}


class CertifiedMargin(ScoringStrategy):
    """Pick the samples whose prediction is furthest from being proved robust.

    The score is the negated certified margin of the model's own prediction: the distance by which
    bounds of its layers prove that the predicted class stays ahead of all others within an L∞ ball.
    Where it is positive no perturbation changes the prediction; the smallest comes first.

    Parameters
    ----------
    eps : float or None, default=None
        Radius, in units of the net's input (8/255 for images in [0, 1]); ``None`` is the one that
        the net was trained for, by its loss or its attack, and 8/255 for nets trained for none.
    method : {"ibp", "crown"}, default="ibp"
        Intervals, or the tighter and costlier CROWN-IBP (see `skactive.bounds.margin_bounds`).
    largest : bool, default=False
        Ask for the largest margins first: what is proved by far, to learn what robustness is from
        what already is robust.
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    Notes
    -----
    In a net that was not trained for certificates bounds grow from layer to layer: all margins are
    then negative, and their order says more about the bounds than about the samples. `RobustMargin`
    asks nothing but the logits.

    References
    ----------
    Gowal et al., arXiv 1810.12715 (intervals); Zhang et al., arXiv 1906.06316 (CROWN-IBP); as an
    acquisition function no paper proposes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.networks import ConvSmall
    >>> from skactive.strategies import CertifiedMargin
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.random((40, 1, 28, 28), dtype=np.float32), np.arange(40) % 10
    >>> net = AdversarialNetClassifier(ConvSmall, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(X[:20], y[:20])
    >>> margins = -CertifiedMargin(eps=0.01).score_samples(net, X[20:])
    >>> picked = CertifiedMargin(eps=0.01, random_state=0).query(net, X[20:], n=5)
    >>> bool(margins[picked].max() <= np.delete(margins, picked).min())
    True
    """

    _requires: ClassVar[tuple[str, ...]] = ("certificates",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        **_CONSTRAINTS,
        "largest": ["boolean"],
    }

    def __init__(
        self,
        eps: float | None = None,
        method: str = "ibp",
        largest: bool = False,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.eps = eps
        self.method = method
        self.largest = largest

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        margins = model.certified_margins(X, self.eps, self.method)
        return margins if self.largest else -margins


class RobustMargin(ScoringStrategy):
    """Pick the samples with the smallest gap between the two largest logits.

    A proxy for the distance to the decision boundary at the price of one forward pass: in many
    robustly trained nets the two rank samples alike (margin consistency). It differs from `Margin`
    where the softmax saturates and in how it weighs the other classes.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    Notes
    -----
    How far the ranks agree depends on the net; on MNIST at ε = .3 they do less in robust nets than
    in plain ones (``examples/margin_consistency_mnist.py``). Of a binary classifier with one
    decision value the gap is its size.

    References
    ----------
    Ngnawé et al., "Detecting brittle decisions for free: leveraging margin consistency in deep
    robust classifiers", NeurIPS 2024 (arXiv 2406.18451).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import RobustMargin
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), [0, 0, 1, 1]
    >>> RobustMargin().query(LogisticRegression().fit(X, y), [[0.2], [1.4], [3.0]], n=1)
    array([1])
    """

    _requires: ClassVar[tuple[str, ...]] = ("logits",)

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.score_logits(X, _negative_gap)


def _negative_gap(logits: NDArray) -> NDArray:
    return -np.abs(logits[:, 0]) if logits.shape[1] == 1 else negative_margin(logits)


class CertifiedDRE(StratifiedStrategy):
    """`DRE` on certified margins: the picks are as provably robust as the pool, in every part.

    Parameters
    ----------
    n_bins : int, default=50
        Bins of equal width between the smallest and the largest certified margin.
    eps : float or None, default=None
        Radius, as of `CertifiedMargin`.
    method : {"ibp", "crown"}, default="ibp"
    allocation : {"proportional", "ceil_tail", "equal"}, default="proportional"
        See `DRE`. ``"ceil_tail"`` leans to what is proved by far.
    random_state : None, int, RandomState or Generator, default=None

    References
    ----------
    Guo et al., arXiv 2112.02542, algorithm 1, with another characteristic than entropy.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.losses import IBP
    >>> from skactive.networks import ConvSmall
    >>> from skactive.strategies import CertifiedDRE
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(ConvSmall, attack=None, loss=IBP(eps=0.1), max_epochs=1,
    ...                                random_state=0).fit(data.X_train[:100], data.y_train[:100])
    >>> CertifiedDRE(n_bins=10, random_state=0).query(net, data.X_train[100:300], n=20).shape
    (20,)
    """

    _requires: ClassVar[tuple[str, ...]] = ("certificates",)
    _parameter_constraints: ClassVar[dict] = {
        **StratifiedStrategy._parameter_constraints,
        **_CONSTRAINTS,
    }

    def __init__(
        self,
        n_bins: int = 50,
        eps: float | None = None,
        method: str = "ibp",
        allocation: str = "proportional",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_bins, allocation, random_state=random_state)
        self.eps = eps
        self.method = method

    def _values(self, query: Query) -> NDArray:
        return query.model.certified_margins(query.X, self.eps, self.method)
