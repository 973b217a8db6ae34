"""Where a session's events lie: SQLite in a file, or PostgreSQL, through SQLAlchemy."""

from __future__ import annotations

import contextlib
import json
import threading
import weakref
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from ..utils.optional import optional_import
from ._errors import StoreBusyError, StoreError, StoreVersionError
from ._schema import CREATE_META, STEPS

_WAIT = 60  # seconds that a writer waits for another process
_TURN = "SELECT pg_advisory_xact_lock(hashtext('skactive ' || current_schema()))"


@cache
def sql(statement: str) -> Any:
    """A statement with named parameters, parsed once."""
    return optional_import("sqlalchemy", what="Labelling", extra="label").text(statement)


class Store:
    """Transactions on a database whose tables are of this version.

    Parameters
    ----------
    where : str or Path
        A file (SQLite), ``":memory:"``, or a URL of SQLAlchemy's such as
        ``"postgresql+psycopg://user@host/database"``.

    Raises
    ------
    StoreVersionError
        If it was written by a newer version, or is no store.
    StoreError
        If it cannot be opened.
    """

    def __init__(self, where: str | Path) -> None:
        self._alchemy = optional_import("sqlalchemy", what="Labelling", extra="label")
        self.url = self._url(where)
        self.kind = self.url.get_backend_name()
        if self.kind not in STEPS[0]:
            raise StoreError(
                f"store must be a file, ':memory:' or a URL of PostgreSQL, got {self}. "
                f"There are {', '.join(STEPS[0])}."
            )
        self.in_memory = self.kind == "sqlite" and self.url.database in (None, "", ":memory:")
        self._writing = threading.RLock()
        self._engine = self._make_engine()
        self._locks: dict[str, Any] = {}
        # One that nobody closed closes its connections when nobody has it any more.
        self._closing = weakref.finalize(self, _close, self._engine, self._locks)
        with self.write() as connection:
            self._migrate(connection)
        if self.kind == "sqlite" and not self.in_memory:
            with self._explained(), self._engine.connect() as connection:
                connection.connection.cursor().execute("PRAGMA journal_mode = WAL")

    def __str__(self) -> str:
        return self.url.render_as_string(hide_password=True)

    # -- transactions ---------------------------------------------------------------------

    @contextlib.contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[Any]:
        """A transaction that sees and changes all or nothing; writers take turns.

        Parameters
        ----------
        lasting : bool, default=True
            On the disk when it returns, so that not even a power failure undoes it. ``False``
            saves the wait in SQLite, where a killed process loses nothing either.

        Raises
        ------
        StoreError
            If the database is away, locked or full: nothing was changed, or if the answer to
            the commit was lost, perhaps all of it.
        """
        with self._writing, self._explained(), self._engine.connect() as connection:
            connection = connection.execution_options(writes=True, lasting=lasting)
            with connection.begin():
                if self.kind == "postgresql":
                    connection.execute(sql(_TURN))
                yield connection

    @contextlib.contextmanager
    def read(self) -> Iterator[Any]:
        """A transaction that sees one state and changes nothing."""
        turn = self._writing if self.in_memory else contextlib.nullcontext()
        with turn, self._explained(), self._engine.connect() as connection:
            if self.kind == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    def alone(self, role: str) -> None:
        """Take a role that one process at a time may have, until `close` or its death.

        Raises
        ------
        StoreBusyError
            If another has it.
        """
        if role in self._locks or self.in_memory:
            return
        taken = self._lock_row(role) if self.kind == "postgresql" else self._lock_file(role)
        if taken is None:
            raise StoreBusyError(
                f"Another process already has the role of {role} of {self}. Stop that one first, "
                "or send the annotators there; one store has one."
            )
        self._locks[role] = taken

    def give_back(self, role: str) -> None:
        """Give a role back."""
        _give_back(self._locks, role)

    def close(self) -> None:
        """Give all roles and connections back; the store itself stays."""
        _close(self._engine, self._locks)

    # -- settings -------------------------------------------------------------------------

    def meta(self, connection: Any) -> dict[str, Any]:
        """What was written down when the store was made."""
        rows = connection.execute(sql("SELECT name, value FROM skactive_meta"))
        return {name: json.loads(value) for name, value in rows}

    def put_meta(self, connection: Any, **values: Any) -> None:
        """Write settings down."""
        statement = sql(
            "INSERT INTO skactive_meta (name, value) VALUES (:name, :value) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        )
        for name, value in values.items():
            connection.execute(statement, {"name": name, "value": json.dumps(value)})

    # -- inside ---------------------------------------------------------------------------

    def _url(self, where: str | Path) -> Any:
        make_url = self._alchemy.engine.make_url
        if isinstance(where, str) and "://" in where:
            try:
                return make_url(where)
            except self._alchemy.exc.ArgumentError as error:
                raise StoreError(f"{where!r} is no URL of a database: {error}.") from error
        if str(where) == ":memory:":
            return make_url("sqlite://")
        path = Path(where)
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise StoreError(
                f"store must be a file in a folder that exists, got {str(path)!r}. Make its "
                "folder first, or name another file."
            )
        return self._alchemy.URL.create("sqlite", database=str(path.absolute()))

    def _make_engine(self) -> Any:
        if self.kind == "postgresql":
            optional_import(self.url.get_driver_name(), what="This store", extra="postgres")
            return self._alchemy.create_engine(self.url, pool_pre_ping=True)
        settings: dict[str, Any] = {"connect_args": {"timeout": _WAIT, "check_same_thread": False}}
        if self.in_memory:
            settings["poolclass"] = self._alchemy.pool.StaticPool
        else:
            settings.update(pool_size=16, max_overflow=-1)
        engine = self._alchemy.create_engine(self.url, **settings)
        self._alchemy.event.listen(engine, "connect", _on_connect)
        self._alchemy.event.listen(engine, "begin", _on_begin)
        return engine

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self._alchemy.exc.DBAPIError as error:
            why = str(error.orig).strip()
            raise StoreError(
                f"{self} cannot be read or written now: {why}. What was acknowledged is "
                "kept; repeat what was not, it is not entered twice."
            ) from error

    def _migrate(self, connection: Any) -> None:
        """Bring the tables to this version, from nothing or from an older one."""
        names = set(self._alchemy.inspect(connection).get_table_names())
        if "skactive_meta" not in names:
            if names and self.kind == "sqlite":
                raise StoreVersionError(
                    f"{self} is a database of something else: it holds {sorted(names)[:5]}. Name "
                    "another file."
                )
            connection.execute(sql(CREATE_META))
        version = self.meta(connection).get("version", 0)
        if version > len(STEPS):
            raise StoreVersionError(
                f"{self} has version {version}, written by a newer skactive; this one knows "
                f"version {len(STEPS)}. Update skactive; the store was left as it is."
            )
        for step in STEPS[version:]:
            for statement in step[self.kind]:
                connection.exec_driver_sql(statement)
        if version < len(STEPS):
            self.put_meta(connection, version=len(STEPS))

    def _lock_file(self, role: str) -> Any:
        """An open transaction on a file beside the store, which ends with its process."""
        import sqlite3

        connection = sqlite3.connect(
            f"{self.url.database}.{role}", timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            connection.close()
            return None
        return connection

    def _lock_row(self, role: str) -> Any:
        """A lock of the server's, which ends with the connection."""
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        lock = sql("SELECT pg_try_advisory_lock(hashtext(:role || current_schema()))")
        if connection.execute(lock, {"role": f"skactive {role} "}).scalar():
            return connection
        connection.close()
        return None


def _give_back(locks: dict[str, Any], role: str) -> None:
    connection = locks.pop(role, None)
    if connection is not None:
        with contextlib.suppress(Exception):  # a server that is gone holds no lock
            connection.close()


def _close(engine: Any, locks: dict[str, Any]) -> None:
    for role in list(locks):
        _give_back(locks, role)
    engine.dispose()


def _on_connect(connection: Any, _: Any) -> None:
    """SQLite: transactions are begun by us."""
    connection.isolation_level = None


def _on_begin(connection: Any) -> None:
    options = connection.get_execution_options()
    if options.get("writes"):
        synchronous = "FULL" if options["lasting"] else "NORMAL"
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writes") else "BEGIN")
