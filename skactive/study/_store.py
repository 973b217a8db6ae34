"""What a study leaves on disk: a SQLite file a task, and the state it can be resumed from.

A stage is finished when its row is committed. Its state is written before that, to a file of its
own that appears whole or not at all, so that a process killed at any moment leaves either the
stage before or the stage itself.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learner import ActiveLearner
from ._errors import StudyError

_COLUMNS = {
    "stage": "INTEGER PRIMARY KEY", "oracle": "INTEGER", "pseudo": "INTEGER",
    "adversarial": "INTEGER", "validation": "INTEGER", "accuracy": "REAL", "robust": "TEXT",
    "bias": "TEXT", "transfer": "TEXT", "picked": "TEXT", "query_time": "REAL", "fit_time": "REAL",
    "attack_time": "TEXT", "weights": "TEXT",
}  # fmt: skip
_JSON = [name for name, kind in _COLUMNS.items() if kind == "TEXT" and name != "weights"]
_CREATE = f"CREATE TABLE IF NOT EXISTS stages ({', '.join(' '.join(c) for c in _COLUMNS.items())},"
_CREATE += " state TEXT)"
_CREATE_TASK = (
    "CREATE TABLE IF NOT EXISTS task "
    "(strategy TEXT, mode TEXT, seed INTEGER, id INTEGER PRIMARY KEY)"
)
_KEPT_STATES = 2
TOKEN = "running"


class SupersededError(StudyError):
    """Another run has taken over the folder."""


class TaskStore:
    """Rows and resumable state of one task.

    Parameters
    ----------
    folder : Path
        The study's folder.
    slug : str
        The task's name.
    about : tuple of (str, str, int)
        Strategy, mode and seed, for those who read the file.
    token : str
        The run that may write; see `take_over`.
    """

    def __init__(self, folder: Path, slug: str, about: tuple[str, str, int], token: str) -> None:
        self.folder = folder
        self.slug = slug
        self.about = about
        self.token = token
        self.notes: list[str] = []
        self.path = folder / "tasks" / f"{slug}.sqlite"
        self._repair()

    # -- rows ---------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the finished stages, in order."""
        return read_rows(self.path)

    def commit(self, row: dict[str, Any], learner: ActiveLearner | None) -> None:
        """Finish a stage: its state first, then its row.

        Raises
        ------
        SupersededError
            If another run has taken over; nothing is written then.
        """
        stage = row["stage"]
        values = {name: json.dumps(row[name]) if name in _JSON else row[name] for name in _COLUMNS}
        with self._transaction() as connection:
            values["state"] = None
            if learner is not None:
                values["state"] = write_state(self._state_path(stage), learner)
            marks = ", ".join("?" * len(values))
            connection.execute(
                f"INSERT OR IGNORE INTO stages ({', '.join(values)}) VALUES ({marks})",
                [*values.values()],
            )
        keep = range(stage - _KEPT_STATES + 1, stage + 1) if learner is not None else ()
        self._drop_states(keep)

    # -- state --------------------------------------------------------------------------

    def restore(
        self, initial: Callable[[], ActiveLearner], rows_of: Callable[[NDArray], tuple]
    ) -> tuple[ActiveLearner, NDArray]:
        """The learner after the last finished stage whose state is whole.

        Later rows, if a state was damaged, are dropped, to be computed again.

        Parameters
        ----------
        initial : callable
            Gives the learner of stage 0.
        rows_of : callable
            Pool rows to ``(X, y)``.

        Returns
        -------
        learner : ActiveLearner
        labelled : ndarray of int
            Pool rows bought so far.
        """
        with self._transaction() as connection:
            digests = dict(connection.execute("SELECT stage, state FROM stages WHERE stage > 0"))
            rows = self.rows()
            for stage in range(len(rows) - 1, -1, -1):
                labelled = np.concatenate([row["picked"] for row in rows[: stage + 1]])
                if stage == 0:
                    learner = initial()
                    break
                found = read_state(self._state_path(stage), digests[stage])
                if found is not None:
                    learner = found
                    X, y = rows_of(labelled)
                    learner.labeled_ = replace(learner.labeled_, X=X, y=y)
                    break
            if stage < len(rows) - 1:
                connection.execute("DELETE FROM stages WHERE stage > ?", [stage])
                self.notes.append(
                    f"{self.slug}: the state of stage {len(rows) - 1} was damaged or missing; "
                    f"going on from stage {stage}"
                )
        self._drop_states(range(stage - _KEPT_STATES + 1, stage + 1))
        return learner, labelled

    # -- inside -------------------------------------------------------------------------

    def _state_path(self, stage: int) -> Path:
        return self.folder / "state" / f"{self.slug}.{stage}.pickle"

    def _drop_states(self, keep: Any) -> None:
        for path in (self.folder / "state").glob(f"{self.slug}.*"):
            parts = path.name.removeprefix(f"{self.slug}.").split(".")
            if parts[-1] == "new" or not (parts[0].isdigit() and int(parts[0]) in keep):
                path.unlink(missing_ok=True)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Exclusive use of the task, for the run that owns the folder."""
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            try:
                if read_token(self.folder) != self.token:
                    raise SupersededError(
                        f"Another run has taken over {self.folder}: this one stops."
                    )
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _repair(self) -> None:
        """Make the table; put a file aside that SQLite cannot read."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(exist_ok=True)
        try:
            self._create()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            aside = self.path.with_suffix(".damaged")
            self.path.replace(aside)
            self.path.with_name(self.path.name + "-journal").unlink(missing_ok=True)
            self.notes.append(
                f"{self.slug}: the results were damaged ({error}); they are now in {aside.name}, "
                "the task starts again"
            )
            self._create()

    def _create(self) -> None:
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            (state,) = connection.execute("PRAGMA quick_check").fetchone()
            if state != "ok":
                raise sqlite3.DatabaseError(state)
            connection.execute(_CREATE)
            connection.execute(_CREATE_TASK)
            connection.execute("INSERT OR IGNORE INTO task VALUES (?, ?, ?, 1)", self.about)
            connection.commit()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a task's file; none for a file that is missing, empty or damaged."""
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            found = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM stages ORDER BY stage")
            rows = [dict(zip(_COLUMNS, values, strict=True)) for values in found]
    except sqlite3.DatabaseError:
        return []
    return [{k: json.loads(v) if k in _JSON else v for k, v in row.items()} for row in rows]


def read_about(path: Path) -> dict[str, Any]:
    """Strategy, mode and seed of a task's file."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        values = connection.execute("SELECT strategy, mode, seed FROM task").fetchone()
    return dict(zip(("strategy", "mode", "seed"), values, strict=True))


def count_rows(path: Path) -> int:
    """How many stages a task has finished."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM stages").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0


def write_state(path: Path, learner: ActiveLearner) -> str:
    """Write a learner without the images it was taught; returns the digest of the file."""
    light = copy.copy(learner)
    light.labeled_ = replace(light.labeled_, X=None, y=light.labeled_.y[:0])
    content = pickle.dumps(light)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def read_state(path: Path, digest: str | None) -> ActiveLearner | None:
    """The learner in a file, or None if the file is missing or not what was written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    if digest is not None and hashlib.sha256(content).hexdigest() != digest:
        return None
    return pickle.loads(content)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file as a whole, on the disk when this returns."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def take_over(folder: Path, token: str) -> None:
    """Make `token` the run that may write below `folder`; the one before can no longer."""
    write_atomically(folder / TOKEN, token.encode())


def read_token(folder: Path) -> str:
    """The run that may write."""
    try:
        return (folder / TOKEN).read_text()
    except FileNotFoundError:
        return ""
