"""What a device is, by a CuPy that is not there or is played."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from kernels.devices import Gpu, gpu_index, read_gpu


@pytest.mark.parametrize(("device", "index"), [("cpu", None), ("cuda", 0), ("cuda:0", 0), ("cuda:12", 12)])
def test_device_names(device: str, index: int | None) -> None:
    assert gpu_index(device) == index


@pytest.mark.parametrize("device", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "CPU", "auto"])
def test_unknown_device_names(device: str) -> None:
    with pytest.raises(ValueError, match="unknown device"):
        gpu_index(device)


class CudaError(RuntimeError):
    pass


def play(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    runtime = SimpleNamespace(CUDARuntimeError=CudaError, **functions)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=SimpleNamespace(runtime=runtime)))  # type: ignore[arg-type]


def test_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"name": b"NVIDIA H100 80GB HBM3", "major": 9, "minor": 0, "multiProcessorCount": 132}
    play(monkeypatch, getDeviceCount=lambda: 2, getDeviceProperties=lambda index: {1: answer}[index])
    assert read_gpu(1) == Gpu("NVIDIA H100 80GB HBM3", (9, 0), 132)
    assert str(read_gpu(1)) == "NVIDIA H100 80GB HBM3 (compute capability 9.0, 132 SMs)"


def test_no_cupy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'cuda:0' cannot be used: CuPy cannot be imported"):
        read_gpu(0)


def test_no_such_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, getDeviceCount=lambda: 1)
    with pytest.raises(ValueError, match="'cuda:1' cannot be used: CUDA devices here: 1"):
        read_gpu(1)


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise CudaError("cudaErrorInsufficientDriver")

    play(monkeypatch, getDeviceCount=refuse)
    with pytest.raises(ValueError, match="the CUDA runtime answers: cudaErrorInsufficientDriver"):
        read_gpu(0)
