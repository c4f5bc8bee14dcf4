"""The child's half of a bench: one subject in a fresh process that does what it is asked, and nothing unasked.

Messages are JSON, as in `child`. The parent asks `warm_up`, `time_steps` and `close`; every answer is a `result` or a
`trouble`, before which a long errand may say `alive`. While steps are timed nothing is said and no other thread runs:
the one that waits for the parent's word, or for its death, sleeps in a read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import gc
import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from service.executors.child import Teller
from service.executors.processes import end_without_parent, leave_the_terminal
from service.parity.measurements import AllocationEvent, MemorySample, MemoryTrace
from service.parity.plan import Plan
from service.parity.record import Side
from service.ports import DeviceFigures, TimedSteps

log = logging.getLogger(__name__)


class TimedSubject(Protocol):
    """A subject with its batches and a stopwatch, in this process."""

    clock: str
    step_flops: int

    def warm_up(self, seconds: float) -> float: ...

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BenchParts:
    """What the process works with; picklable, since a spawned process imports each part by name."""

    open_timed: Callable[[str, Plan], TimedSubject]
    trace_memory: Callable[[Side, str, Plan, Callable[[], None]], MemoryTrace]
    """The last argument is called now and then, to say that it goes on."""
    device_figures: Callable[[Plan], DeviceFigures]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a process is started for."""

    kind: Literal["time", "trace_memory", "device_figures"]
    plan: Plan
    subject: str = ""
    role: Side = "reference"
    processor: int | None = None
    """Where the thread that steps stays once it is warm; `None`: wherever it is put."""


def run_bench(pipe: Connection, parts: BenchParts, errand: Errand, threads: int) -> None:
    """Entry of the spawned process. `threads`: of NumPy's BLAS, as in the parent."""
    leave_the_terminal()
    faulthandler.enable()
    requests: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, requests), name="watch-parent", daemon=True).start()
    tell = Teller(pipe)
    try:
        with threadpool_limits(limits=threads):
            _do(parts, errand, requests, tell)
    except BaseException as error:
        # Whatever a subject raises is data about it, SystemExit too; the parent makes it the role's trouble.
        log.exception("the %s raised in its own process", errand.role)
        tell(kind="trouble", reason=reason_of(error), message=f"{type(error).__name__}: {error}")
    # Without Python's teardown, in which a subject's leftovers could hang or crash: nothing here is still needed.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _do(parts: BenchParts, errand: Errand, requests: queue.SimpleQueue[dict[str, Any]], tell: Teller) -> None:
    if errand.kind == "device_figures":
        tell(kind="result", **dataclasses.asdict(parts.device_figures(errand.plan)))
    elif errand.kind == "trace_memory":
        trace = parts.trace_memory(errand.role, errand.subject, errand.plan, lambda: tell(kind="alive"))
        tell(kind="result", **trace_document(trace))
    else:
        with contextlib.closing(parts.open_timed(errand.subject, errand.plan)) as timed:
            tell(kind="result", clock=timed.clock, step_flops=timed.step_flops)
            _serve(timed, requests, tell, errand.processor)


def _serve(
    timed: TimedSubject, requests: queue.SimpleQueue[dict[str, Any]], tell: Teller, processor: int | None
) -> None:
    while (request := requests.get())["do"] != "close":
        if request["do"] == "warm_up":
            median_step_ms = timed.warm_up(request["seconds"])
            if processor is not None:
                # This thread only. Those that the subject has started, some of them in its first step, may go where
                # they like: a thread starts on its maker's processors.
                os.sched_setaffinity(threading.get_native_id(), {processor})
            # What lives now lives on: collections between turns need not look through it again.
            gc.collect()
            gc.freeze()
            tell(kind="result", median_step_ms=median_step_ms)
        else:
            times = timed.time_steps(request["steps"], request["settle"])
            document = dataclasses.asdict(times) | {"step_ms": times.step_ms.tolist()}
            tell(kind="result", **document)


def _listen(pipe: Connection, requests: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Hand requests on; end this process and its children once the parent is gone or wants no more of it."""
    try:
        while True:
            requests.put(json.loads(pipe.recv_bytes()))
    except (EOFError, OSError):
        end_without_parent()


def reason_of(error: BaseException) -> str:
    """The `BenchTrouble` reason: which memory it was that ran out, or `exception`."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if "OutOfMemoryError" in names or "cudaErrorMemoryAllocation" in str(error):  # CuPy's, which is not imported here
        return "oom_device"
    return "oom_host" if isinstance(error, MemoryError) else "exception"


def trace_document(trace: MemoryTrace) -> dict[str, Any]:
    """A trace as JSON-ready values; its many rows without their field names."""
    document = {field.name: getattr(trace, field.name) for field in dataclasses.fields(trace)}
    document["samples"] = [dataclasses.astuple(sample) for sample in trace.samples]
    document["events"] = [dataclasses.astuple(event) for event in trace.events]
    return document


def trace_of(message: dict[str, Any]) -> MemoryTrace:
    """The way back; raises ValueError for a message that is no trace."""
    values = _values(message, MemoryTrace)
    try:
        samples = tuple(MemorySample(*row) for row in values.pop("samples"))
        events = tuple(AllocationEvent(*row) for row in values.pop("events"))
    except TypeError as error:
        raise ValueError(f"a trace that cannot be read: {error}") from error
    return MemoryTrace(**values, samples=samples, events=events)


def times_of(message: dict[str, Any], steps: int) -> TimedSteps:
    """The times of a slice; raises ValueError unless there is one a step, finite and above zero."""
    values = _values(message, TimedSteps)
    step_ms = np.asarray(values.pop("step_ms"), dtype=np.float64)
    if step_ms.shape != (steps,) or not (np.isfinite(step_ms) & (step_ms > 0)).all():
        raise ValueError(f"{steps} steps were to be timed, and the times are not that many numbers above zero")
    return TimedSteps(step_ms, **values)


def figures_of(message: dict[str, Any]) -> DeviceFigures:
    """What the device can do; raises ValueError for a message that does not say it."""
    return DeviceFigures(**_values(message, DeviceFigures))


def _values(message: dict[str, Any], kind: Any) -> dict[str, Any]:
    try:
        return {field.name: message[field.name] for field in dataclasses.fields(kind)}
    except KeyError as error:
        raise ValueError(f"a message lacks {error}") from error
