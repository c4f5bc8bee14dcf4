"""What GPU a device is, by CuPy. The only place of this package that asks one."""

from __future__ import annotations

import importlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Gpu:
    """A CUDA device: its name as the driver gives it, compute capability, and number of multiprocessors."""

    name: str
    compute_capability: tuple[int, int]
    sm_count: int

    def __str__(self) -> str:
        major, minor = self.compute_capability
        return f"{self.name} (compute capability {major}.{minor}, {self.sm_count} SMs)"


def gpu_index(device: str) -> int | None:
    """The number in 'cuda:N', 0 for 'cuda', None for 'cpu'. Raises ValueError for another text."""
    if device == "cpu":
        return None
    kind, colon, number = device.partition(":")
    if kind != "cuda" or (colon and not (number.isascii() and number.isdecimal())):
        raise ValueError(f"unknown device {device!r}: use 'cpu', 'cuda:0', 'cuda:1', …")
    return int(number or 0)


def read_gpu(index: int) -> Gpu:
    """Ask CuPy for CUDA device `index`; makes no context. Raises ValueError, saying why, where it cannot be used."""
    try:
        runtime = importlib.import_module("cupy").cuda.runtime
    except ImportError as error:
        raise ValueError(f"device 'cuda:{index}' cannot be used: CuPy cannot be imported ({error})") from error
    try:
        count = int(runtime.getDeviceCount())
        if index >= count:
            raise ValueError(f"device 'cuda:{index}' cannot be used: CUDA devices here: {count}")
        properties = runtime.getDeviceProperties(index)
    except runtime.CUDARuntimeError as error:
        raise ValueError(f"device 'cuda:{index}' cannot be used: the CUDA runtime answers: {error}") from error
    name = properties["name"]
    return Gpu(
        name.decode() if isinstance(name, bytes) else str(name),
        (int(properties["major"]), int(properties["minor"])),
        int(properties["multiProcessorCount"]),
    )
