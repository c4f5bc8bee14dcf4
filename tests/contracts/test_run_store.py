"""The contract of `RunStore`: creating, claiming, ending and listing runs; their evidence has its own suite."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.parity.errors import RunConflict, RunNotFound, StoreError
from service.parity.plan import ModelSpec, Plan
from service.parity.policy import Policy, named_policy
from service.parity.record import RunRecord, StepLosses
from service.parity.verdict import Verdict
from service.ports import Progress, RunFilter, RunRow, RunStore

T0 = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
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

    @pytest.fixture(autouse=True)
    def threads_switch_often(self) -> Iterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        yield
        sys.setswitchinterval(before)

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


class TestReadiness:
    def test_an_empty_store_is_ready(self, run_store: RunStore) -> None:
        run_store.check_ready()

    def test_closing_twice_does_nothing(self, run_store: RunStore) -> None:
        run_store.close()
        run_store.close()


class TestFinishedRunsOfPlans:
    """What a sweep is resumed by."""

    def finished(self, store: RunStore, run_id: str, plan: Plan, record: RunRecord | None = None) -> RunRow:
        create(store, run_id, plan)
        store.claim(run_id, "worker-1", T0)
        if record is not None:
            store.save_record(run_id, record)
        return store.finish(run_id, PASSED, later(9))

    def test_those_of_the_plans_newest_first_with_what_the_sides_said(
        self, run_store: RunStore, full_record: RunRecord
    ) -> None:
        one, other = Plan(seed=1), Plan(seed=2)
        old = self.finished(run_store, "r1", one)
        new = self.finished(run_store, "r2", one, full_record)
        self.finished(run_store, "r3", Plan(seed=3), full_record)
        elsewhere = self.finished(run_store, "r4", other)
        found = run_store.finished_runs({one.digest(), other.digest()})
        assert [each.run for each in found] == [elsewhere, new, old]
        assert [each.subjects for each in found] == [{}, full_record.subjects, {}]

    def test_only_finished_ones(self, run_store: RunStore, full_record: RunRecord) -> None:
        for run_id in ("queued", "running", "failed", "cancelled"):
            create(run_store, run_id)
            if run_id != "queued":
                run_store.claim(run_id, "worker-1", T0)
                run_store.save_record(run_id, full_record)
        run_store.fail("failed", "internal", "no memory", T0)
        run_store.mark_cancelled("cancelled", T0)
        assert run_store.finished_runs([Plan().digest()]) == []

    def test_no_plans_have_no_runs(self, run_store: RunStore) -> None:
        self.finished(run_store, "r1", Plan())
        assert run_store.finished_runs([]) == []

    def test_more_plans_than_one_statement_holds(self, run_store: RunStore) -> None:
        plans = [Plan(seed=seed) for seed in range(3)]
        for number, plan in enumerate(plans):
            self.finished(run_store, f"r{number}", plan)
        digests = {f"{number:064x}" for number in range(260_000)} | {plan.digest() for plan in plans}
        assert [each.run.id for each in run_store.finished_runs(digests)] == ["r2", "r1", "r0"]
