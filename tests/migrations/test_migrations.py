"""Migrations leave a database at one revision or the other, never between, and never lose rows."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from service.parity.checks import judge
from service.parity.errors import SchemaMismatch, StoreUnavailable
from service.parity.ladder import Promotion
from service.ports import RunFilter
from service.store.connection import make_engine
from service.store.migrate import MIGRATIONS, current_revision, head_revision, migrate
from service.store.schema import Base
from service.store.sql import SqlRunStore

ROOT = Path(MIGRATIONS).parent
ASSETS = Path(__file__).with_name("assets")

NEXT = """
import os, signal
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "0004"


def upgrade() -> None:
    op.create_table("extra", sa.Column("id", sa.Integer(), primary_key=True))
    {between}
    with op.batch_alter_table("runs", recreate="always") as batch:
        batch.add_column(sa.Column("note", sa.Text()))
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture
def next_scripts(tmp_path: Path) -> Path:
    """A later Lockstep's migrations: today's, and one that rebuilds the table that all others refer to."""
    return scripts_with(tmp_path, "pass")


def scripts_with(tmp_path: Path, between: str) -> Path:
    scripts = tmp_path / "later"
    shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    (scripts / "versions" / "9999_note.py").write_text(NEXT.format(between=between))
    return scripts


def query(url: str, statement: str) -> list[tuple[object, ...]]:
    open_connection = sqlite.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    try:
        rows: list[tuple[object, ...]] = open_connection.execute(statement).fetchall()
    finally:
        open_connection.close()
    return rows


def tables(url: str) -> set[object]:
    found = query(url, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in found}


def check_ready(url: str) -> None:
    store = SqlRunStore(make_engine(url))
    try:
        store.check_ready()
    finally:
        store.close()


def test_a_new_database_ends_at_the_newest_revision(url: str) -> None:
    assert migrate(url) == head_revision() == current_revision(url)
    assert tables(url) == {*Base.metadata.tables, "alembic_version"}
    check_ready(url)


def test_the_migrated_tables_are_those_of_the_code(url: str) -> None:
    migrate(url)
    engine = make_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_their_definitions_are_the_same_to_the_letter(url: str, tmp_path: Path) -> None:
    """Alembic does not compare checks. A column that was added later stands at the end, on the same line."""
    migrate(url)
    other = f"sqlite:///{tmp_path}/metadata.db"
    engine = create_engine(other, module=sqlite)
    Base.metadata.create_all(engine)
    engine.dispose()
    definitions = "SELECT name, sql FROM sqlite_master WHERE name != 'alembic_version' ORDER BY name"

    def by_name(address: str) -> dict[object, list[str]]:
        return {
            name: sorted(word.strip() for word in re.findall(r"[^,\n\t()]+", str(sql)) if word.strip())
            for name, sql in query(address, definitions)
            if "alembic" not in str(name)
        }

    assert by_name(url) == by_name(other)


def test_migrating_twice_changes_nothing(url: str) -> None:
    migrate(url)
    before = Path(url.removeprefix("sqlite:///")).read_bytes()
    assert migrate(url) == head_revision()
    assert Path(url.removeprefix("sqlite:///")).read_bytes() == before


def test_the_working_folder_does_not_matter(url: str, tmp_path: Path) -> None:
    decoy = tmp_path / "elsewhere" / "migrations"
    decoy.mkdir(parents=True)
    (decoy / "env.py").write_text("raise SystemExit('the wrong migrations')")
    program = "import sys; from service.store.migrate import migrate; print(migrate(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, url], cwd=decoy.parent, capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == (f"{head_revision()}\n", "")


