"""What files say, entered as events."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ._desk import Desk
from ._errors import LabelingError
from ._events import append
from ._files import Conflict, ImportReport, Row, few
from ._store import sql
from ._texts import check_text


class _Said(NamedTuple):
    """An answer (label None: a skip) or a referee's decision of a file's row."""

    row: Row
    who: str
    label: Any
    position: int


def import_labels(rows: Sequence[Row], desk: Desk, overlap: int, path: str) -> ImportReport:
    """Enter answers and decisions in one transaction; see `LabelingSession.read_csv`."""
    report = ImportReport(n_blank=sum(not (row.answered or row.decided) for row in rows))
    wrong: list[tuple[int, LabelingError]] = []
    answers: list[_Said] = []
    decisions: dict[tuple[int, Any], _Said] = {}
    first = desk.first()
    for row in rows:
        try:
            if row.answered:
                answers.append(_answer(row, desk, first))
            if row.decided:  # which each row of an item repeats
                decision = _decision(row, desk, first)
                decisions.setdefault((decision.position, decision.label), decision)
        except LabelingError as error:
            wrong.append((row.line, error))
    if wrong:
        raise type(wrong[0][1])(
            f"{path}, lines {few([line for line, _ in wrong])}: {wrong[0][1]} Nothing was entered."
        )
    with desk.store.write() as connection:
        entry = _Entry(connection, desk, overlap, report, desk.clock())
        for said in answers:
            entry.answer(said)
        for said in decisions.values():
            entry.decision(said)
    return report


def position_to_label(item: Any, desk: Desk, first: frozenset[int]) -> int:
    """The position of an item, unless the learner came with a label of it: it would have two.

    Raises
    ------
    LabelingError
        If it is one of the `first`.
    UnknownItemError
        If there is none.
    """
    position = desk.pool.position_of(item)
    if position in first:
        raise LabelingError(
            f"Item {desk.pool.shown(str(item))!r} is in the labelled set that the learner came "
            "with. Leave it out; a wrong label of it is corrected before the session is made, by "
            "learner.relabel."
        )
    return position


def _answer(row: Row, desk: Desk, first: frozenset[int]) -> _Said:
    desk.check_annotator(row.annotator)
    if row.skipped:
        check_text("reason", row.reason)
    label = None if row.skipped else desk.classes.parsed(row.label)
    return _Said(row, row.annotator, label, position_to_label(row.id, desk, first))


def _decision(row: Row, desk: Desk, first: frozenset[int]) -> _Said:
    desk.check_annotator(row.referee)
    label = desk.classes.parsed(row.final)
    return _Said(row, row.referee, label, position_to_label(row.id, desk, first))


@dataclass
class _Entry:
    """Enters what is new, and reports what is not."""

    connection: Any
    desk: Desk
    overlap: int
    report: ImportReport
    now: float

    def answer(self, said: _Said) -> None:
        """Enter a label or a skip, unless its annotator answered already."""
        at = {"place": self._place(said), "annotator": said.who}
        state = self.connection.execute(
            sql(
                "SELECT state, label FROM skactive_work "
                "WHERE place = :place AND annotator = :annotator"
            ),
            at,
        ).first()
        if state is not None and state.state != "claimed":
            self._compare(said, None if state.label is None else json.loads(state.label))
        elif said.label is None:
            append(self.connection, "skip", self.now, reason=said.row.reason, seconds=None, **at)
            self.report.n_skips += 1
        else:
            append(self.connection, "import", self.now, label=said.label, **at)
            self.report.n_new += 1

    def decision(self, said: _Said) -> None:
        """Enter a label for everybody, unless a referee decided already."""
        at = {"place": self._place(said)}
        kept = self.connection.execute(
            sql("SELECT final FROM skactive_items WHERE place = :place"), at
        ).scalar()
        if kept is not None:
            self._compare(said, json.loads(kept))
            return
        append(
            self.connection, "relabel", self.now, annotator=said.who, label=said.label,
            before=None, final=True, **at,
        )  # fmt: skip
        self.report.n_final += 1

    def _place(self, said: _Said) -> int:
        return item_at(self.connection, self.desk, said.position, self.overlap)

    def _compare(self, said: _Said, kept: Any) -> None:
        if kept == said.label:
            self.report.n_known += 1
            return
        shown = self.desk.pool.shown(said.row.id)
        self.report.conflicts.append(Conflict(said.row.line, shown, said.who, kept, said.label))


def item_at(connection: Any, desk: Desk, position: int, overlap: int) -> int:
    """The item at that position; one that was never asked becomes one."""
    place = connection.execute(
        sql("SELECT place FROM skactive_items WHERE position = :position"), {"position": position}
    ).scalar()
    if place is not None:
        return int(place)
    digests = desk.pool.digests([position])
    return int(
        connection.execute(
            sql(
                "INSERT INTO skactive_items (place, id, position, digest, free) "
                "SELECT coalesce(max(place), 0) + 1, :id, :position, :digest, :free "
                "FROM skactive_items RETURNING place"
            ),
            {
                "id": desk.pool.texts([position], digests)[0], "position": position,
                "digest": digests[0], "free": overlap,
            },
        ).scalar()
    )  # fmt: skip
