"""A case on this machine, over the store in memory and an executor that does as it is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import pytest

from service.gate.config import GateCase
from service.gate.local import WORKER, LocalRunner
from service.gate.loop import CaseInterrupted, RunEnd
from service.parity.errors import RunConflict
from service.parity.plan import Plan
from service.parity.policy import Policy, named_policy
from service.ports import Execution, Progress, ProgressListener, RunRow
from service.store.memory import MemoryRunStore

RUN = "01jd9x2v7qk3m5n8p0r4s6t8vw"
CASE = GateCase("a", Plan(), named_policy("numerics"))


class Clock:
    def now(self) -> datetime:
        return datetime(2030, 1, 2, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


class Told:
    def __init__(self, act: Callable[[str], object]) -> None:
        self._act = act

    def execute(self, run_id: str, on_progress: ProgressListener) -> Execution:
        on_progress(Progress("building", 0, 1))
        self._act(run_id)
        return Execution(run_id, 0)


def submit(store: MemoryRunStore, plan: Plan, policy: Policy) -> RunRow:
    return store.create_run(RUN, plan, policy, Clock().now())


def run(store: MemoryRunStore, act: Callable[[str], object]) -> RunEnd:
    return LocalRunner(store, Told(act), Clock(), partial(submit, store)).run(CASE, lambda progress: None)


def test_the_end_tells_the_state_the_reason_and_the_report() -> None:
    store = MemoryRunStore()
    end = run(store, lambda run_id: store.fail(run_id, "child_died", "why", Clock().now()))
    assert (end.run_id, end.state, end.error_code, end.error_message) == (RUN, "failed", "child_died", "why")
    assert end.report is not None
    assert (end.report["run_id"], end.report["plan_digest"]) == (RUN, CASE.plan.digest())
    assert store.run(RUN).worker == WORKER


@pytest.mark.parametrize("cancelled_already", [True, False])
def test_ctrl_c_leaves_a_cancelled_run_whenever_it_came(cancelled_already: bool) -> None:
    store = MemoryRunStore()

    def interrupt(run_id: str) -> None:
        if cancelled_already:
            store.mark_cancelled(run_id, Clock().now())
        raise KeyboardInterrupt

    with pytest.raises(CaseInterrupted) as caught:
        run(store, interrupt)
    assert caught.value.end is not None
    assert (caught.value.end.state, store.run(RUN).state) == ("cancelled", "cancelled")


def test_a_run_that_another_worker_took_is_told() -> None:
    store = MemoryRunStore()

    def submit_and_lose(plan: Plan, policy: Policy) -> RunRow:
        row = submit(store, plan, policy)
        store.claim(row.id, "another", Clock().now())
        return row

    with pytest.raises(RunConflict):
        LocalRunner(store, Told(print), Clock(), submit_and_lose).run(CASE, lambda progress: None)
