"""The section `memory` of a report: the three ledgers of each side over the steps, their growth, and the pattern."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from service.parity.measurements import AllocationEvent, MemoryTrace
from service.parity.memory import (
    DEVICE_SOURCE,
    LEAK,
    LEDGERS,
    PATTERN,
    PEAK,
    SETUP,
    WARM_UP_SHARE,
    check_leak,
    check_pattern,
    check_peak,
)
from service.parity.policy import Policy
from service.parity.record import SIDES, RunRecord
from service.parity.verdict import Verdict
from service.reports.json_values import not_measured
from service.reports.performance import absent_phase, of_verdict
from service.reports.series import kept_rows

Document = Mapping[str, Any]

MAX_DIFFERENCES = 20
"""Kinds of calls in which the sides differ that are listed; the largest bytes first."""


def memory(record: RunRecord | None, policy: Policy, verdict: Verdict | None) -> dict[str, Any]:
    """Peaks, levels, slopes and allocation calls, a side each; a side that was not traced is null."""
    found = record.memory if record else None
    if record is None or found is None:
        return not_measured(absent_phase(record, "memory"))
    peak = of_verdict(PEAK, check_peak, record, policy, verdict)
    leak = of_verdict(LEAK, check_leak, record, policy, verdict)
    pattern = of_verdict(PATTERN, check_pattern, record, policy, verdict)
    traces = {trace.role: trace for trace in found.traces}
    steps = record.plan.memory.steps
    differences = _differences(traces["reference"], traces["candidate"], steps // WARM_UP_SHARE) if (
        set(traces) == set(SIDES)
    ) else []  # fmt: skip
    return {
        "measured": True,
        "source": next((trace.source for trace in found.traces), None),
        "steps": steps,
        "judged_from_step": steps // WARM_UP_SHARE,
        "peak_limit_bytes": peak.limit,
        "leak_limit_bytes_per_step": policy.leak_bytes_per_step,
        "pattern": pattern.message,
        "sides": {
            side: _side(traces[side], peak.evidence.get(side) or {}, pattern.evidence.get(side) or {}, leak.evidence)
            if side in traces
            else None
            for side in SIDES
        },
        "differences": differences[:MAX_DIFFERENCES],
        "differences_left_out": max(len(differences) - MAX_DIFFERENCES, 0),
        "ledgers": {side: _ledgers(traces[side]) if side in traces else None for side in SIDES},
    }


def _side(trace: MemoryTrace, peak: Document, pattern: Document, leak: Document) -> dict[str, Any]:
    last = trace.samples[-1] if trace.samples else None
    held, used = (last.pool_held_bytes, last.device_used_bytes) if last else (None, None)
    return {
        "peak_bytes": trace.peak_bytes,
        "device_peak_bytes": peak.get("device"),
        "baseline_bytes": trace.baseline_bytes,
        "context_bytes": trace.context_bytes,
        "last": {name: read(last) if last else None for name, read in LEDGERS.items()},
        # Resident size above its baseline is no total that arrays of before the baseline could be a part of.
        "outside_the_pool_bytes": (
            used - held if trace.source == DEVICE_SOURCE and held is not None and used is not None else None
        ),
        "growth": {name: (leak.get(name) or {}).get(trace.role) for name in LEDGERS},
        "events": len(trace.events),
        "events_cut": trace.events_cut,
        "setup_events": sum(event.step == SETUP for event in trace.events),
        "steady_step_events": pattern.get("steady_step_events"),
        "repeats_from_step": pattern.get("repeats_from_step"),
    }


def _ledgers(trace: MemoryTrace) -> dict[str, Any]:
    """Bytes after each step, -1 after set-up; reduced to the rows that shape the curves."""
    columns = {name: [read(sample) for sample in trace.samples] for name, read in LEDGERS.items()}
    kept = kept_rows([[None if v is None else float(v) for v in values] for values in columns.values()])
    return {
        "total_steps": len(trace.samples),
        "reduced": len(kept) < len(trace.samples),
        "steps": [trace.samples[index].step for index in kept],
        **{name: [values[index] for index in kept] for name, values in columns.items()},
    }


def _differences(reference: MemoryTrace, candidate: MemoryTrace, warm_up: int) -> list[dict[str, Any]]:
    """Kinds of calls that the sides made differently often: in set-up, and in all steps that are held to the pattern.

    Of a trace that was cut only the steps that are whole on both sides are counted.
    """
    last = min(_last_whole_step(trace) for trace in (reference, candidate))
    rows = []
    for stage, first, until in (("set-up", SETUP, SETUP), ("steady steps", warm_up, last)):
        if until > last:
            continue
        ours, theirs = (_calls(trace.events, first, until) for trace in (reference, candidate))
        rows += [
            {
                "stage": stage,
                "operation": operation,
                "size_bytes": size,
                "reference": ours[operation, size],
                "candidate": theirs[operation, size],
            }
            for operation, size in sorted(ours.keys() | theirs.keys())
            if ours[operation, size] != theirs[operation, size]
        ]
    return sorted(rows, key=lambda row: -abs(row["candidate"] - row["reference"]) * row["size_bytes"])


def _calls(events: Sequence[AllocationEvent], first: int, last: int) -> Counter[tuple[str, int]]:
    return Counter((event.operation, event.size_bytes) for event in events if first <= event.step <= last)


def _last_whole_step(trace: MemoryTrace) -> int:
    if not trace.events_cut:
        return trace.steps - 1
    return max((event.step for event in trace.events), default=SETUP) - 1
