"""`lockstep sweep` as a person meets it: real processes and databases, killed, stopped, resumed, and each exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pysqlite3 import dbapi2 as modern_sqlite
from typer.testing import CliRunner

from service.cli import app

PATIENCE_S = 150
pytestmark = pytest.mark.timeout(2 * PATIENCE_S)
GONE_S = 10

PLAN = """
policy = "numerics"
[plan]
device = "cpu"
phases = ["synchronized"]
model = { bottleneck = 8 }
training = { steps = 10, learning_rate = 0.05 }
synchronized = { steps = 2, every = 1 }
"""
POLICY = """
name = "only-synchronized"
extends = "numerics"
[required]
"numerics.free_running" = "never"
"""
EIGHT = '[grid]\n"model.vector_length" = [32, 64]\n"training.batch_size" = [8, 16]\n"model.alpha" = [0.01, 0.1]\n'
QUICK_AND_ENDLESS = """
[[grid]]
seed = [0]
"training.batch_size" = [8]
"model.vector_length" = [32]
[[grid]]
seed = [1, 2, 3, 4]
"synchronized.steps" = [9000000]
"synchronized.every" = [1000]
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LOCKSTEP_"):
            monkeypatch.delenv(name)
    Path("policy.toml").write_text(POLICY, encoding="utf-8")


