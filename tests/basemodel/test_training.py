"""The training loop: the same numbers however often it is stopped, early stopping, and nothing lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.base import BaseModel, OptimizerState
from basemodel.checkpoints import read_checkpoint
from basemodel.image_autoencoder import ImageAutoencoder
from basemodel.training import EpochDone, TrainingResult, TrainingSettings, train
from basemodel.training_folder import Position, TrainingFolder

SAMPLES = np.random.default_rng(0).random((23, 12)).astype(np.float32)
SETTINGS = TrainingSettings(epochs=6, batch_size=5, learning_rate=0.1, grad_clip_norm=0.5, seed=3)
STEPS = 5


def image() -> ImageAutoencoder:
    return ImageAutoencoder(2, (6, 4), seed=1, max_batch_size=8)


def text() -> GpuTextAutoencoder:
    return GpuTextAutoencoder(12, 2, 4, seed=1, device="cpu", max_batch_size=8)


MODELS = pytest.mark.parametrize("make", [image, text])


class Told(ImageAutoencoder):
    """A model whose losses are told, one a step; it learns nothing."""

    def __init__(self, losses: Iterator[float]) -> None:
        super().__init__(2, (4,), max_batch_size=32)
        self.losses, self.steps = losses, 0

    def train_step(self, *arguments: Any, **options: Any) -> float:
        self.steps += 1
        return next(self.losses)


def told(*losses: float) -> Told:
    """One loss an epoch: all samples are one batch. The last one goes on."""
    return Told(iter([*losses, *[losses[-1]] * 1000]))


ONE_BATCH = replace(SETTINGS, batch_size=32, epochs=100)


def stop_after(steps: int) -> Callable[[], bool]:
    """True at the question after so many steps, and from then on."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= steps


def same(left: BaseModel, right: BaseModel) -> bool:
    return all(array.tobytes() == right.state()[name].tobytes() for name, array in left.state().items())


@MODELS
def test_an_epoch_is_every_sample_once_in_the_seeds_order(make: Callable[[], BaseModel]) -> None:
    trained, by_hand = make(), make()
    result = train(trained, SAMPLES, replace(SETTINGS, epochs=2))
    losses = []
    for epoch in range(2):
        order = np.random.default_rng((3, epoch)).permutation(23)
        parts = [SAMPLES[order[start : start + 5]] for start in range(0, 23, 5)]
        assert [len(part) for part in parts] == [5, 5, 5, 5, 3]
        losses.append(sum(by_hand.train_step(part, part, 0.1, 0.5) * len(part) for part in parts) / 23)
    assert result == TrainingResult(tuple(losses), Position(2, 0, 0.0, losses[1], 2), "epochs", None)
    assert losses[1] < losses[0]
    assert same(trained, by_hand)


@MODELS
@pytest.mark.parametrize("file_format", ["safetensors", "npz"])
def test_stopped_after_any_step_and_resumed_it_gives_the_same_losses(
    make: Callable[[], BaseModel], file_format: str, tmp_path: Path
) -> None:
    whole = make()
    expected = train(whole, SAMPLES, replace(SETTINGS, epochs=3))
    for steps in range(3 * STEPS):
        folder = TrainingFolder(tmp_path / str(steps), file_format)
        first = train(make(), SAMPLES, replace(SETTINGS, epochs=3), folder=folder, should_stop=stop_after(steps))
        assert first.stopped_by == "interrupted"
        assert (first.position.epoch, first.position.step) == divmod(steps, STEPS)
        resumed = make()
        second = train(resumed, SAMPLES, replace(SETTINGS, epochs=3), folder=folder, resume=True)
        assert second == replace(expected, resumed_at=first.position)
        assert same(resumed, whole)
        kept = folder.read()
        assert (kept.losses, kept.position) == (expected.losses, expected.position)


def test_stopped_again_and_again(tmp_path: Path) -> None:
    whole, folder, model, rounds = image(), TrainingFolder(tmp_path / "t"), image(), 0
    expected = train(whole, SAMPLES, SETTINGS)
    while True:
        model = image()
        result = train(model, SAMPLES, SETTINGS, folder=folder, resume=True, should_stop=stop_after(2))
        if result.stopped_by == "epochs":
            break
        rounds += 1
    assert rounds == 6 * STEPS // 2 - 1
    assert (result.losses, result.position) == (expected.losses, expected.position)
    assert same(model, whole)


