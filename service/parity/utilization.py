"""utilization.floor and utilization.not_reduced: is the GPU kept as busy by the candidate as by the reference?

Both judge NVML's kernel-resident time: the share of a period in which any kernel ran, however little of the card it
filled. What the card did in that time, and what a step cost, stands beside in the evidence (docs/measuring.md).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from service.parity.measurements import PerformanceEvidence, Role, Slice
from service.parity.numerics import absent_phase
from service.parity.performance import first_trouble, timing_limits
from service.parity.policy import Policy
from service.parity.record import RunRecord
from service.parity.statistics import mean_interval
from service.parity.timing import ROLES, Block, edge_difference, opening_sessions, read, read_comparison, session_words
from service.parity.verdict import CheckResult

FLOOR = "utilization.floor"
NOT_REDUCED = "utilization.not_reduced"
UNIT = "% kernel-resident time"
LABEL = "kernel-resident time"
RESOLUTION = 1.0
"""NVML gives whole percents; a difference below one is none."""
ROUNDING = 1e-9
"""Of a weighted mean, percent: one of nothing but 80s is not below 80."""
COVERED = 0.5
"""Of a role's slices, that must have a figure of utilization."""


@dataclass(frozen=True, slots=True)
class Residency:
    """Kernel-resident time over the valid blocks, percent. `difference`: candidate less reference, in points, with its
    interval over the blocks that have both; `None` for fewer than two of those."""

    reference: float
    candidate: float
    difference: tuple[float, float, float] | None

    @property
    def drop(self) -> float:
        """Points that the candidate lies below the reference."""
        return self.reference - self.candidate


