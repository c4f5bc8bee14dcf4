"""Launch rules: with 170 multiprocessors the legacy geometry, with any other its generalisation."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.geometry import Launch, LaunchRules, validate_utilization
from kernels.occupancy import SM_LIMITS
from kernels.rtx5090 import matrix_kernels as legacy

SIZES = st.one_of(st.integers(0, 3000), st.integers(99_000, 101_000), st.integers(0, 2_000_000))


def same(ours: Launch, theirs: legacy.Launch) -> bool:
    return (ours.grid, ours.block, ours.utilization) == (theirs.grid, theirs.block, theirs.utilization)


@given(SIZES)
def test_elementwise_on_170_is_the_legacy_configuration(size: int) -> None:
    assert same(LaunchRules(170).elementwise(size), legacy.get_rtx5090_config(size))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_matrix_on_170_is_the_legacy_geometry(rows: int, columns: int) -> None:
    theirs = legacy._matrix_geometry(rows, columns, legacy.MATRIX_BLOCK)
    assert same(LaunchRules(170).rows(rows, columns), theirs)
    if theirs.grid[0] * theirs.grid[1] < legacy.RTX5090_TARGET_BLOCKS:
        theirs = legacy._matrix_geometry(rows, columns, legacy.SMALL_MATRIX_BLOCK)
    assert same(LaunchRules(170).matrix(rows, columns), theirs)


@given(st.integers(0, 400), st.integers(1, 5000), st.integers(1, 5000))
def test_every_element_gets_a_thread(sm_count: int, rows: int, columns: int) -> None:
    rules = LaunchRules(sm_count)
    flat = rules.elementwise(rows * columns)
    assert flat.grid[0] * flat.block[0] >= rows * columns
    for launch in (rules.rows(rows, columns), rules.matrix(rows, columns)):
        assert launch.grid[0] * launch.block[0] >= rows
        assert launch.grid[1] * launch.block[1] >= columns


@pytest.mark.parametrize(("sm_count", "target"), [(132, 528), (170, 680), (84, 336), (1, 4)])
def test_large_arrays_reach_the_target(sm_count: int, target: int) -> None:
    rules = LaunchRules(sm_count)
    assert rules.target_blocks == target
    assert rules.elementwise(100_001).grid == (max(target, 196),)
    assert rules.elementwise(100_000).grid == (196,)


def test_the_matrix_block_follows_the_target() -> None:
    # 1024 x 512 in blocks of (32, 16): 32 * 32 = 1024. 1024 x 272: 32 * 17 = 544, enough for 528 and not for 680.
    assert LaunchRules(170).matrix(1024, 512) == Launch((32, 32), (32, 16), 1.0)
    assert LaunchRules(132).matrix(1024, 272) == Launch((32, 17), (32, 16), 1.0)
    assert LaunchRules(170).matrix(1024, 272) == Launch((64, 17), (16, 16), 1.0)


def test_a_cpu_has_no_target_and_no_utilization() -> None:
    rules = LaunchRules(0)
    assert rules.elementwise(1_000_000) == Launch((1954,), (512,), None)
    assert rules.matrix(64, 32) == Launch((2, 2), (32, 16), None)


@pytest.mark.parametrize(
    ("architecture", "threads", "claimed"),
    [("sm_90", 512, 4), ("sm_120", 512, 3), ("sm_90", 256, 4), ("sm_120", 256, 4)],
)
def test_claimed_blocks_are_4_or_what_the_thread_slots_allow(architecture: str, threads: int, claimed: int) -> None:
    assert LaunchRules(1).claimed_blocks(SM_LIMITS[architecture], threads) == claimed


@pytest.mark.parametrize(
    ("blocks", "sm_count", "expected", "warned"),
    [
        (106, 132, 106 / 132, False),
        (105, 132, 105 / 132, True),
        ((33, 4), 132, 1.0, False),
        (680, 170, 1.0, False),
        (0, 132, 0.0, True),
    ],
)
def test_utilization(
    blocks: int | tuple[int, ...], sm_count: int, expected: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert validate_utilization(blocks, 512, sm_count) == expected
    assert [record.levelname for record in caplog.records] == ["WARNING"] * warned
    assert all(f"of the {sm_count} SMs" in record.message for record in caplog.records)


@given(st.integers(0, 2000), st.integers(1, 1024))
def test_utilization_of_170_is_the_legacy_one(blocks: int, threads: int) -> None:
    assert validate_utilization(blocks, threads, 170) == legacy.validate_rtx5090_utilization(blocks, threads)


def test_utilization_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="0 multiprocessors"):
        validate_utilization(1, 512, 0)
