"""Memory in use on a whole device, as the driver counts it: no context is made to find out."""

from __future__ import annotations

import contextlib

import pynvml


def memory_in_use(pci_address: str) -> int | None:
    """Bytes that all processes together use on the device at that address; `None` where NVML does not say.

    Memory that the driver keeps for itself is not counted.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return None
    try:
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(pci_address.encode())
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).used)
    except pynvml.NVMLError:
        return None
    finally:
        with contextlib.suppress(pynvml.NVMLError):  # a lost GPU answers nothing any more, not even this
            pynvml.nvmlShutdown()
