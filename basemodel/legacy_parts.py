"""Every method of the ladder as the legacy object does it. The only file of BaseModel that imports `legacy`."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from basemodel import own_parts
from basemodel.base import DeviceArray, HostArray
from basemodel.checkpoints import Checkpoint, read_checkpoint
from basemodel.parts import HyperParameters, Launches, Parts, Weights, Workspace
from kernels.manager import KernelSet
from legacy import matrix_kernels
from legacy.gpu_text_autoencoder import GPUTextAutoencoder


def _shared(name: str) -> Any:
    """An attribute of the legacy object that is the workspace's `name`, whoever sets it."""

    def get(legacy: LegacyObject) -> Any:
        return getattr(legacy.workspace, name)

    def put(legacy: LegacyObject, value: Any) -> None:
        setattr(legacy.workspace, name, value)

    return property(get, put)


class LegacyObject(GPUTextAutoencoder):
    """The legacy object over a workspace: it works on its arrays, and what it calls on itself is asked of the table.

    Its own code runs unchanged. The workspace owns it, hence the weak reference back.
    """

    layer_sizes = _shared("layer_sizes")
    weights_gpu = _shared("weights")
    biases_gpu = _shared("biases")
    layer_inputs = _shared("layer_inputs")
    layer_outputs = _shared("layer_outputs")
    gradients = _shared("gradients")
    weight_gradients = _shared("weight_gradients")
    bias_gradients = _shared("bias_gradients")
    _staged_input = _shared("staged_input")
    _staged_target = _shared("staged_target")
    _ones = _shared("ones")
    _clipped = _shared("clipped")
    _loss_sum = _shared("loss_sum")

    def __init__(self, workspace: Workspace) -> None:
        self.workspace: Workspace = weakref.proxy(workspace)
        hyper = workspace.hyper
        super().__init__(
            hyper.vector_length,
            hyper.hidden_layer_count,
            hyper.bottleneck_size,
            hyper.alpha,
            seed=hyper.seed,
            device=hyper.device,
            max_batch_size=hyper.max_batch_size,
        )

    # The legacy constructor calls these three. Here the model does, in the same order, each through the table.

    def _calculate_layer_sizes(self) -> list[int]:
        return list(self.workspace.layer_sizes)

    def _initialize_weights_on_gpu(self) -> None:
        pass

    def _allocate_gpu_memory(self) -> None:
        pass

    # What legacy methods call on themselves.

    def _check_batch(self, name: str, batch: Any) -> int:
        return self.workspace.parts.bounds(self.workspace, name, batch)

    def forward_gpu(self, input_batch_gpu: Any) -> Any:
        return self.workspace.parts.forward(self.workspace, input_batch_gpu)

    def _clip_and_update(self, parameter: Any, gradient: Any, learning_rate: float, limit: float) -> None:
        self.workspace.parts.update(self.workspace, parameter, gradient, learning_rate, limit)

    def get_weights_cpu(self) -> Weights:
        return self.workspace.parts.get_weights(self.workspace)

    def set_weights_cpu(self, weights: list[HostArray], biases: list[HostArray]) -> None:
        self.workspace.parts.set_weights(self.workspace, weights, biases)


def _object(workspace: Workspace) -> LegacyObject:
    if workspace.legacy is None:
        workspace.legacy = LegacyObject(workspace)
    legacy: LegacyObject = workspace.legacy
    return legacy


def hyper_parameters(workspace: Workspace) -> HyperParameters:
    legacy = _object(workspace)
    return HyperParameters(
        vector_length=legacy.vector_length,
        hidden_layer_count=legacy.hidden_layer_count,
        bottleneck_size=legacy.bottleneck_size,
        alpha=legacy.alpha,
        seed=legacy.seed,
        device=legacy.device,
        max_batch_size=legacy.max_batch_size,
    )


def layer_sizes(workspace: Workspace) -> Sequence[int]:
    return GPUTextAutoencoder._calculate_layer_sizes(_object(workspace))


def parameter_count(workspace: Workspace) -> int:
    return GPUTextAutoencoder._count_parameters(_object(workspace))


def predict(workspace: Workspace, batch: HostArray) -> HostArray:
    return GPUTextAutoencoder.predict_gpu(_object(workspace), batch)


def get_weights(workspace: Workspace) -> Weights:
    return GPUTextAutoencoder.get_weights_cpu(_object(workspace))


def set_weights(workspace: Workspace, weights: Sequence[HostArray], biases: Sequence[HostArray]) -> None:
    GPUTextAutoencoder.set_weights_cpu(_object(workspace), list(weights), list(biases))


def save_checkpoint(workspace: Workspace, path: Path, loss: float, epoch: int, parameters: Mapping[str, Any]) -> None:
    """Legacy knows only the .npz; any other suffix is BaseModel's to write or to refuse."""
    if path.suffix == ".npz":
        GPUTextAutoencoder.save_checkpoint(_object(workspace), path, loss, epoch, dict(parameters))
    else:
        own_parts.save_checkpoint(workspace, path, loss, epoch, parameters)


def load_checkpoint(workspace: Workspace, path: Path) -> Checkpoint:
    if path.suffix != ".npz":
        return own_parts.load_checkpoint(workspace, path)
    vetted = read_checkpoint(
        path
    )  # Refuses what the legacy reader takes at its word: a bomb, a deep nest, a torn header.
    found = GPUTextAutoencoder.load_checkpoint(_object(workspace), path)
    return replace(vetted, loss=found.loss, epoch=found.epoch, parameters=found.parameters, unread=found.unread)


def forward(workspace: Workspace, x: DeviceArray) -> DeviceArray:
    return GPUTextAutoencoder.forward_gpu(_object(workspace), x)


def loss(workspace: Workspace, output: DeviceArray, target: DeviceArray) -> float:
    return GPUTextAutoencoder.mse_loss_gpu(_object(workspace), output, target)


def backward(workspace: Workspace, x: DeviceArray, target: DeviceArray, learning_rate: float, limit: float) -> None:
    GPUTextAutoencoder.backward_gpu_safe(_object(workspace), x, target, learning_rate, limit)


def update(
    workspace: Workspace, parameter: DeviceArray, gradient: DeviceArray, learning_rate: float, limit: float
) -> None:
    GPUTextAutoencoder._clip_and_update(_object(workspace), parameter, gradient, learning_rate, limit)


def initialisation(workspace: Workspace) -> None:
    GPUTextAutoencoder._initialize_weights_on_gpu(_object(workspace))


def allocation(workspace: Workspace) -> None:
    GPUTextAutoencoder._allocate_gpu_memory(_object(workspace))


def bounds(workspace: Workspace, name: str, batch: DeviceArray) -> int:
    return GPUTextAutoencoder._check_batch(_object(workspace), name, batch)


def cleanup(workspace: Workspace) -> None:
    GPUTextAutoencoder.cleanup_gpu_memory(_object(workspace))


def kernels(kernel_set: KernelSet) -> Launches:
    """Legacy's own helpers, whatever set the model was given."""
    return Launches(
        matrix_multiply=matrix_kernels.launch_matrix_multiply_rtx5090,
        elementwise=matrix_kernels.launch_elementwise_rtx5090,
        reduce=matrix_kernels.launch_reduce_rtx5090,
    )


LEGACY = Parts(
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
