"""Step time and utilization in the report: the verdict's own figures, and every slice; honest where there is none."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from service.parity.measurements import PerformanceEvidence, TimingTrouble
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.reports.json_values import json_ready
from service.reports.performance import absent_phase, performance, utilization
from service.reports.report import build_report

POLICY = named_policy("default")


def changed(record: RunRecord, **fields: Any) -> RunRecord:
    assert record.performance is not None
    return dataclasses.replace(record, performance=dataclasses.replace(record.performance, **fields))


class TestPerformance:
    def test_the_ratio_is_the_checks(self, measured: Any) -> None:
        found = performance(measured.record, POLICY, measured.verdict)
        check = next(check for check in measured.verdict.checks if check.name == "performance.step_time")
        first = found["sessions"][0]
        assert (first["session"], first["ratio"]) == ("comparison", check.value)
        assert found["decision"] == "equivalent"
        assert [entry["session"] for entry in found["sessions"]] == ["comparison", "a_a", "sampler"]

    def test_a_rejected_block_has_its_reason_and_its_slices_are_marked(self, measured: Any, builders: Any) -> None:
        found = performance(measured.record, POLICY, measured.verdict)
        (rejected,) = found["rejected_blocks"]
        assert (rejected["session"], rejected["block"]) == ("comparison", builders.THROTTLED)
        assert rejected["reasons"] == ["thermal throttling for 40.0% of a slice"]
        marked = [(piece["session"], piece["block"]) for piece in found["slices"] if piece["rejected"]]
        assert marked == [("comparison", builders.THROTTLED)] * 4
        assert len(found["slices"]) == 144

    def test_slices_begin_at_zero(self, measured: Any) -> None:
        slices = performance(measured.record, POLICY, measured.verdict)["slices"]
        assert [piece["begin_s"] for piece in slices[:3]] == [0.0, 1.5, 3.0]
        assert slices[0]["end_s"] == 1.0

    def test_pairs_are_those_of_the_comparison_without_rejected_blocks(self, builders: Any) -> None:
        sample = builders.judged(builders.make_measured(ratio=1.02))
        pairs = performance(sample.record, POLICY, sample.verdict)["pairs"]
        assert [(pair["session"], pair["blocks"]) for pair in pairs] == [
            ("comparison", [0, 1, 2, 3]), ("comparison", [5, 6, 7]), ("comparison", [8, 9, 10, 11]),
        ]  # fmt: skip
        for pair in pairs:
            assert pair["low"] < pair["ratio"] < pair["high"]
            assert pair["ratio"] == pytest.approx(1.02, abs=0.005)

    def test_a_pair_with_one_block_has_no_interval(self, measured: Any) -> None:
        slices = [piece for piece in measured.record.performance.slices if piece.session == "comparison"]
        record = changed(measured.record, slices=tuple(slices[:4]))
        (pair,) = performance(record, POLICY, None)["pairs"]
        assert (pair["blocks"], pair["low"], pair["high"]) == ([0], None, None)

    @pytest.mark.parametrize("time", [math.nan, 0.0, -1.0, math.inf])
    def test_a_block_without_times_is_in_no_pair(self, measured: Any, time: float) -> None:
        first, *others = measured.record.performance.slices
        slices = (dataclasses.replace(first, session="comparison", block=99, median_step_ms=time), *others)
        found = performance(changed(measured.record, slices=slices), POLICY, measured.verdict)
        assert all(99 not in pair["blocks"] for pair in found["pairs"])
        assert repr(found["slices"][0]["median_step_ms"]) == repr(time)

    def test_before_the_verdict_there_are_figures_and_no_decision(self, measured: Any) -> None:
        found = performance(measured.record, POLICY, None)
        assert found["decision"] is None
        assert found["sessions"] == performance(measured.record, POLICY, measured.verdict)["sessions"]

    def test_trouble_leaves_slices_and_no_ratio(self, measured: Any) -> None:
        trouble = TimingTrouble("candidate", "comparison block 3", "it died", "died")
        record = changed(measured.record, troubles=(trouble,))
        found = performance(record, POLICY, None)
        assert (found["sessions"], found["step_time_ms"]) == ([], {"reference": None, "candidate": None})
        assert len(found["slices"]) == 144
        report = build_report(measured.run, record, None)
        assert [(t["side"], t["phase"], t["kind"]) for t in report["troubles"]] == [
            ("candidate", "performance", "died")
        ]

    def test_trouble_of_the_reference_in_the_candidates_place_is_the_references(self, measured: Any) -> None:
        record = changed(measured.record, troubles=(TimingTrouble("candidate", "a_a block 1", "it died"),))
        assert build_report(measured.run, record, None)["troubles"][0]["side"] == "reference"

    def test_nothing_timed_at_all(self, measured: Any) -> None:
        record = dataclasses.replace(measured.record, performance=PerformanceEvidence("perf_counter", 0))
        assert json_ready(performance(record, POLICY, None))["slices"] == []
        assert utilization(record, POLICY, None)["telemetry"] == []


class TestUtilization:
    def test_what_a_step_cost_on_each_side(self, measured: Any) -> None:
        found = utilization(measured.record, POLICY, measured.verdict)
        assert found["note"] is None
        for side in ("reference", "candidate"):
            work = found["sides"][side]
            assert work["kernel_resident_pct"] == pytest.approx(88.0)
            assert work["activity"] == pytest.approx({"sm_active_pct": 55.0, "power_w": 310.0})
            assert work["joules_per_step"] == pytest.approx(300 / 2000)
            assert work["matrix_peak_share"] == pytest.approx(0.04, rel=0.01)
        assert found["difference_points"] == pytest.approx(0.0)

    def test_on_a_cpu_the_reason_stands_and_the_work_too(self, timed_on_cpu: Any) -> None:
        found = utilization(timed_on_cpu.record, POLICY, timed_on_cpu.verdict)
        # The candidate broke in the memory phase: the time is judged all the same.
        assert found["note"] == "the run was on a CPU, where there is no kernel-resident time"
        assert found["sides"]["candidate"]["kernel_resident_pct"] is None
        assert found["sides"]["candidate"]["flops_per_s"] is None
        assert found["sides"]["candidate"]["busy_s_per_step"] > 0
        assert [series["field"] for series in found["telemetry"]] == ["process_rss_bytes"]


@pytest.mark.parametrize(
    ("record", "phase", "reason"),
    [
        (None, "memory", "nothing was recorded"),
        (
            RunRecord(Plan(phases=("synchronized", "memory")), {}, {}),
            "performance",
            "the plan does not ask for the performance phase; --phases synchronized,performance,memory does",
        ),
        (RunRecord(Plan(phases=("memory",)), {}, {}), "memory", "the memory phase did not end"),
    ],
)
def test_why_there_is_nothing(record: RunRecord | None, phase: str, reason: str) -> None:
    assert absent_phase(record, phase) == reason
