"""What a sampler said, as a file of JSON lines: what a recorder writes and a replay reads.

The first line is `{"kind": "trace", "version": 1, "device", "began_s"}`; then `sample`, `edge`, `error` and at last
`report` lines, each with the fields of its dataclass. An `error` line, written by hand, breaks a recorded trace:
`{"kind": "error", "at_s", "code", "fields"?}` has NVML answer with that code from then on, for these fields or for all;
at `began_s` or before, the device cannot be watched at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from service.parity.measurements import EdgeReading, SamplerReport, TelemetrySample

VERSION = 1


@dataclass(frozen=True, slots=True)
class TraceError:
    """From `at_s` on, NVML answers with `code`; `fields` empty means all."""

    at_s: float
    code: int
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trace:
    """A recorded watch of one device; times are of the machine that recorded it."""

    device: str
    began_s: float
    samples: tuple[TelemetrySample, ...]
    edges: tuple[EdgeReading, ...]
    errors: tuple[TraceError, ...]
    report: SamplerReport | None
    """None where the recording was cut off."""


def write_header(file: IO[str], device: str, began_s: float) -> None:
    """Begin a trace."""
    _write(file, {"kind": "trace", "version": VERSION, "device": device, "began_s": began_s})


def write_line(file: IO[str], value: TelemetrySample | EdgeReading | TraceError | SamplerReport) -> None:
    """Append one; it is on its way to the disk when this returns, so that a crash loses nothing that was said."""
    kinds = {TelemetrySample: "sample", EdgeReading: "edge", TraceError: "error", SamplerReport: "report"}
    _write(file, {"kind": kinds[type(value)], **asdict(value)})


def read_trace(path: Path) -> Trace:
    """The trace in a file; raises ValueError naming the line that cannot be read."""
    with path.open(encoding="utf-8") as file:
        lines = list(_lines(path, file))
    if not lines or lines[0][1].pop("kind") != "trace" or lines[0][1].get("version") != VERSION:
        raise ValueError(f"{path} is not a telemetry trace of version {VERSION}")
    found: dict[str, list[Any]] = {"sample": [], "edge": [], "error": [], "report": []}
    kinds = {"sample": TelemetrySample, "edge": EdgeReading, "error": TraceError, "report": SamplerReport}
    for number, line in lines[1:]:
        try:
            kind = line.pop("kind")
            if "fields" in line:
                line["fields"] = tuple(line["fields"])
            found[kind].append(kinds[kind](**line))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number}, is no line of a telemetry trace: {error}") from error
    header = lines[0][1]
    return Trace(
        device=str(header["device"]),
        began_s=float(header["began_s"]),
        samples=tuple(sorted(found["sample"], key=lambda sample: float(sample.at_s))),
        edges=tuple(found["edge"]),
        errors=tuple(sorted(found["error"], key=lambda error: float(error.at_s))),
        report=found["report"][-1] if found["report"] else None,
    )


def _lines(path: Path, file: IO[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, text in enumerate(file, start=1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}, is not JSON: {error}") from error
        if not isinstance(line, dict) or "kind" not in line:
            raise ValueError(f"{path}, line {number}, has no kind")
        yield number, line


def _write(file: IO[str], line: dict[str, Any]) -> None:
    file.write(json.dumps(line, separators=(",", ":")) + "\n")
    file.flush()
