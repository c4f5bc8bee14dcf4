"""Curves and swatches: both sides' losses, the distance in widths of the band, one tap's ratio by step, colours.

Each chart labels its lines at their end. What is not a number has no place on an axis: the line breaks there and the
label says from which step on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.reports.figures import figure, whole
from service.reports.svg import Scale, drawing, element, label, polylines, round_values, rule, scale_for, spread_labels

WIDTH = 852
_LEFT = 60
_RIGHT = 150
_TOP = 26
_LABEL_APART = 14


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its name, its class (`ref`, `cand`, `cand dashed`) and a value for each step."""

    name: str
    class_: str
    steps: Sequence[int]
    values: Sequence[float | None]


def loss_chart(lines: Sequence[Line], height: int = 236) -> Markup:
    """Losses over steps, logarithmic where they are positive. Empty Markup without a single step."""
    if not any(line.steps for line in lines):
        return Markup("")
    y = scale_for((value for line in lines for value in line.values), height - 24, _TOP)
    parts = [label(0, 10, "Loss" if y.logarithmic else "Loss, linear", "strong"), *_grid(y)]
    parts += _curves(lines, y, _steps(lines), height)
    ends = "; ".join(f"{line.name} ends at {_end(line)}" for line in lines)
    return drawing(WIDTH, height, f"Loss of both sides by step. {ends}.", parts)


def band_chart(lines: Sequence[Line], limit: float, height: int = 190) -> Markup:
    """Distances in widths of the band: the band is 1, the limit is drawn. Empty Markup without a single step."""
    if not any(line.steps for line in lines):
        return Markup("")
    values = [value for line in lines for value in line.values]
    positive = [v for v in values if v is not None and math.isfinite(v) and v > 0]
    lowest = max(min(positive, default=0.1), max((*positive, limit, 1.0)) * 1e-9, 1e-3)
    y = scale_for((lowest, 0.1, 1.0, limit, *positive), height - 24, _TOP)
    one, far = y.position(1.0), y.position(limit)
    parts = [label(0, 10, "Widths of the band", "strong")]
    bottom = height - 24
    if one is not None:
        parts.append(
            element("rect", class_="band", x=_LEFT, y=one, width=WIDTH - _LEFT - _RIGHT, height=max(bottom - one, 0))
        )
    parts += _grid(y)
    taken: list[tuple[float, str, str]] = []
    if far is not None:
        parts.append(rule(_LEFT, far, WIDTH - _RIGHT, far, "limit"))
        taken.append((far, f"limit {figure(limit)}", "limit-text"))
    parts += _curves(lines, y, _steps(lines), height, taken)
    ends = "; ".join(f"{line.name} at most {_most(line)}" for line in lines)
    return drawing(WIDTH, height, f"Distance in widths of the band; the limit is {figure(limit)}. {ends}.", parts)


def ratio_chart(steps: Sequence[int], ratios: Sequence[float | None], limit: float) -> Markup:
    """One tap's error ratio by step, small, with the limit. Empty Markup without a single step."""
    if not steps:
        return Markup("")
    width, height, left = 304, 132, 40
    y = scale_for((limit, 1.0, *(r for r in ratios if r is None or r > 0)), height - 20, 12)
    x = Scale(steps[0], steps[-1], left, width - 8)
    parts = _grid(y, left, width)
    parts += polylines(_points(x, y, steps, ratios), "cand")
    far = y.position(limit)
    if far is not None:
        parts += [
            rule(left, far, width, far, "limit"),
            label(width, far - 4, f"limit {figure(limit)}", "limit-text", "end"),
        ]
    parts.append(label(left, height - 4, f"step {whole(steps[0])}"))
    if len(steps) > 1:
        parts.append(label(width, height - 4, whole(steps[-1]), None, "end"))
    return drawing(width, height, f"Error ratio by step; the limit is {figure(limit)}", parts)


