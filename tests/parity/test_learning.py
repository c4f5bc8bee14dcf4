"""The learning checks: a collapsed model has a low loss and does not pass; a reference that did not learn decides
nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.learning import check_color_reconstruction, check_loss_falls, check_outputs_vary
from service.parity.policy import named_policy
from service.parity.record import SIDES, RunRecord, Side, StepLosses, Swatch, Trouble

NAN, INF = math.nan, math.inf
POLICY = named_policy("default")
BLAME = {"reference": "inconclusive", "candidate": "fail"}
Change = Callable[..., RunRecord]
OF_OUTPUTS = (check_outputs_vary, check_color_reconstruction)


def test_everything_passes(passing: RunRecord) -> None:
    for check in (check_loss_falls, *OF_OUTPUTS):
        result = check(passing, POLICY)
        assert result.outcome == "pass", result.message


# --- the loss falls ---------------------------------------------------------------------------------------------------

LOSSES = {
    "flat": [1.0] * 40,
    "rising": [1.0 + step / 10 for step in range(40)],
    "down and up again": [abs(step - 20) + 1.0 for step in range(40)],
    "noisy without a fall": [1.0 + 0.5 * (-1) ** step for step in range(40)],
    "falls by less than it varies": [(1.0 - step / 4000) * (1.2 if step % 2 else 0.8) for step in range(40)],
    "NaN from the start": [NAN] * 40,
    "NaN at the end": [*[1.0] * 39, NAN],
    "Inf at the start": [INF, *[1.0] * 39],
    "zero at the end": [*[1.0] * 38, 0.0, 0.0],
    "negative": [*[1.0] * 38, -1.0, -1.0],
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("side", SIDES)
def test_a_loss_that_does_not_fall(passing: RunRecord, change: Change, name: str, side: Side) -> None:
    rows = passing.free_running.losses  # type: ignore[union-attr]
    made = tuple(replace(row, **{side: value}) for row, value in zip(rows, LOSSES[name], strict=True))
    assert check_loss_falls(change("free_running", losses=made), POLICY).outcome == BLAME[side]


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_steps(passing: RunRecord, change: Change, count: int) -> None:
    record = change("free_running", losses=passing.free_running.losses[:count])  # type: ignore[union-attr]
    assert check_loss_falls(record, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("side", SIDES)
def test_missing_losses_of_one_side(passing: RunRecord, change: Change, side: Side) -> None:
    made = tuple(replace(row, **{side: None}) for row in passing.free_running.losses)  # type: ignore[union-attr]
    assert check_loss_falls(change("free_running", losses=made), POLICY).outcome == BLAME[side]


@pytest.mark.parametrize("side", SIDES)
def test_training_that_stopped(passing: RunRecord, change: Change, side: Side) -> None:
    trouble = Trouble(side, "free_running", 30, "exception", "stopped here")
    rows = passing.free_running.losses[:30]  # type: ignore[union-attr]
    record = change("free_running", losses=rows, candidate_steps=30, troubles=(trouble,))
    record = replace(record, learning=None)
    for check in (check_loss_falls, *OF_OUTPUTS):
        assert check(record, POLICY).outcome == BLAME[side]


def test_values_are_told(passing: RunRecord) -> None:
    result = check_loss_falls(passing, POLICY)
    assert result.limit == 0.0
    assert result.value is not None
    assert -1 < result.value < 0


# --- outputs vary -----------------------------------------------------------------------------------------------------


def with_model(record: RunRecord, change: Change, side: Side, **fields: Any) -> RunRecord:
    models = record.learning.models  # type: ignore[union-attr]
    return change("learning", models=tuple(replace(m, **fields) if m.side == side else m for m in models))


@pytest.mark.parametrize(
    "fields",
    [
        {"output_spread": 0.0},
        {"output_spread": 0.0999},
        {"output_spread": NAN},
        {"nonfinite": 1},
        {"nonfinite": 1, "output_spread": 9.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("side", SIDES)
def test_collapsed_outputs(passing: RunRecord, change: Change, side: Side, fields: dict[str, Any]) -> None:
    result = check_outputs_vary(with_model(passing, change, side, **fields), POLICY)
    assert result.outcome == BLAME[side]


def test_collapse_fails_although_the_loss_is_low(passing: RunRecord, change: Change) -> None:
    record = with_model(passing, change, "candidate", output_spread=0.0)
    assert check_loss_falls(record, POLICY).outcome == "pass"
    assert check_outputs_vary(record, POLICY).outcome == "fail"


@pytest.mark.parametrize(
    "fields", [{"data_spread": 0.0}, {"data_spread": NAN}, {"rows": 0}, {"varying_features": 0}], ids=str
)
def test_data_that_does_not_vary_decides_nothing(passing: RunRecord, change: Change, fields: dict[str, Any]) -> None:
    models = tuple(replace(m, **fields) for m in passing.learning.models)  # type: ignore[union-attr]
    assert check_outputs_vary(change("learning", models=models), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("check", OF_OUTPUTS)
def test_models_missing_or_doubled(passing: RunRecord, change: Change, check: Any) -> None:
    reference, candidate = passing.learning.models  # type: ignore[union-attr]
    for models in ((), (reference,), (candidate,), (reference, reference), (reference, candidate, candidate)):
        assert check(change("learning", models=models), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("check", OF_OUTPUTS)
def test_trouble_in_forward(change: Change, check: Any, side: Side) -> None:
    trouble = Trouble(side, "free_running", None, "shape", "forward gave another shape")
    result = check(change("learning", troubles=(trouble,)), POLICY)
    assert (result.outcome, result.message) == (BLAME[side], "forward gave another shape")


# --- colours ----------------------------------------------------------------------------------------------------------

TARGET = (0.0, 0.28, 0.73)
OUTPUTS = [
    None,
    (0.0, 0.0, 0.0),
    (0.0501, 0.28, 0.73),
    (0.0, 0.28, 0.67),
    (NAN, 0.28, 0.73),
    (0.0, 0.28, INF),
    (NAN, NAN, NAN),
    (0.73, 0.28, 0.0),
]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@pytest.mark.parametrize("side", SIDES)
def test_a_colour_that_does_not_come_back(change: Change, side: Side, output: Any) -> None:
    swatch = replace(Swatch("Absolute Zero", TARGET, TARGET, TARGET), **{side: output})
    assert check_color_reconstruction(change("learning", swatches=(swatch,)), POLICY).outcome == BLAME[side]


def test_errors_of_opposite_sign_do_not_cancel(change: Change) -> None:
    swatch = Swatch("Absolute Zero", TARGET, TARGET, (0.06, 0.22, 0.73))
    assert check_color_reconstruction(change("learning", swatches=(swatch,)), POLICY).outcome == "fail"


@pytest.mark.parametrize(
    ("reference", "candidate", "outcome"),
    [
        (0.01, 0.01, "pass"),
        (0.01, 0.06, "pass"),
        (0.01, 0.0601, "fail"),
        (0.01, 0.34, "fail"),
        (0.3, 0.34, "pass"),
        (0.01, None, "fail"),
        (0.01, NAN, "fail"),
        (0.01, INF, "fail"),
        (None, 0.01, "inconclusive"),
        (NAN, NAN, "inconclusive"),
        (INF, INF, "inconclusive"),
    ],
)
def test_all_colours_count_and_not_the_first_alone(
    passing: RunRecord, change: Change, reference: float | None, candidate: float | None, outcome: str
) -> None:
    means = {"reference": reference, "candidate": candidate}
    models = passing.learning.models  # type: ignore[union-attr]
    record = change("learning", models=tuple(replace(m, mean_rgb_error=means[m.side]) for m in models))
    assert check_color_reconstruction(record, POLICY).outcome == outcome


def test_no_colour(change: Change) -> None:
    assert check_color_reconstruction(change("learning", swatches=()), POLICY).outcome == "inconclusive"


def test_absent(passing: RunRecord) -> None:
    for check in OF_OUTPUTS:
        assert check(replace(passing, learning=None), POLICY).outcome == "inconclusive"
    for check in (check_loss_falls, *OF_OUTPUTS):
        assert check(replace(passing, free_running=None, learning=None), POLICY).outcome == "inconclusive"
        unplanned = replace(
            passing, free_running=None, learning=None, plan=replace(passing.plan, phases=("synchronized",))
        )
        assert check(unplanned, POLICY).outcome == "not_measured"


def test_a_reference_that_did_not_learn_is_not_the_candidates_fault(passing: RunRecord, change: Change) -> None:
    flat = tuple(StepLosses("free_running", step, 1.0, 1.0) for step in range(40))
    assert check_loss_falls(change("free_running", losses=flat), POLICY).outcome == "inconclusive"
    models = tuple(replace(m, output_spread=0.0) for m in passing.learning.models)  # type: ignore[union-attr]
    assert check_outputs_vary(change("learning", models=models), POLICY).outcome == "inconclusive"
    swatch = Swatch("Absolute Zero", TARGET, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
    assert check_color_reconstruction(change("learning", swatches=(swatch,)), POLICY).outcome == "inconclusive"
