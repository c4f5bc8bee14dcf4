"""The numeric checks, one thing wrong at a time; and where the first divergence is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.numerics import (
    check_free_running,
    check_sign_disagreements,
    check_synchronized,
    first_divergence,
    source_of,
)
from service.parity.policy import Policy, named_policy
from service.parity.record import SIDES, Determinism, RunRecord, Side, StepLosses, TapDiff, Trouble

NAN, INF = math.nan, math.inf
POLICY = named_policy("numerics")
BLAME = {"reference": "inconclusive", "candidate": "fail"}
Change = Callable[..., RunRecord]


def test_everything_passes(passing: RunRecord) -> None:
    for check in (check_synchronized, check_sign_disagreements, check_free_running):
        result = check(passing, POLICY)
        assert result.outcome == "pass", result.message
    assert first_divergence(passing, POLICY) is None


# --- synchronized: coverage -------------------------------------------------------------------------------------------


def rows(record: RunRecord) -> tuple[TapDiff, ...]:
    assert record.synchronized is not None
    return record.synchronized.diffs


@pytest.mark.parametrize(
    "keep",
    [
        lambda diff: diff.step != 0,
        lambda diff: diff.step != 5,
        lambda diff: diff.tap != "loss.value",
        lambda diff: (diff.step, diff.tap) != (5, "update.layer0.weight"),
        lambda diff: False,
    ],
    ids=["no step 0", "no step 5", "no loss tap", "one comparison", "all"],
)
@pytest.mark.parametrize("recount", [False, True])
def test_missing_comparisons_decide_nothing(
    passing: RunRecord, change: Change, keep: Callable[[TapDiff], bool], recount: bool
) -> None:
    kept = tuple(diff for diff in rows(passing) if keep(diff))
    fields: dict[str, Any] = {"comparisons": len(kept)} if recount else {}
    result = check_synchronized(change("synchronized", diffs=kept, **fields), POLICY)
    assert result.outcome == "inconclusive"


def test_a_duplicate_does_not_stand_in_for_a_missing_row(passing: RunRecord, change: Change) -> None:
    diffs = rows(passing)
    result = check_synchronized(change("synchronized", diffs=(*diffs[:-1], diffs[0])), POLICY)
    assert result.outcome == "inconclusive"
    assert "1 of 8 comparisons are missing, e.g. update.layer0.weight at step 5" in result.message


@pytest.mark.parametrize("count", [8, 9])
def test_an_extra_row_is_not_ignored(passing: RunRecord, change: Change, count: int) -> None:
    diffs = rows(passing)
    for extra in (diffs[0], replace(diffs[0], tap="forward.layer9.output"), replace(diffs[0], step=1)):
        result = check_synchronized(change("synchronized", diffs=(*diffs, extra), comparisons=count), POLICY)
        assert result.outcome == "inconclusive"


@pytest.mark.parametrize(
    "fields",
    [
        {"comparisons": 0},
        {"comparisons": 7},
        {"expected_steps": (0,)},
        {"expected_taps": ()},
        {"compared_steps": (0,)},
        {"compared_steps": ()},
        {"losses": ()},
        {"losses": (StepLosses("synchronized", 0, 0.5, 0.5),)},
        {"witness": ""},
    ],
    ids=str,
)
def test_evidence_that_contradicts_itself_decides_nothing(change: Change, fields: dict[str, Any]) -> None:
    assert check_synchronized(change("synchronized", **fields), POLICY).outcome == "inconclusive"


def test_the_plan_says_which_steps_not_the_evidence(passing: RunRecord, change: Change) -> None:
    """A run that stopped half-way and calls that all it ever meant to do."""
    half = tuple(diff for diff in rows(passing) if diff.step == 0)
    record = change("synchronized", expected_steps=(0,), compared_steps=(0,), diffs=half, comparisons=4,
                    losses=(StepLosses("synchronized", 0, 0.5, 0.5),))  # fmt: skip
    result = check_synchronized(record, POLICY)
    assert (result.outcome, result.message) == ("inconclusive", "1 of the plan's 2 steps were compared")


@pytest.mark.parametrize(
    "fields",
    [
        {"elements": 0},
        {"elements": 31},
        {"candidate_error": None},
        {"reference_error": None},
        {"oracle_scale": None},
        {"oracle_scale": INF},
        {"oracle_scale": NAN},
        {"reference_error": NAN},
        {"reference_error": INF},
    ],
    ids=str,
)
@pytest.mark.parametrize("index", [0, 5])
def test_a_comparison_that_measured_nothing(change_diff: Change, fields: dict[str, Any], index: int) -> None:
    assert check_synchronized(change_diff(index, **fields), POLICY).outcome == "inconclusive"


def test_zero_elements_everywhere(passing: RunRecord, change: Change) -> None:
    empty = [
        replace(d, shape=(0, 8), stats=replace(d.stats, elements=0, reference_error=None, candidate_error=None))
        for d in rows(passing)
    ]
    assert check_synchronized(change("synchronized", diffs=tuple(empty)), POLICY).outcome == "inconclusive"


# --- synchronized: NaN and Inf ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["nan", "inf"])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("index", range(8))
def test_one_nonfinite_element_in_one_tap_of_one_step(
    passing: RunRecord, change_diff: Change, side: Side, kind: str, index: int
) -> None:
    result = check_synchronized(change_diff(index, **{f"{side}_{kind}": 1}), POLICY)
    assert result.outcome == BLAME[side]
    diff = rows(passing)[index]
    assert result.message == f"{diff.tap} holds 1 NaN or Inf in the {side} at step {diff.step}"


def test_nan_on_both_sides_is_no_agreement(change_diff: Change) -> None:
    both = change_diff(0, reference_nan=32, candidate_nan=32, reference_error=None, candidate_error=None, mismatches=0)
    assert check_synchronized(both, POLICY).outcome == "inconclusive"


def test_candidate_that_is_all_nan_fails(change_diff: Change) -> None:
    result = check_synchronized(change_diff(1, candidate_nan=32, candidate_error=None, max_abs=None), POLICY)
    assert result.outcome == "fail"


def test_the_earlier_side_is_blamed(passing: RunRecord, change: Change) -> None:
    diffs = list(rows(passing))
    diffs[5] = replace(diffs[5], stats=replace(diffs[5].stats, reference_nan=1))
    diffs[2] = replace(diffs[2], stats=replace(diffs[2].stats, candidate_nan=1))
    for order in (diffs, diffs[::-1]):
        assert check_synchronized(change("synchronized", diffs=tuple(order)), POLICY).outcome == "fail"


@pytest.mark.parametrize("value", [NAN, INF, None])
@pytest.mark.parametrize("side", SIDES)
def test_a_broken_loss_of_a_synchronized_step(passing: RunRecord, change: Change, side: Side, value: Any) -> None:
    losses = list(passing.synchronized.losses)  # type: ignore[union-attr]
    losses[1] = replace(losses[1], **{side: value})
    assert check_synchronized(change("synchronized", losses=tuple(losses)), POLICY).outcome == BLAME[side]


# --- synchronized: the ratio ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(0.0, "pass"), (4e-7, "pass"), (4.001e-7, "fail"), (1e9, "fail"), (INF, "fail"), (NAN, "fail")],
)
@pytest.mark.parametrize("index", range(8))
def test_limit(change_diff: Change, index: int, error: float, outcome: str) -> None:
    result = check_synchronized(change_diff(index, candidate_error=error), POLICY)
    assert result.outcome == outcome
    assert result.limit == 4.0


def test_one_bad_step_in_a_hundred(passing: RunRecord, change_diff: Change, change: Change) -> None:
    plan = replace(passing.plan, synchronized=replace(passing.plan.synchronized, steps=100, every=1))
    steps = plan.synchronized_steps()
    diffs = [replace(diff, step=step) for step in steps for diff in rows(passing)[:4]]
    assert passing.synchronized is not None
    evidence = replace(
        passing.synchronized, expected_steps=steps, compared_steps=steps, comparisons=len(diffs), diffs=tuple(diffs),
        losses=tuple(StepLosses("synchronized", step, 0.5, 0.5) for step in steps),
        determinism=Determinism(steps[:3], ()),
    )  # fmt: skip
    record = replace(passing, plan=plan, synchronized=evidence)
    assert check_synchronized(record, POLICY).outcome == "pass"
    diffs[4 * 57 + 2] = replace(diffs[4 * 57 + 2], stats=replace(diffs[0].stats, candidate_error=1e-6))
    result = check_synchronized(replace(record, synchronized=replace(evidence, diffs=tuple(diffs))), POLICY)
    assert result.outcome == "fail"
    assert "worst backward.layer0.weight_grad at step 57" in result.message


def test_candidate_that_errs_where_the_reference_is_exact_and_zero(passing: RunRecord, change: Change) -> None:
    zero = {"reference_error": 0.0, "candidate_error": 1e-30, "oracle_scale": 0.0}
    record = change("synchronized", diffs=tuple(replace(d, stats=replace(d.stats, **zero)) for d in rows(passing)))
    result = check_synchronized(record, POLICY)
    assert (result.outcome, result.value) == ("fail", INF)


@pytest.mark.parametrize("limit", [NAN, -1.0])
def test_a_limit_that_is_no_limit_lets_nothing_pass(passing: RunRecord, limit: float) -> None:
    assert check_synchronized(passing, replace(POLICY, error_ratio=limit)).outcome == "fail"
    assert check_free_running(passing, replace(POLICY, band=limit)).outcome == "fail"
    assert check_sign_disagreements(passing, replace(POLICY, sign_bound=limit)).outcome != "pass"


# --- troubles and start states ----------------------------------------------------------------------------------------


PHASES = [("synchronized", check_synchronized), ("free_running", check_free_running)]


@pytest.mark.parametrize(("phase", "check"), PHASES)
@pytest.mark.parametrize("kind", ["exception", "missing_tap", "shape", "dtype", "extra_tap", "not_numbers"])
@pytest.mark.parametrize("side", SIDES)
def test_trouble_decides_before_any_number(change: Change, phase: str, check: Any, side: Side, kind: str) -> None:
    trouble = Trouble(side, phase, 5, kind, f"the {side} did wrong", "loss.value")
    result = check(change(phase, troubles=(trouble,)), POLICY)
    assert (result.outcome, result.message) == (BLAME[side], f"the {side} did wrong at step 5")


@pytest.mark.parametrize(("phase", "check"), PHASES)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_without_a_reference_nothing_can_be_judged(
    change: Change, phase: str, check: Any, order: tuple[int, ...]
) -> None:
    troubles = [Trouble(side, phase, 0, "exception", side) for side in SIDES]
    assert check(change(phase, troubles=tuple(troubles[i] for i in order)), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize(("phase", "check"), PHASES)
@pytest.mark.parametrize("side", SIDES)
def test_trouble_outside_the_phases_counts_too(passing: RunRecord, phase: str, check: Any, side: Side) -> None:
    trouble = Trouble(side, "closing", None, "exception", "would not close")
    assert check(replace(passing, troubles=(trouble,)), POLICY).outcome == BLAME[side]
    absent = replace(passing, troubles=(trouble,), **{phase: None})
    assert check(absent, POLICY).outcome == BLAME[side]


@pytest.mark.parametrize(("phase", "check"), PHASES)
@pytest.mark.parametrize(
    ("planned", "reference", "candidate", "outcome"),
    [
        ("a", "a", "b", "fail"),
        ("a", "a", "", "fail"),
        ("a", "a", "A", "fail"),
        ("a", "b", "a", "inconclusive"),
        ("a", "b", "b", "inconclusive"),
        ("a", "", "a", "inconclusive"),
        ("", "a", "a", "inconclusive"),
        ("", "", "", "inconclusive"),
    ],
)
def test_start_states(
    change: Change, phase: str, check: Any, planned: str, reference: str, candidate: str, outcome: str
) -> None:
    starts = {"planned_start_digest": planned, "reference_start_digest": reference, "candidate_start_digest": candidate}
    assert check(change(phase, **starts), POLICY).outcome == outcome


@pytest.mark.parametrize(
    ("phase", "check"), [*PHASES, ("synchronized", check_sign_disagreements)], ids=lambda v: getattr(v, "__name__", v)
)
def test_absent_phase(passing: RunRecord, phase: str, check: Any) -> None:
    absent = replace(passing, **{phase: None})
    assert check(absent, POLICY).outcome == "inconclusive"
    other = tuple(p for p in passing.plan.phases if p != phase)
    unplanned = replace(absent, plan=replace(passing.plan, phases=other))
    assert check(unplanned, POLICY).outcome == "not_measured"


# --- signs ------------------------------------------------------------------------------------------------------------


def with_sign(record: RunRecord, change: Change, index: int, **fields: Any) -> RunRecord:
    assert record.synchronized is not None
    signs = list(record.synchronized.signs)
    signs[index] = replace(signs[index], **fields)
    return change("synchronized", signs=tuple(signs))


@pytest.mark.parametrize(
    ("excess", "holds"), [(0.0, True), (8.0, True), (8.001, False), (INF, False), (NAN, False)]
)  # fmt: skip
@pytest.mark.parametrize("index", range(4))
def test_a_flip_must_be_excusable(passing: RunRecord, change: Change, index: int, excess: float, holds: bool) -> None:
    side = passing.synchronized.signs[index].side  # type: ignore[union-attr]
    result = check_sign_disagreements(with_sign(passing, change, index, flips=1, worst_excess=excess), POLICY)
    assert result.outcome == ("pass" if holds else BLAME[side])


def test_reference_beyond_rounding_leaves_nothing_to_judge_by(passing: RunRecord, change: Change) -> None:
    signs = passing.synchronized.signs  # type: ignore[union-attr]
    record = change("synchronized", signs=tuple(replace(sign, flips=1, worst_excess=99.0) for sign in signs))
    assert check_sign_disagreements(record, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("signs", [slice(0, 0), slice(0, 3), slice(0, 2), slice(1, 4)])
def test_missing_signs(passing: RunRecord, change: Change, signs: slice) -> None:
    record = change("synchronized", signs=passing.synchronized.signs[signs])  # type: ignore[union-attr]
    assert check_sign_disagreements(record, POLICY).outcome == "inconclusive"


def test_extra_and_doubled_signs(passing: RunRecord, change: Change) -> None:
    signs = passing.synchronized.signs  # type: ignore[union-attr]
    for made in ((*signs, signs[0]), (*signs[:-1], signs[0]), (*signs, replace(signs[0], tap="other"))):
        assert check_sign_disagreements(change("synchronized", signs=made), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("fields", [{"flips": 1, "worst_excess": None}, {"elements": 0}], ids=str)
@pytest.mark.parametrize("index", range(4))
def test_signs_that_were_not_measured(passing: RunRecord, change: Change, index: int, fields: dict[str, Any]) -> None:
    assert check_sign_disagreements(with_sign(passing, change, index, **fields), POLICY).outcome == "inconclusive"


def test_no_sign_taps_at_all(change: Change) -> None:
    record = change("synchronized", sign_taps=(), signs=())
    assert check_sign_disagreements(record, POLICY).outcome == "inconclusive"


# --- free running -----------------------------------------------------------------------------------------------------


def with_loss(record: RunRecord, change: Change, step: int, **fields: Any) -> RunRecord:
    losses = list(record.free_running.losses)  # type: ignore[union-attr]
    losses[step] = replace(losses[step], **fields)
    return change("free_running", losses=tuple(losses))


@pytest.mark.parametrize("value", [NAN, INF, -INF, None])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("step", [0, 13, 25, 39])
def test_one_broken_loss(passing: RunRecord, change: Change, step: int, side: Side, value: float | None) -> None:
    result = check_free_running(with_loss(passing, change, step, **{side: value}), POLICY)
    assert result.outcome == BLAME[side]
    assert f"the {side}'s loss at step {step}" in result.message


def test_broken_on_both_sides_is_no_agreement(passing: RunRecord, change: Change) -> None:
    assert check_free_running(with_loss(passing, change, 3, reference=NAN, candidate=NAN), POLICY).outcome != "pass"


@pytest.mark.parametrize("step", [0, 10, 19])
def test_one_loss_outside_the_band(passing: RunRecord, change: Change, step: int) -> None:
    reference = passing.free_running.losses[step].reference  # type: ignore[union-attr]
    assert reference is not None
    result = check_free_running(with_loss(passing, change, step, candidate=reference * 1.001), POLICY)
    assert result.outcome == "fail"
    assert f"the loss leaves the perturbation band at step {step}" in result.message
    assert result.evidence["left_at"] == step


@pytest.mark.parametrize(
    ("distances", "outcome"),
    [((6e-6, 0.0), "pass"), ((0.0, 6.1e-6), "fail"), ((NAN, 0.0), "fail"), ((0.0, NAN), "fail"), ((INF, 0.0), "fail")],
)
def test_weights(change: Change, distances: tuple[float, ...], outcome: str) -> None:
    record = change("free_running", candidate_weight_distances=distances)
    assert check_free_running(record, POLICY).outcome == outcome


def member(record: RunRecord, change: Change, **fields: Any) -> RunRecord:
    members = record.free_running.members  # type: ignore[union-attr]
    return change("free_running", members=(members[0], replace(members[1], **fields)))


@pytest.mark.parametrize("value", [NAN, INF, -INF])
@pytest.mark.parametrize("field", ["losses", "weight_distances"])
@pytest.mark.parametrize("position", [0, -1])
def test_a_member_that_is_not_finite(
    passing: RunRecord, change: Change, field: str, position: int, value: float
) -> None:
    values = list(getattr(passing.free_running.members[1], field))  # type: ignore[union-attr]
    values[position] = value
    assert check_free_running(member(passing, change, **{field: tuple(values)}), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("share", [0.0, NAN, -1.0])
def test_a_perturbation_that_moved_nothing(passing: RunRecord, change: Change, share: float) -> None:
    result = check_free_running(member(passing, change, moved_fraction=share), POLICY)
    assert (result.outcome, "moved nothing" in result.message) == ("inconclusive", True)


@pytest.mark.parametrize(
    "cut",
    [
        {"losses": ()},
        {"losses": (1.0,) * 19},
        {"losses": (1.0,) * 21},
        {"weight_distances": ()},
        {"weight_distances": (1e-6,)},
        {"weight_distances": (1e-6,) * 3},
    ],
    ids=str,
)
def test_member_of_another_length(passing: RunRecord, change: Change, cut: dict[str, Any]) -> None:
    assert check_free_running(member(passing, change, **cut), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("count", [0, 1, 3])
def test_members_missing_or_too_many(passing: RunRecord, change: Change, count: int) -> None:
    members = passing.free_running.members  # type: ignore[union-attr]
    record = change("free_running", members=(*members, members[0])[:count])
    assert check_free_running(record, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("kept", [slice(0, 0), slice(0, 39), slice(1, 40), slice(0, 40, 2), slice(None, None, -1)])
def test_missing_losses(passing: RunRecord, change: Change, kept: slice) -> None:
    record = change("free_running", losses=passing.free_running.losses[kept])  # type: ignore[union-attr]
    assert check_free_running(record, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize(
    "fields",
    [
        {"expected_steps": 20},
        {"reference_steps": 39},
        {"candidate_steps": 39},
        {"candidate_steps": 0},
        {"reference_steps": 41},
        {"weight_steps": ()},
        {"weight_steps": (9,)},
        {"weight_steps": (9, 18)},
        {"candidate_weight_distances": ()},
        {"candidate_weight_distances": (0.0,)},
    ],
    ids=str,
)
def test_steps_that_were_not_made(change: Change, fields: dict[str, Any]) -> None:
    assert check_free_running(change("free_running", **fields), POLICY).outcome == "inconclusive"


def test_the_plan_says_how_long_the_training_is(passing: RunRecord, change: Change) -> None:
    losses = passing.free_running.losses[:20]  # type: ignore[union-attr]
    record = change("free_running", losses=losses, expected_steps=20, reference_steps=20, candidate_steps=20)
    assert check_free_running(record, POLICY).outcome == "inconclusive"


def test_an_infinite_band_excuses_nothing(passing: RunRecord, change: Change) -> None:
    """The reference's loss is exactly 0 once; relative differences have no meaning from there on."""
    rows = list(passing.free_running.losses)  # type: ignore[union-attr]
    rows[2] = replace(rows[2], reference=0.0, candidate=0.0)
    rows[10] = replace(rows[10], candidate=9.0)
    record = change("free_running", losses=tuple(rows))
    assert check_free_running(record, POLICY).outcome == "inconclusive"


