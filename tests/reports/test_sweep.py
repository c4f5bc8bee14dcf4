"""A sweep's result: the outcome of all, what is listed, the drawing, and the page."""

from __future__ import annotations

import json
import math
import re
import tomllib
from typing import Any
from xml.etree import ElementTree

import pytest
from html_page import Page

from service.parity.grid import Axis, Sweep, sweep_from_document
from service.parity.policy import named_policy
from service.reports.cases import CaseOutcome
from service.reports.sweep import End, SweepResult, short_names
from service.reports.sweep_map import MOST_COLUMNS, colour_key, layout_of, mark_key, spans, sweep_map
from service.reports.sweep_page import render_sweep

GRID = 'policy = "numerics"\n[grid]\n"model.vector_length" = [64, 128]\nseed = [0, 1, 2]'
HOSTILE = '</script><img src=x onerror="a()">&'


def read(text: str) -> Sweep:
    return sweep_from_document(tomllib.loads(text), named_policy)


def result(*ends: End, text: str = GRID) -> SweepResult:
    swept = read(text)
    return SweepResult(swept, dict(zip(swept.plans(), ends, strict=False)))


def end(outcome: CaseOutcome = "PASS", ratio: float | None = 1.0, **others: Any) -> End:
    return End(outcome, f"it is {outcome}", "01m884jyaw3jvmvnw150zhbm8f", ratio, **others)


PASSING = [end()] * 6


class TestOutcome:
    @pytest.mark.parametrize(
        ("ends", "outcome", "code"),
        [
            (PASSING, "PASS", 0),
            ([*PASSING[:5], end("FAIL")], "FAIL", 1),
            ([*PASSING[:5], end("INCONCLUSIVE")], "INCONCLUSIVE", 3),
            ([*PASSING[:5], end("ERROR")], "ERROR", 4),
            (PASSING[:5], "INCONCLUSIVE", 3),
            ([], "INCONCLUSIVE", 3),
            ([*PASSING[:3], end("ERROR"), end("INCONCLUSIVE"), end("FAIL")], "FAIL", 1),
            ([end("ERROR")], "ERROR", 4),
            ([end("FAIL")], "FAIL", 1),
        ],
    )
    def test_the_gravest_decides(self, ends: list[End], outcome: str, code: int) -> None:
        found = result(*ends)
        assert (found.outcome, found.exit_code) == (outcome, code)

    def test_the_summary_counts_and_names_the_largest_ratio(self) -> None:
        found = result(end(ratio=2.0), end("FAIL", 17.98), end(ratio=None))
        assert found.summary == "6 configurations: 1 FAIL, 3 NOT RUN, 2 PASS; largest error ratio 17.98 (limit 4)"
        assert result(end("FAIL", math.nan), end(ratio=9.0)).summary.endswith("largest error ratio nan (limit 4)")
        assert result().summary == "6 configurations: 6 NOT RUN"

    def test_what_did_not_pass_is_listed_the_gravest_first_and_then_the_largest_ratios(self) -> None:
        seeds = "[grid]\nseed = [" + ", ".join(map(str, range(30))) + "]"
        few = result(end(ratio=1.0), end(ratio=3.0), end("INCONCLUSIVE", None), end("FAIL", 5.0), end("FAIL", math.nan),
                     text=seeds)  # fmt: skip
        assert [(each.end.outcome, each.plan.seed) for each in few.listed()] == [
            ("FAIL", 4), ("FAIL", 3), ("INCONCLUSIVE", 2), ("PASS", 1), ("PASS", 0),
        ]  # fmt: skip
        assert len(result(*[end("FAIL")] * 25, *[end()] * 5, text=seeds).listed()) == 25
        assert len(result(*[end()] * 30, text=seeds).listed()) == 10

    def test_the_document_is_json_and_has_everything(self) -> None:
        found = result(end("FAIL", math.inf, seconds=2.5, earlier=True), end(bit_equal=True))
        told = json.loads(json.dumps(found.as_document(), allow_nan=False))
        assert (told["schema_version"], told["outcome"], told["exit_code"]) == ("1", "FAIL", 1)
        assert told["summary"] == found.summary
        assert told["policy"]["name"] == "numerics"
        [grid] = told["grids"]
        assert grid["axes"][1] == {"field": "seed", "values": [0, 1, 2]}
        assert grid["plan_digests"] == [each["plan_digest"] for each in told["configurations"]]
        first, second, third, *_ = told["configurations"]
        assert first["changed"] == {"model.vector_length": 64, "seed": 0}
        assert (first["error_ratio"], first["seconds"], first["earlier"]) == ("Infinity", 2.5, True)
        assert second["bit_equal"]
        assert (third["outcome"], third["run_id"]) == ("NOT RUN", None)


def axes(*sizes: int) -> list[Axis]:
    return [Axis(f"axis{number}", tuple(range(size))) for number, size in enumerate(sizes)]


