"""A stopwatch around each step, the batches in turn, and the cycle collector off while it runs."""

from __future__ import annotations

import gc
import time
from typing import Any, ClassVar

import numpy as np
import pytest

from service.engine.batches import Batches, prepared_batches
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.ports import StepResult
from service.subjects.datasets import load_dataset
from service.subjects.device_figures import measure_device
from service.subjects.registry import registered_subjects
from service.subjects.step_timer import HostStopwatch, StepTimer, open_timer

PLAN = Plan(model=ModelSpec(16, 1, 8), training=TrainingSpec(batch_size=8), device="cpu", phases=("performance",))


class Counting:
    """Notes its batches and whether cycles are collected."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.collecting: set[bool] = set()

    def info(self) -> Any:
        return registered_subjects()["legacy"].factory(PLAN).info()

    def train_step(self, batch: Any, taps: bool = False) -> StepResult:
        assert not taps
        self.batches.append(int(batch[0, 0]))
        self.collecting.add(gc.isenabled())
        return StepResult(0.0)


def test_batches_come_in_turn_over_warm_up_and_slices() -> None:
    subject: Any = Counting()
    timer = StepTimer(subject, [np.full((2, 2), i, np.float32) for i in range(3)], HostStopwatch())
    assert timer.warm_up(0.0) > 0
    subject.collecting.clear()
    times = timer.time_steps(5)
    assert subject.batches == [0, 1, 2, 0, 1, 2, 0, 1]
    assert times.step_ms.shape == (5,)
    assert (times.step_ms > 0).all()
    assert times.step_ms.sum() / 1e3 <= times.ended_s - times.started_s
    assert times.thread_cpu_s is not None
    assert (subject.collecting, gc.isenabled()) == ({False}, True)
    assert timer.time_steps(2, settle=3).step_ms.shape == (2,)
    assert subject.batches[8:] == [2, 0, 1, 2, 0]


class LateLoss:
    """A loss that is computed once it is read, as one on a device is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __float__(self) -> float:
        until = time.perf_counter() + self._seconds
        while time.perf_counter() < until:
            pass
        return 0.0


def test_a_loss_that_is_not_there_yet_is_waited_for_within_its_step() -> None:
    subject: Any = Counting()
    loss: Any = LateLoss(0.002)
    subject.train_step = lambda batch: StepResult(loss)
    timer = StepTimer(subject, [np.zeros((2, 2), np.float32)], HostStopwatch())
    assert timer.time_steps(3).step_ms.min() >= 2.0


class Cycle:
    """Garbage that only the cycle collector finds, and that takes its time to go."""

    gone: ClassVar[list[float]] = []

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        self.gone.append(time.monotonic())


def test_the_garbage_of_the_timed_steps_is_collected_within_the_slice() -> None:
    subject: Any = Counting()
    subject.train_step = lambda batch: StepResult(0.0 * (Cycle().itself is None))
    timer = StepTimer(subject, [np.zeros((2, 2), np.float32)], HostStopwatch())
    times = timer.time_steps(4, settle=2)
    assert len(Cycle.gone) == 6
    settled, timed = Cycle.gone[:2], Cycle.gone[2:]
    assert max(settled) <= times.started_s
    assert times.started_s + times.step_ms.sum() / 1e3 <= min(timed) <= max(timed) <= times.ended_s


def test_the_collector_is_on_again_after_a_step_that_raised() -> None:
    subject: Any = Counting()
    timer = StepTimer(subject, [np.zeros((2, 2), np.float32)], HostStopwatch())
    subject.train_step = lambda batch: 1 / 0
    with pytest.raises(ZeroDivisionError):
        timer.time_steps(2)
    assert gc.isenabled()


def test_a_registered_subject_on_its_plans_batches() -> None:
    timer = open_timer(prepared_batches, "legacy", PLAN)
    assert timer.clock == "perf_counter"
    assert timer.step_flops == registered_subjects()["legacy"].factory(PLAN).info().step_flops
    assert timer.time_steps(4).step_ms.shape == (4,)
    timer.close()


def test_prepared_batches_are_the_first_epochs_and_no_other_phases() -> None:
    dataset = load_dataset(PLAN)
    prepared = prepared_batches(dataset, PLAN, "performance")
    assert len(prepared) == len(dataset.vectors) // 8
    drawn = list(Batches(dataset, 8, PLAN.seed, "performance", len(prepared)))
    assert all(np.array_equal(one, other) for one, other in zip(prepared, drawn, strict=True))
    assert not np.array_equal(prepared[0], prepared_batches(dataset, PLAN, "memory")[0])
    assert not any(batch.flags.writeable for batch in prepared)


def test_the_rate_of_a_cpu_is_measured() -> None:
    figures = measure_device(PLAN)
    assert figures.multiprocessors is None
    assert np.isfinite(figures.matrix_peak_flops_per_s)
    assert figures.matrix_peak_flops_per_s > 1e7
