"""The heat-map: each cell's class, the key, and matrices too large or too strange to draw whole."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from service.reports.heat_map import MAX_ROWS, HeatRow, Ring, heat_class, heat_key, heat_map, shown_rows


def row(tap: str = "forward.layer0.output", ratio: float | None = 1.0, columns: int = 3) -> HeatRow:
    return HeatRow(tap, [ratio] * columns, [5] * columns, ratio, False)


@pytest.mark.parametrize(
    ("ratio", "mismatches", "expected"),
    [
        (0.9, 0, "h0"),
        (0.9, 7, "h1"),
        (1.0, 7, "h1"),
        (1.5, 7, "h2"),
        (4.0, 7, "h3"),
        (4.1, 7, "h4"),
        (10.0, 7, "h4"),
        (11.0, 7, "h5"),
        (9e5, 7, "h9"),
        (9e6, 7, "h10"),
        (1e300, 7, "h10"),
        (math.inf, 7, "h10"),
        (9e6, 0, "h10"),
        (math.nan, 0, "broken"),
        (None, None, "no-data"),
    ],
)
def test_classes(ratio: float | None, mismatches: int | None, expected: str) -> None:
    assert heat_class(ratio, mismatches, 4.0) == expected


@pytest.mark.parametrize("limit", [0.0, 1e-300, 10.0, 1e12, math.inf])
def test_odd_limits(limit: float) -> None:
    rows = [row(ratio=value) for value in (0.0, 1e-9, 5.0, 1e30, math.inf)]
    ElementTree.fromstring(str(heat_map(rows, [(0, 0), (1, 1), (2, 2)], limit)))
    ElementTree.fromstring(str(heat_key(rows, limit)))


def test_nothing_to_draw_is_nothing() -> None:
    assert heat_map([], [(0, 0)], 4.0) == heat_map([row(columns=0)], [], 4.0) == Markup("")


def test_one_cell_with_the_ring() -> None:
    made = heat_map([row(ratio=9e6, columns=1)], [(0, 0)], 4.0, Ring("forward.layer0.output", 0, 9e6))
    root = ElementTree.fromstring(str(made))
    assert sum(part.attrib.get("class") == "ring" for part in root.iter()) == 1
    assert "1 taps exceed the limit of 4" in root.attrib["aria-label"]


def test_a_ring_outside_the_matrix_is_not_drawn() -> None:
    for ring in (Ring("elsewhere", 0, 1.0), Ring("forward.layer0.output", 99, 1.0)):
        assert "ring" not in heat_map([row()], [(0, 0), (1, 1), (2, 2)], 4.0, ring)


def test_hostile_and_long_names_are_escaped_and_cut() -> None:
    name = "<img src=x onerror=alert(1)>" + "x" * 500
    made = heat_map([row(name)], [(0, 0), (1, 1), (2, 2)], 4.0, Ring(name, 0, None))
    assert "<img" not in made
    root = ElementTree.fromstring(str(made))
    assert max(len("".join(part.itertext())) for part in root.iter("tspan")) <= 40


def test_too_many_taps_keep_the_worst_in_their_order() -> None:
    rows = [row(f"forward.layer{n}.output", float(n % 97)) for n in range(500)]
    rows[250] = row("forward.layer250.output", math.nan)
    shown = shown_rows(rows)
    assert len(shown) == MAX_ROWS
    assert rows[250] in shown
    order = [rows.index(item) for item in shown]
    assert order == sorted(order)


def test_the_key_names_broken_cells_only_where_there_are_any() -> None:
    assert "NaN or Inf" not in heat_key([row()], 4.0)
    assert "NaN or Inf" in heat_key([row(ratio=math.nan)], 4.0)
    assert "not compared" in heat_key([HeatRow("t", [None], [None], None, False)], 4.0)
