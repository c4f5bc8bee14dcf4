"""What is particular to processes on this machine: sessions, signals, process groups, a parent that dies."""

from __future__ import annotations

import importlib
import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest

import service.executors.local as local
from service.executors.local import LocalExecutor
from service.parity.errors import RunCancelled, StoreUnavailable
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.ports import Progress, RunRow
from service.store.memory import MemoryRunStore

RUN = "0" * 26
PATIENCE_S = 30


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def carriers() -> Any:
    return importlib.import_module("carriers")


@pytest.fixture
def store() -> MemoryRunStore:
    kept = MemoryRunStore()
    kept.create_run(RUN, Plan(), named_policy("default"), datetime.now(UTC))
    kept.claim(RUN, "test", datetime.now(UTC))
    return kept


def ignore(progress: Progress) -> None:
    pass


def cancel_once_it_works(progress: Progress) -> None:
    if progress.phase == "synchronized":
        raise RunCancelled("asked to")


def execute(store: MemoryRunStore, carry_out: Any, listener: Any = ignore, grace_s: float = 5.0) -> Any:
    return LocalExecutor(store, WallClock(), carry_out, stop_grace_s=grace_s).execute(RUN, listener)


def listen_to(ear: Path) -> int:
    """Open the pipe without waiting for the one who will speak."""
    return os.open(ear, os.O_RDONLY | os.O_NONBLOCK)


def hear(descriptor: int) -> str:
    """Everything said until the speaker closes the pipe."""
    os.set_blocking(descriptor, True)
    heard = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], PATIENCE_S)
        assert ready, f"nothing was said within {PATIENCE_S} s"
        part = os.read(descriptor, 4096)
        if not part:
            os.close(descriptor)
            return heard.decode()
        heard += part


def ended(pid: int) -> bool:
    """Whether the process ends within the tests' patience."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = select.select([handle], [], [], PATIENCE_S)
        return bool(ready)
    finally:
        os.close(handle)


def test_child_has_its_own_session_and_ignores_ctrl_c(store: MemoryRunStore, carriers: Any, tmp_path: Path) -> None:
    descriptor = listen_to(carriers.make_ear(tmp_path))
    execute(store, partial(carriers.say_its_group, tmp_path))
    pid, group, session, ignored, blocked = hear(descriptor).split()
    assert pid == group == session
    assert int(session) != os.getsid(0)
    assert (ignored, blocked) == ("True", "False")


def test_parent_takes_ctrl_c_as_before(store: MemoryRunStore, carriers: Any, tmp_path: Path) -> None:
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    execute(store, partial(carriers.report_and_leave, tmp_path))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == mask


def test_ctrl_c_while_waiting_cancels_and_comes_back(store: MemoryRunStore, carriers: Any, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        execute(store, partial(carriers.interrupt_the_parent, tmp_path), grace_s=0.1)
    assert store.run(RUN).state == "cancelled"


def test_ctrl_c_while_starting_waits_until_the_child_can_be_stopped(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    start = SpawnProcess.start

    def interrupted_start(child: SpawnProcess) -> None:
        signal.raise_signal(signal.SIGINT)
        start(child)
        assert child.pid is not None
        started.append(child.pid)

    monkeypatch.setattr(SpawnProcess, "start", interrupted_start)
    with pytest.raises(KeyboardInterrupt):
        execute(store, partial(carriers.hang, tmp_path), grace_s=0.1)
    assert len(started) == 1
    assert ended(started[0])
    assert store.run(RUN).state == "cancelled"


def test_hanging_child_is_terminated(store: MemoryRunStore, carriers: Any, tmp_path: Path) -> None:
    execution = execute(store, partial(carriers.hang, tmp_path), cancel_once_it_works, grace_s=0.1)
    assert execution.exit_code == -signal.SIGTERM
    assert store.run(RUN).state == "cancelled"


def test_child_that_ignores_sigterm_is_killed(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "TERMINATE_GRACE_S", 0.1)
    execution = execute(store, partial(carriers.hang_and_ignore_sigterm, tmp_path), cancel_once_it_works, grace_s=0.1)
    assert execution.exit_code == -signal.SIGKILL
    assert store.run(RUN).state == "cancelled"


def test_silent_child_can_still_be_cancelled(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener hears the last progress again and again, so it can look for a wish to stop."""
    monkeypatch.setattr(local, "HEARTBEAT_S", 0.01)
    heard: list[Progress] = []

    def cancel_at_the_third(progress: Progress) -> None:
        heard.append(progress)
        if heard.count(Progress("synchronized", 1, 2)) == 3:
            raise RunCancelled("asked to")

    execute(store, partial(carriers.hang, tmp_path), cancel_at_the_third, grace_s=0.1)
    assert store.run(RUN).state == "cancelled"


def test_no_grandchild_outlives_the_run(store: MemoryRunStore, carriers: Any, tmp_path: Path) -> None:
    descriptor = listen_to(carriers.make_ear(tmp_path))
    execute(store, partial(carriers.leave_a_grandchild, tmp_path))
    _, grandchild = hear(descriptor).split()
    assert ended(int(grandchild))


def test_death_of_the_parent_ends_child_and_grandchild(carriers: Any, tmp_path: Path) -> None:
    descriptor = listen_to(carriers.make_ear(tmp_path))
    script = f"""
import sys
from functools import partial
from multiprocessing.context import SpawnProcess
from pathlib import Path
if __name__ == "__main__":
    sys.path[:0] = [{str(Path(__file__).parent)!r}]
    import carriers
    from service.executors.local import LocalExecutor
    LocalExecutor(None, None, partial(carriers.hang_with_a_grandchild, Path({str(tmp_path)!r}))).execute(
        "0" * 26, lambda progress: None)
"""
    path = tmp_path / "parent.py"
    path.write_text(script)
    with subprocess.Popen([sys.executable, str(path)]) as parent:
        child, grandchild = (int(word) for word in hear(descriptor).split())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
        parent.wait()
        assert ended(child)
        assert ended(grandchild)


def test_end_is_written_once_the_store_answers_again(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "SETTLE_DELAYS_S", (0.0, 0.0))
    attempts: list[str] = []
    write = store.fail

    def locked_twice(run_id: str, code: str, message: str, at: datetime) -> RunRow:
        attempts.append(code)
        if len(attempts) < 3:
            raise StoreUnavailable("locked")
        return write(run_id, code, message, at)

    monkeypatch.setattr(store, "fail", locked_twice)
    execute(store, partial(carriers.exit_without_a_word, tmp_path))
    assert attempts == ["child_died"] * 3
    assert store.run(RUN).state == "failed"


def test_store_that_never_answers_is_an_error(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "SETTLE_DELAYS_S", ())

    def locked(*ignored: Any) -> RunRow:
        raise StoreUnavailable("locked")

    monkeypatch.setattr(store, "fail", locked)
    with pytest.raises(StoreUnavailable):
        execute(store, partial(carriers.exit_without_a_word, tmp_path))


def test_process_that_cannot_be_started_fails_the_run(
    store: MemoryRunStore, carriers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(SpawnProcess, "start", refuse)
    execution = execute(store, partial(carriers.hang, tmp_path))
    row = store.run(RUN)
    assert (row.state, row.error_code, execution.exit_code) == ("failed", "child_not_started", None)
    assert "Cannot allocate memory" in (row.error_message or "")
