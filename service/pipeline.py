"""One dual run from claim to verdict, on one screen: build both sides, run the phases, judge, store.

It goes one way: plan -> both subjects on the same batches -> evidence -> verdict -> store. What is written on the way
stays when the run is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from service.engine.batches import Batches
from service.engine.checkpoint import CheckpointPhase
from service.engine.free_running import FreeRunningPhase
from service.engine.learning import examine
from service.engine.memory import MemoryPhase
from service.engine.observer import Observer, SubjectTrouble, attempt
from service.engine.performance import PerformancePhase
from service.engine.synchronized import SynchronizedPhase
from service.parity.checks import judge
from service.parity.errors import RunCancelled
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.performance import timing_limits
from service.parity.plan import Plan
from service.parity.record import (
    SIDES,
    BatchLedger,
    IntegrityEvidence,
    RunRecord,
    Side,
    StepLosses,
    SubjectInfo,
    TapDiff,
)
from service.parity.timing import DEFAULT_LIMITS, TimingLimits
from service.parity.verdict import Verdict
from service.ports import (
    Bench,
    Clock,
    Dataset,
    Differ,
    Oracle,
    Progress,
    ProgressListener,
    RunStore,
    Sampler,
    Subject,
)

WRITE_EVERY_S = 1.0
"""Rows and progress reach the store this often: a run's own work comes first."""


@dataclass(frozen=True, slots=True)
class Toolkit:
    """The concrete parts, chosen by `bootstrap`."""

    dataset: Callable[[Plan], Dataset]
    subject: Callable[[str, Plan], Subject]
    oracle: Callable[[Plan], Oracle | None]
    """`None`: the reference's own replays are the witness."""
    differ: Callable[[Plan], Differ]
    environment: Callable[[Plan], Mapping[str, Any]]
    changed_frozen_files: Callable[[], tuple[str, ...]]
    bench: Callable[[Plan], Bench]
    sampler: Callable[[Plan], Sampler]


def carry_out(run_id: str, store: RunStore, tools: Toolkit, clock: Clock, listener: ProgressListener) -> Verdict:
    """Carry out the claimed run and finish it; raises `RunCancelled` when asked to stop."""
    run = store.run(run_id)
    recorder = Recorder(run_id, store, clock, listener)
    dual_run = DualRun(run.plan, tools, recorder, clock, timing_limits(run.policy))
    try:
        dual_run.execute()
    finally:
        recorder.flush()
        store.save_record(run_id, dual_run.record)
    verdict = judge(dual_run.record, run.policy)
    store.finish(run_id, verdict, clock.now())
    return verdict


class DualRun:
    """One plan on one reference and one candidate; `record` holds what was observed so far."""

    def __init__(
        self, plan: Plan, tools: Toolkit, recorder: Observer, clock: Clock, limits: TimingLimits = DEFAULT_LIMITS
    ) -> None:
        self._plan, self._tools, self._recorder, self._clock = plan, tools, recorder, clock
        self._limits = limits
        self._ledgers: list[BatchLedger] = []
        self._dataset: Dataset | None = None
        self.record = RunRecord(plan=plan, subjects={}, environment={})

    def execute(self) -> None:
        """Run the plan's phases in order: those on subjects of this process first, and then, when these have given
        their memory back, those that measure subjects in fresh processes."""
        if self._on_own_subjects():
            if "performance" in self._plan.phases:
                self._performance()
            if "memory" in self._plan.phases:
                self._memory()

    def _on_own_subjects(self) -> bool:
        """Whether both sides could be built."""
        self._recorder.progress("building", 0, 1, "loading data and building both sides")
        self._dataset = self._tools.dataset(self._plan)
        self.record = replace(self.record, environment=self._tools.environment(self._plan))
        self._note_batches()
        with ExitStack() as closing:
            subjects: dict[Side, Subject] = {}
            infos: dict[str, SubjectInfo] = {}
            try:
                for side in SIDES:
                    subjects[side] = self._build(side)
                    closing.callback(self._close, side, subjects[side])
                    infos[side] = attempt(side, "building", None, "info", subjects[side].info)
                    self.record = replace(self.record, subjects=dict(infos))
                initial = attempt("reference", "building", None, "state", subjects["reference"].state)
            except SubjectTrouble as stop:
                self.record = replace(self.record, troubles=(*self.record.troubles, stop.trouble))
                return False
            if "synchronized" in self._plan.phases:
                self._synchronized(subjects, initial)
            if "free_running" in self._plan.phases:
                self._free_running(subjects, initial)
            if "checkpoint" in self._plan.phases:
                self._checkpoint(subjects, initial)
        return True

    def _build(self, side: Side) -> Subject:
        name = self._plan.reference if side == "reference" else self._plan.candidate
        return attempt(side, "building", None, "build", lambda: self._tools.subject(name, self._plan))

    def _close(self, side: Side, subject: Subject) -> None:
        try:
            attempt(side, "closing", None, "close", subject.close)
        except SubjectTrouble as stop:
            self.record = replace(self.record, troubles=(*self.record.troubles, stop.trouble))

    def _synchronized(self, subjects: Mapping[Side, Subject], initial: Mapping[str, Any]) -> None:
        batches = self._batches("synchronized", self._plan.synchronized_steps()[-1] + 1)
        phase = SynchronizedPhase(
            self._plan,
            subjects,
            self._tools.oracle(self._plan),
            self._tools.differ(self._plan),
            batches,
            self._recorder,
            self._clock,
        )
        evidence, ledger = phase.run(initial)
        self.record = replace(self.record, synchronized=evidence)
        self._note_batches(ledger)

    def _free_running(self, subjects: Mapping[Side, Subject], initial: Mapping[str, Any]) -> None:
        batches = self._batches("free_running", self._plan.training.steps)
        differ = self._tools.differ(self._plan) if self._plan.free_running.taps_every else None
        phase = FreeRunningPhase(self._plan, subjects, batches, self._recorder, self._clock, differ)
        self._note_batches(phase.train(initial))
        assert self._dataset is not None
        self.record = replace(self.record, free_running=phase.evidence())
        if phase.evidence().troubles:
            return
        # Before the band, which trains the reference anew.
        self.record = replace(self.record, learning=examine(self._dataset, subjects))
        phase.band(initial)
        self.record = replace(self.record, free_running=phase.evidence())

    def _checkpoint(self, subjects: Mapping[Side, Subject], initial: Mapping[str, Any]) -> None:
        spec = self._plan.checkpoint
        phase = CheckpointPhase(
            self._plan,
            subjects,
            self._tools.oracle(self._plan),
            self._tools.differ(self._plan),
            self._batches("checkpoint", spec.steps_before + spec.steps_after),
            self._recorder,
            self._clock,
        )
        self.record = replace(self.record, checkpoint=phase.run(initial))

    def _performance(self) -> None:
        bench, sampler = self._tools.bench(self._plan), self._tools.sampler(self._plan)
        phase = PerformancePhase(self._plan, self._limits, bench, sampler, self._recorder, self._clock)
        try:
            phase.run()
        finally:
            self.record = replace(self.record, performance=phase.evidence())

    def _memory(self) -> None:
        phase = MemoryPhase(self._plan, self._tools.bench(self._plan), self._recorder, self._clock)
        try:
            phase.run()
        finally:
            self.record = replace(self.record, memory=phase.evidence())

    def _batches(self, phase: str, steps: int) -> Batches:
        assert self._dataset is not None
        return Batches(self._dataset, self._plan.training.batch_size, self._plan.seed, phase, steps)

    def _note_batches(self, *ledgers: BatchLedger) -> None:
        assert self._dataset is not None
        self._ledgers.extend(ledgers)
        integrity = IntegrityEvidence(
            dataset_digest=self._dataset.digest,
            dataset_rows=self._dataset.rows,
            batches=tuple(self._ledgers),
            changed_files=self._tools.changed_frozen_files(),
        )
        self.record = replace(self.record, integrity=integrity)