def test_eight_processes_migrate_one_new_database(url: str) -> None:
    program = "import sys; from service.store.migrate import migrate; migrate(sys.argv[1])"
    processes = [
        subprocess.Popen([sys.executable, "-c", program, url], stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    errors = [process.communicate(timeout=100)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, errors
    check_ready(url)


class TestInterrupted:
    def test_an_error_between_two_tables_leaves_nothing(self, url: str, tmp_path: Path) -> None:
        migrate(url)
        broken = scripts_with(tmp_path, "raise RuntimeError('in the middle')")
        with pytest.raises(RuntimeError, match="in the middle"):
            migrate(url, broken)
        assert current_revision(url) == head_revision()
        assert "extra" not in tables(url)
        check_ready(url)

    @pytest.mark.parametrize("table", ["steps", "diffs", "checks"])
    def test_a_first_migration_killed_between_two_tables_leaves_nothing(
        self, url: str, tmp_path: Path, table: str
    ) -> None:
        scripts = tmp_path / "killed"
        shutil.copytree(MIGRATIONS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        (first,) = scripts.glob("versions/0001_*.py")
        source = first.read_text()
        marker = f'    op.create_table(\n        "{table}"'
        assert source.count(marker) == 1
        first.write_text(source.replace(marker, f"    __import__('os').kill(__import__('os').getpid(), 9)\n{marker}"))
        program = (
            "import sys; from pathlib import Path; from service.store.migrate import migrate\n"
            "migrate(sys.argv[1], Path(sys.argv[2]))"
        )
        done = subprocess.run([sys.executable, "-c", program, url, str(scripts)], timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        assert tables(url) == set()
        assert migrate(url) == head_revision()
        check_ready(url)


class TestLaterRevisions:
    def fill(self, url: str) -> None:
        query(
            url,
            "INSERT INTO runs (id, state, reference, candidate, created_at, cancel_requested, plan_digest, plan, "
            "policy) VALUES ('r1', 'queued', 'a', 'b', '2025-01-01 00:00:00.000000', 0, '', '{}', '{}')",
        )
        query(url, "INSERT INTO steps (run_id, phase, step) VALUES ('r1', 'synchronized', 0)")

    def test_rebuilding_a_table_keeps_the_rows_that_refer_to_it(self, url: str, next_scripts: Path) -> None:
        migrate(url)
        self.fill(url)
        assert migrate(url, next_scripts) == "9999"
        assert query(url, "SELECT run_id FROM steps") == [("r1",)]
        assert query(url, "SELECT note FROM runs") == [(None,)]

    def test_a_newer_database_is_refused_and_left_alone(self, url: str, next_scripts: Path) -> None:
        migrate(url)
        migrate(url, next_scripts)
        says = "is at revision 9999, which this Lockstep does not know; use the newer Lockstep or another database"
        for use in (migrate, check_ready):
            with pytest.raises(SchemaMismatch, match=says):
                use(url)
        assert current_revision(url) == "9999"

    def test_an_older_database_asks_for_a_migration(
        self, url: str, next_scripts: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        migrate(url)
        monkeypatch.setattr("service.store.migrate.MIGRATIONS", next_scripts)
        monkeypatch.setattr("service.store.migrate.head_revision", lambda: head_revision(next_scripts))
        with pytest.raises(SchemaMismatch, match="is at revision 0004 and this Lockstep needs 9999; run `lockstep mig"):
            check_ready(url)


class TestDatabasesOfEarlierVersions:
    """`assets/NNNN.sql` is a database as the Lockstep of that revision left it."""

    def test_what_revision_0001_kept_is_read_by_this_version(self, url: str) -> None:
        with closing(sqlite.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((ASSETS / "0001.sql").read_text())
        assert current_revision(url) == "0001"
        with pytest.raises(SchemaMismatch, match="run `lockstep migrate`"):
            check_ready(url)
        assert migrate(url) == head_revision()
        with closing(SqlRunStore(make_engine(url))) as store:
            (run,) = store.runs(RunFilter())
            assert (run.state, run.outcome, run.plan.candidate) == ("finished", "PASS", "harmless-split-k")
            assert len(store.losses(run.id, None, 0, 1000)) == 2 + 12
            diffs = store.diffs(run.id, None, None, 0, 1000)
            assert len(diffs) == 2 * 13
            assert {(diff.reference_slack, diff.reference_spread, diff.stats.max_rel) for diff in diffs} == {
                (1.0, None, None)
            }
            assert [check.name for check in store.checks(run.id)][:1] == ["integrity.same_batches"]
            record = store.record(run.id)
            assert record is not None
            assert record.synchronized is not None
            assert record.synchronized.diffs == tuple(diffs)
            assert record.performance is None
            assert judge(record, run.policy).outcome in ("PASS", "INCONCLUSIVE")

    def test_slices_of_revision_0002_were_taken_in_one_stretch(self, url: str) -> None:
        with closing(sqlite.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((ASSETS / "0002.sql").read_text())
        assert current_revision(url) == "0002"
        assert migrate(url) == head_revision()
        with closing(SqlRunStore(make_engine(url))) as store:
            (run,) = store.runs(RunFilter())
            record = store.record(run.id)
            assert record is not None
            assert record.performance is not None
            assert record.memory is not None
            assert len(record.performance.slices) > 90
            assert {(piece.turns, piece.own_s) for piece in record.performance.slices} == {(1, None)}
            judged = {check.name: check.outcome for check in judge(record, run.policy).checks}
            assert {check.name: check.outcome for check in store.checks(run.id)} == judged

    def test_a_ladder_begins_where_revision_0003_had_none(self, url: str) -> None:
        with closing(sqlite.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript((ASSETS / "0003.sql").read_text())
        assert current_revision(url) == "0003"
        assert migrate(url) == head_revision()
        with closing(SqlRunStore(make_engine(url))) as store:
            (run,) = store.runs(RunFilter())
            record = store.record(run.id)
            assert record is not None
            assert record.performance is not None
            assert (run.plan.candidate, store.promotions()) == ("basemodel@forward", [])
            judged = {check.name: check.outcome for check in judge(record, run.policy).checks}
            assert {check.name: check.outcome for check in store.checks(run.id)} == judged
            line = Promotion(1, "promote", "forward", datetime(2030, 1, 1, tzinfo=UTC), "somebody", run.id, "ab")
            assert store.add_promotion(line) == line
            assert store.promotions() == [line]


class TestForeignDatabases:
    def test_somebody_elses_table_of_that_name_is_not_touched(self, url: str) -> None:
        query(url, "CREATE TABLE runs (id INTEGER)")
        with pytest.raises(
            SchemaMismatch, match="has a table 'runs' that Lockstep did not create; use another database"
        ):
            migrate(url)
        assert tables(url) == {"runs"}

    def test_no_database_has_no_revision(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="there is no database"):
            current_revision(url)
        assert list(tmp_path.iterdir()) == []

    def test_an_empty_database_has_no_revision_yet(self, url: str) -> None:
        Path(url.removeprefix("sqlite:///")).touch()
        assert current_revision(url) is None


class TestDevelopersCommand:
    def run(self, tmp_path: Path, *arguments: str) -> str:
        command = [sys.executable, "-W", "error", "-m", "alembic", "-c", str(ROOT / "alembic.ini"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def test_upgrade_check_and_downgrade(self, url: str, tmp_path: Path) -> None:
        self.run(tmp_path, "-x", f"url={url}", "upgrade", "head")
        check_ready(url)
        assert "No new upgrade operations" in self.run(tmp_path, "-x", f"url={url}", "check")
        self.run(tmp_path, "-x", f"url={url}", "downgrade", "base")
        assert tables(url) == {"alembic_version"}

    def test_the_statements_for_postgresql(self, tmp_path: Path) -> None:
        pytest.importorskip("psycopg")
        statements = self.run(tmp_path, "-x", "url=postgresql+psycopg://h/d", "upgrade", "head", "--sql")
        assert 'COLLATE "C"' in statements
        assert "DOUBLE PRECISION" in statements
