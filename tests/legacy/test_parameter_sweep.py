"""The legacy sweep: its files, seeds, limits, and what a stop at any point leaves behind."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from legacy import parameter_sweep
from legacy.checkpoints import read_checkpoint
from legacy.gpu_text_autoencoder import GPUTextAutoencoder
from legacy.parameter_sweep import GRID, ParameterSweep

AXES = {
    "vector_length": [12],
    "hidden_layer_count": [1],
    "bottleneck_size": [4],
    "learning_rate": [0.01, 0.02],
    "alpha": [0.1],
    "batch_size": [128],
    "grad_clip_norm": [0.5, 1.0],
}
SMALL: dict[str, Any] = {"axes": AXES, "device": "cpu", "sample_count": 300, "max_epochs": 3, "seed": 5}
PARTS = {"parameters.json", "training_history.json", "results.json", "best_model.npz"}


class Clock:
    """Seconds that pass only when something is done: `step` at each training step, or at each look."""

    def __init__(self, look: float = 0.0) -> None:
        self.now, self.look = 0.0, look

    def __call__(self) -> float:
        self.now += self.look
        return self.now


class Model(GPUTextAutoencoder):
    """The legacy model, which counts and times its steps, or stops at one."""

    clock: Clock
    step_seconds = 1.0
    steps = 0
    built = 0
    raise_at: tuple[int, BaseException] | None = None
    loss: Any = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        type(self).built += 1
        super().__init__(*arguments, **options)

    def train_batch_gpu_efficient(self, *arguments: Any, **options: Any) -> float:
        kind = type(self)
        if kind.raise_at is not None and kind.steps == kind.raise_at[0]:
            kind.steps += 1
            raise kind.raise_at[1]
        kind.steps += 1
        kind.clock.now += kind.step_seconds
        loss = super().train_batch_gpu_efficient(*arguments, **options)
        return loss if kind.loss is None else kind.loss(kind.steps)


@pytest.fixture
def model() -> type[Model]:
    return type("OwnModel", (Model,), {"clock": Clock()})


def sweep(folder: Path, **changes: Any) -> ParameterSweep:
    return ParameterSweep("colors-a-f", folder, **{**SMALL, "clock": Clock(), **changes})


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def session_of(made: ParameterSweep) -> Path:
    assert made.session_folder is not None
    return made.session_folder


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_the_grid_is_the_old_one(tmp_path: Path) -> None:
    grid = ParameterSweep("colors-a-f", tmp_path).parameter_grid
    assert len(grid) == 3 * 4 * 4 * 3 * 2 * 3 * 2
    assert grid[0] == {
        "vector_length": 512, "hidden_layer_count": 2, "bottleneck_size": 128, "learning_rate": 0.001, "alpha": 0.01,
        "batch_size": 1024, "grad_clip_norm": 0.5,
    }  # fmt: skip
    assert grid[1] == {**grid[0], "grad_clip_norm": 1.0}
    assert {name: tuple(dict.fromkeys(entry[name] for entry in grid)) for name in GRID} == dict(GRID)
    assert list(tmp_path.iterdir()) == []


def test_files_of_a_session_and_nothing_else(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    assert made.run_time_limited_sweep() == {"run": [0, 1, 2, 3], "finished_before": [], "left": []}
    made.create_downloadable_summary()
    session = session_of(made)
    assert session.parent == tmp_path
    assert session.name.startswith("sweep_session_")
    assert set(contents(session)) == {
        *(f"exp_{i:04d}/{part}" for i in range(4) for part in PARTS),
        *("aggregate_results.json", "analysis.json"),
        *(f"summary/{name}" for name in ("README.md", "aggregate_results.json", "analysis.json", "best_model.npz")),
    }


def test_what_the_files_say(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    made.run_time_limited_sweep()
    session = session_of(made)
    folder = session / "exp_0001"
    parameters, results = read(folder / "parameters.json"), read(folder / "results.json")
    losses = read(folder / "training_history.json")["loss"]
    assert {name: parameters[name] for name in GRID} == made.parameter_grid[1]
    assert (parameters["seed"], parameters["sample_count"], results["samples"]) == (5, 300, 300)
    assert (results["epochs"], len(losses), results["stopped_by"]) == (3, 3, "max_epochs")
    assert (results["final_loss"], results["best_loss"]) == (losses[-1], min(losses))
    assert results["parameter_count"] == 12 * 4 + 4 + 4 * 12 + 12
    best = read_checkpoint(folder / "best_model.npz")
    assert (best.loss, best.epoch, best.parameters) == (results["best_loss"], results["best_epoch"], parameters)
    assert [weight.shape for weight in best.weights] == [(12, 4), (4, 12)]
    aggregate = read(session / "aggregate_results.json")
    assert [entry["experiment"] for entry in aggregate] == [f"exp_{i:04d}" for i in range(4)]
    assert aggregate[1] == {"experiment": "exp_0001", "parameters": made.parameter_grid[1], "results": results}
    analysis = read(session / "analysis.json")
    assert (analysis["experiments"], analysis["finished"], analysis["diverged"]) == (4, 4, 0)
    ranked = sorted(aggregate, key=lambda entry: entry["results"]["best_loss"])
    assert [entry["experiment"] for entry in analysis["best"]] == [entry["experiment"] for entry in ranked]
    low = [entry["results"]["best_loss"] for entry in aggregate[:2]]
    assert analysis["by_parameter"]["learning_rate"]["0.01"] == {
        "experiments": 2, "lowest_loss": min(low), "mean_loss": sum(low) / 2
    }  # fmt: skip


def test_the_training_is_the_legacy_one_on_seeded_padding(tmp_path: Path) -> None:
    from legacy.color_loader import color_vectors, load_color_records, pad_with_noise

    made = sweep(tmp_path)
    results = made.run_single_experiment(0)
    vectors = pad_with_noise(color_vectors(load_color_records("colors-a-f"), 12), 300, 5)
    model = GPUTextAutoencoder(12, 1, 4, 0.1, seed=5, device="cpu")
    losses, weights = [], []
    for epoch in (1, 2, 3):
        shuffled = vectors[np.random.default_rng((5, epoch)).permutation(300)]
        parts = [shuffled[:128], shuffled[128:256], shuffled[256:]]
        losses.append(sum(model.train_batch_gpu_efficient(part, 0.01, 0.5) * len(part) for part in parts) / 300)
        weights.append(model.get_weights_cpu())
    assert read(session_of(made) / "exp_0000/training_history.json") == {"loss": losses}
    assert (results["best_loss"], results["best_epoch"]) == (losses[2], 3)
    best = read_checkpoint(session_of(made) / "exp_0000/best_model.npz")
    for kept, trained in zip((*best.weights, *best.biases), (*weights[2][0], *weights[2][1]), strict=True):
        np.testing.assert_array_equal(kept, trained)


def test_one_seed_one_session_byte_for_byte(tmp_path: Path) -> None:
    sessions = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        made = sweep(tmp_path / name, seed=seed)
        made.run_time_limited_sweep()
        sessions.append(contents(session_of(made)))
    assert sessions[0] == sessions[1]
    assert sessions[0].keys() == sessions[2].keys()
    assert sessions[0]["exp_0000/training_history.json"] != sessions[2]["exp_0000/training_history.json"]


def test_a_larger_data_set_is_not_cut(tmp_path: Path) -> None:
    made = sweep(tmp_path, sample_count=10)
    assert made.run_single_experiment(0)["samples"] == 264


def test_finished_experiments_are_not_repeated(tmp_path: Path, model: type[Model]) -> None:
    first = sweep(tmp_path, model_factory=model)
    first.run_single_experiment(2)
    before = contents(session_of(first))
    steps = model.steps
    again = sweep(tmp_path, model_factory=model, session_folder=session_of(first))
    assert again.run_single_experiment(2) == first.run_single_experiment(2)
    assert model.steps == steps
    assert again.run_time_limited_sweep() == {"run": [0, 1, 3], "finished_before": [2], "left": []}
    assert model.steps == 4 * steps
    after = contents(session_of(first))
    assert {name: after[name] for name in before} == before
    whole = sweep(tmp_path / "whole")
    whole.run_time_limited_sweep()
    losses = {i: read(session_of(made) / f"exp_{i:04d}/training_history.json") for made in (whole,) for i in range(4)}
    assert losses == {i: read(session_of(first) / f"exp_{i:04d}/training_history.json") for i in range(4)}


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("lost the device")])
def test_a_stop_half_way_keeps_what_is_finished_and_does_the_rest_anew(
    tmp_path: Path, model: type[Model], error: BaseException
) -> None:
    model.raise_at = (9 + 4, error)  # the second epoch of the second experiment
    first = sweep(tmp_path, model_factory=model)
    with pytest.raises(type(error)):
        first.run_time_limited_sweep()
    session = session_of(first)
    assert {path.name for path in (session / "exp_0000").iterdir()} == PARTS
    assert [path.name for path in (session / "exp_0001").iterdir()] == ["parameters.json"]
    assert [entry["experiment"] for entry in read(session / "aggregate_results.json")] == ["exp_0000"]
    assert read(session / "analysis.json")["finished"] == 1
    (session / "exp_0001" / ".results.json.x1.partial").write_text("half")
    again = sweep(tmp_path, session_folder=session)
    assert again.run_time_limited_sweep() == {"run": [1, 2, 3], "finished_before": [0], "left": []}
    whole = sweep(tmp_path / "whole")
    whole.run_time_limited_sweep()
    for name, content in contents(session_of(whole)).items():
        if not name.endswith(("results.json", "analysis.json")):  # these tell seconds, and another clock ran
            assert contents(session)[name] == content, name
    assert contents(session).keys() == contents(session_of(whole)).keys()


def test_killed_between_any_two_files_it_is_done_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sweep(tmp_path / "whole")
    whole.run_single_experiment(0)
    expected = contents(session_of(whole))
    replace = os.replace
    for survived in range(4):
        replaced: list[str] = []

        def dies(source: str, target: Path, replaced: list[str] = replaced, survived: int = survived) -> None:
            if len(replaced) == survived:
                raise KeyboardInterrupt
            replaced.append(str(target))
            replace(source, target)

        monkeypatch.setattr("os.replace", dies)
        stopped = sweep(tmp_path / str(survived))
        with pytest.raises(KeyboardInterrupt):
            stopped.run_single_experiment(0)
        monkeypatch.setattr("os.replace", replace)
        assert len(contents(session_of(stopped))) == survived
        again = sweep(tmp_path, session_folder=session_of(stopped))
        assert again.run_single_experiment(0)
        assert contents(session_of(again)) == expected


def test_damaged_results_are_no_results(tmp_path: Path) -> None:
    first = sweep(tmp_path)
    first.run_single_experiment(0)
    session = session_of(first)
    expected = contents(session)
    for garbage in ("", "[1, 2", "[]"):
        (session / "exp_0000" / "results.json").write_text(garbage)
        sweep(tmp_path, session_folder=session).run_single_experiment(0)
        assert contents(session) == expected


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ({"seed": 6}, "seed"),
        ({"max_epochs": 4}, "max_epochs"),
        ({"axes": {**AXES, "learning_rate": [0.01, 0.03]}}, "learning_rate"),
        ({"axes": {**AXES, "learning_rate": [0.01]}}, "learning_rate"),
    ],
)
def test_another_sweeps_session_is_refused(tmp_path: Path, change: dict[str, Any], differs: str) -> None:
    first = sweep(tmp_path)
    first.run_single_experiment(2)
    with pytest.raises(ValueError, match=rf"exp_0002 is not experiment 2 of this sweep: .*{differs}"):
        sweep(tmp_path, session_folder=session_of(first), **change)


def test_early_stopping_counts_epochs_without_improvement(tmp_path: Path, model: type[Model]) -> None:
    model.loss = lambda steps: {1: 3.0, 2: 2.0, 3: 1.0}.get(math.ceil(steps / 3), 1.0)
    made = sweep(tmp_path, model_factory=model, max_epochs=50, patience=4)
    results = made.run_single_experiment(0)
    assert (results["best_epoch"], results["epochs"], results["stopped_by"]) == (3, 7, "no_improvement")
    assert read_checkpoint(session_of(made) / "exp_0000/best_model.npz").epoch == 3


def test_the_old_patience_is_the_default(tmp_path: Path, model: type[Model]) -> None:
    model.loss = lambda steps: 1.0
    made = ParameterSweep(
        "colors-a-f", tmp_path, axes={**AXES, "batch_size": [300]}, model_factory=model, device="cpu", sample_count=264
    )
    assert made.run_single_experiment(0)["epochs"] == 1001
    assert ParameterSweep("colors-a-f", tmp_path)._described({})["sample_count"] == 8000


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_experiment_is_a_result(tmp_path: Path, model: type[Model], value: float) -> None:
    model.loss = lambda steps: 1.0 if steps <= 3 else value
    made = sweep(tmp_path, model_factory=model)
    results = made.run_single_experiment(0)
    assert (results["stopped_by"], results["epochs"], results["best_loss"], results["final_loss"]) == (
        "diverged", 2, 1.0, None
    )  # fmt: skip
    model.loss = lambda steps: value
    results = made.run_single_experiment(1)
    assert (results["best_loss"], results["best_epoch"]) == (None, None)
    assert {path.name for path in (session_of(made) / "exp_0001").iterdir()} == PARTS - {"best_model.npz"}
    analysis = made.analyze_results()
    assert (analysis["diverged"], [entry["experiment"] for entry in analysis["best"]]) == (2, ["exp_0000"])


def test_estimate_is_the_time_of_all_epochs(tmp_path: Path, model: type[Model]) -> None:
    model.step_seconds = 2.0
    made = sweep(tmp_path, model_factory=model, clock=model.clock)
    assert made.estimate_experiment_time(made.parameter_grid[0]) == 2.0 * 3 * 3
    assert made.session_folder is None


def test_what_does_not_fit_into_the_limit_is_left(tmp_path: Path, model: type[Model]) -> None:
    axes = {**AXES, "grad_clip_norm": [1.0], "batch_size": [128, 300], "learning_rate": [0.01]}
    made = sweep(tmp_path, model_factory=model, clock=model.clock, axes=axes)
    # Four steps of an estimate, then nine or three of training.
    assert made.run_time_limited_sweep(12) == {"run": [1], "finished_before": [], "left": [0]}
    assert model.clock.now == 4 + 4 + 3
    assert made.run_time_limited_sweep(13) == {"run": [0], "finished_before": [1], "left": []}


def test_the_limit_ends_a_sweep_and_what_is_half_done_is_given_up(tmp_path: Path, model: type[Model]) -> None:
    made = sweep(tmp_path, model_factory=model, clock=model.clock)
    assert made.run_time_limited_sweep(0) == {"run": [], "finished_before": [], "left": [0, 1, 2, 3]}
    assert (model.built, list(tmp_path.iterdir())) == (0, [])
    made.estimate_experiment_time = lambda parameters: 0.0  # too hopeful
    assert made.run_time_limited_sweep(12) == {"run": [0], "finished_before": [], "left": [1, 2, 3]}
    assert model.clock.now == 12
    assert [path.name for path in (session_of(made) / "exp_0001").iterdir()] == ["parameters.json"]
    assert made.run_time_limited_sweep() == {"run": [1, 2, 3], "finished_before": [0], "left": []}


def test_no_memory_for_one_experiment_does_not_end_the_sweep(tmp_path: Path, model: type[Model]) -> None:
    model.raise_at = (0, MemoryError("4 GiB"))
    made = sweep(tmp_path, model_factory=model)
    assert made.run_time_limited_sweep() == {"run": [1, 2, 3], "finished_before": [], "left": [0]}


def test_summary(tmp_path: Path) -> None:
    made = sweep(tmp_path)
    made.run_time_limited_sweep()
    folder = made.create_downloadable_summary()
    best = made.analyze_results()["best"][0]["experiment"]
    assert (folder / "best_model.npz").read_bytes() == (session_of(made) / best / "best_model.npz").read_bytes()
    readme = (folder / "README.md").read_text()
    assert "4 of 4 experiments are finished, 0 of them diverged" in readme
    assert readme.index(best) < readme.index("best_model.npz")


def test_sessions_begun_in_one_second_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parameter_sweep.time, "strftime", lambda layout: "20260101_000000")
    for _ in range(2):
        sweep(tmp_path).run_single_experiment(0)
    names = ["sweep_session_20260101_000000", "sweep_session_20260101_000000_1"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {"depth": [1]}}, r"unknown parameters \['depth'\]"),
        ({"axes": {"alpha": []}}, "alpha has no values"),
        ({"sample_count": 0}, "sample_count must be at least 1, got 0"),
        ({"max_epochs": 0}, "max_epochs must be"),
        ({"patience": 0}, "patience must be"),
    ],
)
def test_wrong_arguments(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sweep(tmp_path, **change)
