"""The climb: every rung gets its run, what is done is kept, and nothing that is not measured is passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest

from basemodel.rungs import RUNGS
from service import bootstrap
from service.campaigns.ladder import Climb, RungResult, climb
from service.campaigns.selftest import PLAN
from service.campaigns.stored_runs import StoredRuns
from service.parity.ladder import Numerics
from service.parity.plan import CPU_PHASES, Plan
from service.parity.policy import Policy, named_policy
from service.parity.verdict import CheckResult, Verdict
from service.pipeline import carry_out
from service.ports import Execution, Progress, ProgressListener, RunRow
from service.store.memory import MemoryRunStore

AT = datetime(2030, 1, 1, tzinfo=UTC)
DEFAULT = named_policy("default")


def ignore(progress: Progress) -> None: ...


class Scripted:
    """Ends each run as it is told: with an outcome, an error code, or by raising."""

    def __init__(self, store: MemoryRunStore, ends: Sequence[str]) -> None:
        self.store, self.ends = store, iter(ends)

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        end = next(self.ends)
        if end == "Ctrl-C":
            raise KeyboardInterrupt
        if end.isupper():
            verdict = Verdict(end, "told", (CheckResult("memory.peak", "not_measured", "a CPU"),), "default")  # type: ignore[arg-type]
            self.store.finish(run_id, verdict, AT)
        elif end == "cancelled":
            self.store.mark_cancelled(run_id, AT)
        else:
            self.store.fail(run_id, end, "broke", AT)
        return Execution(run_id, 0)


class InThisProcess:
    """The executor without a child."""

    def __init__(self, store: MemoryRunStore) -> None:
        self.store = store

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        carry_out(run_id, self.store, bootstrap.toolkit(), bootstrap.SystemClock(), on_progress)
        return Execution(run_id, 0)


def stored_runs(make: Callable[[MemoryRunStore], Any]) -> StoredRuns:
    store, numbers = MemoryRunStore(), count()

    def submit(plan: Plan, policy: Policy) -> RunRow:
        return store.create_run(f"r{next(numbers)}", plan, policy, AT)

    return StoredRuns(store, make(store), bootstrap.SystemClock(), submit, "test")


def climbed(*ends: str) -> tuple[Climb, StoredRuns]:
    runs = stored_runs(lambda store: Scripted(store, ends))
    rungs = RUNGS[: len(ends)]
    results = tuple(climb(runs, Plan(), DEFAULT, rungs, lambda rung: ignore))
    return Climb(Plan(), DEFAULT, rungs, results), runs


@pytest.mark.parametrize(
    ("ends", "outcome"),
    [
        (["PASS", "PASS"], "PASS"),
        (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["INCONCLUSIVE", "FAIL", "internal"], "FAIL"),
        (["PASS", "internal", "INCONCLUSIVE"], "BROKEN"),
        (["PASS", "child_died"], "INCONCLUSIVE"),
        (["PASS", "cancelled"], "INCONCLUSIVE"),
    ],
)
def test_the_outcome_is_the_gravest_and_a_run_without_a_verdict_never_passes(ends: list[str], outcome: str) -> None:
    done, _ = climbed(*ends)
    assert done.outcome == outcome
    assert len(done.results) == len(ends)


def test_every_rung_has_a_run_of_its_own_in_the_store() -> None:
    done, runs = climbed("PASS", "FAIL", "internal")
    rows = [runs.store.run(result.run.id) for result in done.results]
    assert [row.plan.candidate for row in rows] == [f"basemodel@{rung}" for rung in RUNGS[:3]]
    assert {row.worker for row in rows} == {"test"}
    assert [result.message for result in done.results] == ["told", "told", "broke"]


def test_a_run_without_a_record_shows_nothing() -> None:
    (result,) = climbed("internal")[0].results
    assert (result.numerics, result.demands) == (Numerics(None, None), ())
    document = result.as_document()
    assert (document["bit_equal"], document["error_ratio"], document["demands"]) == (None, None, [])


def test_what_is_not_measured_is_told_with_its_reason() -> None:
    (result,) = climbed("PASS")[0].results
    assert {"name": "memory", "outcome": "not_measured", "message": "a CPU"} in result.as_document()["demands"]


def test_ctrl_c_keeps_what_is_done_and_cancels_the_run_under_way() -> None:
    runs = stored_runs(lambda store: Scripted(store, ["PASS", "Ctrl-C"]))
    coming: Iterator[RungResult] = climb(runs, Plan(), DEFAULT, RUNGS, lambda rung: ignore)
    first = next(coming)
    with pytest.raises(KeyboardInterrupt):
        next(coming)
    assert runs.store.run("r1").state == "cancelled"
    done = Climb(Plan(), DEFAULT, RUNGS, (first,))
    assert done.outcome == "INCONCLUSIVE"
    assert done.summary.endswith("stopped after 1 of 7")


def test_nothing_climbed_is_nothing_passed() -> None:
    assert Climb(Plan(), DEFAULT, RUNGS, ()).outcome == "INCONCLUSIVE"
    assert Climb(Plan(), DEFAULT, (), ()).outcome == "INCONCLUSIVE"


def test_every_rung_for_real_is_bit_equal_and_passes() -> None:
    plan = replace(
        PLAN,
        device="cpu",
        phases=CPU_PHASES,
        training=replace(PLAN.training, steps=60),
        free_running=replace(PLAN.free_running, band_runs=2, band_steps=20),
        synchronized=replace(PLAN.synchronized, steps=10),
    )
    runs = stored_runs(InThisProcess)
    results = tuple(climb(runs, plan, named_policy("numerics"), RUNGS, lambda rung: ignore))
    done = Climb(plan, named_policy("numerics"), RUNGS, results)
    assert (done.outcome, done.summary) == ("PASS", "7 of 7 rungs pass; 7 bit-equal to legacy")
    for result in results:
        outcomes = {demand.name: demand.outcome for demand in result.demands}
        assert outcomes["utilization"] == outcomes["memory"] == outcomes["performance"] == "not_measured"
        assert outcomes["training accuracy"] != "pass", "60 steps teach nothing"
