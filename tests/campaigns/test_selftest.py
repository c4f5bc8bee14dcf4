"""The self-test is red whenever the gate, a variant or Lockstep itself is not what it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service import bootstrap
from service.campaigns.selftest import (
    PLAN,
    SHAPES,
    Case,
    CaseResult,
    SelfTest,
    assess,
    carry_out,
    plan_of,
    select_cases,
    selftest,
)
from service.parity.checks import judge
from service.parity.errors import InvalidRequest, UnknownName
from service.parity.plan import (
    CPU_PHASES,
    PHASES,
    CheckpointSpec,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    SynchronizedSpec,
    TrainingSpec,
)
from service.parity.policy import ALL_CHECKS, Policy
from service.parity.record import RunRecord
from service.parity.verdict import CheckResult, Verdict
from service.pipeline import Toolkit
from service.subjects.known_bad import VARIANTS
from service.subjects.variant_subject import Variant, VariantSubject

STRICT = "numerics.synchronized"
FAULT = Case("bad-nan", "NaN", STRICT)
HARMLESS = Case("harmless-split-k", "halves", None)
TINY = replace(
    PLAN,
    device="cpu",
    model=ModelSpec(16, 1, 8),
    training=TrainingSpec(steps=30, batch_size=8, learning_rate=0.05, clip=0.05),
    synchronized=SynchronizedSpec(steps=10, every=2),
    free_running=FreeRunningSpec(band_runs=2, band_steps=10, weights_every=5),
    checkpoint=CheckpointSpec(2, 2),
)


class Clock(bootstrap.SystemClock):
    def monotonic(self) -> float:
        return 0.0


def verdict(outcome: Any, check: Any = "fail", name: str = STRICT) -> Verdict:
    return Verdict(outcome, "the summary", (CheckResult(name, check, "the finding", required=True),), "default")


def run(case: Case, tools: Toolkit | None = None, judge: Any = judge, plan: Any = TINY) -> CaseResult:
    return carry_out(plan, lambda: tools or bootstrap.toolkit(), Clock(), case, judge)


def with_subject(build: Callable[[str, Any], Any]) -> Toolkit:
    return replace(bootstrap.toolkit(), subject=build)


def result(judgement: Any, case: Case = FAULT) -> CaseResult:
    return CaseResult(case, judgement, "")


@pytest.mark.parametrize(
    ("outcome", "check", "judgement"),
    [
        ("FAIL", "fail", "caught"),
        ("FAIL", "pass", "missed"),
        ("PASS", "pass", "missed"),
        ("PASS", "fail", "missed"),
        ("INCONCLUSIVE", "fail", "missed"),
        ("INCONCLUSIVE", "pass", "missed"),
        ("FAIL", "inconclusive", "undecided"),
        ("PASS", "not_measured", "undecided"),
        ("PASS", "not_applicable", "undecided"),
    ],
)
def test_a_fault_is_caught_only_by_its_own_check(outcome: str, check: str, judgement: str) -> None:
    found = assess(FAULT, verdict(outcome, check))
    assert (found.judgement, found.check, found.verdict) == (judgement, check, outcome)
    assert "the finding" in found.message


def test_another_checks_failure_does_not_count() -> None:
    found = assess(FAULT, verdict("FAIL", "fail", "integrity.same_batches"))
    assert found.judgement == "broken"
    assert STRICT in found.message


@pytest.mark.parametrize(
    ("outcome", "judgement"), [("PASS", "passed"), ("FAIL", "failed"), ("INCONCLUSIVE", "undecided")]
)
def test_a_harmless_variant_must_pass_and_not_merely_not_fail(outcome: str, judgement: str) -> None:
    assert assess(HARMLESS, verdict(outcome)).judgement == judgement


@pytest.mark.parametrize(
    ("judgements", "outcome"),
    [
        (["caught", "passed"], "PASS"),
        (["caught", "not_judged"], "PASS"),
        (["not_judged"], "INCONCLUSIVE"),
        ([], "INCONCLUSIVE"),
        (["caught", "undecided"], "INCONCLUSIVE"),
        (["caught", "missed", "undecided"], "FAIL"),
        (["passed", "failed"], "FAIL"),
        (["caught", "missed", "broken"], "BROKEN"),
    ],
)
def test_the_outcome_of_all(judgements: list[Any], outcome: str) -> None:
    done = SelfTest(PLAN, len(judgements), tuple(map(result, judgements)))
    assert done.outcome == outcome


def test_what_is_not_done_is_not_passed() -> None:
    done = SelfTest(PLAN, 2, (result("caught"),))
    assert done.outcome == "INCONCLUSIVE"
    assert done.summary.endswith("stopped after 1 of 2")


def test_the_summary_counts_what_was_not_judged_as_nothing() -> None:
    results = (result("caught"), result("missed"), result("not_judged"), result("passed", HARMLESS))
    summary = SelfTest(PLAN, 4, results).summary
    assert summary.startswith(
        "1 of 2 faults caught by the check that should catch them; 1 of 1 harmless variants passed"
    )
    assert "1 not judged" in summary


def test_every_variant_is_a_case_and_names_a_check_that_there_is() -> None:
    cases = {case.name: case for case in select_cases()}
    assert cases.keys() == {"basemodel", *VARIANTS}
    assert cases["basemodel"].harmless
    for case in cases.values():
        assert case.harmless or case.expected in ALL_CHECKS
        assert case.harmless == case.name.startswith(("harmless-", "basemodel", "timing-slow-3"))


def test_some_cases_by_name_in_their_own_order() -> None:
    assert [case.name for case in select_cases(["bad-nan", "basemodel"])] == ["basemodel", "bad-nan"]
    with pytest.raises(UnknownName, match=r"'bad-nun' is unknown; choose from basemodel, harmless-split-k"):
        select_cases(["bad-nan", "bad-nun"])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_plans_run_every_phase_that_there_is(shape: str) -> None:
    plan = SHAPES[shape].validate()
    assert {*plan.phases, "performance"} == set(PHASES)
    phases = {case.name: plan_of(case, plan).phases for case in select_cases()}
    assert phases["basemodel"] == plan.phases
    assert phases["bad-nan"] == phases["harmless-layout"] == CPU_PHASES
    assert (phases["bad-leak"], phases["timing-slow-3"]) == (("memory",), ("performance",))


def test_faults_of_time_and_memory_are_never_counted_as_caught() -> None:
    cases = [case for case in select_cases() if case.needs]
    assert {case.needs for case in cases} == {"performance", "memory"}
    numbers = replace(TINY, phases=CPU_PHASES)
    found = list(selftest(numbers, cases, bootstrap.toolkit, Clock()))
    assert {one.judgement for one in found} == {"not_judged"}
    assert "needs the performance phase, which this plan leaves out" in found[0].message
    assert SelfTest(TINY, len(cases), tuple(found)).outcome == "INCONCLUSIVE"


@pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.needs == "memory"])
def test_every_fault_of_memory_is_caught_by_its_check(name: str) -> None:
    (case,) = select_cases([name])
    plan = replace(TINY, memory=MemorySpec(12))
    found = run(case, plan=plan)
    assert found.judgement == "caught", found


@pytest.mark.parametrize(
    ("outcome", "check", "judgement"),
    [
        ("INCONCLUSIVE", "pass", "passed"),
        ("INCONCLUSIVE", "fail", "failed"),
        ("FAIL", "pass", "failed"),
        ("INCONCLUSIVE", "inconclusive", "undecided"),
        ("INCONCLUSIVE", "not_measured", "undecided"),
    ],
)
def test_what_is_harmless_to_one_phase_must_pass_its_check(outcome: str, check: str, judgement: str) -> None:
    case = Case("timing-slow-3", "3 %", None, "performance", must_pass=STRICT)
    assert assess(case, verdict(outcome, check)).judgement == judgement
    assert assess(replace(case, must_pass="no.such"), verdict(outcome, check)).judgement == "broken"


def test_they_are_judged_once_their_phase_is_carried_out() -> None:
    case = replace(FAULT, needs="synchronized")
    (found,) = selftest(TINY, [case], bootstrap.toolkit, Clock())
    assert found.judgement == "caught"


@pytest.mark.parametrize("jobs", [0, -1])
def test_jobs_below_one_are_refused(jobs: int) -> None:
    with pytest.raises(InvalidRequest, match="at least 1"):
        list(selftest(TINY, [FAULT], bootstrap.toolkit, Clock(), jobs))


# --- dual runs --------------------------------------------------------------------------------------------------------


def upside_down(record: RunRecord, policy: Policy) -> Verdict:
    """A gate that says fail where it should say pass, and pass where it should say fail."""
    right = judge(record, policy)
    swapped: dict[str, Any] = {"pass": "fail", "fail": "pass", "PASS": "FAIL", "FAIL": "PASS"}
    checks = tuple(replace(check, outcome=swapped.get(check.outcome, check.outcome)) for check in right.checks)
    return replace(right, outcome=swapped.get(right.outcome, right.outcome), checks=checks)


@pytest.mark.parametrize(("judging", "outcome"), [(judge, "PASS"), (upside_down, "FAIL")])
def test_an_upside_down_gate_is_seen(judging: Any, outcome: str) -> None:
    cases = select_cases(["basemodel", "bad-nan", "bad-missing-tap", "bad-checkpoint-bit"])
    # The tiny plan teaches nothing, so that the learning checks stay open; everything else is judged.
    numeric = ("integrity.", "numerics.", "checkpoint.")

    def lenient(record: RunRecord, policy: Policy) -> Verdict:
        required: Any = {name: how for name, how in policy.required.items() if name.startswith(numeric)}
        return judging(record, replace(policy, required=required))  # type: ignore[no-any-return]

    results = tuple(run(case, judge=lenient) for case in cases)
    assert SelfTest(TINY, len(cases), results).outcome == outcome, results
    if outcome == "FAIL":
        assert [one.judgement for one in results] == ["failed", "missed", "missed", "missed"]


def test_a_gate_that_always_says_fail_is_seen() -> None:
    assert run(HARMLESS, judge=lambda record, policy: verdict("FAIL")).judgement == "failed"


def test_a_gate_that_always_says_pass_is_seen() -> None:
    assert run(FAULT, judge=lambda record, policy: verdict("PASS", "pass")).judgement == "missed"


def test_a_fault_that_is_not_planted_is_missed() -> None:
    found = run(FAULT, with_subject(lambda name, plan: VariantSubject(plan, Variant(name, ""))))
    assert (found.judgement, found.check) == ("missed", "pass")


def test_trouble_in_lockstep_is_broken_and_never_caught() -> None:
    def fails(plan: Any) -> Any:
        raise OSError("no such data")

    found = run(FAULT, replace(bootstrap.toolkit(), dataset=fails))
    assert (found.judgement, found.message, found.verdict) == ("broken", "OSError: no such data", None)


@pytest.mark.parametrize("method", ["train_step", "forward", "load_state", "save", "load", "info", "build"])
def test_a_variant_that_is_itself_broken_is_not_caught(method: str) -> None:
    """It fails whatever check is looked at, and would look as if its fault had been found."""

    def raising(*_: Any, **__: Any) -> Any:
        raise TypeError("a mistake in the variant")

    def build(name: str, plan: Any) -> Any:
        subject = VariantSubject(plan, VARIANTS.get(name, Variant(name, "")))
        if name == "legacy":
            return subject
        if method == "build":
            raising()
        setattr(subject, method, raising)
        return subject

    found = run(FAULT, with_subject(build))
    assert found.judgement == "broken", found
    assert "a mistake in the variant" in found.message
    assert run(replace(FAULT, raises=True), with_subject(build)).judgement != "broken"


def test_an_exception_that_is_planted_is_caught() -> None:
    (case,) = select_cases(["bad-exception"])
    assert case.raises
    assert run(case).judgement == "caught"


@pytest.mark.parametrize("seed", [0, 1])
def test_a_handful_for_real(seed: int) -> None:
    names = ["basemodel", "harmless-layout", "bad-learning-rate", "bad-stops-learning", "bad-resume"]
    plan, cases = replace(PLAN, seed=seed, device="cpu"), select_cases(names)
    with np.errstate(all="raise", under="ignore"):
        results = tuple(selftest(plan, cases, bootstrap.toolkit, Clock()))
    assert {one.case.name: one.judgement for one in results} == {
        name: "caught" if name.startswith("bad-") else "passed" for name in names
    }
    done = SelfTest(plan, len(cases), results)
    assert done.outcome == "PASS"
    document = done.as_document()
    assert [case["candidate"] for case in document["cases"]] == names
    assert document["cases"][2]["expected_check"] == STRICT
    assert document["cases"][2]["check_outcome"] == "fail"
    assert document["plan"]["seed"] == seed


def test_over_several_processes() -> None:
    cases = select_cases(["bad-nan", "bad-missing-tap", "bad-slow"])
    results = {one.case.name: one.judgement for one in selftest(TINY, cases, bootstrap.toolkit, Clock(), 2)}
    assert results == {"bad-nan": "caught", "bad-missing-tap": "caught", "bad-slow": "not_judged"}


# --- the documentation ------------------------------------------------------------------------------------------------


def test_the_table_in_the_documentation_is_the_table_in_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "selftest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \| (?:`([a-z_.]+)`.*|nothing.*) \|$", text, re.MULTILINE)
    wanted = [(case.name, case.planted, case.expected or "") for case in select_cases()]
    assert [(name, planted, expected) for name, planted, expected in rows] == wanted
