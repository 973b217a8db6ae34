"""Core-set selection: cover the pool with the labelled points."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..kernels.k_center import k_center_greedy
from ..kernels.robust_k_center import robust_k_center
from ..model_view import InputView
from ..utils.budget import as_count
from ..utils.indexing import Rows, n_rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Interval, StrOptions
from ._base import Query, QueryStrategy, Selection
from ._rounds import in_two_rounds

_CAPABILITIES = {
    "penultimate": ("embed",),
    "logits": ("logits",),
    "proba": ("predict_proba",),
    "input": (),
}


class _CoverStrategy(QueryStrategy):
    """Shared by the core-set strategies: points and centres in one embedding."""

    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "embedding": [StrOptions(set(_CAPABILITIES)), callable],
    }

    # Rows of a sample that is looked at beside the proposals of partitions, by those that ask how
    # dense the pool is.
    _context: ClassVar[int] = 0

    embedding: str | Callable

    def _capabilities(self) -> tuple[str, ...]:
        return () if callable(self.embedding) else _CAPABILITIES[self.embedding]

    def needs_model(self) -> bool:
        return self.embedding in ("logits", "proba")

    def _embed(self, model: Any, X: Any) -> NDArray:
        rows = Rows.of(X)
        if callable(self.embedding):
            values = self.embedding(rows.materialise())
            values = np.asarray(values.toarray() if hasattr(values, "toarray") else values)
            return values.reshape(len(rows), -1)
        if self.embedding == "logits":
            return model.logits(rows)
        return model.predict_proba(rows) if self.embedding == "proba" else model.embed(rows)

    def _points_and_centers(self, query: Query) -> tuple[NDArray, NDArray | None]:
        model = query.model
        if model is None or self.embedding == "input":
            model = InputView(caller=type(self).__name__)
        points = self._embed(model, query.X)
        if query.X_labeled is None or n_rows(query.X_labeled) == 0:
            return points, None
        return points, self._embed(model, query.X_labeled)

    def _select_from_parts(self, query: Query) -> Selection:
        return in_two_rounds(self, query, context=self._context)


class CoreSet(_CoverStrategy):
    """Pick, one after another, the sample farthest from everything labelled or picked so far.

    This is k-center greedy with Euclidean distance in an embedding; the covering radius it
    reaches is at most twice the best one.

    Parameters
    ----------
    embedding : {"penultimate", "logits", "proba", "input"} or callable, default="penultimate"
        Where distances are measured:

        - ``"penultimate"``: the input of the net's last linear layer; for other estimators
          the features that reach them; without a fitted model, as in the first query of an
          unfitted learner, the raw input.
        - ``"logits"``: that layer's output (the decision function of other estimators), which
          the DFAL paper uses.
        - ``"proba"``: the class probabilities, which the DRE paper's released code uses.
        - ``"input"``: the raw input, flattened. Steps of a Pipeline are not applied.
        - A function of the raw rows giving ``(n, d)``.

        Among raw input and features a missing value (NaN) counts as the median of its column.
    random_state : None, int, RandomState or Generator, default=None
        Draws the first sample when nothing is labelled.

    Notes
    -----
    Of a pool in partitions each partition proposes its own picks, and the picks are chosen among
    these: the radius is then at most four times the best one, and the same as in memory where no
    partition has more than `n` rows.

    References
    ----------
    Sener & Savarese, "Active learning for convolutional neural networks: a core-set
    approach", ICLR 2018, algorithm 1. In two rounds: Malkomes et al., "Fast distributed k-center
    clustering with outliers on massive data", NIPS 2015.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import CoreSet
    >>> X = np.array([[0.0], [1.0], [10.0], [4.0]])
    >>> CoreSet(embedding="input").query(None, X, n=2, X_labeled=[[0.0]])
    array([2, 3])
    """

    def __init__(
        self, embedding: str | Callable = "penultimate", *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.embedding = embedding

    def _select(self, query: Query) -> Selection:
        points, centers = self._points_and_centers(query)
        indices, distances = k_center_greedy(points, query.n, centers, query.rng)
        return Selection(indices, distances)


class RobustCoreSet(_CoverStrategy):
    """Pick the samples whose balls cover the pool with the smallest radius, outliers aside.

    Starts from `CoreSet`'s greedy cover and bisects its radius; whether `n` balls of a radius
    suffice is a mixed-integer program, solved by HiGHS through `scipy.optimize.milp`.

    Parameters
    ----------
    embedding : {"penultimate", "logits", "proba", "input"} or callable, default="penultimate"
        See `CoreSet`; the DFAL paper's core-set is this strategy with ``"logits"``.
    outliers : int or float, default=1e-4
        How many samples of the pool need not be covered (int >= 0), or which share of it
        (float in [0, 1); rounded, at least one sample unless it is 0). The default is the
        paper's, where it is 5 of 50,000; of any pool up to `max_points` it is one.
    time_limit : float, default=60.0
        Seconds for the whole search. When they are over, the best cover so far (the greedy
        one at worst) is used, and the ``skactive`` logger says so.
    max_points : int, default=5000
        Pools larger than this keep the greedy cover: the program would not fit in memory.
    random_state : None, int, RandomState or Generator, default=None
        Draws the first sample when nothing is labelled.

    References
    ----------
    Sener & Savarese, "Active learning for convolutional neural networks: a core-set
    approach", ICLR 2018, algorithm 2 and section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import RobustCoreSet
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [99.0]])
    >>> RobustCoreSet(embedding="input").query(None, X, n=1)  # 99 is left out
    array([2])
    """

    _parameter_constraints: ClassVar[dict] = {
        **_CoverStrategy._parameter_constraints,
        "outliers": [
            Interval(Integral, 0, None, closed="left"),
            Interval(Real, 0, 1, closed="left"),
        ],
        "time_limit": [Interval(Real, 0, None, closed="neither")],
        "max_points": [COUNT],
    }

    def __init__(
        self,
        embedding: str | Callable = "penultimate",
        outliers: int | float = 1e-4,
        time_limit: float = 60.0,
        max_points: int = 5000,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.embedding = embedding
        self.outliers = outliers
        self.time_limit = time_limit
        self.max_points = max_points

    def _select(self, query: Query) -> Selection:
        points, centers = self._points_and_centers(query)
        result = robust_k_center(
            points,
            query.n,
            centers,
            n_outliers=self._n_outliers(len(points)),
            time_limit=self.time_limit,
            max_points=self.max_points,
            rng=query.rng,
        )
        return Selection(result.indices)

    def _propose(self, query: Query) -> Selection:
        """What a partition proposes: the greedy cover, which is quick."""
        points, centers = self._points_and_centers(query)
        return Selection(k_center_greedy(points, query.n, centers, query.rng)[0])

    def _n_outliers(self, n_points: int) -> int:
        return as_count(self.outliers, n_points) if self.outliers else 0
