"""What a study leaves on disk: a SQLite file a task, and the state it can be resumed from.

A stage is finished when its row is committed. Its state is written before that, to a file of its
own that appears whole or not at all, so that a process killed at any moment leaves either the
stage before or the stage itself. Every row has a checksum, and so has the list of all rows: what
is read is what was written, or an error.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..learners import ActiveLearner
from ._errors import StudyError
from ._files import checksum, damaged, digest_of, read_token, write_atomically
from ._state import learned_state

_COLUMNS = {
    "stage": "INTEGER PRIMARY KEY", "oracle": "INTEGER", "pseudo": "INTEGER",
    "adversarial": "INTEGER", "validation": "INTEGER", "accuracy": "REAL", "robust": "TEXT",
    "bias": "TEXT", "transfer": "TEXT", "picked": "TEXT", "query_time": "REAL", "fit_time": "REAL",
    "attack_time": "TEXT", "weights": "TEXT", "state": "TEXT", "checksum": "TEXT",
}  # fmt: skip
_JSON = ("robust", "bias", "transfer", "picked", "attack_time")
_VALUES = tuple(_COLUMNS)[:-2]  # of a row, without what the store adds
_CREATE = f"CREATE TABLE stages ({', '.join(' '.join(c) for c in _COLUMNS.items())})"
_ABOUT = ("strategy", "mode", "seed", "made_of")
_CREATE_TASK = (
    "CREATE TABLE task (strategy TEXT, mode TEXT, seed INTEGER, made_of TEXT, stages INTEGER, "
    "checksum TEXT)"
)
_INSERT = f"INSERT OR IGNORE INTO stages VALUES ({', '.join('?' * len(_COLUMNS))})"
_KEPT_STATES = 2
# Trouble of the machine: nothing is wrong with the file.
_ELSEWHERE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR,
}  # fmt: skip


class SupersededError(StudyError):
    """Another run has taken over the folder."""


@dataclass(frozen=True)
class About:
    """What a task's file is about.

    Attributes
    ----------
    strategy, mode : str
    seed : int
    made_of : str
        Digest of the configuration and the data.
    """

    strategy: str
    mode: str
    seed: int
    made_of: str = ""

    @property
    def slug(self) -> str:
        """File name."""
        plain = re.sub(r"[^A-Za-z0-9_.=-]+", "_", self.strategy)
        settings = ":" in self.strategy and "=" in self.strategy
        known = self.strategy.replace(":", "_", 1) if settings else self.strategy
        if plain != known or len(plain) > 100:
            plain = f"{plain[:100]}-{digest_of(self.strategy.encode())[:8]}"
        return f"{plain}-{self.mode}-seed{self.seed}"

    @property
    def values(self) -> list[Any]:
        """As stored."""
        return [self.strategy, self.mode, self.seed, self.made_of]


@dataclass
class Content:
    """What is in a task's file.

    Attributes
    ----------
    about : About or None
        As the file says, if that is undamaged.
    rows : list of tuple
        Undamaged rows from stage 0 on, up to the first that is not.
    damage : str
        What is wrong; empty if nothing is.
    """

    about: About | None = None
    rows: list[tuple] = field(default_factory=list)
    damage: str = ""


class TaskStore:
    """Rows and resumable state of one task.

    Parameters
    ----------
    folder : Path
        The study's folder.
    about : About
        The task.
    token : str
        The run that may write; see `take_over`.

    Raises
    ------
    StudyError
        If the file holds results of another configuration or other data.
    """

    def __init__(self, folder: Path, about: About, token: str) -> None:
        self.folder = folder
        self.slug = about.slug
        self.about = about
        self.token = token
        self.notes: list[str] = []
        self.path = task_path(folder, about)
        self._open()

    # -- rows ---------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the finished stages, in order."""
        return read_task(self.path)[1]

    def commit(self, row: dict[str, Any], learner: ActiveLearner | None) -> None:
        """Finish a stage: its state first, then its row.

        Raises
        ------
        SupersededError
            If another run has taken over; nothing is written then.
        """
        stage = row["stage"]
        with self._transaction() as connection:
            state = None
            if learner is not None:
                state = write_state(self._state_path(stage), learner)
            connection.execute(_INSERT, _stored(row, state, self.about))
            _seal(connection, self.about)
        keep = range(stage - _KEPT_STATES + 1, stage + 1) if learner is not None else ()
        self._drop_states(keep)

    # -- state --------------------------------------------------------------------------

    def restore(
        self,
        initial: Callable[[], ActiveLearner],
        rebuilt: Callable[[bytes, NDArray], ActiveLearner],
    ) -> tuple[ActiveLearner, NDArray]:
        """The learner after the last finished stage whose state is whole.

        Later rows, if a state was damaged, are dropped, to be computed again.

        Parameters
        ----------
        initial : callable
            Gives the learner of stage 0.
        rebuilt : callable
            ``(content of a state's file, rows labelled by then) -> learner``.

        Returns
        -------
        learner : ActiveLearner
        labelled : ndarray of int
            Pool rows bought so far.
        """
        with self._transaction() as connection:
            rows = self.rows()
            for stage in range(len(rows) - 1, -1, -1):
                labelled = np.concatenate([row["picked"] for row in rows[: stage + 1]])
                if stage == 0:
                    learner = initial()
                    break
                content = read_state(self._state_path(stage), rows[stage]["state"])
                if content is not None:
                    learner = rebuilt(content, labelled)
                    break
            if stage < len(rows) - 1:
                connection.execute("DELETE FROM stages WHERE stage > ?", [stage])
                _seal(connection, self.about)
                self.notes.append(
                    f"{self.slug}: the state of stage {len(rows) - 1} was damaged or missing; "
                    f"going on from stage {stage}"
                )
        self._drop_states(range(stage - _KEPT_STATES + 1, stage + 1))
        return learner, labelled

    # -- inside -------------------------------------------------------------------------

    def _state_path(self, stage: int) -> Path:
        return self.folder / "state" / f"{self.slug}.{stage}.skactive"

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
                if read_token(self.folder) != self.token.encode():
                    raise SupersededError(
                        f"Another run has taken over {self.folder}: this one stops."
                    )
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def _open(self) -> None:
        """Make the file; put one aside that is damaged, and keep the rows that are not."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        (self.folder / "state").mkdir(exist_ok=True)
        if not self.path.exists():
            self._create([])
            return
        found = inspect(self.path, self.about)
        if found.about is not None and found.about.made_of != self.about.made_of:
            raise StudyError(
                f"{self.path} holds results of another configuration or of other data. Choose "
                "another --out, or --set name=… for another folder in it."
            )
        if not found.damage:
            return
        aside = self.path.with_suffix(".damaged")
        self.path.replace(aside)
        for extra in ("-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + extra).unlink(missing_ok=True)
        self._create(found.rows)
        n = len(found.rows)
        self.notes.append(
            f"{self.slug}: the results were damaged ({found.damage}); they are now in "
            f"{aside.name}, the task "
            + (f"goes on after its first {n} rows" if n else "starts again")
        )

    def _create(self, rows: list[tuple]) -> None:
        """A file with these rows, there as a whole or not at all."""
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            connection.execute(_CREATE)
            connection.execute(_CREATE_TASK)
            connection.executemany(_INSERT, rows)
            _seal(connection, self.about)
            content = connection.serialize()
        write_atomically(self.path, content)


def task_path(folder: Path, about: About) -> Path:
    """File of a task's rows."""
    return folder / "tasks" / f"{about.slug}.sqlite"


