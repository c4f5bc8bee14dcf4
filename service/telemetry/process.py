"""The sampler of a CPU run: processor time and resident size of the run's processes, through psutil.

A thread of the calling process, which idles while steps are timed in others. It takes some 0.3 ms four times a second;
a process of its own would take an interpreter's start and memory on the very cores that are timed.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import psutil

from service.parity.measurements import EdgeReading, SamplerReport, SampleStatus, TelemetrySample

FIELDS = ("process_cpu_pct", "process_rss_bytes")
EDGE_FIELDS = ("process_cpu_s", "process_rss_bytes")


class ProcessSampler:
    """Sums over the processes given by `own`: per cent of one core (so that several exceed 100), bytes.

    Where one of them is gone or not to be read, the sum is not known and is missing.
    """

    def __init__(
        self, device: str = "cpu", *, period_s: float = 0.25, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._device = device
        self._period_s = period_s
        self._clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._running = self._paused = False
        self._processes: list[psutil.Process] = []
        self._vanished = False
        self._before: tuple[float, float] | None = None
        self._samples: list[TelemetrySample] = []
        self._statuses: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._reads = self._gaps = 0
        self._began_s: float | None = None
        self._cpu_s = 0.0
        self._report: SamplerReport | None = None

    def start(self) -> None:
        """Begin; the first values come once `own` has named processes."""
        with self._changed:
            if self._thread is not None or self._report is not None:
                return
            self._running, self._began_s = True, self._clock()
            self._thread = threading.Thread(target=self._watch, name="process-sampler", daemon=True)
            self._thread.start()

    def own(self, pids: Sequence[int]) -> None:
        """The processes to watch, from now on; all that were before are let go."""
        with self._changed:
            self._processes, self._vanished, self._before = [], False, None
            for pid in pids:
                try:
                    self._processes.append(psutil.Process(pid))
                except psutil.NoSuchProcess:
                    self._vanished = True

    def edge(self) -> EdgeReading:
        """Processor seconds and resident size now. There is no device, so foreign processes are not counted."""
        with self._changed:
            at_s, read = self._clock(), self._sum()
        if isinstance(read, str):
            return EdgeReading(at_s, {}, dict.fromkeys(EDGE_FIELDS, read))
        return EdgeReading(at_s, dict(zip(EDGE_FIELDS, read, strict=True)))

    def pause(self) -> None:
        with self._changed:
            self._paused, self._before = True, None

    def resume(self) -> None:
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def drain(self) -> list[TelemetrySample]:
        with self._changed:
            taken, self._samples = self._samples, []
        return taken

    def stop(self) -> SamplerReport:
        """Join the thread, which wakes at once, and report. Its processor time is that of the thread."""
        with self._changed:
            self._running = False
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        if self._report is None:
            self._report = SamplerReport(
                source="process",
                device=self._device,
                device_name=None,
                device_uuid=None,
                absent_reason="the sampler was never started" if self._began_s is None else None,
                wall_s=None if self._began_s is None else self._clock() - self._began_s,
                cpu_s=None if self._began_s is None else self._cpu_s,
                reads=self._reads,
                gaps=self._gaps,
                statuses=dict(self._statuses),
                reasons=self._reasons,
            )
        return self._report

    def _watch(self) -> None:
        began_s = time.thread_time()
        due_s = self._clock()
        with self._changed:
            while self._running:
                if self._paused:
                    self._changed.wait()
                    due_s = self._clock()
                    continue
                late_s = self._clock() - due_s
                if late_s < 0:
                    self._changed.wait(-late_s)
                    continue
                missed = int(late_s / self._period_s)
                self._gaps += missed
                due_s += (missed + 1) * self._period_s
                self._read()
                self._cpu_s = time.thread_time() - began_s

    def _read(self) -> None:
        if not self._processes and not self._vanished:
            return
        at_s, read = self._clock(), self._sum()
        self._reads += 1
        before, self._before = self._before, None
        if isinstance(read, str):
            self._keep([TelemetrySample(at_s, field, None, read) for field in FIELDS])
            return
        cpu_s, rss_bytes = read
        self._before = (at_s, cpu_s)
        self._keep([TelemetrySample(at_s, "process_rss_bytes", rss_bytes)])
        if before is not None and at_s > before[0]:
            share = 100 * (cpu_s - before[1]) / (at_s - before[0])
            self._keep([TelemetrySample(at_s, "process_cpu_pct", share)])

    def _keep(self, samples: list[TelemetrySample]) -> None:
        self._samples.extend(samples)
        self._statuses.update(sample.status for sample in samples)

    def _sum(self) -> tuple[float, float] | SampleStatus:
        """Processor seconds (user and system) and resident bytes of all, or why there is no sum."""
        if self._vanished or not self._processes:
            return self._missing("stale", "a process of the run is gone, or none was named")
        cpu_s = rss_bytes = 0.0
        try:
            for process in self._processes:
                with process.oneshot():
                    times = process.cpu_times()
                    cpu_s += times.user + times.system
                    rss_bytes += process.memory_info().rss
        except psutil.NoSuchProcess:
            return self._missing("stale", "a process of the run is gone")
        except psutil.AccessDenied:
            return self._missing("no_permission", "the system does not let this user read a process of the run")
        return cpu_s, rss_bytes

    def _missing(self, status: SampleStatus, reason: str) -> SampleStatus:
        for field in dict.fromkeys((*FIELDS, *EDGE_FIELDS)):
            self._reasons.setdefault(field, reason)
        return status
