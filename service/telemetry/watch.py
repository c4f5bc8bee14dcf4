"""The sampler's own process: polls one device on a fixed grid and answers its parent. Imports no web, no arrays.

Messages are JSON. The parent asks, one question at a time, and every answer carries the samples that piled up: nothing
is sent, and so nobody woken, while steps are timed.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from service.parity.measurements import TelemetrySample
from service.telemetry.nvml import Nvml
from service.telemetry.watched import DeviceAbsentError, WatchedDevice

ANSWER_SAMPLES = 500
"""An answer carries at most so many, so that it fits into the pipe: a process that stops while it writes must not hold
its parent up. Where there are more, it says so."""

KEPT_SAMPLES = 200_000
"""About an hour's, if nobody asks; then the oldest go and count as gaps."""

PARENT_DIED = 70
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Watching:
    """What to watch, how often, and through which library; picklable, since a spawned process imports it by name."""

    uuid: str
    library: Callable[[], Nvml]
    fast_s: float = 0.25
    slow_s: float = 1.0


def run_watch(pipe: Connection, watching: Watching, parent: int, tied: bool) -> None:
    """Entry of the spawned process. `tied`: the kernel may kill it with the parent's starting thread."""
    _end_with_parent(parent, tied)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's affair, which then stops this process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        device = WatchedDevice(watching.library(), watching.uuid, watching.fast_s)
    except DeviceAbsentError as absent:
        fault = absent.fault
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send(pipe, {"absent": str(fault), "status": fault.status, "lost": fault.lost})
        return
    Watch(device, watching, pipe).serve()


def _end_with_parent(parent: int, tied: bool) -> None:
    """However the parent dies, this process does too; also while a call to the driver hangs."""
    process = multiprocessing.parent_process()
    if process is not None:
        threading.Thread(target=_outlive, args=(process.join,), name="watch-parent", daemon=True).start()
    if tied and sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # it died before this was in force
            os._exit(PARENT_DIED)


def _outlive(join: Callable[[], None]) -> None:
    join()
    os._exit(PARENT_DIED)


class Watch:
    """Polls the device when it is due, answers in between."""

    def __init__(self, device: WatchedDevice, watching: Watching, pipe: Connection) -> None:
        self._device = device
        self._pipe = pipe
        self._periods = {"fast": watching.fast_s, "slow": watching.slow_s}
        self._polls = {"fast": device.poll_fast, "slow": device.poll_slow}
        self._kept: deque[TelemetrySample] = deque()
        self._reads = self._gaps = 0
        self._paused = False
        self._own: list[int] = []
        device.warm_up()
        self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
        self._due = dict.fromkeys(self._periods, self._began_s)

    def serve(self) -> None:
        """Until the parent says stop, or is gone."""
        try:
            self._poll_due()
            self._say({"name": self._device.name})
            while True:
                left_s = None if self._paused else max(0.0, min(self._due.values()) - time.monotonic())
                if not self._pipe.poll(left_s):
                    self._poll_due()
                elif not self._answer(json.loads(self._pipe.recv_bytes())):
                    return
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return
        finally:
            self._device.close()

    def _poll_due(self) -> None:
        for name, period_s in self._periods.items():
            now_s = time.monotonic()
            if now_s < self._due[name]:
                continue
            missed = math.floor((now_s - self._due[name]) / period_s)
            self._gaps += missed
            self._due[name] += (missed + 1) * period_s
            self._kept.extend(self._polls[name]())
            self._reads += 1
        while len(self._kept) > KEPT_SAMPLES:
            self._kept.popleft()
            self._gaps += 1

    def _answer(self, question: Mapping[str, Any]) -> bool:
        """Do what is asked and answer; False after the last."""
        answer: dict[str, Any] = {"to": question["number"]}
        ask = question["ask"]
        if ask == "own":
            self._own = [int(pid) for pid in question["pids"]]
        elif ask == "edge":
            answer["edge"] = asdict(self._device.edge(self._own))
        elif ask in ("pause", "stop"):
            self._paused = True
        elif ask == "resume" and self._paused:
            self._paused = False
            self._device.resumed()
            self._due = dict.fromkeys(self._periods, time.monotonic())
        self._say(answer)
        return bool(ask != "stop" or self._kept)

    def _say(self, answer: dict[str, Any]) -> None:
        sent = [self._kept.popleft() for _ in range(min(ANSWER_SAMPLES, len(self._kept)))]
        answer["samples"] = [[s.at_s, s.field, s.value, s.status] for s in sent]
        answer["more"] = bool(self._kept)
        answer["reads"], answer["gaps"] = self._reads, self._gaps
        answer["wall_s"] = time.monotonic() - self._began_s
        answer["cpu_s"] = time.process_time() - self._began_cpu_s
        answer["reasons"] = self._device.reasons
        answer["lost_reason"] = self._device.lost_reason
        _send(self._pipe, answer)


def _send(pipe: Connection, message: Mapping[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())
