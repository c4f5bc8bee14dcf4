"""Which devices this machine can run subjects on, and the array module that goes with each."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from service.parity.errors import DeviceUnavailable, Problem
from service.parity.plan import Plan, second_device_fault


@dataclass(frozen=True, slots=True)
class Devices:
    """What can be used, `cpu` last, and if there is no GPU, why."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    no_gpu_reason: str | None


def find_devices() -> Devices:
    """Look for GPUs through CuPy; no CuPy, no driver and no device are answers, not errors."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return _only_cpu(f"CuPy is not installed or cannot be loaded ({error})")
    runtime = cupy.cuda.runtime
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        return _only_cpu(f"the CUDA runtime answers: {error}")
    if count == 0:
        return _only_cpu("CuPy sees no CUDA device")
    found = [str(runtime.getDeviceProperties(i)["name"].decode()) for i in range(count)]
    names = (*(f"cuda:{i}" for i in range(count)), "cpu")
    return Devices(names, (*found, "NumPy on this machine's processor"), None)


def _only_cpu(reason: str) -> Devices:
    return Devices(("cpu",), ("NumPy on this machine's processor",), reason)


def resolve_device(asked: str) -> str:
    """`auto` becomes the first GPU, or cpu where there is none; raises `DeviceUnavailable` for one that is not here."""
    if asked == "cpu":
        return "cpu"
    devices = find_devices()
    if asked == "auto":
        return devices.names[0]
    if asked not in devices.names:
        why = f"; {devices.no_gpu_reason}" if devices.no_gpu_reason else ""
        there = ", ".join(devices.names)
        message = f"{asked!r} is not usable here{why}; use one of: auto, {there} (`lockstep doctor` says more)"
        raise DeviceUnavailable(Problem("device", message))
    return asked


def check_second_device(plan: Plan) -> None:
    """Raise `DeviceUnavailable` where the plan names a second GPU that is not here, or is its first."""
    if plan.performance.second_device is not None:
        fault = second_device_fault(plan, find_devices().names)
        if fault is not None:
            raise DeviceUnavailable(Problem("performance.second_device", f"{fault} (`lockstep doctor` says more)"))


def array_module(device: str) -> Any:
    """NumPy for `cpu`; CuPy, with that device made current, for `cuda:N`."""
    if device == "cpu":
        return np
    cupy = importlib.import_module("cupy")
    cupy.cuda.Device(int(device.removeprefix("cuda:"))).use()
    return cupy


def pci_address(device: str) -> str:
    """Where `cuda:N` is, e.g. 0000:4b:00.0: what tells it apart in libraries that count devices in another order. No
    context is made there."""
    return str(importlib.import_module("cupy").cuda.runtime.deviceGetPCIBusId(int(device.removeprefix("cuda:"))))


def release_memory(device: str) -> None:
    """Give the driver back what this process's pool holds and nobody uses."""
    if device != "cpu":
        array_module(device).get_default_memory_pool().free_all_blocks()
