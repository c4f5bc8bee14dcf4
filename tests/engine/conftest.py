"""Stub subjects that misbehave in one way each, and what a phase needs around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.differs.numpy_differ import NumpyDiffer
from service.engine.batches import Batches
from service.engine.checkpoint import CheckpointPhase
from service.engine.free_running import FreeRunningPhase
from service.engine.synchronized import SynchronizedPhase
from service.parity.checks import judge
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.plan import CheckpointSpec, FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.parity.record import (
    BatchLedger,
    CheckpointEvidence,
    FreeRunningEvidence,
    IntegrityEvidence,
    RunRecord,
    Side,
    StepLosses,
    SubjectInfo,
    SynchronizedEvidence,
    TapDiff,
)
from service.parity.verdict import CheckResult
from service.ports import CheckpointMetadata, Dataset, State, StepResult, Subject
from service.subjects.oracle import Float64Oracle
from service.subjects.variant_subject import Variant, VariantSubject

PLAN = Plan(
    model=ModelSpec(vector_length=16, hidden_layers=1, bottleneck=6),
    training=TrainingSpec(steps=12, batch_size=4, learning_rate=0.05, clip=0.05),
    synchronized=SynchronizedSpec(steps=6, every=2),
    free_running=FreeRunningSpec(band_runs=2, band_steps=8, weights_every=4),
    checkpoint=CheckpointSpec(steps_before=3, steps_after=4),
    device="cpu",
    seed=5,
)


@dataclass
class Watcher:
    """An observer that keeps what it is told and may raise at the n-th piece of progress."""

    raises: BaseException | None = None
    at: int = 0
    loss_rows: list[StepLosses] = field(default_factory=list)
    diff_rows: list[TapDiff] = field(default_factory=list)
    slice_rows: list[Slice] = field(default_factory=list)
    samples: list[TelemetrySample] = field(default_factory=list)
    events: dict[Side, list[AllocationEvent]] = field(default_factory=dict)
    reports: list[tuple[str, int, int]] = field(default_factory=list)

    def losses(self, rows: Sequence[StepLosses]) -> None:
        self.loss_rows.extend(rows)

    def diffs(self, rows: Sequence[TapDiff]) -> None:
        self.diff_rows.extend(rows)

    def slices(self, rows: Sequence[Slice]) -> None:
        self.slice_rows.extend(rows)

    def telemetry(self, rows: Sequence[TelemetrySample]) -> None:
        self.samples.extend(rows)

    def allocations(self, role: Side, rows: Sequence[AllocationEvent]) -> None:
        self.events[role] = list(rows)

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        self.reports.append((phase, done, total))
        if self.raises is not None and len(self.reports) > self.at:
            raise self.raises


class StillClock:
    """A clock that stands still."""

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Stub:
    """A correct subject; each test overrides one method."""

    def __init__(self, plan: Plan = PLAN, variant: Variant | None = None) -> None:
        self.inner = VariantSubject(plan, variant or Variant("stub", "changes nothing"))
        self.closed = 0

    def info(self) -> SubjectInfo:
        return self.inner.info()

    def load_state(self, state: State) -> None:
        self.inner.load_state(state)

    def state(self) -> dict[str, Any]:
        return self.inner.state()

    def train_step(self, batch: Any, taps: bool = False) -> StepResult:
        return self.inner.train_step(batch, taps=taps)

    def forward(self, batch: Any) -> Any:
        return self.inner.forward(batch)

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        self.inner.save(path, metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        return self.inner.load(path)

    def close(self) -> None:
        self.closed += 1


def draw_dataset(rows: int = 24, seed: int = 0) -> Dataset:
    vectors = np.random.default_rng(seed).random((rows, PLAN.model.vector_length)).astype(np.float32)
    vectors.setflags(write=False)
    return Dataset("made", vectors, tuple(str(i) for i in range(rows)), rows, "digest")


@dataclass
class Outcome:
    """What a phase left, and what the checks say of it."""

    record: RunRecord
    watcher: Watcher

    @property
    def synchronized(self) -> SynchronizedEvidence:
        assert self.record.synchronized is not None
        return self.record.synchronized

    @property
    def free_running(self) -> FreeRunningEvidence:
        assert self.record.free_running is not None
        return self.record.free_running

    @property
    def checkpoint(self) -> CheckpointEvidence:
        assert self.record.checkpoint is not None
        return self.record.checkpoint

    @property
    def ledger(self) -> BatchLedger:
        assert self.record.integrity is not None
        return self.record.integrity.batches[0]

    def check(self, name: str) -> CheckResult:
        (found,) = (check for check in judge(self.record, named_policy("default")).checks if check.name == name)
        return found


class Lab:
    """Runs one phase on a reference and a candidate."""

    plan = PLAN
    Stub = Stub
    Watcher = Watcher
    StillClock = StillClock
    differ = NumpyDiffer()

    def __init__(self) -> None:
        self.dataset = draw_dataset()

    def synchronized(
        self,
        candidate: Subject | None = None,
        reference: Subject | None = None,
        watcher: Watcher | None = None,
        plan: Plan = PLAN,
        oracle: bool = True,
        initial: State | None = None,
    ) -> Outcome:
        watcher = watcher or Watcher()
        sides: Mapping[Any, Any] = {"reference": reference or Stub(plan), "candidate": candidate or Stub(plan)}
        plan = replace(plan, phases=("synchronized",))
        batches = Batches(
            self.dataset, plan.training.batch_size, plan.seed, "synchronized", plan.synchronized_steps()[-1] + 1
        )
        exact = Float64Oracle(plan) if oracle else None
        phase = SynchronizedPhase(plan, sides, exact, NumpyDiffer(), batches, watcher, StillClock())
        evidence, ledger = phase.run(Stub(plan).state() if initial is None else initial)
        return Outcome(self._record(plan, ledger, synchronized=evidence), watcher)

    def free_running(
        self,
        candidate: Subject | None = None,
        reference: Subject | None = None,
        watcher: Watcher | None = None,
        plan: Plan = PLAN,
    ) -> Outcome:
        watcher = watcher or Watcher()
        sides: Mapping[Any, Any] = {"reference": reference or Stub(plan), "candidate": candidate or Stub(plan)}
        plan = replace(plan, phases=("free_running",))
        batches = Batches(self.dataset, plan.training.batch_size, plan.seed, "free_running", plan.training.steps)
        phase = FreeRunningPhase(plan, sides, batches, watcher, StillClock(), NumpyDiffer())
        initial = Stub(plan).state()
        ledger = phase.train(initial)
        if not phase.evidence().troubles:
            phase.band(initial)
        return Outcome(self._record(plan, ledger, free_running=phase.evidence()), watcher)

    def checkpoint(
        self,
        candidate: Subject | None = None,
        reference: Subject | None = None,
        watcher: Watcher | None = None,
        plan: Plan = PLAN,
        oracle: bool = True,
    ) -> Outcome:
        watcher = watcher or Watcher()
        sides: Mapping[Any, Any] = {"reference": reference or Stub(plan), "candidate": candidate or Stub(plan)}
        plan = replace(plan, phases=("checkpoint",))
        steps = plan.checkpoint.steps_before + plan.checkpoint.steps_after
        batches = Batches(self.dataset, plan.training.batch_size, plan.seed, "checkpoint", steps)
        exact = Float64Oracle(plan) if oracle else None
        phase = CheckpointPhase(plan, sides, exact, NumpyDiffer(), batches, watcher, StillClock())
        return Outcome(RunRecord(plan, {}, {}, checkpoint=phase.run(Stub(plan).state())), watcher)

    def _record(self, plan: Plan, ledger: BatchLedger, **parts: Any) -> RunRecord:
        integrity = IntegrityEvidence("digest", self.dataset.rows, (ledger,), ())
        return RunRecord(plan, {}, {}, integrity=integrity, **parts)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def phases(lab: Lab) -> Mapping[str, tuple[Callable[..., Outcome], str]]:
    """Each phase with the check that decides on it."""
    return {
        "synchronized": (lab.synchronized, "numerics.synchronized"),
        "free_running": (lab.free_running, "numerics.free_running"),
    }
