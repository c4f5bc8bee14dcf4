"""The sampler port: what holds for every implementation, whether it watches, replays, or says why it cannot."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.parity.measurements import EDGE_FIELDS, POLLED_FIELDS, EdgeReading, SamplerReport, TelemetrySample
from service.ports import Sampler
from service.telemetry.absent import AbsentSampler
from service.telemetry.nvml_sampler import NvmlSampler
from service.telemetry.process import ProcessSampler
from service.telemetry.recording import RecordingSampler
from service.telemetry.replay import ReplaySampler
from service.telemetry.trace import Trace, read_trace

STATUSES = {"ok", "not_supported", "no_permission", "lost", "stale", "timeout"}
GPU = pytest.param("gpu", marks=pytest.mark.gpu)


@pytest.fixture(params=["nvml", "killed", "absent", "process", "replay", "recording", GPU])
def sampler(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Sampler]:
    """Every implementation, not started; `killed`: one whose driver dies with the first reading of temperature."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "telemetry"))
    one = make(request.param, tmp_path)
    yield one
    one.stop()


def make(kind: str, tmp_path: Path) -> Sampler:
    fake = importlib.import_module("fake_nvml")
    if kind == "gpu":
        return real_sampler()
    if kind == "nvml":
        return NvmlSampler("cuda:0", fake.UUID, library=fake.FakeNvml, fast_s=0.02, slow_s=0.05)
    if kind == "killed":
        return NvmlSampler("cuda:0", fake.UUID, library=fake.dying_nvml, fast_s=0.02, slow_s=0.05)
    if kind == "absent":
        return AbsentSampler("cuda:0", "no NVML here")
    if kind == "process":
        return ProcessSampler(period_s=0.02)
    if kind == "recording":
        return RecordingSampler(ProcessSampler(period_s=0.02), "cpu", tmp_path / "trace.jsonl")
    return ReplaySampler(trace())


def real_sampler() -> Sampler:
    pytest.importorskip("cupy")
    from service.subjects.devices import pci_address
    from service.telemetry.choose import make_sampler

    return make_sampler("cuda:0", pci_address("cuda:0"))


def trace() -> Trace:
    samples = tuple(TelemetrySample(at_s / 100, "power_w", 300.0) for at_s in range(1, 100))
    edges = (EdgeReading(0.1, {"energy_j": 5.0}, {}, 0), EdgeReading(0.2, {"energy_j": 6.0}, {}, 0))
    return Trace("cuda:0", 0.0, samples, edges, (), SamplerReport("nvml", "cuda:0", "NVIDIA Fake", "GPU-1"))


def check_samples(samples: list[TelemetrySample]) -> None:
    assert [s.at_s for s in samples] == sorted(s.at_s for s in samples)
    for sample in samples:
        assert sample.field in POLLED_FIELDS
        assert sample.status in STATUSES
        assert (sample.value is None) == (sample.status != "ok")


def check_edge(edge: EdgeReading) -> None:
    assert set(edge.values) | set(edge.missing) <= set(EDGE_FIELDS)
    assert not set(edge.values) & set(edge.missing)
    assert edge.values or edge.missing
    assert set(edge.missing.values()) <= STATUSES - {"ok"}
    assert edge.foreign_processes is None or edge.foreign_processes >= 0


def test_a_whole_watch(sampler: Sampler) -> None:
    sampler.start()
    sampler.own([os.getpid()])
    first = sampler.edge()
    samples = sampler.drain()
    sampler.pause()
    samples += sampler.drain()
    assert sampler.drain() == []
    sampler.resume()
    second = sampler.edge()
    report = sampler.stop()
    samples += sampler.drain()
    for edge in (first, second):
        check_edge(edge)
    assert second.at_s >= first.at_s
    check_samples(samples)
    assert all(second.values[field] >= first.values[field] for field in ("energy_j",) if field in second.values)
    assert report.source in ("nvml", "process", "replay", "absent")
    assert (report.source == "absent") == (report.absent_reason is not None)
    assert report.lost_reason is None
    assert sum(report.statuses.values()) >= len(samples)
    assert set(report.statuses) <= STATUSES


def test_a_second_start_and_a_second_stop_change_nothing(sampler: Sampler) -> None:
    sampler.start()
    sampler.start()
    report = sampler.stop()
    assert sampler.stop() == report
    assert sampler.stop() == report


def test_after_the_end_nothing_is_measured(sampler: Sampler) -> None:
    sampler.start()
    sampler.own([os.getpid()])
    sampler.stop()
    sampler.drain()
    sampler.pause()
    sampler.resume()
    assert sampler.drain() == []


def test_without_a_start_there_is_no_figure(sampler: Sampler) -> None:
    assert sampler.drain() == []


def test_a_recording_is_a_trace(tmp_path: Path) -> None:
    one = make("recording", tmp_path)
    one.start()
    one.own([os.getpid()])
    edge = one.edge()
    report = one.stop()
    samples = one.drain()
    again = read_trace(tmp_path / "trace.jsonl")
    assert (again.edges, again.report, list(again.samples)) == ((edge,), report, samples)
