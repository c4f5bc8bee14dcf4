"""The training step with one planted change: what a variant may change, and the subject that carries it out.

All variants are the same array expressions of the step (docs/parity.md, section 1) with one field of `Variant` set, so
that nothing but that field can explain a verdict. Runs on NumPy and on CuPy.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from basemodel.checkpoints import read_checkpoint
from service.parity.plan import Plan
from service.parity.record import SubjectInfo
from service.ports import Array, CheckpointMetadata, State, StepResult
from service.subjects import planted_changes as planted
from service.subjects.checkpoint_files import metadata_of, save_state
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device
from service.subjects.planted_burdens import MakeBurden

HISTORICAL_DECAY = 0.0001
"""The broken legacy step multiplied every weight and bias by 1 minus this, and did nothing else."""

STRICT = "numerics.synchronized"


@dataclass(frozen=True, slots=True)
class Moment:
    """When a step is taken: after how many in all, how many since a state was given, and whether by a checkpoint."""

    steps: int
    since_load: int
    from_file: bool
    band_window: int


def always(moment: Moment) -> bool:
    """At every step."""
    return True


@dataclass(frozen=True, slots=True)
class Variant:
    """One change of the training step. The defaults change nothing."""

    name: str
    description: str
    harmless: bool = False
    caught_by: str = STRICT
    """The check that must fail; for a harmless variant none may."""
    needs: str = ""
    """The phase whose check it is, where that is not one of a run on a CPU."""

    product: planted.Product = planted.blas_product
    bias_sum: planted.Change = planted.library_sum
    layout: planted.Change = planted.as_it_is
    fused_bias: bool = False
    recompute: bool = False
    """The backward pass computes the activations anew instead of keeping those of the forward pass."""

    forward_alpha_factor: float = 1.0
    backward_alpha_factor: float = 1.0
    gradient_factor: float = 1.0
    summed_gradient: bool = False
    drop_last_sample: bool = False
    stale_activation: bool = False
    early_update: bool = False
    swapped_layers: bool = False

    decay_only: bool = False
    learning_rate_factor: float = 1.0
    factor_when: Callable[[Moment], bool] = always
    """The steps at which the learning rate is off."""
    weight_decay: float = 0.0
    hidden_decay: float = 0.0
    """Of the weights that are kept, not of those that the taps show."""
    clip: bool = True

    previous_batch: bool = False
    shuffled_batch: bool = False
    written_batch: bool = False
    nan_at_step: int | None = None
    inf_at_step: int | None = None
    raise_at_step: int | None = None

    loss_factor: float = 1.0
    taps: Callable[[Any, planted.Taps], planted.Taps] = planted.all_taps
    shown: planted.Change = planted.as_it_is
    """What forward() makes of the outputs."""
    ignored_array: str = ""
    """`load_state` leaves this one as it was."""
    saved: Callable[[planted.HostState], planted.HostState] = planted.same_state
    reads_parameters: bool = True
    loads_files: bool = True

    burden: MakeBurden | None = None
    """What is done beside the step, which is then the frozen reference's own (`burdened_subject`)."""


SOURCES: Mapping[str, str] = {
    "forward.": f"{__name__}.VariantSubject._forward",
    "loss.": f"{__name__}.VariantSubject.train_step",
    "backward.": f"{__name__}.VariantSubject._backward",
    "update": f"{__name__}.VariantSubject._update",
}


