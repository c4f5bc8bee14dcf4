"""docs/gate.md says what the code does: its files are read, its fields and flags are all there are."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import typer

from service.cli import app
from service.gate.config import MAX_CASES, cases_from_document
from service.gate.remote import BACKOFF_S
from service.parity.plan import Plan
from service.parity.policy import named_policy, policy_from_document

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "gate.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)


def test_the_files_shown_are_read() -> None:
    gate, policy = (tomllib.loads(block) for block in BLOCKS)
    names = [case.name for case in cases_from_document(gate, named_policy)]
    assert names[:2] == ["early", "shapes[training.batch_size=1,seed=0]"]
    assert len(names) == 5
    ours = policy_from_document(policy)
    assert (ours.error_ratio, ours.requirement("checkpoint.resume")) == (3.0, "always")


def test_every_field_of_a_plan_stands_in_the_table() -> None:
    told = dict(re.findall(r"^\| (`[^|]*`) \| `?([\w ]+?)`? \|$", TEXT, re.MULTILINE))
    fields = {place: re.findall(r"`(\w+)`", names) for names, place in told.items()}
    plan = Plan()
    parts = {f.name: getattr(plan, f.name) for f in dataclasses.fields(plan)}
    own = [name for name, part in parts.items() if not dataclasses.is_dataclass(part)]
    assert sorted(fields.pop("the plan itself")) == sorted(own)
    assert fields == {
        name: [f.name for f in dataclasses.fields(part)]
        for name, part in parts.items()
        if dataclasses.is_dataclass(part)
    }


def test_every_flag_and_figure_is_told() -> None:
    group: Any = typer.main.get_command(app)
    flags = {flag for option in group.commands["gate"].params for flag in option.opts}
    assert sorted(flag for flag in flags if flag not in TEXT) == []
    assert f"at most {MAX_CASES} cases" in TEXT
    assert f"{sum(BACKOFF_S)}" in TEXT
