"""Which sampler for which device, on a machine with or without one."""

from __future__ import annotations

import importlib

import pynvml
import pytest

from service.telemetry import nvml
from service.telemetry.absent import AbsentSampler
from service.telemetry.choose import make_sampler
from service.telemetry.nvml import FAULTS, uuid_at
from service.telemetry.nvml_sampler import NvmlSampler
from service.telemetry.process import ProcessSampler


def test_a_cpu_run() -> None:
    assert isinstance(make_sampler("cpu"), ProcessSampler)


def test_a_gpu_whose_address_is_not_known() -> None:
    report = make_sampler("cuda:0").stop()
    assert report.absent_reason is not None
    assert "PCI address" in report.absent_reason


@pytest.mark.parametrize("code", [3, 4, 9, 10, 12, 15, 16, 18, 999])
def test_hardware_that_is_not_there_is_no_error(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    broken = importlib.import_module("fake_nvml").FakeNvml(broken={"nvmlInit": code})
    monkeypatch.setattr(nvml, "library", lambda: broken)
    one = make_sampler("cuda:0", "0000:4b:00.0")
    assert isinstance(one, AbsentSampler)
    assert set(one.edge().missing.values()) == {FAULTS[code].status}
    report = one.stop()
    assert report.absent_reason == str(FAULTS[code])
    assert (report.lost_reason is not None) == FAULTS[code].lost


def test_a_gpu_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = importlib.import_module("fake_nvml")
    monkeypatch.setattr(nvml, "library", fake.FakeNvml)
    one = make_sampler("cuda:3", "0000:4b:00.0")
    assert isinstance(one, NvmlSampler)
    assert one.stop().device_uuid == fake.UUID


def test_nvml_is_given_back() -> None:
    fake = importlib.import_module("fake_nvml")
    card = fake.FakeNvml()
    assert uuid_at("0000:4b:00.0", card) == fake.UUID
    with pytest.raises(pynvml.NVMLError):
        uuid_at("0000:01:00.0", card)
    assert card.calls.count("nvmlShutdown") == 2
