"""Slices and samples along the clock: a lane a side for each session, and a strip a field for the whole phase.

Slices are shaded by subject; those that were taken in turns share their block's time, and each is drawn as a quarter of
it. Those of two cards at once stand above each other. A rejected block is hatched and numbered; so is a time in which
nothing was seen, and no line is drawn across it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from service.parity.timing import on_second_device
from service.reports.figures import THIN, binary_size, duration, figure, whole
from service.reports.json_values import number_of
from service.reports.svg import Scale, drawing, element, label, polylines, round_values, rule

Document = Mapping[str, Any]

WIDTH = 852
_LEFT = 152
_VALUES = 132
_LANE, _LANES = 15, 56
_STRIP, _STRIP_APART = 40, 10
_ROOM_FOR_NUMBER = 17

SESSION_WORDS = {
    "a_a": "reference ÷ reference",
    "sampler": "sampler on ÷ off",
    "comparison": "comparison",
    "extension": "extension",
    "confirmation": "confirmation",
    "utilization": "uninterrupted",
    "side_by_side": "side by side",
}
FIELDS = {
    "kernel_resident_pct": ("Kernel-resident time", "%"),
    "memory_busy_pct": ("Memory controller", "%"),
    "memory_used_bytes": ("Device memory", "bytes"),
    "temperature_c": ("Temperature", "°C"),
    "sm_active_pct": ("SM active", "%"),
    "sm_occupancy_pct": ("SM occupancy", "%"),
    "tensor_active_pct": ("Tensor cores", "%"),
    "fp32_active_pct": ("FP32 pipes", "%"),
    "dram_active_pct": ("DRAM", "%"),
    "sm_clock_mhz": ("SM clock", "MHz"),
    "memory_clock_mhz": ("Memory clock", "MHz"),
    "power_w": ("Power", "W"),
    "process_cpu_pct": ("CPU of the process", "%"),
    "process_rss_bytes": ("Resident size", "bytes"),
}
"""What each sampled field is called, and its unit."""


@dataclass(frozen=True, slots=True)
class Strip:
    """One field over the phase: its series as the report has it, and the means of both sides in the comparison."""

    series: Document
    reference: float | None
    candidate: float | None


def slice_lanes(slices: Sequence[Document]) -> Markup:
    """A row a session, all to one scale: the reference's slices above, those of the candidate's place below."""
    sessions: dict[str, list[tuple[float, float, Document]]] = {}
    for piece in slices:
        begin, end = number_of(piece["begin_s"]), number_of(piece["end_s"])
        if begin is not None and end is not None and math.isfinite(begin) and math.isfinite(end):
            if piece["turns"] > 1:
                quarter = (end - begin) / 4
                begin, end = begin + piece["position"] * quarter, begin + (piece["position"] + 1) * quarter
            sessions.setdefault(piece["session"], []).append((begin, end, piece))
    if not sessions:
        return Markup("")
    longest = max(max(e for _, e, _ in rows) - min(b for b, _, _ in rows) for rows in sessions.values())
    height = _LANES * len(sessions) + 20
    parts: list[Markup] = []
    for row, (session, timed) in enumerate(sessions.items()):
        first = min(begin for begin, _, _ in timed)
        x = Scale(first, first + longest, _LEFT, WIDTH - 8)
        parts += _session(session, timed, x, row * _LANES)
    base = height - 18
    clock = Scale(0.0, longest, _LEFT, WIDTH - 8)
    parts += [rule(_LEFT, base, WIDTH - 8, base, "axis"), *_seconds(clock, base)]
    rejected = {(piece["session"], piece["block"]) for piece in slices if piece["rejected"]}
    blocks = {(piece["session"], piece["block"]) for piece in slices}
    description = f"{len(slices)} slices in {len(blocks)} blocks of {len(sessions)} sessions; "
    return drawing(WIDTH, height, f"{description}{len(rejected) or 'no'} blocks rejected", parts)


def telemetry_strips(slices: Sequence[Document], strips: Sequence[Strip], longest_s: float) -> Markup:
    """A strip a field, one clock for all. Empty Markup without a field."""
    if not strips:
        return Markup("")
    right = WIDTH - _VALUES
    x = Scale(0.0, longest_s, _LEFT, right)
    height = len(strips) * (_STRIP + _STRIP_APART) + 20
    parts = [
        element("path", class_=f"{class_}-tint", d=path)
        for role, class_ in (("reference", "ref"), ("candidate", "cand"))
        if (path := _shading(slices, role, x, height - 20))
    ]
    for row, strip in enumerate(strips):
        parts += _strip(strip, x, row * (_STRIP + _STRIP_APART))
    parts += _seconds(x, height - 18)
    names = ", ".join(_words(strip.series["field"])[0] for strip in strips)
    return drawing(WIDTH, height, f"Over {duration(longest_s)} of the performance phase: {names}", parts)


def value_text(field: str, value: float | None) -> str:
    """A field's value with its unit."""
    if value is None:
        return "not measured"
    unit = _words(field)[1]
    return binary_size(value) if unit == "bytes" else f"{figure(value)}{THIN}{unit}".rstrip()


