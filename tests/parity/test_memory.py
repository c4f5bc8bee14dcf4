"""The memory checks: peaks, patterns and leaks, and that broken traces never pass."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.measurements import AllocationEvent, MemoryEvidence, MemoryTrace, TimingTrouble
from service.parity.memory import check_leak, check_pattern, check_peak
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.parity.verdict import CheckResult

POLICY = named_policy("default")
CHECKS = (check_peak, check_pattern, check_leak)
MIB = 2**20
Traced = Callable[..., RunRecord]
Check = Callable[..., CheckResult]
BLAME = {"reference": "inconclusive", "candidate": "fail"}


def judged(check: Check, record: RunRecord) -> CheckResult:
    result = check(record, POLICY)
    json.dumps(result.evidence, allow_nan=False)
    return result


@pytest.mark.parametrize("check", CHECKS)
def test_everything_passes(measured: RunRecord, check: Check) -> None:
    result = judged(check, measured)
    assert result.outcome == "pass", result.message


# --- what every memory check needs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS)
def test_gaps(measured: RunRecord, trace: Callable[..., MemoryTrace], check: Check) -> None:
    assert measured.memory is not None
    reference, candidate = measured.memory.traces
    incomplete: list[tuple[MemoryTrace, ...]] = [
        (),
        (reference,),
        (candidate,),
        (reference, reference),
        (reference, candidate, candidate),
    ]
    for role, other in ((reference, candidate), (candidate, reference)):
        incomplete += [
            (replace(role, samples=role.samples[:-1]), other),
            (replace(role, samples=role.samples[1:]), other),
            (replace(role, samples=()), other),
            (replace(role, samples=(*role.samples, role.samples[-1])), other),
            (replace(role, steps=0), other),
            (trace(role.role, steps=39), other),
            (replace(role, source="numpy allocator"), other),
        ]
    for traces in incomplete:
        assert judged(check, replace(measured, memory=MemoryEvidence(traces))).outcome == "inconclusive"


@pytest.mark.parametrize("role", ["reference", "candidate"])
@pytest.mark.parametrize("check", CHECKS)
def test_trouble(measured: RunRecord, check: Check, role: Any) -> None:
    assert measured.memory is not None
    trouble = TimingTrouble(role, "memory, tracing", "out of memory", "oom_device")
    left = tuple(trace for trace in measured.memory.traces if trace.role != role)
    result = judged(check, replace(measured, memory=MemoryEvidence(left, (trouble,))))
    assert (result.outcome, result.message) == (BLAME[role], "out of memory (oom_device, memory, tracing)")


@pytest.mark.parametrize("check", CHECKS)
def test_no_phase(measured: RunRecord, check: Check) -> None:
    assert judged(check, replace(measured, memory=None)).outcome == "inconclusive"
    plan = replace(measured.plan, phases=("synchronized",))
    result = judged(check, replace(measured, memory=None, plan=plan))
    assert (result.outcome, result.value) == ("not_measured", None)


# --- peak -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [
        (100 * MIB, 100 * MIB, "pass"),
        (100 * MIB, 1, "pass"),
        (100 * MIB, 116 * MIB, "pass"),
        (100 * MIB, 116 * MIB + 1, "fail"),
        (1000 * MIB, 1050 * MIB, "pass"),
        (1000 * MIB, 1051 * MIB, "fail"),
        (1 * MIB, 17 * MIB, "pass"),
        (1 * MIB, 18 * MIB, "fail"),
        (0, 1, "inconclusive"),
        (100 * MIB, 0, "inconclusive"),
        (-1, 100 * MIB, "inconclusive"),
        (None, 100 * MIB, "inconclusive"),
        (100 * MIB, None, "inconclusive"),
        (None, None, "inconclusive"),
        (math.nan, 100 * MIB, "inconclusive"),
    ],
)
def test_peak(traced: Traced, reference: int | None, candidate: int | None, outcome: str) -> None:
    record = traced(reference={"peak": reference}, candidate={"peak": candidate})
    result = check_peak(record, POLICY)
    assert result.outcome == outcome, result.message
    if outcome in ("pass", "fail") and candidate != 1:
        assert reference is not None
        assert result.value == candidate
        assert result.limit == reference + max(0.05 * reference, 16 * MIB)
        assert "whichever is more" in result.message


def test_memory_outside_the_pool_counts(traced: Traced) -> None:
    """The reference's 600 MiB allow 30 MiB more."""
    enough, more = (traced(candidate={"device": lambda step, m=m: m * MIB}) for m in (630, 631))
    assert judged(check_peak, enough).outcome == "pass"
    result = judged(check_peak, more)
    assert (result.outcome, "device peak" in result.message) == ("fail", True)
    once = traced(candidate={"device": lambda step: (700 if step == 20 else 600) * MIB})
    assert judged(check_peak, once).outcome == "fail"


