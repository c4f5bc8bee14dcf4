"""The checkpoint checks: what passes, what fails, what decides nothing, and who is blamed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.checkpoints import check_resume, check_transfer, output_ratio
from service.parity.checks import judge
from service.parity.plan import CheckpointSpec
from service.parity.policy import named_policy
from service.parity.record import CHECKPOINT_FORMATS, SIDES, RunRecord, Trouble

DEFAULT = named_policy("default")
MATRIX = [(saver, loader, kind) for saver in SIDES for loader in SIDES for kind in CHECKPOINT_FORMATS]
Change = Callable[..., RunRecord]
BOTH = (check_transfer, check_resume)


def outcomes(record: RunRecord) -> tuple[str, str]:
    return check_transfer(record, DEFAULT).outcome, check_resume(record, DEFAULT).outcome


@pytest.fixture
def change_trip(passing: RunRecord, change: Change) -> Change:
    """`change_trip(("candidate", "reference", "npz"), arrays=0)`; `output=dict` changes single statistics."""

    def changed(which: tuple[str, str, str], **fields: Any) -> RunRecord:
        assert passing.checkpoint is not None
        trips = list(passing.checkpoint.trips)
        index = MATRIX.index(which)  # type: ignore[arg-type]
        if isinstance(fields.get("output"), dict):
            assert trips[index].output is not None
            fields["output"] = replace(trips[index].output, **fields["output"])
        trips[index] = replace(trips[index], **fields)
        return change("checkpoint", trips=tuple(trips))

    return changed


def test_a_record_without_fault(passing: RunRecord) -> None:
    transfer, resume = (check(passing, DEFAULT) for check in BOTH)
    assert (transfer.outcome, transfer.value, transfer.limit, transfer.unit) == (
        "pass",
        2.0,
        4.0,
        "error ratio of the outputs",
    )
    assert (resume.outcome, resume.value, resume.limit) == ("pass", 0.0, None)
    assert transfer.message == "8 trips bring weights, metadata and outputs back"
    assert resume.message == "8 trips train on for 20 steps as if they had never stopped"


def test_a_phase_that_is_not_asked_for_is_not_measured(passing: RunRecord) -> None:
    plan = replace(passing.plan, phases=("synchronized", "free_running"))
    record = replace(passing, plan=plan, checkpoint=None)
    for check in BOTH:
        result = check(record, DEFAULT)
        assert (result.outcome, result.value) == ("not_measured", None)
        assert "does not ask for the checkpoint phase" in result.message
    assert judge(record, DEFAULT).outcome == "PASS"


def test_a_phase_that_did_not_end_decides_nothing(passing: RunRecord) -> None:
    assert outcomes(replace(passing, checkpoint=None)) == ("inconclusive", "inconclusive")


@pytest.mark.parametrize(("side", "outcome"), [("reference", "inconclusive"), ("candidate", "fail")])
@pytest.mark.parametrize("trips", [slice(0, 0), slice(0, 7), slice(0, 8)], ids=["none", "seven", "all"])
def test_trouble_is_its_sides(passing: RunRecord, change: Change, side: Any, outcome: str, trips: slice) -> None:
    assert passing.checkpoint is not None
    trouble = Trouble(side, "checkpoint", None, "exception", f"the {side} raised OSError in save: no")
    record = change("checkpoint", trips=passing.checkpoint.trips[trips], troubles=(trouble,))
    assert outcomes(record) == (outcome, outcome)
    assert check_transfer(record, DEFAULT).message == trouble.message


def test_both_sides_in_trouble_decide_nothing(change: Change) -> None:
    troubles = tuple(Trouble(side, "checkpoint", None, "exception", "no") for side in ("candidate", "reference"))
    assert outcomes(change("checkpoint", troubles=troubles)) == ("inconclusive", "inconclusive")


@pytest.mark.parametrize("index", range(8))
def test_every_trip_once(passing: RunRecord, change: Change, index: int) -> None:
    assert passing.checkpoint is not None
    trips = passing.checkpoint.trips
    missing = change("checkpoint", trips=trips[:index] + trips[index + 1 :])
    doubled = change("checkpoint", trips=(*trips, trips[index]))
    exchanged = change("checkpoint", trips=(*trips[:index], trips[index - 1], *trips[index + 1 :]))
    for record in (missing, doubled, exchanged):
        assert outcomes(record) == ("inconclusive", "inconclusive")


GAPS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "no arrays": ({"arrays": 0}, ("inconclusive", "inconclusive")),
    "no output": ({"output": None}, ("inconclusive", "pass")),
    "no elements": ({"output": {"elements": 0}}, ("inconclusive", "pass")),
    "no witness": ({"output": {"candidate_error": None, "oracle_scale": None}}, ("inconclusive", "pass")),
    "a witness that overflowed": ({"output": {"oracle_scale": math.inf}}, ("inconclusive", "pass")),
    "a witness of NaN": ({"output": {"reference_error": math.nan}}, ("inconclusive", "pass")),
    "no steps": ({"resumed_steps": 0}, ("pass", "inconclusive")),
    "a step too few": ({"resumed_steps": 19}, ("pass", "inconclusive")),
    "no distance": ({"resumed_distance": None}, ("pass", "inconclusive")),
    "no repetition": ({"repeat_distance": None}, ("pass", "inconclusive")),
}


@pytest.mark.parametrize(("fields", "expected"), GAPS.values(), ids=list(GAPS))
@pytest.mark.parametrize("trip", MATRIX, ids=str)
def test_what_was_not_measured_decides_nothing(change_trip: Change, trip: Any, fields: Any, expected: Any) -> None:
    assert outcomes(change_trip(trip, **fields)) == expected


FLAWS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "an array": ({"differing_arrays": ("weight_0",)}, ("fail", "pass")),
    "metadata": ({"lost_metadata": ("epoch",)}, ("fail", "pass")),
    "NaN of the loader": ({"output": {"candidate_nan": 1}}, ("fail", "pass")),
    "Inf of the loader": ({"output": {"candidate_inf": 1, "candidate_error": None}}, ("fail", "pass")),
    "NaN of the saver": ({"output": {"reference_nan": 1}}, ("fail", "pass")),
    "NaN of both": ({"output": {"reference_nan": 32, "candidate_nan": 32, "mismatches": 0}}, ("fail", "pass")),
    "weights after resuming": ({"resumed_distance": 1e-9, "resumed_differing": ("weight_0",)}, ("pass", "fail")),
    "the sign of a zero after resuming": ({"resumed_differing": ("bias_0",)}, ("pass", "fail")),
    "NaN after resuming": ({"resumed_distance": math.nan, "resumed_differing": ("weight_0",)}, ("pass", "fail")),
    "Inf after resuming": ({"resumed_distance": math.inf, "resumed_differing": ("weight_0",)}, ("pass", "fail")),
    "NaN in the repetition": (
        {"resumed_distance": 1e-9, "resumed_differing": ("weight_0",), "repeat_distance": math.nan},
        ("pass", "fail"),
    ),
    "equal but for a repetition of NaN": ({"repeat_distance": math.nan}, ("pass", "fail")),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "expected"), FLAWS.values(), ids=list(FLAWS))
@pytest.mark.parametrize("trip", MATRIX, ids=str)
def test_a_flaw_is_the_candidates_unless_the_reference_was_alone(
    change_trip: Change, trip: Any, fields: Any, expected: Any
) -> None:
    alone = trip[:2] == ("reference", "reference")
    wanted = tuple("inconclusive" if alone and outcome == "fail" else outcome for outcome in expected)
    assert outcomes(change_trip(trip, **fields)) == wanted


def test_the_references_own_flaw_comes_first(passing: RunRecord, change: Change) -> None:
    assert passing.checkpoint is not None
    trips = tuple(replace(trip, differing_arrays=("weight_0",)) for trip in passing.checkpoint.trips)
    result = check_transfer(change("checkpoint", trips=trips), DEFAULT)
    assert result.outcome == "inconclusive"
    assert result.message == (
        "the reference loads the reference's npz: weight_0 of 4 arrays are not the saver's, bit for bit (8 of 8 trips)"
    )
    assert result.evidence == {"flawed_trips": 8}


@pytest.mark.parametrize("side", SIDES)
def test_outputs_of_one_side_are_bit_equal(change_trip: Change, side: str) -> None:
    """Whatever rounding explains, unless the side does not repeat itself."""
    trip = (side, side, "safetensors")
    wanted = {"reference": "inconclusive", "candidate": "fail"}[side]
    assert outcomes(change_trip(trip, output={"mismatches": 1})) == (wanted, "pass")
    noisy = change_trip(trip, output={"mismatches": 1}, repeat_distance=1e-9)
    assert outcomes(noisy) == ("pass", "pass")


@pytest.mark.parametrize(
    ("distance", "repeat", "outcome"),
    [(3e-9, 1e-9, "pass"), (3.1e-9, 1e-9, "fail"), (0.0, 1e-9, "pass"), (1e-300, 0.0, "fail")],
)
def test_resuming_is_held_to_the_sides_own_spread(
    change_trip: Change, distance: float, repeat: float, outcome: str
) -> None:
    """Within three times what two trainings from one state are apart, as in the band."""
    differing = ("weight_0",) if distance else ()
    trip = ("reference", "candidate", "npz")
    record = change_trip(trip, resumed_distance=distance, resumed_differing=differing, repeat_distance=repeat)
    assert outcomes(record) == ("pass", outcome)


RATIOS = [
    # saver, loader, saver's error, loader's error, ratio: the reference's error is the yardstick, never below the floor
    ("reference", "candidate", 1e-7, 3e-7, 3.0),
    ("candidate", "reference", 3e-7, 1e-7, 3.0),
    ("reference", "candidate", 1e-9, 2**-24, 1.0),
    ("candidate", "reference", 2**-24, 1e-9, 1.0),
    # no oracle: the saver is the yardstick
    ("reference", "candidate", 0.0, 2**-24 * 8**0.5 * 2, 2.0),
    ("candidate", "reference", 0.0, 2**-24 * 8**0.5 * 2, 2.0),
]


@pytest.mark.parametrize(("saver", "loader", "saved", "loaded", "ratio"), RATIOS)
def test_output_ratio(change_trip: Change, saver: Any, loader: Any, saved: float, loaded: float, ratio: float) -> None:
    trip = (saver, loader, "npz")
    record = change_trip(trip, output={"reference_error": saved, "candidate_error": loaded, "mismatches": 5})
    assert record.checkpoint is not None
    found = output_ratio(record.checkpoint.trips[MATRIX.index(trip)], record, DEFAULT)
    assert found == pytest.approx(ratio)
    assert check_transfer(record, DEFAULT).outcome == ("pass" if ratio <= DEFAULT.error_ratio else "fail")


@pytest.mark.parametrize(("trip", "side"), [(MATRIX[2], "reference_error"), (MATRIX[4], "candidate_error")], ids=str)
@pytest.mark.parametrize(("width", "outcome"), [(3.9, "pass"), (4.1, "inconclusive"), (math.inf, "inconclusive")])
def test_a_reference_that_errs_is_no_yardstick(
    change_trip: Change, trip: Any, side: str, width: float, outcome: str
) -> None:
    """It may err by the root of its widest sum, here 8; an exact candidate is no reproach to it, nor it to one."""
    errors = {"reference_error": 1e-9, "candidate_error": 1e-9, side: width * 2**-24 * 8**0.5}
    assert outcomes(change_trip(trip, output={**errors, "mismatches": 5})) == (outcome, "pass")


def test_a_wider_precision_class_widens_the_floor(change_trip: Change) -> None:
    record = change_trip(("reference", "candidate", "npz"), output={"candidate_error": 1e-4, "mismatches": 9})
    assert check_transfer(record, DEFAULT).outcome == "fail"
    assert check_transfer(record, replace(DEFAULT, precision_class="tf32")).outcome == "pass"


def test_a_plan_with_other_steps_is_not_covered(passing: RunRecord) -> None:
    plan = replace(passing.plan, checkpoint=CheckpointSpec(20, 21))
    assert outcomes(replace(passing, plan=plan)) == ("pass", "inconclusive")


def test_a_flaw_turns_the_verdict(change_trip: Change) -> None:
    for trip, outcome in ((MATRIX[2], "FAIL"), (MATRIX[0], "INCONCLUSIVE")):
        for fields in ({"differing_arrays": ("bias_1",)}, {"resumed_distance": 1.0, "resumed_differing": ("bias_1",)}):
            assert judge(change_trip(trip, **fields), DEFAULT).outcome == outcome
