"""Samples from colour records: vectors bit-equal to the legacy loader's, patches that begin with their colour."""

from __future__ import annotations

import numpy as np
import pytest

from basemodel.datasets import color_patches, patch_side, text_vectors
from legacy.color_loader import color_vectors, load_color_records, record_from_hex

RECORDS = load_color_records("colors-a-f")


@pytest.mark.parametrize("length", [1, 8, 9, 12, 512])
def test_text_vectors_are_the_legacy_ones_bit_for_bit(length: int) -> None:
    made, legacy = text_vectors(RECORDS, length), color_vectors(RECORDS, length)
    assert (made.dtype, made.shape, made.flags.c_contiguous) == (legacy.dtype, legacy.shape, True)
    assert made.tobytes() == legacy.tobytes()


def test_text_vectors_of_all_colours() -> None:
    records = load_color_records("colors")
    assert text_vectors(records, 16).tobytes() == color_vectors(records, 16).tobytes()


@pytest.mark.parametrize("side", [1, 2, 6])
def test_a_patch_begins_with_its_colour_and_stays_among_colours(side: int) -> None:
    patches = color_patches(RECORDS, side)
    assert (patches.shape, patches.dtype, patches.flags.c_contiguous) == ((264, 3 * side * side), np.float32, True)
    np.testing.assert_array_equal(patches[:, :3], color_vectors(RECORDS, 3))
    assert patches[0, :3] == pytest.approx([0.0, 0.28, 0.73])
    assert patches.min() >= 0
    assert patches.max() <= 1


def test_corners_are_colours_and_what_is_between_is_their_blend() -> None:
    side = 5
    patches = color_patches(RECORDS, side).reshape(-1, side, side, 3).astype(np.float64)
    colours = {tuple(colour) for colour in color_vectors(RECORDS, 3)}
    for down, across in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert {tuple(colour) for colour in patches[:, down, across].astype(np.float32)} == colours
    np.testing.assert_allclose(patches[:, 0, 2], (patches[:, 0, 0] + patches[:, 0, -1]) / 2, atol=1e-6)
    np.testing.assert_allclose(patches[:, 1, 0], 0.75 * patches[:, 0, 0] + 0.25 * patches[:, -1, 0], atol=1e-6)
    middle = sum(patches[:, down, across] for down in (0, -1) for across in (0, -1)) / 4
    np.testing.assert_allclose(patches[:, 2, 2], middle, atol=1e-6)


def test_patches_come_from_the_seed() -> None:
    assert color_patches(RECORDS, 3, 1).tobytes() == color_patches(RECORDS, 3, 1).tobytes()
    assert color_patches(RECORDS, 3, 1).tobytes() != color_patches(RECORDS, 3, 2).tobytes()


@pytest.mark.parametrize(
    ("length", "side"),
    [(3, 1), (12, 2), (27, 3), (108, 6), (16_384, None), (0, None), (1, None), (13, None), (-3, None)],
)
def test_patch_side(length: int, side: int | None) -> None:
    assert patch_side(length) == side


def test_what_is_refused() -> None:
    for make in (text_vectors, color_patches):
        with pytest.raises(ValueError, match="no colour records"):
            make([], 3)
        with pytest.raises(ValueError, match="must be at least 1, got 0"):
            make(RECORDS, 0)
    for field, text in (("Red(RGB)", "28"), ("Red(RGB)", "x%"), ("Blue(RGB)", ""), ("Green(RGB)", "5°%")):
        record = {**record_from_hex("Odd", "#0048BA"), field: text}
        with pytest.raises(ValueError, match=r"colour 'Odd': .*\(RGB\) is"):
            color_patches([record], 2)
