"""The run store in a database: SQLite on one machine, PostgreSQL on several.

Each method is one transaction. Every change of a run reads its row under a lock, asks `transitions` what may happen and
writes the result, so two writers can never both be right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Engine,
    MappingResult,
    Select,
    Table,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import cast as cast_in_sql
from sqlalchemy.dialects import postgresql, sqlite

from service.parity.ladder import Promotion
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.plan import PHASES, Plan
from service.parity.policy import Policy
from service.parity.record import SIDES, RunRecord, Side, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.ports import FinishedRun, Progress, RunFilter, RunRow
from service.store import mapping, transitions
from service.store.codec import MeasuredRows, decode, decode_record, encode, encode_record
from service.store.connection import Transactions
from service.store.migrate import check_revision
from service.store.schema import Allocation, Check, Diff, PromotionLine, Run, Step, Telemetry, TimedSlice

_RUNS = cast(Table, Run.__table__)
_STEPS = cast(Table, Step.__table__)
_DIFFS = cast(Table, Diff.__table__)
_CHECKS = cast(Table, Check.__table__)
_SLICES = cast(Table, TimedSlice.__table__)
_TELEMETRY = cast(Table, Telemetry.__table__)
_ALLOCATIONS = cast(Table, Allocation.__table__)
_PROMOTIONS = cast(Table, PromotionLine.__table__)

# A listing leaves the two large documents where they are.
_LISTED = [column for column in _RUNS.columns if column.name not in ("record", "verdict")]

_MOST_ROWS = 2**31 - 1
_DIGESTS_A_QUERY = 500


class SqlRunStore:
    """A `RunStore` on a migrated database; safe to share between threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)

    def create_run(self, run_id: str, plan: Plan, policy: Policy, created_at: datetime) -> RunRow:
        row = RunRow(run_id, "queued", plan, policy, transitions.utc(created_at))
        columns = mapping.new_run_columns(row)
        with self._transactions.writing() as connection:
            new = _insert_unless_there(connection, _RUNS).returning(_RUNS.c.id)
            if connection.execute(new, columns).first() is None:
                raise transitions.exists_already(run_id)
        return row

    def run(self, run_id: str) -> RunRow:
        with self._transactions.reading() as connection:
            return _load(connection, run_id)

    def runs(self, which: RunFilter) -> list[RunRow]:
        query = select(*_LISTED).order_by(_RUNS.c.id.desc()).limit(_page(which.limit))
        for name in ("state", "outcome", "reference", "candidate"):
            wanted = getattr(which, name)
            if wanted is not None:
                query = query.where(_RUNS.c[name] == wanted)
        if which.before is not None:
            query = query.where(_RUNS.c.id < which.before)
        with self._transactions.reading() as connection:
            return [mapping.run_row(found) for found in connection.execute(query).mappings()]

    def finished_runs(self, plan_digests: Collection[str]) -> list[FinishedRun]:
        digests, found = sorted(plan_digests), []
        with self._transactions.reading() as connection:
            subjects = _subjects_of_record(connection)
            query = select(*_LISTED, subjects).where(_RUNS.c.state == "finished")
            for begin in range(0, len(digests), _DIGESTS_A_QUERY):
                some = digests[begin : begin + _DIGESTS_A_QUERY]
                rows = connection.execute(query.where(_RUNS.c.plan_digest.in_(some))).mappings()
                found += [mapping.finished_run(columns) for columns in rows]
        return sorted(found, key=lambda one: one.run.id, reverse=True)

    def claim_next(self, worker: str, started_at: datetime) -> RunRow | None:
        oldest = select(*_LISTED).where(_RUNS.c.state == "queued").order_by(_RUNS.c.id).limit(1)
        with self._transactions.writing() as connection:
            # PostgreSQL: a row that another worker is taking just now is passed over. SQLite has one writer.
            found = connection.execute(oldest.with_for_update(skip_locked=True)).mappings().first()
            if found is None:
                return None
            return _store(connection, transitions.claim(mapping.run_row(found), worker, started_at))

    def claim(self, run_id: str, worker: str, started_at: datetime) -> RunRow:
        with self._transactions.writing() as connection:
            return _store(connection, transitions.claim(_load(connection, run_id, lock=True), worker, started_at))

    def report_progress(self, run_id: str, progress: Progress) -> bool:
        with self._transactions.writing() as connection:
            row = transitions.progress(_load(connection, run_id, lock=True), progress)
            return transitions.should_stop(_store(connection, row))

    def request_cancel(self, run_id: str, at: datetime) -> RunRow:
        with self._transactions.writing() as connection:
            return _store(connection, transitions.request_cancel(_load(connection, run_id, lock=True), at))

    def add_losses(self, run_id: str, rows: Sequence[StepLosses]) -> None:
        self._add(run_id, _STEPS, [mapping.step_columns(run_id, row) for row in rows])

    def add_diffs(self, run_id: str, rows: Sequence[TapDiff]) -> None:
        self._add(run_id, _DIFFS, [mapping.diff_columns(run_id, row) for row in rows])

    def add_slices(self, run_id: str, rows: Sequence[Slice]) -> None:
        self._add(run_id, _SLICES, [mapping.slice_columns(run_id, row) for row in rows])

    def add_telemetry(self, run_id: str, rows: Sequence[TelemetrySample]) -> None:
        self._add(run_id, _TELEMETRY, [mapping.telemetry_columns(run_id, row) for row in rows])

    def add_allocations(self, run_id: str, role: Side, rows: Sequence[AllocationEvent]) -> None:
        columns = [mapping.allocation_columns(run_id, role, position, row) for position, row in enumerate(rows)]
        there = select(_ALLOCATIONS.c.position).where(_ALLOCATIONS.c.run_id == run_id, _ALLOCATIONS.c.role == role)
        with self._transactions.writing() as connection:
            _require(connection, run_id)
            if columns and connection.scalar(there.limit(1)) is None:
                connection.execute(insert(_ALLOCATIONS), columns)

    def _add(self, run_id: str, table: Table, columns: list[dict[str, Any]]) -> None:
        with self._transactions.writing() as connection:
            _require(connection, run_id)
            if columns:
                connection.execute(_insert_unless_there(connection, table), columns)

    def save_record(self, run_id: str, record: RunRecord) -> None:
        document = encode_record(record)
        with self._transactions.writing() as connection:
            _require(connection, run_id)
            connection.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(record=document))

    def record(self, run_id: str) -> RunRecord | None:
        with self._transactions.reading() as connection:
            document = _document(connection, run_id, "record")
            if document is None:
                return None
            losses = [mapping.step_losses(found) for found in _in_order(connection, _STEPS, run_id)]
            diffs = [mapping.tap_diff(found) for found in _in_order(connection, _DIFFS, run_id)]
            measured = MeasuredRows(
                _slices(connection, run_id, 0, _MOST_ROWS),
                _telemetry(connection, run_id, None, 0, _MOST_ROWS),
                _allocations(connection, run_id, None, 0, _MOST_ROWS),
            )
        return decode_record(document, losses, diffs, measured)

    def finish(self, run_id: str, verdict: Verdict, at: datetime) -> RunRow:
        header, checks = encode(replace(verdict, checks=())), mapping.check_columns(run_id, verdict)
        with self._transactions.writing() as connection:
            row = _store(connection, transitions.finish(_load(connection, run_id, lock=True), verdict, at))
            connection.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(verdict=header))
            connection.execute(delete(_CHECKS).where(_CHECKS.c.run_id == run_id))
            if checks:
                connection.execute(insert(_CHECKS), checks)
        return row

    def fail(self, run_id: str, code: str, message: str, at: datetime) -> RunRow:
        with self._transactions.writing() as connection:
            return _store(connection, transitions.fail(_load(connection, run_id, lock=True), code, message, at))

    def mark_cancelled(self, run_id: str, at: datetime) -> RunRow:
        with self._transactions.writing() as connection:
            return _store(connection, transitions.cancel(_load(connection, run_id, lock=True), at))

    def verdict(self, run_id: str) -> Verdict | None:
        with self._transactions.reading() as connection:
            document = _document(connection, run_id, "verdict")
            if document is None:
                return None
            return replace(decode(Verdict, document), checks=tuple(_checks(connection, run_id)))

    def losses(self, run_id: str, phase: str | None, offset: int, limit: int) -> list[StepLosses]:
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            found = _in_order(connection, _STEPS, run_id, phase, (), offset, limit)
            return [mapping.step_losses(columns) for columns in found]

    def diffs(self, run_id: str, phase: str | None, tap: str | None, offset: int, limit: int) -> list[TapDiff]:
        where = () if tap is None else (_DIFFS.c.tap == tap,)
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            found = _in_order(connection, _DIFFS, run_id, phase, where, offset, limit)
            return [mapping.tap_diff(columns) for columns in found]

    def slices(self, run_id: str, offset: int, limit: int) -> list[Slice]:
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            return _slices(connection, run_id, offset, limit)

    def telemetry(self, run_id: str, field: str | None, offset: int, limit: int) -> list[TelemetrySample]:
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            return _telemetry(connection, run_id, field, offset, limit)

    def allocations(
        self, run_id: str, role: Side | None, offset: int, limit: int
    ) -> list[tuple[Side, AllocationEvent]]:
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            return _allocations(connection, run_id, role, offset, limit)

    def checks(self, run_id: str) -> list[CheckResult]:
        with self._transactions.reading() as connection:
            _require(connection, run_id)
            return _checks(connection, run_id)

    def add_promotion(self, promotion: Promotion) -> Promotion:
        with self._transactions.writing() as connection:
            if promotion.run_id is not None:
                _require(connection, promotion.run_id)
            last = connection.scalar(select(func.max(_PROMOTIONS.c.number))) or 0
            kept = transitions.promotion(promotion, last)
            # On PostgreSQL two writers may both have seen the same last line: one of them inserts nothing.
            new = _insert_unless_there(connection, _PROMOTIONS).returning(_PROMOTIONS.c.number)
            if connection.execute(new, mapping.promotion_columns(kept)).first() is None:
                raise transitions.moved_meanwhile()
        return kept

    def promotions(self) -> list[Promotion]:
        query = select(_PROMOTIONS).order_by(_PROMOTIONS.c.number)
        with self._transactions.reading() as connection:
            return [mapping.promotion(columns) for columns in connection.execute(query).mappings()]

    def check_ready(self) -> None:
        # A writing transaction, because a store that can only be read cannot be used.
        with self._transactions.writing() as connection:
            check_revision(connection, self._engine)

    def close(self) -> None:
        self._engine.dispose()


