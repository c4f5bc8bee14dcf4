"""Drawing primitives: escaping, scales that never divide by zero, labels that do not overlap."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from service.reports.svg import (
    Scale,
    drawing,
    element,
    label,
    polylines,
    round_values,
    scale_for,
    spread_labels,
)

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&"


def test_text_and_attributes_are_escaped() -> None:
    made = drawing(10, 10, HOSTILE, [label(0, 0, HOSTILE), element("g", element("title", HOSTILE), class_=HOSTILE)])
    assert "<img" not in made
    root = ElementTree.fromstring(str(made))
    assert root.attrib["aria-label"] == HOSTILE
    assert [part.text for part in root.iter("text")] == [HOSTILE]
    assert [part.text for part in root.iter("title")] == [HOSTILE]


def test_markup_is_kept_and_none_left_out() -> None:
    assert element("g", Markup("<a/>"), "<b>", fill=None, x=1.0) == Markup('<g x="1"><a/>&lt;b&gt;</g>')


def test_lines_break_at_none_and_lone_points_are_dots() -> None:
    made = polylines([(0, 0), (1, 1), None, (2, 2), None, None, (3, 3), (4, 4)], "cand")
    assert ["polyline" in part for part in made] == [True, False, True]
    assert polylines([], "cand") == []
    assert polylines([None, None], "cand") == []


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None],
        [math.nan],
        [math.inf, -math.inf],
        [0.0, 0.0],
        [1.0],
        [-5.0, 5.0],
        [5e-324, 1.7e308],
        [1.7e308, -1.7e308],
        [1e-3, 1e-3],
        [0.0, 1e-12],
    ],
)
@pytest.mark.parametrize("logarithmic", [True, False])
def test_every_scale_places_its_values_inside(values: list[float | None], logarithmic: bool) -> None:
    scale = scale_for(values, 100.0, 20.0, logarithmic=logarithmic)
    for value in [*values, 0.0, 1.0]:
        at = scale.position(value)
        assert at is None or 20.0 <= at <= 100.0
    for value, text in scale.ticks():
        assert math.isfinite(value)
        assert text
    assert len(scale.ticks()) <= 8


def test_a_logarithmic_scale_spans_whole_decades() -> None:
    scale = scale_for([0.0012, 0.09], 100.0, 0.0)
    assert (scale.logarithmic, scale.low, scale.high) == (True, 1e-3, 1e-1)
    assert scale.position(1e-2) == pytest.approx(50.0)
    assert scale.position(0.0) == 100.0
    assert scale.position(-1.0) is None
    assert [text for _, text in scale.ticks()] == ["0.001", "0.01", "0.1"]


def test_negative_values_make_it_linear() -> None:
    assert not scale_for([-1.0, 2.0], 0.0, 1.0).logarithmic


def test_a_scale_of_one_value_places_it_in_the_middle() -> None:
    assert Scale(7.0, 7.0, 0.0, 10.0).position(7.0) == 5.0


@pytest.mark.parametrize(("low", "high"), [(0, 599), (0, 10_000_000), (3, 4), (0, 1), (-1.0, 1.0)])
def test_round_values_are_few_and_inside(low: float, high: float) -> None:
    values = round_values(low, high, 8)
    assert 1 <= len(values) <= 10
    assert all(low <= value <= high for value in values)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (0.0, math.inf), (-1.7e308, 1.7e308)])
def test_round_values_of_odd_bounds_end(low: float, high: float) -> None:
    assert len(round_values(low, high, 8)) <= 10


def test_labels_keep_apart_and_inside() -> None:
    placed = spread_labels([50.0, 50.0, 51.0], 14, 0, 60)
    assert all(b - a >= 14 for a, b in itertools.pairwise(sorted(placed)))
    assert max(placed) <= 60
    assert spread_labels([], 14, 0, 60) == []
