"""Coverage before numbers: which taps may be compared at all."""

from __future__ import annotations

import pytest

from service.parity.diff import Signature, first_in_order, pair_taps
from service.parity.record import Trouble

EXPECTED = {"a": (2, 3), "b": (), "c": (4,)}
GOOD: dict[str, Signature] = {"a": ((2, 3), "float32"), "b": ((), "float64"), "c": ((4,), "float32")}


def without(name: str) -> dict[str, Signature]:
    return {key: value for key, value in GOOD.items() if key != name}


def test_all_there() -> None:
    pairing = pair_taps(EXPECTED, GOOD, GOOD, "synchronized", 3)
    assert pairing.comparable == ("a", "b", "c")
    assert pairing.troubles == ()


def test_order_is_the_plans_not_the_subjects() -> None:
    backwards = dict(reversed(GOOD.items()))
    assert pair_taps(EXPECTED, backwards, GOOD, "synchronized", 0).comparable == ("a", "b", "c")


CASES = [
    (without("b"), ["missing_tap"], ("a", "c")),
    ({}, ["missing_tap"] * 3, ()),
    ({**GOOD, "d": ((1,), "float32")}, ["extra_tap"], ("a", "b", "c")),
    ({**GOOD, "a": ((3, 2), "float32")}, ["shape"], ("b", "c")),
    ({**GOOD, "a": ((6,), "float32")}, ["shape"], ("b", "c")),
    ({**GOOD, "a": ((1, 3), "float32")}, ["shape"], ("b", "c")),
    ({**GOOD, "b": ((1,), "float64")}, ["shape"], ("a", "c")),
]


@pytest.mark.parametrize(("taps", "kinds", "comparable"), CASES)
@pytest.mark.parametrize("side", ["reference", "candidate"])
def test_what_is_wrong_with_one_side(
    taps: dict[str, Signature], kinds: list[str], comparable: tuple[str, ...], side: str
) -> None:
    pair = (taps, GOOD) if side == "reference" else (GOOD, taps)
    pairing = pair_taps(EXPECTED, *pair, "synchronized", 3)
    assert [trouble.kind for trouble in pairing.troubles] == kinds
    assert {(trouble.side, trouble.step) for trouble in pairing.troubles} == {(side, 3)}
    assert pairing.comparable == comparable


def test_missing_on_both_sides_is_no_agreement() -> None:
    pairing = pair_taps(EXPECTED, without("a"), without("a"), "synchronized", 0)
    assert [(trouble.side, trouble.tap) for trouble in pairing.troubles] == [("reference", "a"), ("candidate", "a")]


def test_another_dtype_is_the_candidates_trouble() -> None:
    pairing = pair_taps(EXPECTED, GOOD, {**GOOD, "a": ((2, 3), "float16")}, "synchronized", 0)
    assert [(trouble.side, trouble.kind, trouble.tap) for trouble in pairing.troubles] == [("candidate", "dtype", "a")]
    assert "float16 in the candidate and float32" in pairing.troubles[0].message


@pytest.mark.parametrize("dtype", ["object", "complex64", "<U3", ">f4", "datetime64[s]", "float128", "bfloat16"])
@pytest.mark.parametrize("sides", [("reference", "candidate"), ("candidate",)])
def test_what_holds_no_real_numbers_cannot_be_compared(dtype: str, sides: tuple[str, ...]) -> None:
    odd = {**GOOD, "a": ((2, 3), dtype)}
    pairing = pair_taps(EXPECTED, odd if "reference" in sides else GOOD, odd, "synchronized", 0)
    assert pairing.comparable == ("b", "c")
    assert tuple(trouble.side for trouble in pairing.troubles if trouble.kind == "not_numbers") == sides


def trouble(step: int | None, message: str) -> Trouble:
    return Trouble("candidate", "synchronized", step, "exception", message)


def test_first_in_order() -> None:
    assert first_in_order([]) is None
    first = first_in_order([trouble(5, "later"), trouble(2, "first"), trouble(2, "second")])
    assert first is not None
    assert first.message == "first"
    at_start = first_in_order([trouble(0, "step 0"), trouble(None, "before any step")])
    assert at_start is not None
    assert at_start.message == "before any step"
