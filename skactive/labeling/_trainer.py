"""The learner of a session: asked and taught in drafts, which come into force with their event."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learners import ActiveLearner
from ..strategies import RandomSampling, resolve_strategy
from ..utils.indexing import AllBut, take_rows
from ..utils.random_state import derive_seed
from ..utils.stacking import stack_rows
from ._digest import model_digest
from ._errors import LabelingError
from ._labels import Classes
from ._pool import SessionPool

_PROBED = 64  # rows of the pool that tell two models apart
# What learners were before their session taught them, and the labelled set it left them with.
_BEFORE: weakref.WeakKeyDictionary[ActiveLearner, tuple[dict[str, Any], Any]] = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True)
class Asked:
    """What a query came to.

    Attributes
    ----------
    draft : learner after it
    positions : ndarray of int
    scores : ndarray of float or None
    strategy : str
    seed : int or None
    model : str or None
        Digest.
    extras : bool
        Whether it left something for the next teaching: twins, pseudo-labels, a pool.
    seconds : float
    """

    draft: ActiveLearner
    positions: NDArray
    scores: NDArray | None
    strategy: str
    seed: int | None
    model: str | None
    extras: bool
    seconds: float


class Trainer:
    """Asks and teaches a learner.

    Parameters
    ----------
    learner : ActiveLearner
        Taught by the session; fitted on a first labelled set, or not yet.
    pool : SessionPool
    classes : Classes
    seed : int
        Of the store, for a learner that has none, and for what is asked before it has learned.
    """

    def __init__(
        self, learner: ActiveLearner, pool: SessionPool, classes: Classes, seed: int
    ) -> None:
        self.learner = learner
        self.pool = pool
        self.seed = seed
        self.applied = 0  # the last event that the learner knows of
        self.taught: dict[int, Any] = {}  # label by position, in the order of teaching
        self.training = threading.RLock()
        self.asking = threading.RLock()
        self._rewind()
        self._prepare(classes)
        self.start = learner.labeled_ if self.fitted else None
        self.excluded = (
            np.empty(0, dtype=np.intp)
            if self.start is None
            else np.flatnonzero(self.start.found_in(pool.X))
        )
        at = np.unique(np.linspace(0, pool.n - 1, min(pool.n, _PROBED)).astype(np.intp))
        self._probe = take_rows(pool.X, at)

    @property
    def fitted(self) -> bool:
        """Whether anything was learned."""
        return self.learner.__sklearn_is_fitted__()

    def digest(self, learner: ActiveLearner | None = None) -> str | None:
        """Digest of the model."""
        return model_digest(learner or self.learner, self._probe)

    # -- asking -------------------------------------------------------------------------

    def left(self, asked: NDArray) -> int:
        """How many rows are neither asked nor known from the start."""
        return self.pool.n - len(np.union1d(asked, self.excluded))

    def ask(self, n: int, asked: NDArray, round_number: int) -> Asked:
        """Pick `n` rows that were not asked."""
        started = time.perf_counter()
        known = np.union1d(asked, self.excluded)
        others = AllBut(self.pool.n, known) if len(known) else None
        draft = _draft(self.learner)
        strategy = resolve_strategy(draft.query_strategy)
        if not self.fitted and strategy.needs_model():
            strategy, seed = RandomSampling(), derive_seed(self.seed, round_number)
            found = strategy.select(None, self.pool.X, n, candidates=others, random_state=seed)
            positions, scores = found.indices, found.scores
        else:
            seed = draft.seed_ if self.fitted else self.seed
            positions, _, scores = draft.query(
                self.pool.X, n, candidates=others, exclude_labeled=False, return_scores=True
            )
        return Asked(
            draft, positions, scores, type(strategy).__name__, seed, self.digest(),
            draft.use_pool or _has_extras(self.learner) or _has_extras(draft),
            time.perf_counter() - started,
        )  # fmt: skip

    # -- teaching -----------------------------------------------------------------------

    def teach(self, changes: Sequence[tuple[int, Any]]) -> ActiveLearner:
        """A draft of the learner with other labels: None takes a position's label away."""
        draft = _draft(self.learner)
        if any(position in self.taught for position, _ in changes):
            return self._corrected(draft, self._after(changes))
        rows, labels = self._rows(changes)
        return draft.teach(rows, labels)

    def adopt(
        self, draft: ActiveLearner, seq: int, changes: Sequence[tuple[int, Any]] = ()
    ) -> None:
        """Bring a draft into force."""
        taught = self._after(changes)
        self.learner.__dict__ = dict(vars(draft))
        self.taught, self.applied = taught, seq
        _BEFORE[self.learner] = (self._as_found, getattr(draft, "labeled_", None))

    def score_of(self, changes: Sequence[tuple[int, Any]]) -> float | None:
        """Share of new labels that the present model would have given; None if it has none."""
        new = [(p, y) for p, y in changes if y is not None and p not in self.taught]
        if not self.fitted or not new:
            return None
        rows, labels = self._rows(new)
        return float(np.mean(np.asarray(self.learner.predict(rows)) == labels))

    # -- inside -------------------------------------------------------------------------

    def _after(self, changes: Sequence[tuple[int, Any]]) -> dict[int, Any]:
        taught = dict(self.taught)
        for position, label in changes:
            if label is None:
                taught.pop(position, None)
            else:
                taught[position] = label
        return taught

    def _rows(self, labelled: Sequence[tuple[int, Any]]) -> tuple[Any, NDArray]:
        positions = np.array([p for p, _ in labelled], dtype=np.intp)
        return take_rows(self.pool.X, positions), np.array([y for _, y in labelled])

    def _corrected(self, draft: ActiveLearner, taught: dict[int, Any]) -> ActiveLearner:
        """A learner of the first labelled set and these labels, and of no others."""
        if not taught:
            draft.__dict__ = dict(self._as_found)
            return draft
        rows, labels = self._rows(list(taught.items()))
        if self.start is not None:
            rows = stack_rows(self.start.X, rows)
            labels = np.concatenate([self.start.y, labels])
        return draft.fit(rows, labels)

    def _rewind(self) -> None:
        """A learner that another session of this process taught begins as it was before that."""
        before, left = _BEFORE.get(self.learner, (None, None))
        if before is not None and getattr(self.learner, "labeled_", None) is left:
            self.learner.__dict__ = dict(before)

    def _prepare(self, classes: Classes) -> None:
        """Declare the classes, and give the learner the store's seed if it has none."""
        learner = self.learner
        if self.fitted and set(learner.classes_.tolist()) != set(classes.labels):
            raise LabelingError(
                f"classes are {classes.labels}, but the learner knows {learner.classes_.tolist()}. "
                "Declare the same ones with ActiveLearner(classes=…) before it is fitted."
            )
        if learner.classes is None:
            learner.set_params(classes=classes.array)
        elif set(np.asarray(learner.classes).tolist()) != set(classes.labels):
            raise LabelingError(
                f"classes are {classes.labels}, but those of the learner are "
                f"{np.asarray(learner.classes).tolist()}. Pass the same ones, or leave them out "
                "of the learner."
            )
        if learner.random_state is None:
            learner.set_params(random_state=self.seed)
        self._as_found = dict(vars(learner))


def _draft(learner: ActiveLearner) -> ActiveLearner:
    """A learner that may go on by itself: what it has learned is replaced there, never changed."""
    draft = object.__new__(type(learner))
    draft.__dict__.update(vars(learner))
    return draft


def _has_extras(learner: ActiveLearner) -> bool:
    pending = getattr(learner, "_pending", None)
    return pending is not None and bool(pending.twins or pending.pseudo is not None)
