"""The sampler of a device that cannot be watched: it says why, and gives no figure."""

from __future__ import annotations

import time
from collections.abc import Sequence

from service.parity.measurements import EDGE_FIELDS, EdgeReading, SamplerReport, SampleStatus, TelemetrySample


class AbsentSampler:
    """`reason` says why there is nothing and what to do; `lost`: since the device is gone, so that a run must fail."""

    def __init__(
        self,
        device: str,
        reason: str,
        status: SampleStatus = "not_supported",
        *,
        uuid: str | None = None,
        lost: bool = False,
    ) -> None:
        self._status = status
        self._report = SamplerReport(
            "absent", device, None, uuid, absent_reason=reason, lost_reason=reason if lost else None
        )

    def start(self) -> None:
        """Nothing to begin."""

    def own(self, pids: Sequence[int]) -> None:
        """Nothing is told apart."""

    def edge(self) -> EdgeReading:
        """Every field missing."""
        return EdgeReading(time.monotonic(), {}, dict.fromkeys(EDGE_FIELDS, self._status))

    def pause(self) -> None:
        """Nothing runs."""

    def resume(self) -> None:
        """Nothing runs."""

    def drain(self) -> list[TelemetrySample]:
        """None."""
        return []

    def stop(self) -> SamplerReport:
        """The reason."""
        return self._report
