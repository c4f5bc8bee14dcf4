"""A training's folder: what is written comes back, and what is damaged is told by its file's name."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from basemodel.checkpoints import write_checkpoint
from basemodel.training_folder import Position, TrainingFolder

STATE = {"weight_0": np.eye(2, dtype=np.float32), "bias_0": np.zeros(2, np.float32)}
POSITION = Position(3, 2, 0.1 + 0.2, 1e-320, 2)
LOSSES = (1 / 3, 1e-320, 0.1 + 0.2)
DECIDES = {"seed": 1, "widths": [2]}


def write(folder: TrainingFolder) -> None:
    folder.write(STATE, STATE, POSITION, LOSSES, DECIDES)


@pytest.mark.parametrize("file_format", ["safetensors", "npz"])
def test_all_comes_back_to_the_last_bit(tmp_path: Path, file_format: str) -> None:
    folder = TrainingFolder(tmp_path / "a" / "b", file_format)
    assert not folder.holds_training()
    write(folder)
    assert folder.holds_training()
    kept = folder.read()
    assert (kept.position, kept.losses, kept.decides) == (POSITION, LOSSES, DECIDES)
    np.testing.assert_array_equal(kept.checkpoint.state["weight_0"], STATE["weight_0"])
    names = {f"last.{file_format}", f"best.{file_format}", "losses.csv"}
    assert {path.name for path in folder.path.iterdir()} == names


def test_before_the_first_epoch(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    folder.write(STATE, None, Position(0, 4, 0.5), (), DECIDES)
    assert folder.read().position == Position(0, 4, 0.5)
    assert math.isnan(folder.read().checkpoint.loss)
    assert not folder.best.exists()


def test_epochs_after_the_checkpoint_are_not_its(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    write(folder)
    with folder.losses.open("a") as file:
        file.write("4,0.25\n")
    assert folder.read().losses == LOSSES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, r"losses\.csv: is missing"),
        ("", r"losses\.csv: not the losses"),
        ("epoch,loss\n1,0.5\n2,0.5\n", r"losses\.csv: has 2 epochs, and last\.safetensors is after 3"),
        ("epoch,loss\n1,0.5\n3,0.5\n2,0.5\n", r"losses\.csv: not the losses"),
        ("epoch,loss\n1,0.5\n2,x\n3,0.5\n", r"losses\.csv: not the losses"),
        ("epoch,loss\n1,0.5\n2\n3,0.5\n", r"losses\.csv: not the losses"),
        ("\n", r"losses\.csv: not the losses"),
        ("epoch,loss\n1,0.5\n\n3,0.5\n", r"losses\.csv: not the losses"),
    ],
)
def test_losses_that_are_damaged(tmp_path: Path, text: str | None, words: str) -> None:
    folder = TrainingFolder(tmp_path)
    write(folder)
    folder.losses.unlink()
    if text is not None:
        folder.losses.write_text(text)
    with pytest.raises(ValueError, match=words):
        folder.read()


WHOLE = {"epoch": 3, "step": 2, "loss_sum": 0.5, "best_loss": 0.5, "best_epoch": 2}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"position": WHOLE},
        {"position": [], "decides": {}},
        {"position": {**WHOLE, "epoch": 4}, "decides": {}},
        {"position": {**WHOLE, "step": -1}, "decides": {}},
        {"position": {**WHOLE, "step": True}, "decides": {}},
        {"position": {**WHOLE, "loss_sum": "0.5"}, "decides": {}},
        {"position": {**WHOLE, "best_loss": None}, "decides": {}},
        {"position": {**WHOLE, "more": 1}, "decides": {}},
        {"position": WHOLE, "decides": []},
    ],
)
def test_a_checkpoint_of_no_training(tmp_path: Path, parameters: dict[str, object]) -> None:
    folder = TrainingFolder(tmp_path)
    write(folder)
    write_checkpoint(folder.last, STATE, 0.5, 3, parameters)
    with pytest.raises(ValueError, match=r"last\.safetensors: a checkpoint, but not of a training"):
        folder.read()


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path)
    write(folder)
    folder.last.write_bytes(folder.last.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"last\.safetensors"):
        folder.read()


def test_last_is_written_after_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    replace = os.replace

    def noting(source: str, target: Path) -> None:
        order.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr("os.replace", noting)
    write(TrainingFolder(tmp_path))
    assert order == ["losses.csv", "best.safetensors", "last.safetensors"]


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="choose from safetensors, npz"):
        TrainingFolder(tmp_path, "pt")
