"""Rows of the tables to values of the ports and back. The names of columns and fields are the same on purpose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from service.parity.ladder import Promotion
from service.parity.measurements import AllocationEvent, EdgeReading, Slice, TelemetrySample
from service.parity.plan import Plan
from service.parity.policy import Policy
from service.parity.record import DiffStats, Side, StepLosses, SubjectInfo, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.ports import FinishedRun, Progress, RunRow
from service.store.codec import decode, encode


def new_run_columns(row: RunRow) -> dict[str, Any]:
    """Every column of a new run."""
    return {
        "id": row.id,
        "reference": row.plan.reference,
        "candidate": row.plan.candidate,
        "created_at": row.created_at,
        "plan_digest": row.plan.digest(),
        "plan": encode(row.plan),
        "policy": encode(row.policy),
        **changing_columns(row),
    }


def changing_columns(row: RunRow) -> dict[str, Any]:
    """The columns of a run that a change of state or progress may touch."""
    progress = row.progress
    return {
        "state": row.state,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
        "outcome": row.outcome,
        "summary": row.summary,
        "error_code": row.error_code,
        "error_message": row.error_message,
        "progress_phase": progress.phase if progress else None,
        "progress_done": int(progress.done) if progress else None,
        "progress_total": int(progress.total) if progress else None,
        "progress_message": progress.message if progress else None,
        "cancel_requested": row.cancel_requested,
        "worker": row.worker,
    }


def run_row(columns: RowMapping) -> RunRow:
    progress = None
    if columns["progress_phase"] is not None:
        progress = Progress(
            phase=columns["progress_phase"],
            done=columns["progress_done"],
            total=columns["progress_total"],
            message=columns["progress_message"],
        )
    return RunRow(
        id=columns["id"],
        state=columns["state"],
        plan=decode(Plan, columns["plan"]),
        policy=decode(Policy, columns["policy"]),
        created_at=columns["created_at"],
        started_at=columns["started_at"],
        finished_at=columns["finished_at"],
        outcome=columns["outcome"],
        summary=columns["summary"],
        error_code=columns["error_code"],
        error_message=columns["error_message"],
        progress=progress,
        cancel_requested=columns["cancel_requested"],
        worker=columns["worker"],
    )


def finished_run(columns: RowMapping) -> FinishedRun:
    subjects = columns["subjects"]
    return FinishedRun(run_row(columns), {} if subjects is None else decode(dict[str, SubjectInfo], subjects))


def step_columns(run_id: str, row: StepLosses) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "phase": row.phase,
        "step": int(row.step),
        "reference_loss": row.reference,
        "candidate_loss": row.candidate,
    }


def step_losses(columns: RowMapping) -> StepLosses:
    return StepLosses(
        phase=columns["phase"],
        step=columns["step"],
        reference=columns["reference_loss"],
        candidate=columns["candidate_loss"],
    )


def diff_columns(run_id: str, row: TapDiff) -> dict[str, Any]:
    """Counts go through int(): SQLite's driver would write a NumPy integer as raw bytes."""
    stats = row.stats
    return {
        "run_id": run_id,
        "phase": row.phase,
        "step": int(row.step),
        "position": int(row.position),
        "tap": row.tap,
        "shape": _index_text(row.shape),
        "dtype": row.dtype,
        "elements": int(stats.elements),
        "reference_nan": int(stats.reference_nan),
        "reference_inf": int(stats.reference_inf),
        "candidate_nan": int(stats.candidate_nan),
        "candidate_inf": int(stats.candidate_inf),
        "mismatches": int(stats.mismatches),
        "max_abs": stats.max_abs,
        "rms": stats.rms,
        "cosine": stats.cosine,
        "max_ulp": stats.max_ulp,
        "max_rel": stats.max_rel,
        "worst_index": _index_text(stats.worst_index),
        "reference_error": stats.reference_error,
        "candidate_error": stats.candidate_error,
        "reference_error_rms": stats.reference_error_rms,
        "candidate_error_rms": stats.candidate_error_rms,
        "candidate_worst_index": _index_text(stats.candidate_worst_index),
        "oracle_scale": stats.oracle_scale,
        "floor_scale": row.floor_scale,
        "reference_spread": row.reference_spread,
        "reference_slack": row.reference_slack,
    }


