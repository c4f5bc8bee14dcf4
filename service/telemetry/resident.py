"""Kernel-resident time from the driver's own sample buffer, on the machine's monotonic clock.

The driver keeps one figure per period (200 ms on an H100), stamped in microseconds of the wall clock. Draining it gives
every period once; polling the same figure would miss some and count others twice. Where the buffer cannot be used,
`usable` is false and the caller polls.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from service.parity.measurements import TelemetrySample
from service.telemetry.nvml import NO_NEWS, Fault

FIELD = "kernel_resident_pct"

CLOCK_JUMP_S = 0.05
"""A step of the wall clock against the monotonic one; slewing by NTP is at most 0.5 ms a second."""

AHEAD_S = 0.1
"""A stamp further in the future is not of this machine's wall clock."""

SILENT_S = 3.0
"""So long without news, and the buffer is given up."""


class SampleBuffer:
    """Which of the driver's samples were seen, and where the wall clock stands against the monotonic clock."""

    def __init__(self, monotonic: Callable[[], float], wall: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self.usable = True
        self.reason = ""
        """Why it is not usable, or why the last sample is missing."""
        self.restart()

    def restart(self) -> None:
        """From now on: what the driver kept before is not asked for."""
        self._news_s = self._monotonic()
        self._offset_s = self._offset()
        self.seen_us = int((self._news_s + self._offset_s) * 1e6)

    def take(self, answer: tuple[int, Sequence[Any]] | Fault) -> list[TelemetrySample]:
        """The new samples of an answer of `nvmlDeviceGetSamples` that was asked from `seen_us` on, in order of time.

        Each is stamped with the end of its period. A jump of the wall clock loses those since the last call.
        """
        now_s = self._monotonic()
        offset_s = self._offset()
        if abs(offset_s - self._offset_s) > CLOCK_JUMP_S:
            self.restart()
            return [self._gap(now_s, "the wall clock jumped, by which the driver stamps its samples")]
        self._offset_s = offset_s
        if isinstance(answer, Fault):
            if answer.code in NO_NEWS:
                return self._no_news(now_s)
            if answer.status == "not_supported":
                self._give_up(f"polled, since the driver keeps no samples: {answer}")
                return []
            self.reason = str(answer)
            return [TelemetrySample(now_s, FIELD, None, answer.status)]
        kind, rows = answer
        stamped = sorted((int(row.timeStamp), _value(kind, row.sampleValue)) for row in rows)
        fresh = [(stamp, value) for stamp, value in stamped if stamp > self.seen_us]
        if not fresh:
            return self._no_news(now_s)
        self._news_s, self.seen_us = now_s, fresh[-1][0]
        placed = [(stamp / 1e6 - offset_s, value) for stamp, value in fresh]
        if placed[-1][0] > now_s + AHEAD_S:
            self._give_up("polled, since the driver's samples are not stamped by the wall clock")
            return []
        return [TelemetrySample(at_s, FIELD, value) for at_s, value in placed if math.isfinite(value)]

    def _no_news(self, now_s: float) -> list[TelemetrySample]:
        if now_s - self._news_s > SILENT_S:
            self._give_up(f"polled, since the driver's sample buffer said nothing for {SILENT_S:.0f} s")
        return []

    def _give_up(self, reason: str) -> None:
        self.usable, self.reason = False, reason

    def _gap(self, now_s: float, reason: str) -> TelemetrySample:
        self.reason = reason
        return TelemetrySample(now_s, FIELD, None, "stale")

    def _offset(self) -> float:
        """Wall minus monotonic, both read together."""
        before_s = self._monotonic()
        wall_s = self._wall()
        return wall_s - (before_s + self._monotonic()) / 2


def _value(kind: int, value: Any) -> float:
    return float(value.dVal) if kind == 0 else float(value.ullVal if kind == 3 else value.uiVal)
