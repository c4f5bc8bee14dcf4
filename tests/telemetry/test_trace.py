"""A trace goes to a file and comes back equal; a file that is none is refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample
from service.telemetry.trace import Trace, TraceError, read_trace, write_header, write_line

TRACE = Trace(
    device="cuda:0",
    began_s=10.0,
    samples=(TelemetrySample(10.1, "power_w", 300.5), TelemetrySample(10.2, "sm_active_pct", None, "timeout")),
    edges=(EdgeReading(10.3, {"energy_j": 5.0}, {"power_brake_s": "not_supported"}, 1),),
    errors=(TraceError(11.0, 15, ("power_w",)),),
    report=SamplerReport("nvml", "cuda:0", "NVIDIA Fake", "GPU-1", cpu_s=0.1, statuses={"ok": 1}, reasons={"a": "b"}),
)


def write(path: Path, trace: Trace) -> Path:
    with path.open("w", encoding="utf-8") as file:
        write_header(file, trace.device, trace.began_s)
        for value in (*trace.samples, *trace.edges, *trace.errors, *([trace.report] if trace.report else [])):
            write_line(file, value)
    return path


def test_there_and_back(tmp_path: Path) -> None:
    assert read_trace(write(tmp_path / "trace.jsonl", TRACE)) == TRACE


def test_a_recording_that_was_cut_off_has_no_report(tmp_path: Path) -> None:
    path = write(tmp_path / "trace.jsonl", TRACE)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    trace = read_trace(path)
    assert (trace.samples, trace.report) == (TRACE.samples[:1], None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a telemetry trace"),
        ('{"kind": "sample"}', "not a telemetry trace"),
        ('{"kind": "trace", "version": 2}', "not a telemetry trace"),
        ('{"kind": "trace", "version": 1, "device": "cuda:0", "began_s": 0}\nnot json', "line 2"),
        ('{"kind": "trace", "version": 1, "device": "cuda:0", "began_s": 0}\n[]', "line 2"),
        ('{"kind": "trace", "version": 1, "device": "cuda:0", "began_s": 0}\n{"kind": "wish"}', "line 2"),
        ('{"kind": "trace", "version": 1, "device": "cuda:0", "began_s": 0}\n{"kind": "sample", "x": 1}', "line 2"),
    ],
)
def test_what_is_no_trace(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "trace.jsonl").write_text(text)
    with pytest.raises(ValueError, match=complaint):
        read_trace(tmp_path / "trace.jsonl")
