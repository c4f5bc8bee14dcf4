"""The file of `lockstep train`: what it may say, and what is said of what it may not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.parity.errors import InvalidConfiguration
from service.training_config import ImageModel, TextModel, TrainingConfig, read_training_config

ROOT = Path(__file__).resolve().parents[1]
SHORTEST = """
[model]
type = "text_autoencoder"
[training]
epochs = 3
[checkpoints]
folder = "here"
"""
IMAGE = SHORTEST.replace("text_", "image_")


def read(folder: Path, text: str, **flags: Any) -> TrainingConfig:
    path = folder / "train.toml"
    path.write_text(text)
    return read_training_config(path, **flags)


def test_defaults(tmp_path: Path) -> None:
    config = read(tmp_path, SHORTEST)
    assert config.model == TextModel(type="text_autoencoder", vector_length=512, hidden_layers=2, bottleneck=128)
    assert (config.data.colors, config.training.epochs, config.training.batch_size) == ("colors-a-f", 3, 16)
    assert (config.early_stopping, config.checkpoints.every, config.checkpoints.format) == (None, None, "safetensors")
    assert list(config.model.widths()) == [512, 320, 128, 320, 512]
    model = read(tmp_path, IMAGE).model
    assert isinstance(model, ImageModel)
    assert list(model.widths()) == [108, 64, 48, 64, 108]


@pytest.mark.parametrize("name", ["text_autoencoder", "image_autoencoder"])
def test_the_files_that_come_with_it_are_right(name: str) -> None:
    config = read_training_config(ROOT / "configs" / f"{name}.toml")
    assert config.model.type == name
    assert config.checkpoints.folder == f"trainings/{name}"


def test_every_key_is_in_the_file_that_teaches_them() -> None:
    texts = {name: (ROOT / "configs" / f"{name}_autoencoder.toml").read_text() for name in ("text", "image")}
    config = read_training_config(ROOT / "configs" / "text_autoencoder.toml")
    tables = (config.model, config.data, config.training, config.early_stopping, config.checkpoints)
    for table in tables:
        assert table is not None
        for key in type(table).model_fields:
            assert f"\n{key} = " in texts["text"], key
    for key in ImageModel.model_fields:
        assert f"\n{key} = " in texts["image"], key


def test_flags_take_the_place_of_values_and_are_held_to_the_same_rules(tmp_path: Path) -> None:
    flags = {"training": {"epochs": 7, "device": None}, "checkpoints": {"folder": "there"}}
    config = read(tmp_path, SHORTEST, flags=flags)
    assert (config.training.epochs, config.training.device, config.checkpoints.folder) == (7, "auto", "there")
    with pytest.raises(InvalidConfiguration, match=r"train\.toml: training\.epochs: is 0; input should be greater"):
        read(tmp_path, SHORTEST, flags={"training": {"epochs": 0}})
    whole = SHORTEST.replace('[checkpoints]\nfolder = "here"', "")
    assert read(tmp_path, whole, flags={"checkpoints": {"folder": "x"}}).checkpoints.folder == "x"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["model: is missing", "training: is missing", "checkpoints: is missing"]),
        (SHORTEST + "evry = 2", ["checkpoints.evry: is not known here; did you mean every?"]),
        (SHORTEST + "[train]\nx = 1", ["train: is not known here; did you mean training?"]),
        (SHORTEST + "[data]\nset = 1", ["data.set: is not known here; choose from colors"]),
        (SHORTEST.replace("epochs", "epoch"), ["training.epochs: is missing", "training.epoch: is not known here"]),
        (SHORTEST.replace("3", '"3"'), ["training.epochs: is '3'; input should be a valid integer"]),
        (SHORTEST.replace("3", "3.0"), ["training.epochs: is 3.0; input should be a valid integer"]),
        (SHORTEST.replace("3", "true"), ["training.epochs: is True;"]),
        (SHORTEST.replace("3", "0"), ["training.epochs: is 0; input should be greater than or equal to 1"]),
        (SHORTEST.replace("3", "3\nbatch_size = 4097"), ["training.batch_size: is 4097; input should be less than"]),
        (SHORTEST.replace("3", "3\nlearning_rate = 0"), ["training.learning_rate: is 0; input should be greater"]),
        (SHORTEST.replace("3", "3\nlearning_rate = nan"), ["training.learning_rate: is nan;"]),
        (SHORTEST.replace("3", "3\nclip = inf"), ["training.clip: is inf;"]),
        (SHORTEST.replace("3", "3\nseed = -1"), ["training.seed: is -1;"]),
        (SHORTEST.replace("3", "3\nseed = 4294967296"), ["training.seed: is 4294967296;"]),
        (SHORTEST + "every = 0", ["checkpoints.every: is 0;"]),
        (SHORTEST + 'format = "pt"', ["checkpoints.format: is 'pt'; input should be 'safetensors' or 'npz'"]),
        (SHORTEST.replace('"here"', '""'), ["checkpoints.folder: is '';"]),
        (SHORTEST + "[early_stopping]", ["early_stopping.patience: is missing"]),
        (SHORTEST + "[early_stopping]\npatience = 1\nmin_improvement = -1", ["early_stopping.min_improvement: is -1;"]),
        (SHORTEST.replace("text_", "tekst_"), ["model: type is tekst_autoencoder; choose from text_"]),
        (SHORTEST.replace('type = "text_autoencoder"', "alpha = 0.1"), ["model: is missing; name its type"]),
        (SHORTEST.replace('encoder"', 'encoder"\nalpha = 1.0'), ["model.alpha: is 1.0; input should be less than 1"]),
        (SHORTEST.replace('encoder"', 'encoder"\npatch_side = 4'), ["model.patch_side: is not known here; choose"]),
        (SHORTEST.replace('encoder"', 'encoder"\nvector_length = 7'), ["model.vector_length: is 7;"]),
        (IMAGE.replace('encoder"', 'encoder"\nhidden_widths = []'), ["model.hidden_widths: is [];"]),
        (IMAGE.replace('encoder"', 'encoder"\nhidden_widths = [4, 0]'), ["model.hidden_widths.1: is 0;"]),
        (IMAGE.replace('encoder"', 'encoder"\npatch_side = 65'), ["model.patch_side: is 65;"]),
        (IMAGE.replace('encoder"', 'encoder"\npatch_side = 64\nhidden_widths = [16384]'), ["model: would have 402,"]),
        ("model = 3\ntraining = 4\ncheckpoints = []", ["model: is 3;", "training: is 4;", "checkpoints: is [];"]),
        ("[model", ["is not a TOML file"]),
        ("a = " + "[" * 5000, ["is not a TOML file"]),
        ("x = 1\n" * 20_000, ["is larger than 65,536 bytes"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(InvalidConfiguration) as refused:
        read(tmp_path, text)
    told = [str(problem) for problem in refused.value.problems]
    assert all(str(tmp_path / "train.toml") in problem for problem in told)
    for expected in words:
        assert any(expected in problem for problem in told), told


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = SHORTEST.replace("3", "0\nbatch_size = 0") + "every = 0\nmore = 1"
    with pytest.raises(InvalidConfiguration) as refused:
        read(tmp_path, text)
    assert len(refused.value.problems) == 4


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"none\.toml: cannot be read: No such file .* with --config"):
        read_training_config(tmp_path / "none.toml")
    with pytest.raises(InvalidConfiguration, match="cannot be read: Is a directory"):
        read_training_config(tmp_path)