def test_resident_size_is_shown_and_its_peak_not_judged(traced: Traced) -> None:
    own = {"source": "numpy allocator"}
    record = traced(reference=own, candidate={**own, "device": lambda step: 5000 * MIB})
    result = judged(check_peak, record)
    assert result.outcome == "pass"
    assert result.evidence["candidate"]["device_used_bytes"] == 5000 * MIB


@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_a_ledger_of_one_side_alone(traced: Traced, side: str) -> None:
    result = judged(check_peak, traced(**{side: {"device": lambda step: None}}))
    assert (result.outcome, result.message) == ("inconclusive", f"the {side}'s device peak was not measured")


def test_no_peak_at_all_is_not_measured(traced: Traced) -> None:
    nothing: dict[str, Any] = {"peak": None, "device": lambda step: None}
    assert judged(check_peak, traced(reference=nothing, candidate=nothing)).outcome == "not_measured"


def test_ledgers_are_reconciled(measured: RunRecord) -> None:
    shown = judged(check_peak, measured).evidence["candidate"]
    assert shown["outside_the_pool_bytes"] == (600 - 128) * MIB
    assert shown["context_bytes"] == 472 * MIB


# --- pattern ----------------------------------------------------------------------------------------------------------

SETUP = (("malloc", 4096), ("malloc", 512), ("free", 512), ("malloc", 4096))


@pytest.mark.parametrize(
    ("setup", "outcome", "words"),
    [
        (SETUP[::-1], "pass", ""),
        (SETUP[:-1], "fail", "1 fewer malloc of 4,096 bytes"),
        ((*SETUP, ("malloc", 4096)), "fail", "1 more malloc of 4,096 bytes"),
        ((("malloc", 8192), *SETUP[1:]), "fail", "1 more malloc of 8,192 bytes, 1 fewer malloc of 4,096 bytes"),
        ((("free", 4096), *SETUP[1:]), "fail", "1 more free of 4,096 bytes"),
        ((*SETUP, *(("malloc", 512 * n) for n in range(2, 9))), "fail", "and 4 more differences"),
        ((), "inconclusive", "no allocation of the candidate's set-up was seen"),
    ],
)
def test_setup_is_a_multiset(traced: Traced, setup: Any, outcome: str, words: str) -> None:
    result = judged(check_pattern, traced(candidate={"setup": setup}))
    assert result.outcome == outcome
    assert words in result.message


def test_nothing_seen_on_either_side_decides_nothing(traced: Traced) -> None:
    assert judged(check_pattern, traced(reference={"setup": ()}, candidate={"setup": ()})).outcome == "inconclusive"


PAIR = (("malloc", 512), ("free", 512))


def from_step(first: int, events: Any = PAIR, else_events: Any = ()) -> Callable[[int], Any]:
    return lambda step: events if step >= first else else_events


@pytest.mark.parametrize(
    ("step", "outcome", "words"),
    [
        (from_step(40), "pass", "steps 0 to 39 nothing on both sides"),
        (from_step(0), "fail", "step 10 is the first"),
        (from_step(39), "fail", "step 39 is the first to allocate otherwise"),
        (from_step(25), "fail", "step 25 is the first"),
        (lambda step: PAIR if step == 17 else (), "fail", "step 17 is the first"),
        (lambda step: PAIR if step % 10 == 9 else (), "fail", "step 19 is the first"),
        (from_step(10, (), PAIR), "pass", "steps 10 to 39 nothing on both sides"),
        (from_step(1, (), PAIR), "pass", "the candidate repeats itself from step 1"),
        (from_step(11, (), PAIR), "fail", "step 10 is the first"),
    ],
)
def test_steady_steps_of_a_reference_that_allocates_nothing(
    traced: Traced, step: Any, outcome: str, words: str
) -> None:
    result = judged(check_pattern, traced(candidate={"step": step}))
    assert result.outcome == outcome, result.message
    assert words in result.message


