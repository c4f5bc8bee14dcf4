"""Judging a stored run again: what the report says of it, and that a run that did not end never passes."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from service.parity.policy import POLICIES, Policy, named_policy
from service.parity.record import RunRecord
from service.reports.cases import case_of
from service.reports.forms import Form, render
from service.reports.rejudge import judge_again, told
from service.reports.report import build_report

TIGHT = Policy("tight", {"numerics.free_running": "always"}, band=1e-3)
NOT_ENDED = ("queued", "running", "failed", "cancelled")


def again(sample: Any, policy: Policy, **changes: Any) -> dict[str, Any]:
    run = dataclasses.replace(sample.run, **changes)
    verdict = judge_again(run, sample.record, policy)
    return json.loads(json.dumps(build_report(run, sample.record, verdict, policy), allow_nan=False))  # type: ignore[no-any-return]


def test_by_the_same_policy_the_verdict_is_the_same(passing: Any, failing: Any) -> None:
    for sample in (passing, failing):
        assert judge_again(sample.run, sample.record, sample.run.policy) == sample.verdict


def test_another_policy_another_verdict(passing: Any) -> None:
    report = again(passing, TIGHT)
    assert (report["outcome"], report["policy"]["name"], report["policy"]["band"]) == ("FAIL", "tight", 1e-3)
    assert report["rejudged"] == {"policy": "tight", "stored_policy": "default", "stored_outcome": "PASS"}
    assert {check["limit"] for check in report["checks"] if check["name"] == "numerics.free_running"} == {1e-3}
    assert "--policy policy.json" in report["replay"]
    assert "--policy policy.json" in report["first_divergence"]["replay"]
    assert told(report) == "Judged again by tight; the stored verdict is PASS by default."


def test_a_report_that_was_not_judged_again_says_nothing_of_it(passing: Any) -> None:
    report = build_report(passing.run, passing.record, passing.verdict)
    assert report["rejudged"] is None
    assert told(report) is None
    assert case_of(report).message == report["summary"]
    assert "Judged again" not in render(report, "html")


@pytest.mark.parametrize("state", NOT_ENDED)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_a_run_that_did_not_end_never_passes(state: str, policy: Policy, passing: Any, failing: Any) -> None:
    report = again(passing, policy, state=state, outcome=None)
    assert report["outcome"] == "INCONCLUSIVE"
    assert report["rejudged"]["stored_outcome"] is None
    assert told(report) == f"Judged again by {policy.name}; no verdict is stored, the run is {state}."
    assert case_of(report).outcome == "INCONCLUSIVE"
    assert again(failing, policy, state=state, outcome=None)["outcome"] == "FAIL"
    assert case_of(again(failing, policy, state=state, outcome=None)).outcome == "FAIL"


def test_whole_evidence_of_a_run_that_did_not_end_is_named_as_such(passing: Any) -> None:
    report = again(passing, named_policy("numerics"), state="cancelled", outcome=None)
    assert {check["outcome"] for check in report["checks"] if check["required"]} == {"pass"}
    assert "satisfies all 5 required checks, but the run is cancelled" in report["summary"]
    page = render(report, "html")
    assert "satisfies all 5 required checks, but the run is cancelled" in page
    assert "0 of 5" not in page


@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_a_run_without_a_record_is_open(policy: Policy, builders: Any) -> None:
    run = builders.make_run(state="failed", error_code="child_died", error_message="it was killed")
    sample = builders.Sample(run, None, None)
    report = again(sample, policy)
    assert report["outcome"] == "INCONCLUSIVE"
    assert {check["outcome"] for check in report["checks"]} <= {"inconclusive", "not_measured"}
    assert report["error"] == {"code": "child_died", "message": "it was killed"}


CUTS = [(), ("checkpoint",), ("checkpoint", "learning"), ("checkpoint", "learning", "free_running"),
        ("checkpoint", "learning", "free_running", "synchronized"),
        ("checkpoint", "learning", "free_running", "synchronized", "integrity")]  # fmt: skip


@pytest.mark.parametrize("cut", CUTS, ids="-".join)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=list(POLICIES))
def test_a_finished_run_with_a_hole_in_its_record_does_not_pass_by_default(
    cut: tuple[str, ...], policy: Policy, passing: Any
) -> None:
    """The state says finished; a record that lost a part must not pass where a required check reads it."""
    record: RunRecord = dataclasses.replace(passing.record, **dict.fromkeys(cut))
    outcome = again(dataclasses.replace(passing, record=record), policy)["outcome"]
    read = {"default": 1, "strict": 0, "numerics": 3}[policy.name]
    assert outcome == ("INCONCLUSIVE" if len(cut) >= read else "PASS")


@pytest.mark.parametrize("form", ["html", "markdown", "json"])
def test_every_form_says_that_it_was_judged_again(form: Form, passing: Any) -> None:
    text = render(again(passing, TIGHT), form)
    words = '"stored_policy": "default"' if form == "json" else "Judged again by tight; the stored verdict is PASS"
    assert words in text


def test_junit_says_so_where_it_fails(passing: Any) -> None:
    assert "FAIL: Judged again by tight" in render(again(passing, TIGHT), "junit")


def test_nothing_given_is_changed(passing: Any) -> None:
    run, record, verdict = passing.run, passing.record, passing.verdict
    before = (dataclasses.asdict(run), dataclasses.asdict(record), dataclasses.asdict(verdict))
    again(passing, TIGHT)
    assert before == (dataclasses.asdict(run), dataclasses.asdict(record), dataclasses.asdict(verdict))


def test_a_hostile_policy_name_is_text(passing: Any, builders: Any) -> None:
    policy = dataclasses.replace(TIGHT, name=builders.HOSTILE)
    for form in ("html", "markdown", "junit"):
        assert "<img" not in render(again(passing, policy), form)  # type: ignore[arg-type]
