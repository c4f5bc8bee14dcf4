"""Memory in use by the card's PCI address, or `None` where the driver does not say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from service.telemetry.nvml_memory import memory_in_use


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What NVML is asked."""
    made: list[Any] = []
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: made.append("init"))
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: made.append("shutdown"))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByPciBusId", lambda address: made.append(address) or "handle")
    monkeypatch.setattr(pynvml, "nvmlDeviceGetMemoryInfo", lambda handle, version: SimpleNamespace(used=12345))
    return made


def test_by_the_address(calls: list[Any]) -> None:
    assert memory_in_use("0000:42:00.0") == 12345
    assert calls == ["init", b"0000:42:00.0", "shutdown"]


@pytest.mark.parametrize("name", ["nvmlInit", "nvmlDeviceGetHandleByPciBusId", "nvmlDeviceGetMemoryInfo"])
def test_what_nvml_refuses_is_not_measured(calls: list[Any], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)

    monkeypatch.setattr(pynvml, name, refuse)
    assert memory_in_use("0000:42:00.0") is None
    assert ("shutdown" in calls) == (name != "nvmlInit")
