"""Values become strict JSON by one function, and come back."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pytest

from service.reports.json_values import json_ready, number_of


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (np.True_, True),
        (3, 3),
        (np.int64(3), 3),
        (0.5, 0.5),
        (np.float32(0.5), 0.5),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (np.float64("nan"), "NaN"),
        ((1, [math.inf]), [1, ["Infinity"]]),
        ({1: math.nan}, {"1": "NaN"}),
        (np.array([1.0, np.nan]), [1.0, "NaN"]),
        ({"b", "a"}, ["a", "b"]),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22T00:00:00+00:00"),
        (PurePosixPath("/a/b"), "/a/b"),
        ("\ud800", "?"),
    ],
)
def test_values(value: Any, expected: Any) -> None:
    ready = json_ready(value)
    assert ready == expected
    assert type(ready) is type(expected)
    json.dumps(ready, allow_nan=False).encode("utf-8")


@pytest.mark.parametrize("value", [0.0, -1.5, math.inf, -math.inf, math.nan])
def test_a_number_comes_back(value: float) -> None:
    found = number_of(json.loads(json.dumps(json_ready(value), allow_nan=False)))
    assert found == value or (found is not None and math.isnan(found) and math.isnan(value))


@pytest.mark.parametrize("value", [None, True, "text", [], {}])
def test_what_is_no_number_is_none(value: Any) -> None:
    assert number_of(value) is None