def _stored(row: dict[str, Any], state: str | None, about: About) -> list[Any]:
    """A row's values as stored, with the checksum over them and what the task is."""
    kinds = {"INTEGER": int, "REAL": float, "TEXT": str}
    values: list[Any] = [
        json.dumps(row[name]) if name in _JSON else kinds[_COLUMNS[name].split()[0]](row[name])
        for name in _VALUES
    ]
    values.append(state)
    return [*values, checksum([*about.values, *values])]


def _seal(connection: sqlite3.Connection, about: About) -> None:
    """Write down what the task is, how many rows it has, and a checksum over their checksums."""
    found = connection.execute("SELECT checksum FROM stages ORDER BY stage").fetchall()
    sums = [value for (value,) in found]
    values = [*about.values, len(sums)]
    connection.execute("DELETE FROM task")
    connection.execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?)",
                       [*values, checksum([*values, sums])])  # fmt: skip


def inspect(path: Path, about: About | None = None) -> Content:
    """What is undamaged in a task's file.

    Parameters
    ----------
    path : Path
    about : About or None, default=None
        The task that is expected; ``None`` believes the file, if its name agrees.

    Raises
    ------
    StudyError
        If the file cannot be read for a reason that lies elsewhere.
    """
    tasks: list[tuple] = []
    rows: list[tuple] = []
    broken = ""
    try:
        with closing(sqlite3.connect(path, timeout=60)) as connection:
            tasks += connection.execute("SELECT * FROM task")
            rows += connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM stages ORDER BY stage")
            (state,) = connection.execute("PRAGMA quick_check").fetchone()
            broken = "" if state == "ok" else str(state)
    except (sqlite3.Error, ValueError, OverflowError, MemoryError) as error:
        code = getattr(error, "sqlite_errorcode", None) or 0
        if code & 0xFF in _ELSEWHERE and code != sqlite3.SQLITE_IOERR_SHORT_READ:
            raise StudyError(f"{path} cannot be read or written: {error}.") from error
        broken = str(error)
    found = _verified(path, tasks, rows, about)
    found.damage = broken or found.damage
    return found