def _session(session: str, timed: list[tuple[float, float, Document]], x: Scale, top: float) -> Iterator[Markup]:
    yield label(0, top + 28, SESSION_WORDS.get(session, session), "strong")
    yield label(0, top + 43, f"{len({piece['block'] for _, _, piece in timed})} blocks")
    blocks: dict[int, list[tuple[float, float, Document]]] = {}
    for begin, end, piece in timed:
        blocks.setdefault(piece["block"], []).append((begin, end, piece))
    for number, pieces in blocks.items():
        left, right = _at(x, min(b for b, _, _ in pieces)), _at(x, max(e for _, e, _ in pieces))
        broken = pieces[0][2]["rejected"]
        yield rule(left, top + 17, right, top + 17, "axis")
        if broken or right - left >= _ROOM_FOR_NUMBER or number % 5 == 0:
            text = f"{number + 1} ✕" if broken else str(number + 1)
            yield label((left + right) / 2, top + 13, text, "strong" if broken else None, "middle")
    for begin, end, piece in timed:
        yield _slice(piece, _at(x, begin), _at(x, end), top)


def _slice(piece: Document, left: float, right: float, top: float) -> Markup:
    below = piece["role"] == "candidate"
    class_ = "rejected" if piece["rejected"] else "cand-fill" if below else "ref-fill"
    median = number_of(piece["median_step_ms"])
    told = f"block {piece['block'] + 1}, {piece['role']}, pair {piece['pair'] + 1}: {whole(piece['steps'])} steps"
    told += "" if median is None else f" of {figure(median, 4)} ms"
    told += f" in {piece['turns']} turns" if piece["turns"] > 1 else ""
    if piece["session"] == "side_by_side":
        told += f" on the {'second' if on_second_device(piece['session'], piece['position']) else 'first'} card"
    told += ", rejected" if piece["rejected"] else ""
    return element(
        "rect",
        element("title", told),
        class_=class_,
        x=left,
        y=top + 21 + (below * (_LANE + 2)),
        width=max(right - left, 1.0),
        height=_LANE,
    )


def _strip(strip: Strip, x: Scale, top: float) -> Iterator[Markup]:
    series, right = strip.series, WIDTH - _VALUES
    name, unit = _words(series["field"])
    values = [number_of(value) for value in series["values"]]
    known = [value for value in values if value is not None and math.isfinite(value)]
    most = 100.0 if unit == "%" and max(known, default=0.0) <= 100 else max([*known, 0.0]) * 1.1 or 1.0
    y = Scale(0.0, most, top + _STRIP, top + 3)
    yield rule(_LEFT, top + _STRIP, right, top + _STRIP, "axis")
    yield label(0, top + 16, name, "strong")
    yield label(0, top + 31, _missing(series) or f"0 to {value_text(series['field'], most)}")
    for gap in series["gaps"]:
        left, end = _at(x, gap["from_s"]), _at(x, gap["to_s"])
        yield element(
            "rect",
            element("title", f"{str(gap['status']).replace('_', ' ')}: {figure(gap['to_s'] - gap['from_s'], 2)} s"),
            class_="no-data", x=left, y=top + 3, width=max(end - left, 1.0), height=_STRIP - 3,
        )  # fmt: skip
    yield from polylines(_points(series, values, x, y), "trace")
    for line, (side, value) in enumerate((("ref", strip.reference), ("cand", strip.candidate))):
        text = f"{side}. {value_text(series['field'], value)}"
        yield label(right + 10, top + 16 + 15 * line, text, f"{side}-fill")


def _points(
    series: Document, values: Sequence[float | None], x: Scale, y: Scale
) -> Iterator[tuple[float, float] | None]:
    """Samples in order, parted wherever a gap lies between two of them."""
    ends = [gap["to_s"] for gap in series["gaps"]]
    position, passed = 0, 0
    for at_s, value in zip(series["at_s"], values, strict=True):
        while position < len(ends) and ends[position] <= at_s:
            position += 1
        if position > passed:
            passed = position
            yield None
        up = None if value is None or not math.isfinite(value) else y.position(value)
        yield None if up is None else (_at(x, at_s), up)


def _shading(slices: Sequence[Document], role: str, x: Scale, height: float) -> str:
    """One path over all slices of a role that were its own from begin to end, on the device that was sampled."""
    parts = []
    for piece in slices:
        if piece["turns"] > 1 or on_second_device(piece["session"], piece["position"]):
            continue
        begin, end = number_of(piece["begin_s"]), number_of(piece["end_s"])
        if piece["role"] != role or begin is None or end is None or not math.isfinite(begin + end):
            continue
        left = _at(x, begin)
        parts.append(f"M{left:.1f} 0h{max(_at(x, end) - left, 0.5):.1f}V{height:.0f}H{left:.1f}Z")
    return "".join(parts)


def _seconds(x: Scale, base: float) -> Iterator[Markup]:
    for value in round_values(x.low, x.high, 8):
        at = _at(x, value)
        yield rule(at, base, at, base + 4, "axis")
        yield label(at, base + 16, f"{figure(value)}{THIN}s" if value else "0", None, "middle")


def _missing(series: Document) -> str:
    if series["at_s"]:
        return ""
    return ", ".join(str(status).replace("_", " ") for status in series["missing"]) or "no sample"


def _words(field: str) -> tuple[str, str]:
    return FIELDS.get(field, (field.replace("_", " "), ""))


def _at(x: Scale, value: float) -> float:
    place = x.position(value)
    return x.begin if place is None else place