def ask_for(grid: str, plan: str = PLAN) -> None:
    Path("grid.toml").write_text(plan.replace('"numerics"', '"policy.toml"') + grid, encoding="utf-8")


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A sweep of the file, killed at the end if it still lives."""
    command = [sys.executable, "-m", "service.cli", "sweep", "grid.toml", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def sweep(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "sweep", "grid.toml", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def rows(sql: str, path: str = "lockstep.db") -> list[Any]:
    with contextlib.closing(modern_sqlite.connect(path, timeout=10)) as connection:
        return connection.execute(sql).fetchall()  # type: ignore[no-any-return]


def write(sql: str) -> None:
    with contextlib.closing(modern_sqlite.connect("lockstep.db", timeout=10)) as connection:
        connection.execute(sql)
        connection.commit()


def finished() -> set[str]:
    return {run_id for (run_id,) in rows("SELECT id FROM runs WHERE state = 'finished'")}


def lines_until(process: subprocess.Popen[str], begin: str) -> list[str]:
    """What it says up to and with the line that begins so."""
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if line.startswith(begin):
            return said
    raise AssertionError(f"it ended without a line that begins with {begin}: {said}")


def what_was_found(document: str) -> Any:
    """A result without what differs from run to run."""
    told = json.loads(document)
    for each in told["configurations"]:
        for name in ("run_id", "seconds", "earlier"):
            each.pop(name)
    return told


def test_killed_half_way_it_goes_on_without_repeating_a_finished_run() -> None:
    ask_for(EIGHT)
    with started("--jobs", "2") as process:
        lines_until(process, "[3/8]")
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
        _, alive = psutil.wait_procs(family, timeout=GONE_S)
        assert alive == [], "a process outlived the sweep"
    before = finished()
    half_done = {run_id for (run_id,) in rows("SELECT id FROM runs WHERE state = 'running'")}
    assert 3 <= len(before) < 8

    resumed = sweep("--jobs", "2", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert before < finished()
    assert len(finished()) == 8, "a finished run was repeated"
    assert rows("SELECT COUNT(DISTINCT plan_digest) FROM runs WHERE state = 'finished'") == [(8,)]
    told = json.loads(resumed.stdout)
    assert {each["run_id"] for each in told["configurations"]} == finished()
    assert {each["run_id"] for each in told["configurations"] if each["earlier"]} == before
    assert not half_done & finished(), "a run that was cut off was taken for a finished one"

    uninterrupted = sweep("--jobs", "2", "--json", "--database", f"sqlite:///{Path.cwd() / 'other.db'}")
    assert what_was_found(resumed.stdout) == what_was_found(uninterrupted.stdout)

    # Unchanged, it repeats nothing.
    runs = rows("SELECT COUNT(*) FROM runs")
    again = sweep()
    assert "8 configurations: 8 done earlier, 0 to do" in again.stderr
    assert (again.returncode, rows("SELECT COUNT(*) FROM runs")) == (0, runs)


ONE = '[grid]\nseed = [0]\n"training.batch_size" = [8]\n"model.vector_length" = [32]\n'


def test_another_source_a_failed_run_and_again_make_runs_anew() -> None:
    ask_for(ONE)
    assert sweep().returncode == 0
    [first] = finished()
    source = json.loads(rows("SELECT json_extract(record, '$.subjects') FROM runs")[0][0])
    digest = source["candidate"]["source_digest"]
    write(f"UPDATE runs SET record = replace(record, '{digest}', '{'0' * 64}')")
    changed = sweep()
    assert "1 configuration: 1 to do" in changed.stderr
    assert changed.returncode == 0
    assert len(finished()) == 2

    again = sweep("--again", "--quiet")
    assert (again.stderr, again.stdout.count("\n")) == ("", 1)
    assert len(finished()) == 3

    write("UPDATE runs SET state = 'failed', outcome = NULL, error_code = 'child_died'")
    assert "1 configuration: 1 to do" in sweep().stderr
    assert first not in finished()


def until_endless(process: subprocess.Popen[str], jobs: int) -> None:
    """Wait until the quick one is done and so many of the endless ones are well under way."""
    lines_until(process, "[1/5]")
    under_way = "SELECT COUNT(*) FROM runs WHERE state = 'running' AND progress_phase = 'synchronized'"
    while rows(under_way) != [(jobs,)]:
        assert process.poll() is None


@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(jobs: int) -> None:
    ask_for(QUICK_AND_ENDLESS)
    with started("--jobs", str(jobs)) as process:
        until_endless(process, jobs)
        # A second one, from somebody impatient, changes nothing.
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "Stopped: 1 done and kept, 4 to do; the same command, without --again, goes on." in err
    assert "INCONCLUSIVE  5 configurations: 4 NOT RUN, 1 PASS" in out
    assert rows("SELECT state, COUNT(*) FROM runs GROUP BY state") == [("cancelled", jobs), ("finished", 1)]
    assert "Traceback" not in err


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_it_takes_its_processes_along_and_leaves_its_runs_without_a_verdict(jobs: int) -> None:
    ask_for(QUICK_AND_ENDLESS)
    with started("--jobs", str(jobs)) as process:
        until_endless(process, jobs)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
        _, alive = psutil.wait_procs(family, timeout=GONE_S)
        for left in alive:
            left.kill()
    assert len(family) >= jobs
    assert alive == []
    assert rows("SELECT state, outcome, COUNT(*) FROM runs GROUP BY state") == [
        ("finished", "PASS", 1),
        ("running", None, jobs),
    ]


def test_a_fail_is_told_in_every_form() -> None:
    ask_for(
        '[grid]\ncandidate = ["basemodel", "bad-weight-decay"]\n'
        '"training.batch_size" = [8]\n"model.vector_length" = [32]\n'
    )
    done = sweep("--html", "out/page.html")
    assert done.returncode == 1
    page = Path("out/page.html").read_text(encoding="utf-8")
    assert "basemodel" in page
    assert "P 1" in done.stdout
    assert "F 1" in done.stdout
    assert "bad-weight-decay may not replace legacy" in done.stdout
    assert "FAIL  2 configurations: 1 FAIL, 1 PASS; largest error ratio" in done.stdout
    assert {run_id for run_id in finished() if run_id in page} == finished()
    stored = rows("SELECT outcome, worker FROM runs ORDER BY outcome")
    assert stored == [("FAIL", "lockstep sweep"), ("PASS", "lockstep sweep")]


def test_an_undecided_one_exits_with_3() -> None:
    ask_for(ONE)
    done = sweep("--policy", "numerics", "--json")
    assert done.returncode == 3
    told = json.loads(done.stdout)
    assert {each["outcome"] for each in told["configurations"]} == {"INCONCLUSIVE"}
    assert told["policy"]["name"] == "numerics"


def refused(*arguments: str) -> str:
    """What is said by a command that exits with 2 before anything ran."""
    done = CliRunner().invoke(app, ["sweep", *arguments])
    assert done.exit_code == 2, done.output
    assert not Path("lockstep.db").exists()
    return done.stderr


def test_what_is_wrong_is_told_before_anything_runs() -> None:
    assert "missing.toml: cannot be read: No such file" in refused("missing.toml")
    ask_for("[grid]\nsed = [1]")
    assert "grid.toml: grid.sed: is not a field of a plan" in refused("grid.toml")
    ask_for('[grid]\ncandidate = ["nobody", "basemodel"]')
    assert "candidate: 'nobody' is unknown; choose from legacy" in refused("grid.toml")
    ask_for(ONE)
    assert "candidate: 'nobody' is unknown" in refused("grid.toml", "--candidate", "nobody")
    ask_for(EIGHT)
    assert "(in 8 configurations)" in refused("grid.toml", "--candidate", "nobody")
    assert "policy: 'lax' is unknown" in refused("grid.toml", "--policy", "lax")
    assert "--html: grid.toml is the grid's file too" in refused("grid.toml", "--html", "grid.toml")
    assert "--html: cannot write policy.toml/x.html" in refused("grid.toml", "--html", "policy.toml/x.html")


def test_no_number_of_jobs_is_refused() -> None:
    ask_for(ONE)
    done = CliRunner().invoke(app, ["sweep", "grid.toml", "--jobs", "0"])
    assert done.exit_code == 2
    assert "--jobs: is 0; it must be at least 1" in done.stderr


def test_many_problems_are_not_all_told() -> None:
    ask_for("[grid]\nseed = [" + ", ".join(str(-n) for n in range(1, 100)) + "]")
    said = refused("grid.toml").splitlines()
    assert len(said) == 21
    assert said[-1] == "error: and 79 more problems"


def test_an_earlier_page_does_not_speak_for_a_sweep_that_could_not_run() -> None:
    ask_for(ONE)
    Path("page.html").write_text("PASS", encoding="utf-8")
    CliRunner().invoke(app, ["sweep", "grid.toml", "--html", "page.html", "--jobs", "0"])
    assert not Path("page.html").exists()


def test_help_teaches() -> None:
    done = CliRunner().invoke(app, ["sweep", "--help"], env={"COLUMNS": "120", "TERM": "dumb"})
    for words in ("heat-map", "--again", "--html", "Exit codes", "goes on where it was"):
        assert words in " ".join(done.output.split()), done.output
