"""The name of a run: 26 characters that sort by creation, so that a page of runs needs no second column to order by.

48 bits of milliseconds since 1970, then 80 random bits, in Crockford's base 32 without i, l, o and u: the layout of a
ULID (github.com/ulid/spec), in lower case because it stands in addresses and file names.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

ENTROPY_BYTES = 10

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUN_ID = re.compile(rf"[0-7][{_ALPHABET}]{{{_LENGTH - 1}}}")


def new_run_id(now: datetime, entropy: bytes) -> str:
    """An id for a run created at `now`; `entropy` is ten random bytes, e.g. `secrets.token_bytes(ENTROPY_BYTES)`.

    Raises ValueError for a time without a zone (it would sort differently on another machine), a time that does not
    fit, or another number of bytes.
    """
    if now.tzinfo is None:
        raise ValueError("a run id needs a time with its zone")
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a run id needs {ENTROPY_BYTES} random bytes, not {len(entropy)}")
    # In whole numbers: a far time's seconds, as a float, round up to the next.
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1)
    if not 0 <= milliseconds < 2**48:
        raise ValueError(f"{now.isoformat()} does not fit a run id")
    value = (milliseconds << 80) | int.from_bytes(entropy, "big")
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def is_run_id(text: str) -> bool:
    """Whether `text` has the form of a run id."""
    return _RUN_ID.fullmatch(text) is not None
