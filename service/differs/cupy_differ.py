"""The CuPy differ: all taps of a call in a launch for each dtype and one to add up; only their statistics leave it.

Taps of float16, bfloat16, float32 and float64 are reduced on the device by `fused_diff.cu`, which reads each once.
Others (integers, booleans, a pair of unequal dtypes) are copied to the host and given to the NumPy differ: rare, and
right rather than fast. bfloat16 is what CuPy has by the optional package ml_dtypes; this module does not import it.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.differs.fused_tables import (
    FIELDS,
    KERNEL_TYPES,
    THREADS,
    FusedTables,
    PlacedTap,
    make_tables,
    read_results,
)
from service.differs.numpy_differ import NumpyDiffer
from service.parity.record import DiffStats
from service.ports import Array, TapArrays

SOURCE = Path(__file__).with_name("fused_diff.cu")
OPTIONS = ("--std=c++17",)
"""CuPy adds -ftz=true to these."""
REDUCE = "reduce_tiles"


@dataclass(frozen=True, slots=True)
class PreparedTaps:
    """Taps whose tables are on the device, with the room for what the kernels leave there.

    `arrays` are the operands: contiguous, and kept alive for as long as the addresses in the tables are used.
    """

    taps: tuple[PlacedTap, ...]
    tables: FusedTables
    upload: Array
    partials: Array
    results: Array
    arrays: tuple[Array, ...]

    @property
    def launch_count(self) -> int:
        """Kernels started for these taps: one for each dtype, with and without an oracle, and one to add up."""
        return len(self.tables.launches) + 1


class CupyDiffer:
    """Compares arrays on one device, `cuda:N`, on the stream that is current."""

    def __init__(self, device: str) -> None:
        self._cupy = importlib.import_module("cupy")
        self._device = self._cupy.cuda.Device(int(device.removeprefix("cuda:")))
        self._kernels: dict[str, dict[str, Any]] = {}
        self._host = NumpyDiffer()

    def compare(self, taps: Sequence[TapArrays]) -> list[DiffStats]:
        """One `DiffStats` a pair, in order; raises ValueError where two shapes differ, before anything is launched.

        One upload of tables, the launches, one download of results; besides, what is not contiguous or not on the
        device is copied first.
        """
        for tap in taps:
            _check_shapes(tap)
        fused = [i for i, tap in enumerate(taps) if _is_fused(tap)]
        found: dict[int, DiffStats] = {}
        if fused:
            with self._device:
                prepared = self.prepare([taps[i] for i in fused])
                self.launch(prepared)
                results = prepared.results.get()
            found.update(zip(fused, read_results(prepared.taps, prepared.tables, results), strict=True))
        return [found[i] if i in found else self._on_host(tap) for i, tap in enumerate(taps)]

    def prepare(self, taps: Sequence[TapArrays]) -> PreparedTaps:
        """Put the taps' tables on the device; all must be non-empty pairs of one floating dtype each."""
        cupy = self._cupy
        arrays: list[Array] = []
        placed = []
        for tap in taps:
            operands = self._operands(tap)
            arrays += [operand for operand in operands if operand is not None]
            addresses = [0 if operand is None else int(operand.data.ptr) for operand in operands]
            shape = tuple(int(n) for n in tap.reference.shape)
            placed.append(PlacedTap(tap.reference.dtype.name, shape, *addresses))
        tables = make_tables(placed)
        upload = cupy.asarray(tables.upload)
        partials = cupy.empty(tables.partial_words, dtype=cupy.uint64)
        results = cupy.empty((len(placed), len(FIELDS)), dtype=cupy.uint64)
        return PreparedTaps(tuple(placed), tables, upload, partials, results, tuple(arrays))

    def launch(self, prepared: PreparedTaps) -> None:
        """Start the kernels; they read the arrays' values of now, and may be started again for other values."""
        tables, upload, partials = prepared.tables, prepared.upload, prepared.partials
        work = upload[tables.work_offset :]
        for launch in tables.launches:
            arguments = (upload, work, np.uint32(launch.first_tile), partials)
            kernel = self._functions(launch.kernel_type)[kernel_name(launch.kernel_type, launch.has_oracle)]
            kernel((launch.tiles,), (THREADS,), arguments)
        reduce = self._functions(tables.launches[0].kernel_type)[REDUCE]
        reduce((len(prepared.taps),), (32 * len(FIELDS),), (upload, partials, prepared.results))

    def _operands(self, tap: TapArrays) -> list[Array | None]:
        """Reference, candidate and the oracles, contiguous and on the device; one oracle for both stays one array."""
        cupy = self._cupy
        sides = [cupy.ascontiguousarray(cupy.asarray(array)) for array in (tap.reference, tap.candidate)]
        oracle_r, oracle_c = tap.oracle_for_reference, tap.oracle_for_candidate
        first, second = (
            None if oracle is None else cupy.ascontiguousarray(cupy.asarray(oracle, dtype=cupy.float64))
            for oracle in (oracle_r, None if oracle_c is oracle_r else oracle_c)
        )
        return [*sides, first, first if oracle_c is oracle_r else second]

    def _functions(self, kernel_type: str) -> dict[str, Any]:
        """A dtype's kernels by name, compiled when it is first met; CuPy keeps what was compiled on disk."""
        if kernel_type not in self._kernels:
            names = (kernel_name(kernel_type, False), kernel_name(kernel_type, True), REDUCE)
            module = self._cupy.RawModule(code=SOURCE.read_text(), options=OPTIONS, name_expressions=names)
            self._kernels[kernel_type] = {name: module.get_function(name) for name in names}
        return self._kernels[kernel_type]

    def _on_host(self, tap: TapArrays) -> DiffStats:
        arrays = (tap.reference, tap.candidate, tap.oracle_for_reference, tap.oracle_for_candidate)
        host = [None if a is None else a.get() if hasattr(a, "get") else np.asarray(a) for a in arrays]
        return self._host.compare([TapArrays(host[0], host[1], host[2], host[3])])[0]


def kernel_name(kernel_type: str, has_oracle: bool) -> str:
    return f"fused_diff<{kernel_type}, {str(has_oracle).lower()}>"


def _check_shapes(tap: TapArrays) -> None:
    for other in (tap.candidate, tap.oracle_for_reference, tap.oracle_for_candidate):
        if other is not None and other.shape != tap.reference.shape:
            raise ValueError(f"shapes differ: {tap.reference.shape} and {other.shape}")


def _is_fused(tap: TapArrays) -> bool:
    dtype = tap.reference.dtype
    return bool(dtype == tap.candidate.dtype and dtype.name in KERNEL_TYPES and tap.reference.size)
