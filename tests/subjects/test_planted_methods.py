"""One fault a method: a run sees each by its check, and it goes with the method that it is in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.rungs import EVERY_METHOD, METHODS, RUNGS, Selection, methods_of, with_required, without
from service import bootstrap
from service.campaigns.selftest import select_cases
from service.campaigns.spread import Unrecorded
from service.parity.checks import judge
from service.parity.plan import CheckpointSpec, FreeRunningSpec, ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.parity.policy import named_policy
from service.parity.verdict import Verdict
from service.pipeline import DualRun
from service.ports import CheckpointMetadata, Subject
from service.subjects.planted_methods import METHOD_FAULTS, MethodFault, build_faulty
from service.subjects.registry import registered_subjects

PLAN = Plan(
    model=ModelSpec(vector_length=24, hidden_layers=2, bottleneck=8),
    training=TrainingSpec(steps=150, batch_size=16, learning_rate=0.02, clip=0.05),
    synchronized=SynchronizedSpec(steps=10, every=3),
    free_running=FreeRunningSpec(band_runs=3, band_steps=150),
    checkpoint=CheckpointSpec(steps_before=5, steps_after=3),
    device="cpu",
)
UNSEEN = {"parameter_count", "initialisation", "bounds", "cleanup"}
every_fault = pytest.mark.parametrize("fault", METHOD_FAULTS.values(), ids=list(METHOD_FAULTS))


def verdict(candidate: str) -> Verdict:
    run = DualRun(replace(PLAN, candidate=candidate), bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    return judge(run.record, named_policy("numerics"))


def shown(subject: Subject, folder: Path) -> list[bytes]:
    """All that a run would see of it: taps, losses, outputs, state, and both kinds of file."""
    seen: list[bytes] = []
    rng = np.random.default_rng(0)

    def note(arrays: dict[str, Any]) -> None:
        seen.extend(array.tobytes() for _, array in sorted(arrays.items()))

    for step in range(4):
        batch = rng.random((16, 24)).astype(np.float32)
        subject.load_state(subject.state())
        result = subject.train_step(batch, taps=True)
        seen.append(repr(result.loss).encode())
        note(dict(result.taps))
        note({"output": subject.forward(batch), **subject.state()})
        for suffix in (".npz", ".safetensors"):
            path = folder / f"{step}{suffix}"
            subject.save(path, CheckpointMetadata(result.loss, step, {"n": 1}))
            subject.train_step(batch)
            seen.append(repr(subject.load(path)).encode())
            note(subject.state())
    return seen


def is_sound(subject: Subject, folder: Path) -> bool:
    """Whether nothing at all tells it from legacy; being refused tells."""
    (folder / "reference").mkdir()
    (folder / "candidate").mkdir()
    expected = shown(registered_subjects()["legacy"].factory(PLAN), folder / "reference")
    try:
        return shown(subject, folder / "candidate") == expected
    except ValueError:
        return False


def test_there_is_one_for_every_method_that_a_run_can_see() -> None:
    methods = [fault.method for fault in METHOD_FAULTS.values()]
    assert methods == [name for name in METHODS if name not in UNSEEN]
    assert len(methods) >= 12
    for name, fault in METHOD_FAULTS.items():
        assert name == fault.name == f"bad-method-{fault.method.replace('_', '-')}"
        assert (registered_subjects()[name].kind, registered_subjects()[name].description) == (
            "known_bad",
            fault.description,
        )


def test_the_selftest_leaves_them_alone() -> None:
    assert not {case.name for case in select_cases()} & set(METHOD_FAULTS)


@every_fault
def test_a_run_catches_it_by_its_check(fault: MethodFault) -> None:
    outcomes = {check.name: check.outcome for check in verdict(fault.name).checks}
    assert outcomes[fault.caught_by] == "fail", outcomes


@every_fault
def test_it_goes_with_its_method(fault: MethodFault, tmp_path: Path) -> None:
    mixed = registered_subjects()[fault.name].mixed
    assert mixed is not None
    assert is_sound(mixed(PLAN, without(EVERY_METHOD, [fault.method])), tmp_path)


@every_fault
@pytest.mark.parametrize("others", ["all", "none"])
def test_it_comes_with_its_method(fault: MethodFault, others: str, tmp_path: Path) -> None:
    methods = EVERY_METHOD if others == "all" else with_required([fault.method])
    assert not is_sound(build_faulty(fault, PLAN, methods), tmp_path)


@every_fault
def test_the_first_failing_rung_is_that_of_its_method(fault: MethodFault, tmp_path: Path) -> None:
    sound = []
    for rung in RUNGS:
        (tmp_path / rung).mkdir()
        sound.append(is_sound(build_faulty(fault, PLAN, methods_of(rung)), tmp_path / rung))
    assert sound.index(False) == RUNGS.index(METHODS[fault.method].rung)
    assert not any(sound[sound.index(False) :])


@pytest.mark.parametrize("name", ["basemodel", *(f"basemodel@{rung}" for rung in RUNGS)])
@pytest.mark.parametrize("methods", [frozenset(), EVERY_METHOD, frozenset({"bounds", "predict"})], ids=len)
def test_a_sound_subject_can_be_mixed_too(name: str, methods: Selection, tmp_path: Path) -> None:
    mixed = registered_subjects()[name].mixed
    assert mixed is not None
    made = mixed(PLAN, methods)
    assert made.info().name == name
    assert is_sound(made, tmp_path)


def test_what_cannot_be_mixed_says_so() -> None:
    subjects = registered_subjects()
    assert subjects["legacy"].mixed is None
    assert subjects["harmless-split-k"].mixed is None
    mixed = subjects["bad-method-forward"].mixed
    assert mixed is not None
    with pytest.raises(ValueError, match="own kernels needs its own forward, loss, backward, update"):
        mixed(PLAN, frozenset({"kernels"}))


def test_the_source_that_a_report_names_is_the_broken_function() -> None:
    found = verdict("bad-method-forward").first_divergence
    assert found is not None
    assert found.source == "service.subjects.planted_methods._last_bias_not_added (rung forward)"


def test_the_documentation_has_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "ladder.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `bad-method-")]
    assert rows == [f"| `{f.name}` | {f.description} | `{f.caught_by}` |" for f in METHOD_FAULTS.values()]
