"""The BaseModel autoencoder as a subject, at any rung of the ladder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

import basemodel
import kernels
import legacy
from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.own_parts import OWN
from basemodel.parts import Parts
from basemodel.rungs import EVERY_METHOD, Selection, methods_of
from service.parity.plan import MAX_BATCH_SIZE, Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects.checkpoint_files import metadata_of
from service.subjects.description import describe, files_of
from service.subjects.devices import array_module, resolve_device

WRAPPER = methods_of("wrapper")

METHODS_OF_TAPS: Mapping[str, str] = {
    "forward.": "forward",
    "loss.": "loss",
    "backward.": "backward",
    "update": "update",
}
"""Which method of the ladder computes the taps that begin so."""


def source_files(methods: Selection, besides: Iterable[ModuleType] = ()) -> list[ModuleType | Path]:
    """What a subject with these methods BaseModel's own consists of: its source digest is over these files."""
    files: list[ModuleType | Path] = [*files_of(basemodel), *besides]
    if methods != EVERY_METHOD:
        files += files_of(legacy)
    if "kernels" in methods:
        files += files_of(kernels)
    return files


class BaseModelSubject:
    """Trains through `BaseModel.train_step`; `methods` are BaseModel's own, as `own` has them, all others legacy's."""

    def __init__(
        self,
        plan: Plan,
        name: str = "basemodel",
        methods: Selection = WRAPPER,
        own: Parts = OWN,
        besides: tuple[ModuleType, ...] = (),
    ) -> None:
        """`besides` are modules that belong to this subject's source as well: those of `own`, if they are others."""
        self.name = name
        self._plan, self._besides = plan, besides
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
            methods=methods,
            own=own,
        )

    def info(self) -> SubjectInfo:
        sources = {taps: self._model.source(method) for taps, method in METHODS_OF_TAPS.items()}
        files = source_files(self._model.methods, self._besides)
        info = describe(self.name, self._plan, self._device, files, sources)
        return replace(info, parameter_count=self._model.parameter_count())

    def load_state(self, state: State) -> None:
        self._model.load_state(state)

    def state(self) -> dict[str, NDArray[Any]]:
        return dict(self._model.state())

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        x, training = self._xp.asarray(batch), self._plan.training
        loss = self._model.train_step(x, x, training.learning_rate, training.clip)
        return StepResult(loss, self._model.taps() if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        """Through `predict`, as a user gets outputs; the step shows `forward` itself."""
        return self._xp.asarray(self._model.predict(batch))

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        self._model.save_checkpoint(path, metadata.loss, metadata.epoch, metadata.parameters)

    def load(self, path: Path) -> CheckpointMetadata:
        return metadata_of(self._model.load_checkpoint(path))

    def close(self) -> None:
        self._model.close()
