"""The parent's half of the NVML sampler: starts the process that watches one device, asks it, outlives it.

No call blocks for longer than `Patience` says: a process that hangs gives `timeout`, one that died gives `stale`, both
with the reason in the report.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from service.parity.measurements import EdgeReading, SamplerReport, SampleStatus, TelemetrySample
from service.telemetry import nvml
from service.telemetry.absent import AbsentSampler
from service.telemetry.nvml import Nvml
from service.telemetry.watch import Watching, run_watch
from service.telemetry.watched import GPU_EDGE_FIELDS, GPU_FIELDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """For how long the sampler's process is waited for, in seconds."""

    start_s: float = 30.0
    answer_s: float = 2.0
    """While it is well; an edge takes 15 ms at most."""
    overdue_s: float = 0.05
    """While an earlier answer is still owed."""
    exit_s: float = 2.0


class NvmlSampler:
    """Watches the GPU with this UUID; `device` is what the run calls it. Where it cannot be watched it is absent.

    `own` is by default this process alone, until it is told more.
    """

    def __init__(
        self,
        device: str,
        uuid: str,
        *,
        library: Callable[[], Nvml] = nvml.library,
        fast_s: float = 0.25,
        slow_s: float = 1.0,
        patience: Patience | None = None,
    ) -> None:
        self._device = device
        self._watching = Watching(uuid, library, fast_s, slow_s)
        self._patience = patience or Patience()
        self._process: Any = None
        self._pipe: Connection | None = None
        self._absent: AbsentSampler | None = None
        self._report: SamplerReport | None = None
        self._name: str | None = None
        self._state: Mapping[str, Any] = {}
        self._number = 0
        self._owed = False
        self._trouble: Literal["stale", "timeout"] | None = None
        self._reason = ""
        self._own = [os.getpid()]
        self._paused = False
        self._contact_s = 0.0
        self._pending: list[TelemetrySample] = []
        self._statuses: Counter[str] = Counter()

    def start(self) -> None:
        """Spawn the process and wait for its first values, or for the reason why none come."""
        if self._process is not None or self._absent is not None:
            return
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # The kernel's death signal follows the thread that spawned: only the main one is sure to last.
        tied = threading.current_thread() is threading.main_thread()
        self._process = context.Process(
            target=run_watch, args=(theirs, self._watching, os.getpid(), tied), name="sampler", daemon=True
        )
        try:
            with _interrupt_deferred():
                self._process.start()
        except OSError as error:
            theirs.close()
            self._process = None
            self._become_absent(
                f"the sampler's process could not be started: {error.strerror}; free memory or processes"
            )
            return
        theirs.close()
        hello = self._receive(self._patience.start_s)
        if hello is None and self._trouble is None:
            self._fall("timeout", f"the driver gave no first value within {self._patience.start_s:.0f} s; see dmesg")
        if hello is None:
            self._become_absent(self._reason, "timeout" if self._trouble == "timeout" else "not_supported")
        elif "absent" in hello:
            self._become_absent(str(hello["absent"]), hello["status"], bool(hello["lost"]))
        else:
            self._name = str(hello["name"])
            self._ask("own", pids=self._own)

    def own(self, pids: Sequence[int]) -> None:
        """Processes of this run, this one included; any other compute process on the device is foreign."""
        self._own = sorted({os.getpid(), *pids})
        self._ask("own", pids=self._own)

    def edge(self) -> EdgeReading:
        """The counters now; within the patience, whatever has become of the process."""
        if self._absent is not None:
            return self._absent.edge()
        answer = self._ask("edge")
        if answer is None:
            status: SampleStatus = self._trouble or "stale"
            return EdgeReading(time.monotonic(), {}, dict.fromkeys(GPU_EDGE_FIELDS, status))
        return EdgeReading(**answer["edge"])

    def pause(self) -> None:
        """No samples until `resume`. Edges are still read."""
        if self._ask("pause") is not None:
            self._paused = True

    def resume(self) -> None:
        """Samples again; none spans the pause."""
        if self._ask("resume") is not None:
            self._paused = False

    def drain(self) -> list[TelemetrySample]:
        """All samples since the last call. A process that hangs or is gone gives one mark a field, without a value."""
        deadline_s = time.monotonic() + self._patience.answer_s
        answer = self._ask("drain")
        while answer is not None and answer["more"] and time.monotonic() < deadline_s:
            answer = self._ask("drain")
        if answer is None and self._trouble is not None and self._report is None:
            self._mark(self._trouble)
        taken, self._pending = self._pending, []
        return sorted(taken, key=lambda sample: sample.at_s)

    def stop(self) -> SamplerReport:
        """End the process, by force if it does not answer. Samples not yet drained can still be."""
        if self._report is None:
            if self._absent is None:
                answer = self._ask("stop")
                while answer is not None and answer["more"]:
                    answer = self._ask("stop")
                missed = 0 if self._trouble is None or self._paused else self._missed()
                self._report = self._final(missed)
            else:
                self._report = self._absent.stop()
            self._end()
        return self._report

    # --- the process --------------------------------------------------------------------------------------------------

    def _ask(self, ask: str, **more: Any) -> dict[str, Any] | None:
        """Its answer; None where there is no process, or it is dead, or does not answer in time."""
        if self._pipe is None or self._trouble == "stale":
            return None
        if self._owed and self._receive(self._patience.overdue_s) is None:
            return None
        self._number += 1
        try:
            self._pipe.send_bytes(json.dumps({"number": self._number, "ask": ask, **more}).encode())
        except (BrokenPipeError, ConnectionResetError):
            self._died()
            return None
        self._owed = True
        answer = self._receive(self._patience.answer_s)
        if answer is None and self._trouble is None:
            self._fall("timeout", f"the sampler's process did not answer within {self._patience.answer_s} s; see dmesg")
        return answer

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The answer that is owed, its samples kept; None when it does not come in time or cannot come any more."""
        assert self._pipe is not None
        if not wait([self._pipe, self._process.sentinel], seconds):
            return None
        if not self._pipe.poll():
            self._died()
            return None
        try:
            answer: dict[str, Any] = json.loads(self._pipe.recv_bytes())
        except (EOFError, ConnectionResetError):
            self._died()
            return None
        self._owed = False
        if self._trouble == "timeout":
            log.warning("the sampler's process answers again")
            self._trouble = None
        self._contact_s = time.monotonic()
        if "samples" in answer:
            self._state = answer
            self._keep([TelemetrySample(*row) for row in answer["samples"]])
        return answer

    def _died(self) -> None:
        self._process.join(self._patience.exit_s)
        code = self._process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        self._fall("stale", f"the sampler's process ended by itself ({how}); its log or dmesg may say why")

    def _fall(self, trouble: Literal["stale", "timeout"], reason: str) -> None:
        self._trouble, self._reason = trouble, reason
        log.warning("%s", reason)

    def _mark(self, status: SampleStatus) -> None:
        now_s = time.monotonic()
        self._keep([TelemetrySample(now_s, field, None, status) for field in GPU_FIELDS])

    def _keep(self, samples: Sequence[TelemetrySample]) -> None:
        self._statuses.update(sample.status for sample in samples)
        self._pending.extend(samples)

    def _missed(self) -> int:
        return max(1, math.floor((time.monotonic() - self._contact_s) / self._watching.fast_s))

    def _become_absent(self, reason: str, status: SampleStatus = "not_supported", lost: bool = False) -> None:
        self._absent = AbsentSampler(self._device, reason, status, uuid=self._watching.uuid, lost=lost)
        self._end()

    def _final(self, missed: int) -> SamplerReport:
        state = self._state
        reasons = dict(state.get("reasons", {}))
        if self._reason:
            reasons["sampler"] = self._reason
        return SamplerReport(
            source="nvml",
            device=self._device,
            device_name=self._name,
            device_uuid=self._watching.uuid,
            absent_reason=None if self._process is not None else "the sampler was never started",
            wall_s=state.get("wall_s"),
            cpu_s=state.get("cpu_s"),
            reads=state.get("reads", 0),
            gaps=state.get("gaps", 0) + missed,
            statuses=dict(self._statuses),
            reasons=reasons,
            lost_reason=state.get("lost_reason"),
        )

    def _end(self) -> None:
        process, pipe, self._pipe = self._process, self._pipe, None
        if process is not None:
            process.join(0.0 if self._trouble == "timeout" else self._patience.exit_s)
            if process.is_alive():
                process.kill()
                process.join(self._patience.exit_s)
        if pipe is not None:
            pipe.close()


@contextlib.contextmanager
def _interrupt_deferred() -> Iterator[None]:
    """Hold SIGINT back while the process is spawned; it inherits the mask until it ignores the signal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
