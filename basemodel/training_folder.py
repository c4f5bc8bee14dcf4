"""The folder of a training: its latest checkpoint, the best one, and the loss of every epoch.

    last.safetensors   where to go on: the state, and in its parameters a `Position` and what decides the numbers
    best.safetensors   the state after the epoch of the lowest loss
    losses.csv         epoch,loss

Every file is written whole or not at all, and `last` after the others: whatever moment a process is killed at, what
`last` needs is there.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basemodel.base import HostArray
from basemodel.checkpoints import Checkpoint, read_checkpoint, write_checkpoint

FORMATS = ("safetensors", "npz")


@dataclass(frozen=True, slots=True)
class Position:
    """How far a training has come: whole epochs, then steps of the next one and the sum of its losses so far.

    `loss_sum` adds each step's loss times its rows. `best_loss` and `best_epoch` are None before the first whole epoch.
    """

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_loss: float | None = None
    best_epoch: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What a folder holds of a training. `decides` is what its numbers depend on, as it was written."""

    checkpoint: Checkpoint
    position: Position
    losses: tuple[float, ...]
    decides: Mapping[str, Any]


class TrainingFolder:
    """Reads and writes the three files, in `file_format` "safetensors" or "npz"."""

    def __init__(self, path: Path, file_format: str = "safetensors") -> None:
        if file_format not in FORMATS:
            raise ValueError(f"format {file_format!r} is unknown; choose from {', '.join(FORMATS)}")
        self.path = path
        self.last, self.best = path / f"last.{file_format}", path / f"best.{file_format}"
        self.losses = path / "losses.csv"

    def holds_training(self) -> bool:
        """Whether there is a checkpoint to go on from."""
        return self.last.exists()

    def write(
        self,
        state: Mapping[str, HostArray],
        best: Mapping[str, HostArray] | None,
        position: Position,
        losses: Sequence[float],
        decides: Mapping[str, Any],
    ) -> None:
        """Write all three; `best` None leaves the best checkpoint as it is. Makes the folder where there is none."""
        self.path.mkdir(parents=True, exist_ok=True)
        _write_losses(self.losses, losses)
        if best is not None and position.best_loss is not None and position.best_epoch is not None:
            write_checkpoint(self.best, best, position.best_loss, position.best_epoch, {"decides": dict(decides)})
        loss = losses[-1] if losses else math.nan
        parameters = {"position": dataclasses.asdict(position), "decides": dict(decides)}
        write_checkpoint(self.last, state, loss, position.epoch, parameters)

    def read(self) -> Kept:
        """What `write` kept. Raises ValueError, naming the file, for one that is damaged or no training's."""
        checkpoint = read_checkpoint(self.last)
        parameters = checkpoint.parameters or {}
        position, decides = _position(parameters.get("position")), parameters.get("decides")
        if position is None or position.epoch != checkpoint.epoch or not isinstance(decides, dict):
            raise ValueError(f"{self.last}: a checkpoint, but not of a training that can be resumed")
        losses = _read_losses(self.losses)
        if len(losses) < position.epoch:
            raise ValueError(f"{self.losses}: has {len(losses)} epochs, and {self.last.name} is after {position.epoch}")
        # More are of epochs after the checkpoint, which a killed process did not come to keep.
        return Kept(checkpoint, position, losses[: position.epoch], decides)


def _position(document: Any) -> Position | None:
    names = {field.name for field in dataclasses.fields(Position)}
    if not isinstance(document, dict) or document.keys() != names:
        return None
    for name in ("epoch", "step"):
        if type(document[name]) is not int or document[name] < 0:
            return None
    best = (document["best_loss"], document["best_epoch"])
    if best != (None, None) and (type(best[0]) is not float or type(best[1]) is not int):
        return None
    return Position(**document) if type(document["loss_sum"]) is float else None


def _write_losses(path: Path, losses: Sequence[float]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("epoch", "loss"))
    writer.writerows((epoch, repr(loss)) for epoch, loss in enumerate(losses, 1))
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _read_losses(path: Path) -> tuple[float, ...]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        if rows[:1] != [["epoch", "loss"]] or [row[0] for row in rows[1:]] != [str(n) for n in range(1, len(rows))]:
            raise ValueError("its rows must be epoch,loss from 1 on")
        return tuple(float(loss) for _, loss in rows[1:])
    except FileNotFoundError:
        raise ValueError(f"{path}: is missing; it belongs to the checkpoint beside it") from None
    except (ValueError, IndexError, csv.Error) as error:
        raise ValueError(f"{path}: not the losses of a training ({error})") from None
