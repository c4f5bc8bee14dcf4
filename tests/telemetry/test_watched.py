"""One device through NVML: units, statuses, and every error code at every call. The clocks are the test's own."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.parity.measurements import EDGE_FIELDS, POLLED_FIELDS, EdgeReading, SampleStatus, TelemetrySample
from service.telemetry.nvml import FAULTS
from service.telemetry.watched import GPU_EDGE_FIELDS, GPU_FIELDS, Clocks, DeviceAbsentError, WatchedDevice, number

GAP_CODES = (3, 4, 9, 10, 12, 18, 999)
LOST_CODES = (15, 16)


@dataclass
class Time:
    """Both clocks, moved by hand."""

    now_s: float = 1000.0
    wall_offset_s: float = 1.7e9

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s + self.wall_offset_s


@dataclass
class Card:
    device: WatchedDevice
    nvml: Any
    time: Time

    def round(self) -> list[TelemetrySample]:
        """250 ms four times, then one second's poll."""
        samples: list[TelemetrySample] = []
        for _ in range(4):
            self.time.now_s += 0.25
            samples += self.device.poll_fast()
        return samples + self.device.poll_slow()


def fake(**options: Any) -> tuple[Any, Time]:
    module, time = importlib.import_module("fake_nvml"), Time()
    return module.FakeNvml(monotonic=time.monotonic, wall=time.wall, **options), time


@pytest.fixture
def card() -> Callable[..., Card]:
    def make(**options: Any) -> Card:
        nvml, time = fake(**options)
        uuid = importlib.import_module("fake_nvml").UUID
        return Card(WatchedDevice(nvml, uuid, 0.25, Clocks(time.monotonic, time.wall)), nvml, time)

    return make


def by_field(samples: list[TelemetrySample]) -> dict[str, set[tuple[float | None, SampleStatus]]]:
    found: dict[str, set[tuple[float | None, SampleStatus]]] = {}
    for sample in samples:
        found.setdefault(sample.field, set()).add((sample.value, sample.status))
    return found


def test_every_field_in_its_unit(card: Callable[..., Card]) -> None:
    samples = card().round()
    assert by_field(samples) == {
        "kernel_resident_pct": {(97, "ok")},
        "memory_busy_pct": {(40, "ok")},
        "memory_used_bytes": {(3 * 2**30, "ok")},
        "temperature_c": {(51, "ok")},
        "sm_active_pct": {(52, "ok")},
        "sm_occupancy_pct": {(53, "ok")},
        "tensor_active_pct": {(55, "ok")},
        "dram_active_pct": {(60, "ok")},
        "fp32_active_pct": {(62, "ok")},
        "sm_clock_mhz": {(1980, "ok")},
        "memory_clock_mhz": {(2619, "ok")},
        "power_w": {(300, "ok")},
    }
    assert set(by_field(samples)) == set(GPU_FIELDS) <= set(POLLED_FIELDS)


def test_an_edge_in_its_units(card: Callable[..., Card]) -> None:
    one = card()
    edge = one.device.edge([])
    assert edge.values == {
        "energy_j": pytest.approx(one.time.now_s * 300),
        "thermal_throttle_s": pytest.approx(0.269 + 0.270),
        "power_brake_s": pytest.approx(0.271),
        "power_cap_s": pytest.approx(0.074),
        "sync_boost_s": pytest.approx(0.076),
        "board_limit_s": pytest.approx(0.077),
        "reliability_limit_s": pytest.approx(0.079),
        "below_base_clock_s": pytest.approx(0.081),
        "pcie_sent_bytes": 197e6,
        "pcie_received_bytes": 198e6,
        "memory_used_bytes": 3 * 2**30,
        "sm_clock_mhz": 1980,
        "power_w": 300,
    }
    assert edge.missing == {}
    assert set(edge.values) == set(GPU_EDGE_FIELDS) <= set(EDGE_FIELDS)
    assert one.nvml.calls.count("nvmlDeviceGetFieldValues") == 1


def test_the_drivers_samples_come_once_each_on_the_monotonic_clock(card: Callable[..., Card]) -> None:
    one = card()
    samples = [s for _ in range(3) for s in one.round() if s.field == "kernel_resident_pct"]
    times = [sample.at_s for sample in samples]
    assert len(times) == 60
    assert times == sorted(set(times))
    assert times[0] == pytest.approx(1000.05, abs=1e-5)
    assert times[-1] == pytest.approx(1003.0, abs=1e-5)


def test_activity_needs_two_samples_and_spans_no_pause(card: Callable[..., Card]) -> None:
    one = card()
    assert "sm_active_pct" not in by_field(one.device.poll_fast())
    one.time.now_s += 0.25
    assert "sm_active_pct" in by_field(one.device.poll_fast())
    one.device.resumed()
    assert "sm_active_pct" not in by_field(one.device.poll_fast())
    one.time.now_s += 0.75
    assert by_field(one.device.poll_fast())["sm_active_pct"] == {(None, "stale")}
    assert "too long" in one.device.reasons["sm_active_pct"]


