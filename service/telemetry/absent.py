"""A device that is not watched, as an object: it says why, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Sequence

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample


class AbsentSampler:
    """A `Sampler` that sees nothing; its report has the reason."""

    def __init__(self, device: str, reason: str) -> None:
        self._report = SamplerReport("absent", device, None, None, absent_reason=reason)

    def start(self) -> None: ...

    def own(self, pids: Sequence[int]) -> None: ...

    def edge(self) -> EdgeReading:
        return EdgeReading(time.monotonic())

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def drain(self) -> list[TelemetrySample]:
        return []

    def stop(self) -> SamplerReport:
        return self._report