@pytest.mark.parametrize(
    ("events", "outcome", "words"),
    [
        (PAIR, "pass", "2 events a step on both sides"),
        ((), "fail", "event 0 is no more, the reference's malloc of 512 bytes"),
        (PAIR[::-1], "fail", "event 0 is free of 512 bytes"),
        (PAIR[:1], "fail", "event 1 is no more, the reference's free of 512 bytes"),
        ((*PAIR, ("malloc", 8)), "fail", "event 2 is malloc of 8 bytes, the reference's no more"),
        ((("malloc", 1024), ("free", 1024)), "fail", "event 0 is malloc of 1,024 bytes"),
    ],
)
def test_steady_steps_are_sequences(traced: Traced, events: Any, outcome: str, words: str) -> None:
    result = judged(check_pattern, traced(reference={"step": from_step(0)}, candidate={"step": from_step(0, events)}))
    assert result.outcome == outcome
    assert words in result.message


def test_a_reference_that_does_not_repeat_itself_is_no_pattern(traced: Traced) -> None:
    def wild(step: int) -> Any:
        return PAIR if step % 3 else ()

    result = judged(check_pattern, traced(reference={"step": wild}, candidate={"step": wild}))
    assert (result.outcome, "do not repeat one another" in result.message) == ("inconclusive", True)


@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_a_trace_that_was_cut(traced: Traced, side: str) -> None:
    late = {"step": from_step(0)}
    cut = {**late, "events_cut": True}
    both = {"reference": late, "candidate": late, side: cut}
    result = judged(check_pattern, traced(**both))
    assert (result.outcome, f"the {side}'s trace is cut" in result.message) == ("inconclusive", True)


def test_a_difference_before_the_cut_is_one(traced: Traced) -> None:
    cut = {"step": from_step(20), "events_cut": True}
    result = judged(check_pattern, traced(candidate=cut))
    assert result.outcome == "fail"


def test_a_candidate_cut_for_what_it_allocates_fails(traced: Traced) -> None:
    many = {"step": lambda step: PAIR * 50 if step == 0 else (), "events_cut": True}
    result = judged(check_pattern, traced(candidate=many))
    assert (result.outcome, "allocation calls" in result.message) == ("fail", True)
    assert judged(check_pattern, traced(reference=many)).outcome == "inconclusive"
    within = {"events_cut": True}
    assert judged(check_pattern, traced(reference=within)).outcome == "inconclusive"


@pytest.mark.parametrize(
    "event", [AllocationEvent(-2, "malloc", 1), AllocationEvent(40, "malloc", 1), AllocationEvent(0, "malloc", -1)]
)
@pytest.mark.parametrize("side", [0, 1])
def test_events_that_cannot_be(measured: RunRecord, event: AllocationEvent, side: int) -> None:
    assert measured.memory is not None
    traces = list(measured.memory.traces)
    traces[side] = replace(traces[side], events=(*traces[side].events, event))
    result = judged(check_pattern, replace(measured, memory=MemoryEvidence(tuple(traces))))
    assert (result.outcome, "cannot be" in result.message) == ("inconclusive", True)


def test_events_out_of_order(traced: Traced) -> None:
    record = traced(reference={"step": from_step(0)}, candidate={"step": from_step(0)})
    assert record.memory is not None
    reference, candidate = record.memory.traces
    shuffled = replace(candidate, events=candidate.events[::-1])
    result = judged(check_pattern, replace(record, memory=MemoryEvidence((reference, shuffled))))
    assert result.outcome == "inconclusive"


# --- leak -------------------------------------------------------------------------------------------------------------

LEDGERS = ("used", "held", "device")


def grow(a_step: float, jitter: int = 0, first: int = 0) -> Callable[[int], int]:
    return lambda step: int(500 * MIB + a_step * max(step - first, 0)) + (jitter if step % 2 else 0)


