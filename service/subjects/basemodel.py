"""The BaseModel autoencoder as a subject."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import basemodel.autoencoder
import basemodel.base
from basemodel.autoencoder import GpuTextAutoencoder
from service.parity.plan import MAX_BATCH_SIZE, Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects.checkpoint_files import load_into, save_state
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device

_CLASS = "basemodel.autoencoder.GpuTextAutoencoder"
SOURCES: Mapping[str, str] = {
    "forward.": f"{_CLASS}.forward (rung wrapper)",
    "loss.": f"{_CLASS}.loss (rung wrapper)",
    "backward.": f"{_CLASS}.backward (rung wrapper)",
    "update": f"{_CLASS}.backward (rung wrapper)",
}


class BaseModelSubject:
    """Trains through `BaseModel.train_step`."""

    name = "basemodel"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._device = resolve_device(plan.device)
        self._xp = array_module(self._device)
        model = plan.model
        self._model = GpuTextAutoencoder(
            model.vector_length,
            model.hidden_layers,
            model.bottleneck,
            model.alpha,
            seed=plan.seed,
            device=self._device,
            max_batch_size=MAX_BATCH_SIZE,
        )

    def info(self) -> SubjectInfo:
        return describe(self.name, self._plan, self._device, (basemodel.base, basemodel.autoencoder), SOURCES)

    def load_state(self, state: State) -> None:
        self._model.load_state(state)

    def state(self) -> dict[str, NDArray[Any]]:
        return dict(self._model.state())

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        x, training = self._xp.asarray(batch), self._plan.training
        loss = self._model.train_step(x, x, training.learning_rate, training.clip)
        return StepResult(loss, self._model.taps() if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        return self._model.forward(self._xp.asarray(batch))

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        save_state(path, self.state(), metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        return load_into(self, path)

    def close(self) -> None:
        self._model.close()
