"""Batches chosen together: gradients far apart, joint information, drawn instead of ranked."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..kernels.badge import badge_select
from ..kernels.batch_bald import (
    batch_bald_select,
    epig_scores,
    gumbel_lots,
    gumbel_top_k,
)
from ..utils.indexing import Rows, n_rows
from ..utils.typing import RandomState
from ..utils.validation import COUNT, Interval, StrOptions
from ._base import Query, QueryStrategy, Selection
from ._bayesian import BALD, _DropoutStrategy
from ._parts import best_of_parts, drawn_from_parts
from ._rounds import in_two_rounds


class BADGE(QueryStrategy):
    """Pick samples whose gradients are long and far apart: k-means++ on gradient embeddings.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Seeds the D² sampling.

    Notes
    -----
    The embedding (p − e_ŷ) ⊗ z is never formed: its distances factorise. For estimators that
    are no nets, z are the features. Of a pool in partitions each partition proposes `n` rows by the
    same draws, and the picks are drawn among these; no bound is known.

    References
    ----------
    Ash et al., "Deep batch active learning by diverse, uncertain gradient lower bounds",
    ICLR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.strategies import BADGE
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=500).fit(X[::5], y[::5])
    >>> BADGE(random_state=0).query(model, X, n=5).shape
    (5,)
    """

    _requires: ClassVar[tuple[str, ...]] = ("predict_proba", "embed")

    def _select(self, query: Query) -> Selection:
        proba, embedding = query.model.predict_proba_and_embed(query.X)
        return Selection(badge_select(proba, embedding, query.n, query.rng))

    def _select_from_parts(self, query: Query) -> Selection:
        return in_two_rounds(self, query)


class BatchBALD(BALD):
    """Pick the samples whose labels *together* tell most about the model's parameters.

    Parameters
    ----------
    n_passes : int, default=10
        T, dropout passes; the members stand in for them with a `Committee`.
    rate : float in (0, 1), default=0.1
        Dropout rate, for networks without dropout of their own (see `BALD`).
    n_configurations : int, default=1000
        The joint entropy is exact up to that many label configurations, then estimated from
        as many drawn ones.
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    Of a pool in m partitions each partition proposes its own `n` picks, with the same sampled
    networks, and the picks are chosen among these: at least (1 − 1/e)² / min(m, n) of the best
    information (GreeDi, Mirzasoleiman et al., NIPS 2013), and those of memory where no partition
    has more than `n` rows.

    References
    ----------
    Kirsch et al., "BatchBALD: efficient and diverse batch acquisition for deep Bayesian
    active learning", NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import Committee
    >>> from skactive.strategies import BALD, BatchBALD
    >>> X, y = load_iris(return_X_y=True)
    >>> members = Committee(LogisticRegression(max_iter=500), n_members=8, bootstrap=True,
    ...                     random_state=0).fit(X[::10], y[::10])
    >>> twice = np.repeat(X, 2, axis=0)  # rows 2k and 2k + 1 are the same flower
    >>> for strategy in (BALD(random_state=0), BatchBALD(random_state=0)):
    ...     picks = strategy.query(members, twice, n=2)
    ...     print(f"{type(strategy).__name__}: {len(set(picks // 2))} different flowers")
    BALD: 1 different flowers
    BatchBALD: 2 different flowers
    """

    _ranks_by_score: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict] = {
        **_DropoutStrategy._parameter_constraints,
        "n_configurations": [COUNT],
    }

    def __init__(
        self,
        n_passes: int = 10,
        rate: float = 0.1,
        n_configurations: int = 1000,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_passes, rate, random_state=random_state)
        self.n_configurations = n_configurations

    def _select(self, query: Query) -> Selection:
        proba = self._sample(query.model, query.X, query.rng)
        return Selection(*batch_bald_select(proba, query.n, query.rng, self.n_configurations))

    def _select_from_parts(self, query: Query) -> Selection:
        return in_two_rounds(self, query)


class PowerBALD(BALD):
    """Draw samples with probability growing with their BALD score: diverse at no cost.

    Parameters
    ----------
    kind : {"power", "softmax", "softrank"}, default="power"
        Drawn first ∝ s^β, exp(β s) or rank^−β.
    coldness : float, default=1.0
        β; the larger, the closer to the top n.
    n_passes : int, default=10
    rate : float in (0, 1), default=0.1
        See `BALD`.
    random_state : None, int, RandomState or Generator, default=None

    Notes
    -----
    Of a pool in partitions each partition draws lots of its own: picks are as likely as in memory,
    but others. ``"softrank"`` needs the ranks of all rows.

    References
    ----------
    Kirsch et al., "Stochastic batch acquisition: a simple baseline for deep active learning",
    TMLR 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import Committee
    >>> from skactive.strategies import BALD, PowerBALD
    >>> X, y = load_iris(return_X_y=True)
    >>> members = Committee(LogisticRegression(max_iter=500), n_members=8, bootstrap=True,
    ...                     random_state=0).fit(X[::10], y[::10])
    >>> top = BALD(random_state=0).query(members, X, n=10)
    >>> for coldness in (0, 1e6):  # whatever the score, and the top n
    ...     picks = PowerBALD(coldness=coldness, random_state=0).query(members, X, n=10)
    ...     print(f"{len(set(picks) & set(top))} of the {len(picks)} highest scores")
    0 of the 10 highest scores
    10 of the 10 highest scores
    """

    _ranks_by_score: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict] = {
        **_DropoutStrategy._parameter_constraints,
        "kind": [StrOptions({"power", "softmax", "softrank"})],
        "coldness": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        kind: str = "power",
        coldness: float = 1.0,
        n_passes: int = 10,
        rate: float = 0.1,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_passes, rate, random_state=random_state)
        self.kind = kind
        self.coldness = coldness

    def _select(self, query: Query) -> Selection:
        scores = self._score_checked(query.model, query.X, query.rng)
        picks = gumbel_top_k(scores, query.n, query.rng, self.kind, self.coldness)
        return Selection(picks, scores[picks])

    def _select_from_parts(self, query: Query) -> Selection:
        if self.kind == "softrank":  # no partition knows the ranks
            return super()._select_from_parts(query)
        # Each partition draws lots of its own: picks as likely as in memory, not the same.
        picks, _ = best_of_parts(self._lots, query)
        return Selection(picks)

    def _lots(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        scores = self._score_checked(model, X, rng)
        return gumbel_lots(scores, rng, self.kind, self.coldness)


class EPIG(_DropoutStrategy):
    """Pick the samples that tell most about the predictions on target data.

    The score is the mean over targets x* of the mutual information of the labels at x and x*.

    Parameters
    ----------
    X_target : array-like or None, default=None
        Unlabelled data as it will be predicted; ``None`` takes a random part of the pool.
    n_targets : int, default=100
        Most targets that are used.
    n_passes : int, default=10
    rate : float in (0, 1), default=0.1
        See `BALD`.
    random_state : None, int, RandomState or Generator, default=None

    References
    ----------
    Bickford Smith et al., "Prediction-oriented Bayesian active learning", AISTATS 2023.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive import Committee
    >>> from skactive.strategies import BALD, EPIG
    >>> X, y = load_iris(return_X_y=True)
    >>> members = Committee(LogisticRegression(max_iter=500), n_members=8, bootstrap=True,
    ...                     random_state=0).fit(X[::10], y[::10])
    >>> y[BALD(random_state=0).query(members, X, n=5)].tolist()
    [2, 2, 2, 2, 2]
    >>> class_0 = X[y == 0]  # all that will be predicted
    >>> y[EPIG(X_target=class_0, random_state=0).query(members, X, n=5)].tolist()
    [0, 0, 0, 0, 0]
    """

    _parameter_constraints: ClassVar[dict] = {
        **_DropoutStrategy._parameter_constraints,
        "X_target": "no_validation",
        "n_targets": [COUNT],
    }

    def __init__(
        self,
        X_target: Any = None,
        n_targets: int = 100,
        n_passes: int = 10,
        rate: float = 0.1,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_passes, rate, random_state=random_state)
        self.X_target = X_target
        self.n_targets = n_targets

    def _select_from_parts(self, query: Query) -> Selection:
        if self.X_target is not None:
            return super()._select_from_parts(query)
        pool = query.pool  # the targets are drawn of all of it, as in memory
        n = pool.n_candidates
        drawn = n > self.n_targets
        at = drawn_from_parts(query, self.n_targets) if drawn else pool.nth(np.arange(n))
        aimed = clone(self).set_params(X_target=pool.inputs(at))
        return aimed._select_from_parts(query)

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        targets = X if self.X_target is None else Rows(self.X_target)
        if n_rows(targets) > self.n_targets:
            kept = rng.choice(len(targets), self.n_targets, replace=False)
            targets = targets.subset(kept)
        # One seed for both: pool and targets are predicted by the same sampled networks.
        seed = int(rng.integers(2**31 - 1))
        sample = {"n_passes": self.n_passes, "rate": self.rate, "random_state": seed}
        return epig_scores(model.dropout_proba(X, **sample), model.dropout_proba(targets, **sample))
