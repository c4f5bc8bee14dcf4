"""Rows as CSV (RFC 4180, UTF-8), for spreadsheets and data frames.

A row is a frozen dataclass; a dataclass inside it gives a column for each of its fields, named `stats.max_abs`. What
has no fixed columns (lists, mappings, readings at an edge) is JSON in its cell. Not measured is an empty cell, never 0;
a number that is not finite is written by its name, as in JSON.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import typing
from collections.abc import Iterator, Sequence
from typing import Any

from service.reports.json_values import json_ready

MEDIA_TYPE = "text/csv"

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With which a cell of text begins that a spreadsheet would carry out."""


def csv_text(kind: type[Any], rows: Sequence[Any]) -> str:
    """A line of names, then a line a row; the names come from the dataclass `kind`, so they stand without rows too."""
    written = io.StringIO()
    writer = csv.writer(written)
    columns = columns_of(kind)
    writer.writerow(name for name, _ in columns)
    for row in rows:
        writer.writerow(_cell(_value(row, path)) for _, path in columns)
    return written.getvalue()


def columns_of(kind: type[Any]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each column's name and the fields that lead to it."""
    return tuple((".".join(path), path) for path in _paths(kind, ()))


def _paths(kind: type[Any], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    types = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        inner, path = types[field.name], (*above, field.name)
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            yield from _paths(inner, path)
        else:
            yield path


def _value(row: Any, path: Sequence[str]) -> Any:
    for name in path:
        row = getattr(row, name)
    return row


def _cell(value: Any) -> str:
    """Text that a spreadsheet shows and does not carry out: an apostrophe before what would begin a formula."""
    ready = json_ready(value)
    if ready is None:
        return ""
    if isinstance(ready, list | dict):
        return json.dumps(ready, ensure_ascii=False, allow_nan=False)
    if isinstance(ready, bool):
        return "true" if ready else "false"
    text = repr(ready) if isinstance(ready, float) else str(ready)
    # A number may begin with a minus sign, and so may -Infinity, which is one written by its name.
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
