"""`lockstep train` as a user meets it: files, figures, a real Ctrl-C, and what is said of what is wrong."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner

from basemodel.checkpoints import read_checkpoint
from basemodel.training import TrainingResult, TrainingSettings
from basemodel.training_folder import Position, TrainingFolder
from service.cli import app
from service.commands import train as train_command
from service.subjects.trainable import Trainable, text_model

PATIENCE_S = 60
TEXT = """
[model]
type = "text_autoencoder"
vector_length = 12
hidden_layers = 1
bottleneck = 8
alpha = 0.1
[training]
epochs = 4
batch_size = 64
device = "cpu"
[checkpoints]
folder = "kept"
every = 2
"""
IMAGE = """
[model]
type = "image_autoencoder"
patch_side = 2
hidden_widths = [10]
[training]
epochs = 4
batch_size = 64
device = "cpu"
[checkpoints]
folder = "kept"
format = "npz"
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lockstep(text: str, *more: str) -> tuple[int, str]:
    Path("train.toml").write_text(text)
    result = CliRunner().invoke(app, ["train", "--config", "train.toml", *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, " ".join(re.sub(r"\x1b\[[0-9;]*m", "", result.output).split())


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("kept").iterdir()}


def training(folder: str) -> dict[str, Any]:
    """What a training's files hold; safetensors writes its metadata in any order."""
    path = Path(folder)
    held: dict[str, Any] = {"losses": (path / "losses.csv").read_bytes()}
    for name in ("last", "best"):
        checkpoint = read_checkpoint(path / f"{name}.safetensors")
        state = {key: array.tobytes() for key, array in checkpoint.state.items()}
        held[name] = (checkpoint.loss, checkpoint.epoch, checkpoint.parameters, state)
    return held


@pytest.mark.parametrize(("text", "suffix"), [(TEXT, "safetensors"), (IMAGE, "npz")])
def test_it_trains_keeps_and_tells(text: str, suffix: str) -> None:
    code, said = lockstep(text)
    assert code == 0, said
    assert set(files()) == {f"last.{suffix}", f"best.{suffix}", "losses.csv"}
    losses = [float(line.split(",")[1]) for line in Path("kept/losses.csv").read_text().splitlines()[1:]]
    assert len(losses) == 4
    assert losses[3] < losses[0]
    assert f"loss {losses[3]:.6e} after epoch 4; lowest {min(losses):.6e} after epoch" in said
    assert "ended all epochs are done" in said
    found = re.search(r"colour Absolute Zero \[0\.000, 0\.280, 0\.730\] comes back as \[(.*?)\]", said)
    assert found, said
    last = read_checkpoint(Path(f"kept/last.{suffix}"))
    assert (last.epoch, last.loss) == (4, losses[3])
    sample = np.zeros((1, 12), np.float32)
    if suffix == "safetensors":
        from legacy.color_loader import color_vectors, load_color_records

        sample = color_vectors(load_color_records("colors-a-f"), 12)[:1]
        z = sample @ last.state["weight_0"] + last.state["bias_0"]
        output = np.maximum(0.1 * z, z) @ last.state["weight_1"] + last.state["bias_1"]
        assert [float(channel) for channel in found[1].split(", ")] == pytest.approx(output[0, :3], abs=6e-4)


def test_progress_where_there_is_no_terminal_is_lines() -> None:
    code, said = lockstep(TEXT.replace("epochs = 4", "epochs = 60"))
    assert code == 0
    assert [int(n) for n in re.findall(r"epoch (\d+)/60 loss", said)] == list(range(3, 61, 3))
    assert "text_autoencoder on cpu: 264 samples, 212 parameters" in said


def test_progress_on_a_terminal_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(train_command, "messages", Console(file=screen, force_terminal=True, width=160))
    code, _ = lockstep(TEXT)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert code == 0
    assert "epoch 4/4" in plain
    assert "lowest" in plain


def test_a_training_goes_on_to_more_epochs_as_if_it_had_never_ended() -> None:
    assert lockstep(TEXT.replace("epochs = 4", "epochs = 9"))[0] == 0
    Path("kept").rename("whole")
    assert lockstep(TEXT)[0] == 0
    code, said = lockstep(TEXT, "--resume", "--epochs", "9")
    assert (code, "resumed after epoch 4, step 0 of the next" in said) == (0, True)
    assert training("kept") == training("whole")


def test_a_training_is_not_overwritten() -> None:
    assert lockstep(TEXT)[0] == 0
    before = files()
    code, said = lockstep(TEXT)
    assert code == 2
    assert "checkpoints.folder: kept/last.safetensors is there: go on with it by --resume, or name another" in said
    assert files() == before
    assert lockstep(TEXT, "--folder", "other")[0] == 0
    assert {path.name for path in Path("other").iterdir()} == set(before)


def test_resume_begins_where_there_is_nothing() -> None:
    code, said = lockstep(TEXT, "--resume")
    assert (code, "resumed" in said) == (0, False)


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (TEXT + "evry = 1", [], "train.toml: checkpoints.evry: is not known here; did you mean every?"),
        (TEXT.replace("= 4", "= 0"), [], "train.toml: training.epochs: is 0; input should be greater than"),
        (TEXT, ["--epochs", "0"], "train.toml: training.epochs: is 0; input should be greater than or equal to 1"),
        (TEXT, ["--device", "cuda:99"], "device: 'cuda:99' is not usable here"),
        (TEXT + '[data]\ncolors = "../x"', [], "data.colors: '../x' is unknown; choose from colors, colors-a-f"),
        (TEXT, ["--folder", "train.toml"], "checkpoints.folder: [Errno 17] File exists"),
        (TEXT, ["--config", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_what_is_wrong_exits_2_and_says_where(text: str, more: list[str], words: str) -> None:
    code, said = lockstep(text, *more)
    assert code == 2, said
    assert words in said
    assert not Path("kept").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("alpha = 0.1", "alpha = 0.2"), "alpha was 0.1 and is 0.2"),
        (("batch_size = 64", "batch_size = 32"), "batch_size was 64 and is 32"),
        (("bottleneck = 8", "bottleneck = 7"), "bottleneck was 8 and is 7"),
        (("vector_length = 12", "vector_length = 13"), "samples was [264, 12] and is [264, 13]"),
    ],
)
def test_another_training_is_not_gone_on_with(change: tuple[str, str], words: str) -> None:
    assert lockstep(TEXT)[0] == 0
    before = files()
    code, said = lockstep(TEXT.replace(*change), "--resume")
    assert (code, words in said) == (2, True), said
    assert files() == before


