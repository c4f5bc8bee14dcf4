"""Series of samples: gaps are found and kept apart, long series keep their peaks, times are the phase's own."""

from __future__ import annotations

import math
from typing import Any

import pytest

from service.parity.measurements import PerformanceEvidence, Slice, TelemetrySample
from service.reports.telemetry import MAX_GAPS, MAX_POINTS, phase_span, telemetry_series

SPAN = (100.0, 110.0)


def series(*samples: TelemetrySample) -> dict[str, Any]:
    (found,) = telemetry_series(samples, SPAN)
    return found


def seen(*moments: float, value: float = 50.0) -> list[TelemetrySample]:
    return [TelemetrySample(at_s, "power_w", value) for at_s in moments]


def test_times_count_from_the_phases_begin() -> None:
    found = series(*seen(*(100.0 + n for n in range(11))))
    assert found["at_s"] == [float(n) for n in range(11)]
    assert (found["samples"], found["missing"], found["gaps"], found["reduced"]) == (11, {}, [], False)


def test_a_pause_is_a_gap_and_so_are_late_beginnings_and_early_ends() -> None:
    found = series(*seen(104, 104.5, 105, 105.5, 108, 108.5))
    assert [(gap["from_s"], gap["to_s"], gap["status"]) for gap in found["gaps"]] == [
        (0.0, 4.0, "no sample"), (5.5, 8.0, "no sample"),
    ]  # fmt: skip


def test_a_value_that_was_not_to_be_had_is_a_gap_with_its_status() -> None:
    late = [TelemetrySample(102.5, "power_w", None, "timeout"), TelemetrySample(103.0, "power_w", None, "lost"),
            TelemetrySample(103.5, "power_w", None, "lost")]  # fmt: skip
    found = series(*seen(*(100 + n for n in range(3))), *late, *seen(*(104 + n for n in range(7))))
    assert found["gaps"] == [{"from_s": 2.0, "to_s": 4.0, "status": "lost"}]
    assert found["missing"] == {"lost": 2, "timeout": 1}
    assert None not in found["values"]


def test_a_field_that_never_came_is_one_gap() -> None:
    found = series(*(TelemetrySample(100.0 + n, "temperature_c", None, "not_supported") for n in range(10)))
    assert (found["at_s"], found["values"], found["samples"]) == ([], [], 10)
    assert found["gaps"] == [{"from_s": 0.0, "to_s": 10.0, "status": "not_supported"}]


def test_a_zero_is_a_value() -> None:
    assert series(*seen(100, 105, 110, value=0.0))["values"] == [0.0] * 3


def test_long_series_keep_their_peak() -> None:
    samples = seen(*(100 + n / 1000 for n in range(10_000)))
    samples[7777] = TelemetrySample(107.777, "power_w", 999.0)
    found = series(*samples)
    assert (found["samples"], found["reduced"]) == (10_000, True)
    assert len(found["values"]) <= MAX_POINTS
    assert max(found["values"]) == 999.0


def test_of_very_many_gaps_the_longest_stay() -> None:
    moments = [100 + n / 100 for n in range(1000) if n % 2 == 0]
    broken = [TelemetrySample(at_s + 0.01, "power_w", None, "stale") for at_s in moments]
    found = series(*seen(*moments), *broken)
    assert len(found["gaps"]) == MAX_GAPS


def test_what_lies_outside_the_phase_is_left_out() -> None:
    assert telemetry_series(seen(50, 99.9, 110.1), SPAN) == []


def test_fields_come_in_the_samplers_order_and_unknown_ones_last() -> None:
    names = ["fan_pct", "power_w", "kernel_resident_pct"]
    found = telemetry_series([TelemetrySample(101.0, name, 1.0) for name in names], SPAN)
    assert [entry["field"] for entry in found] == ["kernel_resident_pct", "power_w", "fan_pct"]


@pytest.mark.parametrize(("begin", "end"), [(math.nan, math.nan), (5.0, math.inf)])
def test_the_span_of_slices_without_times(begin: float, end: float) -> None:
    piece = Slice("a_a", 0, 0, 0, "reference", 5, 1.0, 1.0, 0.005, begin, end)
    expected = None if math.isnan(begin) else (5.0, 5.0)
    assert phase_span(PerformanceEvidence("perf_counter", 0, (piece,))) == expected
    assert phase_span(PerformanceEvidence("perf_counter", 0)) is None
