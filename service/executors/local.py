"""Carries a run out in a spawned process on this machine, and sees to it that the run has ended when it returns.

Spawned, never forked: a CUDA context does not survive a fork. An out-of-memory, a hang or a segmentation fault ends
the child; the caller lives on and writes down what happened.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from service.executors.child import STOP, CarryOut, progress_of, read_message, run_child
from service.executors.processes import NotStartedError, interrupt_deferred, reap, signal_group, start, why_died
from service.parity.errors import LockstepError, RunCancelled, RunConflict, RunFailed, StoreUnavailable
from service.ports import Clock, Execution, Progress, ProgressListener, RunStore

STARTING = Progress("starting", 0, 1, "starting the run's process")
"""What the listener hears before the child has said anything."""

HEARTBEAT_S = 1.0
"""A silent child's last progress is repeated this often, so that the listener can stop a run that hangs."""

BURST = 1000
"""At most this many messages are read before the listener hears of the latest."""

TERMINATE_GRACE_S = 1.0
SETTLE_DELAYS_S = (0.1, 0.5, 2.0)
"""Waits between attempts to write a run's end: a database that is locked for a moment must not leave it running."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _End:
    """How the child ended, as far as it said so: `done`, `cancelled`, `failed`, or nothing at all."""

    kind: str = "silent"
    code: str = ""
    message: str = ""


class LocalExecutor:
    """One spawned process a run. `carry_out` writes the record and finishes the run; this class does the rest.

    Stopping: the child is asked first and raises `RunCancelled` at its next progress; after `stop_grace_s` its process
    group is terminated, then killed.
    """

    def __init__(self, store: RunStore, clock: Clock, carry_out: CarryOut, *, stop_grace_s: float = 5.0) -> None:
        self._store = store
        self._clock = clock
        self._carry_out = carry_out
        self._stop_grace_s = stop_grace_s

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        """Carry the claimed run out; when this returns, or raises, its row says how it ended.

        The listener hears the latest progress, not every one: what piles up within a phase while it is busy is
        skipped, so a slow listener does not slow the run. What it raises, and KeyboardInterrupt, ends the run and is
        raised again, except `RunCancelled`. Raises `StoreError` when the end cannot be written.
        """
        context = multiprocessing.get_context("spawn")
        pipe, child_pipe = context.Pipe()
        child = context.Process(target=run_child, args=(child_pipe, self._carry_out, run_id), name=f"run-{run_id}")
        with contextlib.closing(pipe), contextlib.closing(child_pipe):
            try:
                start(child)
                child_pipe.close()
                end = _listen(child, pipe, on_progress)
                _await_exit(child, self._stop_grace_s)
            except RunCancelled as error:
                return self._cancel(run_id, self._stop(child, pipe), error)
            except NotStartedError as error:
                return self._fail(run_id, None, RunFailed("child_not_started", str(error)))
            except KeyboardInterrupt:
                self._cancel(run_id, self._stop(child, pipe), RunCancelled(f"run {run_id} was interrupted"))
                raise
            except BaseException:
                reason = "Lockstep could not follow the run and stopped it; the log of the process that ran it says why"
                self._fail(run_id, self._stop(child, pipe), RunFailed("internal", reason))
                raise
            return self._settle(run_id, reap(child), end)

    def _settle(self, run_id: str, exit_code: int, end: _End) -> Execution:
        """The row for a child that ended by itself."""
        if end.kind == "cancelled":
            return self._cancel(run_id, exit_code, RunCancelled(f"run {run_id} was stopped"))
        if end.kind == "failed":
            return self._fail(run_id, exit_code, RunFailed(end.code, end.message))
        if end.kind == "done":
            message = "the run's process ended without a verdict; this is a defect of Lockstep, please report it"
            return self._fail(run_id, exit_code, RunFailed("internal", message))
        return self._fail(run_id, exit_code, RunFailed("child_died", why_died(exit_code, "the run's process")))

    def _fail(self, run_id: str, exit_code: int | None, error: RunFailed) -> Execution:
        with interrupt_deferred():
            ended = self._write(lambda: self._store.fail(run_id, error.code, str(error), self._clock.now()))
        return Execution(run_id, exit_code, error if ended else None)

    def _cancel(self, run_id: str, exit_code: int | None, error: LockstepError) -> Execution:
        with interrupt_deferred():
            ended = self._write(lambda: self._store.mark_cancelled(run_id, self._clock.now()))
        return Execution(run_id, exit_code, error if ended else None)

    def _write(self, end_run: Callable[[], object]) -> bool:
        """Write the end; False when the run had ended already, which the child does when all goes well."""
        for delay_s in (*SETTLE_DELAYS_S, None):
            try:
                end_run()
                return True
            except RunConflict:
                return False
            except StoreUnavailable as error:
                if delay_s is None:
                    raise
                log.warning("the end of a run could not be written and is tried again in %s s: %s", delay_s, error)
                time.sleep(delay_s)
        raise AssertionError("unreachable")

    def _stop(self, child: SpawnProcess, pipe: Connection) -> int | None:
        """Ask, terminate, kill; a second Ctrl-C kills at once. The exit code of the child, which is gone after."""
        if child.pid is None:
            return None
        with contextlib.suppress(KeyboardInterrupt):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                pipe.send_bytes(STOP)
            if not _drain_until_exit(child, pipe, self._stop_grace_s):
                log.warning("process %s did not stop within %s s: terminating it", child.pid, self._stop_grace_s)
                signal_group(child, signal.SIGTERM)
                wait([child.sentinel], TERMINATE_GRACE_S)
        return reap(child)


def _listen(child: SpawnProcess, pipe: Connection, on_progress: ProgressListener) -> _End:
    """Hand the child's progress on until it says how it ended, or dies."""
    latest = STARTING
    on_progress(latest)
    while True:
        ready = wait([pipe, child.sentinel], HEARTBEAT_S)
        if ready and pipe not in ready:
            return _End()
        for _ in range(BURST):
            if not pipe.poll():
                break
            try:
                message = read_message(pipe.recv_bytes())
            except (EOFError, ConnectionResetError):
                return _End()
            if message["kind"] != "progress":
                with contextlib.suppress(RunCancelled):  # too late: the run has ended
                    on_progress(latest)
                return _End(message["kind"], message.get("code", ""), message.get("message", ""))
            progress = progress_of(message)
            if progress.phase != latest.phase:
                on_progress(latest)
            latest = progress
        on_progress(latest)


def _await_exit(child: SpawnProcess, grace_s: float) -> None:
    """Let a child that has said its last word exit; one that hangs in its teardown is killed by `reap`."""
    if not wait([child.sentinel], grace_s):
        log.warning("process %s had ended its run but not itself after %s s: killing it", child.pid, grace_s)


def _drain_until_exit(child: SpawnProcess, pipe: Connection, grace_s: float) -> bool:
    """Wait for the child's exit, reading what it still says: a full pipe would keep it from stopping."""
    deadline = time.monotonic() + grace_s
    listening = True
    while (left_s := deadline - time.monotonic()) > 0:
        ready = wait([child.sentinel, pipe] if listening else [child.sentinel], left_s)
        if child.sentinel in ready:
            return True
        if ready:
            try:
                pipe.recv_bytes()
            except (EOFError, ConnectionResetError):
                listening = False
    return False
