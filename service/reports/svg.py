"""Drawing as text: escaped elements and the scales that charts share.

Every piece of text that enters a chart goes through `element` or `label`, which escape it; nothing else makes Markup.
Colours are classes of the stylesheet, except where the colour is the datum (a swatch). No `style` attribute, no link.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from service.reports.figures import figure, power

SURE_DECADES = 400
"""More decades than float64 has: a bound for loops over ticks."""


def element(name: str, /, *content: Markup | str, **attributes: str | float | None) -> Markup:
    """One element; text is escaped, Markup kept; `class_` is `class` and `_` in names is `-`; `None` is left out."""
    written = Markup("").join(
        Markup(' {}="{}"').format(_attribute(key), _coordinate(value))
        for key, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(part) for part in content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), written, inside)


def drawing(width: float, height: float, description: str, parts: Iterable[Markup]) -> Markup:
    """An `svg` of that size, described for those who cannot see it."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {_coordinate(width)} {_coordinate(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=description,
    )


def label(x: float, y: float, text: str, class_: str | None = None, anchor: str | None = None) -> Markup:
    """A line of text whose baseline begins, or with `anchor` ends or is centred, at a point."""
    return element("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def rule(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def polylines(points: Iterable[tuple[float, float] | None], class_: str) -> list[Markup]:
    """Lines through the points, broken at `None`; a point between two breaks becomes a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [_run(run, class_) for run in runs if run]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values to positions, linear or logarithmic; `position` is `None` for what has no place on it.

    On a logarithmic scale 0 and everything below `low` sits at its lower end, everything above `high` at the other.
    """

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def position(self, value: float | None) -> float | None:
        """Where `value` is drawn."""
        if value is None or math.isnan(value) or (self.logarithmic and value < 0):
            return None
        clamped = min(max(value, self.low), self.high)
        share = self._share(clamped)
        return self.begin + share * (self.end - self.begin)

    def ticks(self, most: int = 5) -> list[tuple[float, str]]:
        """Where to draw grid lines, and what to write at them."""
        if self.logarithmic:
            return self._decades(most)
        return [(value, figure(value, 4)) for value in round_values(self.low, self.high, most)]

    def _share(self, value: float) -> float:
        if self.high <= self.low:
            return 0.5
        if self.logarithmic:
            low = math.log10(self.low)
            return (math.log10(value) - low) / (math.log10(self.high) - low)
        return (
            value / self.high if self.low == 0 else value / (self.high - self.low) - self.low / (self.high - self.low)
        )

    def _decades(self, most: int) -> list[tuple[float, str]]:
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        stride = max(1, math.ceil((last - first) / most))
        exponents = [n for n in range(first, last + 1, stride) if n > -308 and n <= 308]
        inside = [n for n in exponents if self.low * (1 - 1e-9) <= 10.0**n <= self.high * (1 + 1e-9)]
        return [(10.0**n, decade(n)) for n in inside[:SURE_DECADES]]


def round_values(low: float, high: float, most: int) -> list[float]:
    """At most about `most` values between the bounds, multiples of 1, 2 or 5 times a power of ten."""
    width = high / most - low / most
    if not (math.isfinite(width) and width > 0):
        return [low]
    size = 10.0 ** max(math.floor(math.log10(width)), -307)
    stride = next((size * factor for factor in (1, 2, 5) if size * factor >= width), size * 10)
    first = math.ceil(low / stride)
    values = [(first + index) * stride for index in range(most + 2)]
    return [value for value in values if low <= value <= high]


def decade(exponent: int) -> str:
    """A power of ten as an axis says it."""
    return figure(10.0**exponent) if -3 <= exponent <= 3 else f"10{power(exponent)}"


def scale_for(values: Iterable[float | None], begin: float, end: float, *, logarithmic: bool = True) -> Scale:
    """A scale that holds every finite value; linear where a logarithmic one would have to draw values below 0 or none.

    A logarithmic scale spans whole decades from the smallest positive value.
    """
    finite = [float(value) for value in values if value is not None and math.isfinite(value)]
    positive = [value for value in finite if value > 0]
    if logarithmic and positive and min(finite) >= 0:
        low, high = min(positive), max(positive)
        floor_exponent = max(math.floor(math.log10(low)), -307)
        ceiling_exponent = min(max(math.ceil(math.log10(high)), floor_exponent + 1), 308)
        return Scale(10.0**floor_exponent, 10.0**ceiling_exponent, begin, end, True)
    low, high = min((0.0, *finite)), max(finite, default=1.0)
    return Scale(low, high if high > low else low + 1.0, begin, end)


def spread_labels(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Label positions as near as can be to those wanted, at least `apart` from each other, within the bounds."""
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed: dict[int, float] = {}
    floor = low
    for rank, index in enumerate(order):
        rest = (len(order) - 1 - rank) * apart
        placed[index] = max(floor, min(wanted[index], high - rest))
        floor = placed[index] + apart
    return [placed[index] for index in range(len(wanted))]


def _run(run: list[tuple[float, float]], class_: str) -> Markup:
    if len(run) == 1:
        return element("circle", cx=run[0][0], cy=run[0][1], r=2.5, class_=f"{class_} dot")
    points = " ".join(f"{_coordinate(x)},{_coordinate(y)}" for x, y in run)
    return element("polyline", points=points, class_=f"line {class_}")


def _attribute(key: str) -> Markup:
    return Markup(key.rstrip("_").replace("_", "-"))


def _coordinate(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.1f}".removesuffix(".0")
