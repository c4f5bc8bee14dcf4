"""A sweep's heat-map: rows by columns of configurations, coloured by the largest error ratio, marked by the verdict.

The colour is that of the report's heat-map, a class a decade above the limit. What a configuration came to is a mark of
its own shape in each cell, so that it can be read without colours; a cell's title tells everything in words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from service.parity.grid import Axis, Grid
from service.parity.plan_tables import words_of
from service.reports.cases import CaseOutcome
from service.reports.figures import figure
from service.reports.heat_map import HeatRow, heat_class, heat_key
from service.reports.svg import drawing, element, label, rule
from service.reports.sweep import NOT_RUN, End, SweepResult, short_names

WIDTH = 1100
MOST_COLUMNS = 40
_ROW = 24
_HEADER = 17
_WIDEST, _NARROWEST = 76.0, 8.0
_RATIO_FITS, _MARK_FITS = 46.0, 12.0
_CHARACTER = 6.7
_LONGEST = 22
_DARK = frozenset({"h9", "h10", "broken"})
"""Classes on which ink cannot be read."""

_MARKS: Mapping[CaseOutcome, str] = {
    "PASS": "M-4 0l3 3.5l5-7",
    "FAIL": "M-4-4l8 8M4-4l-8 8",
    "ERROR": "M0-5v6M0 3.5v1.5",
    "INCONCLUSIVE": "M0-5l5 5l-5 5l-5-5z",
    "NOT RUN": "M-4 0h8",
}
"""Tick, cross, exclamation mark, diamond and dash, around a cell's centre."""

