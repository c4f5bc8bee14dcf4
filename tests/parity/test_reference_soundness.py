"""A reference that is wrong, or that does not repeat itself, can hold nobody to anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.numerics import check_sign_disagreements, check_synchronized
from service.parity.policy import named_policy
from service.parity.record import REPLAY_WITNESS, Determinism, RunRecord, TapDiff

POLICY = named_policy("numerics")
TAP = "forward.layer0.output"
Change = Callable[..., RunRecord]


def rows(record: RunRecord) -> tuple[TapDiff, ...]:
    assert record.synchronized is not None
    return record.synchronized.diffs


def test_the_side_that_is_wrong_is_the_side_that_is_named(change_diff: Change) -> None:
    """No order of the operands lets a wrong side through; only who is blamed changes with it."""
    wrong_reference = check_synchronized(change_diff(0, reference_error=1e-3, candidate_error=1e-7), POLICY)
    wrong_candidate = check_synchronized(change_diff(0, reference_error=1e-7, candidate_error=1e-3), POLICY)
    assert (wrong_reference.outcome, wrong_candidate.outcome) == ("inconclusive", "fail")
    assert "the reference itself is farther from the float64 oracle" in wrong_reference.message


SPREAD = "two steps of the reference from one state differ in forward.layer0.output at step 0 by"


@pytest.mark.parametrize(
    ("probed", "differing", "outcome"),
    [((0, 5), (), "pass"), ((0, 5), (TAP,), "pass"), ((0,), (TAP,), "inconclusive"), ((), (), "inconclusive")],
)
def test_the_reference_must_have_stepped_twice(change: Change, probed: Any, differing: Any, outcome: str) -> None:
    record = change("synchronized", determinism=Determinism(probed, differing))
    assert check_synchronized(record, POLICY).outcome == outcome


def test_a_probe_without_a_result_decides_nothing(passing: RunRecord, change: Change) -> None:
    first, *others = rows(passing)
    record = change("synchronized", diffs=(replace(first, reference_spread=None), *others))
    assert check_synchronized(record, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize(("spread", "outcome"), [(1e-7, "pass"), (2.4e-7, "inconclusive"), (1e9, "inconclusive")])
def test_a_reference_that_differs_from_itself_by_more_than_rounding(
    passing: RunRecord, change: Change, spread: float, outcome: str
) -> None:
    """Its spread joins its error, so without a limit on it everything would pass."""
    first, *others = rows(passing)
    record = change("synchronized", diffs=(replace(first, reference_spread=spread), *others))
    result = check_synchronized(record, POLICY)
    assert result.outcome == outcome
    assert (SPREAD in result.message) == (outcome == "inconclusive")


def test_replays_name_no_side_and_know_no_signs(passing: RunRecord, change: Change, change_diff: Change) -> None:
    replayed = change_diff(0, reference_error=1e-3, candidate_error=0.0)
    assert replayed.synchronized is not None
    evidence = replace(replayed.synchronized, witness=REPLAY_WITNESS, sign_taps=(), signs=())
    record = replace(replayed, synchronized=evidence)
    result = check_synchronized(record, POLICY)
    assert (result.outcome, result.evidence["witness"]) == ("pass", "reference replays")
    assert check_sign_disagreements(record, POLICY).outcome == "not_applicable"
