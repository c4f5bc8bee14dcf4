"""The image autoencoder as a subject, and its twin in plain NumPy: another BaseModel under the same judge.

Both have the plan's widths and take its vectors for patches, 3 * k * k numbers each.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import basemodel.base
import basemodel.image_autoencoder
from basemodel.datasets import patch_side
from basemodel.image_autoencoder import ImageAutoencoder
from kernels.rtx5090 import matrix_kernels
from service.parity.plan import MAX_BATCH_SIZE, Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects.checkpoint_files import load_into, save_state
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device

PATCH_SUBJECTS = ("image", "image-numpy")
"""Subjects whose vectors must be patches."""

_CLASS = "basemodel.image_autoencoder.ImageAutoencoder"
SOURCES: Mapping[str, str] = {
    "forward.": f"{_CLASS}.forward",
    "loss.": f"{_CLASS}.loss",
    "backward.": f"{_CLASS}.backward",
    "update": f"{_CLASS}.backward",
}
_TWIN = f"{__name__}.ImageNumpySubject"
TWIN_SOURCES: Mapping[str, str] = {
    "forward.": f"{_TWIN}._forward",
    "loss.": f"{_TWIN}.train_step",
    "backward.": f"{_TWIN}._backward",
    "update": f"{_TWIN}._update",
}


class ImageSubject:
    """Trains through `BaseModel.train_step`."""

    name = "image"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._device = resolve_device(plan.device)
        self._xp = array_module(self._device)
        self._model = ImageAutoencoder(
            _side(plan),
            plan.layer_sizes()[1:-1],
            plan.model.alpha,
            seed=plan.seed,
            array_module=self._xp,
            max_batch_size=MAX_BATCH_SIZE,
        )

    def info(self) -> SubjectInfo:
        modules = (basemodel.base, basemodel.image_autoencoder, matrix_kernels)
        return describe(self.name, self._plan, self._device, modules, SOURCES)

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


class ImageNumpySubject:
    """The same step in plain NumPy, on the host whatever the device: no kernel, no buffer, nothing of the other."""

    name = "image-numpy"

    def __init__(self, plan: Plan) -> None:
        _side(plan)
        self._plan = plan
        self._device = resolve_device(plan.device)
        self._xp = array_module(self._device)
        draw, self._state = np.random.default_rng(plan.seed), dict[str, NDArray[np.float32]]()
        for i, (fan_in, fan_out) in enumerate(itertools.pairwise(plan.layer_sizes())):
            limit = np.sqrt(6.0 / (fan_in + fan_out))
            self._state[f"weight_{i}"] = draw.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)
            self._state[f"bias_{i}"] = np.zeros(fan_out, np.float32)
        self._layers = range(len(self._state) // 2)

    def info(self) -> SubjectInfo:
        return describe(self.name, self._plan, self._device, (sys.modules[__name__],), TWIN_SOURCES)

    def load_state(self, state: State) -> None:
        if state.keys() != self._state.keys():
            raise ValueError(f"the state has {sorted(state)}; this model has {list(self._state)}")
        for name, own in self._state.items():
            if state[name].shape != own.shape or state[name].dtype != np.float32:
                given = f"{state[name].dtype} of shape {state[name].shape}"
                raise ValueError(f"{name} is {given}; this model has float32 of shape {own.shape}")
        self._state = {name: np.array(state[name]) for name in self._state}

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: array.copy() for name, array in self._state.items()}

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        inputs = self._forward(batch)
        difference = inputs[-1] - batch
        loss = float(np.square(difference).mean())
        named = {f"forward.layer{i}.output": inputs[i + 1] for i in self._layers}
        named.update(self._backward(inputs, difference))
        named.update(self._update(named))
        return StepResult(loss, {name: self._xp.asarray(array) for name, array in named.items()} if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        return self._xp.asarray(self._forward(batch)[-1])

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        save_state(path, self._state, metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        return load_into(self, path)

    def close(self) -> None:
        """It has nothing but its state."""

    def _forward(self, x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        """The batch, then each layer's output, activated but for the last."""
        inputs, alpha = [x], np.float32(self._plan.model.alpha)
        for i in self._layers:
            z = inputs[i] @ self._state[f"weight_{i}"] + self._state[f"bias_{i}"]
            inputs.append(z if i == self._layers[-1] else np.maximum(alpha * z, z))
        return inputs

    def _backward(
        self, inputs: list[NDArray[np.float32]], difference: NDArray[np.float32]
    ) -> dict[str, NDArray[np.float32]]:
        gradient, alpha = np.float32(2.0) * difference / np.float32(len(difference)), np.float32(self._plan.model.alpha)
        named: dict[str, NDArray[np.float32]] = {}
        for i in reversed(self._layers):
            named[f"backward.layer{i}.activation_grad"] = gradient
            named[f"backward.layer{i}.weight_grad"] = inputs[i].T @ gradient
            named[f"backward.layer{i}.bias_grad"] = gradient.sum(axis=0)
            gradient = (gradient @ self._state[f"weight_{i}"].T) * np.where(inputs[i] > 0, np.float32(1.0), alpha)
        return named

    def _update(self, gradients: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """New arrays, so that those of an earlier step stay what they were."""
        limit, rate = np.float32(self._plan.training.clip), np.float32(self._plan.training.learning_rate)
        named: dict[str, NDArray[np.float32]] = {}
        for i in self._layers:
            for part in ("weight", "bias"):
                clipped = np.clip(gradients[f"backward.layer{i}.{part}_grad"], -limit, limit)
                self._state[f"{part}_{i}"] = self._state[f"{part}_{i}"] - rate * clipped
                named[f"update.layer{i}.{part}"] = self._state[f"{part}_{i}"]
        return named


def _side(plan: Plan) -> int:
    side = patch_side(plan.model.vector_length)
    if side is None:
        raise ValueError(f"a vector of {plan.model.vector_length} numbers is no patch: that takes 3 * k * k")
    return side
