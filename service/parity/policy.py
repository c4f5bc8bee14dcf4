"""What is demanded: limits and which checks are required. Stored with the run, so a verdict can be judged again.

The built-in policies are the reviewed files in `policies/`, which say of every limit where it was measured. They are
read when somebody first looks at them, not at import. A policy of the user's own is a document of the same form.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal, cast, get_args

from service.parity.errors import InvalidPolicy, Problem, UnknownName

Requirement = Literal["always", "where_measurable", "never"]
"""`where_measurable`: required when the plan asks for the check's phase and this machine can measure it."""

PRECISION_FLOORS = {"fp32": 1.0, "tf32": 2.0**13, "bf16": 2.0**16}
"""By how much the rounding floor of float32 is widened for a precision class."""

NUMERIC_CHECKS = (
    "integrity.same_batches",
    "integrity.frozen_reference",
    "numerics.synchronized",
    "numerics.sign_disagreements",
    "numerics.free_running",
)
LEARNING_CHECKS = ("learning.loss_falls", "learning.outputs_vary", "learning.color_reconstruction")
HARDWARE_CHECKS = (
    "performance.step_time",
    "utilization.floor",
    "utilization.not_reduced",
    "memory.peak",
    "memory.pattern",
    "memory.leak",
)
CHECKPOINT_CHECKS = ("checkpoint.transfer", "checkpoint.resume")
ALL_CHECKS = (*NUMERIC_CHECKS, *LEARNING_CHECKS, *CHECKPOINT_CHECKS, *HARDWARE_CHECKS)

BUILT_IN = ("default", "strict", "numerics")
MAX_NAME = 100


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits of the checks and which of them must pass."""

    name: str
    required: Mapping[str, Requirement] = field(default_factory=dict)
    precision_class: str = "fp32"
    error_ratio: float = 4.0
    sign_bound: float = 8.0
    """A sign may differ from the oracle's within this many times the layer's forward rounding bound."""
    band: float = 3.0
    loss_band_floor: float = 1e-7
    weights_band_floor: float = 2.0**-24
    confidence: float = 0.99
    outputs_vary: float = 0.5
    color_tolerance: float = 0.05
    step_time_margin: float = 0.05
    timing_alpha: float = 0.03
    """One-sided error probability of a look at the timed blocks; a comparison has at most two."""
    a_a_margin: float = 0.025
    sampler_effect: float = 0.005
    utilization_floor_pct: float = 80.0
    utilization_drop_points: float = 5.0
    fill_blocks_per_sm: float = 4.0
    """Thread blocks an SM in the largest product, below which a plan's launches cannot fill the card."""
    peak_share: float = 0.05
    peak_slack_bytes: float = 16.0 * 2**20
    leak_bytes_per_step: float = 1024.0

    def requirement(self, check: str) -> Requirement:
        """How the policy regards `check`; a check it does not name is not required."""
        return self.required.get(check, "never")

    def as_document(self) -> dict[str, Any]:
        """The policy as plain JSON-ready values; `policy_from_document` is the way back."""
        return {**dataclasses.asdict(self), "required": dict(self.required)}


LIMITS = tuple(field.name for field in dataclasses.fields(Policy) if field.name not in ("name", "required"))

