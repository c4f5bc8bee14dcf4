"""The contract of `RunStore`, held by every implementation."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from service.parity.errors import RunConflict, RunNotFound, StoreError
from service.parity.plan import ModelSpec, Plan
from service.parity.policy import Policy, named_policy
from service.parity.record import DiffStats, RunRecord, StepLosses, TapDiff
from service.parity.verdict import CheckResult, Verdict
from service.ports import Progress, RunFilter, RunRow, RunStore

T0 = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
NAN, INF = float("nan"), float("inf")
PASSED = Verdict("PASS", "the candidate may replace the reference", (), "default")


def create(store: RunStore, run_id: str = "r1", plan: Plan | None = None) -> RunRow:
    return store.create_run(run_id, plan or Plan(), named_policy("default"), T0)


def start(store: RunStore, run_id: str = "r1") -> RunRow:
    create(store, run_id)
    return store.claim(run_id, "worker-1", T0)


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


class TestCreation:
    def test_a_new_run_is_queued_and_comes_back_equal(self, run_store: RunStore) -> None:
        plan = Plan(candidate="zeroed", model=ModelSpec(alpha=0.1), phases=("synchronized",), seed=7)
        policy = Policy("mine", {"numerics.synchronized": "always"}, error_ratio=2.0)
        made = run_store.create_run("r1", plan, policy, T0)
        assert made == RunRow("r1", "queued", plan, policy, T0)
        assert run_store.run("r1") == made

    def test_an_id_is_taken_once(self, run_store: RunStore) -> None:
        first = create(run_store)
        with pytest.raises(RunConflict, match="'r1' exists already"):
            run_store.create_run("r1", Plan(seed=9), named_policy("strict"), later(1))
        assert run_store.run("r1") == first

    def test_many_creators_of_one_id_make_one_run(self, run_store: RunStore) -> None:
        def attempt(seed: int) -> int:
            try:
                create(run_store, plan=Plan(seed=seed))
            except RunConflict:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, range(16))) == 1

    def test_times_come_back_in_utc(self, run_store: RunStore) -> None:
        elsewhere = T0.astimezone(timezone(timedelta(hours=-7)))
        made = run_store.create_run("r1", Plan(), named_policy("default"), elsewhere)
        for row in (made, run_store.run("r1")):
            assert row.created_at == T0
            assert row.created_at.utcoffset() == timedelta(0)

    def test_a_time_without_a_zone_is_refused(self, run_store: RunStore) -> None:
        with pytest.raises(StoreError, match="has no zone"):
            run_store.create_run("r1", Plan(), named_policy("default"), T0.replace(tzinfo=None))

    def test_odd_text_is_kept_as_text(self, run_store: RunStore) -> None:
        start(run_store)
        failed = run_store.fail("r1", "internal", "a\x00b \ud800 ü 漢 \u202e </script>", T0)
        assert failed == run_store.run("r1")
        kept = failed.error_message
        assert kept is not None
        assert kept.endswith("ü 漢 \u202e </script>")
        kept.encode()


class TestUnknownRun:
    @pytest.mark.parametrize(
        "call",
        [
            pytest.param(lambda s: s.run("no"), id="run"),
            pytest.param(lambda s: s.claim("no", "w", T0), id="claim"),
            pytest.param(lambda s: s.report_progress("no", Progress("synchronized", 1, 2)), id="report_progress"),
            pytest.param(lambda s: s.request_cancel("no", T0), id="request_cancel"),
            pytest.param(lambda s: s.add_losses("no", [StepLosses("synchronized", 0, 1.0, 1.0)]), id="add_losses"),
            pytest.param(lambda s: s.add_losses("no", []), id="add_no_losses"),
            pytest.param(lambda s: s.add_diffs("no", []), id="add_no_diffs"),
            pytest.param(lambda s: s.save_record("no", RunRecord(Plan(), {}, {})), id="save_record"),
            pytest.param(lambda s: s.record("no"), id="record"),
            pytest.param(lambda s: s.finish("no", PASSED, T0), id="finish"),
            pytest.param(lambda s: s.fail("no", "internal", "x", T0), id="fail"),
            pytest.param(lambda s: s.mark_cancelled("no", T0), id="mark_cancelled"),
            pytest.param(lambda s: s.verdict("no"), id="verdict"),
            pytest.param(lambda s: s.losses("no", None, 0, 1), id="losses"),
            pytest.param(lambda s: s.diffs("no", None, None, 0, 1), id="diffs"),
            pytest.param(lambda s: s.checks("no"), id="checks"),
        ],
    )
    def test_every_call_says_that_there_is_no_such_run(
        self, run_store: RunStore, call: Callable[[RunStore], object]
    ) -> None:
        create(run_store)
        with pytest.raises(RunNotFound, match="there is no run 'no'"):
            call(run_store)

    @pytest.mark.parametrize("run_id", ["", "../x", "a\x00b", "\ud800", "'; DROP TABLE runs", "x" * 5000])
    def test_odd_ids_are_simply_not_there(self, run_store: RunStore, run_id: str) -> None:
        with pytest.raises(RunNotFound) as caught:
            run_store.run(run_id)
        assert len(str(caught.value)) < 300


class TestStates:
    def test_claiming_makes_it_running(self, run_store: RunStore) -> None:
        queued = create(run_store)
        running = run_store.claim("r1", "worker-1", later(1))
        assert running == replace(queued, state="running", worker="worker-1", started_at=later(1))
        assert run_store.run("r1") == running

    def test_finishing_keeps_outcome_and_summary(self, run_store: RunStore) -> None:
        running = start(run_store)
        done = run_store.finish("r1", PASSED, later(9))
        assert done == replace(running, state="finished", finished_at=later(9), outcome="PASS", summary=PASSED.summary)
        assert run_store.run("r1") == done

    def test_failing_keeps_code_and_message_and_no_outcome(self, run_store: RunStore) -> None:
        running = start(run_store)
        failed = run_store.fail("r1", "child_died", "the child was killed", later(9))
        assert failed == replace(
            running,
            state="failed",
            finished_at=later(9),
            error_code="child_died",
            error_message="the child was killed",
        )
        assert run_store.run("r1") == failed

    def test_cancelling_a_queued_run_ends_it(self, run_store: RunStore) -> None:
        create(run_store)
        row = run_store.request_cancel("r1", later(1))
        assert (row.state, row.cancel_requested, row.finished_at) == ("cancelled", True, later(1))
        assert run_store.claim_next("worker-1", later(2)) is None
        assert run_store.run("r1") == row

    def test_cancelling_a_running_run_asks_it_to_stop(self, run_store: RunStore) -> None:
        start(run_store)
        progress = Progress("synchronized", 3, 100, "step 3")
        assert run_store.report_progress("r1", progress) is False
        for _ in range(2):
            row = run_store.request_cancel("r1", later(1))
            assert (row.state, row.cancel_requested, row.finished_at) == ("running", True, None)
        assert run_store.report_progress("r1", replace(progress, done=4)) is True
        stopped = run_store.mark_cancelled("r1", later(2))
        assert (stopped.state, stopped.finished_at, stopped.progress) == (
            "cancelled",
            later(2),
            replace(progress, done=4),
        )
        assert run_store.run("r1") == stopped

    def test_a_queued_run_can_be_marked_cancelled(self, run_store: RunStore) -> None:
        create(run_store)
        assert run_store.mark_cancelled("r1", T0).state == "cancelled"

    def test_progress_is_replaced_and_listed(self, run_store: RunStore) -> None:
        start(run_store)
        for done in (1, 2**40):
            run_store.report_progress("r1", Progress("free_running", done, 2**41, "ü"))
        assert run_store.runs(RunFilter())[0].progress == Progress("free_running", 2**40, 2**41, "ü")

    def test_an_ended_run_keeps_its_progress_and_tells_the_reporter_to_stop(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.report_progress("r1", Progress("synchronized", 1, 2))
        ended = run_store.fail("r1", "stalled", "no progress", T0)
        assert run_store.report_progress("r1", Progress("synchronized", 2, 2)) is True
        assert run_store.run("r1") == ended

    CALLS = {  # noqa: RUF012
        "claim": lambda s: s.claim("r1", "worker-2", T0),
        "report_progress": lambda s: s.report_progress("r1", Progress("synchronized", 1, 2)),
        "request_cancel": lambda s: s.request_cancel("r1", T0),
        "finish": lambda s: s.finish("r1", PASSED, T0),
        "fail": lambda s: s.fail("r1", "internal", "x", T0),
        "mark_cancelled": lambda s: s.mark_cancelled("r1", T0),
    }
    REFUSED = [  # noqa: RUF012
        ("queued", "report_progress"),
        ("queued", "finish"),
        ("queued", "fail"),
        ("running", "claim"),
        *(
            (state, call)
            for state in ("finished", "failed", "cancelled")
            for call in ("claim", "request_cancel", "finish", "fail", "mark_cancelled")
        ),
    ]

    @pytest.mark.parametrize(("state", "call"), REFUSED)
    def test_what_a_state_does_not_allow_is_a_conflict_and_changes_nothing(
        self, run_store: RunStore, state: str, call: str
    ) -> None:
        create(run_store)
        if state != "queued":
            run_store.claim("r1", "worker-1", T0)
        if state in ("finished", "failed"):
            self.CALLS[{"finished": "finish", "failed": "fail"}[state]](run_store)
        if state == "cancelled":
            run_store.mark_cancelled("r1", T0)
        before = run_store.run("r1"), run_store.verdict("r1"), run_store.checks("r1")
        with pytest.raises(RunConflict, match=f"run 'r1' is {state} and "):
            self.CALLS[call](run_store)
        assert (run_store.run("r1"), run_store.verdict("r1"), run_store.checks("r1")) == before


class TestClaiming:
    def test_nothing_queued_is_none(self, run_store: RunStore) -> None:
        assert run_store.claim_next("worker-1", T0) is None
        start(run_store)
        assert run_store.claim_next("worker-1", T0) is None

    def test_the_oldest_goes_first(self, run_store: RunStore) -> None:
        for run_id in ("r2", "r1", "r3"):
            create(run_store, run_id)
        claimed = [run_store.claim_next("worker-1", later(n)) for n in range(4)]
        assert [row and row.id for row in claimed] == ["r1", "r2", "r3", None]
        assert claimed[0] == run_store.run("r1")
        assert claimed[0] is not None
        assert (claimed[0].state, claimed[0].worker, claimed[0].started_at) == ("running", "worker-1", T0)

    def test_eight_threads_never_get_the_same_run(self, run_store: RunStore) -> None:
        ids = [f"r{number:03}" for number in range(80)]
        for run_id in ids:
            create(run_store, run_id)
        together = threading.Barrier(8)

        def work(worker: str) -> list[str]:
            together.wait()
            mine = []
            while (row := run_store.claim_next(worker, T0)) is not None:
                assert row.worker == worker
                mine.append(row.id)
            return mine

        with ThreadPoolExecutor(8) as pool:
            taken = [run_id for mine in pool.map(work, [f"w{n}" for n in range(8)]) for run_id in mine]
        assert sorted(taken) == ids

    def test_eight_threads_after_one_run_make_one_claim(self, run_store: RunStore) -> None:
        create(run_store)
        together = threading.Barrier(8)

        def attempt(worker: str) -> int:
            together.wait()
            try:
                run_store.claim("r1", worker, T0)
            except RunConflict:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(attempt, "abcdefgh")) == 1


class TestListing:
    def ids(self, store: RunStore, **wanted: object) -> list[str]:
        return [row.id for row in store.runs(RunFilter(**wanted))]  # type: ignore[arg-type]

    def test_newest_first_in_pages(self, run_store: RunStore) -> None:
        assert self.ids(run_store) == []
        for number in range(7):
            create(run_store, f"r{number}")
        assert self.ids(run_store, limit=3) == ["r6", "r5", "r4"]
        assert self.ids(run_store, limit=3, before="r4") == ["r3", "r2", "r1"]
        assert self.ids(run_store, limit=3, before="r1") == ["r0"]
        assert self.ids(run_store, before="r0") == []

    @pytest.mark.parametrize(("limit", "count"), [(0, 0), (-1, 0), (10**30, 2)])
    def test_odd_limits(self, run_store: RunStore, limit: int, count: int) -> None:
        create(run_store, "r1")
        create(run_store, "r2")
        assert len(self.ids(run_store, limit=limit)) == count

    def test_each_filter_and_all_together(self, run_store: RunStore) -> None:
        create(run_store, "r1", Plan(reference="a", candidate="x"))
        create(run_store, "r2", Plan(reference="a", candidate="y"))
        create(run_store, "r3", Plan(reference="b", candidate="y"))
        run_store.claim("r2", "w", T0)
        run_store.finish("r2", PASSED, T0)
        run_store.claim("r3", "w", T0)
        assert self.ids(run_store, state="queued") == ["r1"]
        assert self.ids(run_store, state="running") == ["r3"]
        assert self.ids(run_store, outcome="PASS") == ["r2"]
        assert self.ids(run_store, outcome="FAIL") == []
        assert self.ids(run_store, reference="a") == ["r2", "r1"]
        assert self.ids(run_store, candidate="y") == ["r3", "r2"]
        assert self.ids(run_store, candidate="y\x00' OR 1") == []
        everything = {"state": "finished", "outcome": "PASS", "reference": "a", "candidate": "y", "before": "r3"}
        assert self.ids(run_store, **everything) == ["r2"]

    def test_rows_are_whole(self, run_store: RunStore) -> None:
        start(run_store)
        run_store.finish("r1", PASSED, T0)
        assert run_store.runs(RunFilter()) == [run_store.run("r1")]


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
        run_store.finish("r1", full_verdict, later(1))
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


class TestReadiness:
    def test_an_empty_store_is_ready(self, run_store: RunStore) -> None:
        run_store.check_ready()

    def test_closing_twice_does_nothing(self, run_store: RunStore) -> None:
        run_store.close()
        run_store.close()
