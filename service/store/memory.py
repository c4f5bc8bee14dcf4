"""The run store without a database, for tests and for a run that nobody will look up again.

It keeps what the database store keeps, documents as text included, so that a value which only memory could hold is
noticed in the quickest test.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from service.parity.ladder import Promotion
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.parity.record import SIDES, RunRecord, Side, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.ports import FinishedRun, Progress, RunFilter, RunRow
from service.store import transitions
from service.store.codec import MeasuredRows, decode, decode_record, encode, encode_record

T = TypeVar("T")


@dataclass(slots=True)
class _Kept:
    row: RunRow
    losses: dict[tuple[str, int], StepLosses] = field(default_factory=dict)
    diffs: dict[tuple[str, int, int], TapDiff] = field(default_factory=dict)
    slices: dict[tuple[str, int, int], Slice] = field(default_factory=dict)
    telemetry: dict[tuple[float, str], TelemetrySample] = field(default_factory=dict)
    allocations: dict[Side, tuple[AllocationEvent, ...]] = field(default_factory=dict)
    record: str | None = None
    verdict: str | None = None


class MemoryRunStore:
    """A `RunStore` that lives as long as its process; safe to share between threads."""

    def __init__(self) -> None:
        self._runs: dict[str, _Kept] = {}
        self._promotions: list[Promotion] = []
        self._turn = threading.Lock()

    def create_run(self, run_id: str, plan: Plan, policy: Policy, created_at: datetime) -> RunRow:
        own_policy = decode(Policy, encode(policy))
        row = RunRow(run_id, "queued", plan, own_policy, transitions.utc(created_at))
        with self._turn:
            if run_id in self._runs:
                raise transitions.exists_already(run_id)
            self._runs[run_id] = _Kept(row)
        return row

    def run(self, run_id: str) -> RunRow:
        with self._turn:
            return self._kept(run_id).row

    def runs(self, which: RunFilter) -> list[RunRow]:
        with self._turn:
            listed = [kept.row for _, kept in sorted(self._runs.items(), reverse=True) if _matches(kept.row, which)]
        return listed[: max(which.limit, 0)]

    def finished_runs(self, plan_digests: Collection[str]) -> list[FinishedRun]:
        with self._turn:
            found = [kept for _, kept in sorted(self._runs.items(), reverse=True) if kept.row.state == "finished"]
        return [
            FinishedRun(kept.row, {} if kept.record is None else decode(RunRecord, kept.record).subjects)
            for kept in found
            if kept.row.plan.digest() in plan_digests
        ]

    def claim_next(self, worker: str, started_at: datetime) -> RunRow | None:
        with self._turn:
            queued = [run_id for run_id, kept in self._runs.items() if kept.row.state == "queued"]
            if not queued:
                return None
            kept = self._runs[min(queued)]
            kept.row = transitions.claim(kept.row, worker, started_at)
            return kept.row

    def claim(self, run_id: str, worker: str, started_at: datetime) -> RunRow:
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.claim(kept.row, worker, started_at)
            return kept.row

    def report_progress(self, run_id: str, progress: Progress) -> bool:
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.progress(kept.row, progress)
            return transitions.should_stop(kept.row)

    def request_cancel(self, run_id: str, at: datetime) -> RunRow:
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.request_cancel(kept.row, at)
            return kept.row

    def add_losses(self, run_id: str, rows: Sequence[StepLosses]) -> None:
        with self._turn:
            losses = self._kept(run_id).losses
            for row in rows:
                losses.setdefault((row.phase, row.step), row)

    def add_diffs(self, run_id: str, rows: Sequence[TapDiff]) -> None:
        with self._turn:
            diffs = self._kept(run_id).diffs
            for row in rows:
                diffs.setdefault((row.phase, row.step, row.position), row)

    def add_slices(self, run_id: str, rows: Sequence[Slice]) -> None:
        with self._turn:
            slices = self._kept(run_id).slices
            for row in rows:
                slices.setdefault((row.session, row.block, row.position), decode(Slice, encode(row)))

    def add_telemetry(self, run_id: str, rows: Sequence[TelemetrySample]) -> None:
        with self._turn:
            telemetry = self._kept(run_id).telemetry
            for row in rows:
                telemetry.setdefault((row.at_s, row.field), row)

    def add_allocations(self, run_id: str, role: Side, rows: Sequence[AllocationEvent]) -> None:
        with self._turn:
            kept = self._kept(run_id)
            if rows:
                kept.allocations.setdefault(role, tuple(rows))

    def save_record(self, run_id: str, record: RunRecord) -> None:
        document = encode_record(record)
        with self._turn:
            self._kept(run_id).record = document

    def record(self, run_id: str) -> RunRecord | None:
        with self._turn:
            kept = self._kept(run_id)
            document, losses, diffs = kept.record, _ordered_losses(kept), _ordered_diffs(kept)
            measured = MeasuredRows(_ordered_slices(kept), _ordered_telemetry(kept), _ordered_allocations(kept))
        return None if document is None else decode_record(document, losses, diffs, measured)

    def finish(self, run_id: str, verdict: Verdict, at: datetime) -> RunRow:
        document = encode(verdict)
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.finish(kept.row, verdict, at)
            kept.verdict = document
            return kept.row

    def fail(self, run_id: str, code: str, message: str, at: datetime) -> RunRow:
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.fail(kept.row, code, message, at)
            return kept.row

    def mark_cancelled(self, run_id: str, at: datetime) -> RunRow:
        with self._turn:
            kept = self._kept(run_id)
            kept.row = transitions.cancel(kept.row, at)
            return kept.row

    def verdict(self, run_id: str) -> Verdict | None:
        with self._turn:
            document = self._kept(run_id).verdict
        return None if document is None else decode(Verdict, document)

    def losses(self, run_id: str, phase: str | None, offset: int, limit: int) -> list[StepLosses]:
        with self._turn:
            ordered = _ordered_losses(self._kept(run_id))
        return _page([row for row in ordered if phase in (None, row.phase)], offset, limit)

    def diffs(self, run_id: str, phase: str | None, tap: str | None, offset: int, limit: int) -> list[TapDiff]:
        with self._turn:
            ordered = _ordered_diffs(self._kept(run_id))
        return _page([row for row in ordered if phase in (None, row.phase) and tap in (None, row.tap)], offset, limit)

    def slices(self, run_id: str, offset: int, limit: int) -> list[Slice]:
        with self._turn:
            return _page(_ordered_slices(self._kept(run_id)), offset, limit)

    def telemetry(self, run_id: str, field: str | None, offset: int, limit: int) -> list[TelemetrySample]:
        with self._turn:
            ordered = _ordered_telemetry(self._kept(run_id))
        return _page([row for row in ordered if field in (None, row.field)], offset, limit)

    def allocations(
        self, run_id: str, role: Side | None, offset: int, limit: int
    ) -> list[tuple[Side, AllocationEvent]]:
        with self._turn:
            ordered = _ordered_allocations(self._kept(run_id))
        return _page([row for row in ordered if role in (None, row[0])], offset, limit)

    def checks(self, run_id: str) -> list[CheckResult]:
        verdict = self.verdict(run_id)
        return [] if verdict is None else list(verdict.checks)

    def add_promotion(self, promotion: Promotion) -> Promotion:
        with self._turn:
            if promotion.run_id is not None:
                self._kept(promotion.run_id)
            kept = transitions.promotion(promotion, len(self._promotions))
            self._promotions.append(kept)
            return kept

    def promotions(self) -> list[Promotion]:
        with self._turn:
            return list(self._promotions)

    def check_ready(self) -> None:
        """Memory is always ready."""

    def close(self) -> None:
        """What was kept stays readable; there is nothing to give back."""

    def _kept(self, run_id: str) -> _Kept:
        if run_id not in self._runs:
            raise transitions.not_found(run_id)
        return self._runs[run_id]


def _matches(row: RunRow, which: RunFilter) -> bool:
    return (
        which.state in (None, row.state)
        and which.outcome in (None, row.outcome)
        and which.reference in (None, row.plan.reference)
        and which.candidate in (None, row.plan.candidate)
        and (which.before is None or row.id < which.before)
    )


def _ordered_losses(kept: _Kept) -> list[StepLosses]:
    return sorted(kept.losses.values(), key=lambda row: (transitions.phase_rank(row.phase), row.phase, row.step))


def _ordered_diffs(kept: _Kept) -> list[TapDiff]:
    return sorted(
        kept.diffs.values(),
        key=lambda row: (transitions.phase_rank(row.phase), row.phase, row.step, row.position),
    )


def _ordered_slices(kept: _Kept) -> list[Slice]:
    return sorted(kept.slices.values(), key=lambda row: (row.started_s, row.session, row.block, row.position))


def _ordered_telemetry(kept: _Kept) -> list[TelemetrySample]:
    return sorted(kept.telemetry.values(), key=lambda row: (row.at_s, row.field))


def _ordered_allocations(kept: _Kept) -> list[tuple[Side, AllocationEvent]]:
    return [(role, event) for role in SIDES for event in kept.allocations.get(role, ())]


def _page(rows: Sequence[T], offset: int, limit: int) -> list[T]:
    return list(rows[max(offset, 0) :][: max(limit, 0)])
