"""Run ids: their form, and that they sort by creation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.parity.identity import is_run_id, new_run_id

MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1), timezones=st.just(UTC))
ENTROPY = st.binary(min_size=10, max_size=10)


def test_known_id() -> None:
    assert (
        new_run_id(datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC), bytes(9) + b"\x21") == "00000000010000000000000011"
    )
    assert new_run_id(datetime(2016, 7, 30, 23, 54, 10, 259000, tzinfo=UTC), bytes(10))[:10] == "01arz3ndek"


@given(MOMENTS, ENTROPY)
def test_every_id_is_one(now: datetime, entropy: bytes) -> None:
    assert is_run_id(new_run_id(now, entropy))


@given(MOMENTS, ENTROPY, ENTROPY)
@example(datetime(2515, 1, 1, 0, 0, 0, 999999, tzinfo=UTC), bytes(10), bytes(10))
def test_later_ids_sort_later(now: datetime, first: bytes, second: bytes) -> None:
    assert new_run_id(now, first) < new_run_id(now + timedelta(milliseconds=1), second)


def test_zone_does_not_matter() -> None:
    now = datetime(2030, 1, 1, 12, tzinfo=UTC)
    elsewhere = now.astimezone(timezone(timedelta(hours=5)))
    assert new_run_id(now, bytes(10)) == new_run_id(elsewhere, bytes(10))


@pytest.mark.parametrize(
    ("now", "entropy"),
    [
        (datetime(2030, 1, 1), bytes(10)),
        (datetime(1969, 1, 1, tzinfo=UTC), bytes(10)),
        (datetime(2030, 1, 1, tzinfo=UTC), bytes(9)),
        (datetime(2030, 1, 1, tzinfo=UTC), bytes(11)),
    ],
)
def test_refused(now: datetime, entropy: bytes) -> None:
    with pytest.raises(ValueError, match=r"run id"):
        new_run_id(now, entropy)


@pytest.mark.parametrize(
    "text",
    ["", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "u", "0" * 25 + "A", "0" * 25 + "\n", "٠" * 26, "../" * 9],
)
def test_not_an_id(text: str) -> None:
    assert not is_run_id(text)
