"""The sections of a report on time, the GPU and memory: the figures that the checks were decided from.

Each is a function of the record and the policy. What was taken row by row (slices, samples, allocations) is not
repeated here; the API serves it.
"""

from __future__ import annotations

from typing import Any

from service.parity.measurements import MemoryTrace, SamplerReport
from service.parity.memory import check_leak, check_pattern, check_peak
from service.parity.performance import check_step_time
from service.parity.policy import Policy
from service.parity.record import RunRecord
from service.parity.utilization import check_floor
from service.reports.evidence import absent_phase
from service.reports.json_values import not_measured


def performance(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """Ratio of step times with its interval, session by session, and the sampler that watched."""
    if record is None or record.performance is None:
        return not_measured(absent_phase(record, "performance"))
    found = record.performance
    return {
        "measured": True,
        "slices": len(found.slices),
        "samples": len(found.telemetry),
        "seconds": found.seconds,
        "sampler": None if found.sampler is None else _sampler(found.sampler),
        "troubles": list(found.troubles),
        "figures": dict(check_step_time(record, policy).evidence),
    }


def utilization(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """Kernel-resident time of both sides, and beside it what the card did: work, energy, activity."""
    if record is None or record.performance is None:
        return not_measured(absent_phase(record, "performance"))
    check = check_floor(record, policy)
    if not check.evidence:
        return not_measured(check.message)
    return {"measured": True, "figures": dict(check.evidence)}


def memory(record: RunRecord | None, policy: Policy) -> dict[str, Any]:
    """Both sides' ledgers, and the figures of peak, pattern and leak."""
    if record is None or record.memory is None:
        return not_measured(absent_phase(record, "memory"))
    return {
        "measured": True,
        "seconds": record.memory.seconds,
        "traces": [_trace(trace) for trace in record.memory.traces],
        "troubles": list(record.memory.troubles),
        "figures": {
            "peak": dict(check_peak(record, policy).evidence),
            "pattern": dict(check_pattern(record, policy).evidence),
            "leak": dict(check_leak(record, policy).evidence),
        },
    }


def _sampler(report: SamplerReport) -> dict[str, Any]:
    share = None if report.cpu_s is None or not report.wall_s else report.cpu_s / report.wall_s
    return {
        "source": report.source,
        "device_name": report.device_name,
        "device_uuid": report.device_uuid,
        "absent_reason": report.absent_reason,
        "lost_reason": report.lost_reason,
        "reads": report.reads,
        "gaps": report.gaps,
        "statuses": dict(report.statuses),
        "core_share": share,
    }


def _trace(trace: MemoryTrace) -> dict[str, Any]:
    last = trace.samples[-1] if trace.samples else None
    return {
        "role": trace.role,
        "source": trace.source,
        "steps": trace.steps,
        "baseline_bytes": trace.baseline_bytes,
        "context_bytes": trace.context_bytes,
        "peak_bytes": trace.peak_bytes,
        "last_pool_used_bytes": None if last is None else last.pool_used_bytes,
        "last_pool_held_bytes": None if last is None else last.pool_held_bytes,
        "last_device_used_bytes": None if last is None else last.device_used_bytes,
        "events": len(trace.events),
        "events_cut": trace.events_cut,
    }
