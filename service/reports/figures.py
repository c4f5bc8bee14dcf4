"""How numbers, times and digests are written for people: narrow spaces, a true minus, four figures at most.

"9.1 × 10⁶" and not 9.1e+06; a missing value has no figure here, so that it cannot be mistaken for one.
"""

from __future__ import annotations

import math
from datetime import datetime

THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def figure(value: float, digits: int = 3) -> str:
    """`value` with so many significant digits: plain from 0.001 to 999,999, else as a power of ten."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if value == 0:
        return "0"
    size = abs(value)
    if 1e-3 <= size < 1e6:
        return _signed(_plain(value, digits))
    mantissa, exponent = f"{value:.{max(digits - 2, 0)}e}".split("e")
    return f"{_signed(mantissa)}{THIN}×{THIN}10{power(int(exponent))}"


def power(exponent: int) -> str:
    """The exponent in raised figures."""
    return str(exponent).translate(_RAISED)


def whole(value: int) -> str:
    """A count, its thousands apart; very large ones as a power of ten."""
    return figure(float(value), 3) if abs(value) >= 10**7 else _signed(f"{value:,}")


def percent(value: float) -> str:
    """A share of 1 as a percentage."""
    return f"{figure(100 * value)}{THIN}%"


def scaled(value: float, unit: str) -> str:
    """The value with the prefix of thousands that leaves at least one before the point, from none to peta."""
    size, prefix = value, ""
    for larger in ("k", "M", "G", "T", "P"):
        if not math.isfinite(size) or abs(size) < 1000:
            break
        size, prefix = size / 1000, larger
    return f"{figure(size, 4)}{THIN}{prefix}{unit}"


def ratio(value: float) -> str:
    """A ratio near 1 with four places, so that those below each other can be compared; others as any figure."""
    return f"{value:.4f}" if 0.01 <= value < 100 else figure(value)


def binary_size(count: float) -> str:
    """Bytes in the largest binary unit of which there is at least one."""
    size, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if not math.isfinite(size) or abs(size) < 1024:
            break
        size, unit = size / 1024, larger
    return f"{figure(size, 4)}{THIN}{unit}"


def duration(seconds: float) -> str:
    """Seconds in the two largest units that fit."""
    if not math.isfinite(seconds):
        return figure(seconds)
    if seconds < 60:
        return f"{figure(seconds, 2)}{THIN}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{THIN}min {rest}{THIN}s"
    return f"{minutes // 60}{THIN}h {minutes % 60}{THIN}min"


def moment(text: str) -> str:
    """An ISO 8601 time as day, month and minute with its zone; anything else as it came."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    zone = when.tzname() or ""
    return f"{when.day} {when:%b %Y, %H:%M} {zone}".rstrip()


def short_digest(text: str) -> str:
    """The first twelve figures of a digest, enough to tell two apart by eye."""
    return text if len(text) <= 12 else f"{text[:12]}…"


def _plain(value: float, digits: int) -> str:
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    before = math.floor(math.log10(abs(value))) + 1
    text = f"{value:,.{max(digits - max(before, 0) + max(-before, 0), 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
