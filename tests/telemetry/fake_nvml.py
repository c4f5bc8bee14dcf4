"""NVML without a GPU: the functions of `pynvml` on a card that does not exist.

Spawned processes import this file by name, so it stands alone. Figures move with the clocks that it is given: 300 W,
all SMs half active, one sample of utilization every 50 ms in the driver's buffer.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pynvml

UUID = "GPU-00000000-1111-2222-3333-444444444444"
BUS_ID = "00000000:4B:00.0"
PERIOD_US = 50_000
WATTS = 300.0
ULL, UI = 3, 1


@dataclass
class FakeNvml:
    """`faults`: by number of the call, from 1, the code that it raises; `broken`: by function, always;
    `field_faults` and `metric_faults`: by id, within an answer. `hangs_in`: the function that never returns, from its
    `hangs_after`-th call on; `dies_in` likewise ends the process."""

    faults: Mapping[int, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)
    field_faults: Mapping[int, int] = field(default_factory=dict)
    metric_faults: Mapping[int, int] = field(default_factory=dict)
    hangs_in: str | None = None
    hangs_after: int = 1
    dies_in: str | None = None
    dies_after: int = 1
    mig: bool = False
    gpm: bool = True
    pids: Sequence[int] = ()
    counter_type: int = ULL
    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    calls: list[str] = field(default_factory=list)
    counters: dict[int, int] = field(default_factory=dict)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self.hangs_in and self.calls.count(name) >= self.hangs_after:
            threading.Event().wait()
        if name == self.dies_in and self.calls.count(name) >= self.dies_after:
            os._exit(41)
        code = self.faults.get(len(self.calls), self.broken.get(name))
        if code is not None:
            raise pynvml.NVMLError(code)

    def nvmlInit(self) -> None:
        self._called("nvmlInit")

    def nvmlShutdown(self) -> None:
        self._called("nvmlShutdown")

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        self._called("nvmlDeviceGetHandleByUUID")
        if uuid != UUID:
            raise pynvml.NVMLError(6)
        return "handle"

    def nvmlDeviceGetHandleByPciBusId(self, pciBusId: str) -> Any:
        self._called("nvmlDeviceGetHandleByPciBusId")
        if pciBusId.upper() not in (BUS_ID, BUS_ID[4:]):
            raise pynvml.NVMLError(6)
        return "handle"

    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        self._called("nvmlDeviceGetUUID")
        return UUID

    def nvmlDeviceGetName(self, handle: Any) -> str:
        self._called("nvmlDeviceGetName")
        return "NVIDIA Fake"

    def nvmlDeviceGetMigMode(self, device: Any) -> list[int]:
        self._called("nvmlDeviceGetMigMode")
        return [int(self.mig), int(self.mig)]

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any:
        self._called("nvmlDeviceGetUtilizationRates")
        if self.mig:
            raise pynvml.NVMLError(3)
        return SimpleNamespace(gpu=96, memory=40)

    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: int | None = None) -> Any:
        self._called("nvmlDeviceGetMemoryInfo")
        assert version == pynvml.nvmlMemory_v2
        return SimpleNamespace(total=80 * 2**30, used=3 * 2**30, reserved=2**29)

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int:
        self._called("nvmlDeviceGetTemperature")
        return 51

    def nvmlDeviceGetClockInfo(self, handle: Any, type: int) -> int:
        self._called("nvmlDeviceGetClockInfo")
        return {pynvml.NVML_CLOCK_SM: 1980, pynvml.NVML_CLOCK_MEM: 2619}[type]

    def nvmlDeviceGetSamples(self, device: Any, sampling_type: int, timeStamp: int) -> tuple[int, list[Any]]:
        self._called("nvmlDeviceGetSamples")
        assert sampling_type == pynvml.NVML_GPU_UTILIZATION_SAMPLES
        last = int(self.wall() * 1e6) // PERIOD_US
        stamps = [k * PERIOD_US for k in range(last - 100, last + 1) if k * PERIOD_US > timeStamp]
        if not stamps:
            raise pynvml.NVMLError(6)
        rows = []
        for stamp in stamps:
            row = pynvml.c_nvmlSample_t()
            row.timeStamp, row.sampleValue.uiVal = stamp, 97
            rows.append(row)
        return UI, rows

    def nvmlDeviceGetFieldValues(self, handle: Any, fieldIds: Sequence[int]) -> Any:
        self._called("nvmlDeviceGetFieldValues")
        values = (pynvml.c_nvmlFieldValue_t * len(fieldIds))()
        for value, number in zip(values, fieldIds, strict=True):
            value.fieldId, value.nvmlReturn = number, self.field_faults.get(number, 0)
            if number == pynvml.NVML_FI_DEV_POWER_INSTANT:
                value.valueType, value.value.uiVal = UI, int(WATTS * 1e3)
                continue
            value.valueType, value.value.ullVal = self.counter_type, self._counter(number)
        return values

    def _counter(self, number: int) -> int:
        if number in self.counters:
            return self.counters[number]
        if number == pynvml.NVML_FI_DEV_TOTAL_ENERGY_CONSUMPTION:
            return int(self.monotonic() * WATTS * 1e3)
        return number * 1_000_000  # 1 ms a unit of its number, of ns; bytes

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        self._called("nvmlDeviceGetComputeRunningProcesses")
        return [SimpleNamespace(pid=pid) for pid in self.pids]

    def nvmlGpmQueryDeviceSupport(self, device: Any) -> Any:
        self._called("nvmlGpmQueryDeviceSupport")
        return SimpleNamespace(isSupportedDevice=int(self.gpm))

    def nvmlGpmSampleAlloc(self) -> Any:
        self._called("nvmlGpmSampleAlloc")
        return pynvml.c_nvmlGpmSample_t()

    def nvmlGpmSampleGet(self, device: Any, gpmSample: Any) -> Any:
        self._called("nvmlGpmSampleGet")
        return gpmSample

    def nvmlGpmSampleFree(self, gpmSample: Any) -> None:
        self._called("nvmlGpmSampleFree")

    def nvmlGpmMetricsGet(self, metricsGet: Any) -> Any:
        self._called("nvmlGpmMetricsGet")
        for metric in metricsGet.metrics[: metricsGet.numMetrics]:
            metric.nvmlReturn = self.metric_faults.get(metric.metricId, 0)
            metric.value = 50.0 + metric.metricId
        return metricsGet


def dying_nvml() -> FakeNvml:
    """A library that takes its process down when the temperature is read for the second time."""
    return FakeNvml(dies_in="nvmlDeviceGetTemperature", dies_after=2)
