"""The tables that the fused kernels are given: what is launched, and which tile is whose."""

from __future__ import annotations

import math

import numpy as np
import pytest

from service.differs.fused_tables import (
    FIELDS,
    MAX_TILES,
    TILE_ELEMENTS,
    Launch,
    PlacedTap,
    make_tables,
    read_results,
    tile_elements,
)

LARGEST = TILE_ELEMENTS * MAX_TILES


def tap(n: int, dtype: str = "float32", oracles: tuple[int, int] = (0, 0), at: int = 4096) -> PlacedTap:
    return PlacedTap(dtype, (n,), at, at + 16, *oracles)


@pytest.mark.parametrize(
    ("elements", "size"),
    [
        (1, TILE_ELEMENTS),
        (LARGEST, TILE_ELEMENTS),
        (LARGEST + 1, 2 * TILE_ELEMENTS),
        (2 * LARGEST, 2 * TILE_ELEMENTS),
        (2 * LARGEST + 1, 4 * TILE_ELEMENTS),
        (2**40, 2**29),
    ],
)
def test_tiles_grow_with_the_tap(elements: int, size: int) -> None:
    assert tile_elements(elements) == size
    assert -(-elements // size) <= MAX_TILES


def rows_of(taps: list[PlacedTap]) -> tuple[list[tuple[int, ...]], list[int]]:
    """The table's rows as the kernel's structure reads them, and each tile's row."""
    tables = make_tables(taps)
    table = tables.upload[: tables.work_offset].tobytes()
    assert len(table) == 72 * len(taps)
    words = [np.frombuffer(table[i : i + 56], np.uint64).tolist() for i in range(0, len(table), 72)]
    halves = [np.frombuffer(table[i + 56 : i + 72], np.uint32).tolist() for i in range(0, len(table), 72)]
    rows = [(*a, *b) for a, b in zip(words, halves, strict=True)]
    return rows, tables.upload[tables.work_offset :].view(np.uint32).tolist()


def test_every_tile_of_every_tap_once_and_every_result_its_own_place() -> None:
    taps = [tap(n) for n in (1, TILE_ELEMENTS, TILE_ELEMENTS + 1, 5 * TILE_ELEMENTS - 1, 7)]
    rows, work = rows_of(taps)
    places: list[int] = []
    for i, (*_, elements, size, partials, tiles, first_tile, _flags, _unused) in enumerate(rows):
        assert (elements, size) == (math.prod(taps[i].shape), TILE_ELEMENTS)
        assert tiles == -(-elements // size)
        assert work[first_tile : first_tile + tiles] == [i] * tiles
        places += range(partials, partials + tiles * len(FIELDS))
    assert len(work) == sum(row[7] for row in rows)
    assert sorted(places) == list(range(make_tables(taps).partial_words))


def test_one_launch_a_dtype_and_another_for_those_with_an_oracle() -> None:
    taps = [
        tap(3),
        tap(3, "float64"),
        tap(20_000, oracles=(8, 0)),
        tap(20_000),
        tap(5, oracles=(0, 8)),
        tap(1, "float16"),
    ]
    tables = make_tables(taps)
    assert tables.launches == (
        Launch("Float16", False, 0, 1),
        Launch("Float32", False, 1, 3),
        Launch("Float32", True, 4, 3),
        Launch("Float64", False, 7, 1),
    )
    assert tables.order == (5, 0, 3, 2, 4, 1)
    assert len(make_tables([tap(7, oracles=(8, 8)) for _ in range(100)]).launches) == 1


ALIGNED, HAS_R, HAS_C, ONE = 1, 2, 4, 8


@pytest.mark.parametrize(
    ("place", "oracles", "flags"),
    [
        (4096, (0, 0), ALIGNED),
        (4100, (0, 0), 0),
        (4096, (32, 48), ALIGNED | HAS_R | HAS_C),
        (4096, (32, 32), ALIGNED | HAS_R | HAS_C | ONE),
        (4096, (32, 0), ALIGNED | HAS_R),
        (4096, (0, 32), ALIGNED | HAS_C),
        (4096, (32, 40), HAS_R | HAS_C),
        (4096, (40, 40), HAS_R | HAS_C | ONE),
    ],
)
def test_flags(place: int, oracles: tuple[int, int], flags: int) -> None:
    rows, _ = rows_of([tap(9, oracles=oracles, at=place)])
    assert rows[0][9] == flags


def test_results_go_back_to_the_order_of_the_taps() -> None:
    taps = [
        PlacedTap("float64", (2, 3, 4), 64, 64),
        PlacedTap("float32", (5,), 64, 64, 64, 0),
        PlacedTap("float32", (1,), 64, 64),
    ]
    tables = make_tables(taps)
    results = np.zeros((3, len(FIELDS)), np.uint64)
    for row, i in enumerate(tables.order):
        results[row, FIELDS.index("differing")] = 10 + i
        results[row, FIELDS.index("at_d")] = (23, 4, 0)[i]
        results[row, FIELDS.index("max_ulp")] = 2**64 - 1 - i
        results.view(np.float64)[row, FIELDS.index("max_d")] = 0.5 + i
    found = read_results(taps, tables, results)
    assert [stats.mismatches for stats in found] == [10, 11, 12]
    assert [stats.worst_index for stats in found] == [(1, 2, 3), (4,), (0,)]
    assert [stats.max_ulp for stats in found] == [2**64 - 1, 2**64 - 2, 2**64 - 3]
    assert [stats.max_abs for stats in found] == [0.5, 1.5, 2.5]
    assert [stats.reference_error for stats in found] == [None, 0.0, None]
    assert [stats.candidate_error for stats in found] == [None, None, None]


def test_nothing_that_could_be_compared() -> None:
    placed = [tap(4, oracles=(64, 64))]
    results = np.zeros((1, len(FIELDS)), np.uint64)
    for name in ("left_out", "left_out_r", "left_out_c", "nan_r", "nan_c"):
        results[0, FIELDS.index(name)] = 4
    (stats,) = read_results(placed, make_tables(placed), results)
    assert stats.max_abs is stats.rms is stats.max_rel is stats.max_ulp is stats.worst_index is stats.cosine is None
    assert stats.reference_error is stats.candidate_error is stats.candidate_worst_index is None
    assert (stats.reference_nan, stats.candidate_nan) == (4, 4)
