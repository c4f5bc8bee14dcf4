"""What a sweep's file says: one plan, and lists of values for some of its fields; every combination is a dual run.

    policy = "numerics"

    [plan]                            # what every configuration has unless its grid says otherwise
    training.steps = 100

    [[grid]]                          # one or more; every combination of the values
    "model.vector_length" = [64, 128]
    "training.batch_size" = [16, 64]

Pure: a document in. Every problem is told at once, with its place, and a combination that no plan allows is one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.parity.errors import InvalidConfiguration, InvalidRequest, Problem
from service.parity.plan import Plan
from service.parity.plan_tables import (
    DefaultPhases,
    Policies,
    PolicyReader,
    as_kept,
    below,
    beyond_64_bits,
    plan_fields,
    plan_matrix,
    plan_of,
    words_of,
)
from service.parity.policy import Policy

MAX_CONFIGURATIONS = 2000
DEFAULT_POLICY = "default"
_KEYS = ("policy", "plan", "grid")


@dataclass(frozen=True, slots=True)
class Axis:
    """A field of the plan, by its dotted name, and the values that it takes, none twice."""

    field: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """The plans of every combination of the axes' values; the last axis changes fastest."""

    axes: tuple[Axis, ...]
    plans: tuple[Plan, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """What varies."""
        return tuple(axis.field for axis in self.axes)

    def changed(self, index: int) -> dict[str, Any]:
        """The values that make the plan at that index what it is."""
        found: dict[str, Any] = {}
        for axis in reversed(self.axes):
            index, place = divmod(index, len(axis.values))
            found[axis.field] = axis.values[place]
        return dict(reversed(found.items()))


@dataclass(frozen=True, slots=True)
class Sweep:
    """Everything that will run."""

    grids: tuple[Grid, ...]
    policy: Policy

    def plans(self) -> dict[str, Plan]:
        """Each different plan once, by its digest, in the order of the grids."""
        return {plan.digest(): plan for grid in self.grids for plan in grid.plans}


def sweep_from_document(
    document: Mapping[str, Any],
    read_policy: PolicyReader,
    default_phases: DefaultPhases | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Sweep:
    """The sweep that a file asks for; `flags` are fields of the plan that win over the file's.

    Raises `InvalidConfiguration` with every problem found.
    """
    if beyond_64_bits(document):
        raise InvalidConfiguration(Problem("numbers", "a whole number is beyond 64 bits, which TOML does not have"))
    problems = [
        Problem(key, f"is not known here; choose from {', '.join(_KEYS)}") for key in document if key not in _KEYS
    ]
    policy = Policies(read_policy).read(document.get("policy", DEFAULT_POLICY), "policy", problems)
    told = plan_fields(document.get("plan", {}), "plan", problems)
    fixed = told | dict(flags or {})
    grids = [(place, _axes(table, place, flags or {}, problems)) for place, table in _tables(document, problems)]
    problems += _unused(told.keys() - (flags or {}).keys(), grids)
    count = sum(math.prod(len(axis.values) for axis in axes) for _, axes in grids)
    if count > MAX_CONFIGURATIONS:
        message = f"the file asks for {count:,} configurations; at most {MAX_CONFIGURATIONS:,} are carried out"
        raise InvalidConfiguration(*problems, Problem("grid", message))
    made = [_grid(place, axes, fixed, default_phases, problems) for place, axes in grids]
    if problems or policy is None:
        raise InvalidConfiguration(*problems)
    return Sweep(tuple(made), policy)


def _tables(document: Mapping[str, Any], problems: list[Problem]) -> list[tuple[str, Any]]:
    """Each grid's table with its place: `[grid]` is one, `[[grid]]` several."""
    tables = document.get("grid")
    if tables is None or tables == []:
        problems.append(Problem("grid", "there is no [grid], so there is nothing to sweep over"))
        return []
    if not isinstance(tables, list):
        return [("grid", tables)]
    return [(f"grid {number}" if len(tables) > 1 else "grid", table) for number, table in enumerate(tables, 1)]


def _axes(table: Any, place: str, flags: Mapping[str, Any], problems: list[Problem]) -> tuple[Axis, ...]:
    before = len(problems)
    lists = plan_matrix(table, place, problems)
    if not lists and len(problems) == before:
        problems.append(Problem(place, 'is empty; give at least one list, as "model.vector_length" = [64, 128]'))
    twice = (key for key in lists if key in flags)
    problems += [Problem(f"{place}.{key}", f"has a list, so --{key} cannot set it; leave one out") for key in twice]
    return tuple(Axis(key, _different(key, values)) for key, values in lists.items())


def _unused(told: Collection[str], grids: Sequence[tuple[str, Sequence[Axis]]]) -> Iterator[Problem]:
    """A grid wins over the plan; what every grid lists would never be used there."""
    listed = [{axis.field for axis in axes} for _, axes in grids]
    for field in sorted(told):
        if listed and all(field in fields for fields in listed):
            yield Problem(
                f"plan.{field}", "is listed in every grid too, so it would never be used; leave one of the two"
            )


def _different(field: str, values: Sequence[Any]) -> tuple[Any, ...]:
    """The values as a plan keeps them, each once: 1 and 1.0 are the same learning rate, but true is no number."""
    kept = [as_kept(field, value) for value in values]
    return tuple({f"{type(value).__name__} {value!r}": value for value in kept}.values())


def _grid(
    place: str,
    axes: Sequence[Axis],
    fixed: Mapping[str, Any],
    default_phases: DefaultPhases | None,
    problems: list[Problem],
) -> Grid:
    """The plans; what is wrong with many in the same way is told once, with the first of them as its place."""
    wrong: dict[tuple[str, str], list[str]] = {}
    plans: list[Plan] = []
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = {axis.field: value for axis, value in zip(axes, values, strict=True)}
        try:
            plans.append(plan_of({**fixed, **chosen}, default_phases))
        except InvalidRequest as error:
            words = ",".join(f"{field}={words_of(value)}" for field, value in chosen.items())
            for problem in error.problems:
                wrong.setdefault((problem.field, problem.message), []).append(f"{place}[{words}]")
    for (field, message), places in wrong.items():
        more = "" if len(places) == 1 else f" (and in {len(places) - 1:,} more)"
        problems.append(Problem(below(places[0], field), f"{message}{more}"))
    return Grid(tuple(axes), tuple(plans))
