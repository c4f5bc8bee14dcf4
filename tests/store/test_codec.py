"""Values come back equal from their text, whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.parity.errors import StoreError
from service.parity.measurements import (
    EdgeReading,
    MemoryEvidence,
    MemoryTrace,
    PerformanceEvidence,
    SamplerReport,
    Slice,
)
from service.parity.plan import Plan
from service.parity.policy import POLICIES, Policy
from service.parity.record import (
    SIDES,
    FreeRunningEvidence,
    IntegrityEvidence,
    LearningEvidence,
    RunRecord,
    SubjectInfo,
    SynchronizedEvidence,
    Trouble,
)
from service.parity.verdict import CheckResult, FirstDivergence, Verdict
from service.store.codec import MeasuredRows, decode, decode_record, encode, encode_record, storable

# Lists, not tuples: free-form parts have no type to turn a list back into a tuple.
free_form = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.just("$float"), inner, max_size=3),
    max_leaves=8,
)
documents: st.SearchStrategy[Mapping[str, Any]] = st.dictionaries(st.text(), free_form, max_size=4)
texts = st.dictionaries(st.text(), st.text(), max_size=2)
figures = st.dictionaries(st.text(), st.floats(), max_size=2)
counts = st.dictionaries(st.text(), st.integers(), max_size=2)
edges = st.none() | st.builds(EdgeReading, values=figures, missing=st.just({"energy_j": "lost"}))
slices = st.builds(Slice, before=edges, after=edges, activity=figures)
performances = st.builds(
    PerformanceEvidence,
    slices=st.lists(slices, max_size=2).map(tuple),
    planned_blocks=counts,
    step_flops=counts,
    sampler=st.none() | st.builds(SamplerReport, statuses=counts, reasons=texts),
)
traces = {side: st.builds(MemoryTrace, role=st.just(side)) for side in SIDES}
# One trace a side: an event returns to the trace of its side.
memories = st.builds(MemoryEvidence, traces=st.tuples(*traces.values()))
records = st.builds(
    RunRecord,
    plan=st.from_type(Plan),
    subjects=st.dictionaries(st.sampled_from(["reference", "candidate"]), st.builds(SubjectInfo, sources=texts)),
    environment=documents,
    integrity=st.none() | st.from_type(IntegrityEvidence),
    synchronized=st.none() | st.from_type(SynchronizedEvidence),
    free_running=st.none() | st.from_type(FreeRunningEvidence),
    learning=st.none() | st.from_type(LearningEvidence),
    performance=st.none() | performances,
    memory=st.none() | memories,
    troubles=st.lists(st.from_type(Trouble), max_size=2).map(tuple),
)
checks = st.builds(CheckResult, evidence=documents)
verdicts = st.builds(
    Verdict,
    checks=st.lists(checks, max_size=3).map(tuple),
    first_divergence=st.none() | st.from_type(FirstDivergence),
)
slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same(a: object, b: object) -> bool:
    """Equal, with NaN equal to itself; a dataclass's text shows every field."""
    return repr(a) == repr(b)


@slow
@given(records)
def test_a_record_comes_back_equal(record: RunRecord) -> None:
    assert same(decode(RunRecord, encode(record)), record)


@slow
@given(verdicts)
def test_a_verdict_comes_back_equal(verdict: Verdict) -> None:
    assert same(decode(Verdict, encode(verdict)), verdict)


@slow
@given(st.from_type(Plan), st.builds(Policy, required=st.dictionaries(st.text(), st.just("always"))))
def test_plans_and_policies_come_back_equal(plan: Plan, policy: Policy) -> None:
    assert same(decode(Plan, encode(plan)), plan)
    assert same(decode(Policy, encode(policy)), policy)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_the_built_in_policies(policy: Policy) -> None:
    assert decode(Policy, encode(policy)) == policy


def test_the_digest_survives() -> None:
    plan = Plan(seed=5, phases=("free_running",))
    assert decode(Plan, encode(plan)).digest() == plan.digest()


def measured_rows(record: RunRecord) -> MeasuredRows:
    traces = record.memory.traces if record.memory else ()
    return MeasuredRows(
        record.performance.slices if record.performance else (),
        record.performance.telemetry if record.performance else (),
        [(trace.role, event) for trace in traces for event in trace.events],
    )


@slow
@given(records)
def test_rows_return_to_the_evidence_of_their_phase(record: RunRecord) -> None:
    losses = [row for part in (record.synchronized, record.free_running) if part for row in part.losses]
    diffs = record.synchronized.diffs if record.synchronized else ()
    kept = decode_record(encode_record(record), losses, diffs, measured_rows(record))
    for part, name in ((kept.synchronized, "synchronized"), (kept.free_running, "free_running")):
        if part is not None:
            assert same(part.losses, tuple(row for row in losses if row.phase == name))
    assert same(kept.performance, record.performance)
    assert same(kept.memory, record.memory)
    if kept.synchronized is not None:
        assert same(kept.synchronized.diffs, tuple(row for row in diffs if row.phase == "synchronized"))


@slow
@given(documents)
def test_the_text_is_strict_ascii_json(document: Mapping[str, Any]) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = encode(document)
    assert text.isascii()
    assert "\x00" not in text
    json.loads(text, parse_constant=refuse)


def test_numpy_numbers_become_plain_ones() -> None:
    given_ = {"a": np.float32(0.5), "b": np.int64(3), "c": np.bool_(True), "d": np.float32("inf")}
    assert decode(dict, encode(given_)) == {"a": 0.5, "b": 3, "c": True, "d": float("inf")}


@pytest.mark.parametrize("value", [np.zeros(3), {1, 2}, b"raw", object(), Plan], ids=lambda v: type(v).__name__)
def test_what_json_cannot_hold_is_refused_by_name(value: object) -> None:
    with pytest.raises(StoreError, match=r"^a\.b\[1\] is a "):
        encode({"a": {"b": [0, value]}})


def test_fields_of_a_newer_version_are_left_out_and_missing_ones_take_their_default() -> None:
    document = json.loads(encode(Plan(seed=4)))
    document["invented_later"] = 1
    del document["device"]
    assert decode(Plan, json.dumps(document)) == Plan(seed=4)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": "many"}', "[" * 100_000])
def test_text_that_cannot_be_read_says_so(text: str) -> None:
    with pytest.raises(StoreError, match="a stored Plan cannot be read by this Lockstep"):
        decode(Plan, text)


@pytest.mark.parametrize("text", ["\x00", "\\\x00", "\\x00", "\\u0000", "\\ud800", "$float", "\U0001f3a8"])
def test_any_text_comes_back_equal(text: str) -> None:
    value = {text: [text, {text: text}]}
    assert decode(dict, encode(value)) == value


def test_a_lone_surrogate_becomes_text_that_shows_it() -> None:
    assert decode(dict, encode({"\udc80": "\ud800\udc00"})) == {"\\udc80": "\\ud800\\udc00"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [("plain", "plain"), ("ü漢🙂", "ü漢🙂"), ("a\x00b", "a\\x00b"), ("\ud800", "\\ud800"), ("", "")],
)
def test_storable_text(text: str, kept: str) -> None:
    assert storable(text) == kept