# --- first divergence -------------------------------------------------------------------------------------------------


def diverging(record: RunRecord, change: Change, *at: tuple[int, int]) -> RunRecord:
    diffs = [
        replace(d, stats=replace(d.stats, candidate_error=1.0)) if (d.step, d.position) in at else d
        for d in rows(record)
    ]
    return change("synchronized", diffs=tuple(diffs))


@pytest.mark.parametrize(
    ("at", "step", "tap"),
    [
        ([(5, 0), (0, 3)], 0, "update.layer0.weight"),
        ([(0, 3), (0, 2)], 0, "backward.layer0.weight_grad"),
        ([(5, 1)], 5, "loss.value"),
        ([(0, 0), (5, 0)], 0, "forward.layer0.output"),
    ],
)
def test_the_earlier_step_then_the_earlier_tap(
    passing: RunRecord, change: Change, at: list[tuple[int, int]], step: int, tap: str
) -> None:
    record = diverging(passing, change, *at)
    for made in (record, replace(record, synchronized=replace(record.synchronized, diffs=rows(record)[::-1]))):
        found = first_divergence(made, POLICY)
        assert found is not None
        assert (found.phase, found.step, found.tap) == ("synchronized", step, tap)
        assert found.ratio == pytest.approx(1.0 / 1e-7)


