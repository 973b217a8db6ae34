"""The desk where annotators are given items and hand in answers: each call is one transaction.

Nothing here knows a learner.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from ..utils.names import did_you_mean
from ._errors import AnnotatorError, ConflictError, LabelingError, NotClaimedError
from ._events import Event, append, event
from ._items import Item
from ._labels import Classes
from ._pool import SessionPool
from ._store import Store, sql
from ._texts import check_text, list_of_texts

_ITEM = (
    "SELECT i.place, i.id, i.position, i.round, i.rank, i.score, i.free, i.final, "
    "w.state, w.label, w.since, w.until FROM skactive_items i LEFT JOIN skactive_work w "
    "ON w.place = i.place AND w.annotator = :annotator "
)
_HELD = _ITEM + "WHERE w.state = 'claimed' AND w.annotator = :annotator ORDER BY i.place LIMIT :n"
_NEXT = (
    "SELECT i.place FROM skactive_items i WHERE i.free > 0 AND i.place > :frontier "
    "AND NOT EXISTS (SELECT 1 FROM skactive_work w WHERE w.place = i.place "
    "AND w.annotator = :annotator) ORDER BY i.place LIMIT :n"
)
_UNDOABLE = (
    "SELECT e.seq FROM skactive_events e WHERE e.annotator = :annotator "
    "AND e.kind IN ('label', 'skip', 'relabel') AND NOT EXISTS "
    "(SELECT 1 FROM skactive_events u WHERE u.target = e.seq) ORDER BY e.seq DESC LIMIT 1"
)
_DECIDED = (
    "SELECT e.seq FROM skactive_events e WHERE e.place = :place AND e.kind = 'relabel' "
    "AND e.seq <> :but AND NOT EXISTS (SELECT 1 FROM skactive_events u WHERE u.target = e.seq) "
    "ORDER BY e.seq DESC"
)
_LAST = (
    "SELECT coalesce(max(seq), 0) FROM skactive_events WHERE place = :place "
    "AND annotator = :annotator AND kind IN ('label', 'import', 'skip', 'relabel')"
)


class Desk:
    """Items out, answers in.

    Parameters
    ----------
    store : Store
    pool : SessionPool
    classes : Classes
    annotators : sequence of str or None
        Who may label; ``None`` is everybody with a name.
    lease : float
        Seconds for which an item is an annotator's alone.
    clock : callable
        Seconds since 1970.
    first : callable
        Positions of rows that were labelled before the session, which nobody is asked for.
    """

    def __init__(
        self,
        store: Store,
        pool: SessionPool,
        classes: Classes,
        annotators: Sequence[str] | None,
        lease: float,
        clock: Callable[[], float],
        first: Callable[[], frozenset[int]] = frozenset,
    ) -> None:
        self.first = first
        self.store = store
        self.pool = pool
        self.classes = classes
        self.annotators = None if annotators is None else list_of_texts("annotators", annotators)
        self.lease = lease
        self.clock = clock

    # -- out ------------------------------------------------------------------------------

    def claim(self, annotator: str, n: int) -> list[Item]:
        """Up to `n` items: those that the annotator holds, then the first that are open."""
        self.check_annotator(annotator)
        with self.store.write(lasting=False) as connection:
            now = self.clock()
            self._expire(connection, now)
            held = [row.place for row in self._held(connection, annotator, n)]
            for place in self._next(connection, annotator, n - len(held)):
                self._claim(connection, annotator, place, now)
            rows = self._held(connection, annotator, n)
            for row in rows:
                if row.until < now + self.lease / 2:
                    self._claim(connection, annotator, row.place, now)
            return [self._shown(row) for row in self._held(connection, annotator, n)]

    def get(self, item: Any, annotator: str) -> Item:
        """One item and what this annotator did with it."""
        self.check_annotator(annotator)
        with self.store.read() as connection:
            return self._shown(self._find(connection, item, annotator))

    def done(self, annotator: str, n: int) -> list[Item]:
        """The last items that an annotator answered, latest first."""
        self.check_annotator(annotator)
        with self.store.read() as connection:
            rows = connection.execute(
                sql(
                    _ITEM + "WHERE w.state IN ('labelled', 'skipped') AND w.annotator = :annotator "
                    "ORDER BY (SELECT max(e.seq) FROM skactive_events e WHERE e.place = i.place "
                    "AND e.annotator = :annotator) DESC LIMIT :n"
                ),
                {"annotator": annotator, "n": n},
            ).all()
        return [self._shown(row) for row in rows]

    # -- in -------------------------------------------------------------------------------

    def label(self, item: Any, y: Any, annotator: str, seconds: float | None) -> int:
        """Enter a label; the number of its event."""
        self.check_annotator(annotator)
        label = self.classes.checked(y)
        _check_seconds(seconds)
        with self.store.write() as connection:
            now = self.clock()
            row = self._find(connection, item, annotator)
            if row.state == "labelled" and json.loads(row.label) == label:
                return self._last(connection, row.place, annotator)
            self._check_answerable(connection, row, annotator)
            took = seconds if seconds is not None else _since(row, now)
            return append(
                connection, "label", now, annotator=annotator, place=row.place,
                label=label, seconds=took,
            ).seq  # fmt: skip

    def skip(self, item: Any, annotator: str, reason: str, seconds: float | None) -> int:
        """Enter that an annotator cannot answer; the number of the event."""
        self.check_annotator(annotator)
        check_text("reason", reason)
        _check_seconds(seconds)
        with self.store.write() as connection:
            now = self.clock()
            row = self._find(connection, item, annotator)
            if row.state == "skipped":
                return self._last(connection, row.place, annotator)
            self._check_answerable(connection, row, annotator)
            took = seconds if seconds is not None else _since(row, now)
            return append(
                connection, "skip", now, annotator=annotator, place=row.place,
                reason=reason, seconds=took,
            ).seq  # fmt: skip

    def relabel(self, item: Any, y: Any, annotator: str, final: bool) -> int:
        """Enter another label in place of the annotator's own answer, or of everybody's."""
        self.check_annotator(annotator)
        label = self.classes.checked(y)
        with self.store.write() as connection:
            row = self._find(connection, item, annotator)
            if not final and row.state not in ("labelled", "skipped"):
                raise NotClaimedError(
                    f"{annotator!r} has not answered item {self.pool.shown(row.id)!r}, so there is "
                    "nothing to relabel. Claim and label it, or pass final=True to decide for "
                    "everybody."
                )
            before = row.final if final else row.label
            before = None if before is None else json.loads(before)
            # A referee who agrees with another decides, too: the other may take theirs back.
            if before == label and (
                not final or self._decided(connection, row.place).annotator == annotator
            ):
                return self._last(connection, row.place, annotator)
            return append(
                connection, "relabel", self.clock(), annotator=annotator, place=row.place,
                label=label, before=before, final=final,
            ).seq  # fmt: skip

    def undo(self, annotator: str) -> tuple[str, Item] | None:
        """Take the annotator's latest answer back; its kind, and the item, theirs again."""
        self.check_annotator(annotator)
        with self.store.write() as connection:
            last = connection.execute(sql(_UNDOABLE), {"annotator": annotator}).scalar()
            if last is None:
                return None
            target, now = event(connection, last), self.clock()
            left = {}
            if target.data.get("final"):
                left["left"] = self._decided(connection, target.place, but=last).data.get("label")
            append(
                connection, "undo", now, annotator=annotator, place=target.place,
                target=target.seq, until=now + self.lease, **left,
            )  # fmt: skip
            return target.kind, self._shown(self._at(connection, target.place, annotator))

    def note(self, item: Any, text: str, annotator: str) -> int:
        """Enter a remark on an item; the number of the event."""
        self.check_annotator(annotator)
        check_text("text", text)
        with self.store.write() as connection:
            row = self._find(connection, item, annotator)
            noted: Event = append(
                connection, "note", self.clock(), annotator=annotator, place=row.place, text=text
            )
            return noted.seq

    def names(self) -> set[str]:
        """Who may label, as far as it was said, and who did something here."""
        with self.store.read() as connection:
            found = connection.execute(sql("SELECT DISTINCT annotator FROM skactive_events"))
            return {*found.scalars(), *(self.annotators or ())} - {None}

    def check_annotator(self, annotator: Any) -> None:
        """Raise an `AnnotatorError` unless somebody of that name may label here."""
        if not isinstance(annotator, str) or not annotator.strip() or len(annotator) > 200:
            raise AnnotatorError(
                f"annotator must be a name of 1 to 200 characters, got {annotator!r}."
            )
        if self.annotators is not None and annotator not in self.annotators:
            raise AnnotatorError(
                f"{annotator!r} is no annotator of this session."
                f"{did_you_mean(annotator, self.annotators)} There are "
                f"{', '.join(self.annotators)}; others come with annotators=[…]."
            )

    # -- inside ---------------------------------------------------------------------------

    def _expire(self, connection: Any, now: float) -> None:
        """Leases that ran out give their items back."""
        overdue = connection.execute(
            sql(
                "SELECT place, annotator FROM skactive_work WHERE state = 'claimed' "
                "AND until < :now ORDER BY place, annotator"
            ),
            {"now": now},
        ).all()
        for place, annotator in overdue:
            append(connection, "expire", now, annotator=annotator, place=place)

    def _held(self, connection: Any, annotator: str, n: int) -> list[Any]:
        return connection.execute(sql(_HELD), {"annotator": annotator, "n": n}).all()

    def _next(self, connection: Any, annotator: str, n: int) -> list[int]:
        if n <= 0:
            return []
        frontier = connection.execute(
            sql("SELECT frontier FROM skactive_annotators WHERE name = :name"), {"name": annotator}
        ).scalar()
        found = connection.execute(
            sql(_NEXT), {"annotator": annotator, "frontier": frontier or 0, "n": n}
        )
        return list(found.scalars())

    def _claim(self, connection: Any, annotator: str, place: int, now: float) -> None:
        append(connection, "claim", now, annotator=annotator, place=place, until=now + self.lease)

    def _find(self, connection: Any, item: Any, annotator: str) -> Any:
        """An item's row, by its id."""
        values = {"annotator": annotator, "id": str(item)}
        row = connection.execute(sql(_ITEM + "WHERE i.id = :id"), values).first()
        if row is None:
            self.pool.position_of(item)
            raise NotClaimedError(
                f"Item {item!r} was not asked yet, so nobody can have claimed it. Label what claim "
                "returns; labels from elsewhere come in through read_csv."
            )
        return row

    def _at(self, connection: Any, place: int | None, annotator: str) -> Any:
        values = {"annotator": annotator, "place": place}
        return connection.execute(sql(_ITEM + "WHERE i.place = :place"), values).one()

    def _last(self, connection: Any, place: int, annotator: str) -> int:
        values = {"place": place, "annotator": annotator}
        return int(connection.execute(sql(_LAST), values).scalar())

    def _decided(self, connection: Any, place: int | None, but: int = 0) -> Event:
        """The latest decision for everybody that stands, without event `but`; or an empty event."""
        found = connection.execute(sql(_DECIDED), {"place": place, "but": but}).scalars().all()
        relabels = (event(connection, seq) for seq in found)
        return next((e for e in relabels if e.data["final"]), Event(0, 0.0, "relabel"))

    def _check_answerable(self, connection: Any, row: Any, annotator: str) -> None:
        """Raise unless the annotator holds the item, or held it and nobody else took it since."""
        item = self.pool.shown(row.id)
        if row.state == "claimed":
            return
        if row.state is not None:
            done = f"skipped item {item!r}"
            if row.label:
                done = f"labelled item {item!r} {json.loads(row.label)!r}"
            raise ConflictError(f"{annotator!r} already {done}. Use relabel to change it, or undo.")
        ran_out = connection.execute(
            sql(
                "SELECT 1 FROM skactive_events WHERE place = :place AND annotator = :annotator "
                "AND kind = 'expire' LIMIT 1"
            ),
            {"place": row.place, "annotator": annotator},
        ).first()
        if ran_out is None:
            raise NotClaimedError(f"{annotator!r} has not claimed item {item!r}. Claim first.")
        if row.free <= 0:
            raise NotClaimedError(
                f"The lease of {annotator!r} on item {item!r} ran out and it was given to somebody "
                "else. Claim another; lease=… makes leases longer."
            )

    def _shown(self, row: Any) -> Item:
        return Item(
            id=self.pool.shown(row.id),
            position=row.position,
            round=row.round,
            rank=row.rank,
            score=row.score,
            state=row.state or "open",
            label=None if row.label is None else json.loads(row.label),
            until=row.until,
            content=self.pool.content(row.position),
        )


def _since(row: Any, now: float) -> float | None:
    return None if row.since is None else max(0.0, now - row.since)


def _check_seconds(seconds: Any) -> None:
    known = isinstance(seconds, (int, float)) and math.isfinite(seconds) and seconds >= 0
    if seconds is not None and not known:
        raise LabelingError(f"seconds must be a number from 0 on, or None, got {seconds!r}.")
