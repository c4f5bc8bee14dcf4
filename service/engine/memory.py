"""The memory phase: each side in a fresh process of its own, one after the other, with every allocation seen."""

from __future__ import annotations

from service.engine.observer import Observer
from service.parity.errors import BenchTrouble
from service.parity.measurements import MemoryEvidence, MemoryTrace, TimingTrouble
from service.parity.plan import Plan
from service.parity.record import SIDES
from service.ports import Bench, Clock

PHASE = "memory"


class MemoryPhase:
    """Runs the phase once; `evidence()` holds what was recorded so far, also after an error."""

    def __init__(self, plan: Plan, bench: Bench, observer: Observer, clock: Clock) -> None:
        self._plan, self._bench, self._observer, self._clock = plan, bench, observer, clock
        self._evidence: MemoryEvidence | None = None

    def evidence(self) -> MemoryEvidence | None:
        """What was seen so far; `None` before a side was traced."""
        return self._evidence

    def run(self) -> MemoryEvidence:
        """Trace both sides; one that breaks does not keep the other from being traced. Raises what the observer
        raises."""
        began = self._clock.monotonic()
        traces: list[MemoryTrace] = []
        troubles: list[TimingTrouble] = []
        try:
            for done, side in enumerate(SIDES):
                message = f"tracing the {side}'s allocations"
                self._bench.watch(lambda done=done, message=message: self._tell(done, message))  # type: ignore[misc]
                self._tell(done, message)
                subject = self._plan.reference if side == "reference" else self._plan.candidate
                try:
                    trace = self._bench.trace_memory(side, subject, self._plan)
                except BenchTrouble as trouble:
                    troubles.append(TimingTrouble(side, f"{PHASE}, tracing", str(trouble), trouble.reason))
                else:
                    traces.append(trace)
                    self._observer.allocations(side, trace.events)
        finally:
            self._bench.watch(lambda: None)
            self._evidence = MemoryEvidence(tuple(traces), tuple(troubles), self._clock.monotonic() - began)
        self._tell(len(SIDES), "done")
        return self._evidence

    def _tell(self, done: int, message: str) -> None:
        self._observer.progress(PHASE, done, len(SIDES), message)
