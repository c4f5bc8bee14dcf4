"""Memory in use on a whole device, as the driver counts it: no context is made to find out."""

from __future__ import annotations

import contextlib
import importlib

import pynvml


def memory_in_use(device: str) -> int | None:
    """Bytes that all processes together use on `cuda:N`, N as CUDA counts; `None` where NVML does not say.

    By the PCI address, since NVML's indices are not CUDA's. Memory that the driver keeps for itself is not counted.
    """
    runtime = importlib.import_module("cupy").cuda.runtime
    address = str(runtime.deviceGetPCIBusId(int(device.removeprefix("cuda:"))))
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(address.encode())
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).used)
    except pynvml.NVMLError:
        return None
    finally:
        with contextlib.suppress(pynvml.NVMLError):  # a lost GPU answers nothing any more, not even this
            pynvml.nvmlShutdown()
