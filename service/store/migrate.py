"""Bringing a database to this Lockstep's revision, and saying which one it has.

Alembic is configured in code and told where the migrations are, so this works from any working folder.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

import service
from service.parity.errors import SchemaMismatch, StoreError
from service.store.connection import WRITE_WAIT_MS, make_engine, our_errors, shown
from service.store.schema import Base

# Beside `service`, wherever both are installed. Not imported by name: any folder called migrations could answer to it.
MIGRATIONS = Path(str(service.__file__)).resolve().parent.parent / "migrations"

_ADVISORY_LOCK = 0x10C57E9
"""PostgreSQL's lock under which one process migrates at a time; any number that nobody else uses."""


def migrate(url: str, scripts: Path = MIGRATIONS) -> str:
    """Bring the database to the newest revision and return it; creates an SQLite file where there is none.

    All in one transaction: a migration that is interrupted leaves the database as it was. Raises SchemaMismatch for a
    database that a newer Lockstep wrote, StoreUnavailable for one that cannot be opened.
    """
    engine = make_engine(url, create=True)
    try:
        with migrating(engine) as connection:
            current = revision_of(connection)
            if current is None:
                _refuse_foreign(connection, engine)
            else:
                _refuse_unknown(current, engine, scripts)
            config = _config(scripts)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return head_revision(scripts)
    finally:
        engine.dispose()


def current_revision(url: str) -> str | None:
    """The database's revision; `None` before the first migration, StoreUnavailable where there is no database."""
    engine = make_engine(url)
    try:
        with our_errors(engine), engine.begin() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


@functools.cache
def head_revision(scripts: Path = MIGRATIONS) -> str:
    """The newest revision that this Lockstep knows."""
    head = _directory(scripts).get_current_head()
    if head is None:
        raise StoreError(f"no migrations were found in {scripts}; install Lockstep again")
    return head


def revision_of(connection: Connection) -> str | None:
    """The revision of a database with an open connection."""
    return MigrationContext.configure(connection).get_current_revision()


def check_revision(connection: Connection, engine: Engine) -> None:
    """Raise SchemaMismatch unless the database is at this Lockstep's revision, saying what to do about it."""
    current, head = revision_of(connection), head_revision()
    if current == head:
        return
    if current is None:
        raise SchemaMismatch(f"{shown(engine)} has no Lockstep tables yet; run `lockstep migrate`")
    _refuse_unknown(current, engine, MIGRATIONS)
    raise SchemaMismatch(
        f"{shown(engine)} is at revision {current} and this Lockstep needs {head}; run `lockstep migrate`"
    )


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """The transaction that migrations run in; the engine must be disposed of afterwards."""
    on_sqlite = engine.dialect.name == "sqlite"
    with our_errors(engine), engine.connect().execution_options(**{WRITE_WAIT_MS: 60_000}) as connection:
        if on_sqlite:
            # SQLite changes a table by copying and dropping it, and dropping would cascade into its children's rows.
            # The setting cannot change inside a transaction, and stays with the connection: hence the disposal.
            driver_connection: Any = connection.connection.driver_connection
            driver_connection.execute("PRAGMA foreign_keys=OFF").close()
        with connection.begin():
            if not on_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
            yield connection
            if on_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise StoreError(
                    f"{shown(engine)} would have rows without their run after migrating; it was left as it is"
                )


def _refuse_unknown(current: str, engine: Engine, scripts: Path) -> None:
    known = {script.revision for script in _directory(scripts).walk_revisions()}
    if current not in known:
        raise SchemaMismatch(
            f"{shown(engine)} is at revision {current}, which this Lockstep does not know; "
            "use the newer Lockstep or another database"
        )


def _refuse_foreign(connection: Connection, engine: Engine) -> None:
    taken = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
    if taken:
        raise SchemaMismatch(
            f"{shown(engine)} has a table {taken[0]!r} that Lockstep did not create; use another database"
        )


def _config(scripts: Path) -> Config:
    config = Config()
    # The value is read with interpolation, where a percent sign stands for itself only when doubled.
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _directory(scripts: Path) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(scripts))
