"""JUnit as CI systems read it, parsed by a library that is not ours."""

from __future__ import annotations

from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from service.reports.cases import Case
from service.reports.junit import render_junit, render_junit_cases
from service.reports.report import build_report


def report_of(sample: Any) -> dict[str, Any]:
    return build_report(sample.run, sample.record, sample.verdict)


def suites(text: str) -> list[TestSuite]:
    return list(JUnitXml.fromstring(text.encode()))


def kind(test: TestCase) -> str:
    [result] = test.result or [None]
    return {Failure: "failure", Error: "error", Skipped: "skipped", type(None): "pass"}[type(result)]


def kinds(suite: TestSuite) -> dict[str, str]:
    return {test.name: kind(test) for test in suite}


def with_check(outcome: str, required: bool) -> dict[str, Any]:
    return {"name": "a.check", "outcome": outcome, "message": "why", "required": required, "value": 5.0, "limit": 4.0}


@pytest.mark.parametrize(
    ("outcome", "required", "expected"),
    [
        ("pass", True, "pass"),
        ("pass", False, "pass"),
        ("fail", True, "failure"),
        ("fail", False, "pass"),
        ("inconclusive", True, "error"),
        ("not_measured", True, "error"),
        ("not_applicable", True, "error"),
        ("inconclusive", False, "skipped"),
        ("not_measured", False, "skipped"),
        ("not_applicable", False, "skipped"),
    ],
)
def test_each_outcome_of_a_check(passing: Any, outcome: str, required: bool, expected: str) -> None:
    report = report_of(passing) | {"checks": [with_check(outcome, required)]}
    [suite] = suites(render_junit([report]))
    assert kinds(suite)["a.check"] == expected
    test = next(iter(suite))
    if expected not in ("pass", "skipped"):
        assert (test.result[0].message, test.result[0].text) == ("why", "why\n5 (limit 4)")
    if (outcome, required) == ("fail", False):
        assert test.system_out == "fails, but the policy does not require it: why\n5 (limit 4)"


def test_real_reports_carry_the_verdict_and_true_counts(passing: Any, failing: Any) -> None:
    text = render_junit([report_of(passing), report_of(failing)])
    first, second = suites(text)
    assert (first.failures, first.errors) == (0, 0)
    assert (kinds(first)["verdict"], kinds(second)["verdict"]) == ("pass", "failure")
    assert second.failures == list(kinds(second).values()).count("failure") > 1
    for suite in (first, second):
        found = list(kinds(suite).values())
        assert (suite.tests, suite.errors, suite.skipped) == (len(found), found.count("error"), found.count("skipped"))
        assert suite.time == pytest.approx(132.0)
    whole = JUnitXml.fromstring(text.encode())
    assert (whole.tests, whole.failures, whole.time) == (first.tests + second.tests, second.failures, 264.0)


def test_no_two_tests_have_one_name(passing: Any) -> None:
    report = report_of(passing)
    report["checks"] = [*report["checks"], report["checks"][0], with_check("pass", True) | {"name": "verdict"}]
    names = [(test.classname, test.name) for suite in suites(render_junit([report, report])) for test in suite]
    assert len(names) == len(set(names)) > 30


@pytest.mark.parametrize(
    ("outcome", "expected"), [("INCONCLUSIVE", "error"), ("ERROR", "error"), ("NOT RUN", "error"), ("FAIL", "failure")]
)
def test_a_case_without_a_report_has_a_verdict_that_is_no_pass(outcome: Any, expected: str) -> None:
    [suite] = suites(render_junit_cases([Case("a", outcome, "the server is gone", "r1")]))
    assert kinds(suite) == {"verdict": expected}
    [test] = suite
    assert test.result[0].message == f"{outcome}: the server is gone"
    assert "run: r1" in test.result[0].text


def test_a_cancelled_run_is_an_error_and_not_skipped(partial: Any) -> None:
    [suite] = suites(render_junit([report_of(partial)]))
    assert kinds(suite) == {"verdict": "error"}


def test_what_xml_cannot_hold_is_replaced_and_markup_stays_text(hostile: Any) -> None:
    nasty = "a\x00\x1b\ud800\ufffe]]>&<b>\"'\r\n\U0001f600"
    cases = [Case(nasty, "FAIL", nasty), Case(nasty, "ERROR", nasty, nasty)]
    first, second = suites(render_junit_cases(cases))
    assert first.name == "a����]]>&<b>\"'\r\n\U0001f600"
    assert second.name == f"{first.name} (2)"
    [suite] = suites(render_junit([report_of(hostile)]))
    assert "</script><img src=x onerror=alert(1)>" in suite.name


def test_nothing_gated_is_a_valid_file() -> None:
    assert suites(render_junit_cases([])) == []
