"""What the executor's tests have carried out. Spawned processes import this file by name, so it stands alone.

Each takes the folder in which parent and child meet: named pipes there are the events that the tests wait on.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from service.parity.errors import DeviceUnavailable, Problem, RunFailed
from service.parity.verdict import Verdict
from service.ports import Progress, ProgressListener
from service.store.connection import make_engine
from service.store.sql import SqlRunStore


def say(folder: Path, word: str) -> None:
    """Write into the named pipe; blocks until the test reads it."""
    (folder / "said").write_text(word)


def make_ear(folder: Path) -> Path:
    """The named pipe, made by the test before the run begins."""
    os.mkfifo(folder / "said")
    return folder / "said"


def wait_for_ever() -> None:
    signal.pause()


def report_and_leave(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    for phase in ("synchronized", "free_running"):
        for done in range(1, 51):
            on_progress(Progress(phase, done, 50, f"{phase} {done}"))


def say_its_group(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    say(folder, f"{os.getpid()} {os.getpgrp()} {os.getsid(0)} {ignored} {blocked}")


def fail_with_a_code(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    raise RunFailed("gpu_lost", "the GPU is gone at step 3; restart the machine")


def fail_with_a_request_error(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    raise DeviceUnavailable(Problem("device", "cuda:7 is not here; use cpu"))


def fail_unforeseen(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    raise ZeroDivisionError("secret detail")


def leave_by_sys_exit(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    sys.exit(3)


def exit_without_a_word(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    os._exit(9)


def die_by(number: int, folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    os.kill(os.getpid(), number)
    wait_for_ever()


def go_on_until_stopped(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    """Reports for ever; leaves a note when it is asked to stop."""
    done = 0
    try:
        while True:
            done += 1
            on_progress(Progress("synchronized", done, 0))
    finally:
        (folder / "asked").write_text("asked")


def hang(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    """Reports once, then nothing can be asked of it."""
    on_progress(Progress("synchronized", 1, 2))
    wait_for_ever()


def hang_and_ignore_sigterm(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    on_progress(Progress("synchronized", 1, 2))
    while True:
        wait_for_ever()


def hang_with_a_grandchild(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    say(folder, f"{os.getpid()} {grandchild.pid}")
    wait_for_ever()


def leave_a_grandchild(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    say(folder, f"{os.getpid()} {grandchild.pid}")


def finish_in_database(url: str, run_id: str, on_progress: ProgressListener) -> None:
    """A run as it should be: reports, then finishes in the store that parent and child share."""
    store = SqlRunStore(make_engine(url))
    try:
        on_progress(Progress("synchronized", 1, 1))
        store.finish(run_id, Verdict("PASS", "all is well", (), "default"), datetime.now(UTC))
    finally:
        store.close()


def interrupt_the_parent(folder: Path, run_id: str, on_progress: ProgressListener) -> None:
    os.kill(os.getppid(), signal.SIGINT)
    wait_for_ever()


def die_after_finishing(url: str, run_id: str, on_progress: ProgressListener) -> None:
    finish_in_database(url, run_id, on_progress)
    os.kill(os.getpid(), signal.SIGKILL)
