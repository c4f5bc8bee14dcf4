"""A report as a case, and which check and which case counts most."""

from __future__ import annotations

from typing import Any

import pytest

from service.reports.cases import Case, CaseOutcome, amount, case_of, counted, gravest, one_line, unique, worst_check
from service.reports.report import build_report


def check(name: str, outcome: str, required: bool = True, value: Any = 1.0, limit: Any = 4.0) -> dict[str, Any]:
    return {"name": name, "outcome": outcome, "message": "", "required": required, "value": value, "limit": limit}


def test_a_report_is_a_case_named_after_both_sides(passing: Any, failing: Any, partial: Any) -> None:
    cases = [case_of(build_report(s.run, s.record, s.verdict)) for s in (passing, failing, partial)]
    assert [case.outcome for case in cases] == ["PASS", "FAIL", "INCONCLUSIVE"]
    assert {case.name for case in cases} == {"basemodel against legacy"}
    assert case_of(build_report(passing.run, passing.record, passing.verdict), "mine").name == "mine"
    assert cases[0].seconds == 132.0


@pytest.mark.parametrize(
    ("state", "outcome", "expected"),
    [
        ("finished", "PASS", "PASS"),
        ("running", "PASS", "INCONCLUSIVE"),
        ("cancelled", "PASS", "INCONCLUSIVE"),
        ("failed", "PASS", "ERROR"),
        ("failed", None, "ERROR"),
        ("finished", None, "INCONCLUSIVE"),
        ("finished", "pass", "INCONCLUSIVE"),
    ],
)
def test_only_a_finished_run_can_pass(passing: Any, state: str, outcome: str | None, expected: str) -> None:
    report = build_report(passing.run, passing.record, passing.verdict) | {"state": state, "outcome": outcome}
    assert case_of(report).outcome == expected


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["PASS", "PASS"], "PASS"),
        (["PASS", "NOT RUN"], "INCONCLUSIVE"),
        (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["INCONCLUSIVE", "ERROR", "PASS"], "ERROR"),
        (["ERROR", "PASS", "FAIL"], "FAIL"),
        ([], "ERROR"),
    ],
)
def test_the_gravest_case_decides(outcomes: list[CaseOutcome], expected: str) -> None:
    assert gravest([Case("a", outcome, "") for outcome in outcomes]) == expected


def test_cases_are_counted_the_gravest_first() -> None:
    outcomes: list[CaseOutcome] = ["PASS", "FAIL", "NOT RUN", "FAIL"]
    assert counted([Case("a", outcome, "") for outcome in outcomes]) == "4 cases: 2 FAIL, 1 NOT RUN, 1 PASS"
    assert counted([]) == "0 cases: nothing was gated"


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([], None),
        ([check("a", "fail", required=False)], None),
        ([check("a", "pass"), check("b", "inconclusive"), check("c", "fail"), check("d", "fail")], "c"),
        ([check("a", "pass"), check("b", "not_measured"), check("c", "inconclusive")], "c"),
        ([check("a", "pass", value=1.0), check("b", "pass", value=3.0), check("c", "pass", value=None)], "b"),
        ([check("learning.outputs_vary", "pass", value=0.51, limit=0.5), check("b", "pass", value=3.0)],
         "learning.outputs_vary"),
        ([check("a", "pass", value=-0.9, limit=0.0), check("b", "pass", value="NaN"), check("c", "pass", value=0.1)],
         "c"),
    ],
)  # fmt: skip
def test_the_worst_check_is_the_one_to_look_at_first(checks: list[dict[str, Any]], expected: str | None) -> None:
    found = worst_check(checks)
    assert (found["name"] if found else None) == expected


def test_an_amount_that_was_not_measured_is_no_number() -> None:
    assert amount(check("a", "pass", value=None)) == ""
    assert amount(check("a", "pass", value="NaN", limit=None)) == "NaN"
    assert amount(check("a", "pass", value=1.0)) == "1 (limit 4)"


def test_one_line_is_what_it_says() -> None:
    assert one_line("a\nb\tc\x1b[31m\u2028d\u202ee\ud800f\x00") == "a b c [31m d e f"
    assert one_line("x" * 10, 5) == "xxxx…"


def test_names_become_unique_without_colliding() -> None:
    assert unique(["a", "a", "a (2)", "b", "a"]) == ["a", "a (2)", "a (2) (2)", "b", "a (3)"]
