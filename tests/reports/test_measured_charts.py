"""Forest, lanes, strips and ledgers of awkward data: well-formed, never a broken number, nothing drawn over a gap."""

from __future__ import annotations

import math
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from service.reports.forest import Ratio, axis_of, forest_cell, forest_ticks
from service.reports.ledger_chart import ledger_chart
from service.reports.timeline import Strip, slice_lanes, telemetry_strips, value_text

WORDS = {"pool_used_bytes": "Pool, used", "device_used_bytes": "Device, used"}


def well_formed(made: Markup) -> ElementTree.Element:
    assert not re.search(r"\bnan\b|\binf\b|None|style=", str(made))
    return ElementTree.fromstring(str(made))


def texts(made: Markup) -> list[str]:
    return ["".join(part.itertext()) for part in well_formed(made).iter("text")]


def piece(block: int, position: int, role: str, begin: Any, end: Any, **fields: Any) -> dict[str, Any]:
    known = {"session": "comparison", "pair": 0, "steps": 30, "median_step_ms": 1.5, "rejected": False, "turns": 1}
    return {**known, "block": block, "position": position, "role": role, "begin_s": begin, "end_s": end, **fields}


def series(at_s: list[float], values: list[Any], gaps: list[dict[str, Any]], field: str = "power_w") -> dict[str, Any]:
    return {"field": field, "samples": len(at_s), "missing": {}, "at_s": at_s, "values": values, "gaps": gaps}


class TestForest:
    def test_the_middle_is_one_and_reciprocals_are_equally_far(self) -> None:
        axis = axis_of([Ratio(1.1, 1.05, 1.2, 0.05, True)])
        assert axis.place(1.0) == 50.0
        assert axis.place(1.1) - 50 == pytest.approx(50 - axis.place(1 / 1.1))
        assert axis.place(1.2) < 100

    @pytest.mark.parametrize(
        "row",
        [
            Ratio(1.0, 1.0, 1.0, 0.0, True),
            Ratio(1.0, None, None, 0.05, False),
            Ratio(math.nan, math.nan, math.nan, 0.05, True),
            Ratio(1e300, 1e-300, math.inf, 0.05, True),
            Ratio(0.0, 0.0, 0.0, 0.05, False),
            Ratio(1.0, 0.99, 1.01, math.inf, True),
        ],
    )
    def test_awkward_rows(self, row: Ratio) -> None:
        axis = axis_of([row])
        cell = well_formed(forest_cell(row, axis))
        for part in cell.iter():
            for name in ("x", "x1", "x2"):
                value = part.attrib.get(name, "")
                assert not value.endswith("%") or 0 <= float(value[:-1]) <= 100
        well_formed(forest_ticks(axis))

    def test_each_row_has_its_band_and_its_mark(self) -> None:
        rows = [Ratio(1.0, 0.99, 1.01, 0.05, True), Ratio(1.0, 0.99, 1.01, 0.005, False)]
        axis = axis_of(rows)
        judged, part = (well_formed(forest_cell(row, axis)) for row in rows)
        widths = [
            float(next(e for e in cell.iter("rect") if e.get("class") == "band").attrib["width"][:-1])
            for cell in (judged, part)
        ]
        assert widths[0] == pytest.approx(10 * widths[1], rel=0.05)
        assert [e.tag for e in judged.iter() if e.get("class") == "ink-fill"] == ["path"]
        assert [e.tag for e in part.iter() if e.get("class") == "ink-fill"] == ["rect"]

    def test_ticks_hold_the_one(self) -> None:
        assert "1" in texts(forest_ticks(axis_of([Ratio(1.0, 0.99, 1.01, 0.05, True)])))


