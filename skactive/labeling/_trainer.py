"""The learner of a session: asked and taught in drafts, which come into force with their event."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from ..learners import ActiveLearner
from ..strategies import RandomSampling, resolve_strategy
from ..utils.indexing import AllBut, take_rows
from ..utils.inputs import is_dataset
from ..utils.random_state import derive_seed
from ..utils.row_keys import row_keys
from ._digest import model_digest
from ._errors import LabelingError
from ._events import Event
from ._files import few
from ._labels import Classes
from ._pool import SessionPool

_PROBED = 64  # rows of the pool that tell two models apart


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
        self.declared = 0  # the event with which classes were last added
        self.taught: dict[int, Any] = {}  # label by position, in the order of teaching
        self.training = threading.RLock()
        self.asking = threading.RLock()
        self._declare(classes)
        self._probe = take_rows(pool.X, pool.sample(pool.n, _PROBED))
        self.n_start = len(learner.labeled_) if self.fitted else 0
        self._excluded: NDArray | None = None
        self._check_ids()

    @property
    def fitted(self) -> bool:
        """Whether anything was learned."""
        return self.learner.__sklearn_is_fitted__()

    def digest(self, learner: ActiveLearner | None = None) -> str | None:
        """Digest of the model."""
        return model_digest(learner or self.learner, self._probe)

    def start(self) -> str | None:
        """Digest of the labelled set that the learner came with; None if it came with none."""
        if not self.fitted:
            return None
        labeled = self.learner.labeled_
        digest = hashlib.sha256(repr(labeled.y.tolist()).encode(errors="surrogatepass"))
        for key in row_keys(labeled.X):
            digest.update(key)
        return digest.hexdigest()

    def recognise(self, trainings: Sequence[Event], where: Mapping[int, int], n_start: int) -> bool:
        """Whether the learner is what it was after one of the trainings, and go on from there.

        It was saved and loaded then, or another session of this process taught it.
        """
        taught: dict[int, Any] = {}
        found = None
        digest = self.digest()
        for each in trainings:
            changes = [(where[place], label) for place, label in each.data["taught"]]
            taught = _after(taught, changes)
            if each.data["model"] == digest and self._knows(n_start, taught):
                found = each.seq, taught
        if found is not None:
            self.applied, self.taught = found
            self.n_start, self._excluded = n_start, None
        return found is not None

    def n_classes_after(self, changes: Sequence[tuple[int, Any]]) -> int:
        """How many classes the labelled set would have: a training needs two."""
        labels = set(_after(self.taught, changes).values())
        if self.n_start:
            labels.update(self.learner.y_labeled_[: self.n_start].tolist())
        return len(labels)

    # -- asking -------------------------------------------------------------------------

    def known(self, asked: NDArray) -> NDArray:
        """Rows of the pool that were asked, or labelled from the start."""
        if self._excluded is None:
            self._excluded = np.empty(0, dtype=np.intp)
            if self.n_start:
                labeled = self.learner.labeled_
                start = labeled.without(np.arange(self.n_start, len(labeled)))
                self._excluded = np.flatnonzero(start.found_in(self.pool.X))
        return np.union1d(asked, self._excluded)

    def first(self) -> frozenset[int]:
        """Rows of the pool that were labelled from the start."""
        return frozenset(self.known(np.empty(0, dtype=np.intp)).tolist())

    def left(self, asked: NDArray) -> int:
        """How many rows are left to ask for."""
        return self.pool.n - len(self.known(asked))

    def ask(self, n: int, asked: NDArray, round_number: int) -> Asked:
        """Pick `n` rows that were not asked."""
        started = time.perf_counter()
        known = self.known(asked)
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
        """A draft of the learner with other labels: None takes a position's label away.

        New labels continue the training as the learner does. After a correction it trains anew,
        whatever its ``warm_start``: weights that saw the old label would remember it.
        """
        taught = _after(self.taught, changes)
        if not taught and not self.n_start:
            return clone(self.learner)
        draft = _draft(self.learner)
        new = [(p, y) for p, y in changes if p not in self.taught]
        if len(new) < len(changes):
            draft.warm_start = False
            if not self.n_start and taught.keys().isdisjoint(self.taught):
                self._add(draft.add, new)  # first: a learner cannot forget all that it has
                new = []
            self._correct(draft, changes)
        if self.fitted and not new:
            draft.teach()
        else:
            self._add(draft.teach, new)
        draft.warm_start = self.learner.warm_start
        return draft

    def adopt(
        self, draft: ActiveLearner, seq: int, changes: Sequence[tuple[int, Any]] = ()
    ) -> None:
        """Bring a draft into force."""
        taught = _after(self.taught, changes)
        self.learner.__dict__ = dict(vars(draft))
        self.taught, self.applied = taught, seq

    def counts(self, changes: Sequence[tuple[int, Any]]) -> dict[str, int]:
        """How many labels are new, corrected and removed, and how many there are then."""
        removed = sum(label is None for _, label in changes)
        old = sum(position in self.taught for position, _ in changes)
        return {
            "n_new": len(changes) - old, "n_corrected": old - removed, "n_removed": removed,
            "n_labels": len(_after(self.taught, changes)),
        }  # fmt: skip

    def score_of(self, changes: Sequence[tuple[int, Any]]) -> float | None:
        """Share of new labels that the present model would have given; None if it has none."""
        new = [(p, y) for p, y in changes if y is not None and p not in self.taught]
        if not self.fitted or not new:
            return None
        rows, labels = self._rows(new)
        return float(np.mean(np.asarray(self.learner.predict(rows)) == labels))

    # -- inside -------------------------------------------------------------------------

    def _rows(self, labelled: Sequence[tuple[int, Any]]) -> tuple[Any, NDArray]:
        positions = np.array([p for p, _ in labelled], dtype=np.intp)
        return take_rows(self.pool.X, positions), np.array([y for _, y in labelled])

    def _add(self, method: Callable[..., Any], labelled: Sequence[tuple[int, Any]]) -> None:
        """Give samples and their labels to a draft's `add` or `teach`."""
        rows, labels = self._rows(labelled)
        method(rows, labels, ids=self._ids(labelled))

    def _correct(self, draft: ActiveLearner, changes: Sequence[tuple[int, Any]]) -> None:
        """Change labels of a draft and take some away; its samples lie in the order of teaching."""
        at = {position: self.n_start + i for i, position in enumerate(self.taught)}
        old = [(at[p], y) for p, y in changes if p in at]
        other = [(i, y) for i, y in old if y is not None]
        if other:
            draft.relabel([i for i, _ in other], np.array([y for _, y in other]))
        gone = [i for i, y in old if y is None]
        if gone:
            draft.forget(gone)

    def _ids(self, labelled: Sequence[tuple[int, Any]]) -> NDArray | None:
        """Ids for the learner, unless it was fitted without before the session."""
        if self.n_start and self.learner.labeled_.ids is None:
            return None
        positions = [p for p, _ in labelled]
        texts = self.pool.texts(positions, self.pool.digests(positions))
        return np.array([self.pool.shown(text) for text in texts])

    def _check_ids(self) -> None:
        """Ids that cannot stand beside the learner's are refused before anybody labels."""
        known = self.learner.labeled_.ids if self.n_start else None
        if known is None:
            return
        arrays = known, np.asarray(self._ids([(0, None)]))
        kinds = ["texts" if each.dtype.kind == "U" else "whole numbers" for each in arrays]
        if kinds[0] != kinds[1]:
            raise LabelingError(
                f"The learner's ids are {kinds[0]}, those of the session {kinds[1]}. Pass ids= of "
                "the same kind, or a learner that was fitted without."
            )
        self._check_same_rows(known)

    def _check_same_rows(self, known: NDArray) -> None:
        if self.pool.ids is None or is_dataset(self.pool.X):  # whose items nobody compares
            return
        both = np.intersect1d(known, self.pool.ids).tolist()
        first = self.first() if both else frozenset()  # which reads all of the pool
        others = [each for each in both if self.pool.position_of(each) not in first]
        if others:
            raise LabelingError(
                f"The learner knows ids {few(others)}, but in this pool they are other rows. Pass "
                "ids= that name a row wherever it is, or a learner that was fitted without."
            )

    def _knows(self, n_start: int, taught: Mapping[int, Any]) -> bool:
        labels = self.learner.y_labeled_.tolist() if self.fitted else []
        return labels[n_start:] == list(taught.values())

    def _declare(self, classes: Classes) -> None:
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


def _after(taught: Mapping[int, Any], changes: Sequence[tuple[int, Any]]) -> dict[int, Any]:
    """Labels by position after some changes, in the order of teaching."""
    after = {**taught, **dict(changes)}
    return {position: label for position, label in after.items() if label is not None}


def _draft(learner: ActiveLearner) -> ActiveLearner:
    """A learner that may go on by itself: what it has learned is replaced there, never changed."""
    draft = object.__new__(type(learner))
    draft.__dict__.update(vars(learner))
    return draft


def _has_extras(learner: ActiveLearner) -> bool:
    pending = getattr(learner, "_pending", None)
    return pending is not None and bool(pending.twins or pending.pseudo is not None)
