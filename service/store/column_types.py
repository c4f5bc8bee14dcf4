"""Column types whose values survive both SQLite and PostgreSQL unchanged.

SQLite stores NaN as NULL, knows no time zones and has no whole numbers above 2^63. Here `None` means not measured and
NaN means NaN, so each of these is a type with its own way in and out, and the rest of the store need not know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Double, Text, TypeDecorator

from service.store.codec import storable

ULP_DIGITS = 20
"""Two float64 values are fewer than 2^64 units in the last place apart, a number of at most 20 digits."""


class Measured(TypeDecorator[float]):
    """A double in which NaN and the infinities are values.

    PostgreSQL stores all of them. SQLite stores the infinities but turns a NaN into NULL; a column of REAL affinity
    keeps text that does not look like a number, so there a NaN is the text `NaN`. It sorts above every number, as it
    does in PostgreSQL, so `value > limit` finds it on both. SQL's avg() and sum() count that text as 0 on SQLite.
    """

    impl = Double
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[float | None], float | str | None]:
        # Not process_bind_param: SQLAlchemy's own conversion to float would come after it.
        nan_is_text = dialect.name == "sqlite"

        def process(value: float | None) -> float | str | None:
            if value is None:
                return None
            # A NumPy float32 would be written as four raw bytes.
            number = float(value)
            return "NaN" if nan_is_text and number != number else number

        return process

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], float | None]:
        return lambda value: None if value is None else float(value)


class Ulps(TypeDecorator[int]):
    """A whole number that may exceed 2^63: decimal digits, padded to one width so that they sort as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:
        return None if value is None else str(int(value)).zfill(ULP_DIGITS)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:
        return None if value is None else int(value)


class UtcTime(TypeDecorator[datetime]):
    """A moment; given with any zone, stored and returned in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from anywhere: what a database refuses (NUL, lone surrogates) is written as a backslash escape."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


IDENTIFIER = Words().with_variant(Words(collation="C"), "postgresql")
"""A run's id, compared byte by byte on both databases: ids sort by creation, whatever the server's locale."""
