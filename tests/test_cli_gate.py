"""`lockstep gate` as a CI job meets it: real processes, real databases, real signals, and each exit code."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from junitparser import JUnitXml
from pysqlite3 import dbapi2 as modern_sqlite
from typer.testing import CliRunner

from service.cli import app
from service.store.migrate import migrate

PATIENCE_S = 60
SMALL = """
policy = "numerics"
[defaults]
device = "cpu"
phases = ["synchronized", "free_running"]
model = { vector_length = 32, bottleneck = 8 }
training = { steps = 30, batch_size = 16, learning_rate = 0.05, clip = 1 }
synchronized = { steps = 4, every = 2 }
free_running = { band_runs = 2, band_steps = 10 }
"""
GOOD = '[[plan]]\nname = "good"\n'
BAD = '[[plan]]\nname = "bad"\ncandidate = "bad-weight-decay"\n'
LONG = '[[plan]]\nname = "long"\ntraining = { steps = 2000000 }\n'
OUTPUTS = ["--junit", "out/j.xml", "--markdown", "out/m.md", "--json", "out/r.json", "--badge", "out/b.svg",
           "--shield", "out/s.json"]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("LOCKSTEP_", "GITHUB_")):
            monkeypatch.delenv(name)


def ask_for(*plans: str) -> None:
    Path("parity.toml").write_text(SMALL + "".join(plans), encoding="utf-8")


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A lockstep process, killed at the end if it still lives."""
    command = [sys.executable, "-m", "service.cli", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def gate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "gate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def rows(sql: str) -> list[Any]:
    if not Path("lockstep.db").exists():
        return []
    with contextlib.closing(modern_sqlite.connect("lockstep.db", timeout=10)) as connection:
        try:
            return connection.execute(sql).fetchall()  # type: ignore[no-any-return]
        except modern_sqlite.OperationalError:
            return []


def wait_until(found: Callable[[], Any]) -> Any:
    """Poll what other processes write: there is no event to wait on."""
    for _ in range(PATIENCE_S * 10):
        value = found()
        if value:
            return value
        threading.Event().wait(0.1)
    raise AssertionError(f"nothing in {PATIENCE_S} s")


def outcomes() -> dict[str, str]:
    told = json.loads(Path("out/r.json").read_text(encoding="utf-8"))
    return {case["name"]: case["outcome"] for case in told["cases"]}


def junit_kinds() -> dict[str, str]:
    """What became of each suite's verdict."""
    suites = list(JUnitXml.fromfile("out/j.xml"))
    return {
        s.name: next((type(r).__name__ for t in s if t.name == "verdict" for r in t.result), "pass") for s in suites
    }


def test_all_passing_exits_0_and_leaves_every_output(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_for(GOOD, "matrix = { seed = [0, 1] }")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_OUTPUT", "output.txt")
    done = gate(*OUTPUTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "PASS  2 cases: 2 PASS"
    assert "[2/2] good[seed=1]: PASS" in done.stderr
    assert junit_kinds() == {"good[seed=0]": "pass", "good[seed=1]": "pass"}
    assert outcomes() == {"good[seed=0]": "PASS", "good[seed=1]": "PASS"}
    assert "lockstep: pass" in Path("out/b.svg").read_text(encoding="utf-8")
    assert json.loads(Path("out/s.json").read_text(encoding="utf-8"))["message"] == "pass"
    assert Path("summary.md").read_text(encoding="utf-8") == Path("out/m.md").read_text(encoding="utf-8") + "\n"
    assert Path("output.txt").read_text(encoding="utf-8") == "outcome=PASS\n"
    pages = sorted(path.stem for path in Path("lockstep-reports").glob("*.html"))
    assert pages == [run_id for (run_id,) in rows("select id from runs order by id")]


def test_a_fail_exits_1_and_the_loop_goes_on() -> None:
    ask_for(BAD, GOOD)
    done = gate(*OUTPUTS)
    assert done.returncode == 1, done.stderr
    assert outcomes() == {"bad": "FAIL", "good": "PASS"}
    assert junit_kinds() == {"bad": "Failure", "good": "pass"}
    assert "✘ bad: bad-weight-decay may not replace legacy: numerics.synchronized" in done.stdout
    assert re.search(r"^  lockstep run --reference legacy --candidate bad-weight-decay .*$", done.stdout, re.MULTILINE)
    assert "**First divergence:** synchronized step 0" in Path("out/m.md").read_text(encoding="utf-8")
    assert "lockstep: fail" in Path("out/b.svg").read_text(encoding="utf-8")


def test_an_open_verdict_exits_3_and_is_an_error_in_junit() -> None:
    ask_for(GOOD, 'policy = "strict"')
    done = gate("--quiet", *OUTPUTS)
    assert done.returncode == 3
    assert (done.stdout, done.stderr) == ("INCONCLUSIVE  1 case: 1 INCONCLUSIVE\n", "")
    assert junit_kinds() == {"good": "Error"}
    [suite] = JUnitXml.fromfile("out/j.xml")
    assert suite.skipped == 0
    assert suite.errors > 5


def test_a_child_killed_half_way_is_open_and_the_next_case_runs() -> None:
    ask_for(LONG, GOOD)
    with started("gate", *OUTPUTS) as process:
        wait_until(lambda: rows("select 1 from steps where phase = 'free_running'"))
        [child] = [c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline())]
        child.kill()
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3, told
    assert outcomes() == {"long": "INCONCLUSIVE", "good": "PASS"}
    assert rows("select state, outcome, error_code from runs order by id")[0] == ("failed", None, "child_died")


def test_a_defect_of_lockstep_exits_4_and_is_no_verdict() -> None:
    migrate("sqlite:///lockstep.db")
    with contextlib.closing(modern_sqlite.connect("lockstep.db")) as connection:
        connection.execute(
            "create trigger planted before insert on checks begin select raise(abort, 'planted fault'); end"
        )
        connection.commit()
    ask_for(GOOD)
    done = gate(*OUTPUTS)
    assert done.returncode == 4, done.stderr
    assert outcomes() == {"good": "ERROR"}
    assert junit_kinds() == {"good": "Error"}
    assert rows("select state, outcome from runs") == [("failed", None)]
    assert "lockstep: error" in Path("out/b.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_exits_130_cancels_the_run_and_still_writes_the_outputs(number: signal.Signals) -> None:
    ask_for(LONG, GOOD, BAD)
    with started("gate", *OUTPUTS) as process:
        wait_until(lambda: rows("select 1 from steps where phase = 'free_running'"))
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        out, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert outcomes() == {"long": "INCONCLUSIVE", "good": "NOT RUN", "bad": "NOT RUN"}
    assert junit_kinds() == {"long": "Error", "good": "Error", "bad": "Error"}
    assert out.splitlines()[-1] == "INCONCLUSIVE  3 cases: 1 INCONCLUSIVE, 2 NOT RUN"
    assert rows("select state, outcome from runs") == [("cancelled", None)]
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_an_unknown_subject_exits_2_in_a_process_too() -> None:
    ask_for('[[plan]]\nname = "x"\ncandidate = "shadow"\n')
    done = gate()
    assert done.returncode == 2
    assert "x: candidate: 'shadow' is unknown; choose from legacy, basemodel" in done.stderr
    assert not Path("lockstep.db").exists()


BAD_FILES = [
    (None, "parity.toml: cannot be read: No such file or directory"),
    ("", "there is no [[plan]], so nothing would be gated"),
    ("[[plan", "is not a TOML file"),
    (SMALL, "there is no [[plan]]"),
    (SMALL + GOOD + GOOD, "2 cases are named 'good'"),
    (SMALL + GOOD + "colour = 1", "plan 'good'.colour: is not a field of a plan"),
    (SMALL + GOOD + 'device = "cuda:7"', "good: device: 'cuda:7' is not usable here"),
    (SMALL + GOOD + 'dataset = "../x"', "good: dataset: '../x' is unknown"),
    (SMALL + GOOD + 'policy = "lenient"', "'lenient' is unknown"),
    (SMALL + GOOD + f"matrix = {{ seed = {list(range(201))} }}", "asks for 201 cases; at most 200"),
]


@pytest.mark.parametrize(("text", "words"), BAD_FILES, ids=[str(i) for i in range(len(BAD_FILES))])
def test_a_wrong_file_exits_2_runs_nothing_and_leaves_no_old_output(
    text: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", "output.txt")
    if text is not None:
        Path("parity.toml").write_text(text, encoding="utf-8")
    Path("out").mkdir()
    Path("out/b.svg").write_text("lockstep: pass", encoding="utf-8")
    result = CliRunner().invoke(app, ["gate", *OUTPUTS])
    assert result.exit_code == 2
    assert words in result.output
    assert "Traceback" not in result.output
    assert not Path("lockstep.db").exists()
    assert list(Path("out").iterdir()) == []
    assert Path("output.txt").read_text(encoding="utf-8") == "outcome=ERROR\n"


def test_an_output_that_cannot_be_written_exits_2_before_anything_runs() -> None:
    ask_for(GOOD)
    Path("taken").write_text("a file", encoding="utf-8")
    result = CliRunner().invoke(app, ["gate", "--junit", "taken/j.xml"])
    assert result.exit_code == 2
    assert "--junit: cannot write taken/j.xml" in result.output
    assert not Path("lockstep.db").exists()


def test_an_output_that_fails_at_the_end_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_for(GOOD)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "missing/summary.md")
    done = gate("--quiet")
    assert done.returncode == 2
    assert done.stdout == "PASS  1 case: 1 PASS\n"
    assert "cannot write missing/summary.md" in done.stderr


def test_a_database_that_cannot_be_opened_exits_2() -> None:
    ask_for(GOOD)
    result = CliRunner().invoke(app, ["gate", "--database", "sqlite:///missing/x.db"])
    assert result.exit_code == 2
    assert "missing" in result.output


def test_help_teaches() -> None:
    result = CliRunner().invoke(app, ["gate", "--help"])
    assert result.exit_code == 0
    assert "--junit" in re.sub(r"\x1b\[[0-9;]*m", "", result.output)


@pytest.fixture
def server() -> Iterator[str]:
    """A real `lockstep serve` with its worker, on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with started("serve", "--port", str(port)) as process:
        assert process.stderr is not None
        ready, _, _ = select.select([process.stderr], [], [], PATIENCE_S)
        assert ready
        wait_until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def test_a_server_carries_the_plans_out_refuses_and_is_told_of_ctrl_c(server: str) -> None:
    ask_for(GOOD, BAD)
    done = gate("--server", server, *OUTPUTS)
    assert done.returncode == 1, done.stderr
    assert outcomes() == {"good": "PASS", "bad": "FAIL"}
    assert junit_kinds() == {"good": "pass", "bad": "Failure"}
    remote = json.loads(Path("out/r.json").read_text(encoding="utf-8"))["cases"][0]["report"]
    assert (remote["outcome"], remote["state"]) == ("PASS", "finished")

    ask_for('[[plan]]\nname = "x"\ncandidate = "shadow"\n', GOOD)
    done = gate("--server", server, *OUTPUTS)
    assert done.returncode == 2, done.stderr
    assert "'shadow' is unknown" in done.stderr
    assert outcomes() == {"x": "ERROR", "good": "NOT RUN"}

    ask_for(LONG, GOOD)
    with started("gate", "--server", server, *OUTPUTS) as process:
        wait_until(lambda: rows("select 1 from runs where state = 'running'"))
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, told
    assert outcomes() == {"long": "INCONCLUSIVE", "good": "NOT RUN"}
    assert rows("select state from runs order by id desc limit 1") == [("cancelled",)]


def test_a_server_that_is_not_there_exits_4() -> None:
    ask_for(GOOD, BAD)
    with socket.socket() as probe:  # bound and not listening: every connection is refused
        probe.bind(("127.0.0.1", 0))
        done = gate("--server", f"http://127.0.0.1:{probe.getsockname()[1]}", *OUTPUTS)
    assert done.returncode == 4, done.stderr
    assert "did not answer" in done.stdout
    assert outcomes() == {"good": "ERROR", "bad": "NOT RUN"}
