"""Spawned processes as this package starts and ends them: each in a session of its own, none outliving its parent.

Ctrl-C reaches the parent only, and one signal reaches everything that a process has started. A process whose parent is
gone sees its pipe's end-of-file and ends its whole group.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Iterator
from multiprocessing.context import SpawnProcess
from typing import NoReturn

PARENT_DIED = 70
"""Exit code of a child that found its parent gone (EX_SOFTWARE of sysexits.h); nobody is left to read it."""

log = logging.getLogger(__name__)


class NotStartedError(Exception):
    """The operating system refused the process."""


@contextlib.contextmanager
def interrupt_deferred() -> Iterator[None]:
    """Hold SIGINT back while a process is spawned; the child inherits the mask until it has its own session."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start(child: SpawnProcess) -> None:
    """Start the process; raises `NotStartedError` saying why it could not be."""
    try:
        with interrupt_deferred():
            child.start()
    except OSError as error:
        log.exception("the process %s could not be started", child.name)
        reason = f"the process {child.name} could not be started: {error.strerror}"
        raise NotStartedError(f"{reason}; free memory or processes, then try again") from error


def leave_the_terminal() -> None:
    """In the child: a session of its own.

    The parent blocks SIGINT while it spawns and the mask is inherited, so there is no moment in which it hits.
    """
    with contextlib.suppress(PermissionError):  # already a group's leader
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def end_without_parent() -> NoReturn:
    """In the child, once the parent is gone: end this process and whatever it has started."""
    if os.getpgrp() == os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(PARENT_DIED)


def signal_group(child: SpawnProcess, number: signal.Signals) -> None:
    """Signal the child's whole process group, or the child alone if it has not made its own group yet."""
    assert child.pid is not None
    try:
        os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.pid, number)


def reap(child: SpawnProcess) -> int:
    """Kill what is left of the group, then collect the exit code.

    The order matters: until it is collected, a child that has exited keeps its process id from being given anew.
    """
    signal_group(child, signal.SIGKILL)
    child.join()
    assert child.exitcode is not None
    return child.exitcode


def why_died(exit_code: int, who: str) -> str:
    """A sentence about a process that ended without a word, and what to do."""
    if exit_code >= 0:
        return f"{who} ended with exit code {exit_code} and no word; its log says more"
    name = signal.Signals(-exit_code).name if -exit_code in signal.valid_signals() else f"signal {-exit_code}"
    what_to_do = {
        "SIGKILL": "often the kernel's out-of-memory killer (see dmesg): use a smaller batch or model, or free memory",
        "SIGTERM": "something outside Lockstep ended it: find out what, then start the run again",
    }.get(name, "a crash in native code: its log names the Python line; a CPU run tells whether the device is at fault")
    return f"{who} was ended by {name}; {what_to_do}"
