"""DeepFool active learning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..attacks import DeepFool
from ..attacks._nearest_boundary import SAMPLE
from ..kernels.selection import top_k
from ..kernels.uncertainty import negative_margin
from ..utils.indexing import Rows
from ..utils.ranges import RADIUS
from ..utils.typing import RandomState
from ..utils.validation import COUNT, StrOptions
from ._base import Query, ScoringStrategy, Selection
from ._parts import best_of_parts


class DFAL(ScoringStrategy):
    """Pick the samples closest to the decision boundary, measured by a DeepFool attack.

    The score is the negated L2 distance to the nearest other class than the predicted one,
    the attack's overshoot left out; samples for which the attack finds no boundary come last.

    Parameters
    ----------
    n_candidates : int, "all" or None, default=None
        Size of the random part of the pool that is attacked; ``None`` is 10 · n, as in the DRE
        study (the DFAL paper names no number), ``"all"`` attacks the whole pool.
    adversarial_twins : bool or "verified", default=False
        ``True``: also hand back x + r of every pick, so that the learner teaches the pair under
        one bought label (DFAL's own contribution, which the DRE study switches off).
        ``"verified"``: the nearest point found within an L∞ ball that a pass in float64 verifies
        to be classified otherwise [2]_; picks without one, those proved robust among them, get
        no twin.
    deepfool : DeepFool or None, default=None
        The attack; ``None`` is ``DeepFool()``.
    exhaustive : bool, default=False
        Exact distances: every candidate is attacked to the end, and each step of the attack
        linearises the boundaries to all classes (`DeepFool`'s own ``exhaustive``). By default
        only those candidates whose gap between the two largest logits is small enough for them
        to be among the `n` nearest are attacked, none of them further than that (see
        `skactive.attacks._nearest_boundary`), and towards the classes that look nearest: the
        same picks, unless the network is somewhere much steeper than anywhere the attack has
        been.
    eps : float or None, default=None
        Radius of the balls of ``adversarial_twins="verified"``, in units of the net's input;
        ``None`` is the one that the net was trained for, by its loss or its attack, and 8/255 for
        nets trained for none.
    random_state : None, int, RandomState or Generator, default=None
        Draws the candidates and orders ties.

    Notes
    -----
    Of a pool in partitions the candidates come to this machine; with ``"all"`` the smallest gaps of
    all partitions are attacked first, and no partition attacks what cannot be nearer than these.

    The authors of [2]_ ask a solver (Marabou) for counterexamples, which answers for every ball
    but reads only small nets. Here they are searched for by gradients and verified afterwards:
    each is as certain, but where none is found and none disproved there may be one.

    References
    ----------
    .. [1] Ducoffe & Precioso, "Adversarial active learning for deep networks: a margin based
       approach", arXiv 1802.09841, algorithm 1.
    .. [2] Spiegelman, Amir & Katz, "On improving deep active learning with formal verification",
       arXiv 2512.14170.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import DFAL
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> pool = data.X_train[100:200]
    >>> found = DFAL("all", adversarial_twins=True, random_state=0).select(net, pool, n=3)
    >>> found.twins.shape  # just beyond the boundary, taught under the label of the pick
    (3, 1, 8, 8)
    """

    _requires: ClassVar[tuple[str, ...]] = ("boundary",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "n_candidates": [
            COUNT,
            StrOptions({"all"}),
            None,
        ],
        "adversarial_twins": ["boolean", StrOptions({"verified"})],
        "deepfool": [DeepFool, None],
        "exhaustive": ["boolean"],
        "eps": [RADIUS, None],
    }

    def __init__(
        self,
        n_candidates: int | str | None = None,
        adversarial_twins: bool | str = False,
        deepfool: DeepFool | None = None,
        exhaustive: bool = False,
        eps: float | None = None,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.n_candidates = n_candidates
        self.adversarial_twins = adversarial_twins
        self.deepfool = deepfool
        self.exhaustive = exhaustive
        self.eps = eps

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return -model.boundary_distances(X, deepfool=self._attack(model))

    def _select(self, query: Query) -> Selection:
        attacked = self._draw_candidates(query, len(query.X))
        return self._nearest(query, query.X.subset(attacked)).within(attacked)

    def _nearest(self, query: Query, rows: Rows) -> Selection:
        if self.exhaustive or query.n == len(rows):
            scores = self._score_checked(query.model, rows, query.rng)
        else:
            scores = -query.model.nearest_boundaries(rows, query.n, query.rng, self.deepfool)
        best = top_k(scores, query.n, query.rng)
        twins, twinned = self._twins(query.model, rows.subset(best))
        return Selection(best, scores[best], twins=twins, twinned=twinned)

    def _select_from_parts(self, query: Query) -> Selection:
        pool = query.pool
        n_pool = pool.n_candidates
        pool.check_n(query.n)
        if self.n_candidates != "all":  # few, which are brought to this machine
            positions = pool.nth(self._draw_candidates(query, n_pool))
            return self._nearest(query, Rows.of(pool.inputs(positions))).within(positions)
        best, scores = best_of_parts(self._race(query, n_pool), query)
        twins, twinned = self._twins(query.model, Rows.of(pool.inputs(best)))
        return Selection(best, scores, twins=twins, twinned=twinned)

    def _race(self, query: Query, n_pool: int) -> Callable:
        """What scores a partition, within reach of the rows of smallest gap in all of them.

        These are attacked first, with a random sample: their n-th distance is no shorter than that
        of the whole pool, so that partitions attack no row beyond it.
        """
        if self.exhaustive or query.n == n_pool:
            return self._score_checked
        sample = query.rng.choice(n_pool, min(n_pool, SAMPLE), replace=False)
        nearest, _ = best_of_parts(_small_gap, replace(query, rng=copy.deepcopy(query.rng)))
        pool = query.pool
        first = np.union1d(pool.nth(sample), nearest)
        race = query.model.boundary_race(Rows.of(pool.inputs(first)), query.n, self.deepfool)
        return partial(_in_race, self.deepfool, race)

    def _twins(self, model: Any, picks: Rows) -> tuple[NDArray | None, NDArray | None]:
        """Twins of the picks, and which picks have one."""
        if not self.adversarial_twins:
            return None, None
        if self.adversarial_twins == "verified":
            points, distances = model.counterexamples(picks, self.eps)
            found = np.isfinite(distances)
            return points[found], found
        return model.adversarial_twins(picks, deepfool=self._attack(model))[0], None

    def _attack(self, model: Any) -> DeepFool:
        attack = model.deepfool(self.deepfool)
        return clone(attack).set_params(exhaustive=True) if self.exhaustive else attack

    def _draw_candidates(self, query: Query, n_pool: int) -> NDArray:
        if self.n_candidates == "all":
            return np.arange(n_pool)
        size = 10 * query.n if self.n_candidates is None else int(self.n_candidates)
        size = min(max(size, query.n), n_pool)
        return query.rng.choice(n_pool, size=size, replace=False)


def _small_gap(model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
    return model.score_logits(X, negative_margin)


def _in_race(deepfool: Any, race: Any, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
    return -model.nearest_boundaries(X, race.n, rng, deepfool, race)
