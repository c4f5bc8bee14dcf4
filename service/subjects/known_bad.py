"""Candidates with one planted change each: faults that a gate must catch, and variants that it must not.

All are the same array expressions of the training step (docs/parity.md, section 1) with one field of `Variant` set,
so that nothing but that field can explain a verdict.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import Plan
from service.parity.record import SubjectInfo
from service.ports import Array, State, StepResult
from service.subjects.description import describe
from service.subjects.devices import array_module, resolve_device

HISTORICAL_DECAY = 0.0001
"""The broken legacy step multiplied every weight and bias by 1 minus this, and did nothing else."""

Product = Callable[[Any, Array, Array], Array]
"""(array module, (M, K), (K, N)) -> (M, N)."""


def blas_product(xp: Any, a: Array, b: Array) -> Array:
    """The library's product."""
    return a @ b


def split_k_product(xp: Any, a: Array, b: Array) -> Array:
    """Two halves of the inner dimension, added at the end."""
    half = a.shape[1] // 2
    return a @ b if half == 0 else a[:, :half] @ b[:half] + a[:, half:] @ b[half:]


def permuted_product(xp: Any, a: Array, b: Array) -> Array:
    """The inner dimension back to front."""
    return xp.ascontiguousarray(a[:, ::-1]) @ xp.ascontiguousarray(b[::-1])


def naive_product(xp: Any, a: Array, b: Array) -> Array:
    """One running sum an element, in the order of the inner dimension; each product rounded before it is added."""
    total = xp.zeros((a.shape[0], b.shape[1]), dtype=a.dtype)
    term = xp.empty_like(total)
    columns = xp.ascontiguousarray(a.T)
    for k in range(a.shape[1]):
        xp.multiply(columns[k][:, None], b[k], out=term)
        total += term
    return total


@dataclass(frozen=True, slots=True)
class Variant:
    """One change of the training step. The defaults change nothing."""

    name: str
    description: str
    harmless: bool = False
    product: Product = blas_product
    decay_only: bool = False
    learning_rate_factor: float = 1.0
    weight_decay: float = 0.0
    backward_alpha_factor: float = 1.0
    bias_gradient: bool = True
    early_update: bool = False
    drop_last_sample: bool = False
    clip: bool = True
    nan_at_step: int | None = None
    raise_at_step: int | None = None
    missing_tap: str | None = None


