"""Which device a model gets, with and without CuPy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from basemodel import devices
from basemodel.devices import array_module, resolve_device


class CUDARuntimeError(RuntimeError):
    pass


def with_cupy(monkeypatch: pytest.MonkeyPatch, count: int | str | None) -> list[int]:
    """So many devices, an answer of the runtime, or no CuPy; returns the devices that are made current."""
    used: list[int] = []

    def count_devices() -> int:
        if isinstance(count, str):
            raise CUDARuntimeError(count)
        assert count is not None
        return count

    def device(number: int) -> Any:
        return SimpleNamespace(use=lambda: used.append(number))

    runtime = SimpleNamespace(getDeviceCount=count_devices, CUDARuntimeError=CUDARuntimeError)
    cupy = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime, Device=device))

    def import_module(name: str) -> Any:
        assert name == "cupy"
        if count is None:
            raise ImportError("No module named 'cupy'")
        return cupy

    monkeypatch.setattr(devices, "importlib", SimpleNamespace(import_module=import_module))
    return used


@pytest.mark.parametrize(
    ("count", "asked", "found"),
    [
        (None, None, "cpu"), (None, "cpu", "cpu"), ("no driver", None, "cpu"), (0, None, "cpu"), (2, None, "cuda:0"),
        (2, "cuda:1", "cuda:1"), (1, "cuda", "cuda:0"), (2, "cpu", "cpu"),
    ],
)  # fmt: skip
def test_found(monkeypatch: pytest.MonkeyPatch, count: int | str | None, asked: str | None, found: str) -> None:
    with_cupy(monkeypatch, count)
    assert resolve_device(asked) == found


@pytest.mark.parametrize(
    ("count", "asked", "message"),
    [
        (None, "cuda:0", "cannot be used: CuPy is not installed"),
        ("no driver", "cuda:0", "cannot be used: the CUDA runtime answers: no driver"),
        (0, "cuda:0", "cannot be used: CuPy sees no CUDA device"),
        (2, "cuda:2", "cannot be used: there are 2 devices"),
        (2, "cuda:", "unknown device 'cuda:'"),
        (2, "cuda:x", "unknown device 'cuda:x'"),
        (2, "gpu", "unknown device 'gpu': use 'cpu', 'cuda:0'"),
        (2, "", "unknown device ''"),
    ],
)
def test_refused(monkeypatch: pytest.MonkeyPatch, count: int | str | None, asked: str, message: str) -> None:
    with_cupy(monkeypatch, count)
    with pytest.raises(ValueError, match=message):
        resolve_device(asked)


def test_the_array_module_makes_its_device_current(monkeypatch: pytest.MonkeyPatch) -> None:
    used = with_cupy(monkeypatch, 2)
    assert array_module("cpu") is np
    assert used == []
    assert hasattr(array_module("cuda:1"), "cuda")
    assert used == [1]
