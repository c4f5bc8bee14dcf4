"""Side by side on two real GPUs: at the same time, each side once on each card in every block, and what it says."""

from __future__ import annotations

import itertools
import os
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from service import bootstrap
from service.campaigns.spread import Unrecorded
from service.parity.checks import judge
from service.parity.measurements import PerformanceEvidence, Slice
from service.parity.plan import ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.parity.timing import AT_ONCE, DEFAULT_LIMITS, on_second_device, read
from service.parity.verdict import CheckResult
from service.pipeline import DualRun
from service.subjects.devices import find_devices

cupy = pytest.importorskip("cupy")

GPUS = [name for name in find_devices().names if name != "cpu"]
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.timeout(600),
    pytest.mark.skipif(len(GPUS) < 2, reason=f"side by side takes two GPUs; here: {', '.join(GPUS) or 'none'}"),
]

PLAN = Plan(
    model=ModelSpec(vector_length=2048, hidden_layers=1, bottleneck=1024),
    training=TrainingSpec(batch_size=2048, learning_rate=0.01),
    performance=PerformanceSpec(blocks=8, slice_seconds=0.3, process_pairs=1, second_device="cuda:1"),
    phases=("performance",),
    device="cuda:0",
)


@cache
def carried_out(candidate: str = "basemodel") -> tuple[PerformanceEvidence, CheckResult]:
    run = DualRun(
        bootstrap.check_plan(replace(PLAN, candidate=candidate)),
        bootstrap.toolkit(),
        Unrecorded(),
        bootstrap.SystemClock(),
    )
    run.execute()
    evidence = run.record.performance
    assert evidence is not None
    assert evidence.troubles == ()
    checks = {check.name: check for check in judge(run.record, named_policy("default")).checks}
    return evidence, checks["performance.step_time"]


def beside(evidence: PerformanceEvidence) -> list[Slice]:
    return [piece for piece in evidence.slices if piece.session == "side_by_side"]


def test_a_subject_opened_on_the_second_card_is_there_and_not_on_the_first() -> None:
    bench = bootstrap.toolkit().bench(PLAN)
    before = [free_bytes(index) for index in (0, 1)]
    process = bench.open("reference", "legacy", PLAN.on_second_device(), 0)
    try:
        process.built()
        assert process.clock == "cuda events"
        taken = [before[index] - free_bytes(index) for index in (0, 1)]
        assert taken[1] > 100 * 2**20
        assert taken[0] < taken[1] / 4, "a context on the first card would be seen there"
        if hasattr(os, "sched_getaffinity"):
            process.warm_up(0.1)
            here = bench.open("reference", "legacy", PLAN, 0)
            try:
                here.built()
                here.warm_up(0.1)
                assert os.sched_getaffinity(process.pid).isdisjoint(os.sched_getaffinity(here.pid))
            finally:
                here.close()
    finally:
        process.close()


def free_bytes(index: int) -> int:
    with cupy.cuda.Device(index):
        return int(cupy.cuda.runtime.memGetInfo()[0])


def test_both_sides_are_timed_at_the_same_time_once_on_each_card() -> None:
    evidence, _ = carried_out()
    assert evidence.planned_blocks["side_by_side"] == 8
    slices = beside(evidence)
    assert [(piece.block, piece.position) for piece in slices] == list(itertools.product(range(8), range(4)))
    for block in range(8):
        of_block = slices[4 * block : 4 * block + 4]
        assert len({(piece.role, on_second_device(piece.session, piece.position)) for piece in of_block}) == 4
        for here, there in AT_ONCE:
            one, other = of_block[here], of_block[there]
            assert one.role != other.role
            assert one.steps == other.steps
            together = min(one.ended_s, other.ended_s) - max(one.started_s, other.started_s)
            assert together > 0.8 * min(one.wall_s, other.wall_s), (block, here, together)


def test_each_cards_steps_are_as_long_as_alone() -> None:
    """Were both on one card they would take twice as long there, and no other test of equals would see it."""
    evidence, _ = carried_out()
    alone = [piece.median_step_ms for piece in evidence.slices if piece.session == "comparison"]
    usual = sorted(alone)[len(alone) // 2]
    for piece in beside(evidence):
        assert 0.6 * usual < piece.median_step_ms < 1.6 * usual, (piece.block, piece.position)


def test_what_is_seen_is_seen_of_the_first_card_only() -> None:
    evidence, _ = carried_out()
    assert evidence.sampler is not None
    if evidence.sampler.source == "absent":
        pytest.skip(f"the device is not watched: {evidence.sampler.absent_reason}")
    for piece in beside(evidence):
        watched = not on_second_device(piece.session, piece.position)
        assert (piece.before is not None, piece.after is not None) == (watched, watched)
        if not watched:
            assert (piece.sm_clock_mhz, piece.kernel_resident_pct, dict(piece.activity)) == (None, None, {})
    foreign = {edge.foreign_processes for piece in beside(evidence) for edge in (piece.before,) if edge is not None}
    assert foreign <= {0, None}, "the run's own processes are not foreign"


def test_an_equal_candidate_is_not_slower_side_by_side_either() -> None:
    evidence, check = carried_out()
    reading = read(evidence, PLAN, ("side_by_side",), DEFAULT_LIMITS)
    assert reading.fault is None
    assert reading.ratio is not None
    assert not any("side by side" in reason for block in reading.rejected for reason in block.reasons)
    assert 0.95 < float(check.evidence["sessions"]["side_by_side"]["ratio"]) < 1.05
    assert check.outcome == "pass", check.message
    assert "side by side" in check.message


def test_a_slower_candidate_is_slower_side_by_side_too() -> None:
    _, check = carried_out("timing-slow-8")
    shown: dict[str, Any] = check.evidence["sessions"]["side_by_side"]
    assert 1.05 < shown["ratio"] < 1.12, check.message
    assert check.outcome == "fail", check.message
