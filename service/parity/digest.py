"""Digests of arrays: how two sides' batches and states are shown to be the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_of(*arrays: NDArray[Any]) -> str:
    """SHA-256 over dtype, shape and bytes of the arrays, hex."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        if array.size:  # an empty memoryview cannot be cast
            sha.update(np.ascontiguousarray(array).data.cast("B"))
    return sha.hexdigest()


def state_digest(state: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 over the names and arrays of a state, in the order of the names, hex."""
    names = sorted(state)
    return digest_of(np.array("\n".join(names)), *(state[name] for name in names))
