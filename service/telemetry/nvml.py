"""NVML as the rest of Lockstep sees it: the calls it uses, what each error code means, which GPUs there are.

The only importer of `pynvml` (nvidia-ml-py), which imports without a driver. Every error code is typed here, once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import pynvml
from pynvml import NVMLError

from service.parity.measurements import SampleStatus

__all__ = ["DriverView", "Fault", "Gpu", "NVMLError", "Nvml", "fault_of", "gpm_request", "library", "look_at_driver"]


class Nvml(Protocol):
    """The functions of `pynvml` that are used, under their own names; each raises `NVMLError`."""

    def nvmlInit(self) -> None: ...
    def nvmlShutdown(self) -> None: ...
    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any: ...
    def nvmlDeviceGetHandleByPciBusId(self, pciBusId: str) -> Any: ...
    def nvmlDeviceGetUUID(self, handle: Any) -> str: ...
    def nvmlDeviceGetName(self, handle: Any) -> str: ...
    def nvmlDeviceGetMigMode(self, device: Any) -> Sequence[int]: ...
    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Any: ...
    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: int | None = None) -> Any: ...
    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int) -> int: ...
    def nvmlDeviceGetClockInfo(self, handle: Any, type: int) -> int: ...
    def nvmlDeviceGetSamples(self, device: Any, sampling_type: int, timeStamp: int) -> tuple[int, Sequence[Any]]: ...
    def nvmlDeviceGetFieldValues(self, handle: Any, fieldIds: Sequence[int]) -> Sequence[Any]: ...
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> Sequence[Any]: ...
    def nvmlGpmQueryDeviceSupport(self, device: Any) -> Any: ...
    def nvmlGpmSampleAlloc(self) -> Any: ...
    def nvmlGpmSampleGet(self, device: Any, gpmSample: Any) -> Any: ...
    def nvmlGpmSampleFree(self, gpmSample: Any) -> None: ...
    def nvmlGpmMetricsGet(self, metricsGet: Any) -> Any: ...


def library() -> Nvml:
    """The real one."""
    return cast(Nvml, pynvml)


@dataclass(frozen=True, slots=True)
class Fault:
    """What one NVML error code means for a value that was asked for, and what a reader can do about it."""

    code: int
    """NVML's number; 0 where the call succeeded and its answer cannot be used."""
    status: SampleStatus
    meaning: str
    advice: str
    lost: bool = False
    """The device is gone until it is reset: a run on it ends as failed."""

    def __str__(self) -> str:
        said = f"NVML answers: {self.meaning} (code {self.code})" if self.code else self.meaning
        return f"{said}; {self.advice}"


_UNSUPPORTED = "nothing to do: this card or driver does not offer it"
_AGAIN = "if it stays, look for Xid messages of the driver in the kernel log (dmesg)"

FAULTS = {
    fault.code: fault
    for fault in (
        Fault(2, "not_supported", "invalid argument", "the driver does not know this field: a newer one may"),
        Fault(3, "not_supported", "not supported", _UNSUPPORTED),
        Fault(4, "no_permission", "no permission", "run as root, or have an administrator open the GPU's counters"),
        Fault(6, "stale", "not found", "the device or the value is not there: compare `nvidia-smi -L`"),
        Fault(9, "stale", "the driver is not loaded", "load it (`modprobe nvidia`), or give the container the GPU"),
        Fault(10, "timeout", "the driver timed out", _AGAIN),
        Fault(
            12, "stale", "the NVML library was not found", "install the NVIDIA driver, or give the container the GPU"
        ),
        Fault(13, "not_supported", "the library lacks this function", "a newer driver has it"),
        Fault(15, "lost", "the GPU is lost", "reset it or reboot, then look for Xid messages in dmesg", lost=True),
        Fault(16, "lost", "the GPU must be reset", "`nvidia-smi --gpu-reset`, or reboot", lost=True),
        Fault(18, "stale", "library and kernel driver differ in version", "reload the driver's modules, or reboot"),
        Fault(25, "not_supported", "the driver knows another version of this call", "a newer driver may know this one"),
        Fault(999, "stale", "unknown error", _AGAIN),
    )
}

NO_NEWS = (6, 21)
"""Codes by which the sample buffer says that nothing was added: not found, no data."""


def fault_of(error: NVMLError) -> Fault:
    """The meaning of an error; one that is not in the table leaves the value stale."""
    return fault_of_code(int(error.value), str(error))


def fault_of_code(code: int, meaning: str = "an error that Lockstep does not know") -> Fault:
    """The meaning of a code that came as a value."""
    return FAULTS.get(code) or Fault(code, "stale", meaning, _AGAIN)


def gpm_request(before: Any, after: Any, metrics: Sequence[int]) -> Any:
    """The structure by which `nvmlGpmMetricsGet` is asked for these metrics between two samples."""
    request = pynvml.c_nvmlGpmMetricsGet_t()
    request.version = pynvml.NVML_GPM_METRICS_GET_VERSION
    request.numMetrics = len(metrics)
    request.sample1, request.sample2 = before, after
    for place, metric in enumerate(metrics):
        request.metrics[place].metricId = metric
    return request


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as the driver names it."""

    index: int
    name: str
    uuid: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class DriverView:
    """The driver and its GPUs; `absent_reason` says why there are none."""

    driver_version: str | None
    gpus: tuple[Gpu, ...]
    absent_reason: str | None


def look_at_driver() -> DriverView:
    """Ask NVML once. No library, no driver, no permission: each is an answer with its reason."""
    try:
        pynvml.nvmlInit()
    except NVMLError as error:
        return DriverView(None, (), str(fault_of(error)))
    try:
        version = str(pynvml.nvmlSystemGetDriverVersion())
        gpus = tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except NVMLError as error:
        return DriverView(None, (), str(fault_of(error)))
    finally:
        with contextlib.suppress(NVMLError):  # a lost GPU answers nothing any more, not even this
            pynvml.nvmlShutdown()
    return DriverView(version, gpus, None if gpus else "the driver sees no GPU")


def _gpu(index: int) -> Gpu:
    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    return Gpu(
        index=index,
        name=str(pynvml.nvmlDeviceGetName(handle)),
        uuid=str(pynvml.nvmlDeviceGetUUID(handle)),
        memory_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
    )


def uuid_at(bus_id: str, nvml: Nvml | None = None) -> str:
    """The UUID of the GPU at a PCI bus id; raises `NVMLError`."""
    nvml = nvml or library()
    nvml.nvmlInit()
    try:
        return str(nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByPciBusId(bus_id)))
    finally:
        with contextlib.suppress(NVMLError):
            nvml.nvmlShutdown()
