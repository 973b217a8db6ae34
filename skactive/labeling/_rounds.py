"""Rounds: the learner is asked what to label next, and taught what was labelled.

Each is an event, written when it is done; a learner that knows fewer of them (of another process,
or of one that was killed) repeats what it lacks, and is the same then.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..learners import ActiveLearner
from ..utils.validation import COUNT, check_constraints
from ._errors import LabelingError
from ._events import Event, append, events
from ._ledger import (
    add_items,
    asked_positions,
    decisions,
    last_event,
    n_changed,
    n_open,
    positions,
)
from ._pool import SessionPool
from ._store import Store, sql
from ._trainer import Asked, Trainer


class Moment(NamedTuple):
    """What a query depends on: how many rounds and items there were, and the last training."""

    rounds: int
    items: int
    training: int


class Trained(NamedTuple):
    """A draft of the learner, what changed in it by row of the pool, and what its event tells."""

    draft: ActiveLearner
    moved: list[tuple[int, Any]]
    told: dict[str, Any]


class Rounds:
    """The part of a session that asks and teaches."""

    batch: int
    overlap: int
    retrain_every: int | None
    clock: Callable[[], float]
    _rule: Any
    _settled = False  # whether all that was taught was decided by this rule
    _store: Store
    _pool: SessionPool
    _trainer: Trainer
    _decide: Callable[..., Callable[[Mapping[str, Any]], Any]]

    @property
    def learner(self) -> ActiveLearner:
        """The learner, as it is taught."""
        return self._trainer.learner

    @property
    def due(self) -> bool:
        """Whether so many answers changed that the learner should be taught, and can be."""
        if self.retrain_every is None:
            return False
        with self._store.read() as connection:
            self._settled = self._settled or self._is_settled(connection)
            if self._settled and n_changed(connection, self.overlap) < self.retrain_every:
                return False
            changes, seen = self._decisions(connection, partial=False)
            if len(changes) + len(seen) < self.retrain_every:
                return False
            where = positions(connection, [place for place, _ in changes])
        return self._trainer.n_classes_after([(where[p], y) for p, y in changes]) > 1

    def prepare(self, n: int | None = None) -> bool:
        """Teach if it is due, and ask for more if fewer than `n` items are open.

        For a thread that works while items are labelled; `claim` does it by itself where too few
        are open.

        Parameters
        ----------
        n : int or None, default=None
            ``None`` is ``batch``.

        Returns
        -------
        anything : bool
            Whether there was anything to do.
        """
        taught = self._teach_if_due()
        with self._store.read() as connection:
            enough = n_open(connection) >= (self.batch if n is None else n)
        return bool(not enough and self.ask()) or taught

    def ask(self, n: int | None = None) -> int:
        """Query the learner for the next round.

        Parameters
        ----------
        n : int or None, default=None
            How many; ``None`` is ``batch``. Fewer if the pool has no more.

        Returns
        -------
        n_asked : int
        """
        check_constraints({"n": [COUNT, None]}, {"n": n}, "LabelingSession.ask")
        with self._trainer.asking:
            while True:
                self._catch_up()
                with self._store.read() as connection:
                    asked = asked_positions(connection)
                    then = self._moment(connection)
                wanted = min(n or self.batch, self._trainer.left(asked))
                if wanted < 1:
                    return 0
                found = self._trainer.ask(wanted, asked, then.rounds)
                # A training in progress would not know of twins or pseudo-labels found meanwhile.
                turn = self._trainer.training if found.extras else contextlib.nullcontext()
                with turn:
                    if self._enter_round(found, then):
                        return wanted

    def teach(self, *, partial: bool = False) -> bool:
        """Teach the learner what the annotators agreed on since the last time.

        Items count once all their annotators answered. A label that was corrected or taken back
        since it was taught is corrected or removed: the learner is trained anew, without it.
        If training fails, the learner and the store are as before.

        Parameters
        ----------
        partial : bool, default=False
            Also items that wait for more annotators.

        Returns
        -------
        taught : bool
            Whether there was anything to teach.
        """
        with self._trainer.training:
            trained = self._train(partial)
            if trained is not None:
                self._enter_training(trained)
            return trained is not None and bool(trained.moved)

    # -- inside ---------------------------------------------------------------------------

    def _teach_if_due(self) -> bool:
        """Teach, unless another thread does."""
        if not self.due or not self._trainer.training.acquire(blocking=False):
            return False
        try:
            return self.due and self.teach()
        finally:
            self._trainer.training.release()

    def _train(self, partial: bool = False) -> Trained | None:
        """A draft of the learner that was taught what there is; None if there is nothing."""
        self._catch_up()
        with self._store.read() as connection:
            upto = last_event(connection)
            changes, seen = self._decisions(connection, partial)
            where = positions(connection, [place for place, _ in changes])
        if not changes and not seen:
            self._settled = True
            return None
        moved = [(where[place], label) for place, label in changes]
        started = time.perf_counter()
        score = self._trainer.score_of(moved)
        draft = self._trainer.teach(moved) if moved else self.learner
        told = {
            "taught": changes, "seen": seen, "upto": upto, "score": score,
            **self._trainer.counts(moved),
            "model": self._trainer.digest(draft), "seconds": time.perf_counter() - started,
        }  # fmt: skip
        return Trained(draft, moved, told)

    def _enter_training(self, trained: Trained) -> None:
        """Bring it into force, unless another process taught the same meanwhile."""
        with self._store.write() as connection:
            overtaken = bool(self._newer(connection))
            if not overtaken:
                done = append(connection, "teach", self.clock(), **trained.told)
                self._store.put_meta(connection, rule=self._rule_name)
        if overtaken:
            self._catch_up()
        else:
            self._settled = True
            self._trainer.adopt(trained.draft, done.seq, trained.moved)

    def _decisions(self, connection: Any, partial: bool, everything: bool | None = None) -> tuple:
        if everything is None:
            everything = self._rule == "weighted" or not self._settled
        return decisions(
            connection, self.overlap, self._decide(connection), partial=partial,
            everything=everything,
        )  # fmt: skip

    @property
    def _rule_name(self) -> str:
        """Of the rule in the store; a function may be another one under the same name."""
        return self._rule if isinstance(self._rule, str) else ""

    def _is_settled(self, connection: Any) -> bool:
        """Whether the rule decides what was taught as the one did by which it was taught."""
        if self._rule_name and self._rule_name == self._store.meta(connection).get("rule"):
            return True
        every = self._decisions(connection, partial=False, everything=True)
        return bool(every == self._decisions(connection, partial=False, everything=False))

    def _enter_round(self, found: Asked, then: Moment) -> bool:
        """Write a query and its items down, unless anything it depends on changed meanwhile."""
        with self._store.write() as connection:
            if self._moment(connection) != then:
                return False
            done = append(
                connection, "query", self.clock(), round=then.rounds, n=len(found.positions),
                first=then.items + 1, strategy=found.strategy, model=found.model, seed=found.seed,
                extras=found.extras, seconds=found.seconds,
            )  # fmt: skip
            add_items(connection, self._pool, found, then, self.overlap)
        if found.extras:
            self._trainer.adopt(found.draft, done.seq)
        return True

    def _moment(self, connection: Any) -> Moment:
        counts = "SELECT (SELECT count(*) FROM skactive_events WHERE kind = 'query'), "
        counts += "(SELECT coalesce(max(place), 0) FROM skactive_items), "
        counts += "(SELECT coalesce(max(seq), 0) FROM skactive_events WHERE kind = 'teach')"
        return Moment(*connection.execute(sql(counts)).one())

    def _newer(self, connection: Any) -> list[Event]:
        """Events that changed the learner of another process, and not yet this one's."""
        after = self._trainer.applied
        asked = [e for e in events(connection, after, kind="query") if e.data["extras"]]
        return sorted([*asked, *events(connection, after, kind="teach")], key=lambda e: e.seq)

    def _catch_up(self) -> None:
        """Do to the learner what was done to that of another process, or of an earlier one."""
        with self._store.read() as connection:
            if not self._newer(connection):
                return
        with self._trainer.training:
            with self._store.read() as connection:
                missed = self._newer(connection)
            for each in missed:
                try:
                    self._repeat(each)
                except Exception as error:
                    raise LabelingError(
                        f"The learner cannot repeat event {each.seq} ({each.kind}) of "
                        f"{self._store}: {error} Pass the learner it was made with. The labels "
                        "are safe, and any learner that can be taught them opens the store."
                    ) from error

    def _repeat(self, e: Event) -> None:
        with self._store.read() as connection:
            asked = asked_positions(connection, e.data["first"]) if e.kind == "query" else None
            where = positions(connection, [place for place, _ in e.data.get("taught", [])])
        if asked is not None:
            found = self._trainer.ask(e.data["n"], asked, e.data["round"])
            self._trainer.adopt(found.draft, e.seq)
            return
        changes = [(where[place], label) for place, label in e.data["taught"]]
        draft = self._trainer.teach(changes) if changes else self.learner
        self._trainer.adopt(draft, e.seq, changes)
        if e.seq > self._trainer.declared and self._trainer.digest() != e.data["model"]:
            warnings.warn(
                f"The learner of training {e.seq} came out otherwise than when {self._store} was "
                "written: other versions of libraries, another learner or first labelled set, or a "
                "random_state that is no integer. The labels are the same; the next picks may "
                "differ.",
                UserWarning,
                stacklevel=4,
            )