def _verified(path: Path, tasks: list[tuple], rows: list[tuple], about: About | None) -> Content:
    """Rows whose checksums fit, and what does not."""
    said = None
    sums = [row[-1] for row in rows]
    if len(tasks) == 1 and tasks[0][-1] == _sum([*tasks[0][:-1], sums]):
        said = About(*tasks[0][:4])
    elif about is None and len(tasks) != 1:
        return Content(damage="it does not say what it is about")
    whose = about or said or About(*tasks[0][:4])
    good: list[tuple] = []
    for number, row in enumerate(rows):
        if row[0] != number or row[-1] != _sum([*whose.values, *row[:-1]]):
            return Content(said, good, f"the row of stage {number} is not what was written")
        good.append(row)
    if said is None:
        return Content(None, good, "rows are lost, or of another task")
    if said.slug != path.stem:
        return Content(said, good, f"it is of the task {said.slug}")
    return Content(said, good)


def _sum(values: list[Any]) -> str | None:
    """Checksum of stored values; None where they are of a kind that is never written."""
    try:
        return checksum(values)
    except TypeError:
        return None


def read_task(path: Path) -> tuple[About, list[dict[str, Any]]]:
    """What a task's file is about, and its rows.

    Raises
    ------
    DamagedError
        If anything in it is not what was written.
    """
    found = inspect(path)
    if found.damage or found.about is None:
        raise damaged(path, found.damage, path.stem)
    rows = [dict(zip(_COLUMNS, row, strict=True)) for row in found.rows]
    return found.about, [
        {k: json.loads(v) if k in _JSON else v for k, v in row.items()} for row in rows
    ]


def count_rows(path: Path) -> int:
    """How many stages a task has finished, for a progress bar."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(path, timeout=1)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM stages").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0


def write_state(path: Path, learner: ActiveLearner) -> str:
    """Write what a learner has learned; returns the digest of the file."""
    content = learned_state(learner)
    write_atomically(path, content)
    return digest_of(content)


def read_state(path: Path, digest: str) -> bytes | None:
    """Content of a file, or None if it is missing or not what was written."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    return content if digest_of(content) == digest else None
