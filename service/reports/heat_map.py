"""The heat-map of error ratios: taps in dataflow order by compared steps, cool up to the limit, warm above it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from service.reports.figures import figure, whole
from service.reports.svg import decade, drawing, element, label, rule

WIDTH = 852
MAX_ROWS = 160
_ROW = 15
_GROUP_GAP = 7
_TOP = 34
_RIGHT = 84
_CHARACTER = 6.7
"""Width of one character of the mono face at 11 px."""
_LONGEST_NAME = 34
_WARM = 7
"""Classes above the limit, one a decade: h4 to h10."""


@dataclass(frozen=True, slots=True)
class HeatRow:
    """One tap: a ratio and a count of mismatches for each column (`None`: not compared), and what stands at its end."""

    tap: str
    ratios: Sequence[float | None]
    mismatches: Sequence[int | None]
    pooled: float | None
    bit_equal: bool


@dataclass(frozen=True, slots=True)
class Ring:
    """The cell of the first divergence."""

    tap: str
    step: int
    ratio: float | None


def heat_map(
    rows: Sequence[HeatRow], columns: Sequence[tuple[int, int]], limit: float, ring: Ring | None = None
) -> Markup:
    """The drawing; `columns` are the first and last step of each. Empty Markup where there is nothing to draw."""
    if not rows or not columns:
        return Markup("")
    left = _CHARACTER * min(max(len(row.tap) for row in rows), _LONGEST_NAME) + 14
    cell = min((WIDTH - left - _RIGHT) / len(columns), 28.0)
    tops = _tops(rows)
    bottom = tops[-1] + _ROW
    parts = [*_cells(rows, tops, left, cell, limit)]
    for row, top in zip(rows, tops, strict=True):
        parts.extend(_row_text(row, top, left, limit, ring))
    parts.append(label(WIDTH - 2, 25, "error ratio", anchor="end"))
    parts.extend(_axis(columns, left, cell, bottom))
    parts.extend(_ring(rows, tops, columns, left, cell, ring))
    over = sum(_over(row.pooled, limit) for row in rows)
    description = (
        f"Heat-map of the error ratio, {len(rows)} taps in dataflow order by {len(columns)} columns of compared steps. "
        f"{over} taps exceed the limit of {figure(limit)}."
    )
    return drawing(WIDTH, bottom + 26, description, parts)


def shown_rows(rows: Sequence[HeatRow]) -> list[HeatRow]:
    """All rows, or the worst of them in their own order where there are too many to draw."""
    if len(rows) <= MAX_ROWS:
        return list(rows)
    worst = sorted(range(len(rows)), key=lambda index: -_badness(rows[index].pooled))[:MAX_ROWS]
    return [rows[index] for index in sorted(worst)]


def heat_class(ratio: float | None, mismatches: int | None, limit: float) -> str:
    """The colour class of a cell: h0 bit-equal, h1 to h3 within the limit, h4 to h10 a decade each above it.

    `no-data` where nothing was compared, `broken` where a side held NaN or Inf.
    """
    if ratio is None:
        return "no-data"
    if math.isnan(ratio):
        return "broken"
    if ratio <= limit:
        if mismatches == 0:
            return "h0"
        return "h1" if ratio <= limit / 4 else "h2" if ratio <= limit / 2 else "h3"
    above = 0
    while above < _WARM - 1 and ratio > 10.0 ** (_first_decade(limit) + above):
        above += 1
    return f"h{4 + above}"


def heat_key(rows: Sequence[HeatRow], limit: float) -> Markup:
    """The colour key, with entries for cells that are broken or empty only where there are such cells."""
    cool = [("h0", "bit-equal", 57)] + [(f"h{n}", f"≤ {figure(limit / d)}", 36) for n, d in ((1, 4), (2, 2), (3, 1))]
    warm = [(f"h{4 + n}", decade(_first_decade(limit) + n), 36) for n in range(_WARM - 1)] + [("h10", "more", 36)]
    seen = {heat_class(r, m, limit) for row in rows for r, m in zip(row.ratios, row.mismatches, strict=True)}
    other = [(c, text, 84) for c, text in (("broken", "NaN or Inf"), ("no-data", "not compared")) if c in seen]
    parts: list[Markup] = []
    x = 0.0
    for class_, text, wide in cool:
        parts += [element("rect", class_=class_, x=x, y=2, width=wide - 1, height=13), label(x, 27, text)]
        x += wide
    parts += [rule(x + 7, 0, x + 7, 40, "ink"), label(x + 2, 39, "within", anchor="end")]
    x += 15
    parts.append(label(x - 3, 39, f"over the limit of {figure(limit)}", "strong"))
    for class_, text, wide in warm:
        parts += [
            element("rect", class_=class_, x=x, y=2, width=wide - 1, height=13),
            element("path", class_="over", d=f"M{x + 15:.1f} 11l5-5"),
            label(x + wide - 1, 27, text, anchor="end"),
        ]
        x += wide
    x += 16
    for class_, text, wide in other:
        parts += [element("rect", class_=class_, x=x, y=2, width=35, height=13), label(x, 27, text)]
        x += wide
    return drawing(x, 42, f"Colour key: error ratio from bit-equal to {figure(limit)}, the limit, and above", parts)


def _tops(rows: Sequence[HeatRow]) -> list[int]:
    """A gap where the first word of the tap changes: forward, loss, backward, update."""
    tops: list[int] = []
    top = _TOP
    for index, row in enumerate(rows):
        if index and row.tap.split(".")[0] != rows[index - 1].tap.split(".")[0]:
            top += _GROUP_GAP
        tops.append(top)
        top += _ROW
    return tops


def _cells(rows: Sequence[HeatRow], tops: Sequence[int], left: float, cell: float, limit: float) -> list[Markup]:
    """One path a colour class: a thousand cells stay a few elements."""
    paths: dict[str, list[str]] = {}
    wide = max(cell - 1, 0.6)
    for row, top in zip(rows, tops, strict=True):
        for column, (ratio, count) in enumerate(zip(row.ratios, row.mismatches, strict=True)):
            x = left + column * cell
            class_ = heat_class(ratio, count, limit)
            paths.setdefault(class_, []).append(f"M{x:.1f} {top}h{wide:.1f}v14h-{wide:.1f}z")
            if _over(ratio, limit) and cell >= 8:
                paths.setdefault("over", []).append(f"M{x + wide / 2 - 2.5:.1f} {top + 9.5}l5-5")
    order = sorted(paths, key=lambda class_: class_ == "over")
    return [element("path", class_=class_, d="".join(paths[class_])) for class_ in order]


def _row_text(row: HeatRow, top: int, left: float, limit: float, ring: Ring | None) -> list[Markup]:
    first = ring is not None and ring.tap == row.tap
    head, dot, tail = _shortened(row.tap).partition(".")
    name = element(
        "text",
        element("title", row.tap),
        element("tspan", head + dot),
        element("tspan", tail, class_="strong" if first else "ink2"),
        class_="tap",
        x=left - 12,
        y=top + 11,
        text_anchor="end",
    )
    over = _over(row.pooled, limit)
    text = (
        "not compared" if row.pooled is None else "bit-equal" if row.bit_equal and not over else figure(row.pooled, 3)
    )
    parts = [name, label(WIDTH - 2, top + 11, text, "strong" if over else "ink2", "end")]
    if over:
        mark = element("use", href="#g-fail")
        parts.append(element("svg", mark, x=WIDTH - _RIGHT + 6, y=top + 2, width=10, height=10, class_="t-fail"))
    return parts


def _shortened(tap: str) -> str:
    if len(tap) <= _LONGEST_NAME:
        return tap
    half = (_LONGEST_NAME - 1) // 2
    return f"{tap[:half]}…{tap[-half:]}"


def _axis(columns: Sequence[tuple[int, int]], left: float, cell: float, bottom: int) -> list[Markup]:
    every = max(1, math.ceil(62 / cell))
    parts = [label(left - 12, bottom + 16, "step", anchor="end")]
    for index in range(0, len(columns), every):
        x = left + (index + 0.5) * cell
        parts += [
            rule(x, bottom, x, bottom + 4, "axis"),
            label(x, bottom + 16, whole(columns[index][0]), None, "middle"),
        ]
    return parts


def _ring(
    rows: Sequence[HeatRow],
    tops: Sequence[int],
    columns: Sequence[tuple[int, int]],
    left: float,
    cell: float,
    ring: Ring | None,
) -> list[Markup]:
    if ring is None:
        return []
    row = next((index for index, candidate in enumerate(rows) if candidate.tap == ring.tap), None)
    column = next((index for index, (first, last) in enumerate(columns) if first <= ring.step <= last), None)
    if row is None or column is None:
        return []
    x, y = left + column * cell, tops[row]
    value = "" if ring.ratio is None else f", {figure(ring.ratio)}"
    text = f"first divergence: step {whole(ring.step)}, {_shortened(ring.tap)}{value}"
    late = x > WIDTH / 2
    parts = [
        element("rect", class_="ring", x=x - 1.5, y=y - 1.5, width=cell + 2, height=17),
        element("path", class_="pointer", d=f"M{x + cell / 2 - 4:.1f} {_TOP - 7}h8l-4 5z"),
    ]
    anchor_x = min(x + cell / 2 + 4, WIDTH - 90) if late else x + cell / 2 - 4
    return [*parts, label(anchor_x, 25, text, "strong", "end" if late else None)]


def _over(ratio: float | None, limit: float) -> bool:
    return ratio is not None and not ratio <= limit


def _badness(ratio: float | None) -> float:
    return math.inf if ratio is None or math.isnan(ratio) else ratio


def _first_decade(limit: float) -> int:
    """The exponent of the first power of ten above the limit."""
    return math.floor(math.log10(limit)) + 1 if limit > 0 and math.isfinite(limit) else 0
