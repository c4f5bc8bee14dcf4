"""A subject with its batches and a stopwatch: CUDA events on a GPU, `time.perf_counter` on a CPU.

The stopwatch stands around each `train_step`, on the stream that is current there. On a GPU nothing is waited for
within a slice but what the subject itself waits for; the events are read once at its end.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import Plan
from service.ports import Dataset, Subject, TimedSteps
from service.subjects.datasets import load_dataset
from service.subjects.devices import array_module, resolve_device
from service.subjects.registry import find_subject

BatchMaker = Callable[[Dataset, Plan, str], Sequence[NDArray[np.float32]]]
"""The batches of a plan's phase, prepared; they are taken in turn."""

MIN_WARM_UP_STEPS = 3
WARM_UP_CHUNK = 500


class Stopwatch(Protocol):
    """Times steps one by one."""

    clock: str

    def measure(self, steps: int, step: Callable[[], object]) -> TimedSteps: ...


class HostStopwatch:
    """`time.perf_counter`, for subjects that are done when they return."""

    clock = "perf_counter"

    def measure(self, steps: int, step: Callable[[], object]) -> TimedSteps:
        edges = np.empty((steps, 2), dtype=np.float64)
        started_s, cpu_s = time.monotonic(), time.thread_time()
        for i in range(steps):
            before = time.perf_counter()
            step()
            edges[i] = before, time.perf_counter()
        cpu_s, ended_s = time.thread_time() - cpu_s, time.monotonic()
        return TimedSteps((edges[:, 1] - edges[:, 0]) * 1e3, started_s, ended_s, cpu_s)


class EventStopwatch:
    """CUDA events, recorded before and after each step on the stream that is current; made before the slice."""

    clock = "cuda events"

    def __init__(self, cupy: Any) -> None:
        self._cuda = cupy.cuda
        self._pairs: list[tuple[Any, Any]] = []

    def measure(self, steps: int, step: Callable[[], object]) -> TimedSteps:
        while len(self._pairs) < steps:
            self._pairs.append((self._cuda.Event(), self._cuda.Event()))
        pairs = self._pairs[:steps]
        self._cuda.runtime.deviceSynchronize()
        started_s, cpu_s = time.monotonic(), time.thread_time()
        for before, after in pairs:
            before.record()
            step()
            after.record()
        self._cuda.runtime.deviceSynchronize()
        cpu_s, ended_s = time.thread_time() - cpu_s, time.monotonic()
        elapsed = [self._cuda.get_elapsed_time(before, after) for before, after in pairs]
        return TimedSteps(np.asarray(elapsed, dtype=np.float64), started_s, ended_s, cpu_s)


class StepTimer:
    """Steps a subject over its batches, again and again from the first, and says how long each step took."""

    def __init__(self, subject: Subject, batches: Sequence[NDArray[np.float32]], stopwatch: Stopwatch) -> None:
        self._subject, self._batches, self._stopwatch = subject, batches, stopwatch
        self._next = 0
        self.clock = stopwatch.clock
        self.step_flops = subject.info().step_flops

    def warm_up(self, seconds: float) -> float:
        """Step for so long, at least 3 steps; the median step time of the later ones in milliseconds."""
        began = time.monotonic()
        times = list(self._stopwatch.measure(MIN_WARM_UP_STEPS, self._step).step_ms)
        while (left_s := seconds - (time.monotonic() - began)) > 0:
            steps = max(1, min(WARM_UP_CHUNK, int(left_s * 1e3 / max(statistics.median(times), 1e-3))))
            times += list(self._stopwatch.measure(steps, self._step).step_ms)
        return float(statistics.median(times[len(times) // 2 :]))

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        """So many steps with Python's cycle collector off, after some that are not timed.

        The cycles that they leave are collected before the slice ends: no step's time holds that, but the slice's does.
        """
        gc.collect()
        gc.disable()
        try:
            for _ in range(settle):
                self._step()
            gc.collect()
            times = self._stopwatch.measure(steps, self._step)
            gc.collect()
            return replace(times, ended_s=time.monotonic())
        finally:
            gc.enable()

    def close(self) -> None:
        self._subject.close()

    def _step(self) -> None:
        batch = self._batches[self._next % len(self._batches)]
        self._next += 1
        # The other phases read the loss of every step too: a subject that leaves it on its device waits for it here.
        float(self._subject.train_step(batch).loss)


def open_timer(batches: BatchMaker, subject: str, plan: Plan) -> StepTimer:
    """The registered subject, built by the plan on its device, with the plan's own batches."""
    device = resolve_device(plan.device)
    xp = array_module(device)
    prepared = batches(load_dataset(plan), plan, "performance")
    built = find_subject(subject).factory(plan)
    return StepTimer(built, prepared, HostStopwatch() if device == "cpu" else EventStopwatch(xp))
