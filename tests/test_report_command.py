"""`lockstep report` and `--policy FILE` as a user meets them: one real run, then every way of looking at it."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from pysqlite3 import dbapi2 as modern_sqlite
from typer.testing import CliRunner

from service.cli import app

SMALL = [
    *("--device", "cpu", "--vector-length", "32", "--bottleneck", "8", "--batch-size", "16"),
    *("--learning-rate", "0.05", "--clip", "1", "--steps", "40", "--sync-steps", "6", "--sync-every", "2"),
    *("--band-runs", "2", "--band-steps", "10", "--checkpoint-before", "3", "--checkpoint-after", "4"),
]
MINE = """
name = "mine"
extends = "numerics"

[limits]
error_ratio = 6

[required]
"checkpoint.transfer" = "always"
"""
IMPOSSIBLE = 'name = "impossible"\n[limits]\nerror_ratio = 1e-9\n[required]\n"numerics.synchronized" = "always"\n'


def lockstep(*arguments: str) -> Result:
    """The command in this process; the run itself is still a child's."""
    return CliRunner().invoke(app, list(arguments))


def dump() -> dict[str, list[Any]]:
    """Every row of every table."""
    with contextlib.closing(modern_sqlite.connect("lockstep.db")) as connection:
        tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
        return {name: connection.execute(f'select * from "{name}"').fetchall() for (name,) in tables}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working folder with a run that passed by a policy of its own."""
    place = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for name in list(os.environ):
            if name.startswith("LOCKSTEP_"):
                patch.delenv(name)
        Path("mine.toml").write_text(MINE, encoding="utf-8")
        Path("impossible.toml").write_text(IMPOSSIBLE, encoding="utf-8")
        done = lockstep("run", *SMALL, "--policy", "mine.toml", "--quiet")
        assert done.exit_code == 0, done.output
        yield place


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def stored() -> dict[str, Any]:
    report: dict[str, Any] = json.loads(lockstep("report", "last", "--format", "json").stdout)
    return report


def test_a_policy_of_ones_own_is_stored_with_the_run() -> None:
    report = stored()
    assert (report["policy"]["name"], report["policy"]["error_ratio"], report["rejudged"]) == ("mine", 6.0, None)
    assert report["policy"]["required"]["checkpoint.transfer"] == "always"
    assert sum(check["required"] for check in report["checks"]) == 6


def test_the_table_is_that_of_the_run() -> None:
    shown = lockstep("report", "last")
    assert shown.exit_code == 0
    assert shown.stdout.startswith("✔ pass  integrity.same_batches\n")
    assert shown.stdout.endswith(
        "PASS  basemodel may replace legacy: all 6 required checks pass.\nrun     " + stored()["run_id"] + "\n"
    )
    assert "Judged again" not in shown.output
    assert lockstep("report", stored()["run_id"][:20]).stdout == shown.stdout


@pytest.mark.parametrize(
    ("policy", "code", "outcome"),
    [("numerics", 0, "PASS"), ("impossible.toml", 1, "FAIL"), ("strict", 3, "INCONCLUSIVE")],
)
def test_judged_again(policy: str, code: int, outcome: str) -> None:
    before = dump()
    name = policy.partition(".")[0]
    shown = lockstep("report", "last", "--rejudge", policy)
    assert shown.exit_code == code, shown.output
    assert f"\n{outcome}  " in shown.stdout
    assert f"\nJudged again by {name}; the stored verdict is PASS by mine.\n" in shown.stdout
    as_json = lockstep("report", "last", "--rejudge", policy, "--format", "json")
    report = json.loads(as_json.stdout)
    assert as_json.exit_code == code
    assert as_json.stderr == f"Judged again by {name}; the stored verdict is PASS by mine.\n"
    assert (report["outcome"], report["policy"]["name"]) == (outcome, name)
    assert report["rejudged"] == {"policy": name, "stored_policy": "mine", "stored_outcome": "PASS"}
    assert dump() == before


def test_the_forms() -> None:
    assert lockstep("report", "last", "--format", "html").stdout.startswith("<!doctype html>")
    assert lockstep("report", "last", "--format", "markdown").stdout.startswith("## ✔ Lockstep: PASS\n")
    suites = ElementTree.fromstring(lockstep("report", "last", "--format", "junit").stdout)
    assert (suites.get("failures"), suites.get("errors")) == ("0", "0")
    failed = ElementTree.fromstring(
        lockstep("report", "last", "--format", "junit", "--rejudge", "impossible.toml").stdout
    )
    assert failed.get("failures") == "2"
    refused = lockstep("report", "last", "--format", "pdf")
    assert refused.exit_code == 2


@pytest.mark.parametrize("form", ["table", "json", "html", "markdown", "junit"])
def test_into_a_file(form: str, tmp_path: Path) -> None:
    path = tmp_path / "new" / "report"
    done = lockstep("report", "last", "--format", form, "--rejudge", "strict", "--output", str(path))
    assert (done.exit_code, done.stdout) == (3, "")
    printed = lockstep("report", "last", "--format", form, "--rejudge", "strict").stdout
    if form == "table":
        assert " ".join(path.read_text(encoding="utf-8").split()) == " ".join(printed.split())
    else:
        assert path.read_text(encoding="utf-8") == printed
    assert [found.name for found in path.parent.iterdir()] == ["report"]


def test_a_link_is_written_through_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old", encoding="utf-8")
    (tmp_path / "link").symlink_to("real")
    assert lockstep("report", "last", "--output", str(tmp_path / "link")).exit_code == 0
    assert (tmp_path / "link").is_symlink()
    assert "PASS" in (tmp_path / "real").read_text(encoding="utf-8")


def test_the_replay_of_a_policy_of_ones_own_is_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = stored()
    monkeypatch.chdir(tmp_path)
    words = shlex.split(first["replay"])
    assert words[words.index("--policy") + 1] == "policy.json"
    missing = lockstep(*words[1:], "--quiet")
    assert missing.exit_code == 2
    assert "policy.json: cannot be read" in missing.output
    assert list(tmp_path.iterdir()) == []
    Path("policy.json").write_text(json.dumps(first["policy"]), encoding="utf-8")
    second = json.loads(lockstep(*words[1:], "--json").stdout)
    for key in ("plan_digest", "policy", "outcome", "taps", "losses", "replay"):
        assert second[key] == first[key]


BAD = [
    (["nobody!"], "RUN: 'nobody!' is no run's id nor the beginning of one"),
    (["7zz"], "RUN: no run's id begins with 7zz in this database"),
    (["last", "--rejudge", "lenient"], "policy: 'lenient' is unknown; choose from default, strict, numerics"),
    (["last", "--rejudge", "missing.toml"], "missing.toml: cannot be read: No such file or directory"),
    (["last", "--rejudge", "lockstep.db.toml"], "lockstep.db.toml: cannot be read"),
    (["last", "--rejudge", "./lockstep.db"], "is larger than 65,536 bytes"),
    (["last", "--rejudge", "."], "policy: '.' is unknown"),
    (["last", "--rejudge", "./"], "is not a regular file"),
    (["last", "--database", "sqlite:///other.db"], "there is no database"),
    (["last", "--output", "mine.toml/x"], "--output: cannot write mine.toml/x"),
    (["last", "--output", "lockstep-reports"], "--output: cannot write lockstep-reports"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_what_cannot_be_shown_exits_2_and_leaves_everything(arguments: list[str], message: str) -> None:
    before = sorted(Path().rglob("*"))
    result = lockstep("report", *arguments)
    assert result.exit_code == 2
    assert message in re.sub(r"\s+", " ", result.output)
    assert "Traceback" not in result.output
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize("content", ["", "name = ", 'name = "x"', MINE.replace("error_ratio", "eror_ratio")])
def test_a_policy_that_cannot_be_used_exits_2_before_anything_runs(content: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(content, encoding="utf-8")
    for command in (["run", *SMALL, "--policy", str(path)], ["report", "last", "--rejudge", str(path)]):
        before = dump()
        result = lockstep(*command)
        assert result.exit_code == 2
        assert f"error: {path}" in result.output
        assert dump() == before


@pytest.fixture
def unfinished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of the database in which the run, with all that it recorded, is marked otherwise than finished."""
    copy = tmp_path / "copy.db"
    with contextlib.closing(modern_sqlite.connect("lockstep.db")) as source:
        source.execute(f"vacuum into '{copy}'")
    monkeypatch.setenv("LOCKSTEP_DATABASE_URL", f"sqlite:///{copy}")
    return str(copy)


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("failed", 4, "No verdict: Lockstep could not carry the run out"),
        ("cancelled", 130, "No verdict: the run was cancelled"),
        ("running", 4, "No verdict yet: the run is being carried out"),
        ("queued", 4, "No verdict yet: the run waits"),
    ],
)
def test_a_run_without_a_verdict(state: str, code: int, words: str, unfinished: str) -> None:
    with contextlib.closing(modern_sqlite.connect(unfinished)) as connection:
        finished = "null" if state in ("queued", "running") else "finished_at"
        connection.execute(f"update runs set state = '{state}', outcome = null, finished_at = {finished}")
        connection.commit()
        [(run_id,)] = connection.execute("select id from runs where id = (select min(id) from runs)").fetchall()
    shown = lockstep("report", run_id)
    assert shown.exit_code == code
    assert f"NO VERDICT  {words}" in shown.stdout
    assert f"run {run_id} is {state}" in shown.stderr.replace("\n", " ")
    assert lockstep("report", "last").exit_code == 2
    again = lockstep("report", run_id, "--rejudge", "numerics")
    assert again.exit_code == 3
    assert f"no verdict is stored, the run is {state}" in again.stdout
    assert lockstep("report", run_id, "--rejudge", "impossible.toml").exit_code == 1