class VariantSubject:
    """The training step with one planted change. Built with the plan's own initial weights by `load_state`."""

    def __init__(self, plan: Plan, variant: Variant) -> None:
        self._plan, self._variant = plan, variant
        self._device = resolve_device(plan.device)
        self._xp = array_module(self._device)
        sizes = plan.layer_sizes()
        self._layers = len(sizes) - 1
        rng = np.random.default_rng(plan.seed)
        self._weights: list[Array] = []
        self._biases: list[Array] = []
        for i in range(self._layers):
            limit = np.sqrt(6.0 / (sizes[i] + sizes[i + 1]))
            weight = rng.uniform(-limit, limit, (sizes[i], sizes[i + 1])).astype(np.float32)
            self._weights.append(self._laid_out(self._xp.asarray(weight)))
            self._biases.append(self._xp.zeros(sizes[i + 1], dtype=np.float32))
        self._moment = Moment(0, 0, False, plan.band_window())
        self._previous_batch: Array = None
        self._previous_input: Array = None

    def info(self) -> SubjectInfo:
        modules = (sys.modules[__name__], planted)
        return describe(self._variant.name, self._plan, self._device, modules, SOURCES)

    def load_state(self, state: State) -> None:
        wanted = {f"{part}_{i}" for i in range(self._layers) for part in ("weight", "bias")}
        if wanted != set(state):
            raise ValueError(f"the state has {sorted(state)}; this model has {sorted(wanted)}")
        for i in range(self._layers):
            for name, own in ((f"weight_{i}", self._weights[i]), (f"bias_{i}", self._biases[i])):
                if state[name].shape != own.shape or state[name].dtype != np.float32:
                    given = f"{state[name].dtype} of shape {state[name].shape}"
                    raise ValueError(f"{name} is {given}; this model has float32 of shape {own.shape}")
        for i in range(self._layers):
            for name, own in ((f"weight_{i}", self._weights), (f"bias_{i}", self._biases)):
                if name != self._variant.ignored_array:
                    # A copy: on the CPU asarray would share memory with the state and train it along.
                    own[i] = self._laid_out(self._xp.array(state[name]))
        self._moment = replace(self._moment, since_load=0, from_file=False)

    def state(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for i in range(self._layers):
            arrays[f"weight_{i}"] = self._on_host(self._weights[i])
            arrays[f"bias_{i}"] = self._on_host(self._biases[i])
        return arrays

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        # A planted fault may overflow; that is for the checks to say.
        with np.errstate(over="ignore", invalid="ignore"):
            return self._train(batch, taps)

    def _train(self, batch: NDArray[np.float32], taps: bool) -> StepResult:
        variant, steps = self._variant, self._moment.steps
        if steps == variant.raise_at_step:
            raise RuntimeError("planted failure")
        x = self._taken(batch)
        inputs, output = self._forward(x)
        if steps in (variant.nan_at_step, variant.inf_at_step):
            output[0, 0] = np.nan if steps == variant.nan_at_step else np.inf
        named: dict[str, Array] = {f"forward.layer{i}.output": a for i, a in enumerate((*inputs[1:], output))}
        difference = output - x
        loss = float((difference * difference).mean()) * variant.loss_factor
        named.update(self._backward(self._forward(x)[0] if variant.recompute else inputs, difference))
        if variant.swapped_layers:
            self._swap(named)
        self._update(named)
        for i in range(self._layers):
            named[f"update.layer{i}.weight"], named[f"update.layer{i}.bias"] = self._weights[i], self._biases[i]
        self._afterwards(batch)
        return StepResult(loss, variant.taps(self._xp, named) if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            return self._variant.shown(self._xp, self._forward(self._xp.asarray(batch))[1])

    def save(self, path: Path, metadata: CheckpointMetadata) -> None:
        save_state(path, self._variant.saved(self.state()), metadata)

    def load(self, path: Path) -> CheckpointMetadata:
        checkpoint = read_checkpoint(path)
        if self._variant.loads_files:
            try:
                self.load_state(checkpoint.state)
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from None
            self._moment = replace(self._moment, from_file=True)
        metadata = metadata_of(checkpoint)
        return metadata if self._variant.reads_parameters else replace(metadata, parameters={})

    def close(self) -> None:
        self._weights, self._biases = [], []
        self._previous_batch = self._previous_input = None

    def _taken(self, batch: NDArray[np.float32]) -> Array:
        """What the step trains on."""
        x = self._xp.asarray(batch)
        if self._variant.previous_batch and self._previous_batch is not None:
            return self._previous_batch
        if self._variant.shuffled_batch:
            return x[self._xp.asarray(np.random.default_rng().permutation(len(batch)))]
        return x

    def _forward(self, x: Array) -> tuple[list[Array], Array]:
        inputs, alpha = [x], np.float32(self._plan.model.alpha * self._variant.forward_alpha_factor)
        for i in range(self._layers):
            z = self._laid_out(self._affine(inputs[i], i))
            if i == self._layers - 1:
                return inputs, z
            inputs.append(self._laid_out(self._xp.maximum(alpha * z, z)))
        raise AssertionError("a model has at least one layer")

    def _affine(self, x: Array, layer: int) -> Array:
        xp, product = self._xp, self._variant.product
        weight, bias = self._weights[layer], self._biases[layer]
        if not self._variant.fused_bias:
            return product(xp, x, weight) + bias
        ones = xp.ones((x.shape[0], 1), dtype=np.float32)
        return product(xp, xp.concatenate([x, ones], axis=1), xp.concatenate([weight, bias[None]]))

    def _backward(self, inputs: list[Array], difference: Array) -> dict[str, Array]:
        xp, variant = self._xp, self._variant
        rows = 1 if variant.summed_gradient else difference.shape[0]
        grad = difference * np.float32(2.0 * variant.gradient_factor) / np.float32(rows)
        if variant.decay_only:
            grad = xp.zeros_like(grad)
        if variant.drop_last_sample:
            grad[-1] = 0
        alpha = np.float32(self._plan.model.alpha * variant.backward_alpha_factor)
        named: dict[str, Array] = {}
        for i in reversed(range(self._layers)):
            grad = self._laid_out(grad)
            weight_grad = self._laid_out(variant.product(xp, self._activation(inputs, i).T, grad))
            named[f"backward.layer{i}.activation_grad"] = grad
            named[f"backward.layer{i}.weight_grad"] = weight_grad
            named[f"backward.layer{i}.bias_grad"] = variant.bias_sum(xp, grad)
            weight = self._step_of(self._weights[i], weight_grad) if variant.early_update else self._weights[i]
            if i > 0:
                slope = xp.where(inputs[i] > 0, np.float32(1.0), alpha)
                grad = variant.product(xp, grad, weight.T) * slope
        return named

    def _activation(self, inputs: list[Array], layer: int) -> Array:
        """A layer's input (B, K) as its weights' gradient sees it."""
        if not self._variant.stale_activation or layer != 1:
            return inputs[layer]
        previous, self._previous_input = self._previous_input, inputs[layer]
        return inputs[layer] if previous is None or previous.shape != inputs[layer].shape else previous

    def _swap(self, named: dict[str, Array]) -> None:
        """The first and the last layer's weights are one another's shape transposed, and so are their gradients."""
        first, last = "backward.layer0.weight_grad", f"backward.layer{self._layers - 1}.weight_grad"
        named[first], named[last] = named[last].T, named[first].T

    def _update(self, named: Mapping[str, Array]) -> None:
        for i in range(self._layers):
            self._weights[i] = self._laid_out(self._step_of(self._weights[i], named[f"backward.layer{i}.weight_grad"]))
            self._biases[i] = self._step_of(self._biases[i], named[f"backward.layer{i}.bias_grad"])

    def _step_of(self, parameter: Array, gradient: Array) -> Array:
        """The parameter after the update: plain SGD with clipping by value, or the historical decay."""
        variant, training = self._variant, self._plan.training
        if variant.decay_only:
            return parameter * np.float32(1 - HISTORICAL_DECAY)
        limit = np.float32(training.clip)
        clipped = self._xp.clip(gradient, -limit, limit) if variant.clip else gradient
        factor = variant.learning_rate_factor if variant.factor_when(self._moment) else 1.0
        return parameter * np.float32(1 - variant.weight_decay) - np.float32(training.learning_rate * factor) * clipped

    def _afterwards(self, batch: NDArray[np.float32]) -> None:
        """What a step leaves behind it, the count of steps and whatever else was planted."""
        variant, moment = self._variant, self._moment
        if variant.hidden_decay:
            self._weights = [weight * np.float32(1 - variant.hidden_decay) for weight in self._weights]
        if variant.previous_batch:
            self._previous_batch = self._xp.array(batch)
        if variant.written_batch:
            batch.setflags(write=True)
            batch[0] = 0
        self._moment = replace(moment, steps=moment.steps + 1, since_load=moment.since_load + 1)

    def _laid_out(self, array: Array) -> Array:
        return self._variant.layout(self._xp, array)

    def _on_host(self, array: Array) -> NDArray[Any]:
        host: NDArray[Any] = np.array(array) if self._device == "cpu" else array.get()
        return host
