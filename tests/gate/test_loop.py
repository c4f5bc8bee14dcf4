"""What each end of a run is taken for, and the exit code that follows: nothing but a PASS of its own is a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from service.gate.config import GateCase
from service.gate.loop import CaseInterrupted, GateResult, RunEnd, ServerUnavailable, judged, run_gate
from service.parity.errors import InvalidRequest, Problem, StoreUnavailable
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.ports import Progress, ProgressListener
from service.reports.cases import Case
from service.reports.json_values import json_ready

RUN = "01jd9x2v7qk3m5n8p0r4s6t8vw"


def case(name: str = "a", seed: int = 0) -> GateCase:
    return GateCase(name, Plan(seed=seed), named_policy("numerics"))


def report(of: GateCase, outcome: str | None = "PASS", state: str = "finished", **changes: Any) -> dict[str, Any]:
    check = {
        "name": "numerics.synchronized", "outcome": "fail" if outcome == "FAIL" else "pass", "message": "",
        "required": True, "value": 1.0, "limit": 4.0,
    }  # fmt: skip
    return {
        "run_id": RUN,
        "state": state,
        "outcome": outcome,
        "summary": "a sentence",
        "checks": [check],
        "plan": json_ready(of.plan.as_document()),
        "plan_digest": of.plan.digest(),
        "policy": json_ready(of.policy.as_document()),
        "timing": {"duration_s": 1.5},
        **changes,
    }


def finished(of: GateCase, outcome: str = "PASS", **changes: Any) -> RunEnd:
    return RunEnd(RUN, "finished", report=report(of, outcome, **changes))


class Silent:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def starting(self, case: GateCase, number: int, total: int) -> ProgressListener:
        self.seen.append(f"{number}/{total} {case.name}")
        return lambda progress: None

    def ended(self, case: Case, number: int, total: int) -> None:
        self.seen.append(f"{case.name} {case.outcome}")


class Scripted:
    """Ends each case as told: an outcome, an end, or an error to raise."""

    def __init__(self, *ends: Any) -> None:
        self._ends = iter(ends)

    def run(self, case: GateCase, listener: ProgressListener) -> RunEnd:
        listener(Progress("x", 0, 1))
        end = next(self._ends)
        if isinstance(end, BaseException):
            raise end
        return end if isinstance(end, RunEnd) else finished(case, end)


def gate(*ends: Any, cases: int | None = None) -> GateResult:
    count = len(ends) if cases is None else cases
    return run_gate([case(f"c{i}", i) for i in range(count)], Scripted(*ends), Silent())


BROKEN = StoreUnavailable("the database is gone")
REFUSED = InvalidRequest(Problem("plan.seed", "is refused"))
GONE = ServerUnavailable("no answer")
DIED = RunEnd(RUN, "failed", "child_died", "ended by SIGKILL")

CODES: list[tuple[list[Any], int, str]] = [
    (["PASS"], 0, "PASS"),
    (["PASS", "PASS"], 0, "PASS"),
    (["PASS", "FAIL", "PASS"], 1, "FAIL"),
    (["FAIL", BROKEN, "INCONCLUSIVE"], 1, "FAIL"),
    (["PASS", "INCONCLUSIVE"], 3, "INCONCLUSIVE"),
    (["PASS", DIED], 3, "INCONCLUSIVE"),
    (["INCONCLUSIVE", BROKEN], 4, "ERROR"),
    (["PASS", BROKEN, "PASS"], 4, "ERROR"),
    (["PASS", GONE], 4, "ERROR"),
    (["PASS", REFUSED], 2, "ERROR"),
    (["FAIL", REFUSED], 2, "FAIL"),
    (["PASS", KeyboardInterrupt()], 130, "INCONCLUSIVE"),
    (["FAIL", CaseInterrupted(None)], 130, "FAIL"),
    ([], 2, "ERROR"),
]


@pytest.mark.parametrize(("ends", "code", "outcome"), CODES)
def test_the_exit_code_is_that_of_the_gravest_case(ends: list[Any], code: int, outcome: str) -> None:
    result = gate(*ends)
    assert (result.exit_code, result.outcome) == (code, outcome)
    assert len(result.cases) == len(ends)


def test_a_case_that_did_not_run_is_never_a_pass() -> None:
    result = GateResult((Case("a", "PASS", ""), Case("b", "NOT RUN", "")))
    assert (result.exit_code, result.outcome) == (3, "INCONCLUSIVE")


def test_the_loop_goes_on_after_a_failing_and_a_broken_case_and_says_where_it_is() -> None:
    watcher = Silent()
    cases = [case(f"c{i}", i) for i in range(3)]
    run_gate(cases, Scripted("FAIL", BROKEN, "PASS"), watcher)
    assert watcher.seen == ["1/3 c0", "c0 FAIL", "2/3 c1", "c1 ERROR", "3/3 c2", "c2 PASS"]


@pytest.mark.parametrize(
    "end", [REFUSED, GONE, KeyboardInterrupt(), CaseInterrupted(None)], ids=lambda e: type(e).__name__
)
def test_what_stops_the_gate_leaves_the_others_not_run(end: BaseException) -> None:
    result = gate("PASS", end, cases=4)
    assert [one.outcome for one in result.cases][2:] == ["NOT RUN", "NOT RUN"]
    assert [one.name for one in result.cases] == ["c0", "c1", "c2", "c3"]
    assert result.exit_code != 0


def test_an_interrupted_case_keeps_its_report_when_its_run_was_cancelled() -> None:
    one = case()
    end = RunEnd(RUN, "cancelled", report=report(one, None, "cancelled", checks=[]))
    [ended] = run_gate([one], Scripted(CaseInterrupted(end)), Silent()).cases
    assert (ended.outcome, ended.run_id, ended.report) == ("INCONCLUSIVE", RUN, end.report)


def test_an_interrupted_case_whose_end_is_not_known_is_open() -> None:
    [ended] = gate(CaseInterrupted(RunEnd(RUN, "unknown")), cases=1).cases
    assert (ended.outcome, ended.run_id) == ("INCONCLUSIVE", RUN)


ENDS: list[tuple[RunEnd, str]] = [
    (finished(case()), "PASS"),
    (finished(case(), "FAIL"), "FAIL"),
    (finished(case(), "INCONCLUSIVE"), "INCONCLUSIVE"),
    (RunEnd(RUN, "finished"), "ERROR"),
    (DIED, "INCONCLUSIVE"),
    (RunEnd(RUN, "cancelled"), "INCONCLUSIVE"),
    (RunEnd(RUN, "failed", "internal", "a defect"), "ERROR"),
    (RunEnd(RUN, "failed", "child_not_started", "no memory"), "ERROR"),
    (RunEnd(RUN, "failed"), "ERROR"),
    (RunEnd(RUN, "queued"), "ERROR"),
    # An outcome that stands in a report of a run that is not finished counts for nothing.
    (RunEnd(RUN, "failed", "child_died", report=report(case(), "PASS", "failed")), "INCONCLUSIVE"),
    (RunEnd(RUN, "cancelled", report=report(case(), "PASS", "cancelled")), "INCONCLUSIVE"),
    (finished(case(), "pass"), "INCONCLUSIVE"),
    (finished(case(), outcome=None), "INCONCLUSIVE"),
]


@pytest.mark.parametrize(("end", "outcome"), ENDS)
def test_what_an_end_is_taken_for(end: RunEnd, outcome: str) -> None:
    assert judged(case(), end).outcome == outcome


LIES: list[tuple[Callable[[GateCase], RunEnd], str]] = [
    (lambda c: finished(c, run_id="01jd9x2v7qk3m5n8p0r4s6t8vx"), "another run"),
    (lambda c: RunEnd(RUN, "failed", "child_died", report=report(c)), "another state"),
    (lambda c: finished(c, plan_digest="0" * 64), "another plan"),
    (lambda c: finished(c, plan=json_ready(Plan(seed=9).as_document())), "another plan"),
    (lambda c: finished(case(seed=9)), "another plan"),
    (lambda c: finished(c, policy=json_ready(named_policy("default").as_document())), "another policy"),
    (lambda c: finished(c, policy={**json_ready(c.policy.as_document()), "error_ratio": 1e9}), "another policy"),
    (lambda c: finished(c, checks=[]), "says PASS although"),
    (lambda c: finished(c, checks=[{**report(c)["checks"][0], "outcome": "inconclusive"}]), "says PASS although"),
    (lambda c: finished(c, checks=[{**report(c)["checks"][0], "required": False}]), "says PASS although"),
]


@pytest.mark.parametrize(("make", "words"), LIES)
def test_a_report_of_something_else_or_against_itself_is_an_error_and_not_shown(
    make: Callable[[GateCase], RunEnd], words: str
) -> None:
    one = case()
    found = judged(one, make(one))
    assert found.outcome == "ERROR"
    assert words in found.message
    assert found.report is None


def test_a_defect_of_ours_is_not_swallowed() -> None:
    with pytest.raises(ZeroDivisionError):
        gate(ZeroDivisionError())
