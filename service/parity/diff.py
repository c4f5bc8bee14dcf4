"""Coverage before numbers: which taps can be compared, and what is missing, extra or misshapen on which side."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.parity.record import SIDES, Side, Trouble

Signature = tuple[tuple[int, ...], str]
"""Shape and dtype of a tap."""

_REAL = re.compile(r"float(16|32|64)|u?int(8|16|32|64)|bool")
"""The dtypes that a differ can compare."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """The taps that can be compared, in dataflow order, and what kept others from it."""

    comparable: tuple[str, ...]
    troubles: tuple[Trouble, ...]


def pair_taps(
    expected: Mapping[str, tuple[int, ...]],
    reference: Mapping[str, Signature],
    candidate: Mapping[str, Signature],
    phase: str,
    step: int,
) -> Pairing:
    """Hold both sides to the expected taps and shapes, and the candidate to the reference's dtypes."""
    sides: dict[Side, Mapping[str, Signature]] = {"reference": reference, "candidate": candidate}
    troubles = [trouble for side in SIDES for trouble in _troubles(side, expected, sides[side], phase, step)]
    for tap in expected:
        if tap in reference and tap in candidate and reference[tap][1] != candidate[tap][1]:
            message = f"{tap} is {candidate[tap][1]} in the candidate and {reference[tap][1]} in the reference"
            troubles.append(Trouble("candidate", phase, step, "dtype", message, tap))
    broken = {trouble.tap for trouble in troubles if trouble.kind in ("missing_tap", "shape", "not_numbers")}
    return Pairing(tuple(tap for tap in expected if tap not in broken), tuple(troubles))


def _troubles(
    side: Side, expected: Mapping[str, tuple[int, ...]], taps: Mapping[str, Signature], phase: str, step: int
) -> Iterator[Trouble]:
    for tap, shape in expected.items():
        if tap not in taps:
            yield Trouble(side, phase, step, "missing_tap", f"the {side} gave no {tap}", tap)
        elif taps[tap][0] != shape:
            message = f"{tap} has shape {taps[tap][0]} in the {side}; expected {shape}"
            yield Trouble(side, phase, step, "shape", message, tap)
        elif not _REAL.fullmatch(taps[tap][1]):
            message = f"{tap} is {taps[tap][1]} in the {side}, which holds no real numbers that can be compared"
            yield Trouble(side, phase, step, "not_numbers", message, tap)
    for tap in taps:
        if tap not in expected:
            yield Trouble(side, phase, step, "extra_tap", f"the {side} gave {tap}, which the plan does not expect", tap)


def first_in_order(troubles: Sequence[Trouble]) -> Trouble | None:
    """The earliest trouble by step, in the order of observation within a step."""
    return min(troubles, key=lambda trouble: -1 if trouble.step is None else trouble.step, default=None)
