"""The phases that measure, in a whole run on a CPU: real processes, what reaches the store, and a wish to stop."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from service import bootstrap
from service.campaigns.spread import Unrecorded
from service.parity.errors import RunCancelled
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.plan import MemorySpec, ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.record import Side
from service.parity.timing import DEFAULT_LIMITS, read
from service.pipeline import DualRun, Recorder

PLAN = Plan(
    model=ModelSpec(16, 1, 8),
    training=TrainingSpec(batch_size=8),
    performance=PerformanceSpec(blocks=8, slice_seconds=0.002, process_pairs=1),
    memory=MemorySpec(8),
    phases=("performance", "memory"),
    device="cpu",
)


class Keeping(Unrecorded):
    """Keeps what it is told; raises once it hears of so much progress in a phase."""

    def __init__(self, stop_in: str = "", at: int = 0) -> None:
        self.stop_in, self.at = stop_in, at
        self.rows: list[Slice] = []
        self.samples: list[TelemetrySample] = []
        self.events: dict[Side, int] = {}
        self.phases: list[str] = []

    def slices(self, rows: Sequence[Slice]) -> None:
        self.rows.extend(rows)

    def telemetry(self, rows: Sequence[TelemetrySample]) -> None:
        self.samples.extend(rows)

    def allocations(self, role: Side, rows: Sequence[AllocationEvent]) -> None:
        self.events[role] = len(rows)

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        self.phases.append(phase)
        if phase == self.stop_in and self.phases.count(phase) > self.at:
            raise RunCancelled("stop")


def test_both_phases_are_in_the_record_and_told_as_they_come() -> None:
    observer = Keeping()
    run = DualRun(PLAN, bootstrap.toolkit(), observer, bootstrap.SystemClock())
    run.execute()
    performance, memory = run.record.performance, run.record.memory
    assert performance is not None
    assert memory is not None
    assert (performance.troubles, memory.troubles) == ((), ())
    assert performance.clock == "perf_counter"
    assert observer.rows == list(performance.slices)
    assert observer.samples == list(performance.telemetry)
    assert all(piece.steps == 30 for piece in performance.slices)
    ordered = [(piece.started_s, piece.ended_s) for piece in performance.slices]
    assert ordered == sorted(ordered)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(ordered)), "never two at once"
    assert observer.events == {trace.role: len(trace.events) for trace in memory.traces}
    assert multiprocessing.active_children() == []


def test_side_by_side_in_real_processes() -> None:
    """No plan that is checked has two devices that are the processor; for the engine one device is like another."""
    timed = replace(PLAN.performance, second_device="cpu")
    plan, observer = replace(PLAN, performance=timed, phases=("performance",)), Keeping()
    run = DualRun(plan, bootstrap.toolkit(), observer, bootstrap.SystemClock())
    run.execute()
    performance = run.record.performance
    assert performance is not None
    assert performance.troubles == ()
    assert performance.planned_blocks["side_by_side"] == 8
    assert observer.rows == list(performance.slices)
    reading = read(performance, plan, ("side_by_side",), DEFAULT_LIMITS)
    assert (reading.fault, len(reading.blocks), reading.ratio is not None or not reading.valid) == (None, 8, True)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("phase", "at"), [("performance", 0), ("performance", 12), ("memory", 0)])
def test_a_wish_to_stop_leaves_no_process(phase: str, at: int) -> None:
    run = DualRun(PLAN, bootstrap.toolkit(), Keeping(phase, at), bootstrap.SystemClock())
    with pytest.raises(RunCancelled):
        run.execute()
    assert multiprocessing.active_children() == []
    assert run.record.performance is not None


def test_a_candidate_that_breaks_when_it_is_timed_is_data() -> None:
    run = DualRun(replace(PLAN, candidate="bad-exception"), bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    performance, memory = run.record.performance, run.record.memory
    assert performance is not None
    assert memory is not None
    assert [trouble.role for trouble in performance.troubles] == ["candidate"]
    assert "planted failure" in performance.troubles[0].message
    assert [trouble.role for trouble in memory.troubles] == ["candidate"]
    assert [trace.role for trace in memory.traces] == ["reference"]


def test_the_recorder_writes_in_batches() -> None:
    written: list[tuple[str, Any]] = []

    class Store:
        def report_progress(self, run_id: str, progress: Any) -> bool:
            return False

        def __getattr__(self, name: str) -> Any:
            return lambda run_id, *rows: written.append((name, rows))

    class Clock:
        seconds = 0.0

        def monotonic(self) -> float:
            return self.seconds

    store: Any = Store()
    clock: Any = Clock()
    recorder = Recorder("run", store, clock, lambda progress: None)
    piece = Slice("a_a", 0, 0, 0, "reference", 5, 1.0, 1.0, 0.005, 0.0, 1.0)
    event, sample = AllocationEvent(-1, "malloc", 8), TelemetrySample(0.0, "power_w", 1.0)
    recorder.progress("performance", 0, 9)
    for _ in range(2):
        recorder.slices([piece])
        recorder.telemetry([sample])
        recorder.progress("performance", 1, 9)
    recorder.allocations("candidate", [event])
    assert written == []
    recorder.flush()
    recorder.flush()
    assert written == [
        ("add_slices", ([piece] * 2,)),
        ("add_telemetry", ([sample] * 2,)),
        ("add_allocations", ("candidate", [event])),
    ]
