"""The sections `performance` and `utilization` of a report: what was timed, what it says, and what the device did.

Ratios, intervals and means are those of the checks, taken from the verdict; where there is none yet, the checks are
asked again, which the record alone decides. What stands here besides is for the figures: slices, pairs, samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.parity.measurements import PerformanceEvidence, SessionKind, Slice
from service.parity.performance import STEP_TIME, check_step_time
from service.parity.plan import PHASES, Plan
from service.parity.policy import Policy
from service.parity.record import SIDES, RunRecord
from service.parity.statistics import mean_interval
from service.parity.timing import ORDERS
from service.parity.utilization import FLOOR, LABEL, NOT_REDUCED, check_floor, check_not_reduced
from service.parity.verdict import CheckResult, Verdict
from service.reports.json_values import not_measured
from service.reports.telemetry import phase_span, telemetry_series

Check = Callable[[RunRecord, Policy], CheckResult]

SESSION_ORDER: tuple[SessionKind, ...] = ("comparison", "confirmation", "side_by_side", "a_a", "sampler")
"""In which the report names sessions: what is judged first."""
COMPARED: frozenset[SessionKind] = frozenset({"comparison", "extension", "confirmation", "side_by_side"})


def performance(record: RunRecord | None, policy: Policy, verdict: Verdict | None) -> dict[str, Any]:
    """The ratio of step times with its interval, the sessions and pairs it comes from, and every slice."""
    found = record.performance if record else None
    if record is None or found is None:
        return not_measured(absent_phase(record, "performance"))
    check = of_verdict(STEP_TIME, check_step_time, record, policy, verdict)
    sessions = check.evidence.get("sessions", {})
    rejected = [entry for kind in sessions for entry in sessions[kind]["rejected_blocks"]]
    broken = {(entry["session"], entry["block"]) for entry in rejected}
    return {
        "measured": True,
        "clock": found.clock,
        "decision": check.evidence.get("decision") if verdict else None,
        "margin": policy.step_time_margin,
        "a_a_margin": policy.a_a_margin,
        "sampler_effect": policy.sampler_effect,
        "sessions": [{"session": kind, **sessions[kind]} for kind in SESSION_ORDER if kind in sessions],
        "pairs": list(_pairs(found, broken, policy)),
        "rejected_blocks": rejected,
        "step_time_ms": check.evidence.get("step_time_ms", dict.fromkeys(SIDES)),
        "power_capped_share": check.evidence.get("power_capped_share", dict.fromkeys(SIDES)),
        "slices": _slices(found, broken),
    }


def utilization(record: RunRecord | None, policy: Policy, verdict: Verdict | None) -> dict[str, Any]:
    """What a step cost on each side and what the device did meanwhile, with what the sampler saw over the phase."""
    found = record.performance if record else None
    if record is None or found is None:
        return not_measured(absent_phase(record, "performance"))
    floor = of_verdict(FLOOR, check_floor, record, policy, verdict)
    reduced = of_verdict(NOT_REDUCED, check_not_reduced, record, policy, verdict)
    shown, span = floor.evidence, phase_span(found)
    return {
        "measured": True,
        "label": LABEL,
        "note": floor.message if floor.outcome in ("not_measured", "not_applicable") else None,
        "floor_pct": policy.utilization_floor_pct,
        "drop_points": policy.utilization_drop_points,
        "difference_points": reduced.value,
        "fill_blocks_per_sm": shown.get("fill_blocks_per_sm"),
        "matrix_peak_flops_per_s": shown.get("matrix_peak_flops_per_s"),
        "sides": {side: shown.get(side) for side in SIDES},
        "sampler": found.sampler,
        "telemetry": telemetry_series(found.telemetry, span) if span else [],
    }


def absent_phase(record: RunRecord | None, phase: str) -> str:
    """Why there is nothing of a phase that measures, and how to ask for it."""
    if record is None:
        return "nothing was recorded"
    if phase not in record.plan.phases:
        return f"the plan does not ask for the {phase} phase; {_asking_for(record.plan, phase)} does"
    return f"the {phase} phase did not end"


def of_verdict(name: str, check: Check, record: RunRecord, policy: Policy, verdict: Verdict | None) -> CheckResult:
    """The verdict's result of a check; without a verdict what the record says now."""
    judged = verdict.checks if verdict else ()
    return next((result for result in judged if result.name == name), None) or check(record, policy)


def _asking_for(plan: Plan, phase: str) -> str:
    return "--phases " + ",".join(name for name in PHASES if name in plan.phases or name == phase)


def _slices(found: PerformanceEvidence, broken: set[tuple[str, int]]) -> list[dict[str, Any]]:
    span = phase_span(found)
    begin = span[0] if span else 0.0
    return [
        {
            "session": piece.session,
            "pair": piece.pair,
            "block": piece.block,
            "position": piece.position,
            "role": piece.role,
            "begin_s": _rounded(piece.started_s - begin),
            "end_s": _rounded(piece.ended_s - begin),
            "turns": piece.turns,
            "steps": piece.steps,
            "median_step_ms": piece.median_step_ms,
            "kernel_resident_pct": piece.kernel_resident_pct,
            "sm_clock_mhz": piece.sm_clock_mhz,
            "rejected": (piece.session, piece.block) in broken,
        }
        for piece in found.slices
    ]


def _rounded(seconds: float) -> float:
    return round(seconds, 4) if math.isfinite(seconds) else seconds


def _pairs(found: PerformanceEvidence, broken: set[tuple[str, int]], policy: Policy) -> Iterator[dict[str, Any]]:
    """The ratio of each pair of fresh processes on its own, by the t interval: are the parts of one mind?"""
    blocks: dict[tuple[SessionKind, int], dict[int, list[Slice]]] = {}
    for piece in found.slices:
        if piece.session in COMPARED and (piece.session, piece.block) not in broken:
            blocks.setdefault((piece.session, piece.pair), {}).setdefault(piece.block, []).append(piece)
    for (session, pair), of_pair in blocks.items():
        values = {number: value for number, pieces in of_pair.items() if (value := _log_ratio(pieces)) is not None}
        if not values:
            continue
        interval = mean_interval(list(values.values()), policy.timing_alpha)
        mean = sum(values.values()) / len(values)
        yield {
            "session": session,
            "pair": pair,
            "blocks": sorted(values),
            "ratio": math.exp(mean),
            "low": math.exp(interval[1]) if interval else None,
            "high": math.exp(interval[2]) if interval else None,
        }


def _log_ratio(pieces: Sequence[Slice]) -> float | None:
    """A block's value; `None` of one that is not four times of ABBA or BAAB."""
    ordered = sorted(pieces, key=lambda piece: piece.position)
    times = [piece.median_step_ms for piece in ordered]
    if tuple(piece.role for piece in ordered) not in ORDERS or not all(math.isfinite(t) and t > 0 for t in times):
        return None
    logs: Mapping[str, list[float]] = {
        side: [math.log(piece.median_step_ms) for piece in ordered if piece.role == side] for side in SIDES
    }
    return sum(logs["candidate"]) / 2 - sum(logs["reference"]) / 2
