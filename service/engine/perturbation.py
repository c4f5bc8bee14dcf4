"""States moved by a few units in the last place: what rounding alone could have made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.ports import State

PERTURBATION_ULPS = 4
"""Of the free-running band's perturbed references, after every step."""


def perturb(
    state: State, rng: np.random.Generator, ulps: int = PERTURBATION_ULPS
) -> tuple[dict[str, NDArray[np.generic]], float]:
    """Move every element by a whole number of its own units in the last place, from -ulps to +ulps, but not by 0.

    Returns the new state and its `moved_share`. Arrays that are not of floating point, a counter of steps say, stay as
    they are.
    """
    moved_state: dict[str, NDArray[np.generic]] = {}
    for name, array in state.items():
        if array.dtype.kind != "f":
            moved_state[name] = array.copy()
            continue
        count = rng.integers(-ulps, ulps, size=array.shape, dtype=np.int8)
        count += count >= 0  # without 0: of a bias with one element, one draw in nine would move nothing at all
        moved_state[name] = _moved(array, count)
    return moved_state, moved_share(state, moved_state)


def moved_share(before: State, after: State) -> float:
    """The smallest share of a floating-point array's elements that changed; 0 where there is no such array to move."""
    shares = [
        float(np.count_nonzero(after[name] != array)) / array.size
        for name, array in before.items()
        if array.dtype.kind == "f" and array.size
    ]
    return min(shares, default=0.0)


def _moved(array: NDArray[np.generic], count: NDArray[np.int8]) -> NDArray[np.generic]:
    """Each element moved by `count` representable numbers; near zero, by as many times the smallest one."""
    integer = np.dtype(f"i{array.dtype.itemsize}")
    bits = np.ascontiguousarray(array).view(integer)
    moved: NDArray[np.generic] = np.add(bits, count, dtype=integer).view(array.dtype)
    # Bit patterns count magnitudes, so a step down from a magnitude smaller than itself would leave the numbers.
    small = (bits & np.iinfo(integer).max) <= np.iinfo(np.int8).max
    if small.any():
        moved[small] = array[small] + count[small].astype(array.dtype) * np.spacing(array[small])
    return moved