class TestLayout:
    @pytest.mark.parametrize(
        ("sizes", "most", "shape"),
        [
            ((2, 3, 4), 40, (6, 4)),
            ((2, 2, 2, 3), 40, (4, 6)),
            ((5,), 40, (1, 5)),
            ((50,), 40, (50, 1)),
            ((50, 41), 40, (2050, 1)),
            ((2, 3, 4), 3, (24, 1)),
            ((1, 1), 40, (1, 1)),
        ],
    )
    def test_rows_and_columns(self, sizes: tuple[int, ...], most: int, shape: tuple[int, int]) -> None:
        layout = layout_of(axes(*sizes), most)
        assert (layout.height, layout.width) == shape
        assert layout.width <= max(most, 1)

    def test_headings_span_what_they_stand_for(self) -> None:
        assert list(spans(axes(2, 3), 0)) == [(0, 3, 0), (3, 3, 1)]
        assert list(spans(axes(2, 3), 1)) == [(n, 1, n % 3) for n in range(6)]

    def test_names_are_short_unless_two_are_alike(self) -> None:
        names = short_names(["training.steps", "memory.steps", "model.alpha", "seed"])
        assert list(names.values()) == ["training.steps", "memory.steps", "alpha", "seed"]


def classes(drawing: Any) -> list[str]:
    return [part.attrib["class"] for part in drawing.iter() if part.tag == "rect"]


class TestDrawing:
    def test_a_cell_has_its_colour_its_mark_and_its_words(self) -> None:
        found = result(
            end(bit_equal=True), end(ratio=3.9), end("FAIL", 17.0), end("FAIL", None), end("ERROR", math.nan)
        )
        drawing = ElementTree.fromstring(str(sweep_map(found.sweep.grids[0], found)))
        assert classes(drawing) == ["h0", "h3", "h5", "no-data", "broken", "no-data"]
        titles = [part.text or "" for part in drawing.iter("title")]
        assert titles[2] == (
            "model.vector_length 64, seed 2: FAIL, error ratio 17 (limit 4), run 01m884jyaw3jvmvnw150zhbm8f. it is FAIL"
        )
        assert "NOT RUN, error ratio not measured, no run" in titles[5]
        marks = [part.attrib["d"] for part in drawing.iter("path") if "mark" in part.attrib["class"].split()]
        assert len(marks) == 6
        assert marks[0] == marks[1]
        assert marks[2] == marks[3]
        assert len(set(marks)) == 4
        assert "4 of 6 did not pass" in drawing.attrib["aria-label"]

    @pytest.mark.parametrize(
        "grid",
        [
            "[grid]\nseed = [1]",
            "[grid]\nseed = [" + ",".join(map(str, range(1999))) + "]",
            "[grid]\nseed = [" + ",".join(map(str, range(50))) + "]\nmodel.alpha = [" + ",".join(
                f"0.{n:03}" for n in range(40)) + "]",
        ],
        ids=["one", "one long axis", "two axes"],
    )  # fmt: skip
    def test_any_size_can_be_drawn_and_is_no_wider_than_a_page(self, grid: str) -> None:
        swept = read(grid)
        found = SweepResult(swept, {digest: end("FAIL", 99.0) for digest in swept.plans()})
        drawing = ElementTree.fromstring(str(sweep_map(swept.grids[0], found)))
        assert float(drawing.attrib["width"]) <= 1110
        assert len(classes(drawing)) == len(swept.plans())
        assert layout_of(swept.grids[0].axes).width <= MOST_COLUMNS

    def test_keys(self) -> None:
        assert "not compared" in str(colour_key(result(end())))
        assert "not compared" not in str(colour_key(result(*PASSING)))
        ElementTree.fromstring(str(mark_key()))


class TestPage:
    def test_it_is_well_formed_and_needs_nothing_else(self) -> None:
        text = render_sweep(result(end("FAIL", 17.0), end(), end("INCONCLUSIVE", None), end("ERROR", None)))
        page = Page(text)
        tags = [tag for tag, _ in page.elements]
        assert tags.count("h1") == 1
        assert not {"script", "link", "img", "iframe"} & set(tags)
        assert not any("style" in attrs or any(name.startswith("on") for name in attrs) for _, attrs in page.elements)
        assert not re.search(r"https?://|url\((?!#)", text)
        ids = {attrs["id"] for _, attrs in page.elements if "id" in attrs}
        targets = {attrs["href"] for _, attrs in page.elements if "href" in attrs}
        assert targets <= {f"#{name}" for name in ids}

    def test_it_says_what_the_result_says(self) -> None:
        found = result(end("FAIL", 17.0), end(earlier=True), end(), end())
        words = Page(render_sweep(found)).text
        assert found.summary in words
        assert "basemodel against legacy: 3 of 6 configurations pass." in words
        assert "vector_length=64, seed=0" in words
        assert "earlier run" in words
        assert words.count("01m884jyaw3jvmvnw150zhbm8f") >= 2
        every = Page(render_sweep(result(*PASSING))).text
        assert "every one of 6 configurations passes" in every

    def test_hostile_words_stay_words(self) -> None:
        swept = read(f"[grid]\ncandidate = ['{HOSTILE}', 'basemodel']")
        ends = {digest: End("FAIL", HOSTILE, HOSTILE, 5.0) for digest in swept.plans()}
        text = render_sweep(SweepResult(swept, ends))
        page = Page(text)
        assert "<img" not in text
        assert HOSTILE in page.text
        [title] = {words for words in page.words if words.startswith("candidate </script>")}
        assert HOSTILE in title
