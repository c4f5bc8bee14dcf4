"""The driver's sample buffer: once each, on the right clock, and what happens when the wall clock jumps."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from service.telemetry.nvml import FAULTS
from service.telemetry.resident import AHEAD_S, SILENT_S, SampleBuffer


class Bench:
    """A buffer on clocks that the test moves."""

    def __init__(self) -> None:
        self.now_s, self.offset_s = 100.0, 5000.0
        self.buffer = SampleBuffer(lambda: self.now_s, lambda: self.now_s + self.offset_s)

    def rows(self, *monotonic_s: float, kind: int = 1) -> tuple[int, list[Any]]:
        stamps = [round((at_s + self.offset_s) * 1e6) for at_s in monotonic_s]
        return kind, [
            SimpleNamespace(timeStamp=s, sampleValue=SimpleNamespace(uiVal=80, ullVal=81, dVal=82)) for s in stamps
        ]

    def taken(self, answer: Any) -> list[tuple[float, float | None, str]]:
        return [(round(s.at_s, 4), s.value, s.status) for s in self.buffer.take(answer)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_in_order_and_only_once(bench: Bench) -> None:
    bench.now_s = 101
    assert bench.taken(bench.rows(100.4, 99.9, 100.2)) == [(100.2, 80, "ok"), (100.4, 80, "ok")]
    assert bench.taken(bench.rows(100.2, 100.4, 100.6)) == [(100.6, 80, "ok")]


@pytest.mark.parametrize(("kind", "value"), [(0, 82), (1, 80), (3, 81)])
def test_the_type_says_which_member(bench: Bench, kind: int, value: float) -> None:
    bench.now_s = 101
    assert bench.taken(bench.rows(100.2, kind=kind)) == [(100.2, value, "ok")]


@pytest.mark.parametrize("jump_s", [-3600.0, -0.2, 0.2, 3600.0])
def test_a_jump_of_the_wall_clock_is_a_gap_and_then_it_goes_on(bench: Bench, jump_s: float) -> None:
    bench.now_s = 101
    before = bench.rows(100.5)
    bench.offset_s += jump_s
    assert bench.taken(before) == [(101, None, "stale")]
    assert "jumped" in bench.buffer.reason
    bench.now_s = 102
    assert bench.taken(bench.rows(101.5)) == [(101.5, 80, "ok")]


def test_a_clock_that_is_slewed_does_not_jump(bench: Bench) -> None:
    for second in range(1, 200):
        bench.now_s, bench.offset_s = 100.0 + second, bench.offset_s + 5e-4
        assert bench.taken(bench.rows(bench.now_s - 0.1)) == [(round(bench.now_s - 0.1, 4), 80, "ok")]


@pytest.mark.parametrize("code", [6, 21])
def test_no_news_is_no_gap_until_it_lasts(bench: Bench, code: int) -> None:
    from service.telemetry.nvml import fault_of_code

    bench.now_s = 100 + SILENT_S
    assert bench.taken(fault_of_code(code)) == []
    assert bench.buffer.usable
    bench.now_s += 0.1
    assert bench.taken(fault_of_code(code)) == []
    assert not bench.buffer.usable
    assert "said nothing" in bench.buffer.reason


def test_a_fault_is_a_gap_with_its_status(bench: Bench) -> None:
    assert bench.taken(FAULTS[10]) == [(100, None, "timeout")]
    assert bench.buffer.usable


def test_a_driver_without_samples(bench: Bench) -> None:
    assert bench.taken(FAULTS[3]) == []
    assert not bench.buffer.usable


def test_stamps_of_another_clock(bench: Bench) -> None:
    assert bench.taken(bench.rows(100 + 2 * AHEAD_S)) == []
    assert not bench.buffer.usable
    assert "wall clock" in bench.buffer.reason
