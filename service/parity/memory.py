"""The memory checks: what is allocated in which order, how high it rises, and whether it grows without end.

Three ledgers: bytes in use in the pool, bytes that the pool holds, and device memory in use above the idle baseline.
On a CPU the pool figures are bytes of NumPy arrays, and the device's are resident size. Formulas: docs/measuring.md.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.parity.measurements import AllocationEvent, MemorySample, MemoryTrace, Role
from service.parity.numerics import absent_phase
from service.parity.performance import first_trouble
from service.parity.policy import Policy
from service.parity.record import RunRecord
from service.parity.statistics import Slope, robust_slope
from service.parity.verdict import CheckOutcome, CheckResult

PEAK, PATTERN, LEAK = "memory.peak", "memory.pattern", "memory.leak"
ROLES: tuple[Role, Role] = ("reference", "candidate")
SETUP = -1
DEVICE_SOURCE = "cupy memory hook"
"""The trace of a GPU, on which the third ledger is the device's; elsewhere it is the process's resident size."""

WARM_UP_SHARE = 4
"""One step in four, from the first: caches and pools fill there, so neither pattern nor slope is judged on them."""

SHOWN = 3

Shape = tuple[str, int]
"""An allocation event without its step: operation and bytes."""

LEDGERS: Mapping[str, Callable[[MemorySample], int | None]] = {
    "pool_used_bytes": lambda sample: sample.pool_used_bytes,
    "pool_held_bytes": lambda sample: sample.pool_held_bytes,
    "device_used_bytes": lambda sample: sample.device_used_bytes,
}
LEDGER_WORDS = {
    "pool_used_bytes": "bytes in use in the pool",
    "pool_held_bytes": "bytes that the pool holds",
    "device_used_bytes": "device memory in use",
}


@dataclass(frozen=True, slots=True)
class Traces:
    """Both sides' traces, complete."""

    reference: MemoryTrace
    candidate: MemoryTrace
    warm_up: int

    def of(self, role: Role) -> MemoryTrace:
        return self.reference if role == "reference" else self.candidate


@dataclass(frozen=True, slots=True)
class PeakPair:
    """One ledger's peaks on both sides, bytes, and how much more than the reference's is allowed."""

    name: str
    reference: float
    candidate: float
    allowed: float

    @property
    def used(self) -> float:
        """Share of the allowance; NaN where a peak is."""
        return (self.candidate - self.reference) / self.allowed


