"""From checks to one word: FAIL before INCONCLUSIVE before PASS, and nothing passes by default."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.parity.verdict import CheckOutcome, CheckResult, decide

OUTCOMES: tuple[CheckOutcome, ...] = ("pass", "fail", "inconclusive", "not_measured", "not_applicable")


def checks(*outcomes: CheckOutcome, required: bool = True) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(str(i), outcome, "", required) for i, outcome in enumerate(outcomes))


@pytest.mark.parametrize("outcomes", list(itertools.product(OUTCOMES, repeat=2)))
def test_precedence(outcomes: tuple[CheckOutcome, ...]) -> None:
    expected = "FAIL" if "fail" in outcomes else "PASS" if set(outcomes) == {"pass"} else "INCONCLUSIVE"
    assert decide(checks(*outcomes)) == expected
    assert decide(checks(*outcomes) + checks("pass")) == expected


def test_no_check_decides_nothing() -> None:
    assert decide(()) == "INCONCLUSIVE"
    assert decide(checks("pass", "pass", required=False)) == "INCONCLUSIVE"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_is_not_required_does_not_decide(outcome: CheckOutcome) -> None:
    assert decide(checks("pass") + checks(outcome, required=False)) == "PASS"
    assert decide(checks("fail") + checks(outcome, required=False)) == "FAIL"


@given(st.lists(st.builds(CheckResult, st.text(), st.sampled_from(OUTCOMES), st.text(), st.booleans())))
def test_order_does_not_matter(made: list[CheckResult]) -> None:
    assert decide(tuple(made)) == decide(tuple(reversed(made)))


@given(st.lists(st.builds(CheckResult, st.text(), st.sampled_from(OUTCOMES), st.text(), st.booleans())))
def test_pass_needs_a_required_pass_and_nothing_else_required(made: list[CheckResult]) -> None:
    if decide(tuple(made)) == "PASS":
        assert {check.outcome for check in made if check.required} == {"pass"}
