"""What the bench's tests have done in its processes. Spawned processes import this file by name, so it stands alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from service.parity.measurements import AllocationEvent, MemorySample, MemoryTrace
from service.parity.plan import Plan
from service.ports import DeviceFigures, TimedSteps

THREAD = "of-the-subject"
GRANDCHILD = "import signal; signal.pause()"


class OutOfMemoryError(MemoryError):
    """Named as CuPy names its own."""


class Timed:
    """Does what its subject's name says, once it is asked."""

    clock = "perf_counter"
    step_flops = 7

    def __init__(self, subject: str) -> None:
        self.subject = subject

    def warm_up(self, seconds: float) -> float:
        if self.subject == "starts a thread in its first step":
            self._enough = threading.Event()
            threading.Thread(target=self._enough.wait, name=THREAD, daemon=True).start()
        return 2.0

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        now = time.monotonic()
        times = np.full(steps, 2.0)
        if self.subject == "starts a thread in its first step":
            (thread,) = (thread for thread in threading.enumerate() if thread.name == THREAD)
            assert thread.native_id is not None
            times[0] = len(os.sched_getaffinity(thread.native_id))
        if self.subject == "raises":
            raise ZeroDivisionError("planted")
        if self.subject == "device memory":
            raise OutOfMemoryError("no more of it")
        if self.subject == "host memory":
            raise MemoryError
        if self.subject == "exits":
            sys.exit(3)
        if self.subject == "vanishes":
            os._exit(9)
        if self.subject == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.subject == "hangs":
            signal.pause()
        if self.subject.startswith("meets"):
            # Either end of a named pipe opens only once the other does.
            _, mode, path = self.subject.split()
            with open(path, mode):
                pass
        if self.subject == "nan":
            times[0] = np.nan
        if self.subject == "too few":
            times = times[1:]
        return TimedSteps(times, now, now + 0.1, 0.05)

    def close(self) -> None:
        if self.subject == "will not close":
            signal.pause()


def open_timed(subject: str, plan: Plan) -> Timed:
    if subject == "cannot be built":
        raise ValueError("planted")
    if subject == "hangs at once":
        signal.pause()
    if subject == "has a child":
        child = subprocess.Popen([sys.executable, "-c", GRANDCHILD])
        timed = Timed(subject)
        timed.step_flops = child.pid
        return timed
    return Timed(subject)


def trace_memory(role: Any, subject: str, plan: Plan, alive: Callable[[], None]) -> MemoryTrace:
    if subject == "raises":
        raise ZeroDivisionError("planted")
    for _ in range(3):
        alive()
    events = tuple(AllocationEvent(step, "malloc", 512) for step in range(-1, 3))
    samples = tuple(MemorySample(step, 1, 2, None) for step in range(-1, 3))
    return MemoryTrace(role, "made", 3, None, 99, samples, events, False, 5)


def device_figures(plan: Plan) -> DeviceFigures:
    return DeviceFigures(1e12, None)


def open_two_and_say_their_pids(parts: Any, pid_file: str) -> None:
    """A parent that opens a pair and then waits to be killed."""
    from service.executors.bench import LocalBench

    bench = LocalBench(parts)
    pair = [bench.open("reference", "fine", Plan(), 0), bench.open("candidate", "fine", Plan(), 0)]
    for process in pair:
        process.built()
    with open(pid_file, "w") as pipe:
        pipe.write(" ".join(str(process.pid) for process in pair))
    signal.pause()
