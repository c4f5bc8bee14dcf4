"""The GitHub action and the example that uses it: inputs declared, none inside a script, the exit code handed on."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.cli import app

ROOT = Path(__file__).resolve().parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / "examples" / "github-workflow.yml").read_text(encoding="utf-8"))
ACTION_STEPS = ACTION["runs"]["steps"]
ALL_STEPS = [*ACTION_STEPS, *(step for job in WORKFLOW["jobs"].values() for step in job["steps"])]
SCRIPTS = [step for step in ALL_STEPS if "run" in step]
GATE = next(step for step in ACTION_STEPS if step.get("id") == "gate")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")


def expressions(part: Any) -> list[str]:
    if isinstance(part, dict):
        return [found for value in part.values() for found in expressions(value)]
    if isinstance(part, list):
        return [found for value in part for found in expressions(value)]
    return EXPRESSION.findall(part) if isinstance(part, str) else []


def test_every_input_that_is_used_is_declared_and_every_declared_one_is_used() -> None:
    used = {name for text in expressions(ACTION) for name in re.findall(r"\binputs\.([\w-]+)", text)}
    assert used == set(ACTION["inputs"])
    assert set(ACTION["inputs"]) == {
        "config", "database", "server", "working-directory", "python-version", "report-folder"
    }  # fmt: skip


def test_every_output_that_is_named_comes_from_a_step_that_exists() -> None:
    for document, steps in ((ACTION, ACTION_STEPS), (WORKFLOW, WORKFLOW["jobs"]["gate"]["steps"])):
        ids = {step["id"] for step in steps if "id" in step}
        named = {name for text in expressions(document) for name in re.findall(r"\bsteps\.([\w-]+)\.outputs", text)}
        assert named <= ids
    assert set(ACTION["outputs"]) == {"outcome", "exit-code"}
    asked = {name for text in expressions(WORKFLOW) for name in re.findall(r"\bsteps\.gate\.outputs\.([\w-]+)", text)}
    assert asked == set(ACTION["outputs"])


@pytest.mark.parametrize("step", SCRIPTS, ids=[step["name"] for step in SCRIPTS])
def test_no_script_has_an_expression_in_it(step: dict[str, Any]) -> None:
    assert EXPRESSION.search(step["run"]) is None
    assert subprocess.run(["bash", "-n"], input=step["run"], text=True, check=False).returncode == 0


def test_the_example_gives_only_inputs_that_the_action_has() -> None:
    [using] = [step for step in WORKFLOW["jobs"]["gate"]["steps"] if step.get("uses") == "./"]
    assert set(using["with"]) <= set(ACTION["inputs"])
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert "continue-on-error" not in using


def test_a_composite_step_names_its_shell_and_the_reports_are_kept_after_a_failure() -> None:
    assert all("shell" in step for step in ACTION_STEPS if "run" in step)
    [upload] = [step for step in ACTION_STEPS if str(step.get("uses", "")).startswith("actions/upload-artifact@")]
    assert "always()" in upload["if"]


def run_gate_step(folder: Path, code: int, **inputs: str) -> tuple[int, dict[str, str], list[str]]:
    """The step's own script with a `lockstep` that notes its arguments; its exit code, its outputs, the arguments."""
    (folder / "bin").mkdir()
    fake = folder / "bin" / "lockstep"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{folder}/said"\nexit {code}\n', encoding="utf-8")
    fake.chmod(0o755)
    (folder / "work").mkdir()
    given = {"CONFIG": "parity.toml", "DATABASE": "", "SERVER": "", "REPORTS": "reports", **inputs}
    assert given.keys() == GATE["env"].keys()
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", GATE["run"]],
        cwd=folder / "work", env={**given, "PATH": path, "GITHUB_OUTPUT": str(folder / "output")}, check=False,
    )  # fmt: skip
    lines = (folder / "output").read_text(encoding="utf-8").splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return done.returncode, outputs, (folder / "said").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 130])
def test_the_gates_exit_code_is_the_steps(tmp_path: Path, code: int) -> None:
    returned, outputs, said = run_gate_step(tmp_path, code)
    assert returned == code
    assert outputs == {"exit-code": str(code), "reports": str(tmp_path / "work" / "reports")}
    assert said[:2] == ["gate", "--config=parity.toml"]
    assert not any(word.startswith(("--database", "--server")) for word in said)


def test_an_input_is_a_value_and_never_a_command(tmp_path: Path) -> None:
    nasty = 'x\'; touch pwned; "$(touch pwned)" `touch pwned` #'
    _, _, said = run_gate_step(tmp_path, 0, CONFIG=nasty, DATABASE=nasty, SERVER=nasty, REPORTS="-r e p")
    assert {f"--config={nasty}", f"--database={nasty}", f"--server={nasty}"} <= set(said)
    assert not list(tmp_path.rglob("pwned"))
    assert (tmp_path / "work" / "-r e p").is_dir()


def test_every_flag_that_the_step_gives_is_one_of_the_gates() -> None:
    from typer.main import get_command

    command = get_command(app).commands["gate"]  # type: ignore[attr-defined]
    known = {flag for parameter in command.params for flag in parameter.opts}
    assert set(re.findall(r"--[a-z]+(?==)", GATE["run"])) <= known
