"""GpuTextAutoencoder on BaseModel, at any rung of the ladder.

Each of its methods is a function of the table that `parts.assemble` makes for the rung: legacy's or BaseModel's own. On
one device the results are bit-equal to the legacy model's at every rung, and so is the sequence of allocations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from basemodel.base import BaseModel, DeviceArray, HostArray, OptimizerState
from basemodel.checkpoints import Checkpoint
from basemodel.devices import array_module
from basemodel.own_parts import OWN, named
from basemodel.parts import HyperParameters, Parts, Workspace, assemble
from basemodel.rungs import METHODS, Selection, check_selection, methods_of
from kernels.manager import KernelManager, KernelSet

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
        rung: str = "wrapper",
        methods: Selection | None = None,
        own: Parts = OWN,
    ) -> None:
        """The legacy model's parameters, and the kernels to use (None: `KernelManager().get_optimized_kernels()`).

        `rung` says which methods are BaseModel's own; `methods`, where given, says it one by one in its place. `own`
        are the functions that these are. Raises ValueError for an unknown rung or a selection that cannot run; when
        `kernels` lacks a required one; and where the legacy model does: a size below 1, an alpha outside 0..1, an
        unknown or unusable device.
        """
        self.methods = methods_of(rung) if methods is None else check_selection(methods)
        self.kernels = KernelManager().get_optimized_kernels() if kernels is None else kernels
        missing = self.kernels.missing(self.required_kernels())
        if missing:
            raise ValueError(f"kernel set {self.kernels.name!r} lacks {', '.join(missing)}, which this model needs")
        asked = HyperParameters(
            vector_length, hidden_layer_count, bottleneck_size, alpha, seed, device, max_batch_size
        )  # fmt: skip
        self._parts = parts = assemble(self.methods, own)
        self._workspace = workspace = Workspace(parts, asked)
        workspace.hyper = parts.hyper_parameters(workspace)
        workspace.device = self.device = str(workspace.hyper.device)
        workspace.xp = array_module(self.device)
        workspace.layer_sizes = self.layer_sizes = tuple(parts.layer_sizes(workspace))
        workspace.launches = parts.kernels(self.kernels)
        parts.initialisation(workspace)
        parts.allocation(workspace)
        # The batch size of the step whose arrays the buffers hold; None when they hold no whole step.
        self._tapped_batch: int | None = None
        self._hyper_parameters: dict[str, float] = {}

    def source(self, method: str) -> str:
        """The function that runs as `method` and the rung it belongs to, for people to look it up."""
        if method not in self.methods:
            return f"{METHODS[method].replaces} (rung wrapper)"
        function = getattr(self._parts, method)
        return f"{function.__module__}.{function.__qualname__} (rung {METHODS[method].rung})"

    def parameter_count(self) -> int:
        """The number of weights and biases."""
        return self._parts.parameter_count(self._workspace)

    def forward(self, x: DeviceArray) -> DeviceArray:
        self._tapped_batch = None
        return self._parts.forward(self._workspace, x)

    def predict(self, batch: HostArray) -> HostArray:
        """The output (B, F) for a host array (B, F), as a new host array. Raises as `forward` does."""
        self._tapped_batch = None
        return self._parts.predict(self._workspace, batch)

    def backward(
        self, x: DeviceArray, y: DeviceArray, learning_rate: float, grad_clip_norm: float = 1.0
    ) -> DeviceArray:
        self._tapped_batch = None
        self._parts.backward(self._workspace, x, y, learning_rate, grad_clip_norm)
        self._hyper_parameters = {"learning_rate": float(learning_rate), "grad_clip_norm": float(grad_clip_norm)}
        self._tapped_batch = int(x.shape[0])
        return self._workspace.layer_outputs[-1][: self._tapped_batch]

    def loss(self, output: DeviceArray, y: DeviceArray) -> float:
        """Mean squared error over all elements, mean((output - y)^2)."""
        return self._parts.loss(self._workspace, output, y)

    def get_optimizer_state(self) -> OptimizerState:
        """Plain SGD: no arrays; the last step's `learning_rate` and `grad_clip_norm`."""
        return OptimizerState(name="sgd", hyper_parameters=dict(self._hyper_parameters))

    def state(self) -> dict[str, HostArray]:
        return named(self._parts.get_weights(self._workspace))

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
        self._parts.set_weights(
            self._workspace,
            [state[f"weight_{i}"] for i in range(count)],
            [state[f"bias_{i}"] for i in range(count)],
        )

    def save_checkpoint(self, path: Path, loss: float, epoch: int, parameters: Mapping[str, Any]) -> None:
        """Writes the file in one piece, in the format of its suffix, .npz or .safetensors; raises as
        `checkpoints.write_checkpoint` does."""
        self._parts.save_checkpoint(self._workspace, path, loss, epoch, parameters)

    def load_checkpoint(self, path: Path) -> Checkpoint:
        """Loads such a file and returns what it held; raises as `checkpoints.read_checkpoint` does, and ValueError for
        the file of another model; then nothing is changed."""
        self._tapped_batch = None
        return self._parts.load_checkpoint(self._workspace, path)

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
        arrays, batch, layers = self._workspace, self._tapped_batch, range(len(self.layer_sizes) - 1)
        taps: dict[str, DeviceArray] = {f"forward.layer{i}.output": arrays.layer_outputs[i][:batch] for i in layers}
        for i in reversed(layers):
            taps[f"backward.layer{i}.activation_grad"] = arrays.gradients[i + 1][:batch]
            taps[f"backward.layer{i}.weight_grad"] = arrays.weight_gradients[i]
            taps[f"backward.layer{i}.bias_grad"] = arrays.bias_gradients[i]
        for i in layers:
            taps[f"update.layer{i}.weight"] = arrays.weights[i]
            taps[f"update.layer{i}.bias"] = arrays.biases[i]
        return taps

    def close(self) -> None:
        """Lets go of the buffers; the model can compute no more."""
        self._tapped_batch = None
        self._parts.cleanup(self._workspace)

    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for i, (fan_in, fan_out) in enumerate(zip(self.layer_sizes[:-1], self.layer_sizes[1:], strict=True)):
            shapes[f"weight_{i}"] = (fan_in, fan_out)
            shapes[f"bias_{i}"] = (fan_out,)
        return shapes
