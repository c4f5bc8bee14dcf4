"""Takes queued runs one after another and has each carried out; never touches a GPU itself.

A store that cannot be reached for a while is waited for. A run that fails is the run's matter: its row says why.
"""

from __future__ import annotations

import logging
import threading

from service.parity.errors import RunCancelled, RunConflict, RunNotFound, StoreError
from service.ports import Clock, Executor, Progress, RunStore

MAX_WAIT_S = 10.0
"""The longest wait between attempts to reach a store that does not answer."""

PROGRESS_INTERVAL_S = 0.5
"""Progress within a phase is written at most this often: each write competes with the run's own."""

log = logging.getLogger(__name__)


class Worker:
    """One worker, one run at a time. `name` is written into the rows of the runs it takes.

    `run_forever` ends after `stop` is set: a waiting worker at once, a busy one when the executor has stopped its run,
    which is then cancelled. KeyboardInterrupt passes through, after the executor has cancelled the run.
    """

    def __init__(
        self, store: RunStore, executor: Executor, clock: Clock, name: str, poll_interval_s: float = 0.5
    ) -> None:
        self._store = store
        self._executor = executor
        self._clock = clock
        self._name = name
        self._poll_interval_s = poll_interval_s
        self._stop = threading.Event()

    def run_once(self) -> bool:
        """Take the oldest queued run and see it to its end; False when nothing is queued. Raises `StoreError`."""
        run = self._store.claim_next(self._name, self._clock.now())
        if run is None:
            return False
        log.info("run %s: %s against %s", run.id, run.plan.candidate, run.plan.reference)
        listener = _ProgressWriter(self._store, self._clock, run.id, self._stop)
        execution = self._executor.execute(run.id, listener)
        if execution.error is None:
            log.info("run %s has ended", run.id)
        else:
            log.warning("run %s has ended without a verdict: %s", run.id, execution.error)
        return True

    def run_forever(self, stop: threading.Event) -> None:
        """Take runs until `stop` is set, e.g. by a handler of SIGTERM."""
        self._stop = stop
        wait_s = self._poll_interval_s
        while not stop.is_set():
            try:
                busy = self.run_once()
            except StoreError as error:
                log.warning("the store does not answer, trying again in %.1f s: %s", wait_s, error)
                stop.wait(wait_s)
                wait_s = min(2 * wait_s, MAX_WAIT_S)
                continue
            wait_s = self._poll_interval_s
            if not busy:
                stop.wait(wait_s)
        log.info("worker %s has stopped", self._name)


class _ProgressWriter:
    """Writes a run's progress down and raises `RunCancelled` when somebody, or the worker's end, asks it to stop."""

    def __init__(self, store: RunStore, clock: Clock, run_id: str, stop: threading.Event) -> None:
        self._store = store
        self._clock = clock
        self._run_id = run_id
        self._stop = stop
        self._phase: str | None = None
        self._written_s = 0.0

    def __call__(self, progress: Progress) -> None:
        if self._stop.is_set():
            raise RunCancelled(f"the worker is stopping, so run {self._run_id} was stopped; start it again if needed")
        now_s = self._clock.monotonic()
        if progress.phase == self._phase and now_s - self._written_s < PROGRESS_INTERVAL_S:
            return
        try:
            cancel = self._store.report_progress(self._run_id, progress)
        except (RunConflict, RunNotFound) as error:
            raise RunCancelled(f"run {self._run_id} has ended elsewhere: {error}") from error
        except StoreError as error:
            # The run's own writes decide whether it can go on; its progress bar does not.
            log.warning("run %s: its progress could not be written: %s", self._run_id, error)
            return
        self._phase, self._written_s = progress.phase, now_s
        if cancel:
            raise RunCancelled(f"run {self._run_id} was asked to stop")
