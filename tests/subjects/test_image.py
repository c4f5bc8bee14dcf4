"""The image autoencoder as a subject: dual runs against itself and its NumPy twin, on patches only."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from service import bootstrap
from service.cli import app
from service.parity.errors import InvalidPlan
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.subjects.datasets import COLOR_PATCHES, load_dataset
from service.subjects.image import ImageNumpySubject, ImageSubject
from service.subjects.registry import misfits

PLAN = Plan(
    reference="image", candidate="image-numpy", dataset=COLOR_PATCHES, model=ModelSpec(27, 2, 9, 0.1),
    training=TrainingSpec(steps=60, batch_size=16, learning_rate=0.02), device="cpu",
)  # fmt: skip
SMALL = [
    *("--dataset", "color-patches", "--vector-length", "27", "--bottleneck", "9", "--alpha", "0.1", "--device", "cpu"),
    *("--steps", "40", "--sync-steps", "8", "--sync-every", "2", "--band-runs", "2", "--band-steps", "10"),
    *("--checkpoint-before", "3", "--checkpoint-after", "3", "--policy", "numerics", "--json"),
]


def dual_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, candidate: str) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["run", "--reference", reference, "--candidate", candidate, *SMALL])
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3}[report["outcome"]]
    return report


@pytest.mark.parametrize(
    ("reference", "candidate"), [("image", "image"), ("image", "image-numpy"), ("image-numpy", "image")]
)
def test_dual_runs_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, candidate: str) -> None:
    report = dual_run(tmp_path, monkeypatch, reference, candidate)
    assert report["outcome"] == "PASS", report["summary"]
    passed = {check["name"] for check in report["checks"] if check["outcome"] == "pass"}
    assert {"numerics.synchronized", "numerics.free_running", "checkpoint.transfer", "checkpoint.resume"} <= passed


def test_a_fault_is_found_on_patches_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = dual_run(tmp_path, monkeypatch, "image", "bad-early-update")
    assert report["outcome"] == "FAIL"
    assert report["first_divergence"]["tap"].startswith("backward.")


def test_the_twin_shares_no_code_with_it() -> None:
    subjects = ImageSubject(PLAN), ImageNumpySubject(PLAN)
    assert len({subject.info().source_digest for subject in subjects}) == 2
    assert not [word for word in ("_model", "kernels") if word in ImageNumpySubject(PLAN).__dict__]


def test_dataset_of_patches() -> None:
    data = load_dataset(PLAN)
    assert (data.name, data.rows, data.vectors.shape, data.names[0]) == (COLOR_PATCHES, 264, (264, 27), "Absolute Zero")
    assert data.vectors[0, :3] == pytest.approx([0.0, 0.28, 0.73])
    assert data.digest == load_dataset(replace(PLAN, seed=9)).digest
    assert data.digest != load_dataset(replace(PLAN, dataset="colors-a-f")).digest
    with pytest.raises(ValueError, match="read-only"):
        data.vectors[0, 0] = 1
    padded = load_dataset(replace(PLAN, training=TrainingSpec(batch_size=300)))
    np.testing.assert_array_equal(padded.vectors[:264], data.vectors)
    assert len(padded.vectors) == 300


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"reference": "legacy", "candidate": "legacy"}, "color-patches"),
        ({"dataset": "colors-a-f", "candidate": "legacy"}, "image"),
        ({"dataset": "colors-a-f", "reference": "legacy"}, "image-numpy"),
        ({}, "color-patches, image, image-numpy"),
    ],
)
def test_a_vector_that_is_no_patch_is_refused(change: dict[str, Any], named: str) -> None:
    plan = replace(PLAN, model=ModelSpec(512), **change)
    (problem,) = misfits(plan)
    assert problem.field == "model.vector_length"
    assert f"is 512, but {named} needs patches of k x k pixels" in problem.message
    with pytest.raises(InvalidPlan, match=r"model\.vector_length"):
        bootstrap.check_plan(plan)
    assert misfits(replace(plan, model=ModelSpec(27))) == ()
    assert bootstrap.make_catalog().misfits(plan) == (problem,)
    with pytest.raises(ValueError, match="no patch"):
        ImageSubject(plan)
    with pytest.raises(ValueError, match="no patch"):
        ImageNumpySubject(plan)
    with pytest.raises(ValueError, match="no patch"):
        load_dataset(replace(plan, dataset=COLOR_PATCHES))


def test_other_plans_may_have_any_length() -> None:
    assert misfits(Plan()) == ()
