"""The ladder's rules: what may be promoted, on what evidence, and what a demand's outcome is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.parity.errors import LadderRefused, UnknownName
from service.parity.ladder import (
    CURRENT,
    DEMANDS,
    Numerics,
    Promotion,
    check_promotion,
    check_rollback,
    demands_of,
    numerics_of,
    resolved,
    rung_in_use,
    subject_in_use,
    unmeasured,
    why_no_evidence,
)
from service.parity.plan import Plan
from service.parity.policy import ALL_CHECKS
from service.parity.record import (
    DiffStats,
    FreeRunningEvidence,
    RunRecord,
    SubjectInfo,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.parity.verdict import CheckResult, Verdict

RUNGS = ("ground", "first", "second", "third")
AT = datetime(2030, 1, 1, tzinfo=UTC)


def history(*steps: str) -> list[Promotion]:
    """`+first` is a promotion, `-ground` a rollback."""
    actions: Any = {"+": "promote", "-": "rollback"}
    return [
        Promotion(number, actions[step[0]], step[1:], AT, "ann", source_digest="old" if step[0] == "+" else None)
        for number, step in enumerate(steps, 1)
    ]


def verdict(outcome: Any = "PASS", **outcomes: Any) -> Verdict:
    """Every check passes, but those named, with `__` for the dot."""
    found = dict.fromkeys(ALL_CHECKS, "pass") | {name.replace("__", "."): o for name, o in outcomes.items()}
    checks = tuple(CheckResult(name, one, f"finding of {name}", value=1.5) for name, one in found.items())
    return Verdict(outcome, "summary", checks, "default")


def record(candidate: str = "basemodel@first", reference: str = "legacy", digest: str = "new") -> RunRecord:
    info = SubjectInfo(candidate, "1", digest, 1, 1, "cpu")
    return RunRecord(Plan(reference=reference, candidate=candidate), {"reference": info, "candidate": info}, {})


def test_without_a_history_legacy_itself_is_in_use() -> None:
    assert rung_in_use([]) is None
    assert subject_in_use([]) == "legacy"
    assert subject_in_use(history("+ground", "+first", "-ground")) == "basemodel@ground"


def test_the_rung_in_use_is_named_by_the_plan_itself() -> None:
    plan = resolved(Plan(reference=CURRENT, candidate="basemodel@second"), lambda: history("+ground", "+first"))
    assert (plan.reference, plan.candidate) == ("basemodel@first", "basemodel@second")
    assert resolved(Plan(candidate=CURRENT), list).candidate == "legacy"


def test_the_history_is_not_read_where_it_is_not_needed() -> None:
    def fail() -> Sequence[Promotion]:
        raise AssertionError("read")

    assert resolved(Plan(), fail) == Plan()


@pytest.mark.parametrize(
    ("steps", "rung", "digest", "skip"),
    [
        ([], "ground", "new", False),
        (["+ground"], "first", "new", False),
        (["+ground", "+first", "-ground"], "first", "new", False),
        ([], "third", "new", True),
        (["+ground"], "third", "new", True),
        (["+ground"], "ground", "new", False),
        (["+first", "-ground"], "ground", "old", False),
    ],
)
def test_one_step_up_or_more_on_purpose_or_again_on_a_new_source(
    steps: list[str], rung: str, digest: str, skip: bool
) -> None:
    check_promotion(RUNGS, history(*steps), rung, digest, skip)


@pytest.mark.parametrize(
    ("steps", "rung", "skip", "reason"),
    [
        ([], "second", False, "not the next one up from legacy: ground, first would be skipped; promote ground first"),
        (["+ground"], "second", False, "from ground: first would be skipped"),
        (["+ground", "+first"], "ground", True, "below first, which is in use; go down with"),
        (["+ground"], "ground", True, "in use already"),
    ],
)
def test_other_steps_up_are_refused(steps: list[str], rung: str, skip: bool, reason: str) -> None:
    with pytest.raises(LadderRefused, match=reason):
        check_promotion(RUNGS, history(*steps), rung, "old", skip)


def test_the_way_down_is_open_to_every_lower_rung() -> None:
    for rung in ("ground", "first"):
        check_rollback(RUNGS, history("+second"), rung)


@pytest.mark.parametrize(
    ("steps", "rung", "reason"),
    [
        ([], "ground", "nothing has been promoted yet"),
        (["+first"], "first", "not below first"),
        (["+first"], "second", "not below first"),
        (["+ground"], "ground", "not below ground"),
    ],
)
def test_down_is_not_up(steps: list[str], rung: str, reason: str) -> None:
    with pytest.raises(LadderRefused, match=reason):
        check_rollback(RUNGS, history(*steps), rung)


def test_an_unknown_rung_is_told_with_those_that_there_are() -> None:
    says = "'roof' is unknown; choose from ground, first"
    with pytest.raises(UnknownName, match=says):
        check_promotion(RUNGS, [], "roof", "new")
    with pytest.raises(UnknownName, match=says):
        check_rollback(RUNGS, history("+first"), "roof")


def why_not(**changes: Any) -> str | None:
    values: dict[str, Any] = {"state": "finished", "record": record(), "verdict": verdict(), **changes}
    return why_no_evidence("first", "new", **values)


def test_a_passing_run_of_the_rung_on_this_source_is_evidence() -> None:
    assert why_not() is None
    unmeasured_demands = {"utilization__floor": "not_measured", "memory__peak": "not_applicable"}
    assert why_not(verdict=verdict(**unmeasured_demands)) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state": "running"}, "it is running, not finished"),
        ({"state": "cancelled"}, "it is cancelled, not finished"),
        ({"record": None}, "no record"),
        ({"verdict": None}, "no verdict"),
        ({"record": record(candidate="basemodel@second")}, "its candidate is basemodel@second, not basemodel@first"),
        ({"record": record(candidate="basemodel@first+loss")}, "its candidate is"),
        ({"record": record(reference="basemodel@first")}, "its reference is basemodel@first, not legacy"),
        ({"record": record(digest="older")}, "on another source than the present one"),
        ({"record": replace(record(), subjects={})}, "on another source"),
        ({"verdict": verdict("FAIL")}, "its outcome is FAIL, not PASS"),
        ({"verdict": verdict("INCONCLUSIVE")}, "its outcome is INCONCLUSIVE, not PASS"),
        ({"verdict": verdict(memory__leak="fail")}, "the ladder demands more .memory is fail: finding of memory.leak"),
        ({"verdict": verdict(learning__loss_falls="not_measured")}, "training accuracy is not_measured"),
        ({"verdict": verdict(utilization__floor="inconclusive")}, "utilization is inconclusive"),
    ],
)
def test_what_is_no_evidence_says_why(changes: dict[str, Any], reason: str) -> None:
    found = why_not(**changes)
    assert found is not None
    assert reason.replace(".memory", "(memory") in found


@pytest.mark.parametrize(
    ("outcomes", "outcome", "finding"),
    [
        ({}, "pass", "memory.peak"),
        ({"memory__leak": "fail", "memory__peak": "not_measured"}, "fail", "memory.leak"),
        ({"memory__leak": "inconclusive", "memory__peak": "not_measured"}, "inconclusive", "memory.leak"),
        ({"memory__pattern": "not_measured"}, "not_measured", "memory.pattern"),
        ({"memory__peak": "not_applicable"}, "pass", "memory.pattern"),
        ({f"memory__{n}": "not_applicable" for n in ("peak", "pattern", "leak")}, "not_applicable", "memory.peak"),
    ],
)
def test_a_demand_is_as_good_as_its_gravest_check(outcomes: dict[str, str], outcome: str, finding: str) -> None:
    demands = {demand.name: demand for demand in demands_of(verdict(**outcomes).checks)}
    assert list(demands) == list(DEMANDS)
    assert demands["memory"].outcome == outcome
    assert demands["memory"].message == f"finding of {finding}"
    assert {demand.outcome for name, demand in demands.items() if name != "memory"} == {"pass"}


def test_what_was_never_judged_was_not_measured() -> None:
    assert {demand.outcome for demand in demands_of(())} == {"not_measured"}


def test_every_check_of_a_demand_is_one_that_there_is() -> None:
    assert {check for checks in DEMANDS.values() for check in checks} < set(ALL_CHECKS)


def test_a_promotion_notes_what_its_run_did_not_measure() -> None:
    assert unmeasured(verdict()) == ""
    found = verdict(memory__leak="not_measured", performance__step_time="not_measured")
    assert unmeasured(found) == "not measured: memory, performance"


def compared(
    mismatches: int = 0, steps: tuple[int, ...] = (0, 3), end: str | None = "aa", troubles: tuple[Trouble, ...] = ()
) -> RunRecord:
    stats = DiffStats(4, 0, 0, 0, 0, mismatches, 0.0, 0.0, 1.0, 0, None)
    diffs = tuple(TapDiff("synchronized", step, 0, "loss", (), "float32", stats) for step in steps)
    synchronized = SynchronizedEvidence(
        (0, 3), ("loss",), steps, len(diffs), "a", "a", "float64 oracle", diffs, troubles=troubles
    )
    free = FreeRunningEvidence(1, 1, 1, "a", "a", (), (), (), reference_end_digest="aa", candidate_end_digest=end or "")
    return replace(record(), synchronized=synchronized, free_running=None if end is None else free)


@pytest.mark.parametrize(
    ("of", "bit_equal"),
    [
        (compared(), True),
        (compared(end=None), True),
        (compared(mismatches=1), False),
        (compared(end="bb"), False),
        (compared(steps=(0,)), False),
        (compared(troubles=(Trouble("candidate", "synchronized", 3, "exception", "x"),)), False),
        (record(), None),
    ],
)
def test_bit_equal_is_every_tap_of_every_step_and_the_trained_weights(of: RunRecord, bit_equal: bool | None) -> None:
    assert numerics_of(of, verdict()) == Numerics(bit_equal, 1.5)
    assert numerics_of(of, None).error_ratio is None
