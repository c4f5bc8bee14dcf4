"""The one place where observed values become JSON: NaN and the infinities turn into strings, never into null or 0.

JSON has no NaN. `null` already means "not measured" here, so a number that is not finite travels by its name.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""How numbers that are not finite are written, and what they are read back as."""


def json_ready(value: Any) -> Any:
    """`value` as plain JSON-ready values: dumpable with `allow_nan=False`, text encodable as UTF-8."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return json_ready(value.value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return _number(float(value))
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_ready(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _container(value)


def number_of(value: Any) -> float | None:
    """The number that a report's value stands for: the reverse of `json_ready`; `None` where it holds none."""
    if isinstance(value, str):
        return NOT_FINITE.get(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def not_measured(reason: str) -> dict[str, Any]:
    """What stands in a report where a section was not measured: a reason, never a 0."""
    return {"measured": False, "reason": reason}


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _container(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {json_ready(str(key)): json_ready(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, set | frozenset):
        return [json_ready(item) for item in sorted(value, key=str)]
    if isinstance(value, list | tuple):
        return [json_ready(item) for item in value]
    return json_ready(str(value))
