"""Whole dual runs on a real GPU: equal implementations pass, planted faults fail, and summation order is no fault."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service import bootstrap
from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.pipeline import Toolkit, carry_out
from service.ports import Dataset
from service.store.memory import MemoryRunStore
from service.subjects.datasets import load_dataset
from service.subjects.devices import array_module
from service.subjects.known_bad import VARIANTS
from service.subjects.legacy import changed_frozen_files
from service.subjects.oracle import Float64Oracle
from service.subjects.registry import registered_subjects

cupy = pytest.importorskip("cupy")

pytestmark = pytest.mark.gpu

LOSS = "loss.value"
"""The one tap that the legacy kernels do not compute alike twice: the blocks' sums are added by atomicAdd."""

RUN = "01jd9x2v7qk3m5n8p0r4s6t8vw"
PLAN = Plan(
    model=ModelSpec(vector_length=96, hidden_layers=2, bottleneck=24),
    training=TrainingSpec(steps=40, batch_size=32, learning_rate=0.05, clip=0.02),
    synchronized=SynchronizedSpec(steps=40, every=4),
    free_running=FreeRunningSpec(band_runs=4, band_steps=40, weights_every=10),
    device="cuda:0",
)


class Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def dual_run(plan: Plan) -> Any:
    from service.differs.cupy_differ import CupyDiffer

    def dataset(plan: Plan) -> Dataset:
        return load_dataset(plan)

    tools = Toolkit(
        dataset=dataset,
        subject=lambda name, plan: registered_subjects()[name].factory(plan),
        oracle=lambda plan: Float64Oracle(plan, array_module(plan.device)),
        differ=lambda plan: CupyDiffer(plan.device),
        environment=lambda plan: {},
        changed_frozen_files=changed_frozen_files,
        bench=bootstrap.toolkit().bench,
        sampler=bootstrap.toolkit().sampler,
    )
    store, clock = MemoryRunStore(), Clock()
    store.create_run(RUN, plan, named_policy("numerics"), clock.now())
    store.claim(RUN, "test", clock.now())
    verdict = carry_out(RUN, store, tools, clock, lambda progress: None)
    return verdict, store.record(RUN)


@pytest.mark.parametrize("candidate", ["basemodel", "legacy"])
def test_the_same_kernels_are_bit_equal_and_pass(candidate: str) -> None:
    verdict, record = dual_run(replace(PLAN, candidate=candidate))
    assert verdict.outcome == "PASS", verdict.summary
    assert {info.device for info in record.subjects.values()} == {"cuda:0"}
    assert {diff.tap for diff in record.synchronized.diffs if diff.stats.mismatches} <= {LOSS}
    assert record.free_running.candidate_weight_distances == (0.0,) * 4
    for row in record.free_running.losses:
        assert row.candidate == pytest.approx(row.reference, rel=1e-6)
    assert all(member.moved_fraction == 1.0 for member in record.free_running.members)


@pytest.mark.parametrize(
    "name", [name for name, variant in VARIANTS.items() if variant.harmless and variant.burden is None]
)
@pytest.mark.parametrize("seed", [0, 1])
def test_another_order_of_summation_passes(name: str, seed: int) -> None:
    verdict, record = dual_run(replace(PLAN, candidate=name, seed=seed))
    assert verdict.outcome == "PASS", verdict.summary
    assert sum(diff.stats.mismatches for diff in record.synchronized.diffs) > 0


@pytest.mark.parametrize(
    "name",
    [name for name, v in VARIANTS.items() if not v.harmless and v.caught_by == "numerics.synchronized"],
)
def test_a_planted_fault_fails(name: str) -> None:
    verdict, _ = dual_run(replace(PLAN, candidate=name))
    assert verdict.outcome == "FAIL", verdict.summary
    assert {c.name: c.outcome for c in verdict.checks}["numerics.synchronized"] == "fail"
    assert verdict.first_divergence is not None


@pytest.mark.parametrize("candidate", ["basemodel", "legacy", "harmless-split-k"])
def test_checkpoints_pass_between_both_sides(candidate: str) -> None:
    """Outputs are compared where they are; resuming is bit-equal although the loss is summed by atomicAdd."""
    verdict, record = dual_run(replace(PLAN, candidate=candidate, phases=("checkpoint",)))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    assert (outcomes["checkpoint.transfer"], outcomes["checkpoint.resume"]) == ("pass", "pass")
    assert len(record.checkpoint.trips) == 8
    assert {trip.resumed_distance for trip in record.checkpoint.trips} == {0.0}


def test_a_run_repeated_gives_the_same_record() -> None:
    plan = replace(PLAN, candidate="harmless-split-k")
    (_, first), (_, second) = dual_run(plan), dual_run(plan)
    # Where atomicAdd sums two losses of one state to other last bits, more steps are probed: how many is up to chance.
    spreads = {
        diff.reference_spread for diff in (*first.synchronized.diffs, *second.synchronized.diffs) if diff.tap != LOSS
    }
    assert spreads == {None, 0.0} or spreads == {0.0}
    pairs = zip(first.synchronized.diffs, second.synchronized.diffs, strict=True)
    for one, other in pairs:
        if one.tap != LOSS:
            assert replace(one, reference_spread=None) == replace(other, reference_spread=None)
    assert first.free_running.candidate_weight_distances == second.free_running.candidate_weight_distances
    for one, other in zip(first.free_running.members, second.free_running.members, strict=True):
        assert one.weight_distances == other.weight_distances
