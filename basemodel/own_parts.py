"""Every method of the ladder as BaseModel does it: the arithmetic, launches and allocations of the legacy methods, bit
for bit, with nothing of `legacy` imported.

Legend: B batch, K and N a layer's inputs and outputs. What each function takes and gives: `parts.Parts`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from basemodel.base import DeviceArray, HostArray
from basemodel.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from basemodel.devices import resolve_device
from basemodel.parts import HyperParameters, Launches, Parts, Weights, Workspace
from kernels.manager import KernelSet

# --- configuration ----------------------------------------------------------------------------------------------------


def hyper_parameters(workspace: Workspace) -> HyperParameters:
    asked = workspace.hyper
    for name in ("vector_length", "hidden_layer_count", "bottleneck_size", "max_batch_size"):
        if getattr(asked, name) < 1:
            raise ValueError(f"{name} must be at least 1, got {getattr(asked, name)}")
    if not 0.0 <= asked.alpha <= 1.0:
        # Elsewhere max(alpha * x, x) has other signs than x, and the derivative by the output's sign is wrong.
        raise ValueError(f"alpha must be from 0 to 1, got {asked.alpha}")
    return replace(asked, device=resolve_device(asked.device))


def layer_sizes(workspace: Workspace) -> Sequence[int]:
    """Even reductions down to the bottleneck, which may be wider than the input; then the encoder's mirror."""
    hyper = workspace.hyper
    bottleneck = hyper.bottleneck_size
    reduction = math.ceil((hyper.vector_length - bottleneck) / hyper.hidden_layer_count)
    encoder = [hyper.vector_length]
    for _ in range(hyper.hidden_layer_count):
        encoder.append(max(encoder[-1] - reduction, bottleneck))
        if encoder[-1] == bottleneck:
            break
    if encoder[-1] != bottleneck:
        encoder.append(bottleneck)
    return [*encoder, *encoder[-2:0:-1], hyper.vector_length]


def parameter_count(workspace: Workspace) -> int:
    return sum((inputs + 1) * outputs for inputs, outputs in itertools.pairwise(workspace.layer_sizes))


# --- utilities --------------------------------------------------------------------------------------------------------


def predict(workspace: Workspace, batch: HostArray) -> HostArray:
    host = np.ascontiguousarray(batch, dtype=np.float32)
    staged = workspace.staged_input[: workspace.parts.bounds(workspace, "input", host)]
    _copy_in(workspace, staged, host)
    return _copy_out(workspace, workspace.parts.forward(workspace, staged))


def get_weights(workspace: Workspace) -> Weights:
    return (
        [_copy_out(workspace, weight) for weight in workspace.weights],
        [_copy_out(workspace, bias) for bias in workspace.biases],
    )


def set_weights(workspace: Workspace, weights: Sequence[HostArray], biases: Sequence[HostArray]) -> None:
    parameters, values = (*workspace.weights, *workspace.biases), (*weights, *biases)
    wanted, given = [array.shape for array in parameters], [np.shape(array) for array in values]
    if len(weights) != len(workspace.weights) or wanted != given:
        raise ValueError(f"this model has weights and biases of shapes {wanted}, got {given}")
    for parameter, value in zip(parameters, values, strict=True):
        _copy_in(workspace, parameter, np.ascontiguousarray(value, dtype=np.float32))


def save_checkpoint(workspace: Workspace, path: Path, loss: float, epoch: int, parameters: Mapping[str, Any]) -> None:
    write_checkpoint(path, named(workspace.parts.get_weights(workspace)), loss, epoch, parameters)