def test_a_pause_keeps_out_what_the_driver_sampled_in_it(card: Callable[..., Card]) -> None:
    one = card()
    one.time.now_s += 3
    one.device.resumed()
    one.time.now_s += 0.5
    at = [s.at_s for s in one.device.poll_slow() if s.field == "kernel_resident_pct"]
    assert len(at) == 10
    assert min(at) > 1003


def live(nvml: Any, time: Time) -> tuple[list[TelemetrySample], list[EdgeReading], WatchedDevice]:
    """Two edges, four fast and two slow polls."""
    device = WatchedDevice(nvml, importlib.import_module("fake_nvml").UUID, 0.25, Clocks(time.monotonic, time.wall))
    samples, edges = [], []
    for _ in range(2):
        edges.append(device.edge([1]))
        for _ in range(2):
            time.now_s += 0.25
            samples += device.poll_fast()
        samples += device.poll_slow()
    device.close()
    return samples, edges, device


OPENING = (
    "nvmlInit",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetMigMode",
    "nvmlGpmQueryDeviceSupport",
    "nvmlGpmSampleAlloc",
    "nvmlGpmSampleAlloc",
)
CLOSING = ("nvmlGpmSampleFree", "nvmlShutdown")


@pytest.mark.parametrize("code", [*GAP_CODES, *LOST_CODES])
@pytest.mark.parametrize("call", sorted(set(OPENING)))
def test_each_code_while_opening(call: str, code: int) -> None:
    nvml, time = fake(broken={call: code})
    if call in OPENING[:3] or code in LOST_CODES:
        with pytest.raises(DeviceAbsentError) as raised:
            live(nvml, time)
        assert raised.value.fault == FAULTS[code]
        return
    found = by_field(live(nvml, time)[0])
    gpm = {(None, FAULTS[code].status)} if call.startswith("nvmlGpm") else {(52, "ok")}
    assert found["sm_active_pct"] == gpm
    assert found["kernel_resident_pct"] == {(97, "ok")}


def nth_calls() -> list[tuple[int, str]]:
    """Every call of such a life after the opening, with its number."""
    nvml, time = fake(pids=(1,))
    live(nvml, time)
    assert tuple(nvml.calls[: len(OPENING)]) == OPENING
    return list(enumerate(nvml.calls, start=1))[len(OPENING) :]


def well_read(samples: list[TelemetrySample], edges: list[EdgeReading]) -> bool:
    """No figure that a card in health does not give; nothing missing without a status."""
    good = {(s.field, s.value) for s in live(*fake())[0]} | {("kernel_resident_pct", 96.0)}
    return (
        all((s.value is None) == (s.status != "ok") for s in samples)
        and all((s.field, s.value) in good for s in samples if s.status == "ok")
        and all(set(e.values) | set(e.missing) == set(GPU_EDGE_FIELDS) for e in edges)
        and all(0 not in e.values.values() for e in edges)
    )


@pytest.mark.parametrize("code", GAP_CODES)
def test_each_code_at_the_nth_call_is_a_typed_gap_never_a_figure(code: int) -> None:
    fault = FAULTS[code]
    for place, name in nth_calls():
        nvml, time = fake(pids=(1,), faults={place: code})
        samples, edges, device = live(nvml, time)
        assert well_read(samples, edges), name
        assert device.lost_reason is None
        statuses = {s.status for s in samples} | {status for e in edges for status in e.missing.values()}
        assert statuses <= {"ok", fault.status}, name
        if name == "nvmlDeviceGetComputeRunningProcesses":
            assert None in [e.foreign_processes for e in edges]
        elif name == "nvmlDeviceGetSamples" and fault.status == "not_supported":
            assert "polled" in device.reasons["kernel_resident_pct"]
        elif name not in CLOSING:
            assert fault.status in statuses, name
        assert any(str(fault) in reason for reason in device.reasons.values()), name


@pytest.mark.parametrize("code", LOST_CODES)
def test_a_device_lost_at_the_nth_call_is_not_asked_again(code: int) -> None:
    for place, name in nth_calls():
        nvml, time = fake(pids=(1,), faults={place: code})
        samples, edges, device = live(nvml, time)
        assert well_read(samples, edges), name
        if name in CLOSING:
            continue
        assert device.lost_reason == str(FAULTS[code]), name
        assert len(nvml.calls) == place, name
        assert "lost" in {s.status for s in samples} | {status for e in edges for status in e.missing.values()}, name


