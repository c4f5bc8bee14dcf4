"""The performance phase on a real GPU: CUDA events, the sampler beside them, and candidates of known slowness."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service import bootstrap
from service.campaigns.spread import Unrecorded
from service.engine.batches import prepared_batches
from service.parity.checks import judge
from service.parity.measurements import PerformanceEvidence
from service.parity.plan import FreeRunningSpec, ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.pipeline import DualRun
from service.subjects.step_timer import EventStopwatch, open_timer

cupy = pytest.importorskip("cupy")

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]

PLAN = Plan(
    model=ModelSpec(vector_length=2048, hidden_layers=1, bottleneck=1024),
    training=TrainingSpec(batch_size=2048, learning_rate=0.01),
    performance=PerformanceSpec(blocks=8, slice_seconds=0.5, process_pairs=2),
    phases=("performance",),
    device="cuda:0",
)
SMALL = replace(PLAN, model=ModelSpec(256, 2, 64), training=TrainingSpec(batch_size=64, learning_rate=0.05))


def measured(candidate: str) -> tuple[PerformanceEvidence, dict[str, Any]]:
    """(evidence, checks by name)"""
    run = DualRun(replace(PLAN, candidate=candidate), bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    assert run.record.performance is not None
    assert run.record.performance.troubles == ()
    return run.record.performance, {c.name: c for c in judge(run.record, named_policy("default")).checks}


def test_events_time_what_happens_on_the_stream_and_on_the_host() -> None:
    a = cupy.ones((2048, 2048), dtype=np.float32)
    stopwatch = EventStopwatch(cupy)
    stopwatch.measure(3, lambda: a @ a)
    products = stopwatch.measure(20, lambda: a @ a)
    assert stopwatch.clock == "cuda events"
    assert products.step_ms.shape == (20,)
    assert (products.step_ms > 0).all()
    assert products.step_ms.sum() / 1e3 <= products.ended_s - products.started_s
    pauses = stopwatch.measure(3, lambda: time.sleep(0.01))
    assert (pauses.step_ms >= 9.9).all()


def test_a_subject_is_timed_on_its_plans_batches() -> None:
    timer = open_timer(prepared_batches, "legacy", SMALL)
    assert timer.warm_up(0.1) > 0
    assert (timer.time_steps(50).step_ms > 0).all()
    timer.close()


def test_the_device_is_measured() -> None:
    figures = bootstrap.toolkit().bench(SMALL).device_figures(SMALL)
    assert figures.multiprocessors == cupy.cuda.Device(0).attributes["MultiProcessorCount"]
    assert figures.matrix_peak_flops_per_s > 1e12


def test_an_equal_candidate_is_not_slower_and_what_was_sampled_is_there() -> None:
    evidence, checks = measured("basemodel")
    assert evidence.clock == "cuda events"
    assert evidence.fill_blocks_per_sm is not None
    assert evidence.fill_blocks_per_sm > 4
    assert evidence.matrix_peak_flops_per_s is not None
    assert checks["performance.step_time"].outcome == "pass", checks["performance.step_time"].message
    assert evidence.sampler is not None
    if evidence.sampler.source == "absent":
        pytest.skip(f"the device is not watched: {evidence.sampler.absent_reason}")
    assert checks["utilization.not_reduced"].outcome == "pass", checks["utilization.not_reduced"].message
    watched = [piece for piece in evidence.slices if piece.session != "sampler"]
    assert all(piece.before is not None and piece.after is not None for piece in watched)
    assert sum(piece.kernel_resident_pct is not None for piece in watched) > len(watched) / 2


def test_three_percent_slower_is_within_the_margin() -> None:
    _, checks = measured("timing-slow-3")
    assert checks["performance.step_time"].outcome == "pass", checks["performance.step_time"].message


def test_eight_percent_slower_is_not() -> None:
    evidence, checks = measured("timing-slow-8")
    assert checks["performance.step_time"].outcome == "fail", checks["performance.step_time"].message
    assert "confirmation" in evidence.planned_blocks


def test_gaps_between_steps_leave_the_gpu_idle() -> None:
    evidence, checks = measured("bad-idle-gap")
    assert evidence.sampler is not None
    if evidence.sampler.source == "absent":
        pytest.skip(f"the device is not watched: {evidence.sampler.absent_reason}")
    assert checks["utilization.not_reduced"].outcome == "fail", checks["utilization.not_reduced"].message


def test_taps_and_a_sampler_leave_the_training_as_it_is() -> None:
    """Trained weights are the same bits. Losses are the same to their own rounding: legacy sums them by atomicAdd."""
    ends, losses = [], []
    for taps_every in (0, 5):
        plan = replace(
            SMALL,
            training=replace(SMALL.training, steps=60),
            free_running=FreeRunningSpec(band_runs=2, band_steps=10, weights_every=5, taps_every=taps_every),
            phases=("free_running",),
        )
        sampler = bootstrap.toolkit().sampler(plan)
        if taps_every:
            sampler.start()
        run = DualRun(plan, bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
        run.execute()
        sampler.stop()
        evidence = run.record.free_running
        assert evidence is not None
        ends.append((evidence.reference_end_digest, evidence.candidate_end_digest))
        losses.append([(row.reference, row.candidate) for row in evidence.losses])
    assert ends[0] == ends[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
