"""The oracle: the autoencoder's training step in float64, the third witness that says which side is wrong.

Shapes: B rows of a batch, F features, K and N a layer's fan-in and fan-out. Formulas: docs/parity.md, section 1.

The backward pass is conditioned on a subject's own signs, because LeakyReLU's derivative jumps at zero: one
pre-activation within rounding of zero would otherwise change a gradient a thousand times more than rounding does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
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
        self._shares: dict[str, float] = {}
        self._rounding: list[Array] = []

    def taps(self, subject_taps: Mapping[str, Array]) -> Mapping[str, Array]:
        """Every tap in float64; computed once for subjects that agree on all signs."""
        hidden = range(len(self._weights) - 1)
        return self._taps_with([self._xp.asarray(subject_taps[f"forward.layer{i}.output"]) > 0 for i in hidden])

    def _taps_with(self, signs: list[Array]) -> dict[str, Array]:
        for known, taps in self._conditioned:
            if all(bool((a == b).all()) for a, b in zip(known, signs, strict=True)):
                return taps
        taps = self._train(signs)
        self._conditioned.append((signs, taps))
        return taps

    def output(self) -> Array:
        """The forward pass's result (B, F)."""
        return self._output

    def floor_scale(self, tap: str) -> float:
        """By how much rounding exceeds half a unit in the last place at the tap's own scale.

        sqrt(B*F) for the loss, one number summed from that many terms. For a gradient the cancellation in y - t and the
        length of its own sum: sqrt(n) / 3, the standard deviation for n terms of one sign, whose partial sums grow
        evenly. For an update, what its gradient's rounding adds to the parameter's: much where a clip is far below it.
        """
        if tap == "loss.value":
            return math.sqrt(self._output.size)
        if tap.startswith("update."):
            return 1.0 + self._share(tap, self._update_rounding)
        if tap.startswith("backward."):
            return max(1.0, math.sqrt(self._terms(tap)) / 3, self._share(tap, self._backward_rounding))
        return 1.0

    def reference_slack(self, tap: str) -> float:
        """sqrt(n) for sums of n terms, taken one after another: the longest sum that goes into the tap."""
        widest = max(weight.shape[0] for weight in self._weights)
        if tap.startswith("forward."):
            layer = _number(tap.split(".")[1])
            return math.sqrt(max(weight.shape[0] for weight in self._weights[: layer + 1]))
        longest = math.sqrt(max(widest, self._weights[-1].shape[1], self._output.shape[0]))
        if tap.startswith("update."):
            share = self._share(tap, self._update_rounding)
            return (1.0 + share * longest) / (1.0 + share)
        return longest

    def _terms(self, tap: str) -> int:
        """Terms of the sum that an element of a gradient is: the units above, or the rows of the batch."""
        _, layer, part = tap.split(".")
        above = _number(layer) + 1
        if part != "activation_grad":
            return int(self._output.shape[0])
        return int(self._weights[above].shape[1]) if above < len(self._weights) else 1

    def _share(self, tap: str, rounding: Callable[[str, str], Array]) -> float:
        """The largest of an array of roundings, in units of 2^-24, over the largest element of the tap."""
        if tap not in self._shares:
            _, layer, part = tap.split(".")
            scale = float(self._xp.abs(self._taps_with(self._own_signs())[tap]).max())
            self._shares[tap] = float(rounding(layer, part).max()) / scale if scale > 0 else 0.0
        return self._shares[tap]

    def _backward_rounding(self, layer: str, part: str) -> Array:
        """The rounding of this gradient: what its activation gradient brings along, and that of its own sum over B."""
        rounding = self._gradient_rounding()[_number(layer)]
        if part == "activation_grad":
            return rounding
        gradient = self._taps_with(self._own_signs())[f"backward.{layer}.activation_grad"]
        squares = rounding**2 + (_summing(gradient.shape[0]) * gradient) ** 2
        if part == "bias_grad":
            return self._xp.sqrt(squares.sum(axis=0))
        return self._xp.sqrt((self._inputs[_number(layer)] ** 2).T @ squares)

    def _update_rounding(self, layer: str, part: str) -> Array:
        """The rate times the gradient's rounding, where the clip lets it through: a clipped element takes none over."""
        training, xp = self._plan.training, self._xp
        rounding = self._backward_rounding(layer, f"{part}_grad")
        gradient = self._taps_with(self._own_signs())[f"backward.{layer}.{part}_grad"]
        through = xp.abs(gradient) - UNIT_ROUNDOFF * rounding <= training.clip
        return training.learning_rate * xp.where(through, rounding, 0.0)

    def _gradient_rounding(self) -> list[Array]:
        """For each layer the rounding (B, N) of its activation gradient, in units of 2^-24.

        It begins where 2 (y - t) / B loses the digits that y and t have in common, so that a trained model's gradient
        rounds with the size of y, and goes back through the weights as independent errors do: root of summed squares.
        """
        if not self._rounding:
            xp, slope, taps = self._xp, self._plan.model.alpha, self._taps_with(self._own_signs())
            terms = self._inputs[-1] ** 2 @ self._weights[-1] ** 2 + self._biases[-1] ** 2
            summing = _summing(self._weights[-1].shape[0])
            layers = [2.0 / self._output.shape[0] * summing * xp.sqrt(terms)]
            for i in reversed(range(1, len(self._weights))):
                gradient = _summing(self._weights[i].shape[1]) * taps[f"backward.layer{i}.activation_grad"]
                below = xp.sqrt((layers[0] ** 2 + gradient**2) @ (self._weights[i].T) ** 2)
                layers.insert(0, below * xp.where(self._pre_activations[i - 1] > 0, 1.0, slope))
            self._rounding = layers
        return self._rounding

    def _own_signs(self) -> list[Array]:
        """Not a side's: which side was asked for first must not matter. Mostly they are the sides' too."""
        return [z > 0 for z in self._pre_activations[:-1]]

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


def _number(layer: str) -> int:
    """3 of `layer3`."""
    return int(layer.removeprefix("layer"))


def _summing(terms: int) -> float:
    """Standard deviation of the rounding of a sum taken term after term, over the root of its summed squares, in units
    of 2^-24: the partial sums are a random walk of mean square n / 2, each rounded by a uniform error of at most one
    unit of its size, 1 / 3 in the square. Never below one rounding."""
    return max(1.0, math.sqrt(terms / 6))