VARIANTS: Mapping[str, Variant] = {
    variant.name: variant
    for variant in (
        Variant("harmless-split-k", "products summed in two halves", harmless=True, product=split_k_product),
        Variant("harmless-permuted", "products summed back to front", harmless=True, product=permuted_product),
        Variant("harmless-naive-order", "products summed one by one", harmless=True, product=naive_product),
        Variant("bad-decay-only", "the historical backward: decays weights, computes no gradient", decay_only=True),
        Variant("bad-learning-rate", "learning rate off by 1e-4 relative", learning_rate_factor=1 + 1e-4),
        Variant("bad-weight-decay", "weight decay of 1e-6", weight_decay=1e-6),
        Variant("bad-backward-alpha", "LeakyReLU slope off by 1e-3 in backward", backward_alpha_factor=1 + 1e-3),
        Variant("bad-no-bias-gradient", "the bias gradient is zero", bias_gradient=False),
        Variant("bad-early-update", "weights updated before the gradient passes through them", early_update=True),
        Variant("bad-last-sample", "the last sample of a batch gives no gradient", drop_last_sample=True),
        Variant("bad-no-clip", "gradients are not clipped", clip=False),
        Variant("bad-nan", "NaN in the output at step 3", nan_at_step=3),
        Variant("bad-exception", "raises an exception at step 3", raise_at_step=3),
        Variant("bad-missing-tap", "gives no gradient of layer 1's weights", missing_tap="backward.layer1.weight_grad"),
    )
}

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
            self._weights.append(self._xp.asarray(weight))
            self._biases.append(self._xp.zeros(sizes[i + 1], dtype=np.float32))
        self._steps = 0

    def info(self) -> SubjectInfo:
        return describe(self._variant.name, self._plan, self._device, (sys.modules[__name__],), SOURCES)

    def load_state(self, state: State) -> None:
        wanted = {f"{part}_{i}" for i in range(self._layers) for part in ("weight", "bias")}
        if wanted != set(state):
            raise ValueError(f"the state has {sorted(state)}; this model has {sorted(wanted)}")
        for i in range(self._layers):
            for name, own in ((f"weight_{i}", self._weights[i]), (f"bias_{i}", self._biases[i])):
                if state[name].shape != own.shape or state[name].dtype != np.float32:
                    given = f"{state[name].dtype} of shape {state[name].shape}"
                    raise ValueError(f"{name} is {given}; this model has float32 of shape {own.shape}")
        # Copies: on the CPU asarray would share memory with the state and train it along.
        self._weights = [self._xp.array(state[f"weight_{i}"]) for i in range(self._layers)]
        self._biases = [self._xp.array(state[f"bias_{i}"]) for i in range(self._layers)]

    def state(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {}
        for i in range(self._layers):
            arrays[f"weight_{i}"] = self._on_host(self._weights[i])
            arrays[f"bias_{i}"] = self._on_host(self._biases[i])
        return arrays

    def train_step(self, batch: NDArray[np.float32], taps: bool = False) -> StepResult:
        if self._steps == self._variant.raise_at_step:
            raise RuntimeError("planted failure")
        x = self._xp.asarray(batch)
        inputs, output = self._forward(x)
        if self._steps == self._variant.nan_at_step:
            output[0, 0] = np.nan
        named: dict[str, Array] = {f"forward.layer{i}.output": a for i, a in enumerate((*inputs[1:], output))}
        difference = output - x
        loss = float((difference * difference).mean())
        named.update(self._backward(inputs, difference))
        self._update(named)
        for i in range(self._layers):
            named[f"update.layer{i}.weight"], named[f"update.layer{i}.bias"] = self._weights[i], self._biases[i]
        self._steps += 1
        named.pop(self._variant.missing_tap or "", None)
        return StepResult(loss, named if taps else {})

    def forward(self, batch: NDArray[np.float32]) -> Array:
        return self._forward(self._xp.asarray(batch))[1]

    def close(self) -> None:
        self._weights, self._biases = [], []

    def _forward(self, x: Array) -> tuple[list[Array], Array]:
        inputs = [x]
        for i in range(self._layers):
            z = self._variant.product(self._xp, inputs[i], self._weights[i]) + self._biases[i]
            if i == self._layers - 1:
                return inputs, z
            inputs.append(self._xp.maximum(np.float32(self._plan.model.alpha) * z, z))
        raise AssertionError("a model has at least one layer")

    def _backward(self, inputs: list[Array], difference: Array) -> dict[str, Array]:
        xp, variant = self._xp, self._variant
        grad = difference * np.float32(2.0) / np.float32(difference.shape[0])
        if variant.decay_only:
            grad = xp.zeros_like(grad)
        if variant.drop_last_sample:
            grad[-1] = 0
        alpha = np.float32(self._plan.model.alpha * variant.backward_alpha_factor)
        named: dict[str, Array] = {}
        for i in reversed(range(self._layers)):
            weight_grad = variant.product(xp, inputs[i].T, grad)
            named[f"backward.layer{i}.activation_grad"] = grad
            named[f"backward.layer{i}.weight_grad"] = weight_grad
            named[f"backward.layer{i}.bias_grad"] = grad.sum(axis=0) if variant.bias_gradient else grad[0] * 0
            weight = self._step_of(self._weights[i], weight_grad) if variant.early_update else self._weights[i]
            if i > 0:
                slope = xp.where(inputs[i] > 0, np.float32(1.0), alpha)
                grad = variant.product(xp, grad, weight.T) * slope
        return named

    def _update(self, named: Mapping[str, Array]) -> None:
        for i in range(self._layers):
            self._weights[i] = self._step_of(self._weights[i], named[f"backward.layer{i}.weight_grad"])
            self._biases[i] = self._step_of(self._biases[i], named[f"backward.layer{i}.bias_grad"])

    def _step_of(self, parameter: Array, gradient: Array) -> Array:
        """The parameter after the update: plain SGD with clipping by value, or the historical decay."""
        variant, training = self._variant, self._plan.training
        if variant.decay_only:
            return parameter * np.float32(1 - HISTORICAL_DECAY)
        limit = np.float32(training.clip)
        clipped = self._xp.clip(gradient, -limit, limit) if variant.clip else gradient
        rate = np.float32(training.learning_rate * variant.learning_rate_factor)
        return parameter * np.float32(1 - variant.weight_decay) - rate * clipped

    def _on_host(self, array: Array) -> NDArray[Any]:
        host: NDArray[Any] = np.array(array) if self._device == "cpu" else array.get()
        return host