class TestLanes:
    def test_nothing_to_draw_is_nothing(self) -> None:
        assert slice_lanes([]) == slice_lanes([piece(0, 0, "reference", "NaN", 1.0)]) == Markup("")

    def test_the_reference_is_above_and_the_candidate_below(self) -> None:
        made = well_formed(slice_lanes([piece(0, 0, "reference", 0.0, 1.0), piece(0, 1, "candidate", 1.0, 2.0)]))
        above, below = (next(e for e in made.iter("rect") if e.get("class") == f"{c}-fill") for c in ("ref", "cand"))
        assert float(above.attrib["y"]) < float(below.attrib["y"])
        assert float(above.attrib["x"]) < float(below.attrib["x"])

    def test_slices_in_turns_have_a_quarter_of_their_block_each_and_shade_nothing(self) -> None:
        rows = [piece(0, p, "reference" if p in (0, 3) else "candidate", 1.0, 5.0, turns=8) for p in range(4)]
        alone = [piece(0, p, rows[p]["role"], 1.0 + p, 2.0 + p) for p in range(4)]
        assert str(slice_lanes(rows)).replace(" in 8 turns", "") == str(slice_lanes(alone))
        strip = Strip(series([1.0, 2.0], [3.0, 4.0], []), 3.0, 4.0)
        assert "ref-tint" not in telemetry_strips(rows, [strip], 5.0)
        assert "ref-tint" in telemetry_strips(alone, [strip], 5.0)

    def test_a_rejected_block_is_hatched_and_numbered(self) -> None:
        pieces = [piece(n, 0, "reference", float(n), n + 0.9, rejected=n == 3) for n in range(100)]
        made = slice_lanes(pieces)
        assert "4 ✕" in texts(made)
        assert [e.get("class") for e in well_formed(made).iter("rect")].count("rejected") == 1
        assert "1 blocks rejected" in well_formed(made).attrib["aria-label"]

    def test_each_session_has_a_row_of_its_own(self) -> None:
        pieces = [
            piece(0, 0, "reference", 100.0 * n, 100.0 * n + 1, session=session)
            for n, session in enumerate(("a_a", "sampler", "comparison", "confirmation"))
        ]
        made = slice_lanes(pieces)
        assert {"reference ÷ reference", "sampler on ÷ off", "comparison", "confirmation"} <= set(texts(made))
        starts = {e.attrib["x"] for e in well_formed(made).iter("rect")}
        assert len(starts) == 1

    def test_two_cards_at_once_stand_above_each_other(self) -> None:
        rows = [
            piece(0, p, "reference" if p in (0, 3) else "candidate", 1.0 + p // 2, 2.0 + p // 2, session="side_by_side")
            for p in range(4)
        ]
        made = slice_lanes(rows)
        assert "side by side" in texts(made)
        boxes = [e for e in well_formed(made).iter("rect") if e.get("class") in ("ref-fill", "cand-fill")]
        assert boxes[0].attrib["x"] == boxes[1].attrib["x"]
        assert boxes[2].attrib["x"] == boxes[3].attrib["x"]
        assert boxes[0].attrib["y"] != boxes[1].attrib["y"]
        titles = ["".join(box.itertext()) for box in boxes]
        assert [title.rpartition(" on the ")[2] for title in titles] == ["first card", "second card"] * 2

    def test_what_is_not_sampled_shades_nothing(self) -> None:
        rows = [piece(0, p, "reference", float(p), p + 1.0, session="side_by_side") for p in range(4)]
        strip = Strip(series([1.0, 2.0], [3.0, 4.0], []), 3.0, 4.0)
        shaded = [e.attrib["d"] for e in well_formed(telemetry_strips(rows, [strip], 5.0)).iter("path")]
        assert [path.count("M") for path in shaded] == [2]


class TestStrips:
    def test_nothing_to_draw_is_nothing(self) -> None:
        assert telemetry_strips([], [], 10.0) == Markup("")

    def test_no_line_is_drawn_over_a_gap(self) -> None:
        at_s = [float(n) for n in range(10)]
        whole = telemetry_strips([], [Strip(series(at_s, [5.0] * 10, []), None, None)], 10.0)
        gaps = [{"from_s": 3.0, "to_s": 4.0, "status": "lost"}, {"from_s": 6.0, "to_s": 7.0, "status": "no sample"}]
        parted = telemetry_strips([], [Strip(series(at_s, [5.0] * 10, gaps), None, None)], 10.0)
        lines = [
            [len(e.attrib["points"].split()) for e in well_formed(made).iter("polyline")] for made in (whole, parted)
        ]
        assert lines == [[10], [4, 3, 3]]
        hatched = [e for e in well_formed(parted).iter("rect") if e.get("class") == "no-data"]
        assert ["".join(e.itertext()) for e in hatched] == ["lost: 1 s", "no sample: 1 s"]

    @pytest.mark.parametrize("values", [["NaN", 1.0], ["Infinity", "-Infinity"], [0.0, 0.0], [1e308, 5e-324], [-5.0]])
    def test_awkward_values(self, values: list[Any]) -> None:
        at_s = [float(n) for n in range(len(values))]
        well_formed(telemetry_strips([], [Strip(series(at_s, values, []), math.nan, math.inf)], 10.0))

    def test_means_of_both_sides_stand_at_the_right(self) -> None:
        strips = [Strip(series([1.0], [5.0], []), 310.0, None)]
        assert {"ref. 310\u202fW", "cand. not measured"} <= set(texts(telemetry_strips([], strips, 2.0)))

    def test_a_field_that_never_came_says_why(self) -> None:
        empty = {**series([], [], [{"from_s": 0.0, "to_s": 9.0, "status": "not_supported"}]), "missing": {"lost": 3}}
        assert "lost" in texts(telemetry_strips([], [Strip(empty, None, None)], 9.0))

    def test_slices_shade_all_strips_in_one_path_a_role(self) -> None:
        slices = [piece(0, n, ("reference", "candidate")[n % 2], float(n), n + 1.0) for n in range(4)]
        made = well_formed(telemetry_strips(slices, [Strip(series([1.0], [5.0], []), None, None)] * 3, 4.0))
        paths = {e.attrib["class"]: e.attrib["d"].count("M") for e in made.iter("path")}
        assert paths == {"ref-tint": 2, "cand-tint": 2}

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("power_w", 310.0, "310\u202fW"),
            ("memory_used_bytes", 2.0**30, "1\u202fGiB"),
            ("kernel_resident_pct", None, "not measured"),
            ("fan_speed", 3.0, "3"),
        ],
    )
    def test_values_with_their_unit(self, field: str, value: float | None, text: str) -> None:
        assert value_text(field, value) == text


