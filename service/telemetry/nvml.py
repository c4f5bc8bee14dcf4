"""What NVML says of the GPUs here. The only importer of `pynvml` (nvidia-ml-py), which imports without a driver."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import pynvml


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
    except pynvml.NVMLError as error:
        return DriverView(None, (), f"NVML answers: {error}")
    try:
        version = str(pynvml.nvmlSystemGetDriverVersion())
        gpus = tuple(_gpu(index) for index in range(pynvml.nvmlDeviceGetCount()))
    except pynvml.NVMLError as error:
        return DriverView(None, (), f"NVML answers: {error}")
    finally:
        with contextlib.suppress(pynvml.NVMLError):  # a lost GPU answers nothing any more, not even this
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