def tap_diff(columns: RowMapping) -> TapDiff:
    return TapDiff(
        phase=columns["phase"],
        step=columns["step"],
        position=columns["position"],
        tap=columns["tap"],
        shape=tuple(json.loads(columns["shape"])),
        dtype=columns["dtype"],
        stats=DiffStats(
            elements=columns["elements"],
            reference_nan=columns["reference_nan"],
            reference_inf=columns["reference_inf"],
            candidate_nan=columns["candidate_nan"],
            candidate_inf=columns["candidate_inf"],
            mismatches=columns["mismatches"],
            max_abs=columns["max_abs"],
            rms=columns["rms"],
            cosine=columns["cosine"],
            max_ulp=columns["max_ulp"],
            worst_index=_index(columns["worst_index"]),
            reference_error=columns["reference_error"],
            candidate_error=columns["candidate_error"],
            reference_error_rms=columns["reference_error_rms"],
            candidate_error_rms=columns["candidate_error_rms"],
            candidate_worst_index=_index(columns["candidate_worst_index"]),
            oracle_scale=columns["oracle_scale"],
            max_rel=columns["max_rel"],
        ),
        floor_scale=columns["floor_scale"],
        reference_spread=columns["reference_spread"],
        reference_slack=columns["reference_slack"],
    )


_COUNTS_OF_A_SLICE = ("block", "position", "pair", "steps", "turns")
_PLAIN_OF_A_SLICE = (
    "session", "role", "median_step_ms", "mean_step_ms", "steps_busy_s", "started_s", "ended_s", "sm_clock_mhz",
    "kernel_resident_pct", "thread_cpu_s", "own_s",
)  # fmt: skip


def slice_columns(run_id: str, row: Slice) -> dict[str, Any]:
    return {
        "run_id": run_id,
        **{name: int(getattr(row, name)) for name in _COUNTS_OF_A_SLICE},
        **{name: getattr(row, name) for name in _PLAIN_OF_A_SLICE},
        "activity": encode(row.activity),
        "before": None if row.before is None else encode(row.before),
        "after": None if row.after is None else encode(row.after),
    }


def timed_slice(columns: RowMapping) -> Slice:
    return Slice(
        **{name: columns[name] for name in (*_COUNTS_OF_A_SLICE, *_PLAIN_OF_A_SLICE)},
        activity=decode(dict, columns["activity"]),
        before=None if columns["before"] is None else decode(EdgeReading, columns["before"]),
        after=None if columns["after"] is None else decode(EdgeReading, columns["after"]),
    )


def telemetry_columns(run_id: str, row: TelemetrySample) -> dict[str, Any]:
    return {"run_id": run_id, "at_s": row.at_s, "field": row.field, "value": row.value, "status": row.status}


def telemetry_sample(columns: RowMapping) -> TelemetrySample:
    return TelemetrySample(columns["at_s"], columns["field"], columns["value"], columns["status"])


def allocation_columns(run_id: str, role: Side, position: int, row: AllocationEvent) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "role": role,
        "position": position,
        "step": int(row.step),
        "operation": row.operation,
        "size_bytes": int(row.size_bytes),
    }


def allocation_event(columns: RowMapping) -> tuple[Side, AllocationEvent]:
    return columns["role"], AllocationEvent(columns["step"], columns["operation"], columns["size_bytes"])


def check_columns(run_id: str, verdict: Verdict) -> list[dict[str, Any]]:
    return [
        {
            "run_id": run_id,
            "position": position,
            "name": check.name,
            "outcome": check.outcome,
            "required": bool(check.required),
            "value": check.value,
            "limit": check.limit,
            "unit": check.unit,
            "message": check.message,
            "evidence": encode(check.evidence),
        }
        for position, check in enumerate(verdict.checks)
    ]


def check_result(columns: RowMapping) -> CheckResult:
    return CheckResult(
        name=columns["name"],
        outcome=columns["outcome"],
        message=columns["message"],
        required=columns["required"],
        value=columns["value"],
        limit=columns["limit"],
        unit=columns["unit"],
        evidence=decode(dict, columns["evidence"]),
    )


_PROMOTION = ("number", "action", "rung", "at", "by", "run_id", "source_digest", "note")


def promotion_columns(row: Promotion) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _PROMOTION}


def promotion(columns: RowMapping) -> Promotion:
    return Promotion(**{name: columns[name] for name in _PROMOTION})


def _index_text(index: Sequence[int] | None) -> str | None:
    return None if index is None else str([int(part) for part in index])


def _index(text: str | None) -> tuple[int, ...] | None:
    return None if text is None else tuple(json.loads(text))