@pytest.mark.parametrize(
    ("growth", "outcome"),
    [
        (grow(0), "pass"),
        (grow(1000), "pass"),
        (grow(1023.9), "pass"),
        (grow(1024), "fail"),
        (grow(4096), "fail"),
        (grow(MIB), "fail"),
        (grow(-MIB), "pass"),
        (grow(2048, jitter=512), "fail"),
        (grow(0, jitter=MIB), "pass"),
        (lambda step: 500 * MIB + MIB * (step * 7919 % 31), "pass"),
        (lambda step: 500 * MIB + (MIB if step == 30 else 0), "pass"),
        (lambda step: 500 * MIB + MIB * min(step, 8), "pass"),
        (lambda step: 500 * MIB + 512 * MIB * (step // 10), "fail"),
    ],
    ids=[*"abcdefghijklm"],
)
@pytest.mark.parametrize("ledger", LEDGERS)
def test_leak(traced: Traced, growth: Any, outcome: str, ledger: str) -> None:
    flat = {name: grow(0) for name in LEDGERS}
    result = judged(check_leak, traced(reference=flat, candidate={**flat, ledger: growth}))
    assert result.outcome == outcome, result.message
    assert (result.limit, result.unit) == (1024.0, "bytes a step")


def test_the_ledger_is_named(traced: Traced) -> None:
    held = judged(check_leak, traced(candidate={"held": grow(4096)}))
    assert held.message.startswith("bytes that the pool holds grows by 4,096 [4,096, 4,096] bytes a step")
    outside = judged(check_leak, traced(candidate={"device": grow(2 * MIB)}))
    assert outside.message.startswith("device memory in use grows by 2,097,152")


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [(4096, 4096, "inconclusive"), (8192, 4096, "inconclusive"), (4096, 8192, "fail"), (4096, 0, "pass")],
)
def test_a_reference_that_leaks_itself(traced: Traced, reference: int, candidate: int, outcome: str) -> None:
    result = judged(check_leak, traced(reference={"used": grow(reference)}, candidate={"used": grow(candidate)}))
    assert result.outcome == outcome
    assert ("the reference leaks as well" in result.message) == (outcome == "inconclusive")


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [(8192, 8192, "pass"), (8192, 8500, "pass"), (8192, 16384, "fail"), (0, 8192, "fail"), (0, 500, "pass")],
)
def test_resident_size_is_judged_by_the_difference(
    traced: Traced, reference: int, candidate: int, outcome: str
) -> None:
    own = {"source": "numpy allocator"}
    record = traced(reference={**own, "device": grow(reference)}, candidate={**own, "device": grow(candidate)})
    result = judged(check_leak, record)
    assert result.outcome == outcome
    assert ("resident size" in result.message) == (outcome == "fail")
    leaking = traced(reference=own, candidate={**own, "used": grow(4096)})
    assert judged(check_leak, leaking).outcome == "fail"


@pytest.mark.parametrize("side", ["reference", "candidate"])
@pytest.mark.parametrize("ledger", LEDGERS)
def test_ledgers_with_gaps(traced: Traced, side: str, ledger: str) -> None:
    some = {ledger: lambda step: None if step == 20 else 5}
    none = {ledger: lambda step: None}
    assert judged(check_leak, traced(**{side: some})).outcome == "inconclusive"
    assert judged(check_leak, traced(**{side: none})).outcome == "inconclusive"
    everywhere = judged(check_leak, traced(reference=none, candidate=none))
    assert everywhere.outcome == ("inconclusive" if ledger == "used" else "pass")


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_bytes_that_are_no_number(traced: Traced, value: Any, side: str) -> None:
    record = traced(**{side: {"used": lambda step: value if step == 20 else 5}})
    assert judged(check_leak, record).outcome == "inconclusive"


def test_no_ledger_at_all_is_not_measured(traced: Traced) -> None:
    nothing = {name: (lambda step: None) for name in LEDGERS}
    assert judged(check_leak, traced(reference=nothing, candidate=nothing)).outcome == "not_measured"


@pytest.mark.parametrize("every", [15, 18, 20])
@pytest.mark.parametrize("ledger", ["used", "held", "device"])
def test_a_leak_of_a_few_steps_does_not_pass(traced: Any, every: int, ledger: str) -> None:
    """Made on another thread, so that no hook sees it."""

    def growing(step: int) -> int:
        return 600 * 2**20 + 2**20 * (max(step, 0) // every)

    result = check_leak(traced(candidate={ledger: growing}, reference={ledger: lambda step: 600 * 2**20}), POLICY)
    assert result.outcome == "inconclusive", result.message
    assert "1,048,576 bytes within 30 steps" in result.message
    both = check_leak(traced(candidate={ledger: growing}, reference={ledger: growing}), POLICY)
    assert both.outcome == "pass"


def test_use_that_goes_up_and_down_does_not_leak(traced: Any) -> None:
    wavy = {"used": lambda step: 100 * 2**20 + 2**20 * (step % 7)}
    assert check_leak(traced(candidate=wavy), POLICY).outcome == "pass"
