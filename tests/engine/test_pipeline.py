"""A whole dual run on stub parts: building, closing and stopping, and that each ends in the right word."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.differs.numpy_differ import NumpyDiffer
from service.parity.errors import RunCancelled
from service.parity.plan import SynchronizedSpec
from service.parity.policy import named_policy
from service.parity.record import SIDES
from service.pipeline import Toolkit, carry_out
from service.store.memory import MemoryRunStore
from service.subjects.known_bad import VARIANTS
from service.subjects.oracle import Float64Oracle

RUN = "01jd9x2v7qk3m5n8p0r4s6t8vw"


def unused(plan: Any) -> Any:
    raise AssertionError("this plan measures nothing")


OUTCOME = {"reference": "INCONCLUSIVE", "candidate": "FAIL"}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        self.seconds += 10.0
        return self.seconds


@pytest.fixture
def execute(lab: Any) -> Any:
    """Carries a run out; `subjects` maps a side to what builds it."""

    def run(listener: Any = lambda progress: None, changed: tuple[str, ...] = (), **subjects: Any) -> Any:
        plan = replace(lab.plan, reference="reference", candidate="candidate", synchronized=SynchronizedSpec(20, 1))
        tools = Toolkit(
            dataset=lambda plan: lab.dataset,
            subject=lambda name, plan: subjects.get(name, lab.Stub)(),
            oracle=Float64Oracle,
            differ=lambda plan: NumpyDiffer(),
            environment=lambda plan: {"made": True},
            changed_frozen_files=lambda: changed,
            bench=unused,
            sampler=unused,
        )
        store, clock = MemoryRunStore(), Clock()
        store.create_run(RUN, plan, named_policy("numerics"), clock.now())
        store.claim(RUN, "test", clock.now())
        return carry_out(RUN, store, tools, clock, listener), store

    return run


def test_pass_is_stored_with_its_evidence(execute: Any) -> None:
    verdict, store = execute()
    assert (verdict.outcome, store.run(RUN).outcome) == ("PASS", "PASS")
    record = store.record(RUN)
    assert record.troubles == ()
    assert set(record.subjects) == set(SIDES)
    assert {ledger.phase for ledger in record.integrity.batches} == {"synchronized", "free_running"}
    assert len(record.synchronized.diffs) == record.synchronized.comparisons
    assert len(record.free_running.losses) == 12


def raising(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("planted")


@pytest.mark.parametrize("method", ["info", "load_state", "state", "train_step", "close", "build"])
@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_raises_in_any_method_is_data(execute: Any, lab: Any, side: str, method: str) -> None:
    def build() -> Any:
        if method == "build":
            raising()
        stub = lab.Stub()
        setattr(stub, method, raising)
        return stub

    verdict, store = execute(**{side: build})
    assert verdict.outcome == OUTCOME[side]
    record = store.record(RUN)
    phases = [part for part in (record.synchronized, record.free_running, record.learning) if part is not None]
    troubles = [trouble for part in (record, *phases) for trouble in part.troubles]
    assert {trouble.side for trouble in troubles} == {side}
    assert all("ZeroDivisionError" in trouble.message for trouble in troubles)


@pytest.mark.parametrize("side", SIDES)
def test_forward_that_raises_is_a_matter_of_learning(execute: Any, lab: Any, side: str) -> None:
    def build() -> Any:
        stub = lab.Stub()
        stub.forward = raising
        return stub

    _, store = execute(**{side: build})
    learning = {c.name: c.outcome for c in store.checks(RUN) if c.name.startswith("learning.outputs")}
    assert learning == {"learning.outputs_vary": {"reference": "inconclusive", "candidate": "fail"}[side]}


def test_both_sides_are_closed_whatever_happens(execute: Any, lab: Any) -> None:
    made: list[Any] = []

    def build() -> Any:
        made.append(lab.Stub())
        return made[-1]

    def build_broken() -> Any:
        made.append(lab.Stub())
        made[-1].train_step = raising
        return made[-1]

    execute(reference=build, candidate=build_broken)
    assert [stub.closed for stub in made] == [1, 1]
    made.clear()
    stopped = False

    def stop(progress: Any) -> None:
        nonlocal stopped
        if progress.phase == "free_running":
            stopped = True
            raise RunCancelled("stop")

    with pytest.raises(RunCancelled):
        execute(stop, reference=build, candidate=build)
    assert stopped
    assert [stub.closed for stub in made] == [1, 1]


def test_one_changed_frozen_file(execute: Any) -> None:
    assert execute(changed=("matrix_kernels.py",))[0].outcome == "FAIL"


@pytest.mark.parametrize(
    "name", [name for name, variant in VARIANTS.items() if variant.caught_by == "numerics.synchronized"]
)
def test_each_variant_as_the_candidate(execute: Any, lab: Any, name: str) -> None:
    plan = lab.plan
    verdict, _ = execute(candidate=lambda: lab.Stub(plan, VARIANTS[name]))
    if VARIANTS[name].harmless:
        assert verdict.outcome == "PASS", verdict.summary
    else:
        assert verdict.outcome == "FAIL", verdict.summary
