"""Watching changes nothing: with taps, with a differ, beside a process that samples, the losses are the same bits."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest

from service.engine.batches import Batches
from service.engine.free_running import FreeRunningPhase
from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, TrainingSpec
from service.parity.record import SIDES
from service.subjects.datasets import load_dataset
from service.subjects.registry import registered_subjects

PLAN = Plan(
    model=ModelSpec(32, 2, 8),
    training=TrainingSpec(steps=30, batch_size=16, learning_rate=0.05),
    free_running=FreeRunningSpec(band_runs=2, band_steps=10, weights_every=5),
    device="cpu",
    phases=("free_running",),
)


def sample_this_process(pid: int, ready: Any, stop: Any) -> None:
    """Reads what there is of the process, as fast as it can."""
    process = psutil.Process(pid)
    while not stop.is_set():
        process.memory_info()
        process.cpu_times()
        ready.set()


@contextmanager
def sampled() -> Iterator[None]:
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Event(), context.Event()
    watching = context.Process(target=sample_this_process, args=(psutil.Process().pid, ready, stop))
    watching.start()
    try:
        assert ready.wait(60)
        yield
    finally:
        stop.set()
        watching.join()


def losses(lab: Any, taps_every: int, candidate: str = "basemodel") -> tuple[list[Any], list[Any]]:
    """(rows of losses, rows of diffs) of a training of both sides."""
    plan = replace(PLAN, candidate=candidate, free_running=replace(PLAN.free_running, taps_every=taps_every))
    names = {"reference": plan.reference, "candidate": plan.candidate}
    sides: Any = {side: registered_subjects()[names[side]].factory(plan) for side in SIDES}
    batches = Batches(load_dataset(plan), plan.training.batch_size, plan.seed, "free_running", plan.training.steps)
    watcher, clock = lab.Watcher(), lab.StillClock()
    phase = FreeRunningPhase(plan, sides, batches, watcher, clock, lab.differ)
    phase.train(sides["reference"].state())
    assert phase.evidence().troubles == ()
    return watcher.loss_rows, watcher.diff_rows


@pytest.mark.parametrize("candidate", ["basemodel", "harmless-split-k"])
@pytest.mark.parametrize("taps_every", [1, 7])
def test_taps_change_no_loss(lab: Any, taps_every: int, candidate: str) -> None:
    plain, none = losses(lab, 0, candidate)
    watched, diffs = losses(lab, taps_every, candidate)
    assert watched == plain
    assert none == []
    assert sorted({diff.step for diff in diffs}) == list(range(0, 30, taps_every))
    assert {diff.phase for diff in diffs} == {"free_running"}


def test_a_process_that_samples_changes_no_loss(lab: Any) -> None:
    plain, _ = losses(lab, 0)
    with sampled():
        watched, _ = losses(lab, 3)
    assert watched == plain


def test_the_taps_are_those_of_their_step_on_both_sides(lab: Any) -> None:
    """Equal implementations agree in every tap; taps that outlived their step would not."""
    _, diffs = losses(lab, 4)
    assert len({diff.tap for diff in diffs}) * 8 == len(diffs)
    assert {diff.stats.mismatches for diff in diffs} == {0}
    _, others = losses(lab, 4, "bad-learning-rate")
    by_step = {step: {d.tap for d in others if d.step == step and d.stats.max_abs > 0} for step in (0, 28)}
    assert "update.layer0.weight" in by_step[0]
    assert len(by_step[28]) > len(by_step[0])


def test_taps_of_one_side_only_are_left_out(lab: Any) -> None:
    _, diffs = losses(lab, 10, "bad-missing-tap")
    assert diffs
    assert "backward.layer1.weight_grad" not in {diff.tap for diff in diffs}
    assert np.unique([diff.position for diff in diffs]).size * 3 == len(diffs)
