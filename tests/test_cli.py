"""The command line as a user meets it: real processes, real database files, real signals."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
from pysqlite3 import dbapi2 as modern_sqlite
from typer.testing import CliRunner

from service.cli import app, main
from service.store.migrate import migrate

SMALL = [
    *("--device", "cpu", "--vector-length", "32", "--bottleneck", "8", "--batch-size", "16"),
    *("--learning-rate", "0.05", "--clip", "1", "--steps", "40", "--sync-steps", "6", "--sync-every", "2"),
    *("--band-runs", "2", "--band-steps", "10", "--checkpoint-before", "3", "--checkpoint-after", "4"),
]
LONG = [*SMALL, "--steps", "2000000"]
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LOCKSTEP_"):
            monkeypatch.delenv(name)


def lockstep(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


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


def rows(sql: str, database: str = "lockstep.db") -> list[Any]:
    if not Path(database).exists():
        return []
    with contextlib.closing(modern_sqlite.connect(database, timeout=10)) as connection:
        try:
            return connection.execute(sql).fetchall()  # type: ignore[no-any-return]
        except modern_sqlite.OperationalError:
            return []


def wait_for(sql: str) -> Any:
    """Poll the database until the query gives a row; other processes write it, so there is no event to wait on."""
    for _ in range(PATIENCE_S * 10):
        found = rows(sql)
        if found:
            return found[0]
        threading.Event().wait(0.1)
    raise AssertionError(f"no row in {PATIENCE_S} s: {sql}")


def test_a_pass_exits_0_and_leaves_a_run_and_a_report() -> None:
    done = lockstep("run", *SMALL, "--policy", "numerics")
    assert done.returncode == 0, done.stderr
    assert "PASS  basemodel may replace legacy" in done.stdout
    assert "numerics.synchronized" in done.stdout
    [(run_id, state, outcome)] = rows("select id, state, outcome from runs")
    assert (state, outcome) == ("finished", "PASS")
    page = Path("lockstep-reports", f"{run_id}.html")
    assert str(page) in done.stdout
    assert "Absolute Zero" in page.read_text(encoding="utf-8")
    assert json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["outcome"] == "PASS"


def test_json_prints_the_report_and_nothing_else() -> None:
    done = lockstep("run", *SMALL, "--policy", "numerics", "--json")
    report = json.loads(done.stdout)
    assert (report["outcome"], report["schema_version"]) == ("PASS", "1")
    assert report["coverage"]["compared"] == report["coverage"]["expected"] == 75
    assert {check["outcome"] for check in report["checks"] if check["name"].startswith("memory.")} == {"not_measured"}


def test_the_replay_command_is_accepted_and_repeats_the_figures() -> None:
    first = json.loads(lockstep("run", *SMALL, "--policy", "numerics", "--json").stdout)
    words = first["replay"].split()
    assert words[:2] == ["lockstep", "run"]
    second = json.loads(lockstep(*words[1:], "--json").stdout)
    assert second["plan_digest"] == first["plan_digest"]
    assert second["losses"] == first["losses"]
    assert second["taps"] == first["taps"]
    assert second["checkpoints"] == first["checkpoints"]
    assert len(first["checkpoints"]["trips"]) == 8


def test_a_fail_exits_1_and_names_the_place() -> None:
    done = lockstep("run", *SMALL, "--policy", "numerics", "--candidate", "bad-decay-only")
    assert done.returncode == 1
    assert "first divergence: synchronized step 0, backward.layer3.activation_grad" in done.stdout


def test_an_open_verdict_exits_3() -> None:
    done = lockstep("run", *SMALL, "--policy", "strict", "--quiet")
    assert done.returncode == 3
    assert done.stdout.startswith("INCONCLUSIVE  ")


def test_a_killed_child_exits_4_and_gives_no_verdict() -> None:
    with started("run", *LONG) as process:
        wait_for("select id from runs where progress_phase = 'free_running'")
        children = [c for c in psutil.Process(process.pid).children() if "spawn_main" in " ".join(c.cmdline())]
        assert len(children) == 1
        children[0].kill()
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 4, told
    assert rows("select state, outcome, error_code from runs") == [("failed", None, "child_died")]


def test_ctrl_c_leaves_a_cancelled_run_with_what_it_recorded() -> None:
    with started("run", *LONG) as process:
        wait_for("select 1 from steps where phase = 'free_running'")
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, told
    assert "cancelled" in told
    assert "Traceback" not in told
    assert rows("select state, outcome from runs") == [("cancelled", None)]
    assert rows("select count(*) from diffs") == [(75,)]
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


BAD_RUNS = [
    (["--reference", "shadow"], "reference: 'shadow' is unknown; choose from legacy, basemodel"),
    (["--candidate", "os.system"], "candidate: 'os.system' is unknown"),
    (["--candidate", ""], "candidate: '' is unknown"),
    (["--dataset", "../secret"], "dataset: '../secret' is unknown; choose from colors, colors-a-f"),
    (["--policy", "lenient"], "policy: 'lenient' is unknown; choose from default, strict, numerics"),
    (["--device", "cuda:0"], "device: 'cuda:0' is not usable here"),
    (["--device", "tpu"], "device: is 'tpu'; use auto, cpu or cuda:N"),
    (["--steps", "0"], "training.steps: is 0"),
    (["--steps", "-5"], "training.steps: is -5"),
    (["--batch-size", "0"], "training.batch_size: is 0"),
    (["--batch-size", "5000"], "training.batch_size: is 5000, but the legacy model pre-allocates 4096 rows"),
    (["--vector-length", "-1"], "model.vector_length: is -1"),
    (["--hidden-layers", "0"], "model.hidden_layers: is 0"),
    (["--bottleneck", "0"], "model.bottleneck: is 0; it must be a whole number from 1"),
    (["--learning-rate", "nan"], "training.learning_rate: is nan; it must be a finite number above 0"),
    (["--learning-rate", "inf"], "training.learning_rate: is inf"),
    (["--clip", "0"], "training.clip: is 0.0"),
    (["--alpha", "nan"], "model.alpha: is nan"),
    (["--seed", "-1"], "seed: is -1"),
    (["--phases", ""], "phases: is empty; choose from synchronized, free_running"),
    (["--blocks", "7"], "performance.blocks: is 7"),
    (["--slice-seconds", "0"], "performance.slice_seconds: is 0.0"),
    (["--process-pairs", "0"], "performance.process_pairs: is 0"),
    (
        ["--second-device", "auto"],
        "performance.second_device: is 'auto'; name a GPU beside the plan's own, e.g. cuda:1",
    ),
    (["--second-device", "cuda:1"], "performance.second_device: is 'cuda:1', but the plan's device is cpu"),
    (
        ["--device", "auto", "--second-device", "cuda:1"],
        "performance.second_device: 'cuda:1' is not usable here: there is no GPU, and side by side takes two",
    ),
    (["--memory-steps", "1"], "memory.steps: is 1"),
    (["--taps-every", "-1"], "free_running.taps_every: is -1"),
    (["--phases", "guess"], "phases: 'guess' is unknown"),
    (["--sync-every", "0"], "synchronized.every: is 0"),
    (["--band-runs", "1"], "free_running.band_runs: is 1"),
    (["--checkpoint-before", "0"], "checkpoint.steps_before: is 0"),
    (["--checkpoint-after", "-1"], "checkpoint.steps_after: is -1"),
    (["--steps", "many"], "Invalid value for '--steps'"),
    (["--colour", "red"], "No such option"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_RUNS, ids=[" ".join(words) for words, _ in BAD_RUNS])
def test_a_wrong_value_exits_2_says_what_to_do_and_writes_nothing(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["run", *SMALL, *arguments])
    assert result.exit_code == 2
    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.output)
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", plain).split())
    assert "Traceback" not in result.output
    assert list(Path().iterdir()) == []


def test_every_problem_is_told_at_once() -> None:
    result = CliRunner().invoke(app, ["run", "--steps", "0", "--bottleneck", "0", "--learning-rate", "nan"])
    assert result.exit_code == 2
    assert [line.partition(":")[0] for line in result.output.splitlines()] == ["error"] * 3


@pytest.mark.parametrize("command", ["run", "migrate", "worker"])
def test_a_database_that_cannot_be_opened_exits_2(command: str) -> None:
    Path("folder").mkdir()
    for url, words in (
        ("sqlite:///folder", "folder"),
        ("sqlite:///missing/folder/x.db", "missing/folder"),
        ("oracle://host/name", "oracle"),
        ("not a url", "is not a database address"),
    ):
        arguments = [command, *(SMALL if command == "run" else ()), "--database", url]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2, (url, result.output)
        assert words in result.output.replace("\n", "")
        assert "Traceback" not in result.output
    assert [path.name for path in Path().iterdir()] == ["folder"]


def test_a_file_that_is_no_database_is_refused_and_left_alone() -> None:
    Path("notes.txt").write_text("shopping list\n" * 100, encoding="utf-8")
    result = CliRunner().invoke(app, ["run", *SMALL, "--database", "sqlite:///notes.txt"])
    assert result.exit_code == 2
    assert Path("notes.txt").read_text(encoding="utf-8") == "shopping list\n" * 100


def test_a_database_of_a_newer_lockstep_is_refused_and_left_alone() -> None:
    migrate("sqlite:///lockstep.db")
    with contextlib.closing(sqlite3.connect("lockstep.db")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
        connection.commit()
    for command in (["run", *SMALL], ["migrate"], ["worker"]):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 2
        assert "9999" in result.output
        assert "newer" in result.output
    assert rows("select count(*) from runs") == [(0,)]


def test_a_report_folder_that_cannot_be_written_is_told_and_the_run_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    monkeypatch.setenv("LOCKSTEP_REPORT_FOLDER", "taken/reports")
    done = lockstep("run", *SMALL, "--policy", "numerics", "--quiet")
    assert done.returncode == 2
    assert "LOCKSTEP_REPORT_FOLDER" in done.stderr
    assert rows("select state, outcome from runs") == [("finished", "PASS")]


def test_settings_come_from_variables_and_a_flag_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_DATABASE_URL", "sqlite:///from-variable.db")
    assert CliRunner().invoke(app, ["migrate"]).exit_code == 0
    assert CliRunner().invoke(app, ["migrate", "--database", "sqlite:///from-flag.db"]).exit_code == 0
    assert sorted(path.name for path in Path().glob("*.db")) == ["from-flag.db", "from-variable.db"]


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKSTEP_CPU_THREADS", "several")
    result = CliRunner().invoke(app, ["migrate"])
    assert result.exit_code == 2
    assert "cpu_threads" in result.output


@pytest.mark.parametrize(
    "command", [[], ["run"], ["report"], ["gate"], ["selftest"], ["serve"], ["worker"], ["migrate"], ["doctor"]]
)
def test_help_teaches(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert len(result.output.splitlines()) >= 8


@pytest.mark.parametrize("command", ["run", "report", "gate", "selftest"])
def test_help_of_what_judges_has_an_example_and_the_exit_codes(command: str) -> None:
    words = " ".join(CliRunner().invoke(app, [command, "--help"]).output.split())
    assert f"For example: lockstep {command}" in words
    assert "3 INCONCLUSIVE" in words


def test_every_option_is_explained() -> None:
    group: Any = typer.main.get_command(app)
    bare = [
        f"{name} {option.name}"
        for name, command in group.commands.items()
        for option in command.params
        if not option.help
    ]
    assert bare == []


def test_what_nobody_foresaw_exits_4_and_is_no_fail(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(**_: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("service.cli.read_settings", broken)
    with pytest.raises(SystemExit) as ended:
        main(["gate"])
    assert ended.value.code == 4
    told = capfd.readouterr().err
    assert "RuntimeError: planted" in told
    assert "this is a defect" in told


ONE_JOB = ["selftest", "--device", "cpu", "--jobs", "1"]


def test_a_passed_selftest_exits_0_and_shows_a_row_a_candidate() -> None:
    result = CliRunner().invoke(app, [*ONE_JOB, "--only", "bad-nan", "--only", "basemodel"])
    assert result.exit_code == 0, result.output
    rows_shown = [line.split()[0] for line in result.stdout.splitlines() if "PASS " in line or "FAIL " in line]
    assert rows_shown == ["basemodel", "bad-nan", "PASS"]
    assert re.search(r"bad-nan .* numerics.synchronized +fail +FAIL +✔ caught", result.stdout)
    assert list(Path().iterdir()) == []


def test_selftest_as_json_prints_nothing_else() -> None:
    result = CliRunner().invoke(app, [*ONE_JOB, "--only", "bad-exception", "--seed", "7", "--json"])
    document = json.loads(result.stdout)
    assert (document["outcome"], document["plan"]["seed"], document["cases"][0]["judgement"]) == ("PASS", 7, "caught")
    assert result.stderr == ""


@pytest.mark.parametrize(("judgement", "code"), [("missed", 1), ("undecided", 3), ("broken", 4)])
def test_the_exit_code_of_a_selftest(monkeypatch: pytest.MonkeyPatch, judgement: Any, code: int) -> None:
    from service.campaigns import selftest as campaign

    def assess(case: Any, verdict: Any) -> Any:
        return campaign.CaseResult(case, judgement, "for some reason")

    monkeypatch.setattr(campaign, "assess", assess)
    result = CliRunner().invoke(app, [*ONE_JOB, "--only", "bad-nan"])
    assert result.exit_code == code
    assert "for some reason" in result.stdout


def test_a_selftest_that_judged_nothing_exits_3() -> None:
    result = CliRunner().invoke(app, [*ONE_JOB, "--only", "bad-slow"])
    assert (result.exit_code, "not judged: bad-slow" in result.stdout) == (3, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "bad-nun"], "--only: 'bad-nun' is unknown; choose from basemodel"),
        (["--jobs", "0"], "--jobs: is 0; it must be at least 1"),
        (["--seed", "-1"], "seed: is -1"),
        (["--device", "tpu"], "device: is 'tpu'; use auto, cpu or cuda:N"),
    ],
)
def test_a_wrong_value_of_a_selftest_exits_2(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [*ONE_JOB, *arguments])
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_shows_what_a_selftest_has_done_and_ends_its_processes(number: int) -> None:
    with started("selftest", "--device", "cpu", "--jobs", "2") as process:
        children: list[psutil.Process] = []
        for _ in range(PATIENCE_S * 10):
            children = psutil.Process(process.pid).children(recursive=True)
            if len(children) >= 3:  # multiprocessing's own resource tracker, and one a job
                break
            threading.Event().wait(0.1)
        process.send_signal(number)
        shown, told = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, told
    assert re.search(r"stopped after \d+ of \d+$", shown.strip())
    assert "Traceback" not in told
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def test_doctor_says_what_is_missing_and_what_to_do() -> None:
    done = lockstep("doctor")
    assert done.returncode == 0
    for words in ("Python", "CuPy", "NVIDIA driver", "frozen reference", "database", "lockstep run"):
        assert words in done.stdout
    assert list(Path().iterdir()) == []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(url: str, body: object = None, accept: str = "application/json") -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Accept": accept, "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        return answer.status, answer.read().decode()


def test_serve_takes_a_run_carries_it_out_and_shows_it() -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    plan = {
        "device": "cpu",
        "model": {"vector_length": 32, "bottleneck": 8},
        "training": {"steps": 40, "batch_size": 16, "learning_rate": 0.05, "clip": 1.0},
        "synchronized": {"steps": 6, "every": 2},
        "free_running": {"band_runs": 2, "band_steps": 10},
    }
    with started("serve", "--port", str(port)) as process:
        assert process.stderr is not None
        ready, _, _ = select.select([process.stderr], [], [], PATIENCE_S)
        assert ready
        assert "Lockstep serves" in process.stderr.readline()
        _until_answering(f"{base}/readyz")
        status, text = ask(f"{base}/api/v1/runs", {"plan": plan, "policy": "numerics"})
        assert status == 202
        run_id = json.loads(text)["id"]
        wait_for("select 1 from runs where state not in ('queued', 'running')")
        row = json.loads(ask(f"{base}/api/v1/runs/{run_id}")[1])
        assert (row["state"], row["outcome"]) == ("finished", "PASS")
        assert json.loads(ask(f"{base}/api/v1/runs/{run_id}/report")[1])["outcome"] == "PASS"
        page = ask(f"{base}/api/v1/runs/{run_id}/report", accept="text/html")[1]
        assert "Absolute Zero" in page
        assert "<svg" in page
        for part in ("steps", "diffs", "checks"):
            assert json.loads(ask(f"{base}/api/v1/runs/{run_id}/{part}")[1])["items"]
        assert run_id in ask(f"{base}/", accept="text/html")[1]
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0
    _, alive = psutil.wait_procs(children, timeout=10)
    assert alive == []


def _until_answering(url: str) -> None:
    for _ in range(PATIENCE_S * 10):
        with contextlib.suppress(OSError):
            ask(url)
            return
        threading.Event().wait(0.1)
    raise AssertionError(f"{url} does not answer")


def test_serve_refuses_an_address_that_others_can_reach() -> None:
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "loopback" in result.output
