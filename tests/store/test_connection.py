"""Opening databases, what a transaction holds, and how each fault reads."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy import text

from service.parity.errors import InvalidConfiguration, LockstepError, SchemaMismatch, StoreUnavailable
from service.store import connection
from service.store.connection import Transactions, make_engine, shown
from service.store.migrate import head_revision, migrate
from service.store.sql import SqlRunStore


def readiness(url: str) -> None:
    store = SqlRunStore(make_engine(url))
    try:
        store.check_ready()
    finally:
        store.close()


@pytest.mark.parametrize(
    "url",
    ["", "lockstep.db", "nonsense://x", "mysql://u:p@h/d", "file:///x.db", "postgresql://h:port/d", "sqlite://x.db",
     "sqlite://", "sqlite:///:memory:", "sqlite:///a.db?mode=ro", "sqlite:///a\x00b"],
)  # fmt: skip
def test_an_address_that_is_none_of_ours_is_a_configuration_error(url: str) -> None:
    with pytest.raises(InvalidConfiguration, match=r"^database_url: .*sqlite:///") as caught:
        make_engine(url)
    assert "Traceback" not in str(caught.value)


def test_passwords_stay_out_of_messages() -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        make_engine("mysql://user:s3cret@host/name")
    assert "s3cret" not in str(caught.value)


def test_nothing_is_opened_before_the_first_transaction(tmp_path: Path) -> None:
    make_engine(f"sqlite:///{tmp_path}/new.db", create=True).dispose()
    assert list(tmp_path.iterdir()) == []


def test_the_settings_of_a_connection(database: Path) -> None:
    engine = make_engine(f"sqlite:///{database}")
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 5000}
    with engine.begin() as open_connection:
        found = {name: open_connection.execute(text(f"PRAGMA {name}")).scalar() for name in expected}
    engine.dispose()
    assert found == expected


def test_only_migrating_creates_a_file_and_only_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    before = os.umask(0)
    try:
        with pytest.raises(
            StoreUnavailable, match=r"there is no database .*runs\.db; create it with `lockstep migrate`"
        ):
            readiness(f"sqlite:///{path}")
        assert not path.exists()
        migrate(f"sqlite:///{path}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_relative_path_is_kept_when_the_working_folder_changes(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = SqlRunStore(make_engine("sqlite:///runs.db"))
    monkeypatch.chdir("/")
    store.check_ready()
    store.close()


@pytest.mark.parametrize("name", ["with space.db", "per%cent%20.db", "que?stion#&.db", "ü漢.db"])
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{quote(str(tmp_path / name))}"
    migrate(url)
    readiness(url)
    assert [path.name for path in tmp_path.glob("*.db")] == [name]


def unusable(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "runs.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "no parent":
        path = tmp_path / "missing" / "runs.db"
    elif kind == "parent is a file":
        (tmp_path / "file").write_text("x")
        path = tmp_path / "file" / "runs.db"
    elif kind == "name too long":
        path = tmp_path / ("x" * 5000)
    elif kind == "not a database":
        path.write_text("name,red,green,blue\n" * 500)
    return path


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("folder", r"is a folder; name a file"),
        ("no parent", r"has no folder; create .*missing"),
        ("parent is a file", r"has no folder; create"),
        ("name too long", r"cannot be used: File name too long; check the path"),
        ("not a database", r"is not a database; name another file"),
    ],
)
@pytest.mark.parametrize("use", [readiness, migrate])
def test_a_path_that_cannot_be_used_says_what_where_and_what_to_do(
    tmp_path: Path, kind: str, says: str, use: object
) -> None:
    path = unusable(tmp_path, kind)
    with pytest.raises(StoreUnavailable, match=f"(?s)the database .*{says}") as caught:
        use(f"sqlite:///{path}")  # type: ignore[operator]
    message = str(caught.value)
    assert str(path) in message
    assert "PRAGMA" not in message
    assert "sqlalche" not in message


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may look into, which pytest's own is not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_file_that_may_only_be_read(migrated_database: Path, open_folder: Path) -> None:
    database = Path(shutil.copy(migrated_database, open_folder / "runs.db"))
    database.chmod(0o444)
    # Root may write everything, so a process that is nobody tries.
    program = (
        "import os, sys\n"
        "from service.store.sql import SqlRunStore\n"
        "from service.store.connection import make_engine\n"
        "from service.parity.errors import StoreUnavailable\n"
        "import service.store.migrate; service.store.migrate.head_revision()\n"
        "os.getuid() or os.setuid(65534)\n"
        "try:\n"
        "    SqlRunStore(make_engine(sys.argv[1])).check_ready()\n"
        "except StoreUnavailable as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{database}"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == (
        f"the database {database} is read-only; give this user write permission to the file and its folder\n"
    )


def test_a_damaged_database(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    database.write_bytes(content)
    with pytest.raises(StoreUnavailable, match="is damaged; restore a backup"):
        readiness(f"sqlite:///{database}")


def test_missing_tables_ask_for_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    store = SqlRunStore(make_engine(f"sqlite:///{path}"))
    with pytest.raises(SchemaMismatch, match="run `lockstep migrate`"):
        store.run("r1")
    with pytest.raises(SchemaMismatch, match="has no Lockstep tables yet; run `lockstep migrate`"):
        store.check_ready()
    store.close()


def test_a_full_disk(database: Path, store: SqlRunStore) -> None:
    engine = make_engine(f"sqlite:///{database}")

    def write_more_than_fits() -> None:
        with Transactions(engine).writing() as writer:
            writer.exec_driver_sql("PRAGMA max_page_count=1")
            writer.exec_driver_sql("CREATE TABLE large AS SELECT zeroblob(1000000) AS content")

    with pytest.raises(StoreUnavailable, match="the disk is full"):
        write_more_than_fits()
    engine.dispose()
    store.check_ready()


class TestTransactions:
    def test_a_writer_waits_for_a_lock_that_is_let_go(self, database: Path, store: SqlRunStore) -> None:
        holder = sqlite.connect(str(database), isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.3, lambda: holder.execute("COMMIT"))
        release.start()
        store.check_ready()
        release.join()
        holder.close()

    def test_a_lock_that_stays_is_an_error_in_time_for_every_waiter(
        self, database: Path, store: SqlRunStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "WAIT_SECONDS", 0.4)
        holder = sqlite.connect(str(database), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        errors: list[LockstepError] = []

        def attempt() -> None:
            try:
                store.check_ready()
            except LockstepError as error:
                errors.append(error)

        waiters = [threading.Thread(target=attempt) for _ in range(4)]
        began = time.monotonic()
        for waiter in waiters:
            waiter.start()
        for waiter in waiters:
            waiter.join()
        took = time.monotonic() - began
        holder.execute("ROLLBACK")
        holder.close()
        assert [type(error) for error in errors] == [StoreUnavailable] * 4
        # One after another, each with its own full wait, they would need 1.6 s.
        assert took < 1.2

    def test_waiting_for_the_process_and_for_the_file_is_one_wait(
        self, database: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(connection, "WAIT_SECONDS", 2.0)
        engine = make_engine(f"sqlite:///{database}")
        transactions = Transactions(engine)
        holder = sqlite.connect(str(database), isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        transactions._turn.acquire()
        release = threading.Timer(1.2, transactions._turn.release)
        release.start()
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="is locked by another process"), transactions.writing():
            pass
        took = time.monotonic() - began
        release.join()
        holder.close()
        engine.dispose()
        assert took < 2.8

    def test_readers_do_not_wait_for_a_writer(self, database: Path, store: SqlRunStore) -> None:
        engine = make_engine(f"sqlite:///{database}")
        transactions = Transactions(engine)
        with transactions.writing() as writer:
            writer.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")
            with transactions.reading() as reader:
                assert reader.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == head_revision()
        engine.dispose()

    def test_an_error_inside_undoes_the_whole_transaction(self, database: Path) -> None:
        engine = make_engine(f"sqlite:///{database}")
        transactions = Transactions(engine)

        def write_and_fail() -> None:
            with transactions.writing() as writer:
                writer.exec_driver_sql("UPDATE alembic_version SET version_num = 'x'")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_and_fail()
        with transactions.reading() as reader:
            assert reader.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == head_revision()
        engine.dispose()


def test_a_server_is_shown_without_its_password() -> None:
    pytest.importorskip("psycopg")
    engine = make_engine("postgresql://user:s3cret@host/name")
    assert shown(engine) == "the database postgresql+psycopg://user:***@host/name"


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InvalidConfiguration, match="extra `postgres`"):
        make_engine("postgresql://user:pw@host/name")
