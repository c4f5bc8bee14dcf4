"""The gate's own test: each planted fault is caught by the synchronized comparison, and no harmless variant is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.differs.numpy_differ import NumpyDiffer
from service.engine.batches import Batches
from service.engine.synchronized import SynchronizedPhase
from service.parity.numerics import check_sign_disagreements, check_synchronized, first_divergence
from service.parity.plan import ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.subjects.datasets import load_dataset
from service.subjects.known_bad import VARIANTS
from service.subjects.oracle import Float64Oracle
from service.subjects.registry import registered_subjects

POLICY = named_policy("numerics")
HARMLESS = [name for name, variant in VARIANTS.items() if variant.harmless]
BAD = [name for name, variant in VARIANTS.items() if not variant.harmless]
WIDE = Plan(
    model=ModelSpec(vector_length=64, hidden_layers=2, bottleneck=16),
    training=TrainingSpec(batch_size=32, learning_rate=0.05, clip=0.02),
    synchronized=SynchronizedSpec(steps=40, every=4),
    device="cpu",
)
NARROW = replace(WIDE, model=ModelSpec(32, 1, 8), training=replace(WIDE.training, batch_size=8))


class Nobody:
    """Neither watches nor keeps time."""

    def losses(self, rows: Any) -> None: ...

    def diffs(self, rows: Any) -> None: ...

    def progress(self, *words: Any) -> None: ...

    def monotonic(self) -> float:
        return 0.0


def compared(candidate: str, plan: Plan) -> RunRecord:
    plan = replace(plan, candidate=candidate)
    registered = registered_subjects()
    sides: dict[Any, Any] = {
        "reference": registered["legacy"].factory(plan),
        "candidate": registered[candidate].factory(plan),
    }
    steps = plan.synchronized_steps()[-1] + 1
    batches = Batches(load_dataset(plan), plan.training.batch_size, plan.seed, "synchronized", steps)
    nobody: Any = Nobody()
    phase = SynchronizedPhase(plan, sides, Float64Oracle(plan), NumpyDiffer(), batches, nobody, nobody)
    evidence, _ = phase.run(sides["reference"].state())
    infos = {side: subject.info() for side, subject in sides.items()}
    return RunRecord(plan, infos, {}, synchronized=evidence)


@pytest.mark.parametrize("plan", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", [*HARMLESS, "basemodel", "legacy"])
def test_no_harmless_variant_fails(name: str, seed: int, plan: Plan) -> None:
    record = compared(name, replace(plan, seed=seed))
    for check in (check_synchronized, check_sign_disagreements):
        result = check(record, POLICY)
        assert result.outcome == "pass", result
    assert record.synchronized is not None
    mismatches = sum(diff.stats.mismatches for diff in record.synchronized.diffs)
    assert (mismatches == 0) == (name in ("basemodel", "legacy"))


@pytest.mark.parametrize("plan", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", BAD)
def test_every_fault_is_caught(name: str, plan: Plan) -> None:
    record = compared(name, plan)
    result = check_synchronized(record, POLICY)
    assert result.outcome == "fail", result
    assert first_divergence(record, POLICY) is not None


@pytest.mark.parametrize(
    ("name", "tap"),
    [
        ("bad-decay-only", "backward.layer3.activation_grad"),
        ("bad-learning-rate", "update.layer0.weight"),
        ("bad-weight-decay", "update.layer0.weight"),
        ("bad-backward-alpha", "backward.layer2.activation_grad"),
        ("bad-no-bias-gradient", "backward.layer3.bias_grad"),
        ("bad-early-update", "backward.layer2.activation_grad"),
        ("bad-last-sample", "backward.layer3.activation_grad"),
        ("bad-no-clip", "update.layer0.weight"),
        ("bad-nan", "forward.layer3.output"),
        ("bad-exception", "train_step"),
        ("bad-missing-tap", "backward.layer1.weight_grad"),
    ],
)
def test_the_first_divergence_names_the_fault(name: str, tap: str) -> None:
    found = first_divergence(compared(name, WIDE), POLICY)
    assert found is not None
    assert found.tap == tap
    method = tap.split(".")[0] if tap != "train_step" else None
    if method is not None:
        assert found.source is not None
        assert method in found.source


def test_both_kinds_are_there() -> None:
    assert len(HARMLESS) >= 3
    assert len(BAD) >= 11
    assert set(BAD) == {name for name, _ in test_the_first_divergence_names_the_fault.pytestmark[0].args[1]}  # type: ignore[attr-defined]
