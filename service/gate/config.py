"""What `parity.toml` says, as cases: every plan with its matrix spread out and its policy. Pure: a document in.

Every problem is told at once, with the plan's name and the field's. A key that is not known is refused: a misspelt one
that was ignored would gate something else than what was reviewed.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.parity.errors import InvalidConfiguration, InvalidRequest, Problem
from service.parity.plan import Plan, plan_from_document
from service.parity.policy import Policy

MAX_CASES = 200
MAX_NAME = 100
DEFAULT_POLICY = "default"

PolicyReader = Callable[[str], Policy]
"""The policy of a name or a file; raises `InvalidRequest`."""

DefaultPhases = Callable[[str], tuple[str, ...]]
"""The phases of a plan for that device which names none; raises `InvalidRequest` for a device that is not here."""

_OWN_KEYS = ("name", "policy", "matrix")
_DEFAULT = Plan()
_TABLES: Mapping[str, Any] = {
    field.name: getattr(_DEFAULT, field.name)
    for field in dataclasses.fields(Plan)
    if dataclasses.is_dataclass(getattr(_DEFAULT, field.name))
}
"""The plan's parts, which are tables in the file, with their defaults."""

_VALUES = tuple(field.name for field in dataclasses.fields(Plan) if field.name not in _TABLES)


@dataclass(frozen=True, slots=True)
class GateCase:
    """One dual run that the gate asks for."""

    name: str
    plan: Plan
    policy: Policy


def cases_from_document(
    document: Mapping[str, Any], read_policy: PolicyReader, default_phases: DefaultPhases | None = None
) -> tuple[GateCase, ...]:
    """The cases in the order of the file; raises `InvalidConfiguration` with every problem found."""
    if _beyond_64_bits(document):
        raise InvalidConfiguration(Problem("numbers", "a whole number is beyond 64 bits, which TOML does not have"))
    problems = [
        Problem(key, "is not known here; choose from policy, defaults, plan")
        for key in document
        if key not in ("policy", "defaults", "plan")
    ]
    policies = _Policies(read_policy)
    default_policy = policies.read(document.get("policy", DEFAULT_POLICY), "policy", problems)
    defaults = _fields(document.get("defaults", {}), "defaults", problems)
    entries = document.get("plan", [])
    if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
        raise InvalidConfiguration(*problems, Problem("plan", "must be tables written as [[plan]]"))
    if not entries:
        raise InvalidConfiguration(*problems, Problem("plan", "there is no [[plan]], so nothing would be gated"))
    spread = [_spread(entry, _place(entry, number), defaults, problems) for number, entry in enumerate(entries, 1)]
    count = sum(math.prod(len(values) for values in part.matrix.values()) for part in spread)
    if count > MAX_CASES:
        problems.append(Problem("plan", f"the file asks for {count:,} cases; at most {MAX_CASES} are carried out"))
        raise InvalidConfiguration(*problems)
    cases: list[GateCase] = []
    for part in spread:
        policy = default_policy
        if "policy" in part.entry:
            policy = policies.read(part.entry["policy"], f"{part.place}.policy", problems)
        cases += _cases(part, policy, default_phases, problems)
    problems += _doubled(cases)
    if problems:
        raise InvalidConfiguration(*problems)
    return tuple(cases)


@dataclass(frozen=True, slots=True)
class _Spread:
    """One [[plan]]: its flat fields (dotted names) with the defaults beneath, and the matrix over them."""

    entry: Mapping[str, Any]
    place: str
    fields: Mapping[str, Any]
    matrix: Mapping[str, Sequence[Any]]


class _Policies:
    """Reads each policy once, and notes what is wrong with it where it was named."""

    def __init__(self, read: PolicyReader) -> None:
        self._read = read
        self._known: dict[str, Policy] = {}

    def read(self, name: Any, place: str, problems: list[Problem]) -> Policy | None:
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


def _spread(entry: Mapping[str, Any], place: str, defaults: Mapping[str, Any], problems: list[Problem]) -> _Spread:
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        problems.append(Problem(f"{place}.name", f"must be printable text of 1 to {MAX_NAME} characters"))
    mine = _fields({key: value for key, value in entry.items() if key not in _OWN_KEYS}, place, problems)
    matrix = _matrix(entry.get("matrix", {}), f"{place}.matrix", problems)
    twice = (key for key in matrix if key in mine)
    problems += [Problem(f"{place}.matrix.{key}", "is set in the plan too; leave one of the two") for key in twice]
    return _Spread(entry, place, {**defaults, **mine}, matrix)


def _fields(table: Any, place: str, problems: list[Problem]) -> dict[str, Any]:
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


def _matrix(table: Any, place: str, problems: list[Problem]) -> dict[str, Sequence[Any]]:
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


def _cases(
    part: _Spread, policy: Policy | None, default_phases: DefaultPhases | None, problems: list[Problem]
) -> Iterator[GateCase]:
    for values in itertools.product(*part.matrix.values()):
        chosen = dict(zip(part.matrix, values, strict=True))
        words = ",".join(f"{key}={_word(value)}" for key, value in chosen.items())
        name = f"{part.entry.get('name')}[{words}]" if words else str(part.entry.get("name"))
        try:
            fields = {**part.fields, **chosen}
            plan = plan_from_document(_nested(fields))
            if "phases" not in fields and default_phases is not None:
                plan = dataclasses.replace(plan, phases=default_phases(plan.device))
        except InvalidRequest as error:
            place = f"{part.place}[{words}]" if words else part.place
            problems += [Problem(_below(place, problem.field), problem.message) for problem in error.problems]
            continue
        if policy is not None:
            yield GateCase(name, plan, policy)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's document from its flat fields. A whole number for a float becomes one, or the digest would differ from
    that of the same plan sent through the API, which makes floats of them."""
    document: dict[str, Any] = {}
    for key, value in flat.items():
        outer, _, inner = key.partition(".")
        if not inner:
            document[key] = value
            continue
        floating = isinstance(getattr(_TABLES[outer], inner), float)
        number = isinstance(value, int) and not isinstance(value, bool)
        document.setdefault(outer, {})[inner] = float(value) if floating and number else value
    return document


def _beyond_64_bits(value: Any) -> bool:
    """Python reads them, but cannot write one of thousands of digits into a message."""
    if isinstance(value, Mapping):
        return any(map(_beyond_64_bits, value.values()))
    if isinstance(value, list):
        return any(map(_beyond_64_bits, value))
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _doubled(cases: Sequence[GateCase]) -> Iterator[Problem]:
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            yield Problem("plan", f"{count} cases are named {name!r}; give each its own name, and no value twice")


def _place(entry: Mapping[str, Any], number: int) -> str:
    name = entry.get("name")
    return f"plan {name!r}" if isinstance(name, str) and 0 < len(name) <= MAX_NAME else f"plan {number}"


def _word(value: Any) -> str:
    return "+".join(_word(item) for item in value) if isinstance(value, list) else str(value)


def _names(part: Any) -> tuple[str, ...]:
    return () if part is None else tuple(field.name for field in dataclasses.fields(part))


def _unknown(place: str, known: Sequence[str] = (*_VALUES, *_TABLES)) -> Problem:
    return Problem(place, f"is not a field of a plan; choose from {', '.join(known)}")


def _below(place: str, field: str) -> str:
    return place if not field or place.endswith(field) else f"{place}.{field}"
