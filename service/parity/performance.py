"""performance.step_time: is the candidate no slower, by more than the margin, than the reference?

Non-inferiority on the ratio of step times; the method and its operating figures are in docs/measuring.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from service.parity.measurements import PerformanceEvidence, Role, SessionKind, TimingTrouble
from service.parity.numerics import absent_phase
from service.parity.policy import Policy
from service.parity.record import RunRecord
from service.parity.statistics import LogRatio, equivalence_p
from service.parity.timing import (
    ROLES,
    Block,
    Reading,
    TimingLimits,
    begun,
    blamed,
    decide_ratio,
    edge_share,
    opening_sessions,
    read,
    read_comparison,
    sampler_disturbs,
    session_words,
)
from service.parity.verdict import CheckOutcome, CheckResult

STEP_TIME = "performance.step_time"
UNIT = "of the reference's step time"
POWER = 0.9
"""With which the smallest effect that a run could have seen would have been seen."""
SHOWN_REASONS = 3


def timing_limits(policy: Policy) -> TimingLimits:
    """The policy's demand, in the form in which the engine has its own."""
    return TimingLimits(
        margin=policy.step_time_margin,
        alpha=policy.timing_alpha,
        a_a_margin=policy.a_a_margin,
        sampler_effect=policy.sampler_effect,
    )


def check_step_time(record: RunRecord, policy: Policy) -> CheckResult:
    """The candidate's step time over the reference's, with its interval, against the margin."""
    evidence = record.performance
    if evidence is None:
        return absent_phase(STEP_TIME, record, "performance")
    limits = timing_limits(policy)
    trouble = first_trouble(record, evidence.troubles)
    if trouble is not None:
        return CheckResult(STEP_TIME, trouble[0], trouble[1])
    if evidence.sampler is not None and evidence.sampler.lost_reason:
        return CheckResult(STEP_TIME, "inconclusive", f"the device was lost: {evidence.sampler.lost_reason}")
    timed = [kind for kind in opening_sessions(evidence, record.plan) if kind != "utilization"]
    readings: dict[SessionKind, Reading] = {kind: read(evidence, record.plan, (kind,), limits) for kind in timed}
    readings["comparison"] = read_comparison(evidence, record.plan, limits)
    if begun(evidence, "confirmation"):
        readings["confirmation"] = read(evidence, record.plan, ("confirmation",), limits)
    outcome, message = _decided(readings, limits)
    ratio = readings["comparison"].ratio
    return CheckResult(
        STEP_TIME,
        outcome,
        message,
        value=None if ratio is None else math.exp(ratio.estimate),
        limit=1 + limits.margin,
        unit=UNIT,
        evidence=_shown(evidence, readings, limits),
    )


def first_trouble(record: RunRecord, troubles: tuple[TimingTrouble, ...]) -> tuple[CheckOutcome, str] | None:
    """Trouble decides before any number does; the reference's first, since without it nothing can be judged."""
    found: list[tuple[Role, str]] = [(trouble.side, trouble.message) for trouble in record.troubles]
    found += [(blamed(trouble), f"{trouble.message} ({trouble.reason}, {trouble.where})") for trouble in troubles]
    for role in ROLES:
        message = next((message for side, message in found if side == role), None)
        if message is not None:
            return ("inconclusive" if role == "reference" else "fail"), message
    return None


def _decided(readings: Mapping[SessionKind, Reading], limits: TimingLimits) -> tuple[CheckOutcome, str]:
    faults = [reading.fault for reading in readings.values() if reading.fault is not None]
    if faults:
        # The reference's before the candidate's; a gap in the record last, since trouble may be why there is one.
        fault = min(faults, key=lambda fault: ("reference", "candidate", None).index(fault.role))
        return ("fail" if fault.role == "candidate" else "inconclusive"), fault.message
    unsteady = _unsteady(readings, limits)
    comparison = readings["comparison"]
    if len(comparison.valid) < limits.min_blocks:
        return "inconclusive", _too_few(comparison, limits)
    decision = decide_ratio(comparison, limits)
    figures = _sentence(comparison, limits)
    beside = readings.get("side_by_side")
    if beside is not None:
        figures = f"{figures}; {_side_by_side(beside, limits)}"
    if unsteady:
        return "inconclusive", f"{unsteady}; {figures}"
    if decision == "undecided":
        looks = "even with twice the blocks" if "extension" in comparison.sessions else "in one look"
        return "inconclusive", f"not decided {looks}: {figures}"
    if decision == "slower":
        return _confirmed(readings.get("confirmation"), figures, limits)
    if beside is not None and decide_ratio(beside, limits) == "slower":
        return "inconclusive", f"{decision} on one card, but side by side on two cards disagrees: {figures}"
    everywhere = comparison.with_rejected
    if comparison.rejected and everywhere is not None and not everywhere <= math.log1p(limits.margin):
        found = f"the rejected blocks disagree, with which the ratio is {math.exp(everywhere):.4f}"
        return "inconclusive", f"{decision}, but {found}: {figures}"
    return "pass", f"{decision}: {figures}"


