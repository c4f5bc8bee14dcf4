"""What a plan may name: subjects, datasets and devices, and what is said of a name that is none."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.parity.errors import DeviceUnavailable, UnknownName
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.subjects import devices
from service.subjects.datasets import check_dataset, dataset_entries, load_dataset
from service.subjects.devices import array_module, find_devices, resolve_device
from service.subjects.registry import check_subjects, registered_subjects


@pytest.mark.parametrize("name", ["", "Legacy", "os.system", "../legacy", "legacy ", "builtins:eval"])
def test_unknown_subject(name: str) -> None:
    with pytest.raises(
        UnknownName,
        match=r"choose from legacy, basemodel, basemodel@wrapper, .*, harmless-split-k, .*, bad-method-forward",
    ) as refused:
        check_subjects(Plan(reference=name, candidate=name))
    assert [problem.field for problem in refused.value.problems] == ["reference", "candidate"]


def test_known_subjects() -> None:
    for name in registered_subjects():
        check_subjects(Plan(reference=name, candidate=name))


@pytest.mark.parametrize("name", ["", "colours", "colors.csv", "/etc/passwd", "../data/colors.csv", "records.json"])
def test_unknown_dataset(name: str) -> None:
    with pytest.raises(UnknownName, match="choose from colors, colors-a-f"):
        check_dataset(name)
    with pytest.raises(UnknownName):
        load_dataset(Plan(dataset=name))


PLAN = Plan(model=ModelSpec(16, 1, 4), training=TrainingSpec(batch_size=8), seed=1)


def test_dataset() -> None:
    (a_to_f,) = (entry for entry in dataset_entries() if entry.name == "colors-a-f")
    data = load_dataset(PLAN)
    assert (a_to_f.rows, data.rows, len(data.names), data.vectors.shape) == (264, 264, 264, (264, 16))
    assert (data.names[0], data.vectors.dtype) == ("Absolute Zero", np.float32)
    assert data.vectors[0, :3] == pytest.approx([0.0, 0.28, 0.73])
    assert data.digest == load_dataset(PLAN).digest
    with pytest.raises(ValueError, match="read-only"):
        data.vectors[0, 0] = 1


def test_a_set_smaller_than_a_batch_is_filled_up_from_the_seed() -> None:
    wide = replace(PLAN, training=TrainingSpec(batch_size=300))
    data = load_dataset(wide)
    assert (data.rows, len(data.names), len(data.vectors)) == (264, 264, 300)
    np.testing.assert_array_equal(data.vectors[:264], load_dataset(PLAN).vectors)
    assert load_dataset(wide).digest == data.digest
    assert load_dataset(replace(wide, seed=2)).digest != data.digest


class FakeCupy(SimpleNamespace):
    """CuPy as far as devices are looked for."""

    class CUDARuntimeError(RuntimeError):
        pass

    def __init__(self, count: Any) -> None:
        def count_devices() -> int:
            if isinstance(count, str):
                raise FakeCupy.CUDARuntimeError(count)
            return int(count)

        runtime = SimpleNamespace(
            getDeviceCount=count_devices,
            CUDARuntimeError=FakeCupy.CUDARuntimeError,
            getDeviceProperties=lambda i: {"name": f"GPU {i}".encode()},
        )
        super().__init__(cuda=SimpleNamespace(runtime=runtime))


def with_cupy(monkeypatch: pytest.MonkeyPatch, cupy: Any) -> None:
    def import_module(name: str) -> Any:
        assert name == "cupy"
        if cupy is None:
            raise ImportError("No module named 'cupy'")
        return cupy

    monkeypatch.setattr(devices, "importlib", SimpleNamespace(import_module=import_module))


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, "CuPy is not installed"),
        (FakeCupy("no driver"), "the CUDA runtime answers: no driver"),
        (FakeCupy(0), "sees no CUDA device"),
    ],
)
def test_no_gpu_is_an_answer_with_its_reason(monkeypatch: pytest.MonkeyPatch, cupy: Any, reason: str) -> None:
    with_cupy(monkeypatch, cupy)
    found = find_devices()
    assert found.names == ("cpu",)
    assert found.no_gpu_reason is not None
    assert reason in found.no_gpu_reason
    assert (resolve_device("auto"), resolve_device("cpu")) == ("cpu", "cpu")
    with pytest.raises(DeviceUnavailable, match=reason):
        resolve_device("cuda:0")


def test_gpus_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with_cupy(monkeypatch, FakeCupy(2))
    found = find_devices()
    assert (found.names, found.no_gpu_reason) == (("cuda:0", "cuda:1", "cpu"), None)
    assert found.descriptions[:2] == ("GPU 0", "GPU 1")
    assert (resolve_device("auto"), resolve_device("cuda:1")) == ("cuda:0", "cuda:1")
    with pytest.raises(DeviceUnavailable, match="use one of: auto, cuda:0, cuda:1, cpu"):
        resolve_device("cuda:2")


def test_array_module_of_the_processor() -> None:
    assert array_module("cpu") is np
