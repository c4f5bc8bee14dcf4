"""The gate's own test: each planted fault is caught by the synchronized comparison, and no harmless variant is."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.checkpoints import read_checkpoint
from service.differs.numpy_differ import NumpyDiffer
from service.engine.batches import Batches
from service.engine.synchronized import SynchronizedPhase
from service.parity.numerics import check_sign_disagreements, check_synchronized, first_divergence
from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import ALL_CHECKS, HARDWARE_CHECKS, named_policy
from service.parity.record import RunRecord
from service.ports import CheckpointMetadata
from service.subjects import planted_changes
from service.subjects.datasets import load_dataset
from service.subjects.known_bad import VARIANTS
from service.subjects.oracle import Float64Oracle
from service.subjects.registry import registered_subjects
from service.subjects.variant_subject import Variant, VariantSubject

POLICY = named_policy("numerics")
STRICT = "numerics.synchronized"
HARMLESS = [name for name, variant in VARIANTS.items() if variant.harmless and variant.burden is None]
BAD = [name for name, variant in VARIANTS.items() if not variant.harmless]
SEEN_AT_ONCE = [name for name in BAD if VARIANTS[name].caught_by == STRICT]
"""Faults that the synchronized phase must show; the others are for whole runs (tests/campaigns)."""
WIDE = Plan(
    model=ModelSpec(vector_length=64, hidden_layers=2, bottleneck=16),
    training=TrainingSpec(batch_size=32, learning_rate=0.05, clip=0.02),
    synchronized=SynchronizedSpec(steps=40, every=4),
    device="cpu",
)
NARROW = replace(WIDE, model=ModelSpec(32, 1, 8), training=replace(WIDE.training, batch_size=8))


METHODS = {"forward": "_forward", "loss": "train_step", "backward": "_backward", "update": "_update"}


class Nobody:
    """Neither watches nor keeps time."""

    def losses(self, rows: Any) -> None: ...

    def slices(self, rows: Any) -> None: ...

    def telemetry(self, rows: Any) -> None: ...

    def allocations(self, role: Any, rows: Any) -> None: ...

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
    if name != "harmless-recompute":  # equal or not as the library's product likes it
        assert (mismatches == 0) == (name in ("basemodel", "legacy"))


@pytest.mark.parametrize("plan", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("name", SEEN_AT_ONCE)
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
        ("bad-stale-activation", "backward.layer1.weight_grad"),
        ("bad-forward-alpha", "forward.layer0.output"),
        ("bad-summed-gradient", "backward.layer3.activation_grad"),
        ("bad-gradient-scale", "backward.layer3.activation_grad"),
        ("bad-swapped-layers", "backward.layer3.weight_grad"),
        ("bad-half-precision", "forward.layer0.output"),
        ("bad-tf32", "forward.layer0.output"),
        ("bad-learning-rate-low", "update.layer0.weight"),
        ("bad-previous-batch", "forward.layer0.output"),
        ("bad-shuffled-batch", "forward.layer0.output"),
        ("bad-ignored-array", "forward.layer0.output"),
        ("bad-inf", "forward.layer3.output"),
        ("bad-loss", "loss.value"),
        ("bad-extra-tap", "forward.layer99.output"),
        ("bad-transposed-tap", "backward.layer1.weight_grad"),
        ("bad-tap-dtype", "backward.layer1.weight_grad"),
        ("bad-reversed-tap", "backward.layer1.weight_grad"),
    ],
)
def test_the_first_divergence_names_the_fault(name: str, tap: str) -> None:
    found = first_divergence(compared(name, WIDE), POLICY)
    assert found is not None
    assert found.tap == tap
    if tap != "train_step":
        assert found.source is not None
        assert METHODS[tap.split(".")[0]] in found.source


def test_enough_of_both_kinds_are_there() -> None:
    assert len(HARMLESS) >= 8
    assert len([name for name in BAD if not VARIANTS[name].needs]) >= 25
    listed = test_the_first_divergence_names_the_fault.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert set(SEEN_AT_ONCE) == {name for name, _ in listed}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=list(VARIANTS))
def test_each_variant_is_one_change(variant: Variant) -> None:
    """Two fields belong together only where the one says when the other applies, or what it is made of."""
    words = {"name", "description", "harmless", "caught_by", "needs"}
    plain = Variant("", "")
    changed = {f.name for f in fields(Variant) if getattr(variant, f.name) != getattr(plain, f.name)} - words
    together = [{"learning_rate_factor", "factor_when"}, {"recompute", "taps"}]
    assert len(changed) == 1 or changed in together
    assert variant.caught_by in ALL_CHECKS
    assert bool(variant.needs) == (variant.caught_by in HARDWARE_CHECKS) == (variant.burden is not None)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("name", ["bad-checkpoint-bit", "bad-checkpoint-order"])
def test_a_spoilt_checkpoint_is_a_sound_file_with_other_weights(name: str, suffix: str, tmp_path: Path) -> None:
    """A damaged file is refused by its reader; these must be seen by comparing what was read."""
    subject = VariantSubject(NARROW, VARIANTS[name])
    path = tmp_path / f"model{suffix}"
    subject.save(path, CheckpointMetadata(0.5, 3))
    before, read = subject.state(), read_checkpoint(path).state
    assert before.keys() == read.keys()
    (name_of_changed,) = (array for array in before if not np.array_equal(before[array], read[array]))
    ours, theirs = before[name_of_changed], read[name_of_changed]
    assert ours.shape == theirs.shape
    if name == "bad-checkpoint-bit":
        assert np.count_nonzero(ours != theirs) == 1
        np.testing.assert_allclose(ours, theirs, rtol=2**-22)
    else:
        np.testing.assert_array_equal(np.sort(ours, axis=None), np.sort(theirs, axis=None))


def test_a_learning_rate_is_off_only_when_it_should_be() -> None:
    def moved(subject: VariantSubject) -> bool:
        before = subject.state()["weight_0"]
        subject.train_step(batch)
        return not np.array_equal(before, subject.state()["weight_0"])

    plan = replace(NARROW, free_running=FreeRunningSpec(2, 4, 1))
    batch = np.random.default_rng(0).random((8, 32)).astype(np.float32)
    late = VariantSubject(plan, VARIANTS["bad-stops-learning"])
    assert [moved(late) for _ in range(6)] == [True] * 4 + [False] * 2
    late.load_state(late.state())
    assert moved(late)
    hundredth = VariantSubject(plan, VARIANTS["bad-one-in-a-hundred"])
    assert [step for step in range(250) if not moved(hundredth)] == [99, 199]


def test_a_file_and_not_a_state_makes_the_first_step_too_long(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    batch = np.random.default_rng(0).random((8, 32)).astype(np.float32)
    VariantSubject(NARROW, Variant("plain", "")).save(path, CheckpointMetadata(0.5, 3))
    steps = []
    for way in ("memory", "file", "file"):
        subject = VariantSubject(NARROW, VARIANTS["bad-resume"])
        subject.load(path)
        if way == "memory":
            subject.load_state(read_checkpoint(path).state)
        before = subject.state()["weight_0"]
        subject.train_step(batch)
        steps.append(subject.state()["weight_0"] - before)
    np.testing.assert_allclose(steps[1], 2 * steps[0], rtol=1e-2, atol=1e-6)
    np.testing.assert_array_equal(steps[1], steps[2])
    assert np.abs(steps[0]).max() > 1e-4


@pytest.mark.parametrize("name", HARMLESS)
def test_layouts_and_orders_keep_values_shapes_and_dtypes(name: str) -> None:
    subject, plain = VariantSubject(NARROW, VARIANTS[name]), VariantSubject(NARROW, Variant("plain", ""))
    batch = np.random.default_rng(0).random((8, 32)).astype(np.float32)
    one, other = (made.train_step(batch, taps=True).taps for made in (subject, plain))
    assert list(one) == list(other)
    for tap, array in one.items():
        assert (array.shape, array.dtype) == (other[tap].shape, np.float32)
        np.testing.assert_allclose(array, other[tap], rtol=1e-4, atol=1e-6)
    if name == "harmless-layout":
        assert not any(array.flags.contiguous for array in one.values() if array.ndim == 2)


def test_what_tf32_keeps() -> None:
    ones = np.array([[1 + 2**-10, 1 + 2**-11 - 2**-23, 1 + 2**-11, -(1 + 2**-12)]], dtype=np.float32)
    kept = planted_changes.tf32_product(np, ones, np.eye(4, dtype=np.float32))
    assert kept.tolist() == [[1 + 2**-10, 1.0, 1 + 2**-10, -1.0]]