def check_peak(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the candidate need no more memory, at its highest, than the reference and the allowance?"""
    traces = _traces(PEAK, record)
    if isinstance(traces, CheckResult):
        return traces
    peaks = {role: _peaks(traces.of(role)) for role in ROLES}
    shown: dict[str, Any] = {role: {**peaks[role], **_ledgers(traces.of(role))} for role in ROLES}
    pairs: list[PeakPair] = []
    for name in peaks["reference"]:
        own, theirs = peaks["reference"][name], peaks["candidate"][name]
        if own is None and theirs is None:
            continue
        for role, value in (("reference", own), ("candidate", theirs)):
            if value is None or not value > 0:
                found = "was not measured" if value is None else f"is {value} bytes"
                return CheckResult(PEAK, "inconclusive", f"the {role}'s {name} peak {found}", evidence=shown)
        assert own is not None
        assert theirs is not None
        pairs.append(PeakPair(name, own, theirs, max(policy.peak_share * own, policy.peak_slack_bytes)))
    if not pairs:
        return CheckResult(PEAK, "not_measured", "the peak was measured on neither side", evidence=shown)
    if pairs[0].name != "pool":
        return CheckResult(PEAK, "inconclusive", "the pool's peak was measured on neither side", evidence=shown)
    worst = max(pairs, key=lambda pair: pair.used)
    message = (
        f"the candidate's {worst.name} peak is {_mebibytes(worst.candidate)}, the reference's "
        f"{_mebibytes(worst.reference)}; {_mebibytes(worst.allowed)} more are allowed "
        f"({policy.peak_share:.0%} or {_mebibytes(policy.peak_slack_bytes)}, whichever is more)"
    )
    outcome: CheckOutcome = "pass" if all(pair.used <= 1 for pair in pairs) else "fail"
    limit = worst.reference + worst.allowed
    return CheckResult(PEAK, outcome, message, value=worst.candidate, limit=limit, unit="bytes", evidence=shown)


def check_pattern(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the candidate allocate and free what the reference does, in set-up and in each steady-state step?"""
    traces = _traces(PATTERN, record)
    if isinstance(traces, CheckResult):
        return traces
    events = {role: _by_step(traces.of(role)) for role in ROLES}
    cut = {role: traces.of(role).events_cut for role in ROLES}
    whole = min((_last_whole_step(traces.of(role)) for role in ROLES), default=SETUP)
    settled = {role: _settled_from(events[role], whole) for role in ROLES}
    shown: dict[str, Any] = {
        role: {
            "events": len(traces.of(role).events),
            "events_cut": cut[role],
            "setup_events": len(events[role].get(SETUP, ())),
            "steady_step": [list(event) for event in events[role].get(whole, ())][:SHOWN] if whole >= 0 else None,
            "steady_step_events": len(events[role].get(whole, ())) if whole >= 0 else None,
            "repeats_from_step": settled[role],
        }
        for role in ROLES
    }

    def result(outcome: CheckOutcome, message: str, value: float | None = None) -> CheckResult:
        return CheckResult(PATTERN, outcome, message, value=value, limit=0.0, unit="differing steps", evidence=shown)

    for role in ROLES:
        wrong = _malformed(traces.of(role))
        if wrong:
            return result("inconclusive", f"the {role}'s trace {wrong}")
        if not events[role].get(SETUP):
            return result("inconclusive", f"no allocation of the {role}'s set-up was seen")
    if whole < SETUP:
        return result(*_cut_short(cut, "within the set-up"))
    differing = _multiset_difference(events["reference"][SETUP], events["candidate"][SETUP])
    if differing:
        return result("fail", f"set-up allocates otherwise than the reference's: {differing}")
    made = {role: len(traces.of(role).events) for role in ROLES}
    if cut["candidate"] and not cut["reference"] and made["candidate"] > made["reference"]:
        message = (
            f"the candidate made more than {made['candidate']:,} allocation calls, the reference {made['reference']:,}"
        )
        return result("fail", message)
    if whole < traces.warm_up and any(cut.values()):
        return result(*_cut_short(cut, f"after step {whole}" if whole >= 0 else "after the set-up"))
    reference_settled = settled["reference"]
    if reference_settled is None or reference_settled > traces.warm_up:
        message = f"the reference's own steps do not repeat one another after step {traces.warm_up}"
        return result("inconclusive", f"{message}, so they are no pattern to hold the candidate to")
    steps = range(traces.warm_up, whole + 1)
    odd = [s for s in steps if events["reference"].get(s, ()) != events["candidate"].get(s, ())]
    if odd:
        first = odd[0]
        difference = _sequence_difference(events["reference"].get(first, ()), events["candidate"].get(first, ()))
        words = f"step {first} is the first to allocate otherwise than the reference's: {difference}"
        return result("fail", f"{words} ({len(odd)} of {len(steps)} steady steps)", float(len(odd)))
    if any(cut.values()):
        return result(*_cut_short(cut, f"after step {whole}"))
    same_from = next(
        (s for s in range(whole, SETUP, -1) if events["reference"].get(s, ()) != events["candidate"].get(s, ())), SETUP
    )
    per_step = len(events["reference"].get(whole, ()))
    what = f"{per_step} events a step" if per_step else "nothing"
    message = f"set-up allocates the same, steps {same_from + 1} to {whole} {what} on both sides"
    settling = ", ".join(f"the {role} repeats itself from step {settled[role]}" for role in ROLES)
    return result("pass", f"{message}; {settling}", 0.0)


def check_leak(record: RunRecord, policy: Policy) -> CheckResult:
    """Does the memory in use stop growing once training has settled?"""
    traces = _traces(LEAK, record)
    if isinstance(traces, CheckResult):
        return traces
    growth: dict[str, dict[Role, Slope]] = {}
    for name in LEDGERS:
        found = {role: _series(traces.of(role), name, traces.warm_up) for role in ROLES}
        if all(series is None for series in found.values()):
            continue
        slopes: dict[Role, Slope] = {}
        for role, series in found.items():
            steps = [float(step) for step, _ in series or ()]
            slope = robust_slope(steps, [float(value) for _, value in series or ()], policy.confidence)
            if slope is None:
                message = f"{LEDGER_WORDS[name]} of the {role} was not measured after every step"
                return CheckResult(LEAK, "inconclusive", message)
            slopes[role] = slope
        growth[name] = slopes
    if not growth:
        return CheckResult(LEAK, "not_measured", "no ledger of memory was read on either side")
    if "pool_used_bytes" not in growth:
        return CheckResult(LEAK, "inconclusive", "bytes in use in the pool were read on neither side")
    on_device = traces.candidate.source == DEVICE_SOURCE
    outcome, message, value = _judge_growth(growth, policy, on_device)
    risen = _risen(traces, growth, policy, on_device) if outcome == "pass" else None
    if risen:
        outcome, message = "inconclusive", risen
    shown = {
        **{name: {role: dataclasses.asdict(slope) for role, slope in s.items()} for name, s in growth.items()},
        "confidence": policy.confidence,
        "from_step": traces.warm_up,
        "steps": traces.candidate.steps,
    }
    return CheckResult(
        LEAK, outcome, message, value=value, limit=policy.leak_bytes_per_step, unit="bytes a step", evidence=shown
    )


def _judge_growth(
    growth: Mapping[str, Mapping[Role, Slope]], policy: Policy, on_device: bool
) -> tuple[CheckOutcome, str, float]:
    """The worst ledger decides. Resident size also holds the tracer's own notes, so it is judged by the difference."""
    worst = max(slopes["candidate"].estimate for slopes in growth.values())
    doubtful = None
    for name, slopes in growth.items():
        reference, candidate = slopes["reference"], slopes["candidate"]
        relative = name == "device_used_bytes" and not on_device
        more = candidate.low - reference.high
        words = _ledger_words(name, on_device)
        grown = f"{words} grows by {_rate(candidate)} bytes a step"
        if not _leaks(candidate, policy) or (relative and not more >= policy.leak_bytes_per_step):
            continue
        if not _leaks(reference, policy):
            return "fail", f"{grown}, the reference's by {_rate(reference)}", candidate.estimate
        if more > 0:
            return "fail", f"{grown}, more than the reference's {_rate(reference)}, which leaks too", candidate.estimate
        doubtful = doubtful or f"{grown}, but the reference leaks as well, by {_rate(reference)}"
    if doubtful:
        return "inconclusive", doubtful, worst
    used = growth["pool_used_bytes"]["candidate"]
    others = [_ledger_words(name, on_device) for name, slopes in growth.items() if _leaks(slopes["reference"], policy)]
    beside = f"; the reference's {others[0]} does grow" if others and on_device else ""
    return "pass", f"bytes in use in the pool change by {_rate(used)} a step after the warm-up{beside}", worst


def _risen(traces: Traces, ledgers: Iterable[str], policy: Policy, on_device: bool) -> str | None:
    """A ledger of the candidate's that is higher, all through the last quarter of the steady steps, than it ever was in
    the first: what leaks every twentieth step has a slope of which the interval includes zero."""
    for name in ledgers:
        if name == "device_used_bytes" and not on_device:
            continue
        grown = {role: _growth_by_quarters(_series(traces.of(role), name, traces.warm_up) or []) for role in ROLES}
        steps = traces.candidate.steps - traces.warm_up
        if grown["candidate"] - max(grown["reference"], 0) >= policy.leak_bytes_per_step * steps:
            return (
                f"{LEDGER_WORDS[name]} rose by {grown['candidate']:,} bytes within {steps} steps, in a few of them: "
                "once, or again and again? More steps (--memory-steps) would tell"
            )
    return None


def _growth_by_quarters(series: Sequence[tuple[int, int]]) -> int:
    values, quarter = [value for _, value in series], max(len(series) // 4, 1)
    return min(values[-quarter:], default=0) - max(values[:quarter], default=0)


def _leaks(slope: Slope, policy: Policy) -> bool:
    """Unless the interval includes zero, or lies under the limit; written so that NaN leaks."""
    return not (slope.low <= 0 or slope.high < policy.leak_bytes_per_step)


def _ledger_words(name: str, on_device: bool) -> str:
    return "resident size" if name == "device_used_bytes" and not on_device else LEDGER_WORDS[name]


def _rate(slope: Slope) -> str:
    return f"{slope.estimate:,.0f} [{slope.low:,.0f}, {slope.high:,.0f}]"


def _traces(name: str, record: RunRecord) -> Traces | CheckResult:
    """Both traces, or what a check says without them."""
    evidence = record.memory
    if evidence is None:
        return absent_phase(name, record, "memory")
    trouble = first_trouble(record, evidence.troubles)
    if trouble is not None:
        return CheckResult(name, trouble[0], trouble[1])
    by_role: dict[Role, MemoryTrace] = {trace.role: trace for trace in evidence.traces}
    if len(evidence.traces) != len(ROLES) or set(by_role) != set(ROLES):
        return CheckResult(name, "inconclusive", f"{len(by_role)} of 2 sides were traced")
    wanted = record.plan.memory.steps
    for role in ROLES:
        trace = by_role[role]
        seen = [sample.step for sample in trace.samples]
        if trace.steps != wanted or seen != list(range(SETUP, wanted)):
            whole = len(set(seen) & set(range(wanted)))
            return CheckResult(name, "inconclusive", f"{whole} of {wanted} steps of the {role} were watched")
    reference, candidate = by_role["reference"], by_role["candidate"]
    if reference.source != candidate.source:
        message = f"the reference was traced by {reference.source}, the candidate by {candidate.source}"
        return CheckResult(name, "inconclusive", message)
    return Traces(reference, candidate, wanted // WARM_UP_SHARE)


def _peaks(trace: MemoryTrace) -> dict[str, int | None]:
    """Of the pool, and on a GPU of all device memory: what is allocated outside the pool is paid for as well."""
    peaks = {"pool": trace.peak_bytes}
    if trace.source == DEVICE_SOURCE:
        used = [s.device_used_bytes for s in trace.samples]
        peaks["device"] = max((u for u in used if u is not None), default=None) if None not in used else None
    return peaks


def _ledgers(trace: MemoryTrace) -> dict[str, Any]:
    """The three ledgers after the last step, and the gap between the second and the third, which is in no pool."""
    last = trace.samples[-1]
    held, used = last.pool_held_bytes, last.device_used_bytes
    return {
        "pool_used_bytes": last.pool_used_bytes,
        "pool_held_bytes": held,
        "device_used_bytes": used,
        "outside_the_pool_bytes": None if held is None or used is None else used - held,
        "context_bytes": trace.context_bytes,
        "baseline_bytes": trace.baseline_bytes,
    }


def _series(trace: MemoryTrace, name: str, first: int) -> list[tuple[int, int]] | None:
    """Values of a ledger by step, from `first` on; `None` where it was never read, an empty list where sometimes."""
    values = [(sample.step, LEDGERS[name](sample)) for sample in trace.samples if sample.step >= first]
    known = [(step, value) for step, value in values if value is not None]
    if not known:
        return None
    return known if len(known) == len(values) else []


def _by_step(trace: MemoryTrace) -> dict[int, tuple[Shape, ...]]:
    found: dict[int, list[Shape]] = {}
    for event in trace.events:
        found.setdefault(event.step, []).append((event.operation, event.size_bytes))
    return {step: tuple(events) for step, events in found.items()}


def _last_whole_step(trace: MemoryTrace) -> int:
    """The last step of which every event was kept; of a trace that was cut, the one before the last event's."""
    if not trace.events_cut:
        return trace.steps - 1
    return max((event.step for event in trace.events), default=SETUP) - 1


def _settled_from(events: Mapping[int, Sequence[Shape]], last: int) -> int | None:
    """The first step from which all up to `last` are alike; `None` without steps."""
    if last < 0:
        return None
    steady = events.get(last, ())
    return next((step + 1 for step in range(last, SETUP, -1) if events.get(step, ()) != steady), 0)


def _malformed(trace: MemoryTrace) -> str | None:
    def wrong(event: AllocationEvent) -> bool:
        return not (
            SETUP <= event.step < trace.steps and event.size_bytes >= 0 and event.operation in ("malloc", "free")
        )

    odd = next((event for event in trace.events if wrong(event)), None)
    if odd is not None:
        return f"holds an event that cannot be: {odd.operation} of {odd.size_bytes} bytes at step {odd.step}"
    steps = [event.step for event in trace.events]
    return None if steps == sorted(steps) else "is not in the order of its steps"


def _cut_short(cut: Mapping[Role, bool], where: str) -> tuple[CheckOutcome, str]:
    sides = " and ".join(role for role in ROLES if cut[role])
    return "inconclusive", f"more was allocated than is kept, so the {sides}'s trace is cut {where}"


def _multiset_difference(reference: Sequence[Shape], candidate: Sequence[Shape]) -> str | None:
    ours, theirs = Counter(reference), Counter(candidate)
    parts = [f"{count} more {_event(shape)}" for shape, count in sorted((theirs - ours).items())]
    parts += [f"{count} fewer {_event(shape)}" for shape, count in sorted((ours - theirs).items())]
    more = f" and {len(parts) - SHOWN} more differences" if len(parts) > SHOWN else ""
    return f"{', '.join(parts[:SHOWN])}{more}" if parts else None


def _sequence_difference(reference: Sequence[Shape], candidate: Sequence[Shape]) -> str:
    """The first event at which two steps part."""
    place = next((i for i, (a, b) in enumerate(zip(reference, candidate, strict=False)) if a != b), None)
    if place is None:
        place = min(len(reference), len(candidate))
    found = [_event(events[place]) if place < len(events) else "no more" for events in (candidate, reference)]
    return f"event {place} is {found[0]}, the reference's {found[1]}"


def _event(shape: Shape) -> str:
    return f"{shape[0]} of {shape[1]:,} bytes"


def _mebibytes(count: float) -> str:
    return f"{count / 2**20:,.1f} MiB" if math.isfinite(count) else str(count)
