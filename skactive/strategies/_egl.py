"""Expected gradient length."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.selection import top_k
from ..kernels.uncertainty import gini
from ..utils.indexing import Rows
from ..utils.typing import RandomState
from ..utils.validation import StrOptions
from ._base import Query, ScoringStrategy, Selection
from ._parts import best_of_parts


class EGL(ScoringStrategy):
    """Pick the samples expected to change the model most: highest Σ_c p_c ‖∇J(x, c)‖₂.

    Parameters
    ----------
    wrt : {"parameters", "last_layer", "input"}, default="parameters"
        What the gradient of the cross-entropy J is taken in. ``"parameters"`` is Settles'
        definition; ``"last_layer"`` its closed form for the last linear layer,
        Σ_c p_c ‖p − e_c‖ √(‖z‖² + 1), which costs no backward pass; ``"input"`` what the DRE
        paper's released code computes.
    exhaustive : bool, default=False
        Compute every sample's length. By default a sample is left out whose class
        probabilities bound its length below the `n` largest (see
        `skactive.passes.longest_gradients`): the same picks, unless the network is somewhere
        much steeper than at the samples looked at.
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    Notes
    -----
    The loss is summed over a batch, so that scores do not depend on the batch size. Of a pool in
    partitions the most uncertain rows of all of it are looked at first, and partitions leave out
    what cannot be longer than their n-th.

    References
    ----------
    Settles & Craven, "An analysis of active learning strategies for sequence labeling
    tasks", EMNLP 2008; Guo et al., arXiv 2112.02542, equation 11.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import EGL
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> EGL("last_layer", random_state=0).query(net, data.X_train[100:400], n=5).shape
    (5,)
    >>> by_input = EGL("input").score_samples(net, data.X_train[100:110])  # the DRE paper's code
    >>> by_input.shape
    (10,)
    """

    _requires: ClassVar[tuple[str, ...]] = ("gradients",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "wrt": [StrOptions({"parameters", "last_layer", "input"})],
        "exhaustive": ["boolean"],
    }

    def __init__(
        self, wrt: str = "parameters", exhaustive: bool = False, *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.wrt = wrt
        self.exhaustive = exhaustive

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return model.gradient_norms(X, wrt=self.wrt)

    def _select(self, query: Query) -> Selection:
        if self.exhaustive or self.wrt == "last_layer":  # which needs no backward pass
            return super()._select(query)
        lengths = query.model.longest_gradients(query.X, query.n, wrt=self.wrt)
        indices = top_k(lengths, query.n, query.rng)
        return Selection(indices, lengths[indices])

    def _select_from_parts(self, query: Query) -> Selection:
        if self.exhaustive or self.wrt == "last_layer":
            return Selection(*best_of_parts(self._score_checked, query))
        # The most uncertain rows of all partitions say how long a gradient has to be at least.
        first, _ = best_of_parts(_impurity, replace(query, rng=copy.deepcopy(query.rng)))
        rows = Rows.of(query.pool.inputs(first))
        before = query.model.first_lengths(rows, query.n, self.wrt)
        score = partial(_longest, query.n, self.wrt, before)
        return Selection(*best_of_parts(score, query))


def _impurity(model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
    return gini(model.predict_proba(X))


def _longest(
    n: int, wrt: str, before: Any, model: Any, X: Rows, rng: np.random.Generator
) -> NDArray:
    return model.longest_gradients(X, n, wrt, before)
