"""How a database is opened, how a transaction begins, and what its errors mean: all of it here, once.

SQLite's defaults lose updates under load (a deferred transaction that reads and then writes fails when another wrote in
between) and would create a stray empty file for a mistyped path. So a write begins with BEGIN IMMEDIATE, writers of one
process queue on one lock, and only `migrate` creates a file.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pysqlite3.dbapi2
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.parity.errors import InvalidConfiguration, Problem, SchemaMismatch, StoreError, StoreUnavailable

sqlite: Any = pysqlite3.dbapi2
"""Python's own sqlite3 module under another name, with a newer SQLite in it; it carries no types."""

WAIT_SECONDS = 5.0
"""How long a transaction waits for its turn, in this process and at the file together."""

SAFE_SQLITE = (3, 51, 3)
"""Earlier versions can, rarely, corrupt a database when its write-ahead log is reset."""

_ACCEPTED = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME"
WRITE_WAIT_MS = "lockstep_write_wait_ms"
"""The execution option that makes a transaction a writing one: how long it may wait for the write lock."""

_SQLITE_FAULTS = {
    "SQLITE_BUSY": "is locked by another process; try again, or end what holds it",
    "SQLITE_LOCKED": "is locked by another process; try again, or end what holds it",
    "SQLITE_READONLY": "is read-only; give this user write permission to the file and its folder",
    "SQLITE_PERM": "may not be used by this user; give it permission to the file and its folder",
    "SQLITE_CANTOPEN": "cannot be opened; check that the file and its folder may be read and written",
    "SQLITE_NOTADB": "is not a database; name another file",
    "SQLITE_CORRUPT": "is damaged; restore a backup",
    "SQLITE_FULL": "cannot grow, the disk is full; free some space",
    "SQLITE_IOERR": "cannot be read or written, the disk reports an error; check the disk and its free space",
    "SQLITE_PROTOCOL": "cannot be locked; keep it on a local disk, not on a network share",
}


