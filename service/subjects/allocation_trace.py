"""Every allocation of a subject, seen where it is made: CuPy's memory hook on a GPU, NumPy's allocator on a CPU.

Both are of one thread, so they are installed on the one that builds the subject and steps it. Nothing is timed here.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from typing import Any, Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from service.parity.measurements import AllocationEvent, MemorySample, MemoryTrace
from service.parity.plan import Plan
from service.parity.record import Side
from service.ports import Subject
from service.subjects.datasets import load_dataset
from service.subjects.devices import array_module, pci_address, resolve_device
from service.subjects.numpy_allocator import NumpyAllocator
from service.subjects.registry import find_subject
from service.subjects.step_timer import BatchMaker

MAX_EVENTS = 100_000
SET_UP = -1

SETTLING_STEPS = 3
"""Belong to the set-up: kernels are compiled, libraries take their workspace."""

HOST_EVENT_FLOOR_BYTES = 512
"""NumPy makes and drops arrays of one element to convert numbers; CuPy's pool hands out no less than this."""

DeviceMemory = Callable[[str], int | None]
"""Bytes in use by all processes on the device at a PCI address, `None` where that cannot be read."""


class Journal:
    """Keeps events in order and the bytes in use; `step` says to which step they belong."""

    def __init__(self, event_floor_bytes: int = 0, max_events: int = MAX_EVENTS) -> None:
        self.step = SET_UP
        self.used_bytes = self.peak_bytes = 0
        self.events: list[AllocationEvent] = []
        self.cut = False
        self._floor, self._max = event_floor_bytes, max_events

    def malloc(self, size_bytes: int) -> None:
        self.used_bytes += size_bytes
        self.peak_bytes = max(self.peak_bytes, self.used_bytes)
        self._note("malloc", size_bytes)

    def free(self, size_bytes: int) -> None:
        self.used_bytes -= size_bytes
        self._note("free", size_bytes)

    def _note(self, operation: Literal["malloc", "free"], size_bytes: int) -> None:
        if size_bytes < self._floor:
            return
        if len(self.events) == self._max:
            self.cut = True
            return
        self.events.append(AllocationEvent(self.step, operation, size_bytes))


class HostLedgers:
    """Bytes of NumPy arrays, which have no pool, and the process's resident size."""

    source = "numpy allocator"

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.baseline_bytes: int | None = self._process.memory_info().rss
        self.journal = Journal(HOST_EVENT_FLOOR_BYTES)

    def watching(self) -> AbstractContextManager[Any]:
        return NumpyAllocator(self.journal)

    def sample(self, step: int) -> MemorySample:
        used = self.journal.used_bytes
        grown = self._process.memory_info().rss - (self.baseline_bytes or 0)
        return MemorySample(step, used, used, grown)

    def context_bytes(self, settled: MemorySample) -> int | None:
        """Not told apart on a host: the interpreter's own memory is part of the resident size."""
        return None


class DeviceLedgers:
    """CuPy's pool, and the device's memory above what was in use before this process had a context."""

    source = "cupy memory hook"

    def __init__(self, device: str, device_memory: DeviceMemory) -> None:
        self._address, self._device_memory = pci_address(device), device_memory
        self.baseline_bytes = device_memory(self._address)
        self.journal = Journal()
        self._cupy = array_module(device)
        self._pool = self._cupy.get_default_memory_pool()

    def watching(self) -> AbstractContextManager[Any]:
        hook: AbstractContextManager[Any] = cupy_hook(self._cupy, self.journal)
        return hook

    def sample(self, step: int) -> MemorySample:
        self._cupy.cuda.runtime.deviceSynchronize()
        used = self._device_memory(self._address)
        above = None if used is None or self.baseline_bytes is None else used - self.baseline_bytes
        return MemorySample(step, int(self._pool.used_bytes()), int(self._pool.total_bytes()), above)

    def context_bytes(self, settled: MemorySample) -> int | None:
        """Device use that is in no pool: context, libraries, modules."""
        if settled.device_used_bytes is None or settled.pool_held_bytes is None:
            return None
        return settled.device_used_bytes - settled.pool_held_bytes


def cupy_hook(cupy: Any, journal: Journal) -> Any:
    """A CuPy memory hook that tells the journal of what its pool hands out and takes back, in the pool's sizes."""

    class JournalHook(cupy.cuda.MemoryHook):  # type: ignore[misc]
        name = "LockstepJournal"

        def malloc_postprocess(self, **event: Any) -> None:
            if event["mem_ptr"]:  # called after a failure as well
                journal.malloc(int(event["mem_size"]))

        def free_postprocess(self, **event: Any) -> None:
            journal.free(int(event["mem_size"]))

    return JournalHook()


def trace_memory(
    batches: BatchMaker, device_memory: DeviceMemory, role: Side, subject: str, plan: Plan, alive: Callable[[], None]
) -> MemoryTrace:
    """Build the registered subject and step it as often as the plan says, every allocation seen.

    `alive` is called after each step. Meant for a process that has done nothing else.
    """
    device = resolve_device(plan.device)
    # Loaded before the baseline, so that they are not the subject's.
    prepared, build = batches(load_dataset(plan), plan, "memory"), find_subject(subject).factory
    ledgers = HostLedgers() if device == "cpu" else DeviceLedgers(device, device_memory)
    return trace(ledgers, lambda: build(plan), prepared, role, plan.memory.steps, alive)


def trace(
    ledgers: HostLedgers | DeviceLedgers,
    build: Callable[[], Subject],
    batches: Sequence[NDArray[np.float32]],
    role: Side,
    steps: int,
    alive: Callable[[], None],
) -> MemoryTrace:
    """The trace of what `build` makes, stepped over the batches in turn."""
    journal = ledgers.journal
    samples: list[MemorySample] = []
    gc.disable()  # it would free cycles at a step of its own choosing
    try:
        with ledgers.watching(), closing(build()) as subject:
            for number in range(-SETTLING_STEPS, steps):
                journal.step = max(number, SET_UP)
                subject.train_step(batches[number % len(batches)])
                gc.collect()
                if number >= SET_UP:
                    samples.append(ledgers.sample(number))
                alive()
            # What closing frees is no step's.
            events, cut, peak = tuple(journal.events), journal.cut, journal.peak_bytes
    finally:
        gc.enable()
    return MemoryTrace(
        role=role,
        source=ledgers.source,
        steps=steps,
        baseline_bytes=ledgers.baseline_bytes,
        peak_bytes=peak,
        samples=tuple(samples),
        events=events,
        events_cut=cut,
        context_bytes=ledgers.context_bytes(samples[0]),
    )
