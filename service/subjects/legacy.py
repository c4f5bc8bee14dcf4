"""The frozen legacy autoencoder as a subject."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kernels.rtx5090
from basemodel.checkpoints import read_checkpoint
from legacy import gpu_text_autoencoder, matrix_kernels
from legacy.gpu_text_autoencoder import GPUTextAutoencoder
from legacy.manifest import FOLDER, MANIFEST_NAME, verify_manifest
from service.parity.plan import MAX_BATCH_SIZE, Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects.checkpoint_files import load_into, save_state
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device

RTX5090 = Path(kernels.rtx5090.__file__).parent
KERNEL_FILES = ("matrix_kernels.cu", "matrix_kernels.py")

_CLASS = "legacy.gpu_text_autoencoder.GPUTextAutoencoder"
SOURCES: Mapping[str, str] = {
    "forward.": f"{_CLASS}.forward_gpu",
    "loss.": f"{_CLASS}.mse_loss_gpu",
    "backward.": f"{_CLASS}.backward_gpu_safe",
    "update": f"{_CLASS}._clip_and_update",
}


def changed_frozen_files(legacy: Path = FOLDER, kernels: Path = RTX5090) -> tuple[str, ...]:
    """One line for each legacy file that no longer has the digest of the manifest, and for each of its kernel files of
    which the RTX 5090's set has no copy byte for byte: those may be moved, never modified."""
    listed = {
        name: digest
        for digest, _, name in (line.partition("  ") for line in (legacy / MANIFEST_NAME).read_text().splitlines())
    }
    moved = {name: kernels / name for name in KERNEL_FILES}
    changed = [f"missing: kernels/{kernels.name}/{name}" for name, path in moved.items() if not path.is_file()]
    changed += [
        f"changed: kernels/{kernels.name}/{name}"
        for name, path in moved.items()
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != listed.get(name)
    ]
    return (*verify_manifest(legacy), *changed)


class LegacySubject:
    """Trains through `backward_gpu_safe`, the step inside the legacy `train_batch_*` methods.

    Those run one more forward pass for a loss after the update, which overwrites the step's activations.
    """

    name = "legacy"

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._device = resolve_device(plan.device)
        self._xp = array_module(self._device)
        model = plan.model
        self._model = GPUTextAutoencoder(
            model.vector_length,
            model.hidden_layers,
            model.bottleneck,
            model.alpha,
            seed=plan.seed,
            device=self._device,
            max_batch_size=MAX_BATCH_SIZE,
        )

    def info(self) -> SubjectInfo:
        return describe(self.name, self._plan, self._device, (gpu_text_autoencoder, matrix_kernels), SOURCES)

    def load_state(self, state: State) -> None:
        layers = len(self._model.weights_gpu)
        wanted = {f"{part}_{i}" for i in range(layers) for part in ("weight", "bias")}
        if wanted != set(state):
            raise ValueError(f"the state has {sorted(state)}; this model has {sorted(wanted)}")
        weights = [state[f"weight_{i}"] for i in range(layers)]
        self._model.set_weights_cpu(weights, [state[f"bias_{i}"] for i in range(layers)])

    def state(self) -> dict[str, NDArray[Any]]:
        weights, biases = self._model.get_weights_cpu()
        arrays: dict[str, NDArray[Any]] = {}
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            arrays[f"weight_{i}"], arrays[f"bias_{i}"] = weight, bias
        return arrays

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        x, training = self._xp.asarray(batch), self._plan.training
        self._model.backward_gpu_safe(x, x, training.learning_rate, training.clip)
        loss = self._model.mse_loss_gpu(self._model.layer_outputs[-1][: len(batch)], x)
        return StepResult(loss, self._taps(len(batch)) if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        return self._model.forward_gpu(self._xp.asarray(batch))

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        if path.suffix == ".npz":
            self._model.save_checkpoint(path, metadata.loss, metadata.epoch, dict(metadata.parameters))
        else:
            save_state(path, self.state(), metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        if path.suffix != ".npz":
            return load_into(self, path)
        read_checkpoint(path)  # Refuses what the legacy reader takes at its word: a bomb, a deep nest, a torn header.
        checkpoint = self._model.load_checkpoint(path)
        return CheckpointMetadata(checkpoint.loss, checkpoint.epoch, checkpoint.parameters or {})

    def close(self) -> None:
        self._model.cleanup_gpu_memory()

    def _taps(self, rows: int) -> dict[str, Array]:
        model, layers = self._model, range(len(self._model.weights_gpu))
        taps: dict[str, Array] = {f"forward.layer{i}.output": model.layer_outputs[i][:rows] for i in layers}
        for i in reversed(layers):
            taps[f"backward.layer{i}.activation_grad"] = model.gradients[i + 1][:rows]
            taps[f"backward.layer{i}.weight_grad"] = model.weight_gradients[i]
            taps[f"backward.layer{i}.bias_grad"] = model.bias_gradients[i]
        for i in layers:
            taps[f"update.layer{i}.weight"] = model.weights_gpu[i]
            taps[f"update.layer{i}.bias"] = model.biases_gpu[i]
        return taps
