"""BaseModel: what a model must offer to be trained, checkpointed and compared tap by tap.

Legend: B batch, F features. A "device array" is a NumPy array on a CPU and a CuPy array on a GPU, float32,
C-contiguous. Nothing here or below copies a device array to the host unless the docstring says "host".
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

DeviceArray: TypeAlias = Any
"""A NumPy or CuPy array. CuPy is optional, so the type checker cannot be told more."""

HostArray: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What an optimiser carries from step to step.

    `name` of the algorithm; `hyper_parameters` of the most recent step, empty before the first; `arrays` are host
    copies of its moments by name, empty for an optimiser that has none.
    """

    name: str
    hyper_parameters: Mapping[str, float] = field(default_factory=dict)
    arrays: Mapping[str, HostArray] = field(default_factory=dict)


class BaseModel(ABC):
    """A model with one training step, a named state, and a list of the kernels that it needs.

    Arrays returned by `forward`, `backward` and `taps` are views of the model's own buffers: valid until the next call
    of any method that computes, which overwrites them.
    """

    @abstractmethod
    def forward(self, x: DeviceArray) -> DeviceArray:
        """The output (B, F) for a batch (B, F). Changes no parameter. Raises ValueError for a shape or dtype that does
        not fit the model, or a batch larger than its buffers."""

    @abstractmethod
    def backward(self, x: DeviceArray, y: DeviceArray, learning_rate: float, grad_clip_norm: float) -> DeviceArray:
        """Forward pass, gradients of all layers, then the update, in place; returns the output *before* the update.

        `x` and the target `y` are (B, F). `learning_rate` is the step size; `grad_clip_norm` limits each gradient
        element to [-c, +c] (the legacy name says norm, the arithmetic is by value). Raises as `forward` does.
        """

    @abstractmethod
    def loss(self, output: DeviceArray, y: DeviceArray) -> float:
        """The reported loss of an output against its target, both (B, F), as a Python float. Must leave the taps alone.
        Raises ValueError for shapes that do not fit."""

    @abstractmethod
    def get_optimizer_state(self) -> OptimizerState:
        """What the optimiser carries from step to step, as host values."""

    @abstractmethod
    def state(self) -> dict[str, HostArray]:
        """Host copies of all parameters by name, float32, in a fixed order. Changing them does not change the model."""

    @abstractmethod
    def load_state(self, state: Mapping[str, HostArray]) -> None:
        """Copies `state`, as `state()` gives it, into the parameters.

        Raises ValueError, naming the entry, for missing or extra names, wrong shapes or dtypes; then nothing
        is changed.
        """

    @abstractmethod
    def required_kernels(self) -> frozenset[str]:
        """The names of the kernels and launch helpers that this model's step uses."""

    @abstractmethod
    def taps(self) -> dict[str, DeviceArray]:
        """The intermediate arrays of the last training step by name, in dataflow order.

        Raises RuntimeError when no training step was made since construction, or a later forward pass or loaded state
        has overwritten them.
        """

    def train_step(self, x: DeviceArray, y: DeviceArray, learning_rate: float, grad_clip_norm: float = 1.0) -> float:
        """One training step on a batch; returns the loss of the output *before* the update, at no further forward pass.

        Afterwards `taps()` holds the step's arrays. Raises as `backward` does.
        """
        output = self.backward(x, y, learning_rate, grad_clip_norm)
        return self.loss(output, y)