def _side_by_side(reading: Reading, limits: TimingLimits) -> str:
    """What stands beside the comparison: it may contradict a PASS, and never makes one."""
    if reading.ratio is None or len(reading.valid) < limits.min_blocks:
        return f"side by side decides nothing: {_too_few(reading, limits)}"
    found = f"side by side on two cards: {decide_ratio(reading, limits)}, {_interval(reading.ratio)}"
    return found + _reasons(reading)


def _confirmed(confirmation: Reading | None, figures: str, limits: TimingLimits) -> tuple[CheckOutcome, str]:
    """A candidate is slower only where a second session, in fresh processes, finds so on its own."""
    if confirmation is None:
        return "inconclusive", f"slower, but no second session confirmed it: {figures}"
    again = decide_ratio(confirmation, limits)
    if again == "slower":
        return "fail", f"slower: {figures}; confirmed in fresh processes: {_sentence(confirmation, limits)}"
    if confirmation.ratio is None or len(confirmation.valid) < limits.min_blocks:
        return "inconclusive", f"slower: {figures}; not confirmed: {_too_few(confirmation, limits)}"
    found = "" if again == "undecided" else f" ({again})"
    second = _sentence(confirmation, limits)
    return "inconclusive", f"slower: {figures}; a second session in fresh processes disagrees{found}: {second}"


def _unsteady(readings: Mapping[SessionKind, Reading], limits: TimingLimits) -> str | None:
    """Why this machine, as it was, cannot show the margin."""
    own = readings["a_a"]
    if own.ratio is None or len(own.valid) < limits.min_blocks:
        return _too_few(own, limits)
    if not own.ratio.inside(math.log1p(limits.a_a_margin)):
        reach = max(abs(own.ratio.low), abs(own.ratio.high))
        supported = math.expm1(reach) * limits.margin / limits.a_a_margin
        return (
            f"the reference against itself came out at {_interval(own.ratio)}, not within {limits.a_a_margin:.2%}: "
            f"this machine supports a margin of {supported:.2%}"
        )
    watched = readings.get("sampler")
    if watched is None:
        return None
    if watched.ratio is None:
        return f"what the sampler costs could not be measured: {_too_few(watched, limits)}"
    if sampler_disturbs(watched, limits):
        return f"the sampler changes the step time to {_interval(watched.ratio)}, over {limits.sampler_effect:.2%}"
    return None


def _too_few(reading: Reading, limits: TimingLimits) -> str:
    words, valid, whole = session_words(reading.sessions[0]), len(reading.valid), len(reading.blocks)
    return f"{valid} of {whole} blocks of {words} are valid, at least {limits.min_blocks} are needed{_reasons(reading)}"


def _sentence(reading: Reading, limits: TimingLimits) -> str:
    ratio = reading.ratio
    assert ratio is not None
    smallest = math.expm1(ratio.detectable(POWER))
    said = (
        f"{_interval(ratio)} of the reference's step time ({1 - 2 * ratio.alpha:.0%} interval) from {ratio.blocks} "
        f"blocks with a spread of {ratio.spread:.2%}; an effect of {smallest:.2%} would have been seen"
    )
    slices = 4 * len(reading.blocks)
    for found, words in (
        (reading.mean_ratio, "the mean step, in which no odd step is lost,"),
        (reading.wall_ratio, "a step by the host's clock, which sees work beside the step too,"),
    ):
        if found is not None and not found[0] <= math.log1p(limits.margin):
            low, high = (math.exp(end) for end in found[1:])
            said += f"; {words} takes {low:.4f} to {high:.4f} of the reference's"
    said += _reasons(reading)
    if reading.unwatched:
        said += f"; {reading.unwatched} of {slices} slices had no counters read, so throttling there is not known"
    if reading.uncounted:
        said += f"; whether other processes were on the device is not known of {reading.uncounted} of {slices} slices"
    return said