def load_checkpoint(workspace: Workspace, path: Path) -> Checkpoint:
    checkpoint = read_checkpoint(path)
    layers = range(len(checkpoint.state) // 2)  # the reader has seen to it that none is missing
    weights, biases = [checkpoint.state[f"weight_{i}"] for i in layers], [checkpoint.state[f"bias_{i}"] for i in layers]
    try:
        workspace.parts.set_weights(workspace, weights, biases)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return checkpoint


def named(parameters: Weights) -> dict[str, HostArray]:
    """weight_0, bias_0, weight_1, …"""
    state: dict[str, HostArray] = {}
    for i, (weight, bias) in enumerate(zip(*parameters, strict=True)):
        state[f"weight_{i}"], state[f"bias_{i}"] = weight, bias
    return state


def _copy_in(workspace: Workspace, array: DeviceArray, host: HostArray) -> None:
    if workspace.device == "cpu":
        np.copyto(array, host)
    else:
        array.set(host)


def _copy_out(workspace: Workspace, array: DeviceArray) -> HostArray:
    host: HostArray = array.copy() if workspace.device == "cpu" else array.get()
    return host


# --- forward ----------------------------------------------------------------------------------------------------------


def forward(workspace: Workspace, x: DeviceArray) -> DeviceArray:
    """y = leaky(x @ W + b), layer by layer; the last one without the activation."""
    batch, launch = workspace.parts.bounds(workspace, "input", x), workspace.launch
    current, last = x, len(workspace.weights) - 1
    for i, (weight, bias) in enumerate(zip(workspace.weights, workspace.biases, strict=True)):
        saved, output = workspace.layer_inputs[i][:batch], workspace.layer_outputs[i][:batch]
        launch.elementwise(current, None, saved, "copy")
        launch.matrix_multiply(saved, weight, output)
        launch.elementwise(output, bias, output, "add_bias")
        if i < last:
            launch.elementwise(output, None, output, "activate", scalar=workspace.hyper.alpha)
        current = output
    return current


def loss(workspace: Workspace, output: DeviceArray, target: DeviceArray) -> float:
    """mean((y - t)^2); its squares go where no gradient of the step lies."""
    batch, launch = workspace.parts.bounds(workspace, "output", output), workspace.launch
    if workspace.parts.bounds(workspace, "target", target) != batch:
        raise ValueError(f"output has shape {output.shape}, target {target.shape}")
    squares = workspace.gradients[0][:batch]
    launch.elementwise(output, target, squares, "mse_loss")
    workspace.loss_sum.fill(0.0)
    launch.reduce(squares, workspace.loss_sum)
    return float(workspace.loss_sum.item()) / int(squares.size)


# --- backward ---------------------------------------------------------------------------------------------------------


def backward(workspace: Workspace, x: DeviceArray, target: DeviceArray, learning_rate: float, limit: float) -> None:
    """g = 2 (y - t) / B at the output; dW = X^T g, db = 1 g, then g = (g W^T) * leaky'(X), from the last layer down.

    Every gradient is of the weights before the update.
    """
    if workspace.parts.bounds(workspace, "target", target) != workspace.parts.bounds(workspace, "input", x):
        raise ValueError(f"input has shape {x.shape}, target {target.shape}")
    output, launch = workspace.parts.forward(workspace, x), workspace.launch
    batch = output.shape[0]
    gradient = workspace.gradients[-1][:batch]
    launch.elementwise(output, target, gradient, "mse_gradient", scalar=float(batch))
    for i in reversed(range(len(workspace.weights))):
        saved, bias_gradient = workspace.layer_inputs[i][:batch], workspace.bias_gradients[i]
        launch.matrix_multiply(saved.T, gradient, workspace.weight_gradients[i])
        launch.matrix_multiply(workspace.ones[:, :batch], gradient, bias_gradient.reshape(1, -1))
        if i > 0:
            below = workspace.gradients[i][:batch]
            launch.matrix_multiply(gradient, workspace.weights[i].T, below)
            # The saved input is the layer below's activated output; its sign is that of the pre-activation.
            launch.elementwise(below, saved, below, "activate_backward", scalar=workspace.hyper.alpha)
            gradient = below
    for weight, bias, weight_gradient, bias_gradient in zip(
        workspace.weights, workspace.biases, workspace.weight_gradients, workspace.bias_gradients, strict=True
    ):
        workspace.parts.update(workspace, weight, weight_gradient, learning_rate, limit)
        workspace.parts.update(workspace, bias, bias_gradient, learning_rate, limit)


def update(
    workspace: Workspace, parameter: DeviceArray, gradient: DeviceArray, learning_rate: float, limit: float
) -> None:
    """p = p - rate * clip(g, -limit, limit), element by element; the raw gradient stays for the taps."""
    clipped = workspace.clipped[: parameter.size].reshape(parameter.shape)
    workspace.launch.elementwise(gradient, None, clipped, "clip", scalar=limit)
    workspace.launch.elementwise(clipped, None, parameter, "update", scalar=learning_rate)


# --- memory -----------------------------------------------------------------------------------------------------------


def initialisation(workspace: Workspace) -> None:
    """Xavier uniform, limit sqrt(6 / (K + N)), drawn on the host by NumPy's legacy generator; biases zero."""
    seed, xp = workspace.hyper.seed, workspace.xp
    generator: Any = np.random if seed is None else np.random.RandomState(seed)
    workspace.weights, workspace.biases = [], []
    for inputs, outputs in itertools.pairwise(workspace.layer_sizes):
        limit = np.sqrt(6.0 / (inputs + outputs))
        weight = generator.uniform(-limit, limit, (inputs, outputs)).astype(np.float32)
        workspace.weights.append(xp.asarray(weight))
        workspace.biases.append(xp.zeros(outputs, dtype=np.float32))


def allocation(workspace: Workspace) -> None:
    """All buffers of a step, in the sizes and the order of the legacy model, so that a step allocates nothing."""
    rows, xp = workspace.hyper.max_batch_size, workspace.xp
    outputs, inputs, gradients = (
        [xp.zeros((rows, size), dtype=np.float32) for size in workspace.layer_sizes] for _ in range(3)
    )
    # The first of the outputs belongs to no layer, nor does the last of the inputs: host batches are staged there.
    workspace.staged_input, workspace.layer_outputs = outputs[0], outputs[1:]
    workspace.staged_target, workspace.layer_inputs = inputs[-1], inputs
    workspace.gradients = gradients
    workspace.weight_gradients = [xp.zeros_like(weight) for weight in workspace.weights]
    workspace.bias_gradients = [xp.zeros_like(bias) for bias in workspace.biases]
    # A row of ones makes the bias gradient a matrix product: deterministic, and no further kernel.
    workspace.ones = xp.ones((1, rows), dtype=np.float32)
    workspace.clipped = xp.zeros(max(weight.size for weight in workspace.weights), dtype=np.float32)
    workspace.loss_sum = xp.zeros(1, dtype=np.float32)


def bounds(workspace: Workspace, name: str, batch: DeviceArray) -> int:
    features, rows = workspace.hyper.vector_length, workspace.hyper.max_batch_size
    if batch.ndim != 2 or batch.shape[1] != features or batch.dtype != np.float32:
        raise ValueError(f"{name} must be float32 of shape (batch, {features}), got {batch.dtype} of {batch.shape}")
    if batch.shape[0] > rows:
        raise ValueError(
            f"{name} has a batch of {batch.shape[0]} samples, the buffers hold {rows}: use smaller batches or a larger "
            "max_batch_size"
        )
    if batch.shape[0] == 0:
        raise ValueError(f"{name} is empty")
    if not workspace.layer_outputs:
        raise RuntimeError("close() was called: this model has no buffers any more")
    return int(batch.shape[0])


def cleanup(workspace: Workspace) -> None:
    """Lets go of all buffers (the weights stay) and returns CuPy's free blocks to the driver."""
    workspace.layer_inputs, workspace.layer_outputs, workspace.gradients = [], [], []
    workspace.weight_gradients, workspace.bias_gradients = [], []
    workspace.staged_input = workspace.staged_target = workspace.ones = None
    workspace.clipped = workspace.loss_sum = None
    if workspace.device != "cpu":
        workspace.xp.get_default_memory_pool().free_all_blocks()


# --- kernels ----------------------------------------------------------------------------------------------------------


def kernels(kernel_set: KernelSet) -> Launches:
    functions = kernel_set.functions
    return Launches(
        matrix_multiply=functions["launch_matrix_multiply_rtx5090"],
        elementwise=functions["launch_elementwise_rtx5090"],
        reduce=functions["launch_reduce_rtx5090"],
    )


OWN = Parts(
    hyper_parameters=hyper_parameters,
    layer_sizes=layer_sizes,
    parameter_count=parameter_count,
    predict=predict,
    get_weights=get_weights,
    set_weights=set_weights,
    save_checkpoint=save_checkpoint,
    load_checkpoint=load_checkpoint,
    forward=forward,
    loss=loss,
    backward=backward,
    update=update,
    initialisation=initialisation,
    allocation=allocation,
    bounds=bounds,
    cleanup=cleanup,
    kernels=kernels,
)
