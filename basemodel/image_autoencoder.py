"""ImageAutoencoder: a BaseModel of its own, on square patches of colour, fully connected.

It shares nothing with the text autoencoder but BaseModel and the kernels: each operation is a launch of the KernelSet
that it was given, which runs a kernel on CuPy arrays and the kernel's NumPy twin on NumPy's. No legacy code.

Legend: B batch, F = 3 * side * side numbers of a patch, sizes[i] and sizes[i + 1] the inputs and outputs of layer i.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from basemodel.base import BaseModel, DeviceArray, HostArray, OptimizerState
from basemodel.datasets import CHANNELS
from kernels.manager import KernelManager, KernelSet

REQUIRED_KERNELS = frozenset(
    {
        "gpu_add_bias",
        "gpu_elementwise_activate",
        "gpu_gradient_clip",
        "gpu_leaky_relu_backward",
        "gpu_matrix_multiply",
        "gpu_mse_gradient",
        "gpu_mse_loss",
        "gpu_reduce_sum",
        "gpu_update_weights",
        "launch_elementwise_rtx5090",
        "launch_matrix_multiply_rtx5090",
        "launch_reduce_rtx5090",
    }
)


class ImageAutoencoder(BaseModel):
    """Dense layers with LeakyReLU between them. Parameters: weight_0 (sizes[0], sizes[1]), bias_0 (sizes[1],), …

    All buffers are made at construction; a step allocates nothing on the device.
    """

    def __init__(
        self,
        side: int,
        hidden_sizes: Sequence[int],
        alpha: float = 0.01,
        *,
        seed: int = 0,
        array_module: Any = np,
        max_batch_size: int = 4096,
        kernels: KernelSet | None = None,
    ) -> None:
        """Patches of `side` x `side` pixels; `hidden_sizes` are the widths between input and output, e.g. (64, 16, 64).

        `array_module` is NumPy, or CuPy with the device made current. `kernels` None takes the KernelManager's choice.
        Raises ValueError for a size below 1, an alpha outside 0..1, or a kernel set that lacks a required one.
        """
        for name, value in (
            ("side", side),
            ("max_batch_size", max_batch_size),
            *(("a width", h) for h in hidden_sizes),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not hidden_sizes or not 0.0 <= alpha <= 1.0:
            raise ValueError(f"needs a hidden layer and an alpha from 0 to 1, got {list(hidden_sizes)} and {alpha}")
        self.kernels = KernelManager().get_optimized_kernels() if kernels is None else kernels
        missing = self.kernels.missing(self.required_kernels())
        if missing:
            raise ValueError(f"kernel set {self.kernels.name!r} lacks {', '.join(missing)}, which this model needs")
        self._multiply = self.kernels.functions["launch_matrix_multiply_rtx5090"]
        self._elementwise = self.kernels.functions["launch_elementwise_rtx5090"]
        self._reduce = self.kernels.functions["launch_reduce_rtx5090"]
        self.side, self.alpha, self.max_batch_size = side, float(alpha), max_batch_size
        self.layer_sizes: tuple[int, ...] = (CHANNELS * side**2, *hidden_sizes, CHANNELS * side**2)
        self._layers = range(len(self.layer_sizes) - 1)
        self._xp = array_module
        self._draw_parameters(seed)
        self._allocate()
        # The rows of the batch whose step the buffers hold; None when they hold no whole step.
        self._tapped: int | None = None
        self._hyper_parameters: dict[str, float] = {}

    def _draw_parameters(self, seed: int) -> None:
        """Xavier uniform, limit sqrt(6 / (fan_in + fan_out)), drawn on the host; biases zero."""
        draw = np.random.default_rng(seed)
        self._weights: list[DeviceArray] = []
        self._biases: list[DeviceArray] = []
        for fan_in, fan_out in itertools.pairwise(self.layer_sizes):
            limit = (6.0 / (fan_in + fan_out)) ** 0.5
            weight = draw.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)
            self._weights.append(self._xp.asarray(weight))
            self._biases.append(self._xp.zeros(fan_out, dtype=np.float32))

    def _allocate(self) -> None:
        def buffers() -> list[DeviceArray]:
            return [self._xp.zeros((self.max_batch_size, size), dtype=np.float32) for size in self.layer_sizes[1:]]

        self._outputs, self._gradients = buffers(), buffers()
        self._weight_gradients = [self._xp.zeros_like(weight) for weight in self._weights]
        self._bias_gradients = [self._xp.zeros_like(bias) for bias in self._biases]
        self._clipped = self._xp.zeros(max(weight.size for weight in self._weights), dtype=np.float32)
        self._squares = self._xp.zeros((self.max_batch_size, self.layer_sizes[-1]), dtype=np.float32)
        # A row of ones makes a bias's gradient a matrix product: the sum over the batch, in a fixed order.
        self._ones = self._xp.ones((1, self.max_batch_size), dtype=np.float32)
        self._loss_sum = self._xp.zeros(1, dtype=np.float32)

    def forward(self, x: DeviceArray) -> DeviceArray:
        rows = self._rows("x", x)
        self._tapped = None
        current = x
        for i in self._layers:
            output = self._outputs[i][:rows]
            self._multiply(current, self._weights[i], output)
            self._elementwise(output, self._biases[i], output, "add_bias")
            if i < self._layers[-1]:
                self._elementwise(output, None, output, "activate", scalar=self.alpha)
            current = output
        return current

    def backward(
        self, x: DeviceArray, y: DeviceArray, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> DeviceArray:
        """As in BaseModel. The gradient of the output is 2 (output - y) / B, as the kernel has it."""
        rows = self._rows("x", x)
        if self._rows("y", y) != rows:
            raise ValueError(f"x has shape {x.shape}, y {y.shape}")
        output = self.forward(x)
        gradient = self._gradients[-1][:rows]
        self._elementwise(output, y, gradient, "mse_gradient", scalar=float(rows))
        for i in reversed(self._layers):
            below = self._outputs[i - 1][:rows] if i else x
            self._multiply(below.T, gradient, self._weight_gradients[i])
            self._multiply(self._ones[:, :rows], gradient, self._bias_gradients[i].reshape(1, -1))
            if i:
                passed_on = self._gradients[i - 1][:rows]
                self._multiply(gradient, self._weights[i].T, passed_on)
                # An activated output has the sign of what it was before its activation.
                self._elementwise(passed_on, below, passed_on, "activate_backward", scalar=self.alpha)
                gradient = passed_on
        for parameters, gradients in ((self._weights, self._weight_gradients), (self._biases, self._bias_gradients)):
            for parameter, raw in zip(parameters, gradients, strict=True):
                clipped = self._clipped[: raw.size].reshape(raw.shape)
                self._elementwise(raw, None, clipped, "clip", scalar=grad_clip_norm)
                self._elementwise(clipped, None, parameter, "update", scalar=learning_rate)
        self._hyper_parameters = {"learning_rate": float(learning_rate), "grad_clip_norm": float(grad_clip_norm)}
        self._tapped = rows
        return output

    def loss(self, output: DeviceArray, y: DeviceArray) -> float:
        """Mean squared error over all pixels and channels."""
        rows = self._rows("output", output)
        if self._rows("y", y) != rows:
            raise ValueError(f"output has shape {output.shape}, y {y.shape}")
        squares = self._squares[:rows]
        self._elementwise(output, y, squares, "mse_loss")
        self._loss_sum.fill(0.0)
        self._reduce(squares, self._loss_sum)
        return float(self._loss_sum.item()) / int(squares.size)

    def get_optimizer_state(self) -> OptimizerState:
        """Plain SGD: no arrays; the last step's `learning_rate` and `grad_clip_norm`."""
        return OptimizerState("sgd", dict(self._hyper_parameters))

    def state(self) -> dict[str, HostArray]:
        return {name: self._on_host(parameter) for name, parameter in self._parameters().items()}

    def load_state(self, state: Mapping[str, HostArray]) -> None:
        parameters = self._parameters()
        if state.keys() != parameters.keys():
            raise ValueError(f"the state has {sorted(state)}; this model has {list(parameters)}")
        for name, parameter in parameters.items():
            entry = state[name]
            if not isinstance(entry, np.ndarray) or entry.dtype != np.float32 or entry.shape != parameter.shape:
                given = f"{getattr(entry, 'dtype', type(entry).__name__)} of shape {np.shape(entry)}"
                raise ValueError(f"state entry {name} is {given}, this model has float32 of shape {parameter.shape}")
        self._tapped = None
        for name, parameter in parameters.items():
            parameter[...] = self._xp.asarray(state[name])

    def required_kernels(self) -> frozenset[str]:
        return REQUIRED_KERNELS

    def taps(self) -> dict[str, DeviceArray]:
        """Names, order and shapes as the text autoencoder's: `forward.layer{i}.output`, `backward.layer{i}.…` from the
        last layer to the first, `update.layer{i}.…`. Raises RuntimeError when the buffers hold no whole step."""
        if self._tapped is None:
            raise RuntimeError("no training step to tap: call train_step first (forward and load_state end it)")
        rows = self._tapped
        named: dict[str, DeviceArray] = {f"forward.layer{i}.output": self._outputs[i][:rows] for i in self._layers}
        for i in reversed(self._layers):
            named[f"backward.layer{i}.activation_grad"] = self._gradients[i][:rows]
            named[f"backward.layer{i}.weight_grad"] = self._weight_gradients[i]
            named[f"backward.layer{i}.bias_grad"] = self._bias_gradients[i]
        for i in self._layers:
            named[f"update.layer{i}.weight"], named[f"update.layer{i}.bias"] = self._weights[i], self._biases[i]
        return named

    def close(self) -> None:
        """Lets go of the buffers; the model can compute no more, and still has its state."""
        self._tapped = None
        self._outputs, self._gradients, self._weight_gradients, self._bias_gradients = [], [], [], []
        self._clipped = self._squares = self._ones = self._loss_sum = None

    def _parameters(self) -> dict[str, DeviceArray]:
        named: dict[str, DeviceArray] = {}
        for i in self._layers:
            named[f"weight_{i}"], named[f"bias_{i}"] = self._weights[i], self._biases[i]
        return named

    def _rows(self, name: str, batch: DeviceArray) -> int:
        """B of a (B, F) float32 batch. Raises ValueError for anything else, RuntimeError after `close`."""
        length = self.layer_sizes[0]
        if batch.ndim != 2 or batch.shape[1] != length or batch.dtype != np.float32:
            raise ValueError(f"{name} must be float32 of shape (batch, {length}), got {batch.dtype} of {batch.shape}")
        if not 1 <= batch.shape[0] <= self.max_batch_size:
            raise ValueError(f"{name} has a batch of {batch.shape[0]}, the buffers hold 1 to {self.max_batch_size}")
        if not self._outputs:
            raise RuntimeError("close() was called: this model has no buffers any more")
        return int(batch.shape[0])

    def _on_host(self, array: DeviceArray) -> HostArray:
        host: HostArray = array.get() if hasattr(array, "get") else np.array(array)
        return host