def check_floor(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the candidate keep the GPU busy, or at least as busy as a reference that does not?"""
    return _check(FLOOR, record, policy, policy.utilization_floor_pct, _judge_floor)


def check_not_reduced(record: RunRecord, policy: Policy) -> CheckResult:
    """Is the GPU as busy as before, or done sooner?"""
    return _check(NOT_REDUCED, record, policy, -policy.utilization_drop_points, _judge_not_reduced)


Judge = Callable[[str, Residency, Sequence[Block], Policy], CheckResult]
"""The blocks are the comparison's, which tell how long a step is busy."""


def _check(name: str, record: RunRecord, policy: Policy, limit: float, judge: Judge) -> CheckResult:
    evidence = record.performance
    if evidence is None:
        return absent_phase(name, record, "performance")
    trouble = first_trouble(record, evidence.troubles)
    if trouble is not None:
        return CheckResult(name, trouble[0], trouble[1])
    limits = timing_limits(policy)
    compared = read_comparison(evidence, record.plan, limits)
    apart = "utilization" in opening_sessions(evidence, record.plan)
    reading = read(evidence, record.plan, ("utilization",), limits) if apart else compared
    blocks = reading.valid
    shown = _figures(evidence, blocks)

    def result(outcome: Any, message: str, value: float | None = None) -> CheckResult:
        return CheckResult(name, outcome, message, value=value, limit=limit, unit=UNIT, evidence=shown)

    for fault in (compared.fault, reading.fault):
        if fault is not None:
            return result("fail" if fault.role == "candidate" else "inconclusive", fault.message)
    if evidence.sampler is not None and evidence.sampler.lost_reason:
        return result("inconclusive", f"the device was lost: {evidence.sampler.lost_reason}")
    unfilled = _unfilled(evidence, policy)
    if unfilled:
        # `always` is the word for "no PASS without it": what this plan cannot show then leaves the run undecided.
        return result("inconclusive" if policy.requirement(name) == "always" else "not_applicable", unfilled)
    if all(piece.kernel_resident_pct is None for piece in evidence.slices):
        return CheckResult(name, "not_measured", _absent_reason(evidence), evidence=shown)
    if not blocks:
        return result("inconclusive", f"no block of {session_words(reading.sessions[0])} is valid")
    gap = _gap(evidence, blocks)
    if gap:
        return result("inconclusive", gap)
    judged = judge(name, _residency(blocks, policy.timing_alpha), compared.valid, policy)
    return dataclasses.replace(judged, limit=limit, unit=UNIT, evidence=shown)


def _unfilled(evidence: PerformanceEvidence, policy: Policy) -> str | None:
    fill = evidence.fill_blocks_per_sm
    if fill is None or not math.isfinite(fill) or fill >= policy.fill_blocks_per_sm:
        return None
    return (
        f"the largest product of this plan launches {fill:.2g} thread blocks an SM, under "
        f"{policy.fill_blocks_per_sm:g}: its launches cannot fill the card, whichever side makes them"
    )


def _judge_floor(name: str, found: Residency, blocks: Sequence[Block], policy: Policy) -> CheckResult:
    floor, value = policy.utilization_floor_pct, found.candidate
    enough = floor - ROUNDING
    both = f"{LABEL} {value:.1f} %, the reference's {found.reference:.1f} %"
    if value >= enough:
        return CheckResult(name, "pass", f"{both}; at least {floor:g} %", value=value)
    lower = found.difference is not None and found.difference[2] < 0
    if found.reference >= enough:
        reached = f"{both}: below {floor:g} %, which the reference reaches"
        if lower:
            return CheckResult(name, "fail", reached, value=value)
        message = f"{reached}; that the candidate is {found.drop:.1f} points lower may be chance"
        return CheckResult(name, "inconclusive", message, value=value)
    below = f"{both}: the reference is itself below {floor:g} % on this plan"
    if found.drop <= RESOLUTION + ROUNDING:
        return CheckResult(name, "pass", f"{below}, and the candidate is no lower", value=value)
    if lower:
        return CheckResult(name, "fail", f"{below}, and the candidate is {found.drop:.1f} points lower", value=value)
    message = f"{below}; that the candidate is {found.drop:.1f} points lower may be chance"
    return CheckResult(name, "inconclusive", message, value=value)


def _judge_not_reduced(name: str, found: Residency, blocks: Sequence[Block], policy: Policy) -> CheckResult:
    value = found.candidate - found.reference
    both = f"{LABEL} {found.candidate:.1f} %, the reference's {found.reference:.1f} %"
    allowed = policy.utilization_drop_points
    if found.drop <= allowed + ROUNDING:
        return CheckResult(name, "pass", f"{both}: not more than {allowed:g} points lower", value=value)
    faster = _log_busy_ratio(blocks, policy.timing_alpha) if blocks else None
    if faster is not None and faster[2] < 0:
        saved = -math.expm1(faster[0])
        message = f"{both}: {found.drop:.1f} points lower, because a step is done in {saved:.1%} fewer busy seconds"
        return CheckResult(name, "pass", message, value=value)
    message = f"{both}: {found.drop:.1f} points lower, and a step takes no fewer busy seconds"
    if found.difference is not None and found.difference[2] < -allowed:
        return CheckResult(name, "fail", message, value=value)
    return CheckResult(name, "inconclusive", f"{message}; that it is more than {allowed:g} may be chance", value=value)


def _absent_reason(evidence: PerformanceEvidence) -> str:
    sampler = evidence.sampler
    if sampler is None:
        return "no sampler watched the device"
    if sampler.absent_reason:
        return f"the device was not watched: {sampler.absent_reason}"
    if sampler.source == "process":
        return "the run was on a CPU, where there is no kernel-resident time"
    statuses = ", ".join(f"{count} {status}" for status, count in sorted(sampler.statuses.items()))
    return f"no sample of utilization lies within a slice (samples: {statuses or 'none'})"


def _gap(evidence: PerformanceEvidence, blocks: Sequence[Block]) -> str | None:
    """What keeps the figures from being judged: telemetry is Lockstep's own, so no side is to blame."""
    fill = evidence.fill_blocks_per_sm
    if fill is not None and not math.isfinite(fill):
        return f"the launch geometry is {fill}: whether this plan can fill the card is not known"
    for role in ROLES:
        values = [piece.kernel_resident_pct for block in blocks for piece in block.of(role)]
        known = [value for value in values if value is not None]
        if not known or len(known) < COVERED * len(values):
            return f"{len(known)} of {len(values)} slices of the {role} have a figure of utilization"
        wrong = next((value for value in known if not 0 <= value <= 100), None)
        if wrong is not None:
            return f"a slice of the {role} has a utilization of {wrong} %, which is none"
    return None


def _residency(blocks: Sequence[Block], alpha: float) -> Residency:
    means = {role: _mean_of([p for b in blocks for p in b.of(role)], _resident) for role in ROLES}
    differences = [
        candidate - reference
        for block in blocks
        for candidate in (_mean_of(block.of("candidate"), _resident),)
        for reference in (_mean_of(block.of("reference"), _resident),)
        if candidate is not None and reference is not None
    ]
    reference, candidate = means["reference"], means["candidate"]
    assert reference is not None
    assert candidate is not None
    return Residency(reference, candidate, mean_interval(differences, alpha))


def _resident(piece: Slice) -> float | None:
    return piece.kernel_resident_pct


def _mean_of(pieces: Sequence[Slice], value_of: Callable[[Slice], float | None]) -> float | None:
    """Mean over time: a longer slice weighs more."""
    known = [(v, piece.wall_s) for piece in pieces if (v := value_of(piece)) is not None]
    return sum(value * wall for value, wall in known) / sum(wall for _, wall in known) if known else None


def _log_busy_ratio(blocks: Sequence[Block], alpha: float) -> tuple[float, float, float] | None:
    """ln of the candidate's busy seconds a step over the reference's, with its interval over the blocks."""
    values = [math.log(_busy(block.of("candidate")) / _busy(block.of("reference"))) for block in blocks]
    return mean_interval(values, alpha)


def _busy(pieces: Sequence[Slice]) -> float:
    return sum(piece.steps_busy_s for piece in pieces) / sum(piece.steps for piece in pieces)


def _figures(evidence: PerformanceEvidence, blocks: Sequence[Block]) -> dict[str, Any]:
    """What a step cost and what the card did meanwhile, a role each; `None` where it was not measured."""
    return {
        "label": LABEL,
        "blocks": len(blocks),
        "fill_blocks_per_sm": _finite(evidence.fill_blocks_per_sm),
        "matrix_peak_flops_per_s": _finite(evidence.matrix_peak_flops_per_s),
        "sampler": None if evidence.sampler is None else evidence.sampler.source,
        **{role: _work(evidence, [p for b in blocks for p in b.of(role)], role) for role in ROLES},
    }


def _work(evidence: PerformanceEvidence, pieces: Sequence[Slice], role: Role) -> dict[str, Any] | None:
    if not pieces:
        return None
    busy = _busy(pieces)
    flops = evidence.step_flops.get(role)
    rate = flops / busy if flops else None
    peak = evidence.matrix_peak_flops_per_s
    activity = sorted({name for piece in pieces for name in piece.activity})
    return {
        "slices": len(pieces),
        "slices_with_utilization": sum(piece.kernel_resident_pct is not None for piece in pieces),
        "kernel_resident_pct": _finite(_mean_of(pieces, _resident)),
        "busy_s_per_step": busy,
        "flops_per_s": rate,
        "matrix_peak_share": rate / peak if rate is not None and peak and math.isfinite(peak) else None,
        "joules_per_step": _joules(pieces),
        "sm_clock_mhz": _finite(_mean_of(pieces, lambda piece: piece.sm_clock_mhz)),
        "activity": {name: _finite(_mean_of(pieces, lambda p, name=name: p.activity.get(name))) for name in activity},  # type: ignore[misc]
    }


def _joules(pieces: Sequence[Slice]) -> float | None:
    """The device's energy counter over the slices of which both edges were read, a step."""
    read = [(grown, piece.steps) for piece in pieces if (grown := edge_difference(piece, "energy_j")) is not None]
    steps = sum(steps for _, steps in read)
    return _finite(sum(grown for grown, _ in read) / steps) if steps else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
