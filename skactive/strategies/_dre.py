"""Density-based robust sampling with entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.stratified import sample_bins, stratified_sample
from ..kernels.uncertainty import CHARACTERISTICS
from ..utils.indexing import Rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, StrOptions
from ._base import Query, QueryStrategy, Selection
from ._parts import ValuesOfParts, largest_finite

_DISTANCE = "adversarial_distance"


class StratifiedStrategy(QueryStrategy):
    """Base class of strategies whose picks are distributed like the pool, in one value.

    A subclass implements ``_values(query)``, one finite number per candidate.
    """

    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "n_bins": [COUNT],
        "allocation": [StrOptions({"proportional", "ceil_tail", "equal"})],
    }

    def __init__(
        self,
        n_bins: int = 50,
        allocation: str = "proportional",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.n_bins = n_bins
        self.allocation = allocation

    def _select(self, query: Query) -> Selection:
        values = self._values(query)
        if self._caps_infinite():
            values = np.minimum(values, largest_finite(values))
        picked = stratified_sample(values, query.n, self.n_bins, self.allocation, rng=query.rng)
        return Selection(picked, values[picked])

    def _select_from_parts(self, query: Query) -> Selection:
        held = ValuesOfParts(self._values_of, query, self.n_bins, caps=self._caps_infinite())
        picked = sample_bins(held, query.n, self.allocation, rng=query.rng)
        return Selection(*held.rows(picked))

    def _values_of(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return self._values(Query(model=model, X=X, n=1, rng=rng))

    def _caps_infinite(self) -> bool:
        """Whether an infinite value counts as the largest finite one."""
        return False

    def _values(self, query: Query) -> NDArray:
        raise NotImplementedError(f"{type(self).__name__} must implement _values(query).")


class DRE(StratifiedStrategy):
    """Pick samples whose entropy is distributed like the pool's: stratified random sampling.

    The entropy of every pool sample is put into a histogram, each bin gets its quota of the
    `n` samples, and each quota is drawn at random inside its bin. The picks come in an order in
    which any first part of them is a fair sample of all of them.

    Parameters
    ----------
    n_bins : int, default=50
        Bins of equal width between the smallest and the largest value.
    characteristic : {"entropy", "gini", "least_confidence", "margin", \
            "adversarial_distance"} or callable, default="entropy"
        What the histogram is of. ``"adversarial_distance"`` is DeepFool's L2 distance to the
        decision boundary (nets only; samples without one get the largest found). A callable
        maps probabilities ``(n, C)`` to values ``(n,)``.
    allocation : {"proportional", "ceil_tail", "equal"}, default="proportional"
        How `n` is shared among the bins. ``"proportional"``: the paper's rule with unbiased
        randomised rounding, exactly `n` and share · n in expectation. ``"ceil_tail"``: the
        released code's rule, which rounds every quota up, goes from low to high entropy and
        keeps the last `n`; with small `n` it leans to high entropy. ``"equal"``: the same
        count from every non-empty bin (coverage-centric selection).
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    The released code leaves the upper edge of the last bin open, so that the sample with the
    highest entropy is never picked; here every allocation closes it.

    References
    ----------
    Guo et al., "Robust Active Learning", arXiv 2112.02542, algorithm 1; journal version in
    Neural Computing & Applications 35(5), 2023. "equal": Zheng et al., "Coverage-centric
    coreset selection for high pruning rates", ICLR 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import DRE
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> DRE(random_state=0).query(model, X, n=20).shape
    (20,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **StratifiedStrategy._parameter_constraints,
        "characteristic": [StrOptions({*CHARACTERISTICS, _DISTANCE}), callable],
    }

    def __init__(
        self,
        n_bins: int = 50,
        characteristic: str | Callable[[NDArray], NDArray] = "entropy",
        allocation: str = "proportional",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_bins, allocation, random_state=random_state)
        self.characteristic = characteristic

    def _capabilities(self) -> tuple[str, ...]:
        return ("boundary",) if self.characteristic == _DISTANCE else ("predict_proba",)

    def _caps_infinite(self) -> bool:
        return self.characteristic == _DISTANCE

    def _values(self, query: Query) -> NDArray:
        if self.characteristic == _DISTANCE:
            return query.model.boundary_distances(query.X)
        if not callable(self.characteristic):
            return query.model.score_proba(query.X, CHARACTERISTICS[self.characteristic])
        proba = query.model.predict_proba(query.X)
        values = np.asarray(self.characteristic(proba))
        if values.shape != (len(query.X),) or not np.isfinite(values).all():
            raise ValueError(
                f"characteristic must map probabilities {proba.shape} to {len(query.X)} finite "
                f"values, got shape {values.shape}"
                + ("." if values.shape != (len(query.X),) else " with NaN or infinite values.")
            )
        return values
