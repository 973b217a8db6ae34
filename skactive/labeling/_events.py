"""Events, and what each does to the tables of state: the state is a fold over the events.

A label is entered by `append`, which writes the event and applies it in one transaction; `rebuild`
applies all events again, which has to give the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ._errors import StoreError
from ._store import Store, sql

_COLUMNS = "seq, at, kind, annotator, place, target, data"
# Columns that follow from the events; the others of an item are written once, when it is asked.
_DERIVED = "free, n_labels, n_skips, taught, final, dirty"


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes
    ----------
    seq : int
        1, 2, …, without gaps.
    at : float
        When, in seconds since 1970.
    kind : str
        ``"query"``, ``"claim"``, ``"expire"``, ``"label"``, ``"import"``, ``"skip"``,
        ``"relabel"``, ``"undo"``, ``"note"``, ``"teach"`` or ``"classes"``.
    annotator : str or None
    place : int or None
        Item, by the order of asking.
    target : int or None
        Event that is undone.
    data : dict

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> session = LabelingSession(":memory:", [[0.0], [1.0]], clock=lambda: 60.0,
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), classes=["cat", "dog"])
    >>> item = session.claim("ada")[0]
    >>> session.label(item.id, "cat", "ada", seconds=2.5)
    >>> [event.kind for event in session.events()]
    ['classes', 'query', 'claim', 'label']
    >>> last = session.events(after=3)[0]
    >>> last.seq, last.at, last.annotator, last.data
    (4, 60.0, 'ada', {'label': 'cat', 'seconds': 2.5})
    """

    seq: int
    at: float
    kind: str
    annotator: str | None = None
    place: int | None = None
    target: int | None = None
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, row: Any) -> Event:
        """From a row of the table."""
        seq, at, kind, annotator, place, target, data = row
        return cls(seq, at, kind, annotator, place, target, json.loads(data))


def append(connection: Any, kind: str, at: float, **values: Any) -> Event:
    """Write an event and what follows from it.

    Parameters
    ----------
    connection : connection in a writing transaction
    kind, at : see `Event`
    **values
        ``annotator``, ``place`` and ``target``; all else goes into ``data``.
    """
    named = {name: values.pop(name, None) for name in ("annotator", "place", "target")}
    last = connection.execute(sql("SELECT coalesce(max(seq), 0) FROM skactive_events")).scalar()
    event = Event(last + 1, at, kind, **named, data=values)
    insert = f"INSERT INTO skactive_events ({_COLUMNS}) VALUES "
    connection.execute(
        sql(insert + "(:seq, :at, :kind, :annotator, :place, :target, :data)"),
        {**vars(event), "data": json.dumps(values)},
    )
    _apply(connection, event)
    return event


def events(connection: Any, after: int = 0, **where: Any) -> Iterator[Event]:
    """Events in order, those later than `after` with these values in these columns."""
    conditions = "".join(f" AND {name} = :{name}" for name in where)
    found = connection.execute(
        sql(f"SELECT {_COLUMNS} FROM skactive_events WHERE seq > :after{conditions} ORDER BY seq"),
        {"after": after, **where},
    )
    return map(Event.of, found)


def event(connection: Any, seq: int) -> Event:
    """The event of that number."""
    row = connection.execute(
        sql(f"SELECT {_COLUMNS} FROM skactive_events WHERE seq = :seq"), {"seq": seq}
    ).one()
    return Event.of(row)


def rebuild(connection: Any, overlap: int) -> None:
    """Make the tables of state again from the events alone."""
    _run(connection, "DELETE FROM skactive_work")
    _run(connection, "DELETE FROM skactive_annotators")
    _run(
        connection,
        "UPDATE skactive_items SET free = :overlap, n_labels = 0, n_skips = 0, taught = NULL, "
        "final = NULL, dirty = 0",
        overlap=overlap,
    )
    for each in list(events(connection)):
        _apply(connection, each)


def verify(store: Store, overlap: int) -> None:
    """Raise a `StoreError` if the tables of state are not what the events say; changes nothing."""
    with store.write() as connection:
        kept = _state(connection)
        savepoint = connection.begin_nested()
        rebuild(connection, overlap)
        made = _state(connection)
        savepoint.rollback()
    wrong = [name for name in kept if kept[name] != made[name]]
    if wrong:
        raise StoreError(f"{store}: {', '.join(wrong)} differ from what the events say.")


def _state(connection: Any) -> dict[str, list[tuple]]:
    selects = {
        "items": f"SELECT place, {_DERIVED} FROM skactive_items ORDER BY place",
        "work": "SELECT place, annotator, state, since, until, label FROM skactive_work "
        "ORDER BY place, annotator",
    }
    return {name: [tuple(r) for r in connection.execute(sql(s))] for name, s in selects.items()}


# -- what an event does ---------------------------------------------------------------------


def _run(connection: Any, statement: str, **values: Any) -> None:
    connection.execute(sql(statement), values)


def _apply(connection: Any, happened: Event) -> None:
    effect = _EFFECTS.get(happened.kind)
    if effect is not None:
        effect(connection, happened)


