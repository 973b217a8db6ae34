"""How far a session is, and its labels as a table, a file and a plot."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ..utils.drawing import axes_for, ink, legend, series
from ..utils.html import facts_table
from ..utils.optional import optional_import
from ._desk import Desk
from ._entering import import_labels
from ._events import events
from ._files import ImportReport, export_columns, rows_of_csv
from ._labels import Classes
from ._ledger import n_changed
from ._pool import SessionPool
from ._store import Store, sql

_COLUMNS = (
    "id", "label", "annotator", "state", "reason", "round", "rank", "score", "at", "seconds",
    "notes", "final", "referee", "position",
)  # fmt: skip
_AT_ONCE = 4096  # rows of the pool read together
_PROGRESS = {
    "n_pool": "pool", "n_asked": "asked", "n_open": "open", "n_labelled": "labelled",
    "n_skipped": "skipped", "n_rounds": "rounds", "n_taught": "taught",
}  # fmt: skip
_ROWS = (
    "SELECT i.place, i.id, i.position, i.round, i.rank, i.score, i.final, w.annotator, w.state, "
    "w.label FROM skactive_items i LEFT JOIN skactive_work w ON w.place = i.place "
    "AND w.state <> 'claimed' ORDER BY i.place, w.annotator"
)


class Reports:
    """The part of a session that tells how far it is, and exchanges labels with files."""

    overlap: int
    clock: Callable[[], float]
    _classes: Classes
    _store: Store
    _pool: SessionPool
    _desk: Desk

    def progress(self) -> dict[str, Any]:
        """How far the session is.

        Returns
        -------
        progress : dict
            ``n_pool``; ``n_asked`` items; of these ``n_open``, which somebody can still be given,
            ``n_labelled``, with a label or more, ``n_skipped``, which all who had it skipped;
            ``n_labels`` and ``n_skips`` that stand, ``n_claimed``, given out now; ``n_rounds``,
            ``n_trainings``; ``n_taught``, labels the learner was taught; ``n_waiting``, items
            whose answers wait for `teach`; ``score``, the last one (see `history`);
            ``annotators``, labels that stand by name.
        """
        with self._store.read() as connection:
            one = (
                connection.execute(
                    sql(
                        "SELECT count(*) AS n_asked, "
                        "coalesce(sum(CASE WHEN free > 0 THEN 1 ELSE 0 END), 0) AS n_open, "
                        "coalesce(sum(CASE WHEN n_labels > 0 THEN 1 ELSE 0 END), 0) AS n_labelled, "
                        "coalesce(sum(CASE WHEN n_labels = 0 AND n_skips > 0 AND free <= 0 "
                        "THEN 1 ELSE 0 END), 0) AS n_skipped, "
                        "coalesce(sum(n_labels), 0) AS n_labels, "
                        "coalesce(sum(n_skips), 0) AS n_skips FROM skactive_items"
                    )
                )
                .mappings()
                .one()
            )
            by_name = connection.execute(
                sql(
                    "SELECT annotator, count(*) FROM skactive_work WHERE state = 'labelled' "
                    "GROUP BY annotator ORDER BY annotator"
                )
            )
            annotators = {name: int(n) for name, n in by_name}
            claimed = connection.execute(
                sql("SELECT count(*) FROM skactive_work WHERE state = 'claimed' AND until >= :now"),
                {"now": self.clock()},
            ).scalar()
            trainings = list(events(connection, kind="teach"))
            count = "SELECT count(*) FROM skactive_events WHERE kind = 'query'"
            rounds = int(connection.execute(sql(count)).scalar())
            waiting = n_changed(connection, self.overlap)
        counts = {name: int(n) for name, n in one.items()}
        scores = [e.data["score"] for e in trainings if e.data["score"] is not None]
        return {
            "n_pool": self._pool.n, **counts, "n_claimed": int(claimed), "n_rounds": rounds,
            "n_trainings": sum(len(e.data["taught"]) > 0 for e in trainings),
            "n_taught": trainings[-1].data["n_labels"] if trainings else 0,
            "n_waiting": waiting, "score": scores[-1] if scores else None,
            "annotators": annotators,
        }  # fmt: skip

    @property
    def history(self) -> list[dict[str, Any]]:
        """The trainings: when, labels ``n_new``, ``n_corrected``, ``n_removed`` and all there were.

        ``score`` is the share of the new labels that the model before gave too, which it chose
        because they are hard: below its accuracy, without any label set aside.
        """
        with self._store.read() as connection:
            trainings = [e for e in events(connection, kind="teach") if e.data["taught"]]
        names = ("n_new", "n_corrected", "n_removed", "n_labels", "score", "seconds", "model")
        return [{"at": e.at, **{name: e.data[name] for name in names}} for e in trainings]

    def to_frame(self) -> Any:
        """Answers as a DataFrame of pandas, and a row without a label for each item that has none.

        Returns
        -------
        frame : DataFrame
            ``id``, ``label``, ``annotator``, ``state`` (``"labelled"``, ``"skipped"``,
            ``"open"``), ``reason`` of a skip, ``round``, ``rank``, ``score``, ``at`` (UTC),
            ``seconds``, ``notes``, ``final`` (a referee's label), ``referee`` (whose),
            ``position``. Whole numbers of which some are missing are nullable (``Int64``).
        """
        pandas = optional_import("pandas", what="to_frame", extra="label")
        rows = list(self._rows())
        frame = pandas.DataFrame(rows, columns=list(_COLUMNS))
        whole = ["round", "rank"]
        whole += ["label", "final"] if type(self._classes.labels[0]) is int else []
        columns = {name: [row[name] for row in rows] for name in whole}
        return frame.assign(
            at=pandas.to_datetime(frame["at"], unit="s", utc=True),
            **{name: _nullable(pandas, each) for name, each in columns.items() if None in each},
        )

    def _repr_html_(self) -> str:
        told = self.progress()
        given = ", ".join(f"{name} {n}" for name, n in told.pop("annotators").items())
        facts = {_PROGRESS[name]: value for name, value in told.items() if name in _PROGRESS}
        score = "none yet" if told["score"] is None else f"{told['score']:.3g}"
        return facts_table({**facts, "labels by": given or "nobody yet", "last score": score})

    def to_csv(self, path: str | Path) -> None:
        """Write answers to a file that spreadsheets and `read_csv` read.

        The columns of `to_frame`, those of a pool that is a table before them (``text`` for a pool
        of texts), so that blank labels can be filled in by hand. Times are UTC in ISO 8601.

        Parameters
        ----------
        path : str or Path
        """
        names, content = export_columns(self._pool, taken=_COLUMNS)
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *names, *_COLUMNS[1:]])
            rows = list(self._rows())
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                shown = content([row["position"] for row in part])
                for row, cells in zip(part, shown, strict=True):
                    row["at"] = "" if row["at"] is None else _iso(row["at"])
                    writer.writerow([row["id"], *cells, *(row[name] for name in _COLUMNS[1:])])

    def read_csv(self, path: str | Path, annotator: str | None = None) -> ImportReport:
        """Enter labels from a file: all that is new in it, or, after an error, nothing.

        Parameters
        ----------
        path : str or Path
            Columns ``id`` and ``label``, and ``annotator`` if they are of several; all others
            are left alone, but for those with which `to_csv` tells skips (``state``, ``reason``)
            and a referee's decisions (``final``, ``referee``). A blank label is none. Items need
            not have been asked.
        annotator : str or None, default=None
            Whose labels they are, where the file does not say.

        Returns
        -------
        report : ImportReport
            How many labels, skips and decisions were new, how many known, how many rows blank,
            and ``conflicts``: rows whose annotator gave the item another answer, or a referee
            another label, which stands. Reading a file again changes nothing.

        Raises
        ------
        LabelingError
            If a column, an id, a class or an annotator is wrong, or the learner came with a label
            of an item; the message names the lines.
        """
        rows = rows_of_csv(Path(path), annotator, self._desk.names())
        return import_labels(rows, self._desk, self.overlap, str(path))

    def plot(self, ax: Any = None) -> Any:
        """Labels and the model's score over time.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None

        Returns
        -------
        ax : matplotlib Axes
            Labels that stand, by annotator; on an axis of its own on the right, ``score`` of
            `history`.
        """
        ax = axes_for(ax, what="plot", figsize=(7, 4))
        times: dict[str, list[float]] = {}
        for row in self._rows():
            if row["state"] == "labelled":
                times.setdefault(row["annotator"], []).append(row["at"])
        for number, (name, at) in enumerate(sorted(times.items())):
            style = {**series(number), "marker": "none", "where": "post", "label": name}
            ax.step([_when(t) for t in sorted(at)], range(1, len(at) + 1), **style)
        scores = [(_when(row["at"]), row["score"]) for row in self.history]
        scores = [pair for pair in scores if pair[1] is not None]
        ax.set(xlabel="Time (UTC)", ylabel="Labels")
        legend(ax, loc="upper left", bbox_to_anchor=None)  # the right side has an axis of its own
        if scores:
            right = ax.twinx()
            right.plot(*zip(*scores, strict=True), color=ink(ax), marker=".", linestyle="--")
            right.set(ylabel="New labels that the model foresaw", ylim=(0, 1))
        if times:
            _tell_times(ax.xaxis)
        return ax

    # -- inside ---------------------------------------------------------------------------

    def _rows(self) -> Iterator[dict[str, Any]]:
        with self._store.read() as connection:
            rows = connection.execute(sql(_ROWS)).all()
            told, notes, referees = _told(connection)
        for row in rows:
            given = told.get((row.place, row.annotator), {})
            yield {
                "id": self._pool.shown(row.id),
                "label": None if row.label is None else json.loads(row.label),
                "annotator": row.annotator, "state": row.state or "open",
                "reason": given.get("reason") if row.state == "skipped" else None,
                "round": row.round, "rank": row.rank, "score": row.score, "at": given.get("at"),
                "seconds": given.get("seconds"), "notes": "; ".join(notes.get(row.place, [])),
                "final": None if row.final is None else json.loads(row.final),
                "referee": None if row.final is None else referees.get(row.place),
                "position": row.position,
            }  # fmt: skip


class _Told(NamedTuple):
    """When and how each answer came, the latest that stands; notes and referees by item."""

    answers: dict[tuple[int, str], dict[str, Any]]
    notes: dict[int, list[str]]
    referees: dict[int, str]


def _told(connection: Any) -> _Told:
    told = _Told({}, {}, {})
    undone = {e.target for e in events(connection, kind="undo")}
    for kind in ("import", "skip", "label", "relabel"):
        for e in events(connection, kind=kind):
            if e.seq in undone or e.place is None or e.annotator is None:
                continue
            if e.data.get("final"):
                told.referees[e.place] = e.annotator
                continue
            known = told.answers.get((e.place, e.annotator), {"seq": 0})
            if e.seq > known["seq"]:
                told.answers[e.place, e.annotator] = {
                    "seconds": known.get("seconds"), "at": e.at, "seq": e.seq, **e.data
                }  # fmt: skip
    for e in events(connection, kind="note"):
        told.notes.setdefault(e.place or 0, []).append(f"{e.annotator}: {e.data['text']}")
    return told


def _nullable(pandas: Any, values: list[int | None]) -> Any:
    """Whole numbers, and None, of which a DataFrame makes floats otherwise."""
    unsigned = any(value is not None and value >= 2**63 for value in values)
    return pandas.array(values, dtype="UInt64" if unsigned else "Int64")


def _tell_times(axis: Any) -> None:
    """Times as short as they can be told, and other axes of the figure as they were."""
    dates = optional_import("matplotlib.dates", what="plot", extra="plot")
    locator = dates.AutoDateLocator(maxticks=7)
    axis.set_major_locator(locator)
    axis.set_major_formatter(dates.ConciseDateFormatter(locator))


def _when(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC)


def _iso(at: float) -> str:
    return _when(at).isoformat()