_CHOICES: Mapping[str, tuple[str, ...]] = {"precision_class": tuple(PRECISION_FLOORS)}
"""Limits that are a word."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "confidence": (0.0, 1.0),
    "step_time_margin": (0.0, 1.0),
    "timing_alpha": (0.0, 0.5),
    "a_a_margin": (0.0, 1.0),
    "sampler_effect": (0.0, 1.0),
    "utilization_floor_pct": (0.0, 100.0),
    "utilization_drop_points": (0.0, 100.0),
}
"""Open intervals of the limits that are numbers; every other one is finite and above 0."""

_WORDS: tuple[str, ...] = get_args(Requirement)
_KEYS = ("name", "extends", "limits", "required", *LIMITS)


class _BuiltInPolicies(Mapping[str, Policy]):
    """By name; a file is read when its policy is first asked for."""

    def __getitem__(self, name: str) -> Policy:
        if name not in BUILT_IN:
            raise KeyError(name)
        return _built_in(name)

    def __iter__(self) -> Iterator[str]:
        return iter(BUILT_IN)

    def __len__(self) -> int:
        return len(BUILT_IN)


POLICIES: Mapping[str, Policy] = _BuiltInPolicies()


def named_policy(name: str) -> Policy:
    """The built-in policy of that name; raises `UnknownName` listing what there is."""
    if name not in POLICIES:
        raise UnknownName(Problem("policy", f"{name!r} is unknown; choose from {', '.join(POLICIES)}"))
    return POLICIES[name]


def policy_from_document(document: object) -> Policy:
    """The policy that a document describes: a file's (`[limits]`, `[required]`) or `Policy.as_document`, which is flat.

    `extends` names a built-in policy, from which everything that the document leaves out is taken. Raises
    `InvalidPolicy` with every problem found.
    """
    policy = _parsed(document)
    # A policy that poses as a built-in one would put its name on a report that was judged by something else.
    if policy.name in POLICIES and policy != POLICIES[policy.name]:
        message = f"{policy.name!r} is a built-in policy, and this document demands something else; give it another"
        raise InvalidPolicy(Problem("name", f"{message} name"))
    return policy


@functools.cache
def _built_in(name: str) -> Policy:
    file = resources.files("service.parity").joinpath("policies", f"{name}.toml")
    return _parsed(tomllib.loads(file.read_text(encoding="utf-8")))


def _parsed(document: object) -> Policy:
    if not isinstance(document, Mapping):
        raise InvalidPolicy(Problem("", f"a policy is a table of name, limits and required, not {_shown(document)}"))
    problems = [_unknown(str(key), _KEYS) for key in document if key not in _KEYS]
    base = _base(document, problems)
    name = _name(document.get("name"), problems)
    limits = _limits(document, problems)
    required = {**base.required, **_required(document.get("required", {}), problems)}
    if not problems and not any(word != "never" for word in required.values()):
        message = f"demands no check, so nothing could pass; set at least one, e.g. {ALL_CHECKS[0]!r}, to 'always'"
        problems.append(Problem("required", message))
    if problems:
        raise InvalidPolicy(*problems)
    return dataclasses.replace(base, name=name, required=required, **limits)


def _base(document: Mapping[str, Any], problems: list[Problem]) -> Policy:
    """What the document extends; without, the measured limits and nothing required."""
    if "extends" not in document:
        return Policy("")
    name = document["extends"]
    if isinstance(name, str) and name in BUILT_IN:
        return POLICIES[name]
    problems.append(Problem("extends", f"is {_shown(name)}; choose from {', '.join(BUILT_IN)}"))
    return Policy("")


def _name(name: object, problems: list[Problem]) -> str:
    if isinstance(name, str) and name.strip() and name.isprintable() and len(name) <= MAX_NAME:
        return name
    found = "is missing" if name is None else f"is {_shown(name)}"
    problems.append(Problem("name", f"{found}; give it printable text of 1 to {MAX_NAME} characters"))
    return ""


def _limits(document: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    table = document.get("limits", {})
    if not isinstance(table, Mapping):
        problems.append(Problem("limits", f"is {_shown(table)}; it must be a table"))
        table = {}
    problems += [_unknown(f"limits.{key}", LIMITS) for key in table if key not in LIMITS]
    found: dict[str, Any] = {}
    for place, values in (("", document), ("limits.", table)):
        for name in LIMITS:
            if name in values and name in found:
                problems.append(Problem(f"limits.{name}", "stands outside [limits] too; leave one of the two"))
            elif name in values:
                found[name] = _limit(name, values[name], f"{place}{name}", problems)
    return found


def _limit(name: str, value: object, place: str, problems: list[Problem]) -> Any:
    if name in _CHOICES:
        if not (isinstance(value, str) and value in _CHOICES[name]):
            problems.append(Problem(place, f"is {_shown(value)}; choose from {', '.join(_CHOICES[name])}"))
        return value
    low, high = _RANGES.get(name, (0.0, math.inf))
    number = isinstance(value, int | float) and not isinstance(value, bool) and not _beyond_64_bits(value)
    if number and low < cast(float, value) < high:
        return float(cast(float, value))
    wanted = f"a finite number above {low:g}" if math.isinf(high) else f"a number above {low:g} and below {high:g}"
    problems.append(Problem(place, f"is {_shown(value)}; it must be {wanted}"))
    return value


def _required(table: object, problems: list[Problem]) -> dict[str, Requirement]:
    if not isinstance(table, Mapping):
        problems.append(Problem("required", f"is {_shown(table)}; it must be a table of checks"))
        return {}
    for check, word in table.items():
        if check not in ALL_CHECKS:
            problems.append(_unknown(f"required.{check}", tuple(f"required.{known}" for known in ALL_CHECKS)))
        elif not (isinstance(word, str) and word in _WORDS):
            problems.append(Problem(f"required.{check}", f"is {_shown(word)}; choose from {', '.join(_WORDS)}"))
    return {str(check): word for check, word in table.items()}


def _unknown(place: str, known: tuple[str, ...]) -> Problem:
    near = difflib.get_close_matches(place[:MAX_NAME], known, n=1)
    what = "a check" if place.startswith("required.") else "a field of a policy"
    names = ", ".join(name.removeprefix("required.") for name in known)
    advice = f"did you mean {near[0]}?" if near else f"choose from {names}"
    return Problem(_cut(place), f"is not {what}; {advice}")


def _shown(value: object) -> str:
    """A value from outside in a message: a container is not written out, nor is a number of thousands of digits."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if _beyond_64_bits(value):
        return "a whole number beyond 64 bits"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return repr(_cut(value))
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list) else f"a {type(value).__name__}"


def _beyond_64_bits(value: object) -> bool:
    """Python reads such numbers out of a document, but makes neither a float nor text of every one."""
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _cut(text: str) -> str:
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= MAX_NAME else text[: MAX_NAME - 1] + "…"
