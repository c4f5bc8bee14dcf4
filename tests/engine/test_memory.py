"""The memory phase on a made-up bench: one side after the other, and what is kept when one of them breaks."""

from __future__ import annotations

from typing import Any

import pytest

from service.engine.memory import MemoryPhase
from service.parity.errors import BenchTrouble, RunCancelled
from service.parity.measurements import AllocationEvent, MemorySample, MemoryTrace
from service.parity.plan import Plan
from service.parity.record import SIDES

PLAN = Plan(reference="old", candidate="new", device="cpu")


def trace(role: Any) -> MemoryTrace:
    events = (AllocationEvent(-1, "malloc", 512), AllocationEvent(0, "free", 512))
    return MemoryTrace(role, "made", 1, 0, 512, (MemorySample(-1, 512, 512, 1),), events)


class MadeBench:
    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.traced: list[tuple[str, str]] = []
        self.waiting: Any = None

    def watch(self, waiting: Any) -> None:
        self.waiting = waiting

    def trace_memory(self, role: Any, subject: str, plan: Plan) -> MemoryTrace:
        self.traced.append((role, subject))
        self.waiting()
        if role == self.broken:
            raise BenchTrouble("oom_host", "planted")
        return trace(role)


class StillClock:
    def monotonic(self) -> float:
        return 0.0


def phase(bench: Any, watcher: Any) -> MemoryPhase:
    clock: Any = StillClock()
    return MemoryPhase(PLAN, bench, watcher, clock)


def test_both_sides_are_traced_and_their_events_handed_over(lab: Any) -> None:
    bench, watcher = MadeBench(), lab.Watcher()
    evidence = phase(bench, watcher).run()
    assert bench.traced == [("reference", "old"), ("candidate", "new")]
    assert evidence.traces == tuple(map(trace, SIDES))
    assert watcher.events == {side: list(trace(side).events) for side in SIDES}
    assert [report[1:] for report in watcher.reports] == [(0, 2), (0, 2), (1, 2), (1, 2), (2, 2)]


@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_breaks_leaves_the_other_traced(lab: Any, side: str) -> None:
    evidence = phase(MadeBench(side), lab.Watcher()).run()
    assert [trouble.role for trouble in evidence.troubles] == [side]
    assert evidence.troubles[0].reason == "oom_host"
    assert [one.role for one in evidence.traces] == [other for other in SIDES if other != side]


@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_wish_to_stop_keeps_what_was_traced(lab: Any, at: int) -> None:
    made = phase(MadeBench(), lab.Watcher(RunCancelled("stop"), at))
    assert made.evidence() is None
    with pytest.raises(RunCancelled):
        made.run()
    evidence = made.evidence()
    assert evidence is not None
    assert [one.role for one in evidence.traces] == (["reference"] if at == 3 else [])