_KEY = (("PASS", "PASS"), ("FAIL", "FAIL"), ("INCONCLUSIVE", "INCONCLUSIVE"), ("ERROR", "Lockstep failed"),
        ("NOT RUN", "not run"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Layout:
    """Which axes make the rows and which the columns; both in the order of the file, the last changing fastest."""

    rows: tuple[Axis, ...]
    columns: tuple[Axis, ...]

    @property
    def height(self) -> int:
        return _size(self.rows)

    @property
    def width(self) -> int:
        return _size(self.columns)


def layout_of(axes: Sequence[Axis], most_columns: int = MOST_COLUMNS) -> Layout:
    """The first axes as rows, the others as columns: as near to a square as the columns allow."""
    fits = [at for at in range(len(axes) + 1) if _size(axes[at:]) <= most_columns]
    at = min(fits, key=lambda at: (abs(math.log(_size(axes[:at]) / _size(axes[at:]))), at))
    return Layout(tuple(axes[:at]), tuple(axes[at:]))


def spans(axes: Sequence[Axis], level: int) -> Iterator[tuple[int, int, Any]]:
    """The headings of an axis among those of its side: where each begins, how many cells it spans, and its value."""
    wide = _size(axes[level + 1 :])
    for number in range(_size(axes[: level + 1])):
        values = axes[level].values
        yield number * wide, wide, values[number % len(values)]


def ends_of(grid: Grid, result: SweepResult) -> list[End]:
    """How each plan of the grid ended, in the grid's order: row by row of any layout of its axes."""
    return [result.ends.get(plan.digest(), NOT_RUN) for plan in grid.plans]


def sweep_map(grid: Grid, result: SweepResult) -> Markup:
    """The drawing of one grid."""
    layout, names, limit = layout_of(grid.axes), short_names(grid.fields), result.sweep.policy.error_ratio
    widths = [_text_width([names[axis.field], *map(_worded, axis.values)]) for axis in layout.rows]
    # The names of the column's axes end where the cells begin.
    left = max(sum(widths), _text_width([names[axis.field] for axis in layout.columns]))
    cell = min(max((WIDTH - left) / layout.width, _NARROWEST), _WIDEST)
    top = _HEADER * (max(len(layout.columns), 1) + (1 if layout.rows else 0)) + 4
    ends = ends_of(grid, result)
    parts = [*_column_headings(layout, names, left, cell), *_row_headings(layout, names, widths, top)]
    for index, end in enumerate(ends):
        row, column = divmod(index, layout.width)
        words = _title(grid.changed(index), end, limit)
        parts.append(_cell(end, limit, left + column * cell, top + row * _ROW, cell, words))
    over = sum(end.outcome != "PASS" for end in ends)
    description = (
        f"Heat-map of the largest error ratio, {layout.height} rows by {layout.width} columns of configurations. "
        f"{over} of {len(ends)} did not pass. The table below has every one in words."
    )
    return drawing(left + cell * layout.width + 2, top + layout.height * _ROW + 4, description, parts)


def colour_key(result: SweepResult) -> Markup:
    """What the colours mean."""
    ends = list(result.ends.values()) + ([NOT_RUN] if len(result.ends) < len(result.sweep.plans()) else [])
    row = HeatRow("", [end.error_ratio for end in ends], [0 if end.bit_equal else 1 for end in ends], None, False)
    return heat_key([row], result.sweep.policy.error_ratio)


def mark_key() -> Markup:
    """What the marks mean."""
    parts: list[Markup] = []
    x = 8.0
    for outcome, words in _KEY:
        parts += [_mark(outcome, x, 10, "mark"), label(x + 11, 14, words)]  # type: ignore[arg-type]
        x += 34 + _CHARACTER * len(words)
    return drawing(
        x, 20, "Marks: tick PASS, cross FAIL, diamond INCONCLUSIVE, exclamation mark error, dash not run", parts
    )


def _cell(end: End, limit: float, x: float, y: float, cell: float, words: str) -> Markup:
    class_ = heat_class(end.error_ratio, 0 if end.bit_equal else 1, limit)
    ink = "mark on-dark" if class_ in _DARK else "mark"
    parts = [
        element("title", words),
        element("rect", class_=class_, x=x, y=y, width=max(cell - 1, 0.6), height=_ROW - 1),
    ]
    if cell >= _RATIO_FITS:
        parts.append(_mark(end.outcome, x + 11, y + (_ROW - 1) / 2, ink))
        if end.error_ratio is not None:
            parts.append(label(x + cell - 6, y + 16, figure(end.error_ratio), ink, "end"))
    elif cell >= _MARK_FITS:
        parts.append(_mark(end.outcome, x + (cell - 1) / 2, y + (_ROW - 1) / 2, ink))
    elif end.outcome != "PASS":
        parts.append(rule(x + 1, y + _ROW - 3, x + cell - 2, y + 2, ink))
    return element("g", *parts)


def _mark(outcome: CaseOutcome, x: float, y: float, class_: str) -> Markup:
    return element("path", class_=class_, d=_MARKS[outcome], transform=f"translate({x:.1f} {y:.1f})")


def _title(changed: Mapping[str, Any], end: End, limit: float) -> str:
    fields = ", ".join(f"{field} {words_of(value)}" for field, value in changed.items())
    ratio = "not measured" if end.error_ratio is None else f"{figure(end.error_ratio)} (limit {figure(limit)})"
    run = "no run" if end.run_id is None else f"run {end.run_id}"
    return f"{fields}: {end.outcome}, error ratio {ratio}, {run}. {end.message}"


def _column_headings(layout: Layout, names: Mapping[str, str], left: float, cell: float) -> Iterator[Markup]:
    for level, axis in enumerate(layout.columns):
        y = _HEADER * (level + 1) - 4
        yield label(left - 10, y, names[axis.field], "strong", "end")
        for begin, wide, value in spans(layout.columns, level):
            x, width = left + begin * cell, wide * cell
            yield label(x + (width - 1) / 2, y, _cut(_worded(value), width), "ink2", "middle")
            if wide > 1:
                yield rule(x + 1, y + 3, x + width - 2, y + 3, "axis")


def _row_headings(layout: Layout, names: Mapping[str, str], widths: Sequence[float], top: float) -> Iterator[Markup]:
    x = 0.0
    for level, (axis, width) in enumerate(zip(layout.rows, widths, strict=True)):
        yield label(x, top - 7, names[axis.field], "strong")
        for begin, tall, value in spans(layout.rows, level):
            y = top + begin * _ROW
            yield label(x, y + 16, _cut(_worded(value), width), "ink2")
            if tall > 1:
                yield rule(x + width - 8, y + 2, x + width - 8, y + tall * _ROW - 3, "axis")
        x += width


def _worded(value: Any) -> str:
    words = words_of(value)
    return words if len(words) <= _LONGEST else f"{words[: _LONGEST - 1]}…"


def _cut(words: str, width: float) -> str:
    most = int(width / _CHARACTER)
    return words if len(words) <= most or most < 1 else f"{words[: max(most - 1, 0)]}…"


def _text_width(words: Sequence[str]) -> float:
    return _CHARACTER * max(map(len, words), default=0) + 18


def _size(axes: Sequence[Axis]) -> int:
    return math.prod(len(axis.values) for axis in axes)
