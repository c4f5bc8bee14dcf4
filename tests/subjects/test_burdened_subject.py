"""A burdened subject is the frozen reference, bit for bit, and carries its burden in every step."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.subjects import planted_burdens
from service.subjects.burdened_subject import BurdenedSubject
from service.subjects.datasets import load_dataset
from service.subjects.known_bad import VARIANTS
from service.subjects.legacy import LegacySubject
from service.subjects.registry import registered_subjects

PLAN = Plan(model=ModelSpec(32, 1, 8), training=TrainingSpec(batch_size=8, learning_rate=0.05), device="cpu")
BURDENED = [name for name, variant in VARIANTS.items() if variant.burden is not None]
BATCH = load_dataset(PLAN).vectors[:8]


@pytest.mark.parametrize("name", BURDENED)
def test_its_numbers_are_the_references(name: str) -> None:
    subject, reference = registered_subjects()[name].factory(PLAN), LegacySubject(PLAN)
    for _ in range(3):
        ours, theirs = subject.train_step(BATCH, taps=True), reference.train_step(BATCH, taps=True)
        assert ours.loss == theirs.loss
        assert list(ours.taps) == list(theirs.taps)
        assert all(np.array_equal(ours.taps[tap], theirs.taps[tap]) for tap in ours.taps)
    assert (subject.info().name, subject.info().step_flops) == (name, reference.info().step_flops)
    assert subject.info().source_digest != reference.info().source_digest


@pytest.mark.parametrize("share", [0.03, 0.08, 1.0])
def test_a_stretched_step_takes_its_share_longer(share: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a made-up clock that a look at it moves by 1 us and a step by 1 ms."""
    clock = [0.0]

    def look() -> float:
        clock[0] += 1e-6
        return clock[0]

    def step(batch: Any, taps: bool = False) -> Any:
        clock[0] += 1e-3

    subject = BurdenedSubject(PLAN, "stretched", planted_burdens.stretched(share))
    monkeypatch.setattr(subject._inner, "train_step", step)
    monkeypatch.setattr(time, "perf_counter", look)
    subject.train_step(BATCH)
    assert clock[0] == pytest.approx(1e-3 * (1 + share), rel=0.01)


def test_a_pause_sleeps_for_half_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    burden = planted_burdens.Pause(np, PLAN, LegacySubject(PLAN))
    burden.after(BATCH, 0.4)
    burden.after(BATCH, 0.0)
    assert slept == [0.2, planted_burdens.PAUSE_S]


def test_more_work_is_a_forward_pass_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    subject = LegacySubject(PLAN)
    rows: list[int] = []
    monkeypatch.setattr(subject, "forward", lambda batch: rows.append(len(batch)))
    planted_burdens.MoreWork(np, PLAN, subject).before(BATCH)
    assert rows == [2]


def test_scratch_is_beyond_any_allowance() -> None:
    """A twentieth and 16 MiB are allowed."""
    for plan in (PLAN, replace(PLAN, model=ModelSpec(4096, 2, 1024))):
        scratch = planted_burdens.Scratch(np, plan, LegacySubject(PLAN))
        assert scratch._bytes > 2**24
