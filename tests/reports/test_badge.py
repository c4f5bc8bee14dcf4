"""The badge, and what shields.io reads."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from service.reports.badge import _LOOKS, badge_svg, shield, text_width
from service.reports.cases import GRAVITY, CaseOutcome

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("outcome", GRAVITY)
def test_the_badge_is_one_accessible_file_that_fetches_nothing(outcome: CaseOutcome) -> None:
    text = badge_svg(outcome)
    root = ElementTree.fromstring(text)
    words = [part.text for part in root.iter(f"{SVG}text")]
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext(f"{SVG}title") == f"lockstep: {words[1]}"
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    widths = [float(part.get("width", 0)) for part in root.findall(f"{SVG}g/{SVG}rect")]
    assert sum(widths) == pytest.approx(float(root.get("width", 0)))
    assert widths[1] > text_width(words[1] or "")


def test_only_a_pass_is_green_and_no_error() -> None:
    told = {outcome: shield(outcome) for outcome in GRAVITY}
    assert [outcome for outcome, one in told.items() if one["color"] == "brightgreen"] == ["PASS"]
    assert [outcome for outcome, one in told.items() if not one["isError"]] == ["PASS"]
    assert told["FAIL"] == {"schemaVersion": 1, "label": "lockstep", "message": "fail", "color": "red", "isError": True}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", ["#3c3c3c", *(look[1] for look in _LOOKS.values())])
def test_white_text_can_be_read_on_it(colour: str) -> None:
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5
