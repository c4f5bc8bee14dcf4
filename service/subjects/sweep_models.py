"""What lets a BaseModel run through the legacy parameter sweep: the methods that the sweep calls, and nothing more.

    ParameterSweep("colors-a-f", model_factory=sweep_factory(GpuTextAutoencoder))

It stands here because it knows both sides: the sweep, which is frozen, knows only the legacy model's methods, and a
BaseModel has none of their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basemodel.base import BaseModel
from service.ports import Array
from service.subjects.devices import array_module, resolve_device


def sweep_factory(build: Callable[..., BaseModel]) -> Callable[..., SweepModel]:
    """A `model_factory` for `ParameterSweep`; `build` is called as the legacy class is, with a device that is here.

    The batch goes to that device; None becomes the first GPU, or the CPU where there is none.
    """

    def make(*shape: Any, device: str | None = None, **options: Any) -> SweepModel:
        resolved = resolve_device("auto" if device is None else device)
        return SweepModel(build(*shape, device=resolved, **options), array_module(resolved).asarray)

    return make


class SweepModel:
    """A BaseModel under the legacy names."""

    def __init__(self, model: BaseModel, to_device: Callable[[NDArray[np.float32]], Array]) -> None:
        self._model, self._to_device = model, to_device

    def train_batch_gpu_efficient(
        self, input_cpu: NDArray[np.float32], learning_rate: float, grad_clip_norm: float = 1.0
    ) -> float:
        """One step towards the input itself, a host array (B, F); the loss *after* the update."""
        x = self._to_device(input_cpu)
        self._model.train_step(x, x, learning_rate, grad_clip_norm)
        return self._model.loss(self._model.forward(x), x)

    def get_weights_cpu(self) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
        """Host copies of all weights and biases, each in layer order."""
        state = self._model.state()
        layers = range(len(state) // 2)
        return [state[f"weight_{i}"] for i in layers], [state[f"bias_{i}"] for i in layers]

    def cleanup_gpu_memory(self) -> None:
        """Lets go of the model's buffers, where it has a `close` for that."""
        close = getattr(self._model, "close", None)
        if close is not None:
            close()