def test_more_epochs_later_are_as_if_asked_for_at_once(tmp_path: Path) -> None:
    whole, resumed, folder = image(), image(), TrainingFolder(tmp_path)
    expected = train(whole, SAMPLES, SETTINGS)
    train(image(), SAMPLES, replace(SETTINGS, epochs=2), folder=folder)
    assert train(resumed, SAMPLES, SETTINGS, folder=folder, resume=True).losses == expected.losses
    assert same(resumed, whole)
    again = train(image(), SAMPLES, SETTINGS, folder=folder, resume=True)
    assert (again.losses, again.stopped_by) == (expected.losses, "epochs")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_killed_at_any_step_the_latest_checkpoint_goes_on(tmp_path: Path, error: type[BaseException]) -> None:
    class Dies(ImageAutoencoder):
        left = 0

        def train_step(self, *arguments: Any, **options: Any) -> float:
            if self.left == 0:
                raise error
            self.left -= 1
            return super().train_step(*arguments, **options)

    whole, settings = image(), replace(SETTINGS, checkpoint_every=2)
    expected = train(whole, SAMPLES, settings)
    for steps in (2 * STEPS, 3 * STEPS + 1, 5 * STEPS + 4):
        folder, dying = TrainingFolder(tmp_path / str(steps)), Dies(2, (6, 4), seed=1, max_batch_size=8)
        dying.left = steps
        with pytest.raises(error):
            train(dying, SAMPLES, settings, folder=folder)
        resumed = image()
        result = train(resumed, SAMPLES, settings, folder=folder, resume=True)
        assert result.resumed_at is not None
        assert (result.resumed_at.epoch, result.resumed_at.step) == (steps // STEPS // 2 * 2, 0)
        assert result.losses == expected.losses
        assert same(resumed, whole)


def test_checkpoints_come_every_n_epochs_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    write = TrainingFolder.write

    def noting(self: TrainingFolder, *arguments: Any) -> None:
        written.append(arguments[2].epoch)
        write(self, *arguments)

    monkeypatch.setattr(TrainingFolder, "write", noting)
    train(image(), SAMPLES, replace(SETTINGS, epochs=7, checkpoint_every=3), folder=TrainingFolder(tmp_path / "a"))
    train(image(), SAMPLES, SETTINGS, folder=TrainingFolder(tmp_path / "b"))
    assert written == [3, 6, 7, 6]
    train(image(), SAMPLES, SETTINGS)
    assert written == [3, 6, 7, 6]


def test_early_stopping(tmp_path: Path) -> None:
    model = told(5.0, 3.0, 2.0, 2.0, 2.5, 2.0)
    result = train(model, SAMPLES, replace(ONE_BATCH, patience=4))
    assert (result.stopped_by, result.position) == ("no_improvement", Position(7, 0, 0.0, 2.0, 3))
    assert model.steps == 7


def test_a_small_improvement_is_none_where_more_is_asked_for() -> None:
    result = train(told(5.0, 4.5, 4.4, 4.3), SAMPLES, replace(ONE_BATCH, patience=2, min_improvement=0.3))
    assert (len(result.losses), result.position.best_epoch) == (4, 2)


def test_early_stopping_counts_across_a_resume(tmp_path: Path) -> None:
    folder, settings = TrainingFolder(tmp_path), replace(ONE_BATCH, patience=5)
    train(told(3.0), SAMPLES, settings, folder=folder, should_stop=stop_after(4))
    model = told(3.0)
    result = train(model, SAMPLES, settings, folder=folder, resume=True)
    assert (result.stopped_by, result.position.epoch, model.steps) == ("no_improvement", 6, 2)
    again = told(1.0)
    assert train(again, SAMPLES, settings, folder=folder, resume=True).stopped_by == "no_improvement"
    assert again.steps == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_it_and_leaves_the_good_checkpoint(tmp_path: Path, loss: float) -> None:
    folder = TrainingFolder(tmp_path)
    result = train(told(3.0, 2.0, 1.0, loss), SAMPLES, replace(ONE_BATCH, checkpoint_every=2), folder=folder)
    assert (result.stopped_by, result.losses) == ("diverged", (3.0, 2.0, 1.0))
    assert folder.read().position == Position(2, 0, 0.0, 2.0, 2)


def test_the_best_state_is_kept_beside_the_last(tmp_path: Path) -> None:
    folder, model = TrainingFolder(tmp_path), image()
    states: dict[int, dict[str, np.ndarray]] = {}
    settings = replace(SETTINGS, learning_rate=0.3, epochs=11, grad_clip_norm=5.0)
    result = train(
        model, SAMPLES, settings, folder=folder, on_epoch=lambda done: states.update({done.epoch: model.state()})
    )
    best = read_checkpoint(folder.best)
    assert (best.loss, best.epoch) == (result.position.best_loss, result.position.best_epoch)
    assert (best.loss, best.epoch) == (min(result.losses), result.losses.index(min(result.losses)) + 1)
    assert 1 < best.epoch < 11, "otherwise this shows nothing"
    for name, array in best.state.items():
        np.testing.assert_array_equal(array, states[best.epoch][name])
    last = read_checkpoint(folder.last)
    assert (last.loss, last.epoch) == (result.losses[-1], 11)
    np.testing.assert_array_equal(last.state["weight_0"], model.state()["weight_0"])


def test_the_callback_is_told_each_epoch() -> None:
    seen: list[EpochDone] = []
    train(told(5.0, 3.0, 4.0), SAMPLES, replace(ONE_BATCH, epochs=3), on_epoch=seen.append)
    assert seen == [EpochDone(1, 3, 5.0, 5.0, 1), EpochDone(2, 3, 3.0, 3.0, 2), EpochDone(3, 3, 4.0, 3.0, 2)]


def test_batches_go_to_the_device() -> None:
    rows: list[int] = []

    def to_device(batch: np.ndarray) -> np.ndarray:
        rows.append(len(batch))
        return batch

    train(image(), SAMPLES, replace(SETTINGS, epochs=1), to_device=to_device)
    assert rows == [5, 5, 5, 5, 3]


def test_a_folder_with_a_training_is_not_overwritten(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    train(image(), SAMPLES, replace(SETTINGS, epochs=1), folder=folder)
    before = folder.last.read_bytes()
    with pytest.raises(FileExistsError, match="resume it, or name another folder"):
        train(image(), SAMPLES, SETTINGS, folder=folder)
    assert folder.last.read_bytes() == before


def test_resume_begins_where_there_is_nothing(tmp_path: Path) -> None:
    result = train(image(), SAMPLES, SETTINGS, folder=TrainingFolder(tmp_path / "new" / "folder"), resume=True)
    assert (result.resumed_at, result.stopped_by) == (None, "epochs")
    assert (tmp_path / "new" / "folder" / "last.safetensors").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"settings": replace(SETTINGS, learning_rate=0.2)}, "learning_rate was 0.1 and is 0.2"),
        ({"settings": replace(SETTINGS, batch_size=4)}, "batch_size was 5 and is 4"),
        ({"settings": replace(SETTINGS, seed=4)}, "seed was 3 and is 4"),
        ({"settings": replace(SETTINGS, grad_clip_norm=1.0)}, "grad_clip_norm was 0.5 and is 1.0"),
        ({"samples": SAMPLES[:22]}, r"samples was \[23, 12\] and is \[22, 12\]"),
        ({"samples": SAMPLES + np.float32(1e-6)}, "samples_sha256 was"),
        ({"decides": {"alpha": 0.2, "widths": (6, 4)}}, "alpha was 0.1 and is 0.2"),
        ({"decides": None}, "alpha was 0.1 and is None"),
        ({"model": ImageAutoencoder(2, (6, 5))}, "last.safetensors: state entry weight_1"),
    ],
)
def test_another_training_is_not_resumed(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    folder, decides = TrainingFolder(tmp_path), {"alpha": 0.1, "widths": (6, 4)}
    train(image(), SAMPLES, replace(SETTINGS, epochs=1), folder=folder, decides=decides)
    given = {"model": image(), "samples": SAMPLES, "settings": SETTINGS, "decides": decides, **change}
    with pytest.raises(ValueError, match=words):
        train(given["model"], given["samples"], given["settings"], folder=folder, resume=True, decides=given["decides"])
    train(image(), SAMPLES, SETTINGS, folder=folder, resume=True, decides=decides)


def test_an_optimiser_that_could_not_be_resumed_is_refused(tmp_path: Path) -> None:
    class WithMomentum(ImageAutoencoder):
        def get_optimizer_state(self) -> OptimizerState:
            return OptimizerState("momentum", {}, {"velocity_0": np.zeros(1, np.float32)})

    made = WithMomentum(2, (4,), max_batch_size=8)
    with pytest.raises(ValueError, match="momentum carries velocity_0"):
        train(made, SAMPLES, replace(SETTINGS, epochs=1), folder=TrainingFolder(tmp_path))
    assert train(made, SAMPLES, replace(SETTINGS, epochs=1)).stopped_by == "epochs"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size"),
        ({"patience": -1}, "patience"),
        ({"checkpoint_every": -1}, "checkpoint_every"),
        ({"seed": -1}, "seed"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": math.nan}, "learning_rate"),
        ({"grad_clip_norm": math.inf}, "grad_clip_norm"),
        ({"min_improvement": -0.1}, "min_improvement"),
    ],
)
def test_settings_out_of_range(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        train(image(), SAMPLES, replace(SETTINGS, **change))


@pytest.mark.parametrize("samples", [SAMPLES[:0], SAMPLES[0], SAMPLES.astype(np.float64)])
def test_samples_that_are_none(samples: Any) -> None:
    with pytest.raises(ValueError, match="samples must be"):
        train(image(), samples, SETTINGS)


def test_what_the_folder_says_is_plain_json(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    train(image(), SAMPLES, SETTINGS, folder=folder, should_stop=stop_after(2), decides={"model": "image"})
    parameters = read_checkpoint(folder.last).parameters
    assert json.loads(json.dumps(parameters)) == parameters
    assert parameters is not None
    assert (parameters["position"]["step"], parameters["decides"]["model"]) == (2, "image")
