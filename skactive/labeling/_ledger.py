"""What a session reads of its store at once: answers, counts, what is to be taught."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._pool import SessionPool
from ._store import sql
from ._trainer import Asked

_AT_ONCE = 500
# An item is complete once nobody more can be given it and nobody has it.
_COMPLETE = "(i.n_labels + i.n_skips >= :overlap OR i.final IS NOT NULL)"


def asked_positions(connection: Any, before: int | None = None) -> NDArray[np.intp]:
    """Rows of the pool that were asked, ascending; those before a place of the order of asking."""
    found = connection.execute(
        sql("SELECT position FROM skactive_items WHERE place < :before ORDER BY position"),
        {"before": before or 2**31 - 1},
    )
    return np.fromiter(found.scalars(), dtype=np.intp)


def answers(connection: Any, places: Sequence[int] | None = None) -> dict[int, dict[str, Any]]:
    """Labels by item and annotator, in the order of asking; of all items, or of some."""
    found: dict[int, dict[str, Any]] = {}
    select = "SELECT place, annotator, label FROM skactive_work WHERE state = 'labelled'"
    for condition, values in _in_parts("place", places):
        rows = connection.execute(sql(f"{select}{condition} ORDER BY place, annotator"), values)
        for place, annotator, label in rows:
            found.setdefault(place, {})[annotator] = json.loads(label)
    return found


def positions(connection: Any, places: Sequence[int]) -> dict[int, int]:
    """Row of the pool by item."""
    found: dict[int, int] = {}
    for condition, values in _in_parts("place", places):
        rows = connection.execute(
            sql(f"SELECT place, position FROM skactive_items WHERE 1 = 1{condition}"), values
        )
        found.update((place, position) for place, position in rows)
    return found


def n_changed(connection: Any, overlap: int) -> int:
    """How many items have answers that were not considered for teaching yet."""
    count = f"SELECT count(*) FROM skactive_items i WHERE i.dirty = 1 AND {_COMPLETE}"
    return int(connection.execute(sql(count), {"overlap": overlap}).scalar())


def decisions(
    connection: Any, overlap: int, rule: Callable[[Mapping[str, Any]], Any],
    *, partial: bool, everything: bool,
) -> tuple[list[tuple[int, Any]], list[int]]:  # fmt: skip
    """What there is to teach: changed labels by item (None: no more), and items looked at.

    Parameters
    ----------
    overlap : int
    rule : callable
        Of the labels by annotator, the one.
    partial : bool
        Also items that others will still label.
    everything : bool
        All items, not only those whose answers changed: for rules that learn from all answers.
    """
    which = "(i.n_labels > 0 OR i.dirty = 1)" if everything else "i.dirty = 1"
    relevant = f"({_COMPLETE} OR i.n_labels > 0 OR i.taught IS NOT NULL)"
    select = f"SELECT i.place, i.taught, i.final, i.dirty, {_COMPLETE} AS complete "
    rows = connection.execute(
        sql(f"{select} FROM skactive_items i WHERE {which} AND {relevant} ORDER BY i.place"),
        {"overlap": overlap},
    ).all()
    # What was taught and is taken back counts at once; what is new waits for all its annotators.
    rows = [row for row in rows if partial or row.complete or row.taught is not None]
    given = answers(connection, [row.place for row in rows])
    changes, seen = [], []
    for row in rows:
        label = json.loads(row.final) if row.final else rule(given.get(row.place, {}))
        old = None if row.taught is None else json.loads(row.taught)
        if label != old:
            changes.append((row.place, label))
        elif row.dirty:
            seen.append(row.place)
    return changes, seen


def _in_parts(column: str, values: Sequence[int] | None) -> list[tuple[str, dict[str, int]]]:
    """Conditions for a few values each, with their parameters; one that is none for all."""
    if values is None:
        return [("", {})]
    parts = []
    for start in range(0, len(values), _AT_ONCE):
        few = {f"v{i}": int(value) for i, value in enumerate(values[start : start + _AT_ONCE])}
        parts.append((f" AND {column} IN ({', '.join(f':{name}' for name in few)})", few))
    return parts


def add_items(connection: Any, pool: SessionPool, found: Asked, then: Any, overlap: int) -> None:
    """Write the items of a query down, in the order in which they are wanted."""
    insert = sql(
        "INSERT INTO skactive_items (place, id, position, digest, round, rank, score, free) "
        "VALUES (:place, :id, :position, :digest, :round, :rank, :score, :free)"
    )
    for start in range(0, len(found.positions), _AT_ONCE):
        few = found.positions[start : start + _AT_ONCE].tolist()
        digests = pool.digests(few)
        texts = pool.texts(few, digests)
        rows = []
        for i, position in enumerate(few):
            rank = start + i
            score = None if found.scores is None else float(found.scores[rank])
            rows.append({
                "place": then.items + 1 + rank, "id": texts[i], "position": position,
                "digest": digests[i], "round": then.rounds, "rank": rank, "score": score,
                "free": overlap,
            })  # fmt: skip
        connection.execute(insert, rows)


def n_open(connection: Any) -> int:
    """How many items somebody can still be given."""
    count = sql("SELECT count(*) FROM skactive_items WHERE free > 0")
    return int(connection.execute(count).scalar())


def last_event(connection: Any) -> int:
    """Number of the latest event."""
    return int(
        connection.execute(sql("SELECT coalesce(max(seq), 0) FROM skactive_events")).scalar()
    )


def content_of(connection: Any, pool: SessionPool) -> tuple[list[int], list[str]]:
    """Positions of items that were asked, some of many, and digests of what they were then."""
    n = int(connection.execute(sql("SELECT count(*) FROM skactive_items")).scalar())
    select = "SELECT position, digest FROM skactive_items WHERE 1 = 1"
    found: list[Any] = []
    for condition, values in _in_parts("place", (pool.sample(n) + 1).tolist() if n else []):
        found += connection.execute(sql(select + condition), values)
    return [row.position for row in found], [row.digest for row in found]
