"""Subjects in fresh processes on this machine, to be timed or traced: the parent's half.

A process that dies, hangs or runs out of memory is that role's trouble. Whatever happens here, a process that was
started is gone when its `close` returns, or when this process is.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from typing import Any, TypeVar

from threadpoolctl import threadpool_info

from service.executors.bench_child import BenchParts, Errand, figures_of, run_bench, times_of, trace_of
from service.executors.child import read_message
from service.executors.processes import NotStartedError, reap, start, why_died
from service.parity.errors import BenchTrouble
from service.parity.measurements import MemoryTrace
from service.parity.plan import Plan
from service.parity.record import Side
from service.ports import DeviceFigures, TimedSteps

T = TypeVar("T")

WATCH_EVERY_S = 0.25
"""How often the watcher is called while a process is awaited."""

BUILD_LIMIT_S = 300.0
"""For a process to start, build its subject and compile its kernels."""

STALL_S = 60.0
STALL_FACTOR = 20.0
"""A slice has stalled when it takes this many times what the warm-up says, and STALL_S more."""

CLOSE_LIMIT_S = 1.0


class LocalBench:
    """Opens processes with the parts.

    `processors`: of a plan, by its device, those on which subjects step, a pair of processes on one, pair after pair;
    empty: wherever they are put. `build_limit_s` and `stall_s` are deadlines without a sign of life.
    """

    def __init__(
        self,
        parts: BenchParts,
        processors: Callable[[Plan], Sequence[int]] = lambda plan: (),
        *,
        build_limit_s: float = BUILD_LIMIT_S,
        stall_s: float = STALL_S,
    ) -> None:
        self._parts, self._processors = parts, processors
        self._build_limit_s, self._stall_s = build_limit_s, stall_s
        self._waiting: Callable[[], None] = lambda: None

    def watch(self, waiting: Callable[[], None]) -> None:
        """Call this while a process is at work; what it raises ends the wait."""
        self._waiting = waiting

    def open(self, role: Side, subject: str, plan: Plan, pair: int) -> LocalBenchProcess:
        """A process that has begun to build the subject, and then waits; raises `BenchTrouble`."""
        given = self._processors(plan)
        processor = given[pair % len(given)] if given else None
        child = self._start(Errand("time", plan, subject, role, processor), f"the {role}'s process")
        return LocalBenchProcess(child, self._build_limit_s, self._stall_s)

    def trace_memory(self, role: Side, subject: str, plan: Plan) -> MemoryTrace:
        """Every allocation of the subject in a process of its own; raises `BenchTrouble`."""
        child = self._start(Errand("trace_memory", plan, subject, role), f"the {role}'s process")
        with contextlib.closing(child):
            return _read(trace_of, child.answer(self._build_limit_s, "tracing its memory"))

    def device_figures(self, plan: Plan) -> DeviceFigures:
        """Measured in a process of its own; raises `BenchTrouble`."""
        child = self._start(Errand("device_figures", plan), "the process that measures the device")
        with contextlib.closing(child):
            return _read(figures_of, child.answer(self._build_limit_s, "measuring"))

    def _start(self, errand: Errand, who: str) -> _Child:
        return _Child(self._parts, errand, who, lambda: self._waiting())


class LocalBenchProcess:
    """One subject in its process, idle unless it is asked for something."""

    def __init__(self, child: _Child, build_limit_s: float, stall_s: float) -> None:
        self._child, self._build_limit_s, self._stall_s = child, build_limit_s, stall_s
        self.pid, self.clock, self.step_flops = child.pid, "", 0
        self._step_ms = 0.0
        self._begun = (0, 0)

    def built(self) -> None:
        """Wait until the subject is built."""
        message = self._child.answer(self._build_limit_s, "building")
        self.clock, self.step_flops = str(message.get("clock")), int(message.get("step_flops", 0))

    def warm_up(self, seconds: float) -> float:
        """Step for so long, at least 3 steps; the median step time in milliseconds."""
        self._child.ask(do="warm_up", seconds=seconds)
        message = self._child.answer(self._stall_s + STALL_FACTOR * seconds, "warming up")
        self._step_ms = float(message.get("median_step_ms", 0.0))
        if not self._step_ms > 0:
            self.close()
            raise BenchTrouble("exception", f"{self._child.who} gave {self._step_ms} ms as its step time")
        return self._step_ms

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        """So many steps, timed one by one, after some that are not."""
        self.begin_steps(steps, settle)
        return self.end_steps()

    def begin_steps(self, steps: int, settle: int = 0) -> None:
        """Ask for them and do not wait."""
        self._begun = steps, settle
        self._child.ask(do="time_steps", steps=steps, settle=settle)

    def end_steps(self) -> TimedSteps:
        """The steps that were begun; raises `BenchTrouble`."""
        steps, settle = self._begun
        expected_s = (settle + steps) * self._step_ms / 1e3
        message = self._child.answer(self._stall_s + STALL_FACTOR * expected_s, f"timing {steps} steps")
        return _read(lambda found: times_of(found, steps), message)

    def close(self) -> None:
        """End the process; never raises."""
        self._child.close()


class _Child:
    """A spawned process and the pipe to it. Trouble ends it at once: what it would answer next means nothing."""

    def __init__(self, parts: BenchParts, errand: Errand, who: str, waiting: Callable[[], None]) -> None:
        self.who, self._waiting = who, waiting
        self._busy, self._ended = True, False
        context = multiprocessing.get_context("spawn")
        self._pipe, child_pipe = context.Pipe()
        arguments = (child_pipe, parts, errand, _blas_threads())
        self._process = context.Process(target=run_bench, args=arguments, name=f"bench-{errand.role}")
        try:
            with contextlib.closing(child_pipe):
                start(self._process)
        except BaseException as error:
            self.close()
            if isinstance(error, NotStartedError):
                raise BenchTrouble("died", str(error)) from error
            raise
        assert self._process.pid is not None
        self.pid = self._process.pid

    def ask(self, **request: Any) -> None:
        """Send a request; that nobody is there any more is found out by `answer`."""
        self._busy = True
        with contextlib.suppress(OSError):
            self._pipe.send_bytes(json.dumps(request).encode())

    def answer(self, limit_s: float, doing: str) -> dict[str, Any]:
        """The result; raises `BenchTrouble`, and whatever the watcher raises, with the process ended."""
        try:
            message = self._next(limit_s, doing)
            if message["kind"] == "trouble":
                reason, text = str(message.get("reason")), message.get("message")
                raise BenchTrouble(reason, f"{self.who}, {doing}, raised {text}")
        except BaseException:
            self.close()
            raise
        self._busy = False
        return message

    def _next(self, limit_s: float, doing: str) -> dict[str, Any]:
        deadline = time.monotonic() + limit_s
        while (left_s := deadline - time.monotonic()) > 0:
            if not wait([self._pipe, self._process.sentinel], min(left_s, WATCH_EVERY_S)):
                self._waiting()
                continue
            try:
                # Nothing to read and yet woken: it has exited without a word, which recv_bytes says too.
                message = read_message(self._pipe.recv_bytes())
            except (EOFError, OSError):
                break
            except ValueError as error:
                raise BenchTrouble("exception", f"{self.who} said what cannot be read, {doing}: {error}") from error
            if message["kind"] != "alive":
                return message
            deadline = time.monotonic() + limit_s
            self._waiting()
        else:
            raise BenchTrouble(
                "stalled", f"{self.who} gave no sign of life for {limit_s:.0f} s, {doing}, and was ended"
            )
        self._process.join(CLOSE_LIMIT_S)
        raise BenchTrouble("died", f"{doing}: {why_died(self._end(), self.who)}")

    def close(self) -> None:
        """Let an idle process leave by itself, for a moment; then end it with all that it has started."""
        if self._ended:
            return
        if not self._busy:
            self.ask(do="close")
            self._process.join(CLOSE_LIMIT_S)
        self._end()

    def _end(self) -> int:
        self._ended = True
        code = reap(self._process) if self._process.pid is not None else 0
        self._pipe.close()
        return code


def _read(kind: Callable[[dict[str, Any]], T], message: dict[str, Any]) -> T:
    try:
        return kind(message)
    except ValueError as error:
        raise BenchTrouble("exception", f"a subject's process answered {error}") from error


def _blas_threads() -> int:
    """Threads that NumPy's BLAS may use in this process: a timed subject gets as many."""
    return max((int(pool["num_threads"]) for pool in threadpool_info() if pool.get("user_api") == "blas"), default=1)
