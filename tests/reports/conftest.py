"""Builders of realistic runs: records as the engine leaves them, judged by the real checks."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.parity.checks import judge
from service.parity.measurements import (
    AllocationEvent,
    EdgeReading,
    MemoryEvidence,
    MemorySample,
    MemoryTrace,
    PerformanceEvidence,
    SamplerReport,
    Slice,
    TelemetrySample,
    TimingTrouble,
)
from service.parity.plan import PHASES, FreeRunningSpec, MemorySpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import Policy, named_policy
from service.parity.record import (
    CHECKPOINT_FORMATS,
    PROBED_STEPS,
    SIDES,
    BandMember,
    BatchLedger,
    CheckpointEvidence,
    CheckpointTrip,
    Confusion,
    Determinism,
    DiffStats,
    FreeRunningEvidence,
    IntegrityEvidence,
    LearnedModel,
    LearningEvidence,
    NearestName,
    RunRecord,
    Side,
    SignFlips,
    StepLosses,
    SubjectInfo,
    Swatch,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.parity.timing import ORDERS
from service.parity.verdict import Verdict
from service.ports import RunRow

HOSTILE = "</script><img src=x onerror=alert(1)>"
LAYERS = 4
CREATED = datetime(2026, 11, 22, 19, 31, tzinfo=UTC)
COLOURS = {
    "Absolute Zero": (0.0, 0.28, 0.73),
    "Acid Green": (0.69, 0.75, 0.1),
    "African Violet": (0.7, 0.52, 0.75),
    "Almond": (0.93, 0.85, 0.77),
    "Amber": (1.0, 0.75, 0.0),
    "Aquamarine": (0.5, 1.0, 0.83),
    "Azure": (0.0, 0.5, 1.0),
    "Black": (0.0, 0.0, 0.0),
}


@dataclass(frozen=True)
class Sample:
    """A run as `build_report` takes it."""

    run: RunRow
    record: RunRecord | None
    verdict: Verdict | None


@dataclass(frozen=True)
class Shape:
    """What a made record is like."""

    plan: Plan = field(default_factory=lambda: PLAN)
    faulty_taps: tuple[str, ...] = ()
    bit_equal_taps: tuple[str, ...] = ()
    band_ratio: float = 0.3
    candidate_offset: float = 0.004
    final_factor: float = 1.0
    nan_from: int | None = None


PLAN = Plan(
    model=ModelSpec(vector_length=64, hidden_layers=2, bottleneck=16),
    training=TrainingSpec(steps=600, batch_size=32),
    synchronized=SynchronizedSpec(steps=100, every=5),
    free_running=FreeRunningSpec(band_runs=6, band_steps=150),
    seed=7,
    device="cpu",
)


def tap_names(layers: int = LAYERS) -> tuple[str, ...]:
    forward = [f"forward.layer{i}.output" for i in range(layers)]
    parts = ("activation_grad", "weight_grad", "bias_grad")
    backward = [f"backward.layer{i}.{part}" for i in reversed(range(layers)) for part in parts]
    update = [f"update.layer{i}.{part}" for i in range(layers) for part in ("weight", "bias")]
    return (*forward, "loss.value", *backward, *update)


FAULTY = tuple(tap for tap in tap_names() if tap.endswith((".bias_grad", ".bias")))


def make_diff(step: int, position: int, tap: str, shape: Shape, rng: np.random.Generator) -> TapDiff:
    reference = 10 ** rng.uniform(-9.5, -9.0)
    equal, faulty = tap in shape.bit_equal_taps, tap in shape.faulty_taps
    candidate = reference * (1.0 if equal else rng.uniform(0.6, 1.9)) if not faulty else 10 ** rng.uniform(-3.1, -2.4)
    return TapDiff(
        phase="synchronized",
        step=step,
        position=position,
        tap=tap,
        shape=(1024,),
        dtype="float32",
        stats=DiffStats(
            elements=1024,
            reference_nan=0,
            reference_inf=0,
            candidate_nan=0,
            candidate_inf=0,
            mismatches=0 if equal else 1024 if faulty else 311,
            max_abs=0.0 if equal else candidate,
            rms=0.0 if equal else candidate / 5,
            cosine=0.31 if faulty else 1.0,
            max_ulp=0 if equal else 990_000_000 if faulty else 2,
            worst_index=(417,),
            reference_error=reference,
            candidate_error=candidate,
            reference_error_rms=reference / 6,
            candidate_error_rms=candidate / 6,
            candidate_worst_index=(417,),
            oracle_scale=4e-3,
        ),
        reference_spread=0.0,
    )


def make_synchronized(shape: Shape) -> SynchronizedEvidence:
    rng = np.random.default_rng(1)
    steps, taps = shape.plan.synchronized_steps(), tap_names()
    diffs = tuple(make_diff(step, p, tap, shape, rng) for step in steps for p, tap in enumerate(taps))
    signs = tuple(
        SignFlips(step, f"forward.layer{layer}.output", side, 32 * 40, flips, 0.4 if flips else None)
        for step in steps
        for layer in range(LAYERS - 1)
        for side in ("reference", "candidate")
        for flips in [int(rng.integers(0, 2))]
    )
    sign_taps = tuple(f"forward.layer{layer}.output" for layer in range(LAYERS - 1))
    losses = tuple(StepLosses("synchronized", step, 0.09 * 0.99**step, 0.09 * 0.99**step) for step in steps)
    return SynchronizedEvidence(
        expected_steps=steps,
        expected_taps=taps,
        compared_steps=steps,
        comparisons=len(diffs),
        planned_start_digest="09fed3a8" * 8,
        reference_start_digest="09fed3a8" * 8,
        candidate_start_digest="09fed3a8" * 8,
        witness="float64 oracle",
        diffs=diffs,
        signs=signs,
        sign_taps=sign_taps,
        losses=losses,
        seconds=31.4,
        determinism=Determinism(steps[:PROBED_STEPS], ()),
    )


def make_free_running(shape: Shape) -> FreeRunningEvidence:
    rng = np.random.default_rng(2)
    plan = shape.plan
    count, window = plan.training.steps, plan.band_window()
    base = [0.0012 + 0.09 * math.exp(-step / (count / 9)) * (1 + 0.08 * rng.standard_normal()) for step in range(count)]
    width = [2e-6 * (1 + step / 40) for step in range(count)]
    losses = tuple(
        StepLosses(
            "free_running",
            step,
            base[step],
            math.nan
            if shape.nan_from is not None and step >= shape.nan_from
            else base[step]
            * (1 + shape.band_ratio * width[min(step, window - 1)])
            * (1 + (shape.final_factor - 1) * step / count),
        )
        for step in range(count)
    )
    weight_steps = plan.weight_steps()
    members = tuple(
        BandMember(
            tuple(base[step] * (1 + width[step] * (1 - 0.1 * member)) for step in range(window)),
            tuple(3e-7 * (1 + step / 30) * (1 - 0.05 * member) for step in weight_steps),
            0.82,
        )
        for member in range(plan.free_running.band_runs)
    )
    return FreeRunningEvidence(
        expected_steps=count,
        reference_steps=count,
        candidate_steps=count,
        planned_start_digest="09fed3a8" * 8,
        reference_start_digest="09fed3a8" * 8,
        candidate_start_digest="09fed3a8" * 8,
        weight_steps=weight_steps,
        candidate_weight_distances=tuple(shape.band_ratio * 3e-7 * (1 + step / 30) for step in weight_steps),
        members=members,
        losses=losses,
        seconds=96.0,
    )


def make_learning(shape: Shape, names: Mapping[str, tuple[float, float, float]] = COLOURS) -> LearningEvidence:
    def shifted(rgb: tuple[float, float, float], by: float) -> tuple[float, float, float]:
        return (rgb[0] + by, rgb[1] - by, rgb[2] + by / 2)

    return LearningEvidence(
        models=(
            LearnedModel("reference", 1500, 8, 0.31, 0.296, 0.0098, 0, 1498),
            LearnedModel("candidate", 1500, 8, 0.31, 0.288, 0.0187, 0, 1477),
        ),
        confusions=(
            Confusion("Acid Green", NearestName("Acid Green", 0.01, 0.01), NearestName("Bitter Lemon", 0.02, 0.07)),
            Confusion("Amaranth", NearestName("Amaranth Pink", 0.03, 0.05), None),
        ),
        swatches=tuple(
            Swatch(name, rgb, shifted(rgb, 0.012), shifted(rgb, 0.012 + shape.candidate_offset))
            for name, rgb in names.items()
        ),
    )


def make_checkpoint(shape: Shape) -> CheckpointEvidence:
    spec = shape.plan.checkpoint
    return CheckpointEvidence(
        tuple(
            CheckpointTrip(
                saver, loader, kind, 8, (), (), make_outputs(equal=saver == loader), spec.steps_after, 0.0, (), 0.0
            )
            for saver in SIDES
            for loader in SIDES
            for kind in CHECKPOINT_FORMATS
        ),
        seconds=3.5,
    )


def make_outputs(equal: bool) -> DiffStats:
    error = 4e-10
    return DiffStats(
        elements=640,
        reference_nan=0,
        reference_inf=0,
        candidate_nan=0,
        candidate_inf=0,
        mismatches=0 if equal else 71,
        max_abs=0.0 if equal else error,
        rms=0.0 if equal else error / 5,
        cosine=1.0,
        max_ulp=0 if equal else 2,
        worst_index=(3, 4),
        reference_error=error,
        candidate_error=error if equal else 1.5 * error,
        oracle_scale=4e-3,
    )


def make_integrity(plan: Plan) -> IntegrityEvidence:
    digest = "b1a47c02" * 8
    expected = {"synchronized": len(plan.synchronized_steps()), "free_running": plan.training.steps}
    ledgers = tuple(
        BatchLedger(phase, count, digest, count, digest, count, digest) for phase, count in expected.items()
    )
    return IntegrityEvidence("4c11a9e0" * 8, 1500, ledgers, ())


def make_record(shape: Shape | None = None) -> RunRecord:
    shape = shape or Shape()
    sources = {
        "forward": "Autoencoder.forward (rung forward)",
        "backward": "Autoencoder.backward (rung backward)",
        "update": "Autoencoder.update (rung update)",
    }
    return RunRecord(
        plan=shape.plan,
        subjects={
            "reference": SubjectInfo("legacy", "1.0", "4c11a9e0" * 8, 6832, 1_311_744, "cpu"),
            "candidate": SubjectInfo("basemodel", "0.1.0", "8c410be7" * 8, 6832, 1_311_744, "cpu", sources),
        },
        environment={
            "python": "3.11.7",
            "numpy": "2.3.4",
            "platform": "Linux-6.1 x86_64",
            "gpu": None,
            "git": {"revision": "91c2e07", "dirty": False},
        },
        integrity=make_integrity(shape.plan),
        synchronized=make_synchronized(shape),
        free_running=make_free_running(shape),
        learning=make_learning(shape),
        checkpoint=make_checkpoint(shape),
    )


MEASURED_PLAN = dataclasses.replace(PLAN, device="cuda:0", phases=PHASES, memory=MemorySpec(steps=40))
THROTTLED = 4
"""The block of the comparison in which the card was hot."""


def make_slices(ratio: float = 1.0) -> tuple[Slice, ...]:
    """Three sessions of 12 blocks, one after the other; in the comparison the candidate takes `ratio` times as long."""
    rng, slices, began = np.random.default_rng(5), [], 1000.0
    for session in ("a_a", "sampler", "comparison"):
        for block in range(12):
            for position, role in enumerate(ORDERS[block % 2]):
                slower = ratio if (session, role) == ("comparison", "candidate") else 1.0
                step_ms = 0.5 * slower * math.exp(rng.normal(0, 0.002))
                hot = 0.4 if (session, block, position) == ("comparison", THROTTLED, 2) else 0.0
                before = EdgeReading(began, {"energy_j": 300 * began, "thermal_throttle_s": 0.0}, {}, 0)
                after = EdgeReading(began + 1, {"energy_j": 300 * (began + 1), "thermal_throttle_s": hot}, {}, 0)
                slices.append(
                    Slice(session, block // 4, block, position, role, 2000, step_ms, step_ms, 2 * step_ms, began,
                          began + 1, before, after, 1980.0, 88.0, {"sm_active_pct": 55.0, "power_w": 310.0})
                )  # fmt: skip
                began += 1.5
    return tuple(slices)


def make_telemetry() -> tuple[TelemetrySample, ...]:
    """Half a second apart over 220 s: a pause from 60 to 66, time-outs from 100 to 104, one field not supported."""
    moments = [1000 + half / 2 for half in range(440)]
    known = {"kernel_resident_pct": 88.0, "sm_active_pct": 55.0, "power_w": 310.0}
    return tuple(
        TelemetrySample(at_s, "temperature_c", None, "not_supported")
        if field == "temperature_c"
        else TelemetrySample(at_s, field, None, "timeout")
        if 1100 <= at_s <= 1104
        else TelemetrySample(at_s, field, known[field] + math.sin(at_s))
        for at_s in moments
        for field in (*known, "temperature_c")
        if not 1060 < at_s < 1066
    )


def make_trace(side: Side, leak_bytes: int = 0, more: tuple[tuple[str, int], ...] = ()) -> MemoryTrace:
    """40 steps at 100 MiB, growing by `leak_bytes` a step; `more` is allocated in each step besides."""
    events = [AllocationEvent(-1, "malloc", size) for size in (4096, 4096, 512)]
    events += [AllocationEvent(step, operation, size) for step in range(40) for operation, size in more]  # type: ignore[arg-type]
    samples = tuple(
        MemorySample(step, 100 * 2**20 + max(step, 0) * leak_bytes, 128 * 2**20, 600 * 2**20) for step in range(-1, 40)
    )
    return MemoryTrace(
        side, "cupy memory hook", 40, 2**20, 110 * 2**20, samples, tuple(events), context_bytes=472 * 2**20
    )


def make_measured(ratio: float = 1.0, **candidate: Any) -> RunRecord:
    """A record with the phases of a GPU; `candidate` are arguments of its `make_trace`."""
    sampler = SamplerReport("nvml", "cuda:0", "NVIDIA H100", "GPU-1", None, 200.0, 0.5, 1500, 1,
                            {"ok": 1200, "timeout": 27}, {"temperature_c": "no such sensor"})  # fmt: skip
    return dataclasses.replace(
        make_record(Shape(plan=MEASURED_PLAN)),
        performance=PerformanceEvidence(
            "cuda events", 0, make_slices(ratio), {"a_a": 12, "sampler": 12, "comparison": 12},
            {"reference": 10**9, "candidate": 10**9}, 5e13, 8.0, sampler, make_telemetry(), seconds=220.0,
        ),
        memory=MemoryEvidence((make_trace("reference"), make_trace("candidate", **candidate)), seconds=9.0),
    )  # fmt: skip


def make_run(plan: Plan = PLAN, policy: Policy | None = None, **changes: Any) -> RunRow:
    run = RunRow(
        "01jd9x2v7qk3m5n8p0r4s6t8vw",
        "finished",
        plan,
        policy or named_policy("default"),
        CREATED,
        CREATED + timedelta(seconds=2),
        CREATED + timedelta(seconds=134),
    )
    return dataclasses.replace(run, **changes)


def judged(record: RunRecord, policy: Policy | None = None) -> Sample:
    run = make_run(record.plan, policy)
    verdict = judge(record, run.policy)
    return Sample(dataclasses.replace(run, outcome=verdict.outcome, summary=verdict.summary), record, verdict)


@pytest.fixture(scope="session")
def passing() -> Sample:
    equal = tuple(tap for tap in tap_names() if tap.startswith("forward."))
    return judged(make_record(Shape(bit_equal_taps=equal)))


@pytest.fixture(scope="session")
def failing() -> Sample:
    equal = tuple(tap for tap in tap_names() if tap.startswith("forward."))
    shape = Shape(faulty_taps=FAULTY, bit_equal_taps=equal, band_ratio=140.0, candidate_offset=0.02, final_factor=1.12)
    return judged(make_record(shape))


@pytest.fixture(scope="session")
def nan_losses() -> Sample:
    return judged(make_record(Shape(nan_from=412)))


@pytest.fixture(scope="session")
def partial() -> Sample:
    """Cancelled in free-running training: the synchronized phase is whole, the rest is missing."""
    record = dataclasses.replace(make_record(), free_running=None, learning=None, checkpoint=None)
    return Sample(make_run(state="cancelled"), record, None)


@pytest.fixture(scope="session")
def measured() -> Sample:
    """Every phase of a GPU, all well."""
    return judged(make_measured())


@pytest.fixture(scope="session")
def leaking() -> Sample:
    """A candidate that allocates in every step and keeps some of it."""
    return judged(make_measured(leak_bytes=4096, more=(("malloc", 2048), ("free", 2048))))


@pytest.fixture(scope="session")
def timed_on_cpu() -> Sample:
    """No GPU to watch: no kernel-resident time, no counters, a field of a process; the candidate broke in memory."""
    record = make_measured()
    found = record.performance
    assert found is not None
    bare = {"before": None, "after": None, "sm_clock_mhz": None, "kernel_resident_pct": None, "activity": {}}
    sampler = SamplerReport("process", "cpu", None, None, reads=400, statuses={"ok": 400})
    performance = dataclasses.replace(
        found,
        clock="perf_counter",
        slices=tuple(dataclasses.replace(piece, **bare) for piece in found.slices),
        step_flops={},
        matrix_peak_flops_per_s=None,
        fill_blocks_per_sm=None,
        sampler=sampler,
        telemetry=tuple(TelemetrySample(1000.0 + n / 2, "process_rss_bytes", 3e8) for n in range(400)),
    )
    trouble = TimingTrouble("candidate", "set-up", HOSTILE, "oom_host")
    memory = MemoryEvidence((dataclasses.replace(make_trace("reference"), source="numpy allocator"),), (trouble,))
    return judged(dataclasses.replace(record, performance=performance, memory=memory))


@pytest.fixture(scope="session")
def hostile() -> Sample:
    """Markup wherever a run takes a name or a message from outside."""
    plan = dataclasses.replace(PLAN, candidate=HOSTILE, dataset=HOSTILE)
    record = make_record(Shape(plan=plan, faulty_taps=FAULTY))
    synchronized, subject = record.synchronized, record.subjects["candidate"]
    assert synchronized is not None
    assert record.integrity is not None
    renamed = {FAULTY[0]: f"backward.{HOSTILE}"}
    trouble = Trouble("candidate", "free_running", 3, HOSTILE, HOSTILE, HOSTILE)
    record = dataclasses.replace(
        record,
        subjects={**record.subjects, "candidate": dataclasses.replace(subject, name=HOSTILE, sources={"b": HOSTILE})},
        environment={HOSTILE: HOSTILE, "inner": {HOSTILE: [HOSTILE]}},
        integrity=dataclasses.replace(record.integrity, changed_files=(HOSTILE,)),
        synchronized=dataclasses.replace(
            synchronized,
            witness=HOSTILE,
            expected_taps=tuple(renamed.get(tap, tap) for tap in synchronized.expected_taps),
            diffs=tuple(dataclasses.replace(diff, tap=renamed.get(diff.tap, diff.tap)) for diff in synchronized.diffs),
            signs=tuple(dataclasses.replace(sign, tap=HOSTILE) for sign in synchronized.signs),
        ),
        learning=make_learning(Shape(), {HOSTILE: (0.0, 0.28, 0.73), f"{HOSTILE} 2": (1.0, 0.0, 0.0)}),
        troubles=(trouble,),
    )
    policy = dataclasses.replace(named_policy("default"), name=HOSTILE)
    return judged(record, policy)


@pytest.fixture(scope="session")
def builders() -> SimpleNamespace:
    """The functions above, for tests that need a run of their own."""
    return SimpleNamespace(
        Sample=Sample,
        Shape=Shape,
        PLAN=PLAN,
        FAULTY=FAULTY,
        HOSTILE=HOSTILE,
        tap_names=tap_names,
        make_record=make_record,
        make_measured=make_measured,
        make_trace=make_trace,
        THROTTLED=THROTTLED,
        make_run=make_run,
        judged=judged,
    )