def _load(connection: Connection, run_id: str, lock: bool = False) -> RunRow:
    query = select(*_LISTED).where(_RUNS.c.id == run_id)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise transitions.not_found(run_id)
    return mapping.run_row(found)


def _store(connection: Connection, row: RunRow) -> RunRow:
    connection.execute(update(_RUNS).where(_RUNS.c.id == row.id).values(mapping.changing_columns(row)))
    return row


def _require(connection: Connection, run_id: str) -> None:
    if connection.scalar(select(_RUNS.c.id).where(_RUNS.c.id == run_id)) is None:
        raise transitions.not_found(run_id)


def _document(connection: Connection, run_id: str, name: str) -> str | None:
    found = connection.execute(select(_RUNS.c[name]).where(_RUNS.c.id == run_id)).first()
    if found is None:
        raise transitions.not_found(run_id)
    return cast("str | None", found[0])


def _subjects_of_record(connection: Connection) -> ColumnElement[str]:
    """The record's `subjects` as text: the database reads the document, of which nothing else is wanted."""
    if connection.dialect.name == "sqlite":
        return func.json_extract(_RUNS.c.record, "$.subjects").label("subjects")
    return cast_in_sql(cast_in_sql(_RUNS.c.record, JSON)["subjects"], Text).label("subjects")


