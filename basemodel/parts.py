"""What a model is made of: the arrays that its methods share, and the table that says which function each method is.

Legend: B batch, F features; sizes[i] and sizes[i + 1] are the inputs and outputs of layer i. A function of the table
works on the workspace that it is given and calls other methods through `workspace.parts`, never directly, so that each
of them can be BaseModel's own or legacy's whatever the others are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from basemodel.base import DeviceArray, HostArray
from basemodel.checkpoints import Checkpoint
from basemodel.rungs import EVERY_METHOD, Selection, check_selection
from kernels.manager import KernelSet

Weights: TypeAlias = tuple[list[HostArray], list[HostArray]]
"""Weights (sizes[i], sizes[i + 1]) and biases (sizes[i + 1],), a list each, i ascending."""


@dataclass(frozen=True, slots=True)
class HyperParameters:
    """As they were asked for, or, from `Parts.hyper_parameters`, valid and with the device found."""

    vector_length: int
    hidden_layer_count: int
    bottleneck_size: int
    alpha: float
    seed: int | None
    device: str | None
    max_batch_size: int


@dataclass(frozen=True, slots=True)
class Launches:
    """The launch helpers that a step uses, with the meaning of those in `kernels.rtx5090.matrix_kernels`."""

    matrix_multiply: Callable[..., Any]
    elementwise: Callable[..., Any]
    reduce: Callable[..., Any]


@dataclass(slots=True, weakref_slot=True)
class Workspace:
    """The arrays of one model. Who allocates them is `Parts.allocation`'s and `Parts.initialisation`'s to say.

    After a step they hold its values in rows [:B]: `layer_inputs[i]` and `layer_outputs[i]` of layer i, the latter
    after its activation; `gradients[i + 1]` at layer i's output, before its activation; `gradients[0]` is scratch of
    the loss. Gradients of parameters are raw, before clipping.
    """

    parts: Parts
    hyper: HyperParameters
    device: str = "cpu"
    xp: Any = None
    """NumPy or CuPy."""
    launches: Launches | None = None
    legacy: Any = None
    """The legacy object over this workspace; made by the first legacy method that runs, if one does."""
    layer_sizes: Sequence[int] = ()
    weights: list[DeviceArray] = field(default_factory=list)
    biases: list[DeviceArray] = field(default_factory=list)
    layer_inputs: list[DeviceArray] = field(default_factory=list)
    layer_outputs: list[DeviceArray] = field(default_factory=list)
    gradients: list[DeviceArray] = field(default_factory=list)
    weight_gradients: list[DeviceArray] = field(default_factory=list)
    bias_gradients: list[DeviceArray] = field(default_factory=list)
    staged_input: DeviceArray = None
    staged_target: DeviceArray = None
    ones: DeviceArray = None
    clipped: DeviceArray = None
    loss_sum: DeviceArray = None

    @property
    def launch(self) -> Launches:
        assert self.launches is not None, "the model's constructor sets the launches before anything is launched"
        return self.launches


@dataclass(frozen=True, slots=True)
class Parts:
    """The table: one function a method of the ladder (`rungs.METHODS`), under its name."""

    hyper_parameters: Callable[[Workspace], HyperParameters]
    """Valid, with the device found; raises ValueError for one out of range."""
    layer_sizes: Callable[[Workspace], Sequence[int]]
    parameter_count: Callable[[Workspace], int]
    predict: Callable[[Workspace, HostArray], HostArray]
    """(B, F) host array to a new one."""
    get_weights: Callable[[Workspace], Weights]
    """Host copies."""
    set_weights: Callable[[Workspace, Sequence[HostArray], Sequence[HostArray]], None]
    """Copies in; raises ValueError, and changes nothing, for other shapes."""
    save_checkpoint: Callable[[Workspace, Path, float, int, Mapping[str, Any]], None]
    """(path, loss, epoch, parameters)"""
    load_checkpoint: Callable[[Workspace, Path], Checkpoint]
    forward: Callable[[Workspace, DeviceArray], DeviceArray]
    """(B, F) to a view of a buffer."""
    loss: Callable[[Workspace, DeviceArray, DeviceArray], float]
    """(output, target)"""
    backward: Callable[[Workspace, DeviceArray, DeviceArray, float, float], None]
    """(input, target, learning rate, clip limit): forward, gradients, update."""
    update: Callable[[Workspace, DeviceArray, DeviceArray, float, float], None]
    """(parameter, gradient, learning rate, clip limit), one parameter in place."""
    initialisation: Callable[[Workspace], None]
    allocation: Callable[[Workspace], None]
    bounds: Callable[[Workspace, str, DeviceArray], int]
    """(what it is, batch) to its rows; raises ValueError for one that does not fit the buffers."""
    cleanup: Callable[[Workspace], None]
    kernels: Callable[[KernelSet], Launches]
    """Who launches for BaseModel's own methods."""


def assemble(methods: Selection, own: Parts) -> Parts:
    """The table of a model whose `methods` are taken from `own` and all others from the legacy object.

    The one place where a method is chosen. With every method chosen nothing of `legacy` is imported. Raises ValueError
    for a selection that cannot run.
    """
    check_selection(methods)
    if methods == EVERY_METHOD:
        return own
    from basemodel.legacy_parts import LEGACY

    return replace(LEGACY, **{name: getattr(own, name) for name in methods})
