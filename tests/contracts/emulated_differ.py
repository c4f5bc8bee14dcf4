"""A differ that runs the fused CUDA kernels on the host, through the same tables as the CuPy differ.

It compares contiguous NumPy arrays of one floating dtype; others go to the NumPy differ, as they do on a device.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from service.differs import fused_tables
from service.differs.fused_tables import FIELDS, KERNEL_TYPES, PlacedTap, make_tables, read_results
from service.differs.numpy_differ import NumpyDiffer
from service.parity.record import DiffStats
from service.ports import TapArrays

KERNELS = Path(fused_tables.__file__).with_name("fused_diff.cu")
EMULATOR = Path(__file__).with_name("emulated_gpu.cpp")


def compiler() -> str | None:
    return shutil.which("g++")


class EmulatedDiffer:
    """Compiles `fused_diff.cu` into `folder`."""

    def __init__(self, folder: Path) -> None:
        library = folder / "fused_diff.so"
        command = ["g++", "-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-Wno-unknown-pragmas"]
        subprocess.run([*command, f'-DFUSED_DIFF="{KERNELS}"', "-o", library, EMULATOR], check=True)
        self._library = ctypes.CDLL(str(library))
        self._host = NumpyDiffer()
        self.launched: list[tuple[str, bool, int]] = []

    def compare(self, taps: Sequence[TapArrays]) -> list[DiffStats]:
        found: dict[int, DiffStats] = {}
        placed: dict[int, PlacedTap] = {}
        kept = []
        for i, tap in enumerate(taps):
            arrays = [tap.reference, tap.candidate, tap.oracle_for_reference, tap.oracle_for_candidate]
            same = {array.shape for array in arrays if array is not None} == {tap.reference.shape}
            fused = str(tap.reference.dtype) in KERNEL_TYPES and tap.reference.dtype == tap.candidate.dtype
            if not (same and fused and tap.reference.size):
                (found[i],) = self._host.compare([tap])
                continue
            flat = [None if array is None else np.ascontiguousarray(array) for array in arrays]
            if arrays[2] is arrays[3]:
                flat[3] = flat[2]
            kept.append(flat)
            addresses = [0 if array is None else array.ctypes.data for array in flat]
            placed[i] = PlacedTap(str(tap.reference.dtype), tap.reference.shape, *addresses)
        found |= dict(zip(placed, self._fused(list(placed.values())), strict=True))
        return [found[i] for i in range(len(taps))]

    def _fused(self, taps: list[PlacedTap]) -> list[DiffStats]:
        if not taps:
            return []
        tables = make_tables(taps)
        assert self._library.fields() == len(FIELDS)
        assert self._library.tap_bytes() * len(taps) == tables.work_offset
        # A pattern of bits that shows where it is read before it is written.
        partials = np.full(tables.partial_words, 0x7FF8DEADBEEF0000, dtype=np.uint64)
        results = np.full((len(taps), len(FIELDS)), 0x7FF8DEADBEEF0001, dtype=np.uint64)
        table = tables.upload.ctypes.data
        self.launched = [(launch.kernel_type, launch.has_oracle, launch.tiles) for launch in tables.launches]
        for launch in tables.launches:
            failed = self._library.emulate_fused_diff(
                launch.kernel_type.encode(),
                int(launch.has_oracle),
                ctypes.c_void_p(table),
                ctypes.c_void_p(table + tables.work_offset),
                launch.first_tile,
                launch.tiles,
                ctypes.c_void_p(partials.ctypes.data),
            )
            assert failed == 0
        arguments: list[Any] = [ctypes.c_void_p(partials.ctypes.data), ctypes.c_void_p(results.ctypes.data)]
        self._library.emulate_reduce_tiles(ctypes.c_void_p(table), len(taps), *arguments)
        return read_results(taps, tables, results)
