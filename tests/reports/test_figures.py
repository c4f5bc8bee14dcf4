"""How numbers are written."""

from __future__ import annotations

import math

import pytest

from service.reports.figures import binary_size, duration, figure, moment, percent, ratio, scaled, short_digest, whole


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (4.0, "4"),
        (0.05, "0.05"),
        (0.00124, "0.00124"),
        (1.876, "1.88"),
        (-0.9, "−0.9"),
        (140.2, "140"),
        (123456.0, "123,456"),
        (9.1e6, "9.1 × 10⁶"),
        (3.43e-10, "3.4 × 10⁻¹⁰"),
        (0.0009999, "1.0 × 10⁻³"),
        (1e300, "1.0 × 10³⁰⁰"),
        (5e-324, "4.9 × 10⁻³²⁴"),
        (math.nan, "NaN"),
        (math.inf, "∞"),
        (-math.inf, "−∞"),
    ],
)
def test_figure(value: float, text: str) -> None:
    assert figure(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (6220, "6,220"), (-3, "−3"), (990_000_000, "9.9 × 10⁸")])
def test_whole(value: int, text: str) -> None:
    assert whole(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


def test_percent_and_duration() -> None:
    plain = {percent(0.929): "92.9 %", duration(0.5): "0.5 s", duration(492): "8 min 12 s", duration(7260): "2 h 1 min"}
    for text, expected in plain.items():
        assert text.replace("\N{NARROW NO-BREAK SPACE}", " ") == expected


def test_moment_and_digest() -> None:
    assert moment("2026-11-22T19:31:00+00:00") == "22 Nov 2026, 19:31 UTC"
    assert moment("yesterday") == "yesterday"
    assert short_digest("ab" * 32) == "abababababab…"
    assert short_digest("") == ""


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1 KiB"), (-1536, "−1.5 KiB"), (2**30, "1 GiB"), (2**60, "1.05 × 10⁶ TiB"),
     (math.nan, "NaN B"), (math.inf, "∞ B")],
)  # fmt: skip
def test_binary_size(count: float, text: str) -> None:
    assert binary_size(count).replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5 W"), (999.0, "999 W"), (3.146e8, "314.6 MW"), (5e13, "50 TW"), (math.nan, "NaN W"), (0, "0 W")],
)
def test_scaled(value: float, text: str) -> None:
    assert scaled(value, "W").replace("\N{NARROW NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(("value", "text"), [(1.01, "1.0100"), (0.99451, "0.9945"), (math.nan, "NaN"), (1e9, "10⁹")])
def test_ratio(value: float, text: str) -> None:
    assert ratio(value).endswith(text)
