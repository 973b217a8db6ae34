"""Typical, covering and herded samples: for few labels, and even for none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.metrics import pairwise_distances_chunked

from ..kernels import coverage, uncertainty
from ..kernels.density import BLOCK_MB
from ..kernels.selection import top_k
from ..utils.indexing import Rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Interval
from ._base import Query, QueryStrategy, Selection
from ._core_set import _CoverStrategy
from ._parts import best_of_parts
from ._rounds import CONTEXT

_CERTAIN = 1e-300  # weight of a sample whose margin is 1
_SAME = 1e-6  # up to here normalised points differ by rounding
_POSITIVE = [Interval(Real, 0, None, closed="neither"), None]


class TypiClust(_CoverStrategy):
    """Pick the most typical sample of each of the largest clusters that have no label yet.

    Parameters
    ----------
    embedding : {"penultimate", "logits", "proba", "input"} or callable, default="penultimate"
        Where clusters are looked for (see `CoreSet`). Without a fitted model, for a cold
        start, ``"penultimate"`` is the raw input too.
    max_clusters : int, default=500
    n_neighbors : int, default=20
        Typicality is 1 / mean distance to that many neighbours in the cluster (half of the
        cluster at most).
    min_size : int, default=5
        Clusters up to this size come last.
    random_state : None, int, RandomState or Generator, default=None
        Seeds k-means.

    Notes
    -----
    Of a pool in partitions each partition proposes `n` rows, and the picks are chosen among these
    and 10,000 rows drawn of the whole pool; no bound is known. Where no partition has more than
    `n` rows they are those of memory.

    References
    ----------
    Hacohen et al., "Active learning on a budget: opposite strategies suit high and low
    budgets", ICML 2022.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skactive.strategies import TypiClust
    >>> X, y = load_iris(return_X_y=True)
    >>> picks = TypiClust(embedding="input", random_state=0).query(None, X, n=3)
    >>> len(set(y[picks]))
    3
    """

    _context: ClassVar[int] = CONTEXT
    _parameter_constraints: ClassVar[dict] = {
        **_CoverStrategy._parameter_constraints,
        "max_clusters": [COUNT],
        "n_neighbors": [COUNT],
        "min_size": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        embedding: str | Callable = "penultimate",
        max_clusters: int = 500,
        n_neighbors: int = 20,
        min_size: int = 5,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.embedding = embedding
        self.max_clusters = max_clusters
        self.n_neighbors = n_neighbors
        self.min_size = min_size

    def _select(self, query: Query) -> Selection:
        points, centers = self._points_and_centers(query)
        return Selection(
            coverage.typiclust_select(
                points,
                points[:0] if centers is None else centers,
                query.n,
                max_clusters=self.max_clusters,
                n_neighbors=self.n_neighbors,
                min_size=self.min_size,
                seed=int(query.rng.integers(2**31 - 1)),
            )
        )


class ProbCover(_CoverStrategy):
    """Pick the samples whose balls cover the most of the pool that nobody covers yet.

    Parameters
    ----------
    radius : float or None, default=None
        δ, in units of the embedding; ``None`` takes the largest at which `purity` of the balls
        hold a single k-means cluster. The result is sensitive to it.
    purity : float in (0, 1), default=0.95
    n_classes : int, default=10
        Clusters for the estimate of the radius.
    embedding : {"penultimate", "logits", "proba", "input"} or callable, default="penultimate"
        See `TypiClust`.
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    Memory grows with the number of pairs closer than the radius.

    Of a pool in m partitions each partition proposes `n` rows, and the picks are chosen among these
    and 10,000 rows drawn of the whole pool, on which what they cover is estimated: at least
    (1 − 1/e)² / min(m, n) of the best cover (GreeDi, Mirzasoleiman et al., NIPS 2013). Where no
    partition has more than `n` rows they are those of memory.

    References
    ----------
    Yehuda et al., "Active learning through a covering lens", NeurIPS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import ProbCover
    >>> X = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])
    >>> ProbCover(radius=0.15, embedding="input", random_state=0).query(None, X, n=2)[0]
    np.int64(1)
    """

    _context: ClassVar[int] = CONTEXT
    _parameter_constraints: ClassVar[dict] = {
        **_CoverStrategy._parameter_constraints,
        "radius": _POSITIVE,
        "purity": [Interval(Real, 0, 1, closed="neither")],
        "n_classes": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        radius: float | None = None,
        purity: float = 0.95,
        n_classes: int = 10,
        embedding: str | Callable = "penultimate",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.radius = radius
        self.purity = purity
        self.n_classes = n_classes
        self.embedding = embedding

    def _select(self, query: Query) -> Selection:
        points, centers = self._points_and_centers(query)
        radius = self.radius
        if radius is None:
            n_classes = min(self.n_classes, len(np.unique(points, axis=0)))
            seed = int(query.rng.integers(2**31 - 1))
            radius = coverage.purity_radius(points, n_classes, self.purity, seed)
        labeled = points[:0] if centers is None else centers
        picks = coverage.prob_cover_select(points, labeled, query.n, radius, query.rng)
        return Selection(picks)


class UHerding(_CoverStrategy):
    """Pick the samples that, with those labelled, are near to all that is uncertain.

    Greedily maximises Σ_u w_u max_x k(x, u) with a Gaussian kernel on normalised embeddings
    and w the margin uncertainty of the model, so that it herds with few labels and asks the
    uncertain with many.

    Parameters
    ----------
    weighted : bool, default=True
        ``False`` weighs all samples alike (MaxHerding), as does a cold start without a fitted
        model.
    width : float or None, default=None
        Of the kernel; ``None`` takes the smallest distance between labelled samples (1 if
        there are none), which shrinks as labels are added.
    temperature : float, default=1.0
        Divides the logits before the margin is taken.
    max_points : int, default=5000
        Larger pools are represented by a random part of that size.
    embedding : {"penultimate", "logits", "proba", "input"} or callable, default="penultimate"
        See `TypiClust`.
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    Of a pool in partitions as `ProbCover`, with the same bound: what is maximised is submodular.

    References
    ----------
    Bae et al., "Generalized coverage for more robust low-budget active learning", ECCV 2024;
    Bae et al., "Uncertainty herding: one active learning method for all label budgets", ICLR
    2025.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive.strategies import UHerding
    >>> X = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    >>> sorted(UHerding(weighted=False, embedding="input").query(None, X, n=2) // 2)
    [np.int64(0), np.int64(1)]
    """

    _context: ClassVar[int] = CONTEXT
    _parameter_constraints: ClassVar[dict] = {
        **_CoverStrategy._parameter_constraints,
        "weighted": ["boolean"],
        "width": _POSITIVE,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "max_points": [COUNT],
    }

    def __init__(
        self,
        weighted: bool = True,
        width: float | None = None,
        temperature: float = 1.0,
        max_points: int = 5000,
        embedding: str | Callable = "penultimate",
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.weighted = weighted
        self.width = width
        self.temperature = temperature
        self.max_points = max_points
        self.embedding = embedding

    def _capabilities(self) -> tuple[str, ...]:
        return (*super()._capabilities(), *(("predict_proba",) if self.weighted else ()))

    def _select(self, query: Query) -> Selection:
        points, centers = self._points_and_centers(query)
        rows = np.arange(len(points))
        if len(points) > max(self.max_points, query.n):
            size = max(self.max_points, query.n)
            rows = np.sort(query.rng.choice(len(points), size, replace=False))
        points = _normalised(points[rows])
        centers = points[:0] if centers is None else _normalised(centers)
        width = self.width or _smallest_distance(centers)
        weights = self._weights(query)[rows]
        picks, gains = coverage.herding_select(points, centers, weights, query.n, width)
        return Selection(rows[picks], gains)

    def _weights(self, query: Query) -> NDArray:
        if query.model is None or not self.weighted:
            return np.ones(len(query.X))
        proba = query.model.predict_proba(query.X).astype(np.float64)
        # Odds against the likeliest class, 1 for itself: powers of all p could underflow to 0.
        odds = (proba / proba.max(axis=1, keepdims=True)) ** (1 / self.temperature)
        return _margin_weights(odds)


class ClusterMargin(QueryStrategy):
    """Pick small margins from as many clusters as possible.

    The pool is clustered by average linkage; of the `factor` · n samples with the smallest
    margins, one is taken from each cluster in turn, small clusters first.

    Parameters
    ----------
    factor : int, default=10
        Samples of smallest margin that are looked at, for each one to pick.
    n_clusters : int or None, default=None
        ``None`` is one for every ten samples that are looked at, at least 2.
    max_points : int, default=2000
        Most samples that are clustered by linkage; the others join the nearest mean.
    random_state : None, int, RandomState or Generator, default=None

    References
    ----------
    Citovsky et al., "Batch active learning at scale", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import ClusterMargin
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> ClusterMargin(random_state=0).query(model, X, n=4).shape
    (4,)
    """

    _requires: ClassVar[tuple[str, ...]] = ("predict_proba", "embed")
    _parameter_constraints: ClassVar[dict] = {
        **QueryStrategy._parameter_constraints,
        "factor": [COUNT],
        "n_clusters": [COUNT, None],
        "max_points": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        factor: int = 10,
        n_clusters: int | None = None,
        max_points: int = 2000,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.factor = factor
        self.n_clusters = n_clusters
        self.max_points = max_points

    def _select(self, query: Query) -> Selection:
        proba, embedding = query.model.predict_proba_and_embed(query.X)
        scores = uncertainty.negative_margin(proba)
        looked_at = top_k(scores, min(len(scores), self.factor * query.n), query.rng)
        among = self._spread(embedding[looked_at], query)
        return Selection(looked_at[among], scores[looked_at[among]])

    def _select_from_parts(self, query: Query) -> Selection:
        # Only small margins are clustered: the same in memory, and few.
        n_looked_at = min(query.pool.n_candidates, self.factor * query.n)
        query.pool.check_n(query.n)
        looked_at, scores = best_of_parts(_negative_margin, replace(query, n=n_looked_at))
        among = self._spread(query.model.embed(Rows.of(query.pool.inputs(looked_at))), query)
        return Selection(looked_at[among], scores[among])

    def _spread(self, points: NDArray, query: Query) -> NDArray[np.intp]:
        """Some of the points, from all clusters in turn."""
        if len(points) < 2:
            return np.arange(len(points))
        n_clusters = self.n_clusters or max(2, len(points) // 10)
        cluster = coverage.cluster_labels(points, n_clusters, self.max_points, query.rng)
        return coverage.round_robin(cluster, query.n, query.rng)


def _negative_margin(model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
    return uncertainty.negative_margin(model.predict_proba(X))


def _normalised(points: NDArray) -> NDArray:
    norm = np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float64) / np.where(norm > 0, norm, 1)


def _margin_weights(odds: NDArray) -> NDArray:
    """1 − margin of each sample, from odds against its likeliest class, whose own are 1.

    Not below a floor that only counts where all are certain, and so all weigh alike.
    """
    odds = np.sort(odds, axis=1)
    others = odds[:, :-1].sum(axis=1)  # not 1 - p of the likeliest, which is rounded off
    second = odds[:, -2] if odds.shape[1] > 1 else 0.0
    return np.maximum((others + second) / (1 + others), _CERTAIN)


def _smallest_distance(centers: NDArray) -> float:
    """Smallest positive distance between labelled points; 1 if there is none."""
    if len(centers) < 2:
        return 1.0
    with config_context(working_memory=BLOCK_MB):
        blocks = pairwise_distances_chunked(
            np.unique(centers, axis=0),
            reduce_func=lambda block, start: np.where(block > _SAME, block, np.inf).min(axis=1),
        )
        smallest = min(block.min() for block in blocks)
    return float(smallest) if np.isfinite(smallest) else 1.0
