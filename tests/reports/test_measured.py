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


def trace(role: Side, peak: int) -> MemoryTrace:
    samples = tuple(MemorySample(step, 1000, 2000, 3000) for step in range(-1, 20))
    events = (AllocationEvent(-1, "malloc", 1000),)
    return MemoryTrace(role, "cupy memory hook", 20, 10, peak, samples, events, context_bytes=77)


def measured(passing: Any, ratio: float = 1.0, peak: int = 1000) -> dict[str, Any]:
    performance = PerformanceEvidence(
        "cuda events",
        3,
        slices=tuple(
            slices("a_a", 12, 1.0, 0) + slices("sampler", 12, 1.0, 100) + slices("comparison", 12, ratio, 200)
            + (slices("confirmation", 12, ratio, 300) if ratio > 1.05 else [])
        ),
        planned_blocks=dict.fromkeys(("a_a", "sampler", "comparison", *(["confirmation"] if ratio > 1.05 else [])), 12),
        step_flops=dict.fromkeys(SIDES, 10**9),
        fill_blocks_per_sm=8.0,
        sampler=SamplerReport("nvml", "cuda:0", "a card", "GPU-1", wall_s=10.0, cpu_s=0.1, reads=40),
        seconds=12.0,
    )  # fmt: skip
    plan = replace(passing.run.plan, phases=PHASES, memory=MemorySpec(20))
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
