"""The sampler on a real card under load: figures that make sense, in their units, from the right device.

With OUT set, ten seconds of load are recorded there as a trace, to be kept as `tests/telemetry/assets/<device>.jsonl`.
"""

from __future__ import annotations

import os
import re
import statistics
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample
from service.subjects.devices import pci_address
from service.telemetry.choose import make_sampler
from service.telemetry.nvml import library, look_at_driver, uuid_at
from service.telemetry.recording import RecordingSampler
from service.telemetry.trace import read_trace
from service.telemetry.watched import EDGE_IDS, GPM_METRICS, GPU_FIELDS

cupy = pytest.importorskip("cupy")

pytestmark = pytest.mark.gpu

COPIED_BYTES = 256 * 2**20


def multiply(seconds: float) -> None:
    """Keep the card busy with float32 products for so long."""
    a = cupy.ones((4096, 4096), cupy.float32)
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        for _ in range(8):
            cupy.matmul(a, a)
        cupy.cuda.Device().synchronize()


@dataclass
class Watched:
    before: EdgeReading
    after: EdgeReading
    samples: list[TelemetrySample]
    report: SamplerReport

    def ok(self, field: str) -> list[float]:
        return [s.value for s in self.samples if s.field == field and s.value is not None]

    def share(self, field: str) -> float:
        return self.after.values[field] - self.before.values[field]

    def seconds(self) -> float:
        return self.after.at_s - self.before.at_s


@pytest.fixture(scope="module")
def watched() -> Watched:
    """Three seconds of products, and a copy to the card, between two edges."""
    multiply(0.5)
    one = make_sampler("cuda:0", pci_address("cuda:0"))
    one.start()
    one.own([os.getpid()])
    one.drain()
    before = one.edge()
    cupy.asarray(np.zeros(COPIED_BYTES, np.uint8))
    multiply(3.0)
    after = one.edge()
    samples = one.drain()
    return Watched(before, after, samples, one.stop())


def show(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        print(f"\n{text}")  # noqa: T201


def test_what_it_says(watched: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    report = watched.report
    assert report.wall_s is not None
    assert report.cpu_s is not None
    show(capsys, f"{report}")
    show(capsys, f"the sampler took {100 * report.cpu_s / report.wall_s:.2f} % of a core")
    show(capsys, f"edge {watched.after}")
    for field in GPU_FIELDS:
        values = watched.ok(field)
        mean = f"{statistics.fmean(values):.6g} of {len(values)}" if values else "none"
        show(capsys, f"{field}: {mean}")
    show(capsys, f"field id, code, type, value: {field_types()}")
    assert report.source == "nvml"
    assert report.lost_reason is report.absent_reason is None


def field_types() -> list[tuple[int, int, int, int]]:
    nvml = library()
    nvml.nvmlInit()
    handle = nvml.nvmlDeviceGetHandleByUUID(uuid_at(pci_address("cuda:0")))
    values = nvml.nvmlDeviceGetFieldValues(handle, list(EDGE_IDS))
    return [(int(v.fieldId), int(v.nvmlReturn), int(v.valueType), int(v.value.ullVal)) for v in values]


def test_it_is_the_device_that_cuda_means(watched: Watched) -> None:
    found = watched.report.device_uuid
    assert found == uuid_at(pci_address("cuda:0"))
    assert found in {gpu.uuid for gpu in look_at_driver().gpus}
    raw: Any = cupy.cuda.runtime.getDeviceProperties(0).get("uuid")
    if isinstance(raw, bytes) and len(raw) == 16:
        assert found == f"GPU-{uuid.UUID(bytes=raw)}"


def test_kernels_were_resident(watched: Watched) -> None:
    values = watched.ok("kernel_resident_pct")
    assert sum(value > 50 for value in values) >= 2
    assert all(0 <= value <= 100 for value in values)
    times = [s.at_s for s in watched.samples if s.field == "kernel_resident_pct"]
    assert times == sorted(set(times))
    assert all(watched.before.at_s - 5 < at_s < watched.after.at_s + 1 for at_s in times)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("power_w", 20, 2000),
        ("sm_clock_mhz", 200, 4000),
        ("memory_clock_mhz", 200, 20_000),
        ("temperature_c", 10, 110),
        ("memory_used_bytes", 2**27, 2**40),
        ("memory_busy_pct", 0, 100),
    ],
)
def test_levels(watched: Watched, field: str, low: float, high: float) -> None:
    values = watched.ok(field)
    assert values
    assert all(low <= value <= high for value in values)


def test_activity(watched: Watched) -> None:
    if {s.status for s in watched.samples if s.field == "sm_active_pct"} <= {"not_supported", "no_permission"}:
        pytest.skip(watched.report.reasons["sm_active_pct"])
    for field in GPM_METRICS:
        assert watched.ok(field), field
        assert all(0 <= value <= 100 for value in watched.ok(field)), field
    assert max(watched.ok("sm_active_pct")) > 50
    assert max(watched.ok("fp32_active_pct")) > 5


def test_energy_is_power_times_time(watched: Watched) -> None:
    mean_w = statistics.fmean(watched.ok("power_w"))
    assert watched.share("energy_j") == pytest.approx(mean_w * watched.seconds(), rel=0.3)


def test_no_limit_lasted_longer_than_the_watch(watched: Watched) -> None:
    """So that nanoseconds are not taken for microseconds the other way round."""
    limits = [field for field in watched.after.values if field.endswith("_s")]
    assert limits
    for field in limits:
        assert 0 <= watched.share(field) <= 2.2 * watched.seconds(), field


def test_what_went_over_the_bus(watched: Watched) -> None:
    if "pcie_received_bytes" not in watched.after.values:
        pytest.skip(watched.report.reasons["pcie_received_bytes"])
    assert watched.share("pcie_received_bytes") >= 0.9 * COPIED_BYTES


def test_no_foreign_process_or_no_answer(watched: Watched) -> None:
    foreign = watched.after.foreign_processes
    assert foreign is None or foreign >= 0
    assert (foreign is None) <= ("foreign_processes" in watched.report.reasons)


def test_a_pause_asks_nothing() -> None:
    one = make_sampler("cuda:0", pci_address("cuda:0"))
    one.start()
    one.pause()
    one.drain()
    multiply(1.2)
    assert one.drain() == []
    one.resume()
    multiply(1.5)
    assert {"sm_clock_mhz", "power_w"} <= {sample.field for sample in one.drain()}
    one.stop()


@pytest.mark.skipif("OUT" not in os.environ, reason="OUT is not set: nowhere to record to")
def test_record_a_trace() -> None:
    name = re.sub(r"[^a-z0-9]+", "-", look_at_driver().gpus[0].name.lower()).strip("-")
    path = Path(os.environ["OUT"]) / f"{name}.jsonl"
    one = RecordingSampler(make_sampler("cuda:0", pci_address("cuda:0")), "cuda:0", path)
    one.start()
    one.own([os.getpid()])
    for _ in range(8):
        one.edge()
        multiply(1.25)
    one.edge()
    report = one.stop()
    trace = read_trace(path)
    assert trace.report == report
    assert len(trace.edges) == 9
    assert len(trace.samples) > 100