def chips(colours: Sequence[tuple[str, Sequence[float] | None]], wide: int = 68) -> Markup:
    """Colours side by side, each `(name, RGB)` with channels 0 to 1; hatched where there is none to show."""
    parts: list[Markup] = []
    words: list[str] = []
    for index, (name, rgb) in enumerate(colours):
        code = hex_code(rgb)
        words.append(f"{name} {code or 'no colour'}")
        place = {"x": index * wide, "y": 0, "width": wide, "height": 26}
        parts.append(element("rect", fill=code, class_=None if code else "no-data", **place))
    whole_width = wide * len(colours)
    return element("svg", *parts, class_="chips", viewBox=f"0 0 {whole_width} 26", width=whole_width, height=26,
                   role="img", aria_label=", ".join(words))  # fmt: skip


def hex_code(rgb: Sequence[float] | None) -> str | None:
    """The visible colour, channels cut to 0 to 1; `None` where a channel is missing or not a number."""
    if rgb is None or len(rgb) != 3 or any(math.isnan(channel) for channel in rgb):
        return None
    return "#" + "".join(f"{round(255 * min(max(channel, 0.0), 1.0)):02X}" for channel in rgb)


def _steps(lines: Sequence[Line]) -> Scale:
    steps = [step for line in lines for step in line.steps]
    return Scale(min(steps), max(steps), _LEFT, WIDTH - _RIGHT)


def _grid(y: Scale, left: float = _LEFT, right: float = WIDTH - _RIGHT) -> list[Markup]:
    parts: list[Markup] = []
    for value, text in y.ticks():
        at = y.position(value)
        if at is not None:
            parts += [rule(left, at, right, at, "grid"), label(left - 8, at + 4, text, None, "end")]
    return parts


def _curves(
    lines: Sequence[Line],
    y: Scale,
    x: Scale,
    height: float,
    more_labels: Sequence[tuple[float, str, str]] = (),
) -> list[Markup]:
    parts = [part for line in lines for part in polylines(_points(x, y, line.steps, line.values), line.class_)]
    labels = [*more_labels, *(_end_label(line, y, height) for line in lines if line.steps)]
    places = spread_labels([at for at, _, _ in labels], _LABEL_APART, _TOP, height - 20)
    parts += [
        label(WIDTH - _RIGHT + 8, at + 4, text, class_) for at, (_, text, class_) in zip(places, labels, strict=True)
    ]
    return [*parts, *_step_axis(x, height)]


def _step_axis(x: Scale, height: float) -> list[Markup]:
    first, last = int(x.low), int(x.high)
    base = height - 24
    parts = [rule(_LEFT, base, WIDTH - _RIGHT, base, "axis"), label(_LEFT, height - 4, f"step {whole(first)}")]
    for value in round_values(first, last, 8):
        at = x.position(value)
        if at is not None and value == int(value) and at > _LEFT + 56:
            parts.append(rule(at, base, at, base + 4, "axis"))
            parts.append(label(at, height - 4, whole(int(value)), None, "middle"))
    return parts


def _points(
    x: Scale, y: Scale, steps: Sequence[int], values: Sequence[float | None]
) -> list[tuple[float, float] | None]:
    points: list[tuple[float, float] | None] = []
    for step, value in zip(steps, values, strict=True):
        across, up = x.position(step), None if value is None or math.isinf(value) else y.position(value)
        points.append(None if across is None or up is None else (across, up))
    return points


def _end_label(line: Line, y: Scale, height: float) -> tuple[float, str, str]:
    """The line's name and last value, or where it stopped being a number."""
    drawn = [y.position(value) for value in line.values if value is not None and math.isfinite(value)]
    known = [at for at in drawn if at is not None]
    at = known[-1] if known else height / 2
    broken = next((s for s, v in zip(line.steps, line.values, strict=True) if v is None or not math.isfinite(v)), None)
    text = f"{line.name} {_end(line)}" if broken is None else f"{line.name}: {_named(line, broken)}"
    return at, text, f"strong {line.class_.split()[0]}-fill"


def _named(line: Line, step: int) -> str:
    value = line.values[list(line.steps).index(step)]
    return f"{'none' if value is None else figure(value)} at {whole(step)}"


def _end(line: Line) -> str:
    value = line.values[-1] if line.values else None
    return "not measured" if value is None else figure(value)


def _most(line: Line) -> str:
    known = [value for value in line.values if value is not None]
    if not known:
        return "not measured"
    return figure(math.nan if any(math.isnan(value) for value in known) else max(known))
