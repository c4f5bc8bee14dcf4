"""Reading `parity.toml` and the policies that it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from service.gate.config import GateCase, cases_from_document
from service.parity.errors import InvalidConfiguration, InvalidRequest, Problem
from service.parity.plan import Plan
from service.parity.plan_tables import DefaultPhases
from service.parity.policy import Policy
from service.toml_files import read_toml


def read_cases(
    path: Path, read_policy: Callable[[str, Path], Policy], default_phases: DefaultPhases | None = None
) -> tuple[GateCase, ...]:
    """The file's cases; `read_policy(name, folder)` takes a path relative to the folder of the file. A plan that does
    not name its phases has its device's `default_phases`, or, where those are not known here, the plan's own default.

    Raises `InvalidConfiguration` with every problem found; its message names the file.
    """
    document = read_toml(path, "name the gate's file with --config")
    try:
        return cases_from_document(document, lambda name: read_policy(name, path.parent), default_phases)
    except InvalidConfiguration as error:
        raise InvalidConfiguration(
            *(Problem(f"{path}: {problem.field}", problem.message) for problem in error.problems)
        ) from error


def check_cases(cases: Sequence[GateCase], check_plan: Callable[[Plan], object]) -> None:
    """Raise `InvalidConfiguration` with what `check_plan` says against any case, under the case's name."""
    problems: list[Problem] = []
    for case in cases:
        try:
            check_plan(case.plan)
        except InvalidRequest as error:
            problems += [Problem(f"{case.name}: {problem.field}", problem.message) for problem in error.problems]
    if problems:
        raise InvalidConfiguration(*problems)
