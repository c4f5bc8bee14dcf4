"""A record that passes every measured check, small enough to mutate field by field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.record import (
    CHECKPOINT_FORMATS,
    SIDES,
    BandMember,
    BatchLedger,
    CheckpointEvidence,
    CheckpointTrip,
    Determinism,
    DiffStats,
    FreeRunningEvidence,
    IntegrityEvidence,
    LearnedModel,
    LearningEvidence,
    RunRecord,
    SignFlips,
    StepLosses,
    SubjectInfo,
    Swatch,
    SynchronizedEvidence,
    TapDiff,
)

PLAN = Plan(
    model=ModelSpec(vector_length=8, hidden_layers=1, bottleneck=4),
    training=TrainingSpec(steps=40, batch_size=4),
    synchronized=SynchronizedSpec(steps=10, every=5),
    free_running=FreeRunningSpec(band_runs=2, band_steps=20, weights_every=10),
    device="cpu",
)
TAPS = ("forward.layer0.output", "loss.value", "backward.layer0.weight_grad", "update.layer0.weight")
SIGN_TAPS = TAPS[:1]
START, DATA = "5" * 64, "d" * 64


def stats() -> DiffStats:
    return DiffStats(
        elements=32,
        reference_nan=0,
        reference_inf=0,
        candidate_nan=0,
        candidate_inf=0,
        mismatches=3,
        max_abs=2e-8,
        rms=1e-9,
        cosine=1.0,
        max_ulp=2,
        worst_index=(1, 2),
        reference_error=1e-7,
        candidate_error=2e-7,
        reference_error_rms=1e-8,
        candidate_error_rms=1e-8,
        candidate_worst_index=(1, 2),
        oracle_scale=1.0,
    )


def synchronized() -> SynchronizedEvidence:
    steps = PLAN.synchronized_steps()
    return SynchronizedEvidence(
        expected_steps=steps,
        expected_taps=TAPS,
        compared_steps=steps,
        comparisons=len(steps) * len(TAPS),
        planned_start_digest=START,
        reference_start_digest=START,
        candidate_start_digest=START,
        witness="float64 oracle",
        diffs=tuple(
            TapDiff("synchronized", step, position, tap, (4, 8), "float32", stats(), reference_spread=0.0)
            for step in steps
            for position, tap in enumerate(TAPS)
        ),
        signs=tuple(
            SignFlips(step, tap, side, 32, 1 if step else 0, 0.5 if step else None)
            for step in steps
            for tap in SIGN_TAPS
            for side in SIDES
        ),
        sign_taps=SIGN_TAPS,
        losses=tuple(StepLosses("synchronized", step, 0.5, 0.5) for step in steps),
        seconds=1.0,
        determinism=Determinism(steps, ()),
    )


def free_running() -> FreeRunningEvidence:
    loss = [math.exp(-step / 10) for step in range(PLAN.training.steps)]
    weigh = PLAN.weight_steps()
    return FreeRunningEvidence(
        expected_steps=len(loss),
        reference_steps=len(loss),
        candidate_steps=len(loss),
        planned_start_digest=START,
        reference_start_digest=START,
        candidate_start_digest=START,
        weight_steps=weigh,
        candidate_weight_distances=tuple(1e-6 for _ in weigh),
        members=tuple(
            BandMember(
                tuple(value * (1 + sign * 1e-5) for value in loss[: PLAN.band_window()]),
                tuple(2e-6 for _ in weigh),
                1.0,
            )
            for sign in (1, -1)
        ),
        losses=tuple(StepLosses("free_running", step, value, value * (1 + 5e-6)) for step, value in enumerate(loss)),
        seconds=1.0,
    )


def learning() -> LearningEvidence:
    return LearningEvidence(
        models=tuple(LearnedModel(side, 264, 200, 0.2, 0.19, 0.01, 0) for side in SIDES),
        swatches=(
            Swatch("Absolute Zero", (0.0, 0.28, 0.73), (0.01, 0.29, 0.72), (0.01, 0.27, 0.74)),
            Swatch("Acid green", (0.69, 0.75, 0.1), (0.6, 0.6, 0.2), (0.6, 0.6, 0.2)),
        ),
    )


def checkpoint() -> CheckpointEvidence:
    """Bit-equal where a side loads its own file; outputs within rounding where it loads the other's."""
    return CheckpointEvidence(
        tuple(
            CheckpointTrip(
                saver=saver,
                loader=loader,
                format=kind,
                arrays=4,
                differing_arrays=(),
                lost_metadata=(),
                output=replace(stats(), mismatches=0 if saver == loader else 3),
                resumed_steps=PLAN.checkpoint.steps_after,
                resumed_distance=0.0,
                resumed_differing=(),
                repeat_distance=0.0,
            )
            for saver in SIDES
            for loader in SIDES
            for kind in CHECKPOINT_FORMATS
        ),
        seconds=1.0,
    )


def integrity() -> IntegrityEvidence:
    counts = {"synchronized": len(PLAN.synchronized_steps()), "free_running": PLAN.training.steps}
    return IntegrityEvidence(
        dataset_digest=DATA,
        dataset_rows=264,
        batches=tuple(BatchLedger(phase, n, DATA, n, DATA, n, DATA) for phase, n in counts.items()),
        changed_files=(),
    )


def info(name: str) -> SubjectInfo:
    sources = {"forward.": f"{name}.forward", "backward.": f"{name}.backward", "update": f"{name}.update"}
    return SubjectInfo(name, "1", "a" * 64, 76, 1000, "cpu", sources)


@pytest.fixture
def passing() -> RunRecord:
    return RunRecord(
        plan=PLAN,
        subjects={"reference": info("legacy"), "candidate": info("basemodel")},
        environment={"python": "3.11"},
        integrity=integrity(),
        synchronized=synchronized(),
        free_running=free_running(),
        learning=learning(),
        checkpoint=checkpoint(),
    )


Change = Callable[..., RunRecord]


@pytest.fixture
def change(passing: RunRecord) -> Change:
    """`change("synchronized", comparisons=0)`: the passing record with fields of one part replaced."""

    def changed(part: str, **fields: Any) -> RunRecord:
        return replace(passing, **{part: replace(getattr(passing, part), **fields)})

    return changed


@pytest.fixture
def change_diff(passing: RunRecord, change: Change) -> Change:
    """`change_diff(3, candidate_nan=1)`: the passing record with statistics of its fourth diff replaced."""

    def changed(index: int, **fields: Any) -> RunRecord:
        assert passing.synchronized is not None
        diffs = list(passing.synchronized.diffs)
        diffs[index] = replace(diffs[index], stats=replace(diffs[index].stats, **fields))
        return change("synchronized", diffs=tuple(diffs))

    return changed