def make_engine(url: str, create: bool = False) -> Engine:
    """An engine for that address; connects to nothing yet. `create` lets the first connection create an SQLite file.

    Raises InvalidConfiguration for an address that cannot be one of ours.
    """
    address = _parsed(url)
    if address.get_backend_name() == "sqlite":
        return _sqlite_engine(address, create)
    try:
        return create_engine(address.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise _invalid("PostgreSQL needs the driver psycopg; install Lockstep with the extra `postgres`") from error


class Transactions:
    """Reading and writing transactions of one engine; errors leave them as ours."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One transaction that sees one state of the database and waits for no writer."""
        with our_errors(self._engine), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction, committed at the end; it holds the write lock from its first statement."""
        asked = time.monotonic()
        if not self._turn.acquire(timeout=WAIT_SECONDS):
            raise StoreUnavailable(f"{shown(self._engine)} is busy with other writes; try again")
        try:
            left_ms = max(1, int((WAIT_SECONDS - (time.monotonic() - asked)) * 1000))
            with (
                our_errors(self._engine),
                self._engine.execution_options(**{WRITE_WAIT_MS: left_ms}).begin() as connection,
            ):
                yield connection
        finally:
            self._turn.release()


@contextmanager
def our_errors(engine: Engine) -> Iterator[None]:
    """Whatever the database library raises inside becomes a StoreError that says what, where and what to do."""
    try:
        yield
    except SQLAlchemyError as error:
        raise _ours(error, engine) from error


def shown(engine: Engine) -> str:
    """The database as a message names it: the file, or the address without its password."""
    if engine.dialect.name == "sqlite":
        return f"the database {engine.url.database}"
    return f"the database {engine.url.render_as_string(hide_password=True)}"


def _parsed(url: str) -> URL:
    try:
        address = make_url(url)
        backend = address.get_backend_name()
    except (ArgumentError, ValueError) as error:
        raise _invalid(f"is not a database address; {_ACCEPTED}") from error
    if backend in ("postgres", "postgresql"):
        return address.set(drivername="postgresql")
    if backend != "sqlite":
        raise _invalid(f"names {backend!r}, which Lockstep cannot use; {_ACCEPTED}")
    if address.database in (None, "", ":memory:"):
        raise _invalid("has no file, and a database in memory cannot be shared with workers; use sqlite:///FILE")
    if address.query or address.host or "\x00" in str(address.database):
        raise _invalid("has more than a file; use sqlite:///FILE, or sqlite:////FOLDER/FILE from the root")
    return address


def _sqlite_engine(address: URL, create: bool) -> Engine:
    if sqlite.sqlite_version_info < SAFE_SQLITE:
        warnings.warn(
            f"SQLite {sqlite.sqlite_version} has a rare fault that can damage a database; use 3.51.3 or newer",
            RuntimeWarning,
            stacklevel=3,
        )
    # Made absolute now: a later change of the working folder must not lead to another database.
    path = Path(str(address.database)).absolute()
    engine = create_engine(
        address.set(drivername="sqlite", database=str(path)),
        module=sqlite,
        creator=_opener(path, create),
        pool_size=16,
        max_overflow=32,
        pool_timeout=WAIT_SECONDS,
    )
    event.listen(engine, "begin", _begin)
    return engine


def _opener(path: Path, create: bool) -> Callable[[], Any]:
    def open_database() -> Any:
        _check_file(path, create)
        # isolation_level=None: the driver's own transaction handling is off, `_begin` starts each one.
        connection = sqlite.connect(
            f"file:{quote(str(path))}?mode=rw",
            uri=True,
            timeout=WAIT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {setting}").close()
        except sqlite.Error:
            connection.close()
            raise
        return connection

    return open_database


def _begin(connection: Connection) -> None:
    wait_ms = connection.get_execution_options().get(WRITE_WAIT_MS)
    connection.exec_driver_sql(f"PRAGMA busy_timeout={wait_ms or int(WAIT_SECONDS * 1000)}")
    connection.exec_driver_sql("BEGIN" if wait_ms is None else "BEGIN IMMEDIATE")


def _check_file(path: Path, create: bool) -> None:
    try:
        if path.is_dir():
            raise StoreUnavailable(f"the database {path} is a folder; name a file")
        if not path.parent.is_dir():
            raise StoreUnavailable(f"the database {path} has no folder; create {path.parent}, or name another file")
        if not path.exists():
            if not create:
                raise StoreUnavailable(f"there is no database {path}; create it with `lockstep migrate`")
            # Exclusively: closing a descriptor of a file that SQLite has open would drop this process's locks on it.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return  # Another process created it in between; that one is as good.
    except OSError as error:
        raise StoreUnavailable(
            f"the database {path} cannot be used: {error.strerror}; check the path and its permissions"
        ) from error


def _ours(error: SQLAlchemyError, engine: Engine) -> StoreError:
    where = shown(engine)
    if isinstance(error, PoolTimeout):
        return StoreUnavailable(f"{where} has all its connections in use; try again")
    original = error.orig if isinstance(error, DBAPIError) else None
    reason = str(original or type(error).__name__).strip().partition("\n")[0]
    name = str(getattr(original, "sqlite_errorname", None) or "")
    for fault, meaning in _SQLITE_FAULTS.items():
        if name.startswith(fault):
            return StoreUnavailable(f"{where} {meaning}")
    missing = name == "SQLITE_ERROR" and reason.startswith(("no such table", "no such column"))
    if missing or getattr(original, "sqlstate", None) in ("42P01", "42703"):
        return SchemaMismatch(f"{where} lacks a table or column that this Lockstep needs; run `lockstep migrate`")
    if isinstance(error, OperationalError):
        return StoreUnavailable(f"{where} cannot be reached: {reason}; check that it runs and the address is right")
    return StoreError(f"{where} refused the operation: {reason}")


def _invalid(message: str) -> InvalidConfiguration:
    return InvalidConfiguration(Problem("database_url", message))
