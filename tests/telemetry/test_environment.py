"""The environment fingerprint: facts, None for what is unknown, and no secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from service.telemetry import environment
from service.telemetry.environment import describe_environment, package_version, without_credentials


def test_facts() -> None:
    found = describe_environment("cpu")
    assert json.loads(json.dumps(found)) == found
    assert found["device"] == "cpu"
    assert found["python"].startswith("3.")
    assert found["memory_bytes"] > 2**20
    assert found["packages"]["numpy"]
    assert None not in found["packages"].values()
    assert bool(found["gpus"]) != bool(found["no_gpu_reason"])


def test_no_variable_of_the_environment_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "s3cr3t-value-of-a-variable"
    for name in ("LOCKSTEP_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "API_TOKEN", "HOME", "USER"):
        monkeypatch.setenv(name, secret)
    text = json.dumps(describe_environment("cpu"))
    assert secret not in text
    assert os.environ["PATH"] not in text


@pytest.mark.parametrize(
    "argument",
    [
        "postgresql://lockstep:hunter2@db.example/runs",
        "--database=postgresql+psycopg://lockstep:hunter2@db.example:5432/runs",
        "https://hunter2@example.org/x",
        "postgresql://lockstep:p@ss:hunter2@db.example/runs",
        "postgresql://lockstep:a/b?hunter2@db.example/runs",
    ],
)
def test_no_password_of_the_command_line_is_in_it(monkeypatch: pytest.MonkeyPatch, argument: str) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/someone/bin/lockstep", "run", "--database", argument])
    command = describe_environment("cpu")["command"]
    assert command[:3] == ["lockstep", "run", "--database"]
    assert "hunter2" not in " ".join(command)
    assert "***@" in command[3]
    assert command[3].endswith(("db.example/runs", "db.example:5432/runs", "example.org/x"))


@pytest.mark.parametrize("arguments", [[], [""], ["lockstep"], ["lockstep", "run", "sqlite:///lockstep.db", "a@b"]])
def test_a_command_line_without_secrets_stays_as_it_is(arguments: list[str]) -> None:
    assert without_credentials(arguments) == arguments


def test_unknown_package_is_none() -> None:
    assert package_version("no-such-package-anywhere") is None


run_really = subprocess.run


class Git:
    """Stands in for git: an answer, or None for a failure, a subcommand."""

    def __init__(self, **answers: str | None) -> None:
        self.answers = answers

    def __call__(self, words: list[str], **options: Any) -> Any:
        if words[0] != "git":
            return run_really(words, **options)
        answer = self.answers[words[3].replace("-", "_")]
        if answer == "slow":
            raise subprocess.TimeoutExpired(words, 10)
        return subprocess.CompletedProcess(words, 0 if answer is not None else 128, answer or "", "")


@pytest.mark.parametrize(
    ("answers", "revision"),
    [
        ({"rev_parse": "abc\n", "status": ""}, "abc"),
        ({"rev_parse": "abc\n", "status": " M a.py\n"}, "abc+changes"),
        ({"rev_parse": None, "status": ""}, None),
        ({"rev_parse": "abc\n", "status": None}, None),
        ({"rev_parse": "abc\n", "status": "slow"}, None),
    ],
)
def test_a_revision_that_is_not_known_is_not_called_clean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answers: dict[str, str | None], revision: str | None
) -> None:
    (tmp_path / ".git").mkdir()
    monkeypatch.setattr(environment.service, "__file__", str(tmp_path / "service" / "__init__.py"))
    monkeypatch.setattr(environment.shutil, "which", lambda name: "git")
    monkeypatch.setattr(environment.subprocess, "run", Git(**answers))
    assert describe_environment("cpu")["git_revision"] == revision


def test_outside_a_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment.service, "__file__", str(tmp_path / "service" / "__init__.py"))
    assert describe_environment("cpu")["git_revision"] is None
