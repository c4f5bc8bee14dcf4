"""Charts of awkward data: nothing, one point, zeros, NaN, huge ranges; always well-formed, never a broken number."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from service.reports.charts import Line, band_chart, chips, hex_code, loss_chart, ratio_chart

AWKWARD: dict[str, list[float | None]] = {
    "one point": [0.5],
    "all zero": [0.0, 0.0, 0.0],
    "all NaN": [math.nan, math.nan],
    "all missing": [None, None],
    "NaN inside": [1.0, math.nan, 0.5],
    "infinite": [1.0, math.inf, -math.inf, 2.0],
    "huge range": [5e-324, 1.7e308, 1.0],
    "negative": [-1.0, 2.0, -1e300],
}


def well_formed(made: Markup) -> ElementTree.Element:
    assert not re.search(r"\bnan\b|\binf\b|None", re.sub(r">[^<]*<|aria-label=\"[^\"]*\"", "><", str(made)))
    return ElementTree.fromstring(str(made))


def texts(made: Markup) -> list[str]:
    return ["".join(part.itertext()) for part in well_formed(made).iter("text")]


@pytest.mark.parametrize("values", AWKWARD.values(), ids=AWKWARD)
def test_awkward_values(values: list[float | None]) -> None:
    steps = list(range(len(values)))
    lines = [Line("reference", "ref", steps, values), Line("candidate", "cand", steps, values[::-1])]
    assert "reference" in " ".join(texts(loss_chart(lines)))
    assert "limit 3" in texts(band_chart(lines, 3.0))
    assert "limit 4" in texts(ratio_chart(steps, values, 4.0))


@pytest.mark.parametrize("limit", [0.0, 1e-9, 1e12, math.inf])
def test_odd_limits(limit: float) -> None:
    well_formed(band_chart([Line("loss", "cand", [0, 1], [0.1, 2.0])], limit))
    well_formed(ratio_chart([0, 1], [0.1, 2.0], limit))


def test_nothing_to_draw_is_nothing() -> None:
    assert loss_chart([]) == loss_chart([Line("reference", "ref", [], [])]) == Markup("")
    assert band_chart([Line("loss", "cand", [], [])], 3.0) == ratio_chart([], [], 4.0) == Markup("")


def test_lines_are_labelled_with_their_ends() -> None:
    made = loss_chart([Line("reference", "ref", [0, 1], [0.1, 0.002]), Line("candidate", "cand", [0, 1], [0.1, 0.003])])
    assert {"reference 0.002", "candidate 0.003"} <= set(texts(made))


def test_a_loss_that_is_no_number_says_from_which_step() -> None:
    made = loss_chart([Line("candidate", "cand", [0, 1, 2], [0.1, math.nan, math.nan])])
    assert "candidate: NaN at 1" in texts(made)
    made = loss_chart([Line("candidate", "cand", [0, 1], [0.1, None])])
    assert "candidate: none at 1" in texts(made)


def test_names_are_escaped() -> None:
    made = loss_chart([Line("<b>", "cand", [0], [1.0])])
    assert "<b>" not in made
    assert "&lt;b&gt; 1" in made


@pytest.mark.parametrize(
    ("rgb", "code"),
    [
        ((0.0, 0.28, 0.73), "#0047BA"),
        ((-3.0, 2.0, 0.5), "#00FF80"),
        ((math.inf, -math.inf, 0.0), "#FF0000"),
        ((math.nan, 0.0, 0.0), None),
        ((0.1, 0.2), None),
        (None, None),
    ],
)
def test_hex_code(rgb: tuple[float, ...] | None, code: str | None) -> None:
    assert hex_code(rgb) == code


def test_a_colour_that_is_missing_is_hatched_not_black() -> None:
    root = well_formed(chips([("input", (1.0, 0.0, 0.0)), ("candidate", None)]))
    first, second = root
    assert first.attrib["fill"] == "#FF0000"
    assert "fill" not in second.attrib
    assert second.attrib["class"] == "no-data"
    assert root.attrib["aria-label"] == "input #FF0000, candidate no colour"
