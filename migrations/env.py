"""Runs the migrations inside the transaction it is given, or begins one for a developer's `alembic` command.

SQLite can roll table definitions back, but only when nobody commits in between: the driver's own transaction handling
is off and the engine's begin event starts the transaction (`service.store.connection`). A migration that is killed
halfway therefore leaves nothing. Batch mode, because SQLite cannot alter a constraint in place.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from service.store.connection import make_engine
from service.store.migrate import migrating
from service.store.schema import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        transactional_ddl=True,
        transaction_per_migration=False,
        render_as_batch=True,
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def run_for_developer() -> None:
    url = context.get_x_argument(as_dictionary=True).get("url") or context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise SystemExit("no database address; give one with `alembic -x url=sqlite:///FILE …`")
    if context.is_offline_mode():
        context.configure(url=url, target_metadata=Base.metadata, literal_binds=True, transactional_ddl=True)
        with context.begin_transaction():
            context.run_migrations()
        return
    engine = make_engine(url, create=True)
    try:
        with migrating(engine) as connection:
            run(connection)
    finally:
        engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    run_for_developer()
else:
    run(given)