def _reasons(reading: Reading) -> str:
    rejected = reading.rejected
    if not rejected:
        return ""
    reasons = list(dict.fromkeys(reason for block in rejected for reason in block.reasons))
    more = f" and {len(reasons) - SHOWN_REASONS} more reasons" if len(reasons) > SHOWN_REASONS else ""
    count = f"{len(rejected)} block{'s' if len(rejected) > 1 else ''} rejected"
    return f"; {count}: {', '.join(reasons[:SHOWN_REASONS])}{more}"


def _interval(ratio: LogRatio) -> str:
    return f"{math.exp(ratio.estimate):.4f} [{math.exp(ratio.low):.4f}, {math.exp(ratio.high):.4f}]"


def _shown(
    evidence: PerformanceEvidence, readings: Mapping[SessionKind, Reading], limits: TimingLimits
) -> dict[str, Any]:
    """JSON-ready figures: of each session its ratio and blocks, and of each role its step times."""
    return {
        "clock": evidence.clock,
        "margin": limits.margin,
        "decision": decide_ratio(readings["comparison"], limits),
        "sessions": {kind: _session(reading, limits) for kind, reading in readings.items()},
        "step_time_ms": {role: _step_time(readings["comparison"], role) for role in ROLES},
        "power_capped_share": {role: _mean_share(readings["comparison"], role, "power_cap_s") for role in ROLES},
    }


def _session(reading: Reading, limits: TimingLimits) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "blocks": len(reading.blocks),
        "planned_blocks": reading.planned,
        "valid_blocks": len(reading.valid),
        "rejected_blocks": [_rejected(block) for block in reading.rejected],
        "slices_without_counters": reading.unwatched,
        "fault": None if reading.fault is None else reading.fault.message,
        "extended": "extension" in reading.sessions,
    }
    ratio = reading.ratio
    if ratio is None:
        return {**figures, "ratio": None}
    return {
        **figures,
        "ratio": math.exp(ratio.estimate),
        "low": math.exp(ratio.low),
        "high": math.exp(ratio.high),
        "confidence": 1 - 2 * ratio.alpha,
        "t_interval": [math.exp(end) for end in ratio.t_interval],
        "bootstrap_interval": [math.exp(end) for end in ratio.bootstrap_interval],
        "mean_ratio": None if reading.mean_ratio is None else [math.exp(end) for end in reading.mean_ratio],
        "wall_ratio": None if reading.wall_ratio is None else [math.exp(end) for end in reading.wall_ratio],
        "spread": ratio.spread,
        "smallest_visible_effect": math.expm1(ratio.detectable(POWER)),
        "equivalence_p": equivalence_p(ratio, math.log1p(limits.margin)),
    }


def _rejected(block: Block) -> dict[str, Any]:
    return {"session": block.session, "block": block.number, "reasons": list(block.reasons)}


def _step_time(reading: Reading, role: Role) -> dict[str, float] | None:
    """Medians of the valid slices; wall time beside, which also holds what the clock of a step leaves out."""
    pieces = [piece for block in reading.valid for piece in block.of(role)]
    if not pieces:
        return None
    steps = sum(piece.steps for piece in pieces)
    medians = sorted(piece.median_step_ms for piece in pieces)
    return {
        "median": (medians[(len(medians) - 1) // 2] + medians[len(medians) // 2]) / 2,
        "smallest_slice": medians[0],
        "largest_slice": medians[-1],
        "mean": 1e3 * sum(piece.steps_busy_s for piece in pieces) / steps,
        "wall": 1e3 * sum(piece.wall_s for piece in pieces) / steps,
        "steps": steps,
    }


def _mean_share(reading: Reading, role: Role, counter: str) -> float | None:
    shares = list(_known_shares(reading, role, counter))
    return sum(shares) / len(shares) if shares else None


def _known_shares(reading: Reading, role: Role, counter: str) -> Iterator[float]:
    for block in reading.blocks:
        for piece in block.of(role):
            share = edge_share(piece, counter)
            if share is not None and math.isfinite(share):
                yield share
