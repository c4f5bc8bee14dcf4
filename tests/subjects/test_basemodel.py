"""The ladder as subjects: each rung says what runs in it, and allocates as legacy does."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from basemodel.rungs import RUNGS, methods_of
from service.parity.plan import MAX_BATCH_SIZE, ModelSpec, Plan, TrainingSpec
from service.subjects import basemodel as subject_module
from service.subjects.allocation_trace import Journal
from service.subjects.basemodel import BaseModelSubject
from service.subjects.numpy_allocator import NumpyAllocator
from service.subjects.registry import registered_subjects

PLAN = Plan(
    model=ModelSpec(vector_length=32, hidden_layers=2, bottleneck=8),
    training=TrainingSpec(batch_size=8),
    device="cpu",
)
LEGACY = "legacy.gpu_text_autoencoder.GPUTextAutoencoder"


def build(rung: str) -> BaseModelSubject:
    made = registered_subjects()[f"basemodel@{rung}"].factory(PLAN)
    assert isinstance(made, BaseModelSubject)
    return made


def test_the_default_is_the_wrapper() -> None:
    plain, wrapper = registered_subjects()["basemodel"].factory(PLAN).info(), build("wrapper").info()
    assert (plain.name, wrapper.name) == ("basemodel", "basemodel@wrapper")
    assert (plain.sources, plain.source_digest) == (wrapper.sources, wrapper.source_digest)


@pytest.mark.parametrize("rung", RUNGS)
def test_sources_name_what_runs_at_the_rung(rung: str) -> None:
    methods = {"forward.": "forward", "loss.": "loss", "backward.": "backward", "update": "update"}
    replaced = {"forward": "forward_gpu", "loss": "mse_loss_gpu", "backward": "backward_gpu_safe"}
    for prefix, source in build(rung).info().sources.items():
        method = methods[prefix]
        if method in methods_of(rung):
            home = "forward" if method in ("forward", "loss") else "backward"
            assert source == f"basemodel.own_parts.{method} (rung {home})"
        else:
            assert source == f"{LEGACY}.{replaced.get(method, '_clip_and_update')} (rung wrapper)"


def allocations(subject: str) -> list[tuple[int, str, int]]:
    """Every event of the building and of three steps: (step, operation, bytes)."""
    journal, batch = Journal(), np.random.default_rng(0).random((8, 32)).astype(np.float32)
    factory = registered_subjects()[subject].factory
    with NumpyAllocator(journal):
        made = factory(PLAN)
        for journal.step in range(3):
            made.train_step(batch)
    return [(event.step, event.operation, event.size_bytes) for event in journal.events]


@pytest.mark.parametrize("rung", RUNGS)
def test_every_rung_allocates_what_legacy_does_in_its_order(rung: str) -> None:
    legacy, made = allocations("legacy"), allocations(f"basemodel@{rung}")
    assert made == legacy
    assert len([size for _, _, size in made if size >= MAX_BATCH_SIZE * 8 * 4]) == 3 * 5


@pytest.mark.parametrize(
    ("changed", "rungs"),
    [
        ("basemodel/own_parts.py", RUNGS),
        ("basemodel/checkpoints.py", RUNGS),
        ("legacy/gpu_text_autoencoder.py", RUNGS[:-1]),
        ("legacy/matrix_kernels.cu", RUNGS[:-1]),
        ("kernels/manager.py", RUNGS[-1:]),
        ("kernels/rtx5090/matrix_kernels.cu", RUNGS[-1:]),
    ],
)
def test_the_digest_covers_what_the_rung_uses(
    changed: str, rungs: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(subject_module.__file__).parents[2]
    packages: dict[str, Any] = {}
    for name in ("basemodel", "legacy", "kernels"):
        shutil.copytree(root / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "data"))
        packages[name] = SimpleNamespace(__file__=str(tmp_path / name / "__init__.py"))
    for name, package in packages.items():
        monkeypatch.setattr(subject_module, name, package)
    before = {rung: build(rung).info().source_digest for rung in RUNGS}
    with (tmp_path / changed).open("a") as file:
        file.write("\n")
    after = {rung: build(rung).info().source_digest for rung in RUNGS}
    assert tuple(rung for rung in RUNGS if after[rung] != before[rung]) == rungs


def test_the_parameter_count_is_the_models() -> None:
    state = build("kernels").state()
    assert build("kernels").info().parameter_count == sum(array.size for array in state.values())


def test_outputs_are_a_copy_of_predict() -> None:
    made, batch = build("utilities"), np.random.default_rng(0).random((3, 32)).astype(np.float32)
    first = made.forward(batch)
    kept = first.copy()
    made.forward(batch * 2)
    np.testing.assert_array_equal(first, kept)