def test_a_damaged_checkpoint_exits_2() -> None:
    assert lockstep(TEXT)[0] == 0
    Path("kept/last.safetensors").write_bytes(b"x" * 100)
    code, said = lockstep(TEXT, "--resume")
    assert (code, "last.safetensors" in said) == (2, True)


def test_a_loss_that_is_no_number_exits_1_and_keeps_the_good_checkpoint() -> None:
    assert lockstep(TEXT)[0] == 0
    before = files()
    wild = TEXT.replace("epochs = 4", "epochs = 50\nlearning_rate = 1e30\nclip = 1e30").replace("kept", "wild")
    code, said = lockstep(wild)
    assert code == 1, said
    assert "ended the loss is no number any more" in said
    assert "colour" not in said
    assert files() == before


def test_early_stopping() -> None:
    code, said = lockstep(
        TEXT.replace("epochs = 4", "epochs = 50") + "[early_stopping]\npatience = 2\nmin_improvement = 100.0\n"
    )
    assert (code, "after epoch 3;" in said) == (0, True), said
    assert "no epoch brought the loss down" in said


LONG = (
    TEXT.replace("= 12", "= 256").replace("= 8", "= 64").replace("= 64\ndevice", "= 1\ndevice").replace("= 4", "= 20")
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_by_a_signal_nothing_is_lost(number: signal.Signals) -> None:
    Path("train.toml").write_text(LONG)
    command = [sys.executable, "-m", "service.cli", "train", "--config", "train.toml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "text_autoencoder" in process.stderr.readline()
        assert process.stderr.readline().startswith("epoch 1/20")
        process.send_signal(number)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "it was asked to stop; --resume goes on where it stood" in said
    stopped = read_checkpoint(Path("kept/last.safetensors"))
    assert 1 <= stopped.epoch < 20
    epochs = str(stopped.epoch + 1)
    code, resumed = lockstep(LONG, "--resume", "--epochs", epochs)
    assert (code, f"resumed after epoch {stopped.epoch}, step" in resumed) == (0, True)
    assert lockstep(LONG, "--folder", "whole", "--epochs", epochs)[0] == 0
    assert training("kept") == training("whole")


def test_the_second_signal_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from service import bootstrap

    def asked_twice(*arguments: object) -> None:
        assert arguments[-1]() is False  # type: ignore[operator]
        signal.raise_signal(signal.SIGINT)
        assert arguments[-1]() is True  # type: ignore[operator]
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(bootstrap, "run_training", asked_twice)
    before = signal.getsignal(signal.SIGINT)
    code, said = lockstep(TEXT)
    assert (code, "Stopped at once" in said) == (130, True)
    assert signal.getsignal(signal.SIGINT) is before


def test_every_value_of_the_file_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def note(self: Trainable, how: TrainingSettings, folder: TrainingFolder, *others: Any) -> TrainingResult:
        seen.extend([self, how, folder, others[0]])
        return TrainingResult((0.5,), Position(1, 0, 0.0, 0.5, 1), "epochs", None)

    monkeypatch.setattr(Trainable, "train", note)
    text = TEXT.replace("epochs = 4", "epochs = 7\nlearning_rate = 0.3\nclip = 0.4\nseed = 5") + 'format = "npz"\n'
    assert lockstep(text + "[early_stopping]\npatience = 6\nmin_improvement = 0.2\n", "--resume")[0] == 0
    made, how, folder, resume = seen
    assert how == TrainingSettings(7, 64, 0.3, 0.4, 5, patience=6, min_improvement=0.2, checkpoint_every=2)
    assert (folder.last, resume, made.decides["alpha"]) == (Path("kept/last.npz"), True, 0.1)
    weights = [
        text_model("colors-a-f", 12, 1, 8, 0.1, seed=n, device="cpu", batch_size=9).model.state() for n in (5, 0)
    ]
    first = [state["weight_0"].tobytes() for state in (made.model.state(), *weights)]
    assert first[0] == first[1] != first[2]


def test_help_teaches() -> None:
    result = CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    for word in ("--config", "--resume", "configs/text_autoencoder.toml", "Exit codes", "docs/training.md"):
        assert word in result.output
