"""What a device can do, measured: the float32 matrix product of its own library."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from service.parity.plan import Plan
from service.ports import DeviceFigures
from service.subjects.devices import array_module, resolve_device
from service.subjects.step_timer import EventStopwatch, HostStopwatch, Stopwatch

GPU_SIZE, CPU_SIZE = 4096, 768
"""Edges of the square matrices: 192 MiB in all on a GPU."""

REPEATS = 10
WARM_UP_S = 0.5
"""Until a GPU's clocks are up."""


def measure_device(plan: Plan) -> DeviceFigures:
    """The best of some products: 2 n^3 operations over the time of one, in FLOP/s."""
    device = resolve_device(plan.device)
    xp: Any = array_module(device)
    stopwatch: Stopwatch = HostStopwatch() if device == "cpu" else EventStopwatch(xp)
    size = CPU_SIZE if device == "cpu" else GPU_SIZE
    a = xp.asarray(np.random.default_rng(0).random((size, size), dtype=np.float32))
    out = xp.empty_like(a)

    def product() -> None:
        xp.matmul(a, a, out=out)

    began = time.monotonic()
    while time.monotonic() - began < WARM_UP_S:
        stopwatch.measure(REPEATS, product)
    fastest_ms = float(stopwatch.measure(REPEATS, product).step_ms.min())
    return DeviceFigures(2 * size**3 / (fastest_ms / 1e3), multiprocessors(device))


def multiprocessors(device: str) -> int | None:
    """Streaming multiprocessors of a GPU; `None` for a CPU."""
    if device == "cpu":
        return None
    attributes = array_module(device).cuda.Device(int(device.removeprefix("cuda:"))).attributes
    return int(attributes["MultiProcessorCount"])
