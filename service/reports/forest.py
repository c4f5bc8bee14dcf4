"""Ratios of step times as a forest: a table's row each, whose plots join up, each within the band it is held to.

A diamond is an interval that is judged, a square a part of one. Positions are percent of the cell, logarithmic and the
same to both sides of 1, so a ratio and its reciprocal are equally far from the middle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.reports.figures import figure
from service.reports.svg import element, round_values

WIDEST = math.log(4.0)
"""No ratio further from 1 than this is drawn at its place, but at the edge."""
_MARGIN = 4.0
"""Percent of the cell left free at each end."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """One row: a ratio with its interval (`None` where it has none) and the share by which it may differ from 1."""

    ratio: float
    low: float | None
    high: float | None
    band: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """From ratios to percent of the cell."""

    half: float

    def place(self, ratio: float) -> float:
        """Where `ratio` is drawn; what lies outside is drawn at the edge."""
        share = min(max(math.log(ratio) / self.half, -1.0), 1.0) if ratio > 0 else -1.0
        return 50.0 + share * (50.0 - _MARGIN)


def axis_of(rows: Sequence[Ratio]) -> Axis:
    """Wide enough for every row and its band."""
    ends = [end for row in rows for end in (row.ratio, row.low, row.high) if _drawable(end)]
    reach = [abs(math.log(end)) for end in ends if end is not None] + [1.4 * math.log1p(row.band) for row in rows]
    return Axis(min(max([*reach, 1e-4]) * 1.05, WIDEST))


def forest_cell(row: Ratio, axis: Axis) -> Markup:
    """The plot of one row; hidden from screen readers, since the row's figures say the same."""
    low, high = axis.place(1 / (1 + row.band)), axis.place(1 + row.band)
    parts = [
        element("rect", class_="band", x=_percent(low), y="0", width=_percent(high - low), height="100%"),
        *(_upright(place, "band-line") for place in (low, high)),
        _upright(axis.place(1.0), "axis"),
    ]
    if _drawable(row.low) and _drawable(row.high):
        assert row.low is not None
        assert row.high is not None
        ends = [axis.place(row.low), axis.place(row.high)]
        parts.append(
            element("line", class_="ink", x1=_percent(ends[0]), x2=_percent(ends[1]), y1="50%", y2="50%",
                    stroke_width=3.0 if row.judged else 1.5)
        )  # fmt: skip
        parts += [_mark(end, element("line", class_="ink", y1=-4.0, y2=4.0, stroke_width=1.5)) for end in ends]
    if _drawable(row.ratio):
        shape = (
            element("path", class_="ink-fill", d="M-7 0L0-7L7 0L0 7Z")
            if row.judged
            else element("rect", class_="ink-fill", x=-3.5, y=-3.5, width=7.0, height=7.0)
        )
        parts.append(_mark(axis.place(row.ratio), shape))
    return element("svg", *parts, aria_hidden="true")


def forest_ticks(axis: Axis) -> Markup:
    """The ratios along the axis."""
    values = round_values(math.exp(-axis.half), math.exp(axis.half), 6)
    parts = [
        element("text", figure(value, 4), x=_percent(axis.place(value)), y=17.0, text_anchor="middle")
        for value in values
        if value > 0
    ]
    return element("svg", *parts, aria_hidden="true")


def _drawable(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _upright(place: float, class_: str) -> Markup:
    return element("line", class_=class_, x1=_percent(place), x2=_percent(place), y1="0", y2="100%")


def _mark(place: float, shape: Markup) -> Markup:
    """A shape of fixed size at a place in percent: an inner drawing whose origin lies there."""
    return element("svg", shape, x=_percent(place), y="50%", overflow="visible")


def _percent(place: float) -> str:
    return f"{place:.2f}%"
