"""Training data made from colour records: text vectors, as the legacy loader makes them, and patches of pixels.

A record is a dict of texts, e.g. "Name": "Absolute Zero", "Red(RGB)": "0%", "Hue(HSL/HSV)": "217°"; who reads them, and
from where, is the caller's business. Shapes: N records, F numbers in a sample, K pixels along a patch's side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from basemodel.base import HostArray

Record = Mapping[str, str]

CHANNELS = 3
ACHROMATIC_HUE = "—°"
_RGB_FIELDS = ("Red(RGB)", "Green(RGB)", "Blue(RGB)")
_NUMERIC_FIELDS = (*_RGB_FIELDS, "Hue(HSL/HSV)", "Satur.(HSL)", "Light(HSL)", "Satur.(HSV)", "Value(HSV)")


def text_vectors(records: Sequence[Record], vector_length: int) -> HostArray:
    """One vector a colour, float32 (N, vector_length): bit for bit those that the legacy model is trained on.

    Red, green, blue, hue, saturation and lightness of HSL, saturation and value of HSV, each as a fraction of its full
    scale; then the words of the name, numbered from 1 in order of first sight, over the largest number; then zeros, or
    cut. Raises ValueError for no records, a length below 1, or a number that cannot be read.
    """
    if vector_length < 1:
        raise ValueError(f"vector_length must be at least 1, got {vector_length}")
    _require_records(records)
    numbers: dict[str, int] = {}
    for record in records:
        for word in record["Name"].split():
            numbers.setdefault(word, len(numbers) + 1)
    vectors = np.zeros((len(records), vector_length), dtype=np.float32)
    for row, record in enumerate(records):
        words = (numbers[word] / len(numbers) for word in record["Name"].split())
        values = [*(_fraction(record, field) for field in _NUMERIC_FIELDS), *words][:vector_length]
        vectors[row, : len(values)] = values
    return vectors


def color_patches(records: Sequence[Record], side: int, seed: int = 0) -> HostArray:
    """One patch of side x side pixels a colour, float32 (N, 3 * side * side), each number 0 to 1.

    The colour itself is at the top left; towards the other corners it blends, bilinearly, into three more colours of
    the records, drawn from `seed`. Flattened row by row, pixel by pixel, red, green, blue: the first three numbers of a
    sample are its colour. Raises ValueError for no records or a side below 1.
    """
    if side < 1:
        raise ValueError(f"side must be at least 1, got {side}")
    _require_records(records)
    colours = np.array([[_fraction(record, field) for field in _RGB_FIELDS] for record in records])
    draw = np.random.default_rng(seed)
    corners = [colours, *(colours[draw.permutation(len(colours))] for _ in range(3))]
    down, across = np.meshgrid(np.linspace(0.0, 1.0, side), np.linspace(0.0, 1.0, side), indexing="ij")
    shares = ((1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across)
    patches = sum(
        np.multiply.outer(corner, share).transpose(0, 2, 3, 1) for corner, share in zip(corners, shares, strict=True)
    )
    return np.ascontiguousarray(patches, dtype=np.float32).reshape(len(colours), CHANNELS * side * side)


def patch_side(sample_length: int) -> int | None:
    """The side of a patch of so many numbers, 3 * side * side; None where there is no such patch."""
    side = math.isqrt(max(sample_length, 0) // CHANNELS)
    return side if side > 0 and CHANNELS * side * side == sample_length else None


def _require_records(records: Sequence[Record]) -> None:
    if not records:
        raise ValueError("no colour records: nothing to make samples of")


def _fraction(record: Record, field: str) -> float:
    """The field as a fraction of its full scale; an achromatic colour's hue is 0."""
    text = record[field]
    if text == ACHROMATIC_HUE:
        return 0.0
    try:
        return float(text[:-1]) / {"%": 100.0, "°": 360.0}[text[-1:]]
    except (KeyError, ValueError):
        raise ValueError(f"colour {record.get('Name')!r}: {field} is {text!r}, not e.g. 28% or 217°") from None
