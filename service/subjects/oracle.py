"""The oracle: the autoencoder's training step in float64, the third witness that says which side is wrong.

Shapes: B rows of a batch, F features, K and N a layer's fan-in and fan-out. Formulas: docs/parity.md, section 1.

The backward pass is conditioned on a subject's own signs, because LeakyReLU's derivative jumps at zero: one
pre-activation within rounding of zero would otherwise change a gradient a thousand times more than rounding does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import Plan
from service.ports import Array, State

UNIT_ROUNDOFF = 2.0**-24
_GATHER_LIMIT = 512
"""Flips up to this many get their bounds one by one; beyond, one product over the whole layer is cheaper."""


def tap_names(layers: int) -> tuple[str, ...]:
    """Every tap of a training step of `layers` layers, in dataflow order."""
    forward = [f"forward.layer{i}.output" for i in range(layers)]
    backward = [
        f"backward.layer{i}.{part}"
        for i in reversed(range(layers))
        for part in ("activation_grad", "weight_grad", "bias_grad")
    ]
    update = [f"update.layer{i}.{part}" for i in range(layers) for part in ("weight", "bias")]
    return (*forward, "loss.value", *backward, *update)


class Float64Oracle:
    """Computes steps of the plan's autoencoder with `array_module` (NumPy, or CuPy on the subjects' device)."""

    def __init__(self, plan: Plan, array_module: Any = np) -> None:
        self._plan, self._xp = plan, array_module
        self._sizes = plan.layer_sizes()
        self._layers = len(self._sizes) - 1
        self._names = tap_names(self._layers)

    def tap_names(self) -> tuple[str, ...]:
        """Every tap of a step, in dataflow order."""
        return self._names

    def sign_taps(self) -> tuple[str, ...]:
        """The taps whose signs decide the backward pass: the hidden layers' outputs."""
        return tuple(f"forward.layer{i}.output" for i in range(self._layers - 1))

    def tap_shapes(self, batch_size: int) -> Mapping[str, tuple[int, ...]]:
        """The shape that each tap must have."""
        shapes: dict[str, tuple[int, ...]] = {"loss.value": ()}
        for i in range(self._layers):
            fan_in, fan_out = self._sizes[i], self._sizes[i + 1]
            shapes[f"forward.layer{i}.output"] = (batch_size, fan_out)
            shapes[f"backward.layer{i}.activation_grad"] = (batch_size, fan_out)
            shapes[f"backward.layer{i}.weight_grad"] = shapes[f"update.layer{i}.weight"] = (fan_in, fan_out)
            shapes[f"backward.layer{i}.bias_grad"] = shapes[f"update.layer{i}.bias"] = (fan_out,)
        return shapes

    def floor_scale(self, tap: str) -> float:
        """The loss is one number summed from B*F terms: its rounding grows like their square root."""
        if tap == "loss.value":
            return math.sqrt(self._plan.training.batch_size * self._plan.model.vector_length)
        return 1.0

    def step(self, state: State, batch: NDArray[np.float32]) -> AutoencoderOracleStep:
        """One step from `state` (weight_i (K, N), bias_i (N,)) with `batch` (B, F) as input and target."""
        xp = self._xp
        weights = [xp.asarray(state[f"weight_{i}"], dtype=xp.float64) for i in range(self._layers)]
        biases = [xp.asarray(state[f"bias_{i}"], dtype=xp.float64) for i in range(self._layers)]
        return AutoencoderOracleStep(xp, self._plan, weights, biases, xp.asarray(batch, dtype=xp.float64))


class AutoencoderOracleStep:
    """The forward pass, computed at once; backward passes on demand, one for each pattern of signs."""

    def __init__(self, xp: Any, plan: Plan, weights: list[Array], biases: list[Array], batch: Array) -> None:
        self._xp, self._plan, self._weights, self._biases = xp, plan, weights, biases
        self._inputs, self._pre_activations = [batch], []
        for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            z = self._inputs[i] @ weight + bias
            self._pre_activations.append(z)
            if i < len(weights) - 1:
                self._inputs.append(xp.maximum(plan.model.alpha * z, z))
        self._output = self._pre_activations[-1]
        self._conditioned: list[tuple[list[Array], dict[str, Array]]] = []

    def taps(self, subject_taps: Mapping[str, Array]) -> Mapping[str, Array]:
        """Every tap in float64; computed once for subjects that agree on all signs."""
        signs = [self._xp.asarray(subject_taps[f"forward.layer{i}.output"]) > 0 for i in range(len(self._weights) - 1)]
        for known, taps in self._conditioned:
            if all(bool((a == b).all()) for a, b in zip(known, signs, strict=True)):
                return taps
        taps = self._train(signs)
        self._conditioned.append((signs, taps))
        return taps

    def sign_flips(self, subject_taps: Mapping[str, Array]) -> Sequence[tuple[str, int, int, float | None]]:
        """For each hidden layer: (tap, elements, flips, worst |z| of a flipped unit over its rounding bound)."""
        found = []
        for i, z in enumerate(self._pre_activations[:-1]):
            tap = f"forward.layer{i}.output"
            flipped = (self._xp.asarray(subject_taps[tap]) > 0) != (z > 0)
            count = int(flipped.sum())
            found.append((tap, int(z.size), count, self._worst_excess(i, flipped, count) if count else None))
        return found

    def _worst_excess(self, layer: int, flipped: Array, count: int) -> float:
        """max |z| / (2^-24 * sqrt(K) * (|x| @ |W| + |b|)) over the flipped units.

        Infinite where a bound is 0: a sum of zeros is zero in any order, so rounding excuses no sign there.
        """
        xp, x, weight = self._xp, self._inputs[layer], self._weights[layer]
        rows, columns = xp.nonzero(flipped)
        if count <= _GATHER_LIMIT:
            magnitude = (xp.abs(x[rows]) * xp.abs(weight[:, columns]).T).sum(axis=1)
        else:
            magnitude = (xp.abs(x) @ xp.abs(weight))[rows, columns]
        magnitude = magnitude + xp.abs(self._biases[layer])[columns]
        bound = UNIT_ROUNDOFF * math.sqrt(weight.shape[0]) * magnitude
        distance = xp.abs(self._pre_activations[layer][rows, columns])
        if bool((bound == 0).any()):
            return math.inf
        return float((distance / bound).max())

    def _train(self, signs: list[Array]) -> dict[str, Array]:
        xp, plan = self._xp, self._plan
        batch_size = self._output.shape[0]
        difference = self._output - self._inputs[0]
        grad = 2.0 * difference / batch_size
        taps: dict[str, Array] = {}
        layers = range(len(self._weights))
        for i in layers:
            taps[f"forward.layer{i}.output"] = self._output if i == layers[-1] else self._inputs[i + 1]
        taps["loss.value"] = xp.mean(difference * difference)
        for i in reversed(layers):
            taps[f"backward.layer{i}.activation_grad"] = grad
            taps[f"backward.layer{i}.weight_grad"] = self._inputs[i].T @ grad
            taps[f"backward.layer{i}.bias_grad"] = grad.sum(axis=0)
            if i > 0:
                grad = (grad @ self._weights[i].T) * xp.where(signs[i - 1], 1.0, plan.model.alpha)
        rate, clip = plan.training.learning_rate, plan.training.clip
        for i in layers:
            for part, value in (("weight", self._weights[i]), ("bias", self._biases[i])):
                gradient = taps[f"backward.layer{i}.{part}_grad"]
                taps[f"update.layer{i}.{part}"] = value - rate * xp.clip(gradient, -clip, clip)
        return taps
