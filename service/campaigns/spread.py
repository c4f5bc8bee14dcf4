"""Spreads independent pieces of work over spawned processes: one piece at a time in each, BLAS on one thread.

A process that dies takes down what was under way, and that is told; Ctrl-C, or closing the iterator, ends the others at
the next step of theirs. Spawned, never forked: a CUDA context does not survive a fork.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

from service.parity.errors import RunCancelled
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.record import Side, StepLosses, TapDiff
from service.ports import Progress

Piece = TypeVar("Piece")
Result = TypeVar("Result")

PARENT_DIED = 70

_stop: Event | None = None
"""In a spawned process: set when the parent wants no more results."""


@dataclass(frozen=True, slots=True)
class Died(Generic[Piece]):
    """A piece that was lost with its process."""

    piece: Piece
    message: str


class Unrecorded:
    """An observer that keeps nothing, and stops a run whose result nobody waits for any more."""

    def losses(self, rows: Sequence[StepLosses]) -> None: ...

    def diffs(self, rows: Sequence[TapDiff]) -> None: ...

    def slices(self, rows: Sequence[Slice]) -> None: ...

    def telemetry(self, rows: Sequence[TelemetrySample]) -> None: ...

    def allocations(self, role: Side, rows: Sequence[AllocationEvent]) -> None: ...

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        stop_if_unwanted(Progress(phase, done, total, message))


def stop_if_unwanted(progress: Progress) -> None:
    """In a spawned process: raise `RunCancelled` when the parent wants no more results."""
    if _stop is not None and _stop.is_set():
        raise RunCancelled(f"stopped in the {progress.phase} phase: nobody waits for the result")


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    work: Callable[[Piece], Result], pieces: Sequence[Piece], jobs: int
) -> Generator[tuple[Piece, Result | Died[Piece]], None, None]:
    """Each piece and what `work` made of it, as they are done. With one job, here; else `work` must be picklable.

    Whoever may leave before the end closes it: processes that are not told to stop work on.
    """
    if jobs == 1 or len(pieces) < 2:
        with threadpool_limits(limits=1):
            for piece in pieces:
                yield piece, work(piece)
        return
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    pool = ProcessPoolExecutor(min(jobs, len(pieces)), context, _begin, (stop,))
    try:
        futures = _submit(pool, work, pieces)
        for future in as_completed(futures):
            piece = futures[future]
            try:
                yield piece, future.result()
            except BrokenProcessPool as error:
                yield piece, Died(piece, f"its process died: {error}")
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, work: Callable[[Piece], Result], pieces: Sequence[Piece]
) -> dict[Future[Result], Piece]:
    """The processes start here and inherit a mask without Ctrl-C, which is for the parent alone."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return {pool.submit(work, piece): piece for piece in pieces}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(stop: Event) -> None:
    """In each process, before its first piece."""
    global _stop
    _stop = stop
    threadpool_limits(limits=1)
    threading.Thread(target=_end_with_the_parent, name="watch-parent", daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(PARENT_DIED)
