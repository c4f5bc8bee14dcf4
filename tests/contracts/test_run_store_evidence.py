"""The contract of `RunStore`: losses, diffs, record and verdict come back as they were given."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from service.parity.errors import RunNotFound, StoreError
from service.parity.measurements import (
    AllocationEvent,
    EdgeReading,
    MemoryEvidence,
    MemorySample,
    MemoryTrace,
    PerformanceEvidence,
    SamplerReport,
    Slice,
    TelemetrySample,
    TimingTrouble,
)
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.parity.record import DiffStats, RunRecord, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.ports import RunRow, RunStore

T0 = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")
PASSED = Verdict("PASS", "the candidate may replace the reference", (), "default")


def start(store: RunStore, run_id: str = "r1") -> RunRow:
    store.create_run(run_id, Plan(), named_policy("default"), T0)
    return store.claim(run_id, "worker-1", T0)


class TestLosses:
    def test_not_measured_nan_and_infinite_stay_apart(self, run_store: RunStore) -> None:
        start(run_store)
        values = [None, NAN, INF, -INF, 0.0, 0.1, 5e-324, 1.7976931348623157e308]
        rows = [StepLosses("free_running", n, value, values[-1 - n]) for n, value in enumerate(values)]
        run_store.add_losses("r1", rows)
        assert repr(run_store.losses("r1", None, 0, 100)) == repr(rows)

    def test_numpy_numbers_become_plain_ones(self, run_store: RunStore) -> None:
        start(run_store)
        row = StepLosses("free_running", np.int64(3), np.float32(0.5), np.float64("nan"))  # type: ignore[arg-type]
        run_store.add_losses("r1", [row])
        (kept,) = run_store.losses("r1", None, 0, 10)
        assert (kept.step, kept.reference, kept.candidate != kept.candidate) == (3, 0.5, True)

    def test_a_row_that_is_there_is_left_as_it_is(self, run_store: RunStore) -> None:
        start(run_store)
        first, second = StepLosses("synchronized", 0, 1.0, 2.0), StepLosses("synchronized", 1, 3.0, 4.0)
        run_store.add_losses("r1", [first])
        run_store.add_losses("r1", [replace(first, reference=9.0), second, replace(second, candidate=9.0)])
        run_store.add_losses("r1", [replace(first, reference=9.0)])
        run_store.add_losses("r1", [])
        assert run_store.losses("r1", None, 0, 10) == [first, second]

    def test_pages_in_the_order_in_which_phases_run(self, run_store: RunStore) -> None:
        start(run_store)
        start(run_store, "r2")
        rows = [StepLosses(phase, step, 1.0, 1.0) for phase in ("synchronized", "free_running") for step in range(12)]
        run_store.add_losses("r1", rows[::-1])
        run_store.add_losses("r2", rows[:1])
        assert run_store.losses("r1", None, 0, 100) == rows
        assert run_store.losses("r1", None, 10, 5) == rows[10:15]
        assert run_store.losses("r1", "free_running", 0, 100) == rows[12:]
        assert run_store.losses("r1", "free_running", 11, 5) == rows[23:]
        assert run_store.losses("r1", "free_running", 12, 5) == []
        assert run_store.losses("r1", "memory", 0, 5) == []
        assert run_store.losses("r1", None, -1, 10**30) == rows
        assert run_store.losses("r1", None, 10**30, 1) == []
        assert run_store.losses("r1", None, 0, -1) == []


class TestDiffs:
    def diff(self, stats: DiffStats, step: int = 0, position: int = 0, tap: str = "loss") -> TapDiff:
        return TapDiff("synchronized", step, position, tap, (), "float32", stats)

    def test_every_field_comes_back(self, run_store: RunStore, stats: DiffStats) -> None:
        start(run_store)
        rows = [
            TapDiff("synchronized", 0, 0, "forward.layer0.output", (32, 512), "float32", stats, floor_scale=22.6),
            TapDiff("synchronized", 0, 1, "loss", (), "float64", DiffStats(*[0] * 6, *[None] * 5)),  # type: ignore[arg-type]
        ]
        run_store.add_diffs("r1", rows)
        assert repr(run_store.diffs("r1", None, None, 0, 10)) == repr(rows)

    @pytest.mark.parametrize("ulp", [None, 0, 2**31, 2**63 - 1, 2**63, 2**64, 10**30])
    def test_units_in_the_last_place_of_any_size(self, run_store: RunStore, stats: DiffStats, ulp: int | None) -> None:
        start(run_store)
        run_store.add_diffs("r1", [self.diff(replace(stats, max_ulp=ulp))])
        assert run_store.diffs("r1", None, None, 0, 1)[0].stats.max_ulp == ulp

    def test_a_row_that_is_there_is_left_as_it_is(self, run_store: RunStore, stats: DiffStats) -> None:
        start(run_store)
        first, second = self.diff(stats), self.diff(stats, position=1)
        run_store.add_diffs("r1", [first])
        run_store.add_diffs("r1", [replace(first, tap="other"), second])
        assert [row.tap for row in run_store.diffs("r1", None, None, 0, 10)] == ["loss", "loss"]

    def test_pages_by_phase_and_tap(self, run_store: RunStore, stats: DiffStats) -> None:
        start(run_store)
        finite = replace(stats, rms=0.0)
        rows = [self.diff(finite, step, position, f"tap{position}") for step in range(11) for position in range(12)]
        run_store.add_diffs("r1", rows[::-1])
        assert run_store.diffs("r1", None, None, 0, 1000) == rows
        assert run_store.diffs("r1", "synchronized", None, 100, 10) == rows[100:110]
        assert run_store.diffs("r1", None, "tap3", 2, 2) == [rows[27], rows[39]]
        assert run_store.diffs("r1", "free_running", "tap3", 0, 10) == []


class TestRecord:
    def test_none_before_the_first_save(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.add_losses("r1", [StepLosses("synchronized", 0, 1.0, 1.0)])
        assert run_store.record("r1") is None

    def test_a_full_record_comes_back_whole(self, run_store: RunStore, full_record: RunRecord) -> None:
        start(run_store)
        synchronized, free_running = full_record.synchronized, full_record.free_running
        assert synchronized is not None
        assert free_running is not None
        run_store.add_losses("r1", (*synchronized.losses, *free_running.losses))
        run_store.add_diffs("r1", synchronized.diffs)
        for _ in range(2):
            run_store.save_record("r1", full_record)
        assert repr(run_store.record("r1")) == repr(full_record)

    def test_rows_come_from_the_tables_only(self, run_store: RunStore, full_record: RunRecord) -> None:
        start(run_store)
        run_store.save_record("r1", full_record)
        kept = run_store.record("r1")
        assert kept is not None
        assert kept.synchronized is not None
        assert (kept.synchronized.losses, kept.synchronized.diffs) == ((), ())
        assert kept.synchronized.signs == full_record.synchronized.signs  # type: ignore[union-attr]

    def test_an_empty_record(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.save_record("r1", RunRecord(Plan(), {}, {}))
        assert run_store.record("r1") == RunRecord(Plan(), {}, {})

    def test_the_last_save_counts(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.save_record("r1", RunRecord(Plan(), {}, {"attempt": 1}))
        run_store.save_record("r1", RunRecord(Plan(), {}, {"attempt": 2}))
        kept = run_store.record("r1")
        assert kept is not None
        assert kept.environment == {"attempt": 2}

    def test_what_cannot_be_stored_is_named(self, run_store: RunStore) -> None:
        start(run_store)
        with pytest.raises(StoreError, match=r"environment\.gpu is a object"):
            run_store.save_record("r1", RunRecord(Plan(), {}, {"gpu": object()}))
        with pytest.raises(StoreError, match=r"environment has the key 3"):
            run_store.save_record("r1", RunRecord(Plan(), {}, {3: 4}))  # type: ignore[dict-item]

    def test_what_was_written_is_not_changed_from_outside(self, run_store: RunStore) -> None:
        start(run_store)
        environment = {"gpus": ["a"]}
        run_store.save_record("r1", RunRecord(Plan(), {}, environment))
        environment["gpus"].append("b")
        kept = run_store.record("r1")
        assert kept is not None
        assert kept.environment == {"gpus": ["a"]}


class TestVerdict:
    def test_none_and_no_checks_before_the_end(self, run_store: RunStore) -> None:
        start(run_store)
        assert run_store.verdict("r1") is None
        assert run_store.checks("r1") == []

    def test_verdict_and_checks_come_back_whole(self, run_store: RunStore, full_verdict: Verdict) -> None:
        start(run_store)
        run_store.finish("r1", full_verdict, T0 + timedelta(seconds=1))
        assert repr(run_store.verdict("r1")) == repr(full_verdict)
        assert repr(run_store.checks("r1")) == repr(list(full_verdict.checks))

    def test_many_checks_stay_in_order(self, run_store: RunStore) -> None:
        start(run_store)
        checks = tuple(CheckResult(f"check{n}", "pass", "well", value=float(n)) for n in range(12, 0, -1))
        run_store.finish("r1", replace(PASSED, checks=checks), T0)
        assert run_store.checks("r1") == list(checks)

    def test_a_failed_run_has_none(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.fail("r1", "internal", "x", T0)
        assert run_store.verdict("r1") is None

    def test_a_verdict_that_cannot_be_stored_leaves_the_run_running(self, run_store: RunStore) -> None:
        before = start(run_store)
        broken = replace(PASSED, checks=(CheckResult("a", "pass", "well", evidence={"x": object()}),))
        with pytest.raises(StoreError):
            run_store.finish("r1", broken, T0)
        assert run_store.run("r1") == before


def a_slice(position: int, **changes: object) -> Slice:
    row = Slice(
        session="comparison",
        pair=0,
        block=position // 4,
        position=position % 4,
        role="reference" if position % 4 in (0, 3) else "candidate",
        steps=30,
        median_step_ms=1.5,
        mean_step_ms=1.6,
        steps_busy_s=0.05,
        started_s=100.0 + position,
        ended_s=100.5 + position,
        before=EdgeReading(100.0 + position, {"energy_j": 12.5}, {"thermal_throttle_s": "not_supported"}, 0),
        after=None,
        sm_clock_mhz=None,
        kernel_resident_pct=97.5,
        activity={"sm_active_pct": 55.5},
        thread_cpu_s=0.04,
        turns=14,
        own_s=0.06,
    )
    return replace(row, **changes)


class TestMeasurements:
    """Slices, samples and allocation events."""

    def test_slices_come_back_as_they_were_taken(self, run_store: RunStore) -> None:
        start(run_store)
        rows = [a_slice(n) for n in range(12)]
        run_store.add_slices("r1", rows[6:])
        run_store.add_slices("r1", [replace(rows[6], steps=99), *rows[:6]])
        run_store.add_slices("r1", [])
        assert run_store.slices("r1", 0, 100) == rows
        assert run_store.slices("r1", 4, 3) == rows[4:7]
        confirmed = a_slice(0, session="confirmation", started_s=500.0, before=None, thread_cpu_s=0.0)
        run_store.add_slices("r1", [confirmed])
        assert run_store.slices("r1", 12, 100) == [confirmed]

    def test_figures_that_are_none_stay_so(self, run_store: RunStore) -> None:
        start(run_store)
        edge = EdgeReading(NAN, {"energy_j": INF, "power_w": NAN}, {}, None)
        odd = a_slice(0, median_step_ms=NAN, mean_step_ms=-INF, ended_s=INF, before=edge, activity={"power_w": NAN})
        run_store.add_slices("r1", [odd])
        assert repr(run_store.slices("r1", 0, 10)) == repr([odd])

    def test_numpy_numbers_become_plain_ones(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.add_slices("r1", [a_slice(5, block=np.int64(1), steps=np.int32(30), median_step_ms=np.float32(1.5))])
        run_store.add_slices("r1", [a_slice(5)])
        assert repr(run_store.slices("r1", 0, 10)) == repr([a_slice(5)])
        run_store.add_telemetry("r1", [TelemetrySample(np.float64(1.0), "power_w", np.float32(2.5))])  # type: ignore[arg-type]
        assert run_store.telemetry("r1", None, 0, 10) == [TelemetrySample(1.0, "power_w", 2.5)]

    def test_a_sample_that_was_not_measured_is_no_zero(self, run_store: RunStore) -> None:
        start(run_store)
        rows = [
            TelemetrySample(1.25, "kernel_resident_pct", 0.0),
            TelemetrySample(1.25, "power_w", None, "not_supported"),
            TelemetrySample(1.5, "power_w", NAN),
            TelemetrySample(2.0, "kernel_resident_pct", None, "lost"),
        ]
        run_store.add_telemetry("r1", rows[::-1])
        run_store.add_telemetry("r1", [replace(rows[0], value=50.0)])
        assert repr(run_store.telemetry("r1", None, 0, 100)) == repr(rows)
        assert run_store.telemetry("r1", "kernel_resident_pct", 0, 100) == [rows[0], rows[3]]
        assert run_store.telemetry("r1", None, 1, 1) == [rows[1]]

    def test_events_of_both_sides_stay_in_order(self, run_store: RunStore) -> None:
        start(run_store)
        events = [
            AllocationEvent(-1, "malloc", 2**40),
            AllocationEvent(0, "malloc", 512),
            AllocationEvent(0, "free", 512),
        ]
        run_store.add_allocations("r1", "candidate", events)
        run_store.add_allocations("r1", "candidate", events[:1])
        run_store.add_allocations("r1", "reference", [])
        run_store.add_allocations("r1", "reference", events[:2])
        expected = [*(("reference", event) for event in events[:2]), *(("candidate", event) for event in events)]
        assert run_store.allocations("r1", None, 0, 100) == expected
        assert run_store.allocations("r1", "candidate", 1, 100) == expected[3:]

    def test_the_record_has_them_again(self, run_store: RunStore) -> None:
        start(run_store)
        events = (AllocationEvent(-1, "malloc", 4096),)
        record = RunRecord(
            plan=Plan(),
            subjects={},
            environment={},
            performance=PerformanceEvidence(
                "perf_counter",
                7,
                slices=tuple(a_slice(n) for n in range(4)),
                planned_blocks={"comparison": 12},
                sampler=SamplerReport("absent", "cpu", None, None, "no driver"),
                telemetry=(TelemetrySample(1.0, "power_w", 250.5),),
                troubles=(TimingTrouble("candidate", "comparison", "it raised"),),
            ),
            memory=MemoryEvidence(
                (MemoryTrace("candidate", "numpy allocator", 60, 1, 2, (MemorySample(0, 1, None, 3),), events),)
            ),
        )
        run_store.save_record("r1", record)
        assert record.performance is not None
        run_store.add_slices("r1", record.performance.slices)
        run_store.add_telemetry("r1", record.performance.telemetry)
        run_store.add_allocations("r1", "candidate", events)
        assert run_store.record("r1") == record

    @pytest.mark.parametrize("call", ["slices", "telemetry", "allocations"])
    def test_an_unknown_run(self, run_store: RunStore, call: str) -> None:
        with pytest.raises(RunNotFound):
            getattr(run_store, f"add_{call}")("nobody", *([] if call != "allocations" else ["reference"]), [])
        with pytest.raises(RunNotFound):
            getattr(run_store, call)("nobody", *([] if call == "slices" else [None]), 0, 10)
