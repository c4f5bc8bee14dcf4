"""What only the database store promises: between processes, in its tables, and in PostgreSQL's language."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pysqlite3.dbapi2 as sqlite
import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from service.parity.ladder import Promotion
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.record import DiffStats, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.store.schema import Base
from service.store.sql import SqlRunStore

T0 = datetime(2025, 1, 2, tzinfo=UTC)
NAN = float("nan")
STATS = DiffStats(1, 0, 0, 0, 0, 0, NAN, 0.0, 1.0, 2**64 - 1, (0,))
SLICE = Slice("a_a", 0, 0, 0, "reference", 5, 1.0, 1.0, 0.005, 1.0, 1.1)

CLAIMER = """
import sys
from datetime import UTC, datetime
from service.store.connection import make_engine
from service.store.sql import SqlRunStore
store = SqlRunStore(make_engine(sys.argv[1]))
store.check_ready()
print("ready", flush=True)
sys.stdin.readline()
while (row := store.claim_next(sys.argv[2], datetime.now(UTC))) is not None:
    print(row.id, flush=True)
store.close()
"""


def create(store: SqlRunStore, run_id: str) -> None:
    store.create_run(run_id, Plan(), named_policy("default"), T0)


def query(database: Path, statement: str) -> list[tuple[object, ...]]:
    open_connection = sqlite.connect(str(database))
    try:
        rows: list[tuple[object, ...]] = open_connection.execute(statement).fetchall()
    finally:
        open_connection.close()
    return rows


def test_eight_processes_never_claim_the_same_run(database: Path, store: SqlRunStore) -> None:
    ids = [f"r{number:03}" for number in range(200)]
    for run_id in ids:
        create(store, run_id)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMER, f"sqlite:///{database}", f"worker-{number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        taken = {number: process.communicate(timeout=60)[0].split() for number, process in enumerate(processes)}
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(run_id for mine in taken.values() for run_id in mine) == ids
    assert all(store.run(run_id).worker == f"worker-{number}" for number, mine in taken.items() for run_id in mine)


def test_deleting_a_run_takes_its_rows_and_nobody_elses(database: Path, store: SqlRunStore) -> None:
    for run_id in ("r1", "r2"):
        create(store, run_id)
        store.claim(run_id, "w", T0)
        store.add_losses(run_id, [StepLosses("synchronized", 0, 1.0, 1.0)])
        store.add_diffs(run_id, [TapDiff("synchronized", 0, 0, "loss", (), "float32", STATS)])
        store.add_slices(run_id, [SLICE])
        store.add_telemetry(run_id, [TelemetrySample(1.0, "power_w", 2.5)])
        store.add_allocations(run_id, "candidate", [AllocationEvent(-1, "malloc", 512)])
        store.finish(run_id, Verdict("PASS", "", (CheckResult("a", "pass", ""),), "default"), T0)
    open_connection = sqlite.connect(str(database), isolation_level=None)
    open_connection.execute("PRAGMA foreign_keys=ON")
    open_connection.execute("DELETE FROM runs WHERE id = 'r1'")
    open_connection.close()
    for table in sorted(set(Base.metadata.tables) - {"runs", "promotions"}):
        assert query(database, f"SELECT DISTINCT run_id FROM {table}") == [("r2",)]


def test_a_run_that_the_ladder_rests_on_cannot_be_deleted(database: Path, store: SqlRunStore) -> None:
    create(store, "r1")
    store.add_promotion(Promotion(1, "promote", "wrapper", T0, "ann", "r1", "ab"))
    with closing(sqlite.connect(str(database), isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        with pytest.raises(sqlite.IntegrityError, match="FOREIGN KEY"):
            connection.execute("DELETE FROM runs WHERE id = 'r1'")
    assert store.promotions()[0].run_id == store.run("r1").id


def test_rows_survive_a_new_process_of_the_store(database: Path, store: SqlRunStore) -> None:
    create(store, "r1")
    store.close()
    assert store.run("r1").state == "queued"


def test_nan_and_huge_numbers_sort_above_the_others_in_sql(database: Path, store: SqlRunStore) -> None:
    create(store, "r1")
    values = [float("inf"), NAN, None, 1.0, -5.0]
    store.add_losses("r1", [StepLosses("synchronized", step, value, None) for step, value in enumerate(values)])
    worst_first = "SELECT step FROM steps WHERE reference_loss IS NOT NULL ORDER BY reference_loss DESC"
    assert query(database, worst_first) == [(1,), (0,), (3,), (4,)]
    assert query(database, "SELECT step FROM steps WHERE reference_loss > 2 ORDER BY step") == [(0,), (1,)]
    store.add_diffs(
        "r1",
        [
            TapDiff(
                "synchronized", 0, position, "loss", (), "float64", DiffStats(*[0] * 6, None, None, None, ulp, None)
            )  # type: ignore[arg-type]
            for position, ulp in enumerate([9, 2**64 - 1, 10, 2**63])
        ],
    )
    assert query(database, "SELECT position FROM diffs ORDER BY max_ulp") == [(0,), (2,), (3,), (1,)]


def test_every_kind_of_number_is_stored_as_itself(database: Path, store: SqlRunStore) -> None:
    create(store, "r1")
    store.add_losses("r1", [StepLosses("synchronized", 0, NAN, None), StepLosses("synchronized", 1, 1.0, -1e999)])
    kinds = query(database, "SELECT typeof(reference_loss), typeof(candidate_loss) FROM steps ORDER BY step")
    assert kinds == [("text", "null"), ("real", "real")]


def test_claiming_and_listing_use_their_indexes(database: Path) -> None:
    claiming = "SELECT id FROM runs WHERE state = 'queued' ORDER BY id LIMIT 1"
    page = "SELECT * FROM diffs WHERE run_id = 'r' AND phase = 'p' ORDER BY step, position LIMIT 9"
    samples = "SELECT * FROM telemetry WHERE run_id = 'r' ORDER BY at_s, field LIMIT 9"
    own = "SELECT * FROM telemetry WHERE run_id = 'r' AND field = 'f' ORDER BY at_s, field LIMIT 9"
    events = "SELECT * FROM allocations WHERE run_id = 'r' AND role = 'candidate' ORDER BY position LIMIT 9"
    for statement, index in (
        (claiming, "ix_runs_state_id"),
        (page, "sqlite_autoindex_diffs_1"),
        (samples, "sqlite_autoindex_telemetry_1"),
        (own, "sqlite_autoindex_telemetry_1"),
        (events, "sqlite_autoindex_allocations_1"),
    ):
        (step,) = query(database, f"EXPLAIN QUERY PLAN {statement}")
        assert index in str(step[3])


@pytest.mark.parametrize("table", Base.metadata.sorted_tables, ids=lambda table: table.name)
def test_every_constraint_has_a_name(table: object) -> None:
    statement = str(CreateTable(table).compile(dialect=postgresql.dialect()))  # type: ignore[arg-type, no-untyped-call]
    for line in statement.splitlines():
        if any(word in line for word in ("PRIMARY KEY", "FOREIGN KEY", "CHECK", "UNIQUE")):
            assert line.strip().startswith("CONSTRAINT ")