@pytest.mark.parametrize("code", LOST_CODES)
def test_a_lost_device_is_said_once_and_left_alone(card: Callable[..., Card], code: int) -> None:
    one = card(broken={"nvmlDeviceGetTemperature": code})
    samples = one.round()
    assert {s.field for s in samples if s.status == "lost"} == set(GPU_FIELDS)
    asked = len(one.nvml.calls)
    assert one.round() == []
    assert one.device.edge([]).missing == dict.fromkeys(GPU_EDGE_FIELDS, "lost")
    one.device.close()
    assert len(one.nvml.calls) == asked
    assert one.device.lost_reason is not None
    assert f"code {code}" in one.device.lost_reason


@pytest.mark.parametrize("code", [*GAP_CODES, 2, 13, 25, 77])
def test_one_field_of_the_batch_that_fails_is_missing_alone(card: Callable[..., Card], code: int) -> None:
    one = card(field_faults={270: code})
    edge = one.device.edge([])
    assert edge.missing == {"thermal_throttle_s": FAULTS[code].status if code in FAULTS else "stale"}
    assert f"code {code}" in one.device.reasons["thermal_throttle_s"]


def test_a_lost_device_in_a_field_of_the_batch(card: Callable[..., Card]) -> None:
    one = card(field_faults={83: 15})
    assert set(one.device.edge([]).missing) == set(GPU_EDGE_FIELDS)
    assert one.device.lost_reason is not None


def test_one_metric_that_fails(card: Callable[..., Card]) -> None:
    found = by_field(card(metric_faults={5: 3}).round())
    assert found["tensor_active_pct"] == {(None, "not_supported")}
    assert found["sm_active_pct"] == {(52, "ok")}


def test_a_card_without_gpm(card: Callable[..., Card]) -> None:
    one = card(gpm=False)
    found = by_field(one.round())
    assert found["sm_active_pct"] == {(None, "not_supported")}
    assert found["power_w"] == {(300, "ok")}
    assert "no GPM on this card" in one.device.reasons["sm_active_pct"]


def test_a_mig_device_has_no_utilization_and_says_so(card: Callable[..., Card]) -> None:
    one = card(mig=True)
    found = by_field(one.round())
    assert found["kernel_resident_pct"] == found["memory_busy_pct"] == {(None, "not_supported")}
    assert "MIG" in one.device.reasons["kernel_resident_pct"]
    assert found["power_w"] == {(300, "ok")}


def test_without_a_buffer_utilization_is_polled(card: Callable[..., Card]) -> None:
    one = card(broken={"nvmlDeviceGetSamples": 3})
    assert by_field(one.round())["kernel_resident_pct"] == {(96, "ok")}
    assert by_field(one.round())["kernel_resident_pct"] == {(96, "ok")}
    assert "polled" in one.device.reasons["kernel_resident_pct"]
    assert one.nvml.calls.count("nvmlDeviceGetSamples") == 1


@pytest.mark.parametrize(
    ("listed", "own", "foreign"),
    [
        ((), (), 0),
        ((7,), (7,), 0),
        ((7, 8, 9), (7, 6), 2),
        ((8,), (7,), None),
        ((8,), (), None),
        ((), (7,), None),
    ],
)
def test_foreign_processes(
    card: Callable[..., Card], listed: tuple[int, ...], own: tuple[int, ...], foreign: int | None
) -> None:
    one = card(pids=listed)
    assert one.device.edge(own).foreign_processes == foreign
    assert ("foreign_processes" in one.device.reasons) == (foreign is None)


def test_a_counter_that_falls_is_missing_until_it_grows_again(card: Callable[..., Card]) -> None:
    one = card()
    readings = []
    for value in (5_000, 9_000, 1_000, 2_000):
        one.nvml.counters[83] = value
        readings.append(one.device.edge([]))
    assert [edge.values.get("energy_j") for edge in readings] == [5, 9, None, 2]
    assert readings[2].missing == {"energy_j": "stale"}


def test_a_32_bit_counter_is_not_trusted(card: Callable[..., Card]) -> None:
    one = card(counter_type=1)
    assert one.device.edge([]).missing["pcie_sent_bytes"] == "not_supported"
    assert "32-bit" in one.device.reasons["pcie_sent_bytes"]


def test_a_figure_that_is_none(card: Callable[..., Card]) -> None:
    one = card()
    one.nvml.nvmlDeviceGetClockInfo = lambda handle, type: math.nan
    assert by_field(one.round())["sm_clock_mhz"] == {(None, "stale")}


def test_a_type_that_is_not_known_is_no_number() -> None:
    assert math.isnan(number(42, None))


def test_a_uuid_that_is_not_here() -> None:
    with pytest.raises(DeviceAbsentError, match="not found"):
        WatchedDevice(fake()[0], "GPU-elsewhere", 0.25)