class TestLedgers:
    def ledger(self, **columns: list[int | None]) -> dict[str, Any]:
        count = len(next(iter(columns.values())))
        return {"steps": list(range(-1, count - 1)), **{name: [None] * count for name in WORDS}, **columns}

    def test_nothing_read_is_nothing(self) -> None:
        empty = self.ledger(pool_used_bytes=[None, None])
        assert ledger_chart({"reference": None, "candidate": None}, WORDS, 1) == Markup("")
        assert ledger_chart({"reference": empty, "candidate": empty}, WORDS, 1) == Markup("")

    def test_a_leak_is_seen_beside_the_level(self) -> None:
        flat, grows = [2**30] * 20, [2**30 + 1024 * max(n - 1, 0) for n in range(20)]
        made = ledger_chart(
            {"reference": self.ledger(pool_used_bytes=flat), "candidate": self.ledger(pool_used_bytes=grows)}, WORDS, 5
        )
        assert {"1\u202fGiB", "13\u202fKiB", "Change since step 5", "Pool, used"} <= set(texts(made))
        assert "Device, used" not in texts(made)

    @pytest.mark.parametrize("values", [[5], [0, 0, 0], [None, 3, None, 4], [-5, 2, -(2**60)], [2**62, None]], ids=repr)
    def test_awkward_levels(self, values: list[int | None]) -> None:
        ledger = self.ledger(pool_used_bytes=values)
        for sides in ((ledger, None), (None, ledger), (ledger, ledger)):
            well_formed(ledger_chart(dict(zip(("reference", "candidate"), sides, strict=True)), WORDS, 1))

    def test_a_side_that_was_not_read_is_not_zero(self) -> None:
        made = ledger_chart({"reference": self.ledger(pool_used_bytes=[7, 7]), "candidate": None}, WORDS, 0)
        assert "cand. not measured" in texts(made)
        assert "ref. 7\u202fB" in texts(made)
