"""One dual run through the pipeline with the real engine, subjects and oracle, and a memory store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from service import bootstrap
from service.parity.errors import RunCancelled, UnknownName
from service.parity.plan import CheckpointSpec, FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.parity.verdict import Verdict
from service.pipeline import Toolkit, carry_out
from service.ports import Progress
from service.store.memory import MemoryRunStore

SMALL = Plan(
    device="cpu",
    model=ModelSpec(vector_length=32, hidden_layers=2, bottleneck=8),
    training=TrainingSpec(steps=40, batch_size=16, learning_rate=0.05, clip=1.0),
    synchronized=SynchronizedSpec(steps=6, every=2),
    free_running=FreeRunningSpec(band_runs=3, band_steps=20, weights_every=6),
    checkpoint=CheckpointSpec(steps_before=3, steps_after=4),
)
CLOCK = bootstrap.SystemClock()


def nothing(progress: Progress) -> None: ...


class Run:
    """A claimed run in a memory store."""

    def __init__(self, plan: Plan, policy: str = "numerics") -> None:
        self.store = MemoryRunStore()
        self.id = bootstrap.submit(self.store, CLOCK, plan, named_policy(policy)).id
        self.store.claim(self.id, "test", CLOCK.now())

    def carry_out(self, tools: Toolkit | None = None, listener: Callable[[Progress], None] = nothing) -> Verdict:
        return carry_out(self.id, self.store, tools or bootstrap.toolkit(), CLOCK, listener)

    @property
    def record(self) -> RunRecord:
        record = self.store.record(self.id)
        assert record is not None
        return record


def test_the_wrapper_passes_and_is_bit_equal_in_every_tap() -> None:
    run = Run(SMALL)
    assert run.carry_out().outcome == "PASS"
    assert run.store.run(run.id).state == "finished"
    evidence = run.record.synchronized
    assert evidence is not None
    assert evidence.compared_steps == (0, 2, 4)
    assert len(evidence.diffs) == 3 * 25
    assert {diff.stats.mismatches for diff in evidence.diffs} == {0}


def test_checkpoints_come_last_from_the_initial_state_and_pass() -> None:
    run = Run(SMALL, "default")
    phases: list[str] = []
    run.carry_out(listener=lambda progress: phases.append(progress.phase))
    assert list(dict.fromkeys(phases)) == ["building", *SMALL.phases]
    outcomes = {check.name: check.outcome for check in run.store.checks(run.id)}
    assert (outcomes["checkpoint.transfer"], outcomes["checkpoint.resume"]) == ("pass", "pass")
    evidence = run.record.checkpoint
    assert evidence is not None
    assert [(trip.differing_arrays, trip.resumed_distance) for trip in evidence.trips] == [((), 0.0)] * 8
    alone = Run(dataclasses.replace(SMALL, phases=("checkpoint",)))
    alone.carry_out()
    assert alone.record.checkpoint is not None
    assert alone.record.checkpoint.trips == evidence.trips


def test_every_loss_and_diff_reaches_the_store() -> None:
    run = Run(SMALL)
    run.carry_out()
    assert [row.step for row in run.store.losses(run.id, "free_running", 0, 1000)] == list(range(40))
    assert [row.step for row in run.store.losses(run.id, "synchronized", 0, 1000)] == [0, 2, 4]
    assert len(run.store.diffs(run.id, None, None, 0, 1000)) == 3 * 25
    progress = run.store.run(run.id).progress
    assert progress is not None
    assert progress.done == progress.total


def test_a_verdict_can_be_judged_again_from_the_store() -> None:
    from service.parity.checks import judge

    run = Run(SMALL)
    verdict = run.carry_out()
    assert judge(run.record, named_policy("numerics")) == verdict == run.store.verdict(run.id)


@pytest.mark.parametrize("candidate", ["harmless-split-k", "harmless-permuted", "harmless-naive-order"])
def test_a_harmless_variant_passes(candidate: str) -> None:
    assert Run(dataclasses.replace(SMALL, candidate=candidate)).carry_out().outcome == "PASS"


def test_the_historical_backward_fails_at_step_0_in_backward() -> None:
    run = Run(dataclasses.replace(SMALL, candidate="bad-decay-only"))
    verdict = run.carry_out()
    assert verdict.outcome == "FAIL"
    assert verdict.first_divergence is not None
    assert verdict.first_divergence.step == 0
    assert verdict.first_divergence.tap == "backward.layer3.activation_grad"


def test_a_learning_rate_off_by_one_ten_thousandth_fails() -> None:
    verdict = Run(dataclasses.replace(SMALL, candidate="bad-learning-rate")).carry_out()
    assert verdict.outcome == "FAIL"
    assert verdict.first_divergence is not None
    assert verdict.first_divergence.tap == "update.layer0.weight"


def test_a_wrong_candidate_as_reference_does_not_pass_either() -> None:
    plan = dataclasses.replace(SMALL, reference="bad-learning-rate", candidate="legacy")
    assert Run(plan).carry_out().outcome != "PASS"


@pytest.mark.parametrize(("broken", "outcome"), [("candidate", "FAIL"), ("reference", "INCONCLUSIVE")])
def test_a_side_that_cannot_be_built_is_data(broken: str, outcome: str) -> None:
    tools = bootstrap.toolkit()

    def subject(name: str, plan: Plan) -> Any:
        if name == getattr(plan, broken):
            raise MemoryError("no room for the buffers")
        return tools.subject(name, plan)

    run = Run(SMALL)
    verdict = run.carry_out(dataclasses.replace(tools, subject=subject))
    assert verdict.outcome == outcome
    assert "no room for the buffers" in verdict.checks[2].message


@pytest.mark.parametrize(("phase", "done"), [("synchronized", 3), ("free_running", 12)])
def test_a_stop_ends_the_run_and_keeps_what_was_recorded(phase: str, done: int) -> None:
    run = Run(SMALL)

    def stop(progress: Progress) -> None:
        if progress.phase == phase and progress.done >= done:
            raise RunCancelled("stopped by the test")

    with pytest.raises(RunCancelled):
        run.carry_out(listener=stop)
    assert run.store.verdict(run.id) is None
    assert run.store.run(run.id).state == "running"
    assert run.store.diffs(run.id, "synchronized", None, 0, 10)
    assert len(run.store.losses(run.id, "free_running", 0, 1000)) == (0 if phase == "synchronized" else 12)


def test_a_request_to_cancel_is_seen_at_the_next_write() -> None:
    run = Run(SMALL)

    def ask(progress: Progress) -> None:
        if progress.phase == "synchronized" and progress.done == 1:
            run.store.request_cancel(run.id, CLOCK.now())

    with pytest.raises(RunCancelled):
        run.carry_out(listener=ask)


def test_subjects_are_closed_whatever_happens() -> None:
    tools, closed = bootstrap.toolkit(), []

    def subject(name: str, plan: Plan) -> Any:
        built = tools.subject(name, plan)
        original = built.close

        def close() -> None:
            closed.append(name)
            original()

        built.close = close  # type: ignore[method-assign]
        return built

    def stop(progress: Progress) -> None:
        if progress.phase == "free_running":
            raise RunCancelled("stopped by the test")

    with pytest.raises(RunCancelled):
        Run(SMALL).carry_out(dataclasses.replace(tools, subject=subject), stop)
    assert sorted(closed) == ["basemodel", "legacy"]


def test_a_small_dataset_is_filled_up_to_one_batch() -> None:
    plan = dataclasses.replace(SMALL, training=dataclasses.replace(SMALL.training, batch_size=300, steps=3))
    run = Run(plan)
    assert run.carry_out().outcome == "PASS"
    assert run.record.integrity is not None
    assert run.record.integrity.dataset_rows == 264


def test_an_unknown_dataset_is_refused_before_anything_runs() -> None:
    with pytest.raises(UnknownName, match="colors-a-f"):
        bootstrap.check_plan(dataclasses.replace(SMALL, dataset="shades"))
