"""The CuPy differ: one fused kernel a pair reads each tap once on the device; only a few numbers a block leave it.

Taps of float16, float32 and float64 are reduced on the device. Others (integers, booleans, a pair of unequal dtypes)
are copied to the host and given to the NumPy differ: rare, and right rather than fast.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.differs.numpy_differ import NumpyDiffer, cosine
from service.parity.record import DiffStats
from service.ports import Array, TapArrays

SOURCE = Path(__file__).with_name("fused_diff.cu")
THREADS = 256
ELEMENTS_A_BLOCK = 2048
MAX_BLOCKS = 1024
OPTIONS = ("--std=c++17",)
"""CuPy adds -ftz=true to these."""

_TYPES = {"float16": "__half", "float32": "float", "float64": "double"}
_FIELDS = (
    "pairs", "mismatches", "nan_r", "inf_r", "nan_c", "inf_c",
    "square_d", "square_r", "square_c", "dot", "max_d", "at_d",
    "count_er", "square_er", "max_er", "at_er",
    "count_ec", "square_ec", "max_ec", "at_ec",
    "scale",
)  # fmt: skip
_MAXIMA = {"max_d": "at_d", "max_er": "at_er", "max_ec": "at_ec"}


class CupyDiffer:
    """Compares arrays on one device, `cuda:N`."""

    def __init__(self, device: str) -> None:
        self._cupy = importlib.import_module("cupy")
        self._device = self._cupy.cuda.Device(int(device.removeprefix("cuda:")))
        names = tuple(f"fused_diff<{kind}>" for kind in _TYPES.values())
        with self._device:
            module = self._cupy.RawModule(code=SOURCE.read_text(), options=OPTIONS, name_expressions=names)
            self._kernels = {dtype: module.get_function(name) for dtype, name in zip(_TYPES, names, strict=True)}
        self._host = NumpyDiffer()

    def compare(self, taps: Sequence[TapArrays]) -> list[DiffStats]:
        """One `DiffStats` a pair, in order: all kernels are launched, then the results are fetched together."""
        with self._device:
            pending = [self._launch(tap) for tap in taps]
            fetched = self._fetch([item for item in pending if item is not None])
        results = iter(fetched)
        return [
            self._on_host(tap) if item is None else _stats(tap, *next(results))
            for tap, item in zip(taps, pending, strict=True)
        ]

    def _launch(self, tap: TapArrays) -> tuple[Array, Array] | None:
        """Start the kernel; returns its (blocks, fields) sums and (blocks,) ulps, or None for a pair for the host."""
        cupy = self._cupy
        arrays = [tap.reference, tap.candidate, tap.oracle_for_reference, tap.oracle_for_candidate]
        for other in arrays[1:]:
            if other is not None and other.shape != tap.reference.shape:
                raise ValueError(f"shapes differ: {tap.reference.shape} and {other.shape}")
        dtype = str(tap.reference.dtype)
        size = math.prod(tap.reference.shape)
        if dtype not in _TYPES or str(tap.candidate.dtype) != dtype or size == 0:
            return None
        reference, candidate = (cupy.ascontiguousarray(cupy.asarray(array)) for array in arrays[:2])
        oracles = [
            None if oracle is None else cupy.ascontiguousarray(cupy.asarray(oracle, dtype=cupy.float64))
            for oracle in arrays[2:]
        ]
        blocks = min(MAX_BLOCKS, -(-size // ELEMENTS_A_BLOCK))
        sums = cupy.empty((blocks, len(_FIELDS)), dtype=cupy.float64)
        ulps = cupy.empty(blocks, dtype=cupy.uint64)
        pointers = [np.uintp(0) if oracle is None else oracle for oracle in oracles]
        arguments = (reference, candidate, *pointers, np.uint64(size), sums, ulps)
        self._kernels[dtype]((blocks,), (THREADS,), arguments)
        return sums, ulps

    def _fetch(self, launched: Sequence[tuple[Array, Array]]) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        """Two copies for all pairs together."""
        if not launched:
            return []
        lengths = [len(ulps) for _, ulps in launched]
        cuts = np.cumsum(lengths)[:-1]
        sums = self._cupy.concatenate([sums for sums, _ in launched]).get()
        ulps = self._cupy.concatenate([ulps for _, ulps in launched]).get()
        return list(zip(np.split(sums, cuts), np.split(ulps, cuts), strict=True))

    def _on_host(self, tap: TapArrays) -> DiffStats:
        arrays = (tap.reference, tap.candidate, tap.oracle_for_reference, tap.oracle_for_candidate)
        host = [None if a is None else a.get() if hasattr(a, "get") else np.asarray(a) for a in arrays]
        return self._host.compare([TapArrays(host[0], host[1], host[2], host[3])])[0]


def _stats(tap: TapArrays, sums: NDArray[np.float64], ulps: NDArray[np.uint64]) -> DiffStats:
    """Add the blocks up, in their order."""
    column = {name: sums[:, i] for i, name in enumerate(_FIELDS)}
    total = {name: float(values.sum()) for name, values in column.items()}
    worst = {name: _worst(column[name], column[at]) for name, at in _MAXIMA.items()}
    shape = tuple(int(n) for n in tap.reference.shape)
    pairs, norm = total["pairs"], math.sqrt(total["square_r"]) * math.sqrt(total["square_c"])
    errors = {}
    for side, oracle in (("r", tap.oracle_for_reference), ("c", tap.oracle_for_candidate)):
        count = total[f"count_e{side}"]
        value, at = worst[f"max_e{side}"]
        seen = oracle is not None and count > 0
        errors[side] = (value, math.sqrt(total[f"square_e{side}"] / count), at) if seen else (None, None, None)
    has_oracle = tap.oracle_for_reference is not None or tap.oracle_for_candidate is not None
    candidate_at = errors["c"][2]
    return DiffStats(
        elements=math.prod(shape),
        reference_nan=int(total["nan_r"]),
        reference_inf=int(total["inf_r"]),
        candidate_nan=int(total["nan_c"]),
        candidate_inf=int(total["inf_c"]),
        mismatches=int(total["mismatches"]),
        max_abs=worst["max_d"][0] if pairs else None,
        rms=math.sqrt(total["square_d"] / pairs) if pairs else None,
        cosine=cosine(total["dot"], norm),
        max_ulp=int(ulps.max()) if pairs else None,
        worst_index=_index(worst["max_d"][1], shape) if pairs else None,
        reference_error=errors["r"][0],
        candidate_error=errors["c"][0],
        reference_error_rms=errors["r"][1],
        candidate_error_rms=errors["c"][1],
        candidate_worst_index=None if candidate_at is None else _index(candidate_at, shape),
        oracle_scale=float(column["scale"].max()) if has_oracle else None,
    )


def _worst(values: NDArray[np.float64], indices: NDArray[np.float64]) -> tuple[float, int]:
    """The largest value and, of equal ones, the lowest index."""
    largest = values.max()
    return float(largest), int(indices[values == largest].min())


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
