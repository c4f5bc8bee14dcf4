"""Plans, policies, records and verdicts as JSON text, and back to equal values.

JSON has no NaN, infinities or tuples. Non-finite floats are written as `{"$float": "nan"}`, wherever they occur, also
in the free-form parts (`environment`, `evidence`); tuples come back from the dataclasses' types. A key that begins with
`$` gets a second one. The text is plain ASCII, so no database can object to a character in it: a NUL travels as JSON's
own escape. Lone surrogates, which are no characters and which no reader of JSON agrees on, are not kept: they become
text that shows them.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from service.parity.errors import StoreError
from service.parity.measurements import AllocationEvent, Slice, TelemetrySample
from service.parity.record import RunRecord, Side, StepLosses, TapDiff

T = TypeVar("T")

_FLOAT = "$float"


def storable(text: str) -> str:
    """The text for a text column: NUL and lone surrogates, which databases refuse, as backslash escapes.

    The way back is not known: text that held such an escape itself looks the same.
    """
    return _characters(text).replace("\x00", "\\x00")


def encode(value: object) -> str:
    """Compact ASCII JSON of a dataclass or of plain values; raises StoreError naming what JSON cannot hold."""
    return json.dumps(_plain(value, ""), separators=(",", ":"), allow_nan=False)


def decode(kind: type[T], text: str) -> T:
    """The value of that type that `encode` was given; fields unknown to this version are left out."""
    try:
        return cast(T, _adapter(cast(Hashable, kind)).validate_python(json.loads(text, object_hook=_revive)))
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"a stored {kind.__name__} cannot be read by this Lockstep: {_first_problem(error)}; "
            "use the Lockstep that wrote it"
        ) from error


def encode_record(record: RunRecord) -> str:
    """The record without its rows (losses, diffs, slices, telemetry, allocations), which have tables of their own."""
    return encode(_with_rows(record, {}, {}, MeasuredRows()))


@dataclasses.dataclass(frozen=True, slots=True)
class MeasuredRows:
    """The rows of the measuring phases."""

    slices: Sequence[Slice] = ()
    telemetry: Sequence[TelemetrySample] = ()
    allocations: Sequence[tuple[Side, AllocationEvent]] = ()


def decode_record(
    text: str, losses: Sequence[StepLosses], diffs: Sequence[TapDiff], measured: MeasuredRows
) -> RunRecord:
    """The whole record; each row goes to the evidence of its phase."""
    losses_by_phase: dict[str, list[StepLosses]] = {}
    for row in losses:
        losses_by_phase.setdefault(row.phase, []).append(row)
    diffs_by_phase: dict[str, list[TapDiff]] = {}
    for diff in diffs:
        diffs_by_phase.setdefault(diff.phase, []).append(diff)
    return _with_rows(decode(RunRecord, text), losses_by_phase, diffs_by_phase, measured)


def _with_rows(
    record: RunRecord,
    losses: Mapping[str, Sequence[StepLosses]],
    diffs: Mapping[str, Sequence[TapDiff]],
    measured: MeasuredRows,
) -> RunRecord:
    synchronized, free_running = record.synchronized, record.free_running
    performance, memory = record.performance, record.memory
    if performance is not None:
        performance = dataclasses.replace(
            performance, slices=tuple(measured.slices), telemetry=tuple(measured.telemetry)
        )
    if memory is not None:
        traces = tuple(
            dataclasses.replace(
                trace, events=tuple(event for role, event in measured.allocations if role == trace.role)
            )
            for trace in memory.traces
        )
        memory = dataclasses.replace(memory, traces=traces)
    if synchronized is not None:
        synchronized = dataclasses.replace(
            synchronized,
            losses=tuple(losses.get("synchronized", ())),
            diffs=tuple(diffs.get("synchronized", ())),
        )
    if free_running is not None:
        free_running = dataclasses.replace(free_running, losses=tuple(losses.get("free_running", ())))
    return dataclasses.replace(
        record, synchronized=synchronized, free_running=free_running, performance=performance, memory=memory
    )


@functools.cache
def _adapter(kind: Hashable) -> TypeAdapter[Any]:
    return TypeAdapter(cast(Any, kind))


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_FLOAT: repr(value)}
    if isinstance(value, str):
        return _characters(value)
    if isinstance(value, Mapping):
        return {_key(key, where): _plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: _plain(getattr(value, field.name), f"{where}.{field.name}")
            for field in dataclasses.fields(value)
        }
    raise StoreError(
        f"{where.lstrip('.') or 'the value'} is a {type(value).__name__}, which cannot be stored; "
        "use numbers, text, lists and mappings"
    )


def _key(key: object, where: str) -> str:
    if not isinstance(key, str):
        raise StoreError(f"{where.lstrip('.') or 'the value'} has the key {key!r}; only text can be a key")
    return _characters("$" + key if key.startswith("$") else key)


def _characters(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _revive(document: dict[str, Any]) -> Any:
    if len(document) == 1 and _FLOAT in document:
        return float(document[_FLOAT])
    return {key[1:] if key.startswith("$") else key: item for key, item in document.items()}


def _first_problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in first['loc']) or 'it'}: {first['msg']}"
    return str(error)