class Recorder:
    """The engine's observer: buffers rows, and writes them and the progress at most once in `WRITE_EVERY_S`.

    A phase's first and last progress are always written.
    """

    def __init__(self, run_id: str, store: RunStore, clock: Clock, listener: ProgressListener) -> None:
        self._run_id, self._store, self._clock, self._listener = run_id, store, clock, listener
        self._losses: list[StepLosses] = []
        self._diffs: list[TapDiff] = []
        self._slices: list[Slice] = []
        self._telemetry: list[TelemetrySample] = []
        self._allocations: dict[Side, list[AllocationEvent]] = {}
        self._phase = ""
        self._written_at = clock.monotonic()

    def losses(self, rows: Sequence[StepLosses]) -> None:
        """Keep rows for the next write."""
        self._losses.extend(rows)

    def diffs(self, rows: Sequence[TapDiff]) -> None:
        """Keep rows for the next write."""
        self._diffs.extend(rows)

    def slices(self, rows: Sequence[Slice]) -> None:
        """Keep rows for the next write."""
        self._slices.extend(rows)

    def telemetry(self, rows: Sequence[TelemetrySample]) -> None:
        """Keep rows for the next write."""
        self._telemetry.extend(rows)

    def allocations(self, role: Side, rows: Sequence[AllocationEvent]) -> None:
        """Keep a side's rows, all of them, for the next write."""
        self._allocations[role] = list(rows)

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        """Tell the listener and, now and then, the store; raises `RunCancelled` when the run was asked to stop."""
        progress = Progress(phase, done, total, message)
        self._listener(progress)
        now = self._clock.monotonic()
        waiting = phase == self._phase and done < total
        if waiting and now - self._written_at < WRITE_EVERY_S:
            return
        self._phase, self._written_at = phase, now
        self.flush()
        if self._store.report_progress(self._run_id, progress):
            raise RunCancelled(f"run {self._run_id} was asked to stop in the {phase} phase")

    def flush(self) -> None:
        """Write what is buffered."""
        losses, self._losses = self._losses, []
        diffs, self._diffs = self._diffs, []
        slices, self._slices = self._slices, []
        telemetry, self._telemetry = self._telemetry, []
        allocations, self._allocations = self._allocations, {}
        if losses:
            self._store.add_losses(self._run_id, losses)
        if diffs:
            self._store.add_diffs(self._run_id, diffs)
        if slices:
            self._store.add_slices(self._run_id, slices)
        if telemetry:
            self._store.add_telemetry(self._run_id, telemetry)
        for role, events in allocations.items():
            self._store.add_allocations(self._run_id, role, events)
