"""What `lockstep train` trains: a BaseModel with its samples, from plain values, and the figures at its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.base import BaseModel
from basemodel.datasets import CHANNELS, color_patches, text_vectors
from basemodel.image_autoencoder import ImageAutoencoder
from basemodel.training import EpochDone, TrainingResult, TrainingSettings, train
from basemodel.training_folder import TrainingFolder
from legacy.color_loader import DATASETS, load_color_records
from service.parity.errors import InvalidConfiguration, Problem, UnknownName
from service.ports import Array
from service.subjects.devices import array_module, resolve_device

__all__ = ["EpochDone", "Figures", "Trainable", "TrainingResult", "image_model", "text_model"]

FIGURE_ROWS = 1024
"""Samples that go through a trained model at a time; a model's buffers hold at least as many."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What the trained model makes of its data: the first sample's colour in and out, and mean absolute errors over all
    samples, of that colour and of every number."""

    name: str
    rgb_in: tuple[float, float, float]
    rgb_out: tuple[float, float, float]
    mean_rgb_error: float
    mean_error: float


@dataclass(frozen=True, slots=True)
class Trainable:
    """A model, its samples (N, F), whose first three numbers are a colour, and the samples' names.

    `decides` is what the numbers depend on besides the samples and the settings of the training.
    """

    model: BaseModel
    samples: NDArray[np.float32]
    names: tuple[str, ...]
    device: str
    decides: Mapping[str, Any]
    to_device: Callable[[NDArray[np.float32]], Array]

    def train(
        self,
        settings: TrainingSettings,
        folder: TrainingFolder,
        resume: bool,
        on_epoch: Callable[[EpochDone], None],
        should_stop: Callable[[], bool],
    ) -> TrainingResult:
        """Train into the folder; raises `InvalidConfiguration` where the folder does not allow it."""
        if folder.holds_training() and not resume:
            message = f"{folder.last} is there: go on with it by --resume, or name another folder"
            raise InvalidConfiguration(Problem("checkpoints.folder", message))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)  # an hour later would be too late to hear of it
            return train(
                self.model,
                self.samples,
                settings,
                folder=folder,
                resume=resume,
                decides=self.decides,
                to_device=self.to_device,
                on_epoch=on_epoch,
                should_stop=should_stop,
            )
        except (ValueError, OSError) as error:
            raise InvalidConfiguration(Problem("checkpoints.folder", str(error))) from error

    def parameter_count(self) -> int:
        """Weights and biases."""
        return sum(int(array.size) for array in self.model.state().values())

    def figures(self) -> Figures:
        """Run every sample through the model."""
        parts = []
        for start in range(0, len(self.samples), FIGURE_ROWS):
            output = self.model.forward(self.to_device(self.samples[start : start + FIGURE_ROWS]))
            parts.append(output.get() if hasattr(output, "get") else np.array(output))
        outputs = np.concatenate(parts).astype(np.float64)
        errors = np.abs(outputs - self.samples)
        return Figures(
            self.names[0],
            _rgb(self.samples[0]),
            _rgb(outputs[0]),
            float(errors[:, :CHANNELS].mean()),
            float(errors.mean()),
        )


def text_model(
    colors: str,
    vector_length: int,
    hidden_layers: int,
    bottleneck: int,
    alpha: float,
    *,
    seed: int,
    device: str,
    batch_size: int,
) -> Trainable:
    """The text autoencoder on the vectors of a list of colours; raises `InvalidRequest` for an unknown name."""
    records, resolved = _records(colors), resolve_device(device)
    model = GpuTextAutoencoder(
        vector_length,
        hidden_layers,
        bottleneck,
        alpha,
        seed=seed,
        device=resolved,
        max_batch_size=max(batch_size, FIGURE_ROWS),
    )
    shape = {"vector_length": vector_length, "hidden_layers": hidden_layers, "bottleneck": bottleneck, "alpha": alpha}
    return _trainable("text_autoencoder", model, text_vectors(records, vector_length), records, resolved, shape)


def image_model(
    colors: str,
    patch_side: int,
    hidden_widths: Sequence[int],
    alpha: float,
    *,
    seed: int,
    device: str,
    batch_size: int,
) -> Trainable:
    """The image autoencoder on patches of a list of colours; raises `InvalidRequest` for an unknown name."""
    records, resolved = _records(colors), resolve_device(device)
    model = ImageAutoencoder(
        patch_side,
        hidden_widths,
        alpha,
        seed=seed,
        array_module=array_module(resolved),
        max_batch_size=max(batch_size, FIGURE_ROWS),
    )
    shape = {"patch_side": patch_side, "hidden_widths": list(hidden_widths), "alpha": alpha}
    return _trainable("image_autoencoder", model, color_patches(records, patch_side), records, resolved, shape)


def _records(colors: str) -> list[dict[str, str]]:
    if colors not in DATASETS:
        names = ", ".join(sorted(DATASETS))
        raise UnknownName(Problem("data.colors", f"{colors!r} is unknown; choose from {names}"))
    return load_color_records(colors)


def _trainable(
    kind: str,
    model: BaseModel,
    samples: NDArray[np.float32],
    records: Sequence[Mapping[str, str]],
    device: str,
    shape: Mapping[str, Any],
) -> Trainable:
    names = tuple(record["Name"] for record in records)
    samples.setflags(write=False)
    return Trainable(model, samples, names, device, {"model": kind, **shape}, array_module(device).asarray)


def _rgb(sample: NDArray[Any]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in sample[:CHANNELS])
    return red, green, blue
