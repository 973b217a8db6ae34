"""Labels in CSV files."""

from __future__ import annotations

import contextlib
import csv
import io
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ._errors import LabelingError
from ._pool import SessionPool

_LIMIT = threading.Lock()


class Conflict(NamedTuple):
    r"""A row of a file that says something else than its annotator or a referee did.

    Attributes
    ----------
    line : int
    id : str or int
    annotator : str
        Or the referee, where the file has another decision.
    kept : object
        The label that stands; None for a skip.
    label : object
        That of the file; None for a skip.

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
    n_new, n_skips, n_final : int
        Labels, skips and decisions of referees that were entered now.
    n_known, n_blank : int
        Those that were there, and rows without any.
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
    ImportReport(n_new=1, n_skips=0, n_final=0, n_known=0, n_blank=1, conflicts=[])
    >>> session.read_csv(file)  # again
    ImportReport(n_new=0, n_skips=0, n_final=0, n_known=1, n_blank=1, conflicts=[])
    """

    n_new: int = 0
    n_skips: int = 0
    n_final: int = 0
    n_known: int = 0
    n_blank: int = 0
    conflicts: list[Conflict] = field(default_factory=list)


class Row(NamedTuple):
    """One row of a file: an answer, a referee's decision, both or nothing."""

    line: int
    id: str
    label: str
    annotator: str
    skipped: bool
    reason: str
    final: str
    referee: str

    @property
    def answered(self) -> bool:
        """Whether there is a label or a skip."""
        return bool(self.label) or self.skipped

    @property
    def decided(self) -> bool:
        """Whether there is a decision, and who made it: other programs may have such a column."""
        return bool(self.final and self.referee)


def rows_of_csv(path: Path, annotator: str | None, names: Collection[str]) -> list[Row]:
    """Rows of a file, whatever of comma, semicolon and tab parts its columns.

    Blanks around names are left out, but for those of `names`.

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
    try:
        with _fields_of_length(len(text)):
            if not {"id", "label"} <= set(reader.fieldnames or ()):
                raise LabelingError(
                    f"{path} must have columns id and label, separated by comma, semicolon or tab; "
                    f"it has {', '.join(reader.fieldnames or ())[:200]!r}."
                )
            rows = [_row(reader.line_num, row, annotator, names) for row in reader]
    except csv.Error as error:
        raise LabelingError(f"{path}, line {reader.line_num}: {error}.") from error
    nobody = [row.line for row in rows if row.label and not row.annotator]
    if nobody:
        raise LabelingError(
            f"{path} does not say whose labels stand in lines {few(nobody)}. Pass annotator=…, or "
            "add a column annotator."
        )
    return rows


@contextlib.contextmanager
def _fields_of_length(n: int) -> Iterator[None]:
    """Have `csv` read fields of up to `n` characters; its limit is one for the whole process."""
    with _LIMIT:
        before = csv.field_size_limit()
        csv.field_size_limit(max(n, before))
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _row(
    line: int, row: dict[str, str | None], annotator: str | None, names: Collection[str]
) -> Row:
    def text(column: str) -> str:
        found = row.get(column) or ""
        return found if found.strip() else ""

    def name(column: str) -> str:
        found = text(column)
        return found if found in names else found.strip()

    label, who = text("label"), name("annotator") or annotator or ""
    skipped = bool(not label and who and text("state").strip() == "skipped")
    return Row(
        line, row["id"] or "", label, who, skipped, row.get("reason") or "", text("final"),
        name("referee"),
    )  # fmt: skip


def export_columns(
    pool: SessionPool, taken: Collection[str]
) -> tuple[list[str], Callable[[Sequence[int]], list[Any]]]:
    """Names of columns that show a row to a reader, and their values at some positions.

    Those of a table, but for names that the labels' own columns have; the texts of a list.
    """
    if pool.columns is not None:
        kept = [i for i, name in enumerate(pool.columns) if name not in taken]
        names = [pool.columns[i] for i in kept]
        return names, lambda at: [[row[i] for i in kept] for row in pool.cells(at)]
    if isinstance(pool.content(0), str):
        return ["text"], lambda at: [[pool.content(i)] for i in at]
    return [], lambda at: [[] for _ in at]


def few(lines: list[int]) -> str:
    """Numbers of lines as a message names them."""
    more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
    return ", ".join(map(str, lines[:5])) + more