def _has_work(connection: Any, e: Event) -> bool:
    found = connection.execute(
        sql("SELECT 1 FROM skactive_work WHERE place = :place AND annotator = :annotator"),
        {"place": e.place, "annotator": e.annotator},
    )
    return found.first() is not None


def _item(connection: Any, place: int | None, change: str) -> None:
    _run(connection, f"UPDATE skactive_items SET {change} WHERE place = :place", place=place)


def _work(connection: Any, e: Event, **values: Any) -> None:
    """Enter what an annotator has to do with an item; the first entry takes a place of it."""
    if not _has_work(connection, e):
        _item(connection, e.place, "free = free - 1")
        _run(
            connection,
            "INSERT INTO skactive_work (place, annotator, state, since) "
            "VALUES (:place, :annotator, 'claimed', :at)",
            place=e.place, annotator=e.annotator, at=e.at,
        )  # fmt: skip
    changes = ", ".join(f"{name} = :{name}" for name in values)
    _run(
        connection,
        f"UPDATE skactive_work SET {changes} WHERE place = :place AND annotator = :annotator",
        place=e.place, annotator=e.annotator, **values,
    )  # fmt: skip


def _claim(connection: Any, e: Event) -> None:
    _work(connection, e, state="claimed", until=e.data["until"])
    _run(
        connection,
        "INSERT INTO skactive_annotators (name, frontier) VALUES (:name, :place) "
        "ON CONFLICT (name) DO UPDATE SET frontier = "
        "CASE WHEN skactive_annotators.frontier < excluded.frontier "
        "THEN excluded.frontier ELSE skactive_annotators.frontier END",
        name=e.annotator, place=e.place,
    )  # fmt: skip


def _expire(connection: Any, e: Event) -> None:
    _run(
        connection,
        "DELETE FROM skactive_work WHERE place = :place AND annotator = :annotator",
        place=e.place, annotator=e.annotator,
    )  # fmt: skip
    _item(connection, e.place, "free = free + 1")
    _run(
        connection,
        "UPDATE skactive_annotators SET frontier = :before WHERE frontier > :before",
        before=(e.place or 1) - 1,
    )


def _label(connection: Any, e: Event) -> None:
    _work(connection, e, state="labelled", until=None, label=json.dumps(e.data["label"]))
    _item(connection, e.place, "n_labels = n_labels + 1, dirty = 1")


def _skip(connection: Any, e: Event) -> None:
    _work(connection, e, state="skipped", until=None)
    _item(connection, e.place, "n_skips = n_skips + 1, dirty = 1")


def _relabel(connection: Any, e: Event) -> None:
    if e.data["final"]:
        _final(connection, e, e.data["label"])
        return
    if e.data["before"] is None:  # it had been skipped
        _item(connection, e.place, "n_skips = n_skips - 1, n_labels = n_labels + 1")
    _work(connection, e, state="labelled", label=json.dumps(e.data["label"]))
    _item(connection, e.place, "dirty = 1")


def _final(connection: Any, e: Event, label: Any) -> None:
    _run(
        connection,
        "UPDATE skactive_items SET final = :label, dirty = 1 WHERE place = :place",
        place=e.place, label=None if label is None else json.dumps(label),
    )  # fmt: skip


def _undo(connection: Any, e: Event) -> None:
    undone = event(connection, e.target or 0)
    _item(connection, e.place, "dirty = 1")
    if undone.kind == "relabel" and undone.data["final"]:
        # Events of older stores do not tell what is left, and took back what came between.
        _final(connection, e, e.data.get("left", undone.data["before"]))
    elif undone.kind == "relabel" and undone.data["before"] is not None:
        _work(connection, e, label=json.dumps(undone.data["before"]))
    elif undone.kind == "relabel":
        _item(connection, e.place, "n_skips = n_skips + 1, n_labels = n_labels - 1")
        _work(connection, e, state="skipped", label=None)
    else:
        count = "n_skips" if undone.kind == "skip" else "n_labels"
        _item(connection, e.place, f"{count} = {count} - 1")
        _work(connection, e, state="claimed", until=e.data["until"], label=None)


def _teach(connection: Any, e: Event) -> None:
    """What was looked at is settled, but for answers that came while the learner trained."""
    for place in e.data["seen"]:
        _item(connection, place, "dirty = 0")
    for place, label in e.data["taught"]:
        _run(
            connection,
            "UPDATE skactive_items SET taught = :label, dirty = 0 WHERE place = :place",
            place=place, label=None if label is None else json.dumps(label),
        )  # fmt: skip
    _unsettle(connection, e)


def _unsettle(connection: Any, e: Event) -> None:
    _run(
        connection,
        "UPDATE skactive_items SET dirty = 1 WHERE place IN (SELECT place FROM skactive_events "
        "WHERE seq > :upto AND seq < :seq AND kind IN "
        "('label', 'import', 'skip', 'relabel', 'undo'))",
        upto=e.data["upto"], seq=e.seq,
    )  # fmt: skip


_EFFECTS: dict[str, Callable[[Any, Event], None]] = {
    "claim": _claim,
    "expire": _expire,
    "label": _label,
    "import": _label,
    "skip": _skip,
    "relabel": _relabel,
    "undo": _undo,
    "teach": _teach,
}
