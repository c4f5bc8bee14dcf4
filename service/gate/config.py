"""What `parity.toml` says, as cases: every plan with its matrix spread out and its policy. Pure: a document in.

Every problem is told at once, with the plan's name and the field's. A key that is not known is refused: a misspelt one
that was ignored would gate something else than what was reviewed.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.parity.errors import InvalidConfiguration, InvalidRequest, Problem
from service.parity.plan import Plan
from service.parity.plan_tables import (
    DefaultPhases,
    Policies,
    PolicyReader,
    below,
    beyond_64_bits,
    plan_fields,
    plan_matrix,
    plan_of,
    words_of,
)
from service.parity.policy import Policy

MAX_CASES = 200
MAX_NAME = 100
DEFAULT_POLICY = "default"

_OWN_KEYS = ("name", "policy", "matrix")


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
    if beyond_64_bits(document):
        raise InvalidConfiguration(Problem("numbers", "a whole number is beyond 64 bits, which TOML does not have"))
    problems = [
        Problem(key, "is not known here; choose from policy, defaults, plan")
        for key in document
        if key not in ("policy", "defaults", "plan")
    ]
    policies = Policies(read_policy)
    default_policy = policies.read(document.get("policy", DEFAULT_POLICY), "policy", problems)
    defaults = plan_fields(document.get("defaults", {}), "defaults", problems)
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


def _spread(entry: Mapping[str, Any], place: str, defaults: Mapping[str, Any], problems: list[Problem]) -> _Spread:
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        problems.append(Problem(f"{place}.name", f"must be printable text of 1 to {MAX_NAME} characters"))
    mine = plan_fields({key: value for key, value in entry.items() if key not in _OWN_KEYS}, place, problems)
    matrix = plan_matrix(entry.get("matrix", {}), f"{place}.matrix", problems)
    twice = (key for key in matrix if key in mine)
    problems += [Problem(f"{place}.matrix.{key}", "is set in the plan too; leave one of the two") for key in twice]
    return _Spread(entry, place, {**defaults, **mine}, matrix)


def _cases(
    part: _Spread, policy: Policy | None, default_phases: DefaultPhases | None, problems: list[Problem]
) -> Iterator[GateCase]:
    for values in itertools.product(*part.matrix.values()):
        chosen = dict(zip(part.matrix, values, strict=True))
        words = ",".join(f"{key}={words_of(value)}" for key, value in chosen.items())
        name = f"{part.entry.get('name')}[{words}]" if words else str(part.entry.get("name"))
        try:
            fields = {**part.fields, **chosen}
            plan = plan_of(fields, default_phases)
        except InvalidRequest as error:
            place = f"{part.place}[{words}]" if words else part.place
            problems += [Problem(below(place, problem.field), problem.message) for problem in error.problems]
            continue
        if policy is not None:
            yield GateCase(name, plan, policy)


def _doubled(cases: Sequence[GateCase]) -> Iterator[Problem]:
    for name, count in Counter(case.name for case in cases).items():
        if count > 1:
            yield Problem("plan", f"{count} cases are named {name!r}; give each its own name, and no value twice")


def _place(entry: Mapping[str, Any], number: int) -> str:
    name = entry.get("name")
    return f"plan {name!r}" if isinstance(name, str) and 0 < len(name) <= MAX_NAME else f"plan {number}"
