"""What is demanded: limits and which checks are required. Stored with the run, so a verdict can be judged again.

Every limit here was measured before it was set; where from is in `docs/parity.md`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from service.parity.errors import Problem, UnknownName

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

    def requirement(self, check: str) -> Requirement:
        """How the policy regards `check`; a check it does not name is not required."""
        return self.required.get(check, "never")

    def as_document(self) -> dict[str, Any]:
        """The policy as plain JSON-ready values."""
        return {**dataclasses.asdict(self), "required": dict(self.required)}


def _policies() -> dict[str, Policy]:
    numeric: dict[str, Requirement] = dict.fromkeys(NUMERIC_CHECKS, "always")
    learning: dict[str, Requirement] = dict.fromkeys(LEARNING_CHECKS, "always")
    others: dict[str, Requirement] = dict.fromkeys((*CHECKPOINT_CHECKS, *HARDWARE_CHECKS), "where_measurable")
    return {
        "default": Policy("default", {**numeric, **learning, **others}),
        "strict": Policy("strict", dict.fromkeys(ALL_CHECKS, "always")),
        "numerics": Policy("numerics", numeric),
    }


POLICIES: Mapping[str, Policy] = _policies()


def named_policy(name: str) -> Policy:
    """The built-in policy of that name; raises `UnknownName` listing what there is."""
    if name not in POLICIES:
        raise UnknownName(Problem("policy", f"{name!r} is unknown; choose from {', '.join(POLICIES)}"))
    return POLICIES[name]
