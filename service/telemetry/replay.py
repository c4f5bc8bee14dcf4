"""A sampler that says again what another one said: a recorded trace, at the pace at which it was recorded.

For tests, and to see what Lockstep does with a GPU that is lost, in MIG mode, or not to be read.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from service.parity.measurements import EdgeReading, SamplerReport, SampleStatus, TelemetrySample
from service.telemetry.nvml import Fault, fault_of_code
from service.telemetry.trace import Trace
from service.telemetry.watched import GPU_EDGE_FIELDS, GPU_FIELDS


class ReplaySampler:
    """Times are moved so that the trace begins at `start`.

    The samples come when their time has come; the edges come in their order, one a call, stamped with the time of the
    call. After the last one every field of an edge is `stale`.
    """

    def __init__(self, trace: Trace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._trace = trace
        self._clock = clock
        self._shift_s: float | None = None
        self._next_sample = self._next_edge = 0
        self._paused = False
        self._pending: list[TelemetrySample] = []
        self._statuses: Counter[str] = Counter()
        self._reasons: dict[str, str] = {}
        self._absent = next(
            (fault_of_code(e.code) for e in trace.errors if e.at_s <= trace.began_s and not e.fields), None
        )
        self._lost: Fault | None = None
        self._report: SamplerReport | None = None

    def start(self) -> None:
        """From now on time passes in the trace."""
        if self._shift_s is None:
            self._shift_s = self._clock() - self._trace.began_s

    def own(self, pids: Sequence[int]) -> None:
        """The trace has counted foreign processes already."""

    def edge(self) -> EdgeReading:
        """The next recorded edge."""
        at_s = self._clock()
        self._advance()
        if self._absent is not None or self._lost is not None:
            status = self._absent.status if self._absent is not None else "lost"
            return EdgeReading(at_s, {}, dict.fromkeys(GPU_EDGE_FIELDS, status))
        if self._next_edge >= len(self._trace.edges) or self._report is not None or self._shift_s is None:
            return EdgeReading(at_s, {}, dict.fromkeys(GPU_EDGE_FIELDS, "stale"))
        edge = self._trace.edges[self._next_edge]
        self._next_edge += 1
        missing: dict[str, SampleStatus] = dict(edge.missing)
        for field in edge.values:
            fault = self._fault(at_s - self._shift_s, field)
            if fault is not None:
                missing[field] = fault.status
        values = {field: value for field, value in edge.values.items() if field not in missing}
        return EdgeReading(at_s, values, missing, edge.foreign_processes)

    def pause(self) -> None:
        """What was recorded between now and `resume` is skipped."""
        self._advance()
        self._paused = True

    def resume(self) -> None:
        """Go on, where the trace is by now."""
        self._advance()
        self._paused = False

    def drain(self) -> list[TelemetrySample]:
        """The samples whose time has come."""
        self._advance()
        taken, self._pending = self._pending, []
        return taken

    def stop(self) -> SamplerReport:
        """The recorded report, with what the errors of the trace made of it."""
        if self._report is None:
            self._advance()
            recorded = self._trace.report or SamplerReport("replay", self._trace.device, None, None)
            self._report = replace(
                recorded,
                source="replay" if self._absent is None else "absent",
                absent_reason=recorded.absent_reason if self._absent is None else str(self._absent),
                statuses=dict(self._statuses),
                reasons={**recorded.reasons, **self._reasons},
                lost_reason=self._lost_reason(recorded),
            )
        return self._report

    def _lost_reason(self, recorded: SamplerReport) -> str | None:
        fault = self._lost or (self._absent if self._absent is not None and self._absent.lost else None)
        return recorded.lost_reason if fault is None else str(fault)

    def _advance(self) -> None:
        """Take in what the trace holds up to now; a lost device gives one last mark a field."""
        if self._shift_s is None or self._absent is not None or self._report is not None:
            return
        now_s = self._clock() - self._shift_s
        lost = next((e for e in self._trace.errors if e.at_s <= now_s and fault_of_code(e.code).lost), None)
        until_s = now_s if lost is None else lost.at_s
        while self._next_sample < len(self._trace.samples) and self._trace.samples[self._next_sample].at_s <= until_s:
            sample = self._trace.samples[self._next_sample]
            self._next_sample += 1
            if not self._paused:
                self._keep(sample.at_s, sample.field, sample.value, sample.status)
        if lost is not None and self._lost is None:
            self._lost = fault_of_code(lost.code)
            for field in GPU_FIELDS:
                self._keep(lost.at_s, field, None, "lost")

    def _keep(self, at_s: float, field: str, value: float | None, status: SampleStatus) -> None:
        assert self._shift_s is not None
        fault = self._fault(at_s, field)
        if fault is not None:
            value, status = None, fault.status
        self._statuses[status] += 1
        self._pending.append(TelemetrySample(at_s + self._shift_s, field, value, status))

    def _fault(self, at_s: float, field: str) -> Fault | None:
        """What an error line that is in force at this time of the trace makes of a field."""
        for error in reversed(self._trace.errors):
            if error.at_s <= at_s and (not error.fields or field in error.fields):
                fault = fault_of_code(error.code)
                self._reasons.setdefault(field, str(fault))
                return fault
        return None
