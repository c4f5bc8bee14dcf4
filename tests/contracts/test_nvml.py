"""NVML as the sampler calls it: the fake card and the real library answer alike."""

from __future__ import annotations

import importlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pynvml
import pytest

from service.telemetry.nvml import Nvml, gpm_request, library, uuid_at
from service.telemetry.watched import EDGE_IDS, GPM_METRICS, MEMORY_V2, number


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.gpu)])
def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Nvml, Any, str, str]:
    """The library, a handle, the device's UUID and its PCI address."""
    if request.param == "fake":
        monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "telemetry"))
        fake = importlib.import_module("fake_nvml")
        nvml, address = fake.FakeNvml(pids=(os.getpid(),)), fake.BUS_ID
    else:
        pytest.importorskip("cupy")
        from service.subjects.devices import pci_address

        nvml, address = library(), pci_address("cuda:0")
    nvml.nvmlInit()
    uuid = uuid_at(address, nvml)
    return nvml, nvml.nvmlDeviceGetHandleByUUID(uuid), uuid, address


def test_by_address_and_by_uuid_it_is_the_same_card(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, uuid, address = bench
    assert nvml.nvmlDeviceGetUUID(handle) == uuid
    assert nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByPciBusId(address)) == uuid
    assert uuid.startswith("GPU-")
    assert nvml.nvmlDeviceGetName(handle).startswith("NVIDIA")


@pytest.mark.parametrize(
    "look", [lambda n: n.nvmlDeviceGetHandleByUUID("GPU-no"), lambda n: n.nvmlDeviceGetHandleByPciBusId("0000:FF:1F.0")]
)
def test_a_device_that_is_not_here(bench: tuple[Nvml, Any, str, str], look: Callable[[Nvml], Any]) -> None:
    with pytest.raises(pynvml.NVMLError):
        look(bench[0])


def test_levels(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, *_ = bench
    memory = nvml.nvmlDeviceGetMemoryInfo(handle, MEMORY_V2)
    assert 0 <= memory.used <= memory.total
    assert 0 < nvml.nvmlDeviceGetTemperature(handle, 0) < 120
    assert all(0 < nvml.nvmlDeviceGetClockInfo(handle, domain) < 20_000 for domain in (1, 2))


def test_the_batch_answers_every_field_it_was_asked_in_order(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, *_ = bench
    values = nvml.nvmlDeviceGetFieldValues(handle, list(EDGE_IDS))
    assert [int(value.fieldId) for value in values] == list(EDGE_IDS)
    good = {int(v.fieldId): number(int(v.valueType), v.value) for v in values if v.nvmlReturn == 0}
    assert all(value >= 0 for value in good.values())
    assert good[83] > 0


def buffer(nvml: Nvml, handle: Any, since_us: int) -> list[int] | int:
    """The stamps of the driver's samples since then, or the code by which it says that there are none."""
    try:
        return [int(sample.timeStamp) for sample in nvml.nvmlDeviceGetSamples(handle, 1, since_us)[1]]
    except pynvml.NVMLError as error:
        return int(error.value)


def test_the_buffer_gives_newer_samples_only(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, *_ = bench
    stamps = buffer(nvml, handle, 0)
    if isinstance(stamps, int):
        assert stamps in (3, 6, 21)
        return
    newest = max(stamps)
    newer = buffer(nvml, handle, newest)
    assert newer in (6, 21) if isinstance(newer, int) else all(stamp > newest for stamp in newer if stamp)


def test_activity_between_two_samples(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, *_ = bench
    if not nvml.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice:
        pytest.skip("this card has no GPM")
    before, after = nvml.nvmlGpmSampleAlloc(), nvml.nvmlGpmSampleAlloc()
    nvml.nvmlGpmSampleGet(handle, before)
    began_s = time.monotonic()
    while time.monotonic() < began_s + 0.2:  # the counters need time between the samples
        nvml.nvmlDeviceGetTemperature(handle, 0)
    nvml.nvmlGpmSampleGet(handle, after)
    answer = nvml.nvmlGpmMetricsGet(gpm_request(before, after, tuple(GPM_METRICS.values())))
    assert [int(m.metricId) for m in answer.metrics[: len(GPM_METRICS)]] == list(GPM_METRICS.values())
    for sample in (before, after):
        nvml.nvmlGpmSampleFree(sample)


def test_compute_processes_have_ids(bench: tuple[Nvml, Any, str, str]) -> None:
    nvml, handle, *_ = bench
    assert all(int(process.pid) >= 0 for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle))