def _checks(connection: Connection, run_id: str) -> list[CheckResult]:
    query = select(_CHECKS).where(_CHECKS.c.run_id == run_id).order_by(_CHECKS.c.position)
    return [mapping.check_result(columns) for columns in connection.execute(query).mappings()]


def _slices(connection: Connection, run_id: str, offset: int, limit: int) -> list[Slice]:
    order = (_SLICES.c.started_s, _SLICES.c.session, _SLICES.c.block, _SLICES.c.position)
    query = select(_SLICES).where(_SLICES.c.run_id == run_id).order_by(*order)
    return [mapping.timed_slice(columns) for columns in _paged(connection, query, offset, limit)]


def _telemetry(
    connection: Connection, run_id: str, field: str | None, offset: int, limit: int
) -> list[TelemetrySample]:
    query = select(_TELEMETRY).where(_TELEMETRY.c.run_id == run_id)
    if field is not None:
        query = query.where(_TELEMETRY.c.field == field)
    query = query.order_by(_TELEMETRY.c.at_s, _TELEMETRY.c.field)
    return [mapping.telemetry_sample(columns) for columns in _paged(connection, query, offset, limit)]


def _allocations(
    connection: Connection, run_id: str, role: Side | None, offset: int, limit: int
) -> list[tuple[Side, AllocationEvent]]:
    query = select(_ALLOCATIONS).where(_ALLOCATIONS.c.run_id == run_id)
    if role is not None:
        query = query.where(_ALLOCATIONS.c.role == role)
    rank = case({side: rank for rank, side in enumerate(SIDES)}, value=_ALLOCATIONS.c.role)
    query = query.order_by(rank, _ALLOCATIONS.c.position)
    return [mapping.allocation_event(columns) for columns in _paged(connection, query, offset, limit)]


def _paged(connection: Connection, query: Select[Any], offset: int, limit: int) -> MappingResult:
    return connection.execute(query.offset(_page(offset)).limit(_page(limit))).mappings()


def _in_order(
    connection: Connection,
    table: Table,
    run_id: str,
    phase: str | None = None,
    where: Sequence[ColumnElement[bool]] = (),
    offset: int = 0,
    limit: int = _MOST_ROWS,
) -> MappingResult:
    """Rows of a run in the order of their key, but phases as they run (see `transitions.phase_rank`)."""
    _, _, *keys = table.primary_key.columns
    query = select(table).where(table.c.run_id == run_id, *where)
    if phase is None:
        rank = case({name: transitions.phase_rank(name) for name in PHASES}, value=table.c.phase, else_=len(PHASES))
        query = query.order_by(rank, table.c.phase, *keys)
    else:
        # No rank: the primary key's index gives this order without a sort.
        query = query.where(table.c.phase == phase).order_by(*keys)
    return _paged(connection, query, offset, limit)


def _insert_unless_there(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves a row with the same key as it is."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def _page(number: int) -> int:
    """Offsets and limits come from readers; the databases disagree about negative and huge ones."""
    return min(max(number, 0), _MOST_ROWS)
