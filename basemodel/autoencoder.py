"""GpuTextAutoencoder on BaseModel. First rung, 'wrapper': every method calls the legacy object, which is unchanged.

Later rungs move one method after another here, onto the kernels of the KernelSet. Until then the legacy object launches
its own copy of the same kernels, and results are bit-equal to it on one device.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from basemodel.base import BaseModel, DeviceArray, HostArray, OptimizerState
from kernels.manager import KernelManager, KernelSet
from legacy.gpu_text_autoencoder import GPUTextAutoencoder

REQUIRED_KERNELS = frozenset(
    {
        "gpu_add_bias",
        "gpu_copy_array",
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


class GpuTextAutoencoder(BaseModel):
    """The text autoencoder. Parameters are named weight_0 (sizes[0], sizes[1]), bias_0 (sizes[1],), weight_1, …"""

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
        kernels: KernelSet | None = None,
    ) -> None:
        """The legacy model's parameters, and the kernels to use (None: `KernelManager().get_optimized_kernels()`).

        Raises ValueError when `kernels` lacks a required one, and where the legacy model does: a size below 1, an alpha
        outside 0..1, an unknown or unusable device.
        """
        self.kernels = KernelManager().get_optimized_kernels() if kernels is None else kernels
        missing = self.kernels.missing(self.required_kernels())
        if missing:
            raise ValueError(f"kernel set {self.kernels.name!r} lacks {', '.join(missing)}, which this model needs")
        self._legacy = GPUTextAutoencoder(
            vector_length,
            hidden_layer_count,
            bottleneck_size,
            alpha,
            seed=seed,
            device=device,
            max_batch_size=max_batch_size,
        )
        self.device: str = self._legacy.device
        self.layer_sizes: tuple[int, ...] = tuple(self._legacy.layer_sizes)
        # The batch size of the step whose arrays the buffers hold; None when they hold no whole step.
        self._tapped_batch: int | None = None
        self._hyper_parameters: dict[str, float] = {}

    def forward(self, x: DeviceArray) -> DeviceArray:
        self._tapped_batch = None
        return self._legacy.forward_gpu(x)

    def backward(
        self, x: DeviceArray, y: DeviceArray, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> DeviceArray:
        self._tapped_batch = None
        self._legacy.backward_gpu_safe(x, y, learning_rate, grad_clip_norm)
        self._hyper_parameters = {"learning_rate": float(learning_rate), "grad_clip_norm": float(grad_clip_norm)}
        self._tapped_batch = int(x.shape[0])
        return self._legacy.layer_outputs[-1][: self._tapped_batch]

    def loss(self, output: DeviceArray, y: DeviceArray) -> float:
        """Mean squared error over all elements, mean((output - y)^2)."""
        return self._legacy.mse_loss_gpu(output, y)

    def get_optimizer_state(self) -> OptimizerState:
        """Plain SGD: no arrays; the last step's `learning_rate` and `grad_clip_norm`."""
        return OptimizerState(name="sgd", hyper_parameters=dict(self._hyper_parameters))

    def state(self) -> dict[str, HostArray]:
        weights, biases = self._legacy.get_weights_cpu()
        named: dict[str, HostArray] = {}
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            named[f"weight_{i}"] = weight
            named[f"bias_{i}"] = bias
        return named

    def load_state(self, state: Mapping[str, HostArray]) -> None:
        shapes = self._parameter_shapes()
        missing = [name for name in shapes if name not in state]
        extra = sorted(name for name in state if name not in shapes)
        if missing or extra:
            raise ValueError(f"state does not fit this model: missing {missing}, not known {extra}")
        for name, shape in shapes.items():
            entry = state[name]
            if not isinstance(entry, np.ndarray) or entry.dtype != np.float32 or entry.shape != shape:
                given = f"{getattr(entry, 'dtype', type(entry).__name__)} of shape {np.shape(entry)}"
                raise ValueError(f"state entry {name} is {given}, this model has float32 of shape {shape}")
        count = len(self.layer_sizes) - 1
        self._tapped_batch = None
        self._legacy.set_weights_cpu(
            [state[f"weight_{i}"] for i in range(count)], [state[f"bias_{i}"] for i in range(count)]
        )

    def required_kernels(self) -> frozenset[str]:
        return REQUIRED_KERNELS

    def taps(self) -> dict[str, DeviceArray]:
        """`forward.layer{i}.output` (B, sizes[i + 1]), i ascending; then, from the last layer to the first,
        `backward.layer{i}.activation_grad` (B, sizes[i + 1]), `.weight_grad` (sizes[i], sizes[i + 1]) and `.bias_grad`
        (sizes[i + 1],), the latter two before clipping; then `update.layer{i}.weight` and `.bias`, i ascending.

        The output is after the layer's activation if it has one; the activation gradient is taken before it, and is
        scaled as the legacy output gradient 2 (y - t) / B is. Raises RuntimeError when the buffers do not
        hold one whole step.
        """
        if self._tapped_batch is None:
            raise RuntimeError("no training step to tap: call train_step first (forward and load_state end it)")
        model, batch, layers = self._legacy, self._tapped_batch, range(len(self.layer_sizes) - 1)
        named: dict[str, DeviceArray] = {f"forward.layer{i}.output": model.layer_outputs[i][:batch] for i in layers}
        for i in reversed(layers):
            named[f"backward.layer{i}.activation_grad"] = model.gradients[i + 1][:batch]
            named[f"backward.layer{i}.weight_grad"] = model.weight_gradients[i]
            named[f"backward.layer{i}.bias_grad"] = model.bias_gradients[i]
        for i in layers:
            named[f"update.layer{i}.weight"] = model.weights_gpu[i]
            named[f"update.layer{i}.bias"] = model.biases_gpu[i]
        return named

    def close(self) -> None:
        """Lets go of the buffers; the model can compute no more."""
        self._tapped_batch = None
        self._legacy.cleanup_gpu_memory()

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (fan_in, fan_out) in enumerate(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True)):
            shapes[f"weight_{i}"] = (fan_in, fan_out)
            shapes[f"bias_{i}"] = (fan_out,)
        return shapes
