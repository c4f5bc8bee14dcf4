"""A sampler that writes down what another one says, as a trace to replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample
from service.ports import Sampler
from service.telemetry.trace import write_header, write_line


class RecordingSampler:
    """Behaves as `inner`, which watches `device`, and writes the trace to `path`, replacing what was there."""

    def __init__(self, inner: Sampler, device: str, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._inner = inner
        self._device = device
        self._clock = clock
        self._file = path.open("w", encoding="utf-8")
        self._rest: list[TelemetrySample] = []

    def start(self) -> None:
        write_header(self._file, self._device, self._clock())
        self._inner.start()

    def own(self, pids: Sequence[int]) -> None:
        self._inner.own(pids)

    def edge(self) -> EdgeReading:
        edge = self._inner.edge()
        if not self._file.closed:
            write_line(self._file, edge)
        return edge

    def pause(self) -> None:
        self._inner.pause()

    def resume(self) -> None:
        self._inner.resume()

    def drain(self) -> list[TelemetrySample]:
        taken, self._rest = [*self._rest, *self._record()], []
        return taken

    def stop(self) -> SamplerReport:
        """Write what was not drained, the report, and close the file. What was written can still be drained."""
        report = self._inner.stop()
        if not self._file.closed:
            self._rest.extend(self._record())
            write_line(self._file, report)
            self._file.close()
        return report

    def _record(self) -> list[TelemetrySample]:
        samples = self._inner.drain()
        if not self._file.closed:
            for sample in samples:
                write_line(self._file, sample)
        return samples
