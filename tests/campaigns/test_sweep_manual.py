"""docs/sweep.md says what the code does: its file is read, its flags and its document's fields are all there are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import typer

from service.cli import app
from service.parity.grid import MAX_CONFIGURATIONS, sweep_from_document
from service.parity.policy import named_policy
from service.reports.sweep import SweepResult

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")


def test_the_file_shown_is_read() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    swept = sweep_from_document(tomllib.loads(block), named_policy)
    assert [len(grid.plans) for grid in swept.grids] == [2 * 2 * 3]
    assert f"at most {MAX_CONFIGURATIONS:,} configurations" in " ".join(TEXT.split())


def test_the_flags_shown_are_all_there_are() -> None:
    command: Any = typer.main.get_command(app)
    flags = {name for option in command.commands["sweep"].params for name in option.opts if name.startswith("--")}
    shown = TEXT[TEXT.index("lockstep sweep [GRID.toml]") :].partition("```")[0]
    assert set(re.findall(r"--[a-z]+", shown)) == flags - {"--help"}


def test_the_fields_of_the_document_are_all_told() -> None:
    swept = sweep_from_document({"grid": {"seed": [1]}}, named_policy)
    document = SweepResult(swept, {}).as_document()
    told = TEXT[TEXT.index("**`--json`**") :].partition("\n\n")[0]
    for name in (*document, *document["configurations"][0], *document["grids"][0]):
        assert f"`{name}`" in told, name
