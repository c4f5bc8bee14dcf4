"""What a report says of time, the GPU and memory: the checks' own figures, and nothing where nothing was measured."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from service.parity.checks import judge
from service.parity.measurements import (
    AllocationEvent,
    MemoryEvidence,
    MemorySample,
    MemoryTrace,
    PerformanceEvidence,
    SamplerReport,
    Slice,
    TimingTrouble,
)
from service.parity.plan import PHASES, MemorySpec
from service.parity.policy import named_policy
from service.parity.record import SIDES, Side
from service.reports.html import render_html
from service.reports.markdown import render_markdown
from service.reports.measured_view import performance_view
from service.reports.report import build_report

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/report.schema.json").read_text()))
ORDERS: tuple[tuple[Side, ...], ...] = (
    ("reference", "candidate", "candidate", "reference"),
    ("candidate", "reference", "reference", "candidate"),
)


def slices(session: Any, blocks: int, ratio: float, began: float) -> list[Slice]:
    rows = []
    for block in range(blocks):
        for position, role in enumerate(ORDERS[block % 2]):
            ms = 2.0 * (ratio if role == "candidate" else 1.0) * (1 + 1e-3 * ((7 * block + position) % 5))
            start = began + block * 4 + position
            rows.append(Slice(session, block // 4, block, position, role, 30, ms, ms, 0.03 * ms, start, start + 0.5,
                              kernel_resident_pct=91.0, sm_clock_mhz=1980.0))  # fmt: skip
    return rows


def side_by_side(ratio: float, began: float) -> list[Slice]:
    """Two at a time; nothing was seen of the second card, which is a fifth slower."""
    return [
        replace(
            piece,
            started_s=(start := began + piece.block * 4 + 2 * (piece.position // 2)),
            ended_s=start + 0.5,
            **({"median_step_ms": 1.2 * piece.median_step_ms, "sm_clock_mhz": None} if piece.position % 2 else {}),
        )
        for piece in slices("side_by_side", 12, ratio, began)
    ]


def trace(role: Side, peak: int) -> MemoryTrace:
    samples = tuple(MemorySample(step, 1000, 2000, 3000) for step in range(-1, 20))
    events = (AllocationEvent(-1, "malloc", 1000),)
    return MemoryTrace(role, "cupy memory hook", 20, 10, peak, samples, events, context_bytes=77)


def measured(passing: Any, ratio: float = 1.0, peak: int = 1000, beside: float | None = None) -> dict[str, Any]:
    """`beside`: the ratio that two cards side by side give."""
    more = [] if beside is None else side_by_side(beside, 400)
    extra = [*(["confirmation"] if ratio > 1.05 else []), *(["side_by_side"] if more else [])]
    performance = PerformanceEvidence(
        "cuda events",
        3,
        slices=tuple(
            slices("a_a", 12, 1.0, 0) + slices("sampler", 12, 1.0, 100) + slices("comparison", 12, ratio, 200)
            + (slices("confirmation", 12, ratio, 300) if ratio > 1.05 else []) + more
        ),
        planned_blocks=dict.fromkeys(("a_a", "sampler", "comparison", *extra), 12),
        step_flops=dict.fromkeys(SIDES, 10**9),
        fill_blocks_per_sm=8.0,
        sampler=SamplerReport("nvml", "cuda:0", "a card", "GPU-1", wall_s=10.0, cpu_s=0.1, reads=40),
        seconds=12.0,
    )  # fmt: skip
    plan = replace(passing.run.plan, phases=PHASES, memory=MemorySpec(20))
    if more:
        plan = replace(plan, device="cuda:0", performance=replace(plan.performance, second_device="cuda:1"))
    memory = MemoryEvidence((trace("reference", 1000), trace("candidate", peak)), seconds=2.0)
    record = replace(passing.record, plan=plan, performance=performance, memory=memory)
    verdict = judge(record, named_policy("default"))
    report = build_report(replace(passing.run, plan=plan), record, verdict)
    VALIDATOR.validate(report)
    json.dumps(report, allow_nan=False)
    return report


def test_the_figures_are_those_that_were_judged(passing: Any) -> None:
    report = measured(passing, ratio=1.02)
    (session,) = (found for found in report["performance"]["sessions"] if found["session"] == "comparison")
    assert session["ratio"] == pytest.approx(1.02, rel=1e-3)
    (check,) = (check for check in report["checks"] if check["name"] == "performance.step_time")
    assert check["outcome"] == "pass"
    assert check["evidence"]["sessions"]["comparison"]["ratio"] == session["ratio"]
    assert report["timing"]["memory_s"] == 2.0


def test_a_slow_and_a_large_candidate_fail_on_the_page_too(passing: Any) -> None:
    report = measured(passing, ratio=1.2, peak=2**30)
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert (outcomes["performance.step_time"], outcomes["memory.peak"]) == ("fail", "fail")
    page = render_html(report)
    for name in ("performance", "utilization", "memory"):
        section = page.split(f'<section id="{name}"', 1)[1].split("</section>", 1)[0]
        assert "<svg" in section or "<table" in section


def test_side_by_side_stands_beside_the_comparison_in_every_form(passing: Any) -> None:
    report = measured(passing, beside=1.2)
    assert report["plan"]["performance"]["second_device"] == "cuda:1"
    found = report["performance"]
    assert [entry["session"] for entry in found["sessions"]] == ["comparison", "side_by_side", "a_a", "sampler"]
    assert found["sessions"][1]["ratio"] == pytest.approx(1.2, rel=1e-3)
    assert found["decision"] == "equivalent"
    pairs = [pair for pair in found["pairs"] if pair["session"] == "side_by_side"]
    assert [pair["ratio"] for pair in pairs] == [pytest.approx(1.2, rel=2e-3)] * 3
    (check,) = (check for check in report["checks"] if check["name"] == "performance.step_time")
    assert (check["outcome"], "side by side on two cards disagrees" in check["message"]) == ("inconclusive", True)
    assert "--second-device cuda:1" in report["replay"]
    view = performance_view(report)
    rows = [(row["name"], row["note"], row["judged"]) for row in view["rows"]]
    at = rows.index(("Side by side", "both at once, a card each: may contradict", False))
    assert [name for name, _, _ in rows[at + 1 : at + 4]] == ["Process pair 1", "Process pair 2", "Process pair 3"]
    assert "on the second card" in view["lanes"]
    assert "ratio of step times, side by side" in render_markdown(report)
    assert "both at once, a card each" in render_html(report)


def test_without_a_second_card_nothing_is_said_of_one(passing: Any) -> None:
    report = measured(passing)
    assert "side_by_side" not in json.dumps(report)
    assert "side by side" not in render_markdown(report).lower()


def test_a_phase_that_broke_and_one_that_did_not_end(passing: Any) -> None:
    trouble = TimingTrouble("candidate", "comparison block 3", "the process died", "died")
    record = replace(
        passing.record,
        plan=replace(passing.run.plan, phases=PHASES),
        performance=PerformanceEvidence("cuda events", 3, troubles=(trouble,)),
    )
    report = build_report(passing.run, record, judge(record, named_policy("default")))
    VALIDATOR.validate(report)
    assert "the process died" in render_html(report)
    assert report["memory"]["measured"] is False
