"""What counts as done, and what a run's end is taken for."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.campaigns import sweep as module
from service.campaigns.sweep import Recorded, carry_out, end_of, find_done
from service.parity.errors import InvalidRequest
from service.parity.grid import Sweep, sweep_from_document
from service.parity.plan import Plan
from service.parity.policy import Policy, named_policy
from service.parity.record import RunRecord, Side, SubjectInfo
from service.parity.verdict import CheckResult, Outcome, Verdict
from service.reports.sweep import End
from service.store.memory import MemoryRunStore

T0 = datetime(2026, 1, 2, tzinfo=UTC)
NUMERICS = named_policy("numerics")


def info(name: str, digest: str = "aa", device: str = "cpu") -> SubjectInfo:
    return SubjectInfo(name, "1", digest, 10, 10, device, {})


NOW = {"reference": info("legacy"), "candidate": info("basemodel", "bb")}


def asked(seeds: Sequence[int] = (0, 1), extra: str = "") -> Sweep:
    return sweep_from_document(
        tomllib.loads(f'policy = "numerics"\n{extra}\n[grid]\nseed = {list(seeds)}'), named_policy
    )


def plan_of(seed: int) -> Plan:
    return asked([seed]).grids[0].plans[0]


def finished(
    store: MemoryRunStore,
    run_id: str,
    plan: Plan,
    subjects: dict[str, SubjectInfo] | None = None,
    policy: Policy = NUMERICS,
    outcome: Outcome = "PASS",
    checks: tuple[CheckResult, ...] = (),
) -> None:
    store.create_run(run_id, plan, policy, T0)
    store.claim(run_id, "someone", T0)
    store.save_record(run_id, RunRecord(plan, NOW if subjects is None else subjects, {}))
    store.finish(run_id, Verdict(outcome, "a summary", checks, policy.name), T0 + timedelta(seconds=3))


class Told:
    """Describes the sides as they are now, and keeps what it was asked."""

    def __init__(self, **sides: SubjectInfo | None) -> None:
        self.sides: dict[str, SubjectInfo | None] = {**NOW, **sides}
        self.asked: list[tuple[Plan, Side]] = []

    def __call__(self, plan: Plan, side: Side) -> SubjectInfo | None:
        self.asked.append((plan, side))
        return self.sides[side]


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def spread(work: Callable[[Any], Any], pieces: Sequence[Any], jobs: int) -> Iterator[tuple[Any, Any]]:
        yield from ((piece, work(piece)) for piece in pieces)

    monkeypatch.setattr(module, "spread", spread)


class TestWhatIsDone:
    def test_a_finished_run_of_the_same_plan_policy_and_sources(self) -> None:
        store, describe = MemoryRunStore(), Told()
        finished(store, "r1", plan_of(0))
        assert find_done(asked(), store, describe) == {
            plan_of(0).digest(): End("PASS", "a summary", "r1", seconds=3.0, earlier=True)
        }
        assert sorted(side for _, side in describe.asked) == ["candidate", "reference"]

    def test_the_newest_of_several(self) -> None:
        store = MemoryRunStore()
        finished(store, "r1", plan_of(0))
        finished(store, "r2", plan_of(0), outcome="FAIL")
        [end] = find_done(asked(), store, Told()).values()
        assert (end.run_id, end.outcome) == ("r2", "FAIL")

    def test_an_older_one_where_the_newest_came_from_other_sources(self) -> None:
        store = MemoryRunStore()
        finished(store, "r1", plan_of(0))
        finished(store, "r2", plan_of(0), {**NOW, "candidate": info("basemodel", "other")})
        [end] = find_done(asked(), store, Told()).values()
        assert end.run_id == "r1"

    @pytest.mark.parametrize(
        "subjects",
        [
            {**NOW, "candidate": info("basemodel", "cc")},
            {**NOW, "reference": info("legacy", "cc")},
            {**NOW, "candidate": info("basemodel", "bb", "cuda:0")},
            {"reference": NOW["reference"]},
            {},
        ],
        ids=["candidate", "reference", "device", "no candidate", "nothing said"],
    )
    def test_not_from_other_sources(self, subjects: dict[str, SubjectInfo]) -> None:
        store = MemoryRunStore()
        finished(store, "r1", plan_of(0), subjects)
        assert find_done(asked(), store, Told()) == {}

    @pytest.mark.parametrize("side", ["reference", "candidate"])
    def test_not_where_a_side_cannot_say_what_it_is_now(self, side: str) -> None:
        store = MemoryRunStore()
        finished(store, "r1", plan_of(0))
        assert find_done(asked(), store, Told(**{side: None})) == {}

    def test_not_by_another_policy(self) -> None:
        store, describe = MemoryRunStore(), Told()
        finished(store, "r1", plan_of(0), policy=named_policy("default"))
        finished(store, "r2", plan_of(0), policy=replace(NUMERICS, error_ratio=3.0))
        assert find_done(asked(), store, describe) == {}
        assert describe.asked == [], "nobody need be asked where there is nothing to compare with"

    def test_not_while_it_runs_nor_when_it_broke(self) -> None:
        store = MemoryRunStore()
        for run_id in ("running", "failed", "cancelled"):
            store.create_run(run_id, plan_of(0), NUMERICS, T0)
            store.claim(run_id, "someone", T0)
            store.save_record(run_id, RunRecord(plan_of(0), NOW, {}))
        store.fail("failed", "child_died", "killed", T0)
        store.mark_cancelled("cancelled", T0)
        assert find_done(asked(), store, Told()) == {}

    def test_each_subject_is_asked_once_on_each_device_with_the_smallest_plan(self) -> None:
        text = (
            'policy = "numerics"\n[grid]\n"model.vector_length" = [64, 32, 128]\ncandidate = ["basemodel", "bad-tf32"]'
        )
        swept = sweep_from_document(tomllib.loads(text), named_policy)
        store, describe = MemoryRunStore(), Told()
        for number, plan in enumerate(swept.plans().values()):
            finished(store, f"r{number}", plan)
        assert len(find_done(swept, store, describe)) == 6
        said = [(side, plan.candidate, plan.model.vector_length) for plan, side in describe.asked]
        assert len(said) == 3
        assert {("candidate", "basemodel", 32), ("candidate", "bad-tf32", 32)} < set(said)


class TestEnds:
    def check(self, value: float | None, **evidence: Any) -> CheckResult:
        return CheckResult("numerics.synchronized", "fail", "far", True, value, 4.0, evidence=evidence)

    @pytest.mark.parametrize(
        ("check", "ratio", "bit_equal"),
        [
            (("numerics.synchronized", 17.5, {"taps": 25, "bit_equal_taps": 24}), 17.5, False),
            (("numerics.synchronized", 1.0, {"taps": 25, "bit_equal_taps": 25}), 1.0, True),
            (("numerics.synchronized", 1.0, {"bit_equal_taps": 25}), 1.0, False),
            (("numerics.synchronized", None, {}), None, False),
            (("numerics.free_running", 9.0, {}), None, False),
        ],
    )
    def test_the_ratio_is_that_of_the_synchronized_check(self, check: Any, ratio: float, bit_equal: bool) -> None:
        store = MemoryRunStore()
        name, value, evidence = check
        checks = (CheckResult(name, "fail", "far", True, value, 4.0, evidence=evidence),)
        finished(store, "r1", plan_of(0), outcome="FAIL", checks=checks)
        end = end_of(store.run("r1"), store)
        assert (end.outcome, end.error_ratio, end.bit_equal, end.earlier) == ("FAIL", ratio, bit_equal, False)

    @pytest.mark.parametrize(
        ("code", "outcome"), [("child_died", "INCONCLUSIVE"), ("internal", "ERROR"), (None, "INCONCLUSIVE")]
    )
    def test_a_run_without_a_verdict_is_never_a_pass(self, code: str | None, outcome: str) -> None:
        store = MemoryRunStore()
        store.create_run("r1", plan_of(0), NUMERICS, T0)
        store.claim("r1", "someone", T0)
        if code is None:
            store.mark_cancelled("r1", T0)
        else:
            store.fail("r1", code, "no memory", T0)
        end = end_of(store.run("r1"), store)
        assert (end.outcome, end.run_id) == (outcome, "r1")
        assert end.message.startswith("No verdict: ")

    def test_a_run_that_still_runs_is_an_error(self) -> None:
        store = MemoryRunStore()
        store.create_run("r1", plan_of(0), NUMERICS, T0)
        assert end_of(store.run("r1"), store) == End("ERROR", "No verdict: the run is queued", "r1")


def test_each_plan_is_carried_out_and_told() -> None:
    store = MemoryRunStore()

    def record(plan: Plan) -> Recorded:
        if plan.seed == 1:
            return Recorded("r1", "the database is full")
        finished(store, f"r{plan.seed}", plan)
        return Recorded(f"r{plan.seed}")

    ends = dict(carry_out([plan_of(0), plan_of(1)], record, store, 1))
    assert ends == {
        plan_of(0).digest(): End("PASS", "a summary", "r0", seconds=3.0),
        plan_of(1).digest(): End("ERROR", "No verdict: the database is full", "r1"),
    }


def test_a_lost_process_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    from service.campaigns.spread import spread

    monkeypatch.setattr(module, "spread", spread)
    plans = [plan_of(0), plan_of(1)]
    ends = dict(carry_out(plans, die, MemoryRunStore(), 2))
    assert {end.outcome for end in ends.values()} == {"ERROR"}
    assert ends.keys() == {plan.digest() for plan in plans}


def die(plan: Plan) -> Recorded:
    os._exit(9)


@pytest.mark.parametrize("jobs", [0, -1])
def test_no_jobs_are_no_number(jobs: int) -> None:
    with pytest.raises(InvalidRequest, match="--jobs"):
        next(carry_out([plan_of(0)], die, MemoryRunStore(), jobs))
