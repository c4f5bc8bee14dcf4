"""The functions that a variant may put in place of the training step's own: products, sums, taps, outputs, files.

Each takes the array module first where it computes, and returns new arrays. B is the batch, K and N a layer's widths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.ports import Array

Product = Callable[[Any, Array, Array], Array]
"""(array module, (M, K), (K, N)) -> (M, N)."""

Change = Callable[[Any, Array], Array]
"""(array module, array) -> array."""

Taps = dict[str, Array]
HostState = dict[str, NDArray[Any]]

TF32_DROPPED_BITS = 13
"""TF32 keeps 10 of float32's 23 mantissa bits."""


# --- products ---------------------------------------------------------------------------------------------------------


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


def float64_product(xp: Any, a: Array, b: Array) -> Array:
    """Summed in float64, rounded once at the end."""
    return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.float32)


def half_precision_product(xp: Any, a: Array, b: Array) -> Array:
    """Operands and result rounded to binary16."""
    rounded = a.astype(np.float16).astype(np.float32) @ b.astype(np.float16).astype(np.float32)
    return rounded.astype(np.float16).astype(np.float32)


def tf32_product(xp: Any, a: Array, b: Array) -> Array:
    """Operands rounded to ten bits of mantissa, summed in float32: what a tensor core does with TF32 switched on."""
    return _to_tf32(xp, a) @ _to_tf32(xp, b)


def _to_tf32(xp: Any, array: Array) -> Array:
    half, kept = np.int32(1 << (TF32_DROPPED_BITS - 1)), np.int32(-1 << TF32_DROPPED_BITS)
    return ((xp.ascontiguousarray(array).view(np.int32) + half) & kept).view(np.float32)


# --- the bias gradient: (B, N) -> (N,) --------------------------------------------------------------------------------


def library_sum(xp: Any, grad: Array) -> Array:
    """The library's sum over the batch."""
    return grad.sum(axis=0)


def backward_sum(xp: Any, grad: Array) -> Array:
    """One running sum from the last sample to the first."""
    return grad[::-1].cumsum(axis=0)[-1]


def no_sum(xp: Any, grad: Array) -> Array:
    """Zeros."""
    return grad[0] * 0


# --- how arrays lie in memory -----------------------------------------------------------------------------------------


def as_it_is(xp: Any, array: Array) -> Array:
    """The array itself."""
    return array


def every_other_element(xp: Any, array: Array) -> Array:
    """The same values as a view: a matrix column by column, and between two elements one that belongs to nobody."""
    if array.ndim != 2:
        return array
    buffer = xp.zeros((array.shape[1], 2 * array.shape[0]), dtype=array.dtype)
    view = buffer[:, ::2].T
    view[...] = array
    return view


# --- what forward() shows: (B, F) -> (B, F) ---------------------------------------------------------------------------


def zeros(xp: Any, output: Array) -> Array:
    """Nothing of it."""
    return xp.zeros_like(output)


def blue_green_red(xp: Any, output: Array) -> Array:
    """The first three numbers of every row, red, green and blue, the other way round."""
    return xp.concatenate([output[:, 2::-1], output[:, 3:]], axis=1)


# --- taps as they are handed out --------------------------------------------------------------------------------------


def all_taps(xp: Any, taps: Taps) -> Taps:
    """The taps themselves."""
    return taps


def copied(xp: Any, taps: Taps) -> Taps:
    """Copies, so that a later step leaves them alone."""
    return {name: array.copy() for name, array in taps.items()}


def without(tap: str) -> Callable[[Any, Taps], Taps]:
    """One tap is missing."""
    return lambda xp, taps: {name: array for name, array in taps.items() if name != tap}


def with_another(tap: str) -> Callable[[Any, Taps], Taps]:
    """One tap more than the model has: zeros."""
    return lambda xp, taps: {**taps, tap: xp.zeros(1, dtype=np.float32)}


def changed(tap: str, change: Change) -> Callable[[Any, Taps], Taps]:
    """One tap is handed out changed."""
    return lambda xp, taps: {**taps, tap: change(xp, taps[tap])}


def transposed(xp: Any, array: Array) -> Array:
    """(K, N) -> (N, K)."""
    return array.T


def reversed_rows(xp: Any, array: Array) -> Array:
    """The same numbers with the same mean, deviation and extremes, last row first."""
    return array[::-1]


def in_float64(xp: Any, array: Array) -> Array:
    """The same numbers in another dtype."""
    return array.astype(np.float64)


# --- checkpoints ------------------------------------------------------------------------------------------------------


def same_state(state: HostState) -> HostState:
    """The state itself."""
    return state


def one_bit_flipped(state: HostState) -> HostState:
    """The last bit of one weight."""
    weight = np.ascontiguousarray(state["weight_0"]).copy()
    weight.view(np.uint32)[0, 0] ^= 1
    return {**state, "weight_0": weight}


def one_weight_transposed(state: HostState) -> HostState:
    """The last weight column by column where rows are expected; its shape says nothing of it."""
    name = max((name for name in state if name.startswith("weight_")), key=lambda name: int(name.split("_")[1]))
    weight = state[name]
    return {**state, name: np.ascontiguousarray(weight.T).reshape(weight.shape)}
