"""GPUTextAutoencoder: a fully connected autoencoder whose every step is a launch of a legacy kernel.

Same public names, arithmetic, launch geometry and files as the legacy training code, with its backward pass fixed in
place: the older passes applied no gradient (or a wrong one), these apply the one that starts from
`2 (y - t) / batch` at the output.
On CUDA the arrays are CuPy's; on 'cpu' they are NumPy's and each kernel's NumPy twin runs.

Legend: B batch, L layers (weight matrices), sizes[i] and sizes[i + 1] the inputs and outputs of layer i. All arrays are
float32. "Device array" means a CuPy array on CUDA and a NumPy array on 'cpu'.
"""

from __future__ import annotations

import importlib
import math
import os
from typing import Any

import numpy as np

from .checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from .matrix_kernels import launch_elementwise_rtx5090, launch_matrix_multiply_rtx5090, launch_reduce_rtx5090


def _cuda_device_count() -> tuple[int, str]:
    """How many CUDA devices CuPy can use, and if none, why."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return 0, f"CuPy is not installed or cannot be loaded ({error})"
    try:
        return int(cupy.cuda.runtime.getDeviceCount()), "CuPy sees no CUDA device"
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return 0, f"the CUDA runtime answers: {error}"


def _resolve_device(device: str | None) -> str:
    """'cpu' or 'cuda:N'. Raises ValueError for another text, or a CUDA device that cannot be used."""
    if device == "cpu":
        return "cpu"
    count, reason = _cuda_device_count()
    if device is None:
        return "cuda:0" if count else "cpu"
    kind, _, number = str(device).partition(":")
    if kind != "cuda" or (number and not number.isdecimal()) or str(device) == "cuda:":
        raise ValueError(f"unknown device {device!r}: use 'cpu', 'cuda:0', 'cuda:1', … or None")
    if int(number or 0) >= count:
        raise ValueError(f"device {device!r} cannot be used: {reason if count == 0 else f'there are {count} devices'}")
    return f"cuda:{int(number or 0)}"


class GPUTextAutoencoder:
    """The legacy model, its buffers, its training step.

    Buffers are allocated once, at construction; a step in the steady state allocates nothing. After `backward_gpu_safe`
    they hold the step's intermediate values, valid in rows [:B] until the next call:

    - `layer_inputs[i]` (max_batch_size, sizes[i]): the saved input of layer i
    - `layer_outputs[i]` (max_batch_size, sizes[i + 1]): the output of layer i, after its activation if it has one
    - `gradients[i + 1]` (max_batch_size, sizes[i + 1]): the gradient at layer i's output, after the activation's
      derivative; `gradients[0]` is not part of the backward pass and is scratch of the loss
    - `weight_gradients[i]` (sizes[i], sizes[i + 1]), `bias_gradients[i]` (sizes[i + 1],): raw, before clipping
    - `weights_gpu[i]`, `biases_gpu[i]`: after the update
    """

    def __init__(
        self,
        vector_length: int,
        hidden_layer_count: int,
        bottleneck_size: int,
        alpha: float = 0.01,
        *,
        seed: int | None = None,
        device: str | None = None,
        max_batch_size: int = 4096,
    ) -> None:
        """`alpha` is LeakyReLU's slope below zero, 0 to 1. `seed` None draws from NumPy's global generator.

        `device`: 'cpu', 'cuda:N', or None for 'cuda:0' where it can be used and 'cpu' elsewhere. Raises ValueError for
        a size below 1, an alpha outside 0..1, an unknown or unusable device.
        """
        for name, value in (
            ("vector_length", vector_length),
            ("hidden_layer_count", hidden_layer_count),
            ("bottleneck_size", bottleneck_size),
            ("max_batch_size", max_batch_size),
        ):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0.0 <= alpha <= 1.0:
            # Elsewhere max(alpha * x, x) has other signs than x, and the derivative by the output's sign is wrong.
            raise ValueError(f"alpha must be from 0 to 1, got {alpha}")
        self.vector_length = vector_length
        self.hidden_layer_count = hidden_layer_count
        self.bottleneck_size = bottleneck_size
        self.alpha = alpha
        self.seed = seed
        self.max_batch_size = max_batch_size
        self.device = _resolve_device(device)
        self._xp: Any = np
        if self.device != "cpu":
            self._xp = importlib.import_module("cupy")
            self._xp.cuda.Device(int(self.device.partition(":")[2])).use()
        self.layer_sizes = self._calculate_layer_sizes()
        self._initialize_weights_on_gpu()
        self._allocate_gpu_memory()

    def _calculate_layer_sizes(self) -> list[int]:
        """Sizes from input to output: even reductions down to the bottleneck, then the mirror of the encoder."""
        reduction = math.ceil((self.vector_length - self.bottleneck_size) / self.hidden_layer_count)
        encoder = [self.vector_length]
        for _ in range(self.hidden_layer_count):
            encoder.append(max(encoder[-1] - reduction, self.bottleneck_size))
            if encoder[-1] == self.bottleneck_size:
                break
        if encoder[-1] != self.bottleneck_size:
            encoder.append(self.bottleneck_size)
        return encoder + encoder[-2:0:-1] + [self.vector_length]

    def _initialize_weights_on_gpu(self) -> None:
        """Xavier uniform, limit sqrt(6 / (fan_in + fan_out)), drawn on the host layer by layer; biases zero."""
        generator: Any = np.random if self.seed is None else np.random.RandomState(self.seed)
        self.weights_gpu: list[Any] = []
        self.biases_gpu: list[Any] = []
        for fan_in, fan_out in zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True):
            limit = np.sqrt(6.0 / (fan_in + fan_out))
            weights = generator.uniform(-limit, limit, (fan_in, fan_out)).astype(np.float32)
            self.weights_gpu.append(self._xp.asarray(weights))
            self.biases_gpu.append(self._xp.zeros(fan_out, dtype=np.float32))

    def _allocate_gpu_memory(self) -> None:
        """All buffers of a step: outputs, inputs and gradients for every layer size, and the parameters' gradients."""
        rows = self.max_batch_size

        def buffers() -> list[Any]:
            return [self._xp.zeros((rows, size), dtype=np.float32) for size in self.layer_sizes]

        outputs, self.layer_inputs, self.gradients = buffers(), buffers(), buffers()
        # The first of the outputs belongs to no layer, nor does the last of the inputs: host batches are staged there.
        self._staged_input, self.layer_outputs = outputs[0], outputs[1:]
        self._staged_target = self.layer_inputs[-1]
        self.weight_gradients = [self._xp.zeros_like(weights) for weights in self.weights_gpu]
        self.bias_gradients = [self._xp.zeros_like(biases) for biases in self.biases_gpu]
        # A row of ones makes the bias gradient a matrix product: deterministic, and no further kernel.
        self._ones = self._xp.ones((1, rows), dtype=np.float32)
        # Clipped gradients go here, so that the raw ones survive the step; one buffer serves all layers in turn.
        self._clipped = self._xp.zeros(max(weights.size for weights in self.weights_gpu), dtype=np.float32)
        self._loss_sum = self._xp.zeros(1, dtype=np.float32)

    def _count_parameters(self) -> int:
        """The number of weights and biases."""
        return sum(int(array.size) for array in (*self.weights_gpu, *self.biases_gpu))

    def _check_batch(self, name: str, batch: Any) -> int:
        """The batch size of a (B, vector_length) float32 batch. Raises ValueError for anything else."""
        if batch.ndim != 2 or batch.shape[1] != self.vector_length or batch.dtype != np.float32:
            raise ValueError(
                f"{name} must be float32 of shape (batch, {self.vector_length}), got {batch.dtype} of {batch.shape}"
            )
        if batch.shape[0] > self.max_batch_size:
            raise ValueError(
                f"{name} has a batch of {batch.shape[0]} samples, the buffers hold {self.max_batch_size}: "
                "use smaller batches or a larger max_batch_size"
            )
        if batch.shape[0] == 0:
            raise ValueError(f"{name} is empty")
        if not self.layer_outputs:
            raise RuntimeError("cleanup_gpu_memory() was called: this model has no buffers any more")
        return int(batch.shape[0])

    def forward_gpu(self, input_batch_gpu: Any) -> Any:
        """The output for a device array (B, vector_length): a view of a buffer that the next call overwrites.

        Raises ValueError for another shape or dtype, or a batch larger than `max_batch_size`.
        """
        batch = self._check_batch("input", input_batch_gpu)
        current = input_batch_gpu
        last = len(self.weights_gpu) - 1
        for i, (weights, biases) in enumerate(zip(self.weights_gpu, self.biases_gpu, strict=True)):
            saved, output = self.layer_inputs[i][:batch], self.layer_outputs[i][:batch]
            launch_elementwise_rtx5090(current, None, saved, "copy")
            launch_matrix_multiply_rtx5090(saved, weights, output)
            launch_elementwise_rtx5090(output, biases, output, "add_bias")
            if i < last:
                launch_elementwise_rtx5090(output, None, output, "activate", scalar=self.alpha)
            current = output
        return current

    def backward_gpu(self, input_gpu: Any, target_gpu: Any, learning_rate: float, grad_clip_norm: float = 1.0) -> None:
        """One training step on device arrays (B, vector_length): forward, gradients of all layers, clip, update.

        The gradient of the output is 2 (y - t) / B: by the batch only, so it is `vector_length` times the gradient of
        the reported loss. `grad_clip_norm` limits each *element* to [-c, +c], whatever its name says. All gradients
        are those of the weights before the update. Raises ValueError as `forward_gpu` does.
        """
        if self._check_batch("target", target_gpu) != self._check_batch("input", input_gpu):
            raise ValueError(f"input has shape {input_gpu.shape}, target {target_gpu.shape}")
        output = self.forward_gpu(input_gpu)
        batch = output.shape[0]
        gradient = self.gradients[-1][:batch]
        launch_elementwise_rtx5090(output, target_gpu, gradient, "mse_gradient", scalar=float(batch))
        for i in reversed(range(len(self.weights_gpu))):
            saved = self.layer_inputs[i][:batch]
            launch_matrix_multiply_rtx5090(saved.T, gradient, self.weight_gradients[i])
            launch_matrix_multiply_rtx5090(self._ones[:, :batch], gradient, self.bias_gradients[i].reshape(1, -1))
            if i > 0:
                below = self.gradients[i][:batch]
                launch_matrix_multiply_rtx5090(gradient, self.weights_gpu[i].T, below)
                # The saved input is the layer below's activated output; its sign is that of the pre-activation.
                launch_elementwise_rtx5090(below, saved, below, "activate_backward", scalar=self.alpha)
                gradient = below
        for i in range(len(self.weights_gpu)):
            self._clip_and_update(self.weights_gpu[i], self.weight_gradients[i], learning_rate, grad_clip_norm)
            self._clip_and_update(self.biases_gpu[i], self.bias_gradients[i], learning_rate, grad_clip_norm)

    def backward_gpu_safe(
        self, input_gpu: Any, target_gpu: Any, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> None:
        """The same training step as `backward_gpu`; both names are part of the legacy interface."""
        self.backward_gpu(input_gpu, target_gpu, learning_rate, grad_clip_norm)

    def _clip_and_update(self, parameter: Any, gradient: Any, learning_rate: float, limit: float) -> None:
        clipped = self._clipped[: parameter.size].reshape(parameter.shape)
        launch_elementwise_rtx5090(gradient, None, clipped, "clip", scalar=limit)
        launch_elementwise_rtx5090(clipped, None, parameter, "update", scalar=learning_rate)

    def mse_loss_gpu(self, output_gpu: Any, target_gpu: Any) -> float:
        """mean((y - t)^2) over all elements of two device arrays (B, vector_length). Leaves all taps alone.

        Raises ValueError as `forward_gpu` does.
        """
        batch = self._check_batch("output", output_gpu)
        if self._check_batch("target", target_gpu) != batch:
            raise ValueError(f"output has shape {output_gpu.shape}, target {target_gpu.shape}")
        squares = self.gradients[0][:batch]
        launch_elementwise_rtx5090(output_gpu, target_gpu, squares, "mse_loss")
        self._loss_sum.fill(0.0)
        launch_reduce_rtx5090(squares, self._loss_sum)
        return float(self._loss_sum.item()) / int(squares.size)

    def _stage(self, buffer: Any, name: str, batch_cpu: np.ndarray) -> Any:
        """The host batch, in the pre-allocated `buffer`."""
        host = np.ascontiguousarray(batch_cpu, dtype=np.float32)
        staged = buffer[: self._check_batch(name, host)]
        if self.device == "cpu":
            np.copyto(staged, host)
        else:
            staged.set(host)
        return staged

    def train_batch_gpu(
        self, input_cpu: np.ndarray, target_cpu: np.ndarray, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> float:
        """One step on host arrays (B, vector_length); returns the loss *after* the update."""
        staged_input = self._stage(self._staged_input, "input", input_cpu)
        staged_target = self._stage(self._staged_target, "target", target_cpu)
        self.backward_gpu_safe(staged_input, staged_target, learning_rate, grad_clip_norm)
        return self.mse_loss_gpu(self.forward_gpu(staged_input), staged_target)

    def train_batch_gpu_efficient(
        self, input_cpu: np.ndarray, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> float:
        """One step towards the input itself, a host array (B, vector_length); the loss *after* the update."""
        staged = self._stage(self._staged_input, "input", input_cpu)
        return self.train_batch_gpu_only(staged, learning_rate, grad_clip_norm)

    def train_batch_gpu_only(self, input_gpu: Any, learning_rate: float, grad_clip_norm: float = 1.0) -> float:
        """One step towards the input itself, a device array (B, vector_length); the loss *after* the update."""
        self.backward_gpu_safe(input_gpu, input_gpu, learning_rate, grad_clip_norm)
        return self.mse_loss_gpu(self.forward_gpu(input_gpu), input_gpu)

    def predict_gpu(self, input_cpu: np.ndarray) -> np.ndarray:
        """The output for a host array (B, vector_length), as a new host array."""
        output = self.forward_gpu(self._stage(self._staged_input, "input", input_cpu))
        return np.array(output) if self.device == "cpu" else output.get()

    def get_weights_cpu(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Host copies of all weights (sizes[i], sizes[i + 1]) and biases (sizes[i + 1],), float32."""
        if self.device == "cpu":
            return [w.copy() for w in self.weights_gpu], [b.copy() for b in self.biases_gpu]
        return [w.get() for w in self.weights_gpu], [b.get() for b in self.biases_gpu]

    def set_weights_cpu(self, weights: list[np.ndarray], biases: list[np.ndarray]) -> None:
        """Copies host arrays into the parameters. Raises ValueError, and changes nothing, if any shape differs."""
        wanted = [array.shape for array in (*self.weights_gpu, *self.biases_gpu)]
        given = [np.shape(array) for array in (*weights, *biases)]
        if len(weights) != len(self.weights_gpu) or wanted != given:
            raise ValueError(f"this model has weights and biases of shapes {wanted}, got {given}")
        for parameter, values in zip((*self.weights_gpu, *self.biases_gpu), (*weights, *biases), strict=True):
            host = np.ascontiguousarray(values, dtype=np.float32)
            if self.device == "cpu":
                np.copyto(parameter, host)
            else:
                parameter.set(host)

    def save_checkpoint(
        self, path: str | os.PathLike[str], loss: float, epoch: int, parameters: dict[str, Any] | None = None
    ) -> None:
        """Writes the weights, biases, `loss`, `epoch` and, as JSON text, `parameters` to an .npz; see `checkpoints`."""
        weights, biases = self.get_weights_cpu()
        write_checkpoint(path, weights, biases, loss, epoch, parameters)

    def load_checkpoint(self, path: str | os.PathLike[str]) -> Checkpoint:
        """Loads an old or new .npz into this model and returns all that it holds.

        Raises ValueError for a damaged file, or one of another model (then nothing is changed).
        """
        checkpoint = read_checkpoint(path)
        try:
            self.set_weights_cpu(checkpoint.weights, checkpoint.biases)
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from None
        return checkpoint

    def cleanup_gpu_memory(self) -> None:
        """Lets go of all buffers (the weights stay) and returns CuPy's free blocks to the driver."""
        self.layer_inputs, self.layer_outputs, self.gradients = [], [], []
        self.weight_gradients, self.bias_gradients = [], []
        self._staged_input = self._staged_target = self._ones = self._clipped = self._loss_sum = None
        if self.device != "cpu":
            self._xp.get_default_memory_pool().free_all_blocks()
