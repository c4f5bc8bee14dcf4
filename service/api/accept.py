"""Which of the forms that we have does an `Accept` header prefer?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


def preferred(accept: str, offered: Mapping[str, T], default: T) -> T:
    """The offered form that the header prefers, by quality and then by order; `default` where it names none of them."""
    ranges = []
    for place, part in enumerate(accept.split(",")):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((_quality(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
        ranges.append((-quality, place, media_type))
    for refused, _, media_type in sorted(ranges):
        if refused == 0:
            break
        if media_type in offered:
            return offered[media_type]
    return default


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0
