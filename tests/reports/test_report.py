"""The report value: strict JSON, the schema's keys, honest where a run did not end."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from service.parity.policy import named_policy
from service.parity.record import StepLosses, Trouble
from service.ports import Progress
from service.reports.report import build_report

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
MEASURING_SECTIONS = ("performance", "utilization", "memory")


def report_of(sample: Any) -> dict[str, Any]:
    report = build_report(sample.run, sample.record, sample.verdict)
    VALIDATOR.validate(report)
    return json.loads(json.dumps(report, allow_nan=False))


def test_the_schema_is_itself_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "kind",
    ["passing", "failing", "nan_losses", "partial", "hostile", "measured", "leaking", "timed_on_cpu"],
)
def test_every_report_fits_the_schema_and_has_exactly_its_keys(kind: str, request: pytest.FixtureRequest) -> None:
    report = report_of(request.getfixturevalue(kind))
    assert set(report) == set(SCHEMA["properties"]) == set(SCHEMA["required"])


def test_the_schema_refuses_an_unknown_key_and_a_number_that_is_not_json(passing: Any) -> None:
    report = report_of(passing)
    assert not VALIDATOR.is_valid({**report, "surprise": 1})
    assert not VALIDATOR.is_valid({**report, "memory": {"measured": False, "reason": ""}})
    assert not VALIDATOR.is_valid({**report, "outcome": "pass"})


def test_a_passing_run(passing: Any) -> None:
    report = report_of(passing)
    assert report["outcome"] == "PASS"
    assert report["first_divergence"] is None
    assert report["coverage"]["expected"] == report["coverage"]["compared"] == 500
    assert report["coverage"]["batches_expected"] == report["coverage"]["batches_candidate"] == 620
    assert report["plan_digest"] == passing.run.plan.digest()
    assert report["timing"]["duration_s"] == 132.0
    assert report["band"]["loss"]["left_at"] is None
    assert report["learning"]["criterion"]["candidate_error"] == pytest.approx(0.016)


def test_a_failing_run_names_the_first_divergence_and_its_source(failing: Any) -> None:
    report = report_of(failing)
    first = report["first_divergence"]
    assert (report["outcome"], first["step"], first["tap"]) == ("FAIL", 0, "backward.layer3.bias_grad")
    assert first["source"] == "Autoencoder.backward (rung backward)"
    assert "--phases synchronized --sync-steps 1 " in first["replay"]
    assert report["band"]["loss"]["left_at"] == 0


def test_the_matrix_of_error_ratios_is_that_of_the_steps(failing: Any, builders: Any) -> None:
    matrix = report_of(failing)["error_ratios"]
    assert [column["first"] for column in matrix["columns"]] == list(range(0, 100, 5))
    assert [row["tap"] for row in matrix["rows"]] == list(builders.tap_names())
    over = {row["tap"] for row in matrix["rows"] if max(row["ratios"]) > matrix["limit"]}
    assert over == set(builders.FAULTY)


def test_many_compared_steps_share_columns_and_keep_the_worst(builders: Any) -> None:
    plan = dataclasses.replace(builders.PLAN, synchronized=dataclasses.replace(builders.PLAN.synchronized, every=1))
    plan = dataclasses.replace(plan, synchronized=dataclasses.replace(plan.synchronized, steps=400))
    record = builders.make_record(builders.Shape(plan=plan))
    worst = record.synchronized.diffs[25 * 217 + 6]
    spoilt = dataclasses.replace(worst, stats=dataclasses.replace(worst.stats, candidate_error=1.0))
    diffs = tuple(spoilt if diff is worst else diff for diff in record.synchronized.diffs)
    record = dataclasses.replace(record, synchronized=dataclasses.replace(record.synchronized, diffs=diffs))
    matrix = report_of(builders.judged(record))["error_ratios"]
    assert matrix["reduced"]
    assert matrix["total_steps"] == 400
    assert len(matrix["columns"]) == 120
    column = next(i for i, c in enumerate(matrix["columns"]) if c["first"] <= 217 <= c["last"])
    row = matrix["rows"][6]["ratios"]
    assert row[column] > 1e6
    assert max(row[:column] + row[column + 1 :]) < 4


def test_a_comparison_that_did_not_happen_is_null_and_nan_is_nan(builders: Any) -> None:
    record = builders.make_record()
    first, second, *others = record.synchronized.diffs
    broken = dataclasses.replace(second, stats=dataclasses.replace(second.stats, candidate_nan=3))
    evidence = dataclasses.replace(record.synchronized, diffs=(broken, *others), comparisons=499)
    report = report_of(builders.judged(dataclasses.replace(record, synchronized=evidence)))
    rows = {row["tap"]: row for row in report["error_ratios"]["rows"]}
    assert rows[first.tap]["ratios"][0] is None
    assert rows[first.tap]["mismatches"][0] is None
    assert rows[second.tap]["ratios"][0] == "NaN"
    assert report["coverage"]["compared"] == 499


def test_numbers_that_are_not_finite_travel_by_name(nan_losses: Any) -> None:
    report = report_of(nan_losses)
    candidate = report["losses"]["free_running"]["candidate"]
    assert "NaN" in candidate
    assert report["losses"]["free_running"]["final"]["candidate"] == "NaN"
    assert any(check["value"] == "NaN" for check in report["checks"])


def test_infinities_in_every_section_are_dumpable(builders: Any) -> None:
    record = builders.make_record()
    rows = (StepLosses("free_running", 0, math.inf, -math.inf), *record.free_running.losses[1:])
    members = tuple(dataclasses.replace(member, losses=(math.inf,) * 150) for member in record.free_running.members)
    free = dataclasses.replace(record.free_running, losses=rows, members=members)
    swatch = dataclasses.replace(record.learning.swatches[0], candidate=(math.nan, math.inf, -math.inf))
    learning = dataclasses.replace(record.learning, swatches=(swatch,))
    record = dataclasses.replace(record, free_running=free, learning=learning, environment={"x": [math.nan]})
    report = report_of(builders.judged(record))
    assert report["losses"]["free_running"]["candidate"][0] == "-Infinity"
    assert report["learning"]["swatches"][0]["candidate"] == ["NaN", "Infinity", "-Infinity"]
    assert report["learning"]["swatches"][0]["candidate_error"] == "NaN"
    assert report["environment"]["x"] == ["NaN"]


@pytest.mark.parametrize("section", MEASURING_SECTIONS)
def test_a_phase_that_the_plan_leaves_out_says_how_to_ask_for_it(passing: Any, section: str) -> None:
    found = report_of(passing)[section]
    phase = "memory" if section == "memory" else "performance"
    asked = f"--phases synchronized,free_running,checkpoint,{phase}"
    assert found == {"measured": False, "reason": f"the plan does not ask for the {phase} phase; {asked} does"}


def test_a_cancelled_run_has_no_outcome_but_keeps_what_was_seen(partial: Any) -> None:
    report = report_of(partial)
    assert report["outcome"] is None
    assert report["checks"] == []
    assert len(report["taps"]) == 25
    assert report["losses"]["free_running"] == {"measured": False, "reason": "the free_running phase did not end"}
    assert report["learning"]["measured"] is False
    assert report["coverage"]["free_running_steps_reference"] == 0


@pytest.mark.parametrize("state", ["failed", "cancelled", "running", "queued"])
def test_a_run_that_is_not_finished_never_shows_an_outcome(state: str, passing: Any, builders: Any) -> None:
    run = dataclasses.replace(passing.run, state=state)
    report = report_of(builders.Sample(run, passing.record, passing.verdict))
    assert report["outcome"] is None
    assert report["checks"] == []
    assert report["summary"].startswith("No verdict")


def test_a_failed_run_says_why(builders: Any) -> None:
    run = builders.make_run(state="failed", error_code="out_of_memory", error_message="cuda:0 ran out of memory")
    report = report_of(builders.Sample(run, None, None))
    assert report["error"] == {"code": "out_of_memory", "message": "cuda:0 ran out of memory"}
    assert "cuda:0 ran out of memory" in report["summary"]
    assert report["coverage"]["expected"] is None
    assert report["coverage"]["steps_expected"] == 20
    assert report["subjects"] == {}


def test_a_running_run_says_how_far_it_is(builders: Any) -> None:
    run = builders.make_run(state="running", finished_at=None, progress=Progress("synchronized", 40, 100))
    report = report_of(builders.Sample(run, None, None))
    assert "synchronized phase, 40 of 100" in report["summary"]
    assert report["timing"]["duration_s"] is None


def test_phases_that_the_plan_leaves_out_say_so(builders: Any) -> None:
    plan = dataclasses.replace(builders.PLAN, phases=("synchronized",))
    record = builders.make_record(builders.Shape(plan=plan))
    record = dataclasses.replace(record, free_running=None, learning=None)
    report = report_of(builders.judged(record, named_policy("numerics")))
    assert report["band"]["reason"] == "the plan does not ask for the free_running phase"
    assert report["coverage"]["free_running_steps_expected"] is None


def test_checkpoints(passing: Any, builders: Any) -> None:
    found = report_of(passing)["checkpoints"]
    assert (found["measured"], found["limit"], len(found["trips"])) == (True, 4.0, 8)
    own, crossed = found["trips"][0], found["trips"][2]
    assert (own["saved_by"], own["loaded_by"], own["format"]) == ("reference", "reference", "npz")
    assert (own["differing_outputs"], own["error_ratio"]) == (0, 0.0)
    assert (crossed["loaded_by"], crossed["differing_outputs"]) == ("candidate", 71)
    assert crossed["error_ratio"] == pytest.approx(1.5)
    coverage, timing = report_of(passing)["coverage"], report_of(passing)["timing"]
    assert (coverage["checkpoint_trips"], coverage["checkpoint_trips_expected"], timing["checkpoint_s"]) == (8, 8, 3.5)


def test_checkpoint_trips_that_broke(builders: Any) -> None:
    record = builders.make_record()
    trips = record.checkpoint.trips
    bad = dataclasses.replace(trips[3], output=None, resumed_distance=math.nan, repeat_distance=None)
    trouble = Trouble("candidate", "checkpoint", None, "exception", "the candidate raised OSError in save: no")
    broken = dataclasses.replace(record.checkpoint, trips=(*trips[:3], bad), troubles=(trouble,))
    report = report_of(builders.judged(dataclasses.replace(record, checkpoint=broken)))
    assert report["coverage"]["checkpoint_trips"] == 4
    last = report["checkpoints"]["trips"][3]
    assert [last[key] for key in ("outputs", "differing_outputs", "max_abs", "error_ratio")] == [0, None, None, None]
    assert (last["resumed_distance"], last["repeat_distance"]) == ("NaN", None)
    assert [t["message"] for t in report["troubles"]] == [trouble.message]
    assert report["outcome"] == "FAIL"


def test_checkpoints_that_the_plan_leaves_out_say_so(builders: Any) -> None:
    plan = dataclasses.replace(builders.PLAN, phases=("synchronized", "free_running"))
    record = dataclasses.replace(builders.make_record(builders.Shape(plan=plan)), checkpoint=None)
    report = report_of(builders.judged(record))
    assert report["checkpoints"] == {"measured": False, "reason": "the plan does not ask for the checkpoint phase"}
    assert report["coverage"]["checkpoint_trips_expected"] is None


def test_troubles_of_all_phases_are_listed(builders: Any) -> None:
    record = builders.make_record()
    trouble = Trouble("candidate", "free_running", 3, "exception", "train_step raised ValueError: shapes", None)
    record = dataclasses.replace(
        record,
        troubles=(dataclasses.replace(trouble, phase="building", step=None),),
        free_running=dataclasses.replace(record.free_running, troubles=(trouble,), members=()),
    )
    report = report_of(builders.judged(record))
    assert [t["phase"] for t in report["troubles"]] == ["building", "free_running"]
    assert report["band"] == {"measured": False, "reason": "no perturbed reference was trained"}


def test_a_report_does_not_depend_on_when_it_is_made(failing: Any) -> None:
    assert report_of(failing) == report_of(failing)
