"""A sample belongs to a slice only where all that it is a mean of does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.engine.telemetry_in_slices import seen_within
from service.parity.measurements import Slice, TelemetrySample


def piece() -> Slice:
    return Slice("comparison", 0, 0, 0, "candidate", 5, 1.0, 1.0, 1.0, started_s=10.0, ended_s=11.0)


def sample(at_s: float, value: float | None, field: str = "kernel_resident_pct", status: Any = "ok") -> TelemetrySample:
    return TelemetrySample(at_s, field, value, status)


@pytest.mark.parametrize(
    ("at_s", "counts"),
    [(9.9, False), (10.1, False), (10.19, False), (10.2, True), (10.5, True), (11.0, True), (11.01, False)],
)
def test_the_whole_period_must_lie_within(at_s: float, counts: bool) -> None:
    found = seen_within(piece(), [sample(at_s, 90.0)])
    assert found.kernel_resident_pct == (90.0 if counts else None)


def test_the_time_since_the_last_value_is_the_period() -> None:
    # The second value's period began at 9.95; a reading after a long gap is of at most two of the driver's periods.
    assert seen_within(piece(), [sample(9.95, 1.0), sample(10.25, 2.0)]).kernel_resident_pct is None
    assert seen_within(piece(), [sample(9.0, 1.0), sample(10.45, 2.0)]).kernel_resident_pct == 2.0


def test_of_a_slice_in_turns_nothing_is_known_but_the_clock() -> None:
    samples = [sample(10.3, 1500.0, "sm_clock_mhz"), sample(10.5, 80.0), sample(10.6, 300.0, "power_w")]
    found = seen_within(replace(piece(), turns=4), samples)
    assert (found.sm_clock_mhz, found.kernel_resident_pct, found.activity) == (1500.0, None, {})


def test_means_medians_and_what_was_not_sampled() -> None:
    samples = [
        sample(10.3, 80.0), sample(10.6, 90.0), sample(10.9, None, status="timeout"),
        sample(10.1, 1000.0, "sm_clock_mhz"), sample(10.2, 1400.0, "sm_clock_mhz"),
        sample(10.3, 1500.0, "sm_clock_mhz"),
        sample(10.5, 40.0, "sm_active_pct"), sample(10.1, 300.0, "power_w"), sample(10.9, 400.0, "power_w"),
        sample(11.5, 9.0, "power_w"),
    ]  # fmt: skip
    found = seen_within(piece(), sorted(samples, key=lambda one: one.at_s))
    assert (found.kernel_resident_pct, found.sm_clock_mhz) == (85.0, 1400.0)
    assert found.activity == {"power_w": 350.0, "sm_active_pct": 40.0}
    bare = seen_within(piece(), [])
    assert (bare.kernel_resident_pct, bare.sm_clock_mhz, bare.activity) == (None, None, {})
