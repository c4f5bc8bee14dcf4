"""A record that passes every measured check, small enough to mutate field by field."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.parity.measurements import (
    AllocationEvent,
    EdgeReading,
    MemoryEvidence,
    MemorySample,
    MemoryTrace,
    PerformanceEvidence,
    Role,
    SamplerReport,
    SessionKind,
    Slice,
)
from service.parity.plan import (
    PHASES,
    FreeRunningSpec,
    MemorySpec,
    ModelSpec,
    PerformanceSpec,
    Plan,
    SynchronizedSpec,
    TrainingSpec,
)
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
from service.parity.timing import ORDERS, on_second_device

PLAN = Plan(
    model=ModelSpec(vector_length=8, hidden_layers=1, bottleneck=4),
    training=TrainingSpec(steps=40, batch_size=4),
    synchronized=SynchronizedSpec(steps=10, every=5),
    free_running=FreeRunningSpec(band_runs=2, band_steps=20, weights_every=10),
    device="cpu",
)
GPU_PLAN = replace(
    PLAN,
    device="cuda:0",
    phases=PHASES,
    performance=PerformanceSpec(blocks=12, slice_seconds=1.0, process_pairs=3),
    memory=MemorySpec(steps=40),
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


STEP_MS = 0.5
SECOND_CARD = 1.3
"""How much slower the second card of a made session is."""
SAMPLER = SamplerReport("nvml", "cuda:0", "NVIDIA H100 80GB HBM3", "GPU-1", wall_s=100.0, cpu_s=0.3, reads=1000)


def edge(at_s: float, joules: float) -> EdgeReading:
    counters = {"energy_j": joules, "thermal_throttle_s": 0.0, "power_brake_s": 0.0, "power_cap_s": at_s / 10}
    return EdgeReading(at_s, counters, foreign_processes=0)


def timed_session(
    kind: SessionKind, ratio: float = 1.0, spread: float = 0.004, blocks: int = 12, seed: int = 0, pairs: int = 3
) -> tuple[Slice, ...]:
    """A watched session in which the candidate's place takes `ratio` times as long, blocks differing by `spread`.

    The spread is of the blocks' values: a slice's own is as large, since a value is a difference of two means of two.
    """
    noise = np.random.default_rng(seed).normal(0.0, spread, (blocks, 4))
    slices = []
    for block, position in itertools.product(range(blocks), range(4)):
        role = ORDERS[block % 2][position]
        step_ms = STEP_MS * math.exp(noise[block, position]) * (ratio if role == "candidate" else 1.0)
        turn, unwatched = position, on_second_device(kind, position)
        if kind == "side_by_side":
            turn, step_ms = position // 2, step_ms * (SECOND_CARD if unwatched else 1.0)
        steps, began = 2000, 10.0 + 2.0 * (4 * block + turn)
        busy = steps * step_ms / 1e3
        seen: dict[str, Any] = {
            "before": edge(began, 300.0 * began),
            "after": edge(began + busy * 1.01, 300.0 * (began + busy * 1.01)),
            "sm_clock_mhz": 1980.0,
            "kernel_resident_pct": 90.0,
            "activity": {"sm_active_pct": 12.0, "power_w": 300.0},
        }
        slices.append(
            Slice(
                session=kind,
                pair=block * pairs // blocks,
                block=block,
                position=position,
                role=role,
                steps=steps,
                median_step_ms=step_ms,
                mean_step_ms=step_ms,
                steps_busy_s=busy,
                started_s=began,
                ended_s=began + busy * 1.01,
                **({} if unwatched else seen),
            )
        )
    return tuple(slices)


def performance(*sessions: tuple[Slice, ...], **fields: Any) -> PerformanceEvidence:
    """Evidence of complete sessions; of the reference against itself and the sampler where none are given."""
    made = sessions or (timed_session("a_a", seed=1), timed_session("sampler", seed=2), timed_session("comparison"))
    known: dict[str, Any] = {
        "clock": "cuda events",
        "order_seed": 0,
        "slices": tuple(piece for session in made for piece in session),
        "planned_blocks": {session[0].session: len(session) // 4 for session in made if session},
        "step_flops": {"reference": 10**9, "candidate": 10**9},
        "matrix_peak_flops_per_s": 5e13,
        "fill_blocks_per_sm": 8.0,
        "sampler": SAMPLER,
        "seconds": 100.0,
    }
    return PerformanceEvidence(**{**known, **fields})


def memory_trace(
    role: Role,
    steps: int = GPU_PLAN.memory.steps,
    setup: Sequence[tuple[str, int]] = (("malloc", 4096), ("malloc", 512), ("free", 512), ("malloc", 4096)),
    step: Callable[[int], Sequence[tuple[str, int]]] = lambda step: (),
    used: Callable[[int], int | None] = lambda step: 100 * 2**20,
    held: Callable[[int], int | None] = lambda step: 128 * 2**20,
    device: Callable[[int], int | None] = lambda step: 600 * 2**20,
    peak: int | None = 110 * 2**20,
    **fields: Any,
) -> MemoryTrace:
    """A trace whose allocations and ledgers are functions of the step."""
    events = [AllocationEvent(-1, operation, size) for operation, size in setup]  # type: ignore[arg-type]
    events += [AllocationEvent(s, operation, size) for s in range(steps) for operation, size in step(s)]  # type: ignore[arg-type]
    samples = tuple(MemorySample(s, used(s), held(s), device(s)) for s in range(-1, steps))
    known: dict[str, Any] = {
        "source": "cupy memory hook",
        "baseline_bytes": 0,
        "peak_bytes": peak,
        "samples": samples,
        "events": tuple(events),
        "context_bytes": 472 * 2**20,
    }
    return MemoryTrace(role=role, steps=steps, **{**known, **fields})


@pytest.fixture
def measured(passing: RunRecord) -> RunRecord:
    """The passing record with the phases of a GPU."""
    traces = tuple(memory_trace(role) for role in SIDES)
    return replace(passing, plan=GPU_PLAN, performance=performance(), memory=MemoryEvidence(traces, seconds=5.0))


@pytest.fixture
def on_two(measured: RunRecord) -> Callable[..., RunRecord]:
    """`on_two(*sessions)`: the measured record of a plan with a second card; by default with an equal session there."""

    def made(*sessions: tuple[Slice, ...], **fields: Any) -> RunRecord:
        plan = replace(GPU_PLAN, performance=replace(GPU_PLAN.performance, second_device="cuda:1"))
        known = sessions or (
            *(timed_session(kind, seed=number) for number, kind in enumerate(("a_a", "sampler", "comparison"))),  # type: ignore[arg-type]
            timed_session("side_by_side", seed=9),
        )
        return replace(measured, plan=plan, performance=performance(*known, **fields))

    return made


@pytest.fixture
def session() -> Callable[..., tuple[Slice, ...]]:
    return timed_session


@pytest.fixture
def perform() -> Callable[..., PerformanceEvidence]:
    return performance


@pytest.fixture
def trace() -> Callable[..., MemoryTrace]:
    return memory_trace


@pytest.fixture
def timed(measured: RunRecord) -> Callable[..., RunRecord]:
    """`timed(*sessions, **fields)`: the measured record with this evidence of performance."""
    return lambda *sessions, **fields: replace(measured, performance=performance(*sessions, **fields))


@pytest.fixture
def traced(measured: RunRecord) -> Callable[..., RunRecord]:
    """`traced(reference={…}, candidate={…})`: the measured record with traces made with these arguments."""

    def made(**sides: dict[str, Any]) -> RunRecord:
        traces = tuple(memory_trace(role, **sides.get(role, {})) for role in SIDES)
        return replace(measured, memory=MemoryEvidence(traces))

    return made


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
