"""The child's half of a local execution: what runs in the spawned process, and what it says to its parent.

Messages are JSON, not pickles: the parent outlives the child and must not run what a broken child sends. The child
tells its progress and, once, how it ended; the parent says at most `stop`, and its death is the pipe's end-of-file.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import json
import logging
import re
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from service.executors.processes import end_without_parent, leave_the_terminal
from service.parity.errors import LockstepError, RunCancelled, RunFailed
from service.ports import Progress, ProgressListener

CarryOut = Callable[[str, ProgressListener], None]
"""Carries a claimed run out and finishes it in the store; picklable, since a spawned process imports it by name."""

STOP = b"stop"
log = logging.getLogger(__name__)


def run_child(pipe: Connection, carry_out: CarryOut, run_id: str) -> None:
    """Entry of the spawned process: carry the run out, report progress, say how it ended."""
    leave_the_terminal()
    faulthandler.enable()
    stop = threading.Event()
    threading.Thread(target=_watch_parent, args=(pipe, stop), name="watch-parent", daemon=True).start()
    tell = Teller(pipe)

    def on_progress(progress: Progress) -> None:
        if stop.is_set():
            raise RunCancelled(f"run {run_id} was asked to stop")
        tell(kind="progress", **dataclasses.asdict(progress))

    try:
        carry_out(run_id, on_progress)
    except RunCancelled:
        tell(kind="cancelled")
    except BaseException as error:
        # Also SystemExit: a run must not end without a word because something in it called sys.exit.
        log.exception("run %s ended with an error in its process", run_id)
        code, message = describe(error)
        tell(kind="failed", code=code, message=message)
    else:
        tell(kind="done")


def describe(error: BaseException) -> tuple[str, str]:
    """The reason code and message for the run's row. What an unforeseen error says stays in the log."""
    if isinstance(error, RunFailed):
        return error.code, str(error)
    if isinstance(error, LockstepError):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).lower(), str(error)
    if isinstance(error, MemoryError):
        return "internal", "the run's process found no more host memory; use a smaller batch or model"
    return "internal", (
        f"Lockstep met an unforeseen {type(error).__name__} and could not carry the run out; "
        "the traceback is in the log of the process that executed it"
    )


def read_message(raw: bytes) -> dict[str, Any]:
    """One message of the child; raises ValueError for anything else."""
    message: Any = json.loads(raw)
    kind = message.get("kind") if isinstance(message, dict) else None
    if not isinstance(kind, str):
        raise ValueError("a message of the child has no kind")  # noqa: TRY004 - it is data, not an argument
    return dict(message)


def progress_of(message: dict[str, Any]) -> Progress:
    """The progress that a message of that kind carries; raises ValueError for a message that does not."""
    try:
        values = {field.name: message[field.name] for field in dataclasses.fields(Progress)}
    except KeyError as error:
        raise ValueError(f"a progress message lacks {error}") from error
    return Progress(**values)


class Teller:
    """Sends messages, one at a time: a run may report from several threads."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._lock = threading.Lock()

    def __call__(self, **message: Any) -> None:
        # A broken pipe means that the parent is gone; the watcher sees that too and ends the process.
        with self._lock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send_bytes(json.dumps(message).encode())


def _watch_parent(pipe: Connection, stop: threading.Event) -> None:
    """Note the parent's wish to stop; end this process and its children once the parent is gone."""
    try:
        while True:
            if pipe.recv_bytes() == STOP:
                stop.set()
    except (EOFError, OSError):
        end_without_parent()
