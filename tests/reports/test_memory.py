"""Memory in the report: ledgers, growth, and how the allocation calls of the sides differ."""

from __future__ import annotations

import dataclasses
from typing import Any

from service.parity.measurements import MemoryEvidence
from service.parity.policy import named_policy
from service.reports.memory import MAX_DIFFERENCES, memory

POLICY = named_policy("default")


def test_both_sides_alike(measured: Any) -> None:
    found = memory(measured.record, POLICY, measured.verdict)
    assert found["sides"]["reference"] == found["sides"]["candidate"]
    side = found["sides"]["candidate"]
    assert (side["peak_bytes"], side["device_peak_bytes"]) == (110 * 2**20, 600 * 2**20)
    assert side["last"]["pool_held_bytes"] == 128 * 2**20
    assert side["outside_the_pool_bytes"] == 472 * 2**20
    assert side["growth"]["pool_used_bytes"] == {"estimate": 0.0, "low": 0.0, "high": 0.0}
    assert (side["setup_events"], side["steady_step_events"]) == (3, 0)
    assert (found["differences"], found["judged_from_step"]) == ([], 10)


def test_a_leak_and_a_pattern_of_its_own(leaking: Any) -> None:
    found = memory(leaking.record, POLICY, leaking.verdict)
    assert found["sides"]["candidate"]["growth"]["pool_used_bytes"]["estimate"] == 4096
    assert found["sides"]["reference"]["growth"]["pool_used_bytes"]["estimate"] == 0
    assert found["differences"] == [
        {"stage": "steady steps", "operation": operation, "size_bytes": 2048, "reference": 0, "candidate": 30}
        for operation in ("free", "malloc")
    ]
    assert "step 10 is the first to allocate otherwise" in found["pattern"]
    ledger = found["ledgers"]["candidate"]
    assert (ledger["steps"][0], ledger["total_steps"], ledger["reduced"]) == (-1, 41, False)
    assert ledger["pool_used_bytes"][-1] - ledger["pool_used_bytes"][0] == 39 * 4096


def test_set_up_is_compared_as_a_multiset(builders: Any, measured: Any) -> None:
    trace = builders.make_trace("candidate")
    first, *others = trace.events
    larger = dataclasses.replace(first, size_bytes=8192)
    traces = (builders.make_trace("reference"), dataclasses.replace(trace, events=(*others, larger)))
    record = dataclasses.replace(measured.record, memory=MemoryEvidence(traces))
    rows = memory(record, POLICY, None)["differences"]
    assert [(row["stage"], row["size_bytes"], row["reference"], row["candidate"]) for row in rows] == [
        ("set-up", 8192, 0, 1),
        ("set-up", 4096, 2, 1),
    ]


def test_a_cut_trace_is_compared_as_far_as_both_are_whole(builders: Any, measured: Any) -> None:
    pair = (("malloc", 2048), ("free", 2048))
    own, theirs = builders.make_trace("reference", more=pair), builders.make_trace("candidate", more=pair)
    kept = tuple(event for event in theirs.events if event.step < 20)[:-1]
    cut = dataclasses.replace(theirs, events=kept, events_cut=True)
    record = dataclasses.replace(measured.record, memory=MemoryEvidence((own, cut)))
    found = memory(record, POLICY, None)
    assert found["differences"] == []
    assert found["sides"]["candidate"]["events_cut"] is True


def test_what_is_left_out_is_counted(builders: Any, measured: Any) -> None:
    many = tuple(("malloc", 512 * size) for size in range(1, MAX_DIFFERENCES + 6))
    traces = (builders.make_trace("reference"), builders.make_trace("candidate", more=many))
    record = dataclasses.replace(measured.record, memory=MemoryEvidence(traces))
    found = memory(record, POLICY, None)
    assert (len(found["differences"]), found["differences_left_out"]) == (MAX_DIFFERENCES, 5)
    assert found["differences"][0]["size_bytes"] == 512 * (MAX_DIFFERENCES + 5)


def test_a_side_that_broke_is_null(timed_on_cpu: Any) -> None:
    found = memory(timed_on_cpu.record, POLICY, timed_on_cpu.verdict)
    assert found["sides"]["candidate"] is None
    assert found["ledgers"]["candidate"] is None
    assert found["sides"]["reference"]["peak_bytes"] == 110 * 2**20
    assert found["sides"]["reference"]["growth"] == dict.fromkeys(
        ("pool_used_bytes", "pool_held_bytes", "device_used_bytes")
    )
    assert found["differences"] == []
    # Seen by NumPy's allocator: resident size is no total that the arrays are a part of.
    assert found["sides"]["reference"]["outside_the_pool_bytes"] is None


def test_ledgers_that_were_not_read_are_null(builders: Any, measured: Any) -> None:
    trace = builders.make_trace("candidate")
    bare = tuple(dataclasses.replace(sample, device_used_bytes=None) for sample in trace.samples)
    traces = (builders.make_trace("reference"), dataclasses.replace(trace, samples=bare, peak_bytes=None))
    record = dataclasses.replace(measured.record, memory=MemoryEvidence(traces))
    side = memory(record, POLICY, None)["sides"]["candidate"]
    assert (side["peak_bytes"], side["last"]["device_used_bytes"], side["outside_the_pool_bytes"]) == (None, None, None)
