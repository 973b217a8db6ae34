"""Tables of a store, as numbered steps: a new store takes all of them, an old one those it lacks.

Events are the truth: appended, never changed, which the database itself holds. ``skactive_items``
has a row for each item that was ever asked, ``skactive_work`` one for each annotator who has or
had it; what these say of the state follows from the events and can be made again from them.
"""

from __future__ import annotations

_TABLES = [
    """CREATE TABLE skactive_events (
        seq INTEGER PRIMARY KEY, at DOUBLE PRECISION NOT NULL, kind TEXT NOT NULL,
        annotator TEXT, place INTEGER, target INTEGER, data TEXT NOT NULL)""",
    "CREATE INDEX skactive_events_by ON skactive_events (annotator, seq)",
    "CREATE INDEX skactive_events_of ON skactive_events (place, seq)",
    "CREATE INDEX skactive_events_kind ON skactive_events (kind, seq)",
    "CREATE UNIQUE INDEX skactive_events_once ON skactive_events (target) WHERE target IS NOT NULL",
    """CREATE TABLE skactive_items (
        place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, position BIGINT NOT NULL UNIQUE,
        digest TEXT NOT NULL, round INTEGER, rank INTEGER, score DOUBLE PRECISION,
        free INTEGER NOT NULL, n_labels INTEGER NOT NULL DEFAULT 0,
        n_skips INTEGER NOT NULL DEFAULT 0, taught TEXT, final TEXT,
        dirty INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX skactive_items_open ON skactive_items (place) WHERE free > 0",
    "CREATE INDEX skactive_items_dirty ON skactive_items (place) WHERE dirty = 1",
    """CREATE TABLE skactive_work (
        place INTEGER NOT NULL, annotator TEXT NOT NULL, state TEXT NOT NULL,
        since DOUBLE PRECISION, until DOUBLE PRECISION, label TEXT,
        PRIMARY KEY (place, annotator))""",
    "CREATE INDEX skactive_work_leases ON skactive_work (until) WHERE state = 'claimed'",
    "CREATE INDEX skactive_work_of ON skactive_work (annotator, state, place)",
    """CREATE TABLE skactive_annotators (
        name TEXT PRIMARY KEY, frontier INTEGER NOT NULL)""",
]
_KEEP = {
    "sqlite": [
        f"CREATE TRIGGER skactive_events_no_{what} BEFORE {what} ON skactive_events "
        "BEGIN SELECT RAISE(ABORT, 'events are appended, never changed'); END"
        for what in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE FUNCTION skactive_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'events are appended, never changed'; END $$",
        "CREATE TRIGGER skactive_events_kept BEFORE UPDATE OR DELETE ON skactive_events "
        "FOR EACH ROW EXECUTE FUNCTION skactive_keep()",
    ],
}
CREATE_META = "CREATE TABLE skactive_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)"

# Step i (from 1) makes version i of version i - 1, for each kind of database. Released steps are
# never edited: a change of the tables is another step at the end.
STEPS: list[dict[str, list[str]]] = [
    {kind: [*_TABLES, *keep] for kind, keep in _KEEP.items()},
]
