"""The worker: takes runs in order, passes wishes to stop on, and waits for a store that does not answer."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import service.worker as worker_module
from service.parity.errors import LockstepError, RunCancelled, RunConflict, RunNotFound, StoreUnavailable
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.verdict import Verdict
from service.ports import Execution, Progress, ProgressListener
from service.store.memory import MemoryRunStore
from service.worker import Worker

AT = datetime(2030, 1, 1, tzinfo=UTC)
PATIENCE_S = 30.0


class SetClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return AT

    def monotonic(self) -> float:
        return self.seconds


class ScriptedExecutor:
    """Plays a run in this process: `script` reports, then the run passes; a wish to stop cancels it."""

    def __init__(
        self, store: MemoryRunStore, script: Callable[[ProgressListener], None] = lambda listener: None
    ) -> None:
        self.store = store
        self.script = script
        self.executed: list[str] = []

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        self.executed.append(run_id)
        error: LockstepError | None = None
        try:
            self.script(on_progress)
            self.store.finish(run_id, Verdict("PASS", "well", (), "default"), AT)
        except RunCancelled as cancelled:
            error = cancelled
            self.store.mark_cancelled(run_id, AT)
        except KeyboardInterrupt:
            self.store.mark_cancelled(run_id, AT)
            raise
        return Execution(run_id, 0, error)


@pytest.fixture
def store() -> MemoryRunStore:
    return MemoryRunStore()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def queue(store: MemoryRunStore, *ids: str) -> None:
    for run_id in ids:
        store.create_run(run_id, Plan(), named_policy("default"), AT)


def test_nothing_to_do(store: MemoryRunStore, clock: SetClock) -> None:
    assert Worker(store, ScriptedExecutor(store), clock, "w").run_once() is False


def test_one_run(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a")
    assert Worker(store, ScriptedExecutor(store), clock, "w-7").run_once() is True
    assert (store.run("a").outcome, store.run("a").worker, store.run("a").started_at) == ("PASS", "w-7", AT)


def test_runs_in_order_until_told_to_stop(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a", "b", "c")
    stop = threading.Event()
    executor = ScriptedExecutor(store)

    def stop_after_the_third(listener: ProgressListener) -> None:
        if len(executor.executed) == 3:
            stop.set()

    executor.script = stop_after_the_third
    Worker(store, executor, clock, "w").run_forever(stop)
    assert executor.executed == ["a", "b", "c"]
    assert {store.run(run_id).state for run_id in "abc"} == {"finished"}


def test_idle_worker_stops_at_once(store: MemoryRunStore, clock: SetClock) -> None:
    stop = threading.Event()
    polled = threading.Event()
    claim = store.claim_next

    def claim_next(name: str, at: datetime) -> Any:
        polled.set()
        return claim(name, at)

    store.claim_next = claim_next  # type: ignore[method-assign]
    worker = Worker(store, ScriptedExecutor(store), clock, "w", poll_interval_s=3600.0)
    thread = threading.Thread(target=worker.run_forever, args=(stop,), daemon=True)
    thread.start()
    assert polled.wait(PATIENCE_S)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_stop_cancels_the_running_run_and_leaves_the_next(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a", "b")
    stop = threading.Event()

    def stop_in_the_middle(listener: ProgressListener) -> None:
        listener(Progress("synchronized", 1, 2))
        stop.set()
        listener(Progress("synchronized", 1, 2))
        raise AssertionError("the run went on")

    Worker(store, ScriptedExecutor(store, stop_in_the_middle), clock, "w").run_forever(stop)
    assert (store.run("a").state, store.run("b").state) == ("cancelled", "queued")


def test_progress_is_written_and_a_wish_to_stop_is_passed_on(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a")

    def cancelled_from_elsewhere(listener: ProgressListener) -> None:
        listener(Progress("synchronized", 1, 2))
        assert store.run("a").progress == Progress("synchronized", 1, 2)
        store.request_cancel("a", AT)
        clock.seconds += worker_module.PROGRESS_INTERVAL_S
        listener(Progress("synchronized", 2, 2))
        raise AssertionError("the run went on")

    assert Worker(store, ScriptedExecutor(store, cancelled_from_elsewhere), clock, "w").run_once() is True
    assert store.run("a").state == "cancelled"


def test_progress_is_written_now_and_then_and_at_each_phase(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a")
    written: list[Progress] = []
    report = store.report_progress

    def note(run_id: str, progress: Progress) -> bool:
        written.append(progress)
        return report(run_id, progress)

    store.report_progress = note  # type: ignore[method-assign]

    def hurry(listener: ProgressListener) -> None:
        for done in range(100):
            listener(Progress("synchronized", done, 100))
        clock.seconds += worker_module.PROGRESS_INTERVAL_S
        listener(Progress("synchronized", 100, 100))
        listener(Progress("free_running", 0, 5))

    Worker(store, ScriptedExecutor(store, hurry), clock, "w").run_once()
    assert [(p.phase, p.done) for p in written] == [("synchronized", 0), ("synchronized", 100), ("free_running", 0)]


def test_progress_that_cannot_be_written_does_not_end_the_run(
    store: MemoryRunStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    queue(store, "a")

    def locked(run_id: str, progress: Progress) -> bool:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(store, "report_progress", locked)
    script = ScriptedExecutor(store, lambda listener: listener(Progress("synchronized", 1, 2)))
    with caplog.at_level(logging.WARNING):
        Worker(store, script, clock, "w").run_once()
    assert store.run("a").state == "finished"
    assert "locked" in caplog.text


@pytest.mark.parametrize("error", [RunNotFound("gone"), RunConflict("ended")])
def test_run_that_ended_elsewhere_is_stopped(
    store: MemoryRunStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch, error: LockstepError
) -> None:
    queue(store, "a")

    def gone(run_id: str, progress: Progress) -> bool:
        raise error

    monkeypatch.setattr(store, "report_progress", gone)
    script = ScriptedExecutor(store, lambda listener: listener(Progress("synchronized", 1, 2)))
    Worker(store, script, clock, "w").run_once()
    assert store.run("a").state == "cancelled"


def test_store_that_does_not_answer_is_waited_for(
    store: MemoryRunStore, clock: SetClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Ten failures in a row, each waited out longer than the one before, then the run."""
    queue(store, "a")
    waits: list[float] = []
    failures = iter(range(10))
    claim = store.claim_next

    class PatientStop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            return self.is_set()

    stop = PatientStop()

    def claim_next(name: str, at: datetime) -> Any:
        if next(failures, None) is not None:
            raise StoreUnavailable("locked")
        return claim(name, at)

    store.claim_next = claim_next  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING):
        Worker(store, ScriptedExecutor(store, lambda listener: stop.set()), clock, "w").run_forever(stop)
    assert store.run("a").state == "finished"
    assert waits == sorted(waits)
    assert len(waits) == 10
    assert (waits[0], waits[-1]) == (0.5, worker_module.MAX_WAIT_S)
    assert "locked" in caplog.text


def test_ctrl_c_passes_through(store: MemoryRunStore, clock: SetClock) -> None:
    queue(store, "a")

    def interrupted(listener: ProgressListener) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Worker(store, ScriptedExecutor(store, interrupted), clock, "w").run_forever(threading.Event())
    assert store.run("a").state == "cancelled"
