"""What the fused kernels are given and what they give back, as plain tables: no GPU is needed to make or read them.

The twin of the structures at the top of `fused_diff.cu`. All taps of a call lie in one upload, and all results come
back in one download of (taps, `len(FIELDS)`) words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.differs.numpy_differ import cosine
from service.parity.record import DiffStats

THREADS = 256
TILE_ELEMENTS = 16_384
"""The smallest tile that a block takes, a multiple of every kernel's batch; doubled until `MAX_TILES` are enough."""
MAX_TILES = 2048
"""Tiles of one tap at most: 15 to each multiprocessor of an H100, and few enough to add up in microseconds."""
VECTOR_BYTES = 16

FIELDS = (
    "nan_r", "inf_r", "nan_c", "inf_c", "left_out", "left_out_r", "left_out_c",
    "differing", "max_ulp",
    "square_d", "square_r", "square_c", "dot", "square_er", "square_ec",
    "max_rel", "scale",
    "max_d", "at_d", "max_er", "at_er", "max_ec", "at_ec",
)  # fmt: skip
_FLOATS = frozenset(FIELDS[9:]) - {"at_d", "at_er", "at_ec"}

KERNEL_TYPES = {"float16": "Float16", "bfloat16": "Bfloat16", "float32": "Float32", "float64": "Float64"}

_TAP = np.dtype(
    [(name, np.uint64) for name in ("reference", "candidate", "oracle_r", "oracle_c")]
    + [(name, np.uint64) for name in ("elements", "tile_elements", "partials")]
    + [(name, np.uint32) for name in ("tiles", "first_tile", "flags", "unused")]
)
_ALIGNED, _HAS_ORACLE_R, _HAS_ORACLE_C, _ONE_ORACLE = 1, 2, 4, 8


@dataclass(frozen=True, slots=True)
class PlacedTap:
    """A pair that the kernel can compare: addresses of contiguous arrays, 0 for an oracle that is absent."""

    dtype: str
    shape: tuple[int, ...]
    reference: int
    candidate: int
    oracle_r: int = 0
    oracle_c: int = 0

    @property
    def has_oracle(self) -> bool:
        return bool(self.oracle_r or self.oracle_c)


@dataclass(frozen=True, slots=True)
class Launch:
    """One launch of `fused_diff<kernel_type, has_oracle>`: a block for each tile from `first_tile` on."""

    kernel_type: str
    has_oracle: bool
    first_tile: int
    tiles: int


@dataclass(frozen=True, slots=True)
class FusedTables:
    """The upload (uint8): the taps' table, then at `work_offset` the place in it of each tile's tap, uint32.

    `order[i]` is the place among the given taps of the table's i-th.
    """

    upload: NDArray[np.uint8]
    work_offset: int
    launches: tuple[Launch, ...]
    partial_words: int
    order: tuple[int, ...]


def tile_elements(elements: int) -> int:
    """Elements a tile; of the tap's size alone, so that sums are added in the same order on every card."""
    size = TILE_ELEMENTS
    while -(-elements // size) > MAX_TILES:
        size *= 2
    return size


def make_tables(taps: Sequence[PlacedTap]) -> FusedTables:
    """Cut the taps, none of them empty, into tiles; those of one kernel lie together."""
    order = sorted(range(len(taps)), key=lambda i: (taps[i].dtype, taps[i].has_oracle))
    rows, launches, first_tile, partial_words = [], list[Launch](), 0, 0
    for i in order:
        tap = taps[i]
        elements = math.prod(tap.shape)
        size = tile_elements(elements)
        tiles = -(-elements // size)
        addresses = (tap.reference, tap.candidate, tap.oracle_r, tap.oracle_c)
        rows.append((*addresses, elements, size, partial_words, tiles, first_tile, _flags(tap), 0))
        kernel = (KERNEL_TYPES[tap.dtype], tap.has_oracle)
        if launches and (launches[-1].kernel_type, launches[-1].has_oracle) == kernel:
            launches[-1] = Launch(*kernel, launches[-1].first_tile, launches[-1].tiles + tiles)
        else:
            launches.append(Launch(*kernel, first_tile, tiles))
        first_tile += tiles
        partial_words += tiles * len(FIELDS)
    table = np.array(rows, dtype=_TAP)
    work = np.repeat(np.arange(len(rows), dtype=np.uint32), table["tiles"])
    upload = np.concatenate([table.view(np.uint8), work.view(np.uint8)])
    return FusedTables(upload, table.nbytes, tuple(launches), partial_words, tuple(order))


def _flags(tap: PlacedTap) -> int:
    flags = _HAS_ORACLE_R * bool(tap.oracle_r) | _HAS_ORACLE_C * bool(tap.oracle_c)
    if tap.oracle_r and tap.oracle_r == tap.oracle_c:
        flags |= _ONE_ORACLE
    addresses = (tap.reference, tap.candidate, tap.oracle_r, tap.oracle_c)
    return flags | _ALIGNED * all(address % VECTOR_BYTES == 0 for address in addresses)


def read_results(taps: Sequence[PlacedTap], tables: FusedTables, results: NDArray[np.uint64]) -> list[DiffStats]:
    """The statistics in the order of the taps; `results` is (taps, `len(FIELDS)`) in the order of the table."""
    floats = results.view(np.float64).tolist()
    words = results.tolist()
    found: dict[int, DiffStats] = {}
    for row, i in enumerate(tables.order):
        values = {name: floats[row][f] if name in _FLOATS else words[row][f] for f, name in enumerate(FIELDS)}
        found[i] = _stats(taps[i], values)
    return [found[i] for i in range(len(taps))]


def _stats(tap: PlacedTap, v: dict[str, Any]) -> DiffStats:
    elements = math.prod(tap.shape)
    pairs = elements - v["left_out"]
    reference_error, reference_rms, _ = _error(v, "er", tap.oracle_r, elements - v["left_out_r"])
    candidate_error, candidate_rms, candidate_at = _error(v, "ec", tap.oracle_c, elements - v["left_out_c"])
    return DiffStats(
        elements=elements,
        reference_nan=v["nan_r"],
        reference_inf=v["inf_r"],
        candidate_nan=v["nan_c"],
        candidate_inf=v["inf_c"],
        mismatches=v["differing"],
        max_abs=v["max_d"] if pairs else None,
        rms=math.sqrt(v["square_d"] / pairs) if pairs else None,
        cosine=cosine(v["dot"], math.sqrt(v["square_r"]) * math.sqrt(v["square_c"])),
        max_ulp=v["max_ulp"] if pairs else None,
        worst_index=_index(v["at_d"], tap.shape) if pairs else None,
        reference_error=reference_error,
        candidate_error=candidate_error,
        reference_error_rms=reference_rms,
        candidate_error_rms=candidate_rms,
        candidate_worst_index=None if candidate_at is None else _index(candidate_at, tap.shape),
        oracle_scale=v["scale"] if tap.has_oracle else None,
        max_rel=v["max_rel"] if pairs else None,
    )


def _error(v: dict[str, Any], side: str, oracle: int, count: int) -> tuple[float | None, float | None, int | None]:
    """Largest error, RMS error and where the largest is; None without an oracle, or where nothing could be measured."""
    if not oracle or not count:
        return None, None, None
    return v[f"max_{side}"], math.sqrt(v[f"square_{side}"] / count), v[f"at_{side}"]


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index = []
    for n in reversed(shape):
        flat, place = divmod(flat, n)
        index.append(place)
    return tuple(reversed(index))
