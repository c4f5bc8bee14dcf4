"""A recorded trace said again: at its pace, in its order, and broken as its error lines say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample
from service.telemetry.nvml import FAULTS
from service.telemetry.recording import RecordingSampler
from service.telemetry.replay import ReplaySampler
from service.telemetry.trace import Trace, TraceError, read_trace
from service.telemetry.watched import GPU_EDGE_FIELDS, GPU_FIELDS

REPORT = SamplerReport("nvml", "cuda:0", "NVIDIA Fake", "GPU-1", wall_s=4.0, cpu_s=0.1, reads=4, statuses={"ok": 8})
TRACE = Trace(
    device="cuda:0",
    began_s=10.0,
    samples=tuple(
        TelemetrySample(10.0 + s, field, 100.0 + s) for s in range(1, 5) for field in ("power_w", "sm_active_pct")
    ),
    edges=(EdgeReading(10.5, {"energy_j": 5.0, "power_w": 1.0}, {}, 0), EdgeReading(12.5, {"energy_j": 9.0}, {}, 1)),
    errors=(),
    report=REPORT,
)


class Replay:
    """A replay on a clock that the test moves."""

    def __init__(self, *errors: TraceError) -> None:
        self.now_s = 500.0
        self.sampler = ReplaySampler(replace(TRACE, errors=errors), clock=lambda: self.now_s)
        self.sampler.start()

    def at(self, seconds: float) -> list[tuple[float, str, float | None, str]]:
        self.now_s = 500.0 + seconds
        return [(s.at_s - 500.0, s.field, s.value, s.status) for s in self.sampler.drain()]


def test_at_the_pace_of_the_recording() -> None:
    replay = Replay()
    assert replay.at(0.9) == []
    assert replay.at(2.5) == [
        (1, "power_w", 101, "ok"), (1, "sm_active_pct", 101, "ok"),
        (2, "power_w", 102, "ok"), (2, "sm_active_pct", 102, "ok"),
    ]  # fmt: skip
    assert replay.at(2.6) == []
    assert len(replay.at(100)) == 4


def test_edges_in_order_at_the_time_of_the_call() -> None:
    replay = Replay()
    replay.now_s = 507.0
    assert replay.sampler.edge() == replace(TRACE.edges[0], at_s=507.0)
    assert replay.sampler.edge() == replace(TRACE.edges[1], at_s=507.0)
    assert replay.sampler.edge().missing == dict.fromkeys(GPU_EDGE_FIELDS, "stale")


def test_a_pause_skips() -> None:
    replay = Replay()
    replay.at(1.5)
    replay.sampler.pause()
    replay.now_s = 502.5
    replay.sampler.resume()
    assert [sample[0] for sample in replay.at(9)] == [3, 3, 4, 4]


def test_the_report() -> None:
    replay = Replay()
    replay.at(2.5)
    report = replay.sampler.stop()
    assert report == replace(REPORT, source="replay", statuses={"ok": 4})
    assert replay.sampler.stop() is report


@pytest.mark.parametrize("code", [15, 16])
def test_a_gpu_that_is_lost(code: int) -> None:
    replay = Replay(TraceError(12.2, code))
    assert [sample[3] for sample in replay.at(2.1)] == ["ok"] * 4
    assert [(s[1], s[2], s[3]) for s in replay.at(9)] == [(field, None, "lost") for field in GPU_FIELDS]
    assert set(replay.sampler.edge().missing.values()) == {"lost"}
    assert replay.sampler.stop().lost_reason == str(FAULTS[code])


@pytest.mark.parametrize("code", [3, 4, 9, 10, 12, 18, 999])
def test_a_gap(code: int) -> None:
    replay = Replay(TraceError(12.0, code, ("power_w",)))
    samples = replay.at(2.1)
    assert [s[2:] for s in samples if s[1] == "power_w"] == [(101, "ok"), (None, FAULTS[code].status)]
    assert [s[3] for s in samples if s[1] == "sm_active_pct"] == ["ok", "ok"]
    edge = replay.sampler.edge()
    assert (edge.values, edge.missing) == ({"energy_j": 5.0}, {"power_w": FAULTS[code].status})
    assert replay.sampler.stop().reasons == {"power_w": str(FAULTS[code])}


@pytest.mark.parametrize("code", [3, 4, 9, 10, 12, 15, 16, 18, 999])
def test_an_nvml_that_does_not_begin(code: int) -> None:
    replay = Replay(TraceError(0.0, code))
    assert replay.at(9) == []
    assert set(replay.sampler.edge().missing.values()) == {FAULTS[code].status}
    report = replay.sampler.stop()
    assert (report.source, report.absent_reason) == ("absent", str(FAULTS[code]))
    assert report.lost_reason == (str(FAULTS[code]) if FAULTS[code].lost else None)


def test_a_recording_replays_as_it_was(tmp_path: Path) -> None:
    replay = Replay()
    recorder = RecordingSampler(replay.sampler, "cuda:0", tmp_path / "again.jsonl", clock=lambda: replay.now_s)
    recorder.start()
    recorder.own([1])
    first = recorder.edge()
    replay.now_s = 502.5
    early = recorder.drain()
    replay.now_s = 504.5
    report = recorder.stop()
    late = recorder.drain()
    again = read_trace(tmp_path / "again.jsonl")
    assert again.began_s == 500.0
    assert again.samples == (*early, *late)
    assert (len(early), len(late)) == (4, 4)
    assert again.edges == (first,)
    assert again.report == report
    assert recorder.stop() == report
    assert recorder.drain() == []


def test_a_trace_recorded_on_a_card_under_load_is_said_again() -> None:
    trace = read_trace(Path(__file__).with_name("assets") / "nvidia-h100-80gb-hbm3.jsonl")
    now_s = [100.0]
    sampler = ReplaySampler(trace, clock=lambda: now_s[0])
    sampler.start()
    before = sampler.edge()
    now_s[0] += 3600
    samples = sampler.drain()
    assert len(samples) == len(trace.samples) > 100
    assert {sample.field for sample in samples} <= set(GPU_FIELDS)
    resident = [s.value for s in samples if s.field == "kernel_resident_pct" and s.value is not None]
    active = [s.value for s in samples if s.field == "sm_active_pct" and s.value is not None]
    assert 0 <= min(resident) <= max(resident) <= 100
    assert 0 <= min(active) <= max(active) <= 100
    assert max(resident) > 80
    assert sampler.edge().values["energy_j"] > before.values["energy_j"]
    assert (sampler.stop().source, sampler.stop().device_name) == ("replay", "NVIDIA H100 80GB HBM3")
