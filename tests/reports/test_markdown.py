"""Markdown for a step summary: in order, within its limit, and nothing in it that a run could use as markup."""

from __future__ import annotations

import re
from typing import Any

import pytest

from service.reports.cases import Case
from service.reports.markdown import LIMIT_BYTES, render_markdown, render_markdown_cases, safe
from service.reports.report import build_report

NASTY = "x|y\n`z` <b>&amp; [l](http://e) **b** \\| ~~s~~ _i_ ${a} <!-- ]]> \x1b[0m"


def report_of(sample: Any) -> dict[str, Any]:
    return build_report(sample.run, sample.record, sample.verdict)


def test_the_verdict_comes_first_then_checks_then_divergence_then_folded_details(failing: Any) -> None:
    text = render_markdown(report_of(failing))
    wanted = [
        "## ✘ Lockstep: FAIL", "1 case: 1 FAIL", "| outcome | case |", "### ✘ FAIL: basemodel against legacy",
        "|  | check | required |", "| ✘ fail |", "| ✔ pass |", "**First divergence:**", "<details><summary>Details of",
        "| tap | error ratio |", "| plan |", "| environment |", "</details>",
    ]  # fmt: skip
    places = [text.index(words) for words in wanted]
    assert places == sorted(places)
    assert text.count("```sh\nlockstep run ") == 2


def test_a_pass_is_folded_and_comes_after_what_is_not(passing: Any, failing: Any) -> None:
    good = Case("good", "PASS", "fine", report=report_of(passing))
    bad = Case("bad", "FAIL", "not fine", report=report_of(failing))
    text = render_markdown_cases([good, bad])
    assert text.index("### ✘ FAIL: bad") < text.index("<details><summary>✔ PASS: good")
    assert text.index("| ✔ PASS | good |") < text.index("| ✘ FAIL | bad |")


def test_a_case_without_a_report_is_told() -> None:
    text = render_markdown_cases([Case("a", "NOT RUN", "the gate was stopped")])
    assert text.startswith("## ? Lockstep: INCONCLUSIVE")
    assert "### – NOT RUN: a\n\nthe gate was stopped" in text


@pytest.mark.parametrize("state", ["running", "cancelled", "failed"])
def test_a_run_without_a_verdict_is_rendered(partial: Any, state: str) -> None:
    text = render_markdown(report_of(partial) | {"state": state})
    assert "PASS" not in text


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("|")]


def test_hostile_text_breaks_no_table_and_becomes_no_markup(hostile: Any) -> None:
    report = report_of(hostile)
    report["checks"] = [{**check, "message": NASTY, "name": NASTY} for check in report["checks"]]
    report["environment"] = {NASTY: {NASTY: NASTY}}
    cases = [Case(NASTY, "FAIL", NASTY, NASTY, 1.0, report), Case(NASTY, "PASS", NASTY, NASTY, 1.0, report)]
    text = render_markdown_cases(cases)
    outside = re.sub(r"^(`{3,})sh\n.*\n\1$", "", text, flags=re.MULTILINE)
    assert set(re.findall(r"<[^>]*>", outside)) == {"<details>", "</details>", "<summary>", "</summary>"}
    for character in "`*[]~\\":
        assert character not in outside.replace("**First divergence:**", "")
    widths = {row.count("|") for row in rows(outside)}
    assert widths <= {3, 4, 6}
    assert "://" not in outside
    assert "\x1b" not in text


def test_a_command_with_backticks_stays_inside_its_fence(passing: Any) -> None:
    report = report_of(passing) | {"replay": "lockstep run --candidate '```\n# heading'"}
    text = render_markdown(report)
    assert "````sh\nlockstep run --candidate '``` # heading'\n````" in text


def test_text_is_readable_where_it_does_no_harm() -> None:
    assert safe("numerics.free_running 17.8 (limit 4, error ratio)") == (
        "numerics.free_running 17.8 (limit 4, error ratio)"
    )
    assert safe("_i_ a|b") == "&#95;i&#95; a&#124;b"
    assert safe("x" * 1000, 10) == "xxxxxxxxx…"


@pytest.mark.parametrize("count", [1, 40, 200, 5000])
def test_it_stays_within_its_limit_whatever_comes(failing: Any, count: int) -> None:
    report = report_of(failing)
    report["checks"] = [{**check, "message": "é|" * 100_000} for check in report["checks"] * 10]
    report["taps"] = report["taps"] * 40
    report["environment"] = {f"key {i}": "ü" * 5000 for i in range(2000)}
    report["replay"] = "`" * 100_000
    text = render_markdown_cases(
        [Case("n" * 1000 + str(i), "FAIL", "m" * 10_000, "r", 1.0, report) for i in range(count)]
    )
    assert len(text.encode()) <= LIMIT_BYTES
    assert text.count("<details>") == text.count("</details>")
    assert "more rows were left out._" in text
    assert ("cases are not shown in full here" in text) == (count > 1)


def test_what_fits_is_not_cut(passing: Any) -> None:
    assert "left out" not in render_markdown(report_of(passing))


def test_what_was_measured_is_a_line_each(measured: Any) -> None:
    text = render_markdown(build_report(measured.run, measured.record, measured.verdict))
    assert re.search(r"\| ratio of step times, comparison \| \S+, interval \S+ to \S+, 11 of 12 blocks \|", text)
    assert "| kernel-resident time | reference 88, candidate 88 % |" in text
    assert "| peak of the pool | reference 110, candidate 110 MiB |" in text


def test_what_was_not_measured_has_no_line(timed_on_cpu: Any, passing: Any) -> None:
    text = render_markdown(build_report(timed_on_cpu.run, timed_on_cpu.record, timed_on_cpu.verdict))
    assert "ratio of step times, comparison" in text
    assert "| kernel-resident time |" not in text
    assert "| peak of the pool |" not in text
    assert "| measured |" not in render_markdown(build_report(passing.run, passing.record, passing.verdict))
