"""The flags of `lockstep run` that make its plan, lent to other commands: one set of flags, wherever a plan is made.

A command's parameter `plan` stands for them. Where a flag's value belongs in the plan follows from its name.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol

from service.parity.plan import Plan

NOT_OF_THE_PLAN = frozenset({"policy", "database", "as_json", "quiet"})

_PLACES = {
    "steps": "training.steps",
    "sync_steps": "synchronized.steps",
    "sync_every": "synchronized.every",
    "checkpoint_before": "checkpoint.steps_before",
    "checkpoint_after": "checkpoint.steps_after",
    "memory_steps": "memory.steps",
}
"""Flags that are not named as their field is, or whose field's name several parts have."""


class PlanMaker(Protocol):
    """What a command gets as `plan`; it raises `InvalidRequest`, so it is called where errors are told."""

    def __call__(self) -> Plan: ...


def place_of(flag: str) -> str:
    """The dotted name of the plan's field that a flag of `lockstep run` sets; raises LookupError if there is none."""
    if flag in _PLACES:
        return _PLACES[flag]
    plan = Plan()
    parts = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}
    if flag in parts and not dataclasses.is_dataclass(parts[flag]):
        return flag
    found = [
        f"{name}.{flag}"
        for name, part in parts.items()
        if dataclasses.is_dataclass(part) and flag in {f.name for f in dataclasses.fields(part)}
    ]
    if len(found) != 1:
        raise LookupError(f"the flag {flag} of `lockstep run` has no place in a plan; name it in plan_flags")
    return found[0]


def with_plan_flags(
    run: Callable[..., Any], base: Plan | None = None, leave_out: Collection[str] = ("reference", "candidate")
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the plan's flags of `run`, but those to leave out, in place of its parameter `plan`.

    Defaults are those of `run`, or `base`'s. Without a base, phases that are not named are those of the device.
    """
    lent = [
        parameter if base is None else parameter.replace(default=_default(parameter.name, base))
        for parameter in inspect.signature(run, eval_str=True).parameters.values()
        if parameter.name not in NOT_OF_THE_PLAN and parameter.name not in leave_out
    ]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "plan"]

        def called(**values: Any) -> Any:
            flags = {parameter.name: values.pop(parameter.name) for parameter in lent}
            return command(plan=lambda: plan_of(flags, base), **values)

        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *lent)]
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in parameters}
        called.__name__, called.__doc__ = command.__name__, command.__doc__
        return called

    return decorate


def plan_of(flags: Mapping[str, Any], base: Plan | None = None) -> Plan:
    """The plan that these flags of `lockstep run` make, not validated yet."""
    from service import bootstrap

    phases = flags.get("phases")
    plan = Plan() if base is None else base
    for flag, value in flags.items():
        if flag != "phases":
            plan = _with(plan, place_of(flag), value)
    if phases is not None:
        return dataclasses.replace(plan, phases=tuple(filter(None, map(str.strip, phases.split(",")))))
    return plan if base is not None else dataclasses.replace(plan, phases=bootstrap.default_phases(plan.device))


def _with(plan: Plan, place: str, value: Any) -> Plan:
    outer, _, inner = place.partition(".")
    changed = dataclasses.replace(getattr(plan, outer), **{inner: value}) if inner else value
    return dataclasses.replace(plan, **{outer: changed})


def _default(flag: str, base: Plan) -> Any:
    if flag == "phases":
        return ",".join(base.phases)
    value: Any = base
    for name in place_of(flag).split("."):
        value = getattr(value, name)
    return value
