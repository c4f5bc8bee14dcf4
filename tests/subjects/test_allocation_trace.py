"""Every allocation of a subject is seen on a CPU, each in its step, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.engine.batches import prepared_batches
from service.parity.measurements import AllocationEvent
from service.parity.plan import MemorySpec, ModelSpec, Plan, TrainingSpec
from service.ports import StepResult
from service.subjects.allocation_trace import SETTLING_STEPS, HostLedgers, Journal, trace, trace_memory
from service.subjects.numpy_allocator import NumpyAllocator

PLAN = Plan(
    model=ModelSpec(16, 1, 8),
    training=TrainingSpec(batch_size=8),
    memory=MemorySpec(8),
    device="cpu",
    phases=("memory",),
)
BATCHES = [np.zeros((4, 4), np.float32)]


class Stepper:
    """A subject that allocates 4,096 bytes when it is built, and in each step what it was told."""

    def __init__(self, step: Any) -> None:
        self.kept = [np.zeros(1024, np.float32)]
        self.step, self.taken = step, 0

    def train_step(self, batch: Any, taps: bool = False) -> StepResult:
        self.step(self)
        self.taken += 1
        return StepResult(0.0)

    def close(self) -> None:
        self.kept.clear()


def traced(step: Any, steps: int = 8) -> Any:
    build: Any = lambda: Stepper(step)  # noqa: E731
    alive: list[int] = []
    found = trace(HostLedgers(), build, BATCHES, "candidate", steps, lambda: alive.append(1))
    assert len(alive) == steps + SETTLING_STEPS
    assert [sample.step for sample in found.samples] == list(range(-1, steps))
    return found


def test_the_set_up_alone() -> None:
    found = traced(lambda subject: None)
    assert found.events == (AllocationEvent(-1, "malloc", 4096),)
    assert {sample.pool_used_bytes for sample in found.samples} == {4096}
    assert (found.peak_bytes, found.source, found.steps) == (4096, "numpy allocator", 8)
    assert found.baseline_bytes is not None
    assert all(sample.device_used_bytes is not None for sample in found.samples)


def test_what_is_there_for_a_moment_is_seen_in_its_step() -> None:
    found = traced(lambda subject: np.empty(2048, np.uint8))
    per_step = [[(e.operation, e.size_bytes) for e in found.events if e.step == step] for step in range(8)]
    assert per_step == [[("malloc", 2048), ("free", 2048)]] * 8
    assert found.peak_bytes == 4096 + 2048
    assert {sample.pool_used_bytes for sample in found.samples} == {4096}


def test_what_stays_grows() -> None:
    found = traced(lambda subject: subject.kept.append(np.empty(2048, np.uint8)))
    used = [sample.pool_used_bytes for sample in found.samples]
    assert used == [4096 + 2048 * (SETTLING_STEPS + step) for step in range(9)]


def test_numbers_are_no_allocations_but_they_are_counted() -> None:
    found = traced(lambda subject: subject.kept.append(np.empty(511, np.uint8)))
    assert len(found.events) == 1
    assert found.samples[-1].pool_used_bytes == 4096 + 511 * (SETTLING_STEPS + 8)


def test_a_journal_keeps_so_many_events_and_says_so() -> None:
    journal = Journal(max_events=2)
    journal.malloc(10)
    journal.free(10)
    assert not journal.cut
    journal.malloc(30)
    assert (len(journal.events), journal.cut, journal.used_bytes, journal.peak_bytes) == (2, True, 30, 30)


def test_the_allocator_sees_growth_in_place_and_only_its_own_arrays() -> None:
    journal = Journal()
    before = np.empty(100, np.uint8)
    with NumpyAllocator(journal):
        array = np.zeros(1000, np.uint8)
        array.resize(3000, refcheck=False)
        del before
    after = np.empty(5000, np.uint8)
    seen = [(event.operation, event.size_bytes) for event in journal.events]
    assert seen == [("malloc", 1000), ("free", 1000), ("malloc", 3000)]
    del array, after
    assert journal.used_bytes == 0


@pytest.mark.parametrize("subject", ["legacy", "basemodel"])
def test_a_registered_subject_repeats_itself(subject: str) -> None:
    found = trace_memory(prepared_batches, lambda device: None, "reference", subject, PLAN, lambda: None)
    steps = [[(e.operation, e.size_bytes) for e in found.events if e.step == step] for step in range(8)]
    assert all(step == steps[0] for step in steps)
    other = trace_memory(prepared_batches, lambda device: None, "candidate", subject, replace(PLAN), lambda: None)
    assert other.events == found.events
