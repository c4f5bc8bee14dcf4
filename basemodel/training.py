"""The training loop for any BaseModel: seeded epochs, checkpoints, resume, early stopping, a way to be stopped.

A training that was stopped, by whatever, and resumed gives the same losses and weights as one that ran through: each
epoch's order comes from the seed and the epoch's number alone, and a checkpoint says how far into an epoch it is.

Shapes: N samples, B rows of a batch, F numbers of a sample. The target of a sample is the sample itself.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from basemodel.base import BaseModel, DeviceArray, HostArray
from basemodel.training_folder import Position, TrainingFolder

StopReason = Literal["epochs", "no_improvement", "diverged", "interrupted"]


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train. `patience` epochs whose loss is not `min_improvement` below the lowest end it; 0: none do.

    `checkpoint_every` epochs the folder is written, and at the end in any case; 0: only then.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    grad_clip_norm: float = 1.0
    seed: int = 0
    patience: int = 0
    min_improvement: float = 0.0
    checkpoint_every: int = 0


@dataclass(frozen=True, slots=True)
class EpochDone:
    """What the callback is told after each epoch."""

    epoch: int
    epochs: int
    loss: float
    best_loss: float
    best_epoch: int


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """`losses` of all whole epochs, those before a resume included; `position` is where the model stands.

    `resumed_at` is the position that was gone on from, None for a new training.
    """

    losses: tuple[float, ...]
    position: Position
    stopped_by: StopReason
    resumed_at: Position | None


def train(
    model: BaseModel,
    samples: HostArray,
    settings: TrainingSettings,
    *,
    folder: TrainingFolder | None = None,
    resume: bool = False,
    decides: Mapping[str, Any] | None = None,
    to_device: Callable[[HostArray], DeviceArray] = np.asarray,
    on_epoch: Callable[[EpochDone], None] = lambda done: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train `model` on `samples` (N, F) until an end is reached; the loss of an epoch is the mean over its samples of
    the loss before each update, all N of them: the last batch may be smaller.

    `should_stop` is asked before each step; once it is true the folder is written and the training returns, so that
    nothing is lost. (A KeyboardInterrupt goes through: it may come in the midst of an update, and what half of an
    update made is not worth keeping; the folder has the latest checkpoint.) A loss that is not finite ends the training
    without a checkpoint, so that the latest good one stays.

    `resume` goes on from the folder's checkpoint, or begins where there is none. `decides` is what the numbers depend
    on besides the settings and the samples, e.g. the model's shape, JSON-ready: a resumed training must have the same.

    Raises ValueError for settings out of range, a folder of another training or a damaged one, and a model whose
    optimiser has arrays, which no checkpoint holds yet; FileExistsError for a folder that holds a training which is not
    to be resumed.
    """
    _check(samples, settings)
    everything = {**(decides or {}), **_deciding(samples, settings)}
    run = _Run(model, samples, settings, folder, json.loads(json.dumps(everything)), to_device)
    if folder is not None and folder.holds_training():
        if not resume:
            raise FileExistsError(f"{folder.last} is there: resume it, or name another folder")
        run.go_on(folder)
    resumed_at = run.position if run.resumed else None
    stopped_by = run.to_the_end(on_epoch, should_stop)
    return TrainingResult(tuple(run.losses), run.position, stopped_by, resumed_at)


def _check(samples: HostArray, settings: TrainingSettings) -> None:
    if samples.ndim != 2 or samples.dtype != np.float32 or not len(samples):
        raise ValueError(f"samples must be float32 of two axes, got {samples.dtype} of shape {samples.shape}")
    for name, low in (("epochs", 1), ("batch_size", 1), ("patience", 0), ("checkpoint_every", 0), ("seed", 0)):
        if getattr(settings, name) < low:
            raise ValueError(f"{name} must be at least {low}, got {getattr(settings, name)}")
    for name in ("learning_rate", "grad_clip_norm"):
        if not 0 < getattr(settings, name) < math.inf:
            raise ValueError(f"{name} must be a finite number above 0, got {getattr(settings, name)}")
    if not 0 <= settings.min_improvement < math.inf:
        raise ValueError(f"min_improvement must be a finite number from 0 on, got {settings.min_improvement}")


