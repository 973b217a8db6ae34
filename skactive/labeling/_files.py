"""Labels in CSV files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ._desk import Desk
from ._errors import AnnotatorError, LabelingError, UnknownClassError, UnknownItemError
from ._events import append
from ._pool import SessionPool
from ._store import sql


class Conflict(NamedTuple):
    r"""A row of a file that says something else than its annotator did.

    Attributes
    ----------
    line : int
    id : str or int
    annotator : str
    kept : object
        The label that stands; None for a skip.
    label : object
        That of the file.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> session = LabelingSession(":memory:", [[0], [1]], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), ids=["a", "b"])
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels.csv"
    >>> for label in ["cat", "dog"]:
    ...     _ = file.write_text(f"id,label\na,{label}\n")
    ...     report = session.read_csv(file, annotator="ada")
    >>> report.conflicts
    [Conflict(line=2, id='a', annotator='ada', kept='cat', label='dog')]
    """

    line: int
    id: Any
    annotator: str
    kept: Any
    label: Any


@dataclass
class ImportReport:
    r"""What came of reading a file.

    Attributes
    ----------
    n_new, n_known, n_blank : int
        Labels entered now, labels that were there, rows without one.
    conflicts : list of Conflict
        Rows that were not entered.

    Examples
    --------
    >>> import pathlib
    >>> import tempfile
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skactive import ActiveLearner
    >>> from skactive.labeling import LabelingSession
    >>> session = LabelingSession(":memory:", [[0], [1]], classes=["cat", "dog"],
    ...     learner=ActiveLearner(GaussianNB(), random_state=0), ids=["a", "b"])
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "labels.csv"
    >>> _ = file.write_text("id;label;annotator\na;cat;ada\nb;;ada\n")
    >>> session.read_csv(file)
    ImportReport(n_new=1, n_known=0, n_blank=1, conflicts=[])
    >>> session.read_csv(file)  # again
    ImportReport(n_new=0, n_known=1, n_blank=1, conflicts=[])
    """

    n_new: int = 0
    n_known: int = 0
    n_blank: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


class Row(NamedTuple):
    """One row of a file."""

    line: int
    id: str
    label: str
    annotator: str


def rows_of_csv(path: Path, annotator: str | None) -> list[Row]:
    """Rows of a file, whatever of comma, semicolon and tab parts its columns.

    Raises
    ------
    LabelingError
        If the columns ``id`` and ``label`` are not there, or an annotator is missing.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabelingError(f"{path} cannot be read as UTF-8 text: {error}.") from error
    lines = io.StringIO(text, newline="")  # ends of lines as in files, not all that Unicode has
    header = lines.readline()
    lines.seek(0)
    reader = csv.DictReader(lines, delimiter=max(",;\t", key=header.count), strict=True)
    if not {"id", "label"} <= set(reader.fieldnames or ()):
        raise LabelingError(
            f"{path} must have columns id and label, separated by comma, semicolon or tab; it has "
            f"{', '.join(reader.fieldnames or ())[:200]!r}."
        )
    rows = []
    try:
        for row in reader:
            who = (row.get("annotator") or "").strip() or annotator or ""
            rows.append(Row(reader.line_num, row["id"] or "", (row["label"] or "").strip(), who))
    except csv.Error as error:
        raise LabelingError(f"{path}, line {reader.line_num}: {error}.") from error
    nobody = [row.line for row in rows if row.label and not row.annotator]
    if nobody:
        raise LabelingError(
            f"{path} does not say whose labels stand in lines {_few(nobody)}. Pass annotator=…, or "
            "add a column annotator."
        )
    return rows


def import_labels(rows: Sequence[Row], desk: Desk, overlap: int, path: str) -> ImportReport:
    """Enter labels in one transaction; see `LabelingSession.read_csv`."""
    report = ImportReport(n_blank=sum(not row.label for row in rows))
    labelled = [(row, *_checked(row, desk)) for row in rows if row.label]
    wrong = [(row.line, found) for row, found, _ in labelled if isinstance(found, LabelingError)]
    if wrong:
        raise type(wrong[0][1])(
            f"{path}, lines {_few([line for line, _ in wrong])}: {wrong[0][1]} Nothing was entered."
        )
    with desk.store.write() as connection:
        now = desk.clock()
        for row, label, position in labelled:
            place = item_at(connection, desk, position, overlap)
            state = connection.execute(
                sql(
                    "SELECT state, label FROM skactive_work "
                    "WHERE place = :place AND annotator = :annotator"
                ),
                {"place": place, "annotator": row.annotator},
            ).first()
            if state is None or state.state == "claimed":
                append(connection, "import", now, annotator=row.annotator, place=place, label=label)
                report.n_new += 1
                continue
            kept = None if state.label is None else json.loads(state.label)
            if kept == label:
                report.n_known += 1
            else:
                shown = desk.pool.shown(row.id)
                report.conflicts.append(Conflict(row.line, shown, row.annotator, kept, label))
    return report


def _checked(row: Row, desk: Desk) -> tuple[Any, int]:
    """Label and position of a row, or what is wrong with it."""
    try:
        desk.check_annotator(row.annotator)
        return desk.classes.parsed(row.label), desk.pool.position_of(row.id)
    except (AnnotatorError, UnknownClassError, UnknownItemError) as error:
        return error, -1


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


def export_columns(
    pool: SessionPool, taken: Collection[str]
) -> tuple[list[str], Callable[[int], list[Any]]]:
    """Names of columns that show a row to a reader, and their values at a position.

    Those of a DataFrame, but for names that the labels' own columns have; the texts of a list.
    """
    if hasattr(pool.X, "columns") and hasattr(pool.X, "iloc"):
        names = [str(name) for name in pool.X.columns]
        kept = [i for i, name in enumerate(names) if name not in taken]
        return [names[i] for i in kept], lambda at: [pool.X.iloc[at, i] for i in kept]
    if isinstance(pool.content(0), str):
        return ["text"], lambda at: [pool.content(at)]
    return [], lambda at: []


def _few(lines: list[int]) -> str:
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return ", ".join(map(str, lines[:5])) + more
