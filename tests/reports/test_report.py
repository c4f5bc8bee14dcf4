"""The report value: strict JSON, the schema's keys, honest where a run did not end."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from service.parity.policy import named_policy
from service.parity.record import RunRecord, Trouble
from service.ports import Progress
from service.reports.report import build_report

from .conftest import FAULTY, PLAN, Sample, Shape, make_run, tap_names

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def report_of(sample: Sample) -> dict[str, Any]:
    report = build_report(sample.run, sample.record, sample.verdict)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    return json.loads(json.dumps(report, allow_nan=False))