def test_source_of_the_first_divergence(passing: RunRecord, change: Change) -> None:
    found = first_divergence(diverging(passing, change, (0, 0)), POLICY)
    assert found is not None
    assert found.source == "basemodel.forward"
    assert source_of("forward.layer0.output", None) is None
    assert source_of("loss.value", passing.subjects["candidate"]) is None


@pytest.mark.parametrize(
    ("tap", "expected"), [("missing", "train_step"), ("loss.value", "loss.value"), (None, "train_step")]
)
def test_trouble_is_a_divergence_without_a_ratio(change: Change, tap: str | None, expected: str) -> None:
    trouble = Trouble("candidate", "synchronized", 5, "exception", "raised", None if tap == "missing" else tap)
    found = first_divergence(change("synchronized", troubles=(trouble,)), POLICY)
    assert found is not None
    assert (found.step, found.tap, found.ratio) == (5, expected, None)


def test_nan_is_a_divergence_without_a_ratio(change_diff: Change) -> None:
    found = first_divergence(change_diff(2, candidate_nan=1), POLICY)
    assert found is not None
    assert (found.step, found.tap, found.ratio) == (0, "backward.layer0.weight_grad", None)


def test_reference_trouble_is_no_divergence_of_the_candidate(change: Change) -> None:
    trouble = Trouble("reference", "synchronized", 5, "exception", "raised")
    assert first_divergence(change("synchronized", troubles=(trouble,)), POLICY) is None


def test_divergence_of_the_free_run_comes_after_the_synchronized_steps(passing: RunRecord, change: Change) -> None:
    record = with_loss(passing, change, 7, candidate=9.0)
    found = first_divergence(record, POLICY)
    assert found is not None
    assert (found.phase, found.step, found.tap) == ("free_running", 7, "loss.value")
    both = replace(record, synchronized=diverging(passing, change, (5, 2)).synchronized)
    found = first_divergence(both, POLICY)
    assert found is not None
    assert found.phase == "synchronized"


def test_weights_that_leave_the_band_first(change: Change) -> None:
    found = first_divergence(change("free_running", candidate_weight_distances=(1.0, 1.0)), POLICY)
    assert found is not None
    assert (found.phase, found.step, found.tap, found.source) == ("free_running", 9, "update", "basemodel.update")


def test_wider_class_of_precision_is_the_policys_decision(change_diff: Change) -> None:
    record = change_diff(0, candidate_error=1e-4)
    assert check_synchronized(record, POLICY).outcome == "fail"
    assert check_synchronized(record, Policy("tf32", precision_class="tf32")).outcome == "pass"