def _deciding(samples: HostArray, settings: TrainingSettings) -> dict[str, Any]:
    """What a step's numbers depend on; when to end or to write does not belong to it."""
    names = ("batch_size", "learning_rate", "grad_clip_norm", "seed")
    digest = hashlib.sha256(np.ascontiguousarray(samples).data.cast("B")).hexdigest()
    return {
        **{name: getattr(settings, name) for name in names},
        "samples": list(samples.shape),
        "samples_sha256": digest,
    }


class _Run:
    """One call of `train`: the position, the losses and the best state so far."""

    def __init__(
        self,
        model: BaseModel,
        samples: HostArray,
        settings: TrainingSettings,
        folder: TrainingFolder | None,
        decides: Mapping[str, Any],
        to_device: Callable[[HostArray], DeviceArray],
    ) -> None:
        self._model, self._samples, self._settings, self._folder = model, samples, settings, folder
        self._decides, self._to_device = decides, to_device
        self._best: dict[str, HostArray] | None = None
        self.position, self.losses, self.resumed = Position(), list[float](), False

    def go_on(self, folder: TrainingFolder) -> None:
        """Take the folder's training up."""
        kept = folder.read()
        differing = [
            f"{name} was {kept.decides.get(name)!r} and is {self._decides.get(name)!r}"
            for name in sorted(kept.decides.keys() | self._decides.keys())
            if kept.decides.get(name) != self._decides.get(name)
        ]
        if differing:
            raise ValueError(
                f"{folder.last}: is of another training: {'; '.join(differing)}; resume with what it began with, or "
                "name another folder"
            )
        try:
            self._model.load_state(kept.checkpoint.state)
        except ValueError as error:
            raise ValueError(f"{folder.last}: {error}") from None
        self.position, self.losses, self.resumed = kept.position, list(kept.losses), True

    def to_the_end(self, on_epoch: Callable[[EpochDone], None], should_stop: Callable[[], bool]) -> StopReason:
        while (reason := self._reason()) is None:
            reason = self._epoch(should_stop)
            if reason is not None:
                break
            position, every = self.position, self._settings.checkpoint_every
            assert position.best_loss is not None
            assert position.best_epoch is not None
            if every and position.epoch % every == 0:
                self._write()
            on_epoch(
                EpochDone(
                    position.epoch, self._settings.epochs, self.losses[-1], position.best_loss, position.best_epoch
                )
            )
        if reason != "diverged":
            self._write()
        return reason

    def _reason(self) -> StopReason | None:
        """Why no further epoch is begun."""
        settings, position = self._settings, self.position
        if position.epoch >= settings.epochs:
            return "epochs"
        if settings.patience and position.epoch - (position.best_epoch or 0) >= settings.patience:
            return "no_improvement"
        return None

    def _epoch(self, should_stop: Callable[[], bool]) -> StopReason | None:
        """What is left of the epoch that the position is in."""
        settings, position, count = self._settings, self.position, len(self._samples)
        order = np.random.default_rng((settings.seed, position.epoch)).permutation(count)
        for start in range(position.step * settings.batch_size, count, settings.batch_size):
            if should_stop():
                return "interrupted"
            rows = order[start : start + settings.batch_size]
            batch = self._to_device(self._samples[rows])
            with np.errstate(over="ignore", invalid="ignore"):
                loss = self._model.train_step(batch, batch, settings.learning_rate, settings.grad_clip_norm)
            if not math.isfinite(loss):
                return "diverged"
            position = self.position
            self.position = replace(
                position, step=position.step + 1, loss_sum=position.loss_sum + float(loss) * len(rows)
            )
        self._close_epoch(self.position.loss_sum / count)
        return None

    def _close_epoch(self, loss: float) -> None:
        position = replace(self.position, epoch=self.position.epoch + 1, step=0, loss_sum=0.0)
        if position.best_loss is None or loss < position.best_loss - self._settings.min_improvement:
            position = replace(position, best_loss=loss, best_epoch=position.epoch)
            if self._folder is not None:
                self._best = self._model.state()
        self.position = position
        self.losses.append(loss)

    def _write(self) -> None:
        if self._folder is None:
            return
        optimizer = self._model.get_optimizer_state()
        if optimizer.arrays:
            raise ValueError(
                f"the optimiser {optimizer.name} carries {', '.join(optimizer.arrays)}, which a checkpoint does not "
                "hold yet: it could not be resumed with the same numbers"
            )
        self._folder.write(self._model.state(), self._best, self.position, self.losses, self._decides)
