"""One fault in one method of the ladder each: what a bisection of a failing candidate is held to.

A fault stands in place of BaseModel's own function of that method. Take the method from legacy, and the fault is gone.
Four methods have none, because no check of a run would see it: `parameter_count` is reported and compared with nothing,
every phase loads its own state over what `initialisation` drew, no batch of a plan is beyond what `bounds` refuses, and
nothing is computed after `cleanup`. Their tests in `tests/basemodel` hold them to legacy.

Legend: as in `basemodel.parts`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from basemodel import own_parts
from basemodel.base import DeviceArray, HostArray
from basemodel.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from basemodel.own_parts import OWN
from basemodel.parts import HyperParameters, Launches, Weights, Workspace
from basemodel.rungs import EVERY_METHOD, Selection
from kernels.manager import KernelSet
from service.parity.plan import Plan
from service.ports import Subject
from service.subjects.basemodel import BaseModelSubject
from service.subjects.known_bad import FREE_RUNNING, TRANSFER
from service.subjects.variant_subject import STRICT


@dataclass(frozen=True, slots=True)
class MethodFault:
    """`broken` is what stands for BaseModel's own `method`; `caught_by` the check that fails on a CPU's plan."""

    name: str
    method: str
    description: str
    broken: Callable[..., Any]
    caught_by: str = STRICT


def build_faulty(fault: MethodFault, plan: Plan, methods: Selection = EVERY_METHOD, name: str | None = None) -> Subject:
    """The fault at the top rung, or with these methods BaseModel's own; without the fault's among them it is sound."""
    own = replace(OWN, **{fault.method: fault.broken})
    return BaseModelSubject(plan, name or fault.name, methods, own, besides=(sys.modules[__name__],))


def _alpha_in_half_precision(workspace: Workspace) -> HyperParameters:
    found = own_parts.hyper_parameters(workspace)
    return replace(found, alpha=float(np.float16(found.alpha)))


def _narrower(workspace: Workspace) -> Sequence[int]:
    first, *inner, last = own_parts.layer_sizes(workspace)
    return [first, *(size - 1 for size in inner), last]


def _output_activated(workspace: Workspace, batch: HostArray) -> HostArray:
    output = own_parts.predict(workspace, batch)
    activated: HostArray = np.maximum(output * np.float32(workspace.hyper.alpha), output)
    return activated


def _small_weights_left_out(workspace: Workspace) -> Weights:
    weights, biases = own_parts.get_weights(workspace)
    return [np.where(np.abs(weight) < 1e-4, np.float32(0.0), weight) for weight in weights], biases


def _last_bias_not_set(workspace: Workspace, weights: Sequence[HostArray], biases: Sequence[HostArray]) -> None:
    kept = workspace.biases[-1].copy()
    own_parts.set_weights(workspace, weights, biases)
    workspace.biases[-1][...] = kept


def _last_bias_not_saved(
    workspace: Workspace, path: Path, loss: float, epoch: int, parameters: Mapping[str, Any]
) -> None:
    weights, biases = workspace.parts.get_weights(workspace)
    state = own_parts.named((weights, [*biases[:-1], np.zeros_like(biases[-1])]))
    write_checkpoint(path, state, loss, epoch, parameters)


def _biases_not_loaded(workspace: Workspace, path: Path) -> Checkpoint:
    _, kept = workspace.parts.get_weights(workspace)
    own_parts.load_checkpoint(workspace, path)
    weights, _ = workspace.parts.get_weights(workspace)
    workspace.parts.set_weights(workspace, weights, kept)
    return read_checkpoint(path)


def _last_bias_not_added(workspace: Workspace, x: DeviceArray) -> DeviceArray:
    output = own_parts.forward(workspace, x)
    workspace.launch.matrix_multiply(workspace.layer_inputs[-2][: output.shape[0]], workspace.weights[-1], output)
    return output


def _last_sample_not_counted(workspace: Workspace, output: DeviceArray, target: DeviceArray) -> float:
    return own_parts.loss(workspace, output, target) - own_parts.loss(workspace, output[-1:], target[-1:]) / len(output)


def _last_bias_gradient_halved(
    workspace: Workspace, x: DeviceArray, target: DeviceArray, learning_rate: float, limit: float
) -> None:
    bias, gradient = workspace.biases[-1], workspace.bias_gradients[-1]
    before = bias.copy()
    own_parts.backward(workspace, x, target, learning_rate, limit)
    bias[...] = before
    gradient *= np.float32(0.5)
    workspace.parts.update(workspace, bias, gradient, learning_rate, limit)


def _not_clipped(
    workspace: Workspace, parameter: DeviceArray, gradient: DeviceArray, learning_rate: float, limit: float
) -> None:
    own_parts.update(workspace, parameter, gradient, learning_rate, float("inf"))


def _first_one_missing(workspace: Workspace) -> None:
    own_parts.allocation(workspace)
    workspace.ones[0, 0] = 0.0


def _scalars_in_half_precision(kernel_set: KernelSet) -> Launches:
    launches = own_parts.kernels(kernel_set)

    def rounded(*arrays: Any, scalar: float | None = None) -> Any:
        return launches.elementwise(*arrays, scalar=None if scalar is None else float(np.float16(scalar)))

    return replace(launches, elementwise=rounded)


METHOD_FAULTS: Mapping[str, MethodFault] = {
    fault.name: fault
    for fault in (
        MethodFault("bad-method-hyper-parameters", "hyper_parameters", "keeps LeakyReLU's slope in half precision",
                    _alpha_in_half_precision),
        MethodFault("bad-method-layer-sizes", "layer_sizes", "makes every inner layer one unit narrower", _narrower),
        MethodFault("bad-method-predict", "predict", "predict() activates the last layer as well", _output_activated,
                    TRANSFER),
        MethodFault("bad-method-get-weights", "get_weights", "hands out weights below 1e-4 as zero",
                    _small_weights_left_out, FREE_RUNNING),
        MethodFault("bad-method-set-weights", "set_weights", "leaves the last bias as it was", _last_bias_not_set),
        MethodFault("bad-method-save-checkpoint", "save_checkpoint", "saves the last bias as zeros",
                    _last_bias_not_saved, TRANSFER),
        MethodFault("bad-method-load-checkpoint", "load_checkpoint", "loads the weights without the biases",
                    _biases_not_loaded, TRANSFER),
        MethodFault("bad-method-forward", "forward", "does not add the last layer's bias", _last_bias_not_added),
        MethodFault("bad-method-loss", "loss", "the last sample is left out of the loss", _last_sample_not_counted),
        MethodFault("bad-method-backward", "backward", "halves the gradient of the last bias",
                    _last_bias_gradient_halved),
        MethodFault("bad-method-update", "update", "does not clip", _not_clipped),
        MethodFault("bad-method-allocation", "allocation", "the row of ones that sums a bias gradient begins with 0",
                    _first_one_missing),
        MethodFault("bad-method-kernels", "kernels", "hands scalars to the kernels in half precision",
                    _scalars_in_half_precision),
    )
}  # fmt: skip
