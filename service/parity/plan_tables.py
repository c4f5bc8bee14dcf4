"""The fields of a plan as the tables of a TOML file, by dotted names, and the policy that it names.

The gate's file and the sweep's are read with these, so a field means the same in both and a mistake is told in the same
words. Pure: a document in; what is wrong is appended to `problems`, with its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.parity.errors import InvalidRequest, Problem
from service.parity.plan import Plan, plan_from_document
from service.parity.policy import Policy

PolicyReader = Callable[[str], Policy]
"""The policy of a name or a file; raises `InvalidRequest`."""

DefaultPhases = Callable[[str], tuple[str, ...]]
"""The phases of a plan for that device which names none; raises `InvalidRequest` for a device that is not here."""

_DEFAULT = Plan()
_TABLES: Mapping[str, Any] = {
    field.name: getattr(_DEFAULT, field.name)
    for field in dataclasses.fields(Plan)
    if dataclasses.is_dataclass(getattr(_DEFAULT, field.name))
}
"""The plan's parts, which are tables in the file, with their defaults."""

_VALUES = tuple(field.name for field in dataclasses.fields(Plan) if field.name not in _TABLES)


class Policies:
    """Reads each policy once, and notes what is wrong with it where it was named."""

    def __init__(self, read: PolicyReader) -> None:
        self._read = read
        self._known: dict[str, Policy] = {}

    def read(self, name: Any, place: str, problems: list[Problem]) -> Policy | None:
        """The policy, or `None` where there is a problem with it."""
        if not isinstance(name, str):
            problems.append(Problem(place, f"is {name!r}; it must be a policy's name or a path to its file"))
            return None
        if name not in self._known:
            try:
                self._known[name] = self._read(name)
            except InvalidRequest as error:
                # A problem in a file has the file's name before it.
                names = (place if p.field in ("", "policy") else f"{place}: {p.field}" for p in error.problems)
                problems += [Problem(name, p.message) for name, p in zip(names, error.problems, strict=True)]
                return None
        return self._known[name]


def plan_fields(table: Any, place: str, problems: list[Problem]) -> dict[str, Any]:
    """The fields of a plan in `table`, by their dotted names."""
    if not isinstance(table, Mapping):
        problems.append(Problem(place, "must be a table"))
        return {}
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if key in _VALUES:
            flat[key] = value
        elif key not in _TABLES:
            problems.append(_unknown(f"{place}.{key}"))
        elif not isinstance(value, Mapping):
            problems.append(Problem(f"{place}.{key}", "must be a table"))
        else:
            known = _names(_TABLES[key])
            problems += [_unknown(f"{place}.{key}.{inner}", known) for inner in value if inner not in known]
            flat |= {f"{key}.{inner}": item for inner, item in value.items() if inner in known}
    return flat


def plan_matrix(table: Any, place: str, problems: list[Problem]) -> dict[str, Sequence[Any]]:
    """Dotted names to lists; `"training.steps" = […]` and `training.steps = […]` mean the same."""
    if not isinstance(table, Mapping):
        problems.append(Problem(place, "must be a table of lists"))
        return {}
    lists: dict[str, Sequence[Any]] = {}
    for key, value in _flattened(table):
        outer, _, inner = key.partition(".")
        if not (key in _VALUES or inner in _names(_TABLES.get(outer))):
            problems.append(_unknown(f"{place}.{key}"))
        elif not isinstance(value, list) or not value:
            problems.append(Problem(f"{place}.{key}", "must be a list of at least one value"))
        else:
            lists[key] = value
    return lists


def _flattened(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and not prefix:
            yield from _flattened(value, f"{key}.")
        else:
            yield f"{prefix}{key}", value


def plan_of(fields: Mapping[str, Any], default_phases: DefaultPhases | None = None) -> Plan:
    """The plan of these flat fields; raises `InvalidRequest`. Where no phases are named, the device's own, if known."""
    plan = plan_from_document(_nested(fields))
    if "phases" in fields or default_phases is None:
        return plan
    return dataclasses.replace(plan, phases=default_phases(plan.device))


def as_kept(field: str, value: Any) -> Any:
    """The value as a plan keeps it. A whole number for a float becomes one, or the digest would differ from that of the
    same plan sent through the API, which makes floats of them."""
    outer, _, inner = field.partition(".")
    floating = bool(inner) and isinstance(getattr(_TABLES[outer], inner), float)
    return float(value) if floating and isinstance(value, int) and not isinstance(value, bool) else value


def field_of(plan: Plan, field: str) -> Any:
    """What a plan says in that field, by its dotted name."""
    outer, _, inner = field.partition(".")
    return getattr(getattr(plan, outer), inner) if inner else getattr(plan, outer)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for key, value in flat.items():
        outer, _, inner = key.partition(".")
        if inner:
            document.setdefault(outer, {})[inner] = as_kept(key, value)
        else:
            document[key] = value
    return document


def beyond_64_bits(value: Any) -> bool:
    """Python reads them, but cannot write one of thousands of digits into a message."""
    if isinstance(value, Mapping):
        return any(map(beyond_64_bits, value.values()))
    if isinstance(value, list):
        return any(map(beyond_64_bits, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def words_of(value: Any) -> str:
    """A value in a word: a list's parts with a plus between them."""
    return "+".join(words_of(item) for item in value) if isinstance(value, list | tuple) else str(value)


def _names(part: Any) -> tuple[str, ...]:
    return () if part is None else tuple(field.name for field in dataclasses.fields(part))


def _unknown(place: str, known: Sequence[str] = (*_VALUES, *_TABLES)) -> Problem:
    return Problem(place, f"is not a field of a plan; choose from {', '.join(known)}")


def below(place: str, field: str) -> str:
    """The field's place, said once."""
    return place if not field or place.endswith(field) else f"{place}.{field}"
