"""NVML: no driver, no permission and a lost GPU are answers with a reason."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from service.telemetry import nvml
from service.telemetry.nvml import Gpu, look_at_driver


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """NVML's answers by function; an exception as a value is raised."""
    answers: dict[str, Any] = {
        "nvmlInit": None,
        "nvmlShutdown": None,
        "nvmlSystemGetDriverVersion": "580.1",
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": "handle",
        "nvmlDeviceGetName": "NVIDIA Test",
        "nvmlDeviceGetUUID": "GPU-1",
        "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=2**30),
    }
    calls: list[str] = []

    def answer(name: str) -> Any:
        def call(*args: Any) -> Any:
            calls.append(name)
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name]

        return call

    for name in answers:
        monkeypatch.setattr(nvml.pynvml, name, answer(name))
    answers["calls"] = calls
    return answers


def test_a_gpu(driver: dict[str, Any]) -> None:
    view = look_at_driver()
    assert (view.driver_version, view.absent_reason) == ("580.1", None)
    assert view.gpus == (Gpu(0, "NVIDIA Test", "GPU-1", 2**30),)
    assert driver["calls"][-1] == "nvmlShutdown"


CALLS = (
    "nvmlInit",
    "nvmlSystemGetDriverVersion",
    "nvmlDeviceGetCount",
    "nvmlDeviceGetHandleByIndex",
    "nvmlDeviceGetName",
    "nvmlDeviceGetMemoryInfo",
)


@pytest.mark.parametrize("code", [3, 9, 10, 12, 15, 16, 18, 999])
@pytest.mark.parametrize("call", CALLS)
def test_each_error_at_each_call_is_a_reason(driver: dict[str, Any], call: str, code: int) -> None:
    driver[call] = pynvml.NVMLError(code)
    view = look_at_driver()
    assert view.gpus == ()
    assert view.absent_reason is not None
    assert view.absent_reason.startswith("NVML answers: ")
    assert ("nvmlShutdown" in driver["calls"]) == (call != "nvmlInit")


def test_a_gpu_lost_at_the_end(driver: dict[str, Any]) -> None:
    driver["nvmlDeviceGetName"] = pynvml.NVMLError(15)
    driver["nvmlShutdown"] = pynvml.NVMLError(15)
    assert look_at_driver().absent_reason is not None


def test_a_driver_without_a_gpu(driver: dict[str, Any]) -> None:
    driver["nvmlDeviceGetCount"] = 0
    view = look_at_driver()
    assert (view.driver_version, view.gpus, view.absent_reason) == ("580.1", (), "the driver sees no GPU")


def test_this_machine() -> None:
    """Whatever it has: GPUs, or a reason why not."""
    view = look_at_driver()
    assert bool(view.gpus) != bool(view.absent_reason)
