"""`lockstep ladder` as a user meets it: real processes, a real database, real signals, each exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from pysqlite3 import dbapi2 as modern_sqlite
from typer.testing import CliRunner

from service.cli import app

PATIENCE_S = 100
# Learns the colours, as the self-test's plan does: else no run would pass by the default policy.
SMALL = [
    *("--device", "cpu", "--vector-length", "64", "--hidden-layers", "1", "--bottleneck", "56", "--batch-size", "64"),
    *("--learning-rate", "0.07", "--clip", "0.07", "--steps", "1200", "--sync-steps", "6", "--sync-every", "2"),
    *("--band-runs", "2", "--band-steps", "20", "--checkpoint-before", "2", "--checkpoint-after", "2"),
]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("LOCKSTEP_"):
            monkeypatch.delenv(name)


def ladder(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service.cli", "ladder", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


def here(*arguments: str) -> Any:
    """The command in this process; enough where no run is carried out."""
    return CliRunner().invoke(app, ["ladder", *arguments], env={"COLUMNS": "200"})


def states() -> list[tuple[str, str]]:
    with modern_sqlite.connect("lockstep.db") as connection:
        return list(connection.execute("SELECT candidate, state FROM runs ORDER BY id"))


def test_up_down_and_what_is_in_use() -> None:
    refused = here("promote", "wrapper", "--by", "ann")
    assert refused.exit_code == 2
    assert "carry one out with `lockstep ladder run --rung wrapper`" in refused.output
    climbed = ladder("run", *SMALL, "--rung", "wrapper", "--rung", "configuration")
    assert climbed.returncode == 0, climbed.stderr
    assert "PASS  2 of 2 rungs pass; 2 bit-equal to legacy" in climbed.stdout
    assert "every rung: utilization not measured" in climbed.stdout
    assert "✔ pass" in climbed.stdout
    assert here("promote", "configuration", "--by", "ann").exit_code == 2
    for rung in ("wrapper", "configuration"):
        done = here("promote", rung, "--by", "ann")
        assert done.exit_code == 0, done.output
        assert f"rung {rung} is in use" in done.output
    status = json.loads(here("status", "--json").output)
    assert (status["rung_in_use"], status["in_use_on_present_source"]) == ("configuration", True)
    assert [line["note"] for line in status["history"]] == ["not measured: utilization, memory, performance"] * 2
    back = here("rollback", "wrapper", "--note", "trying the way back", "--json")
    assert json.loads(back.output)["action"] == "rollback"
    shown = here("status").output
    assert "→ in use  wrapper" in shown
    assert "trying the way back" in shown
    command = [sys.executable, "-m", "service.cli", "run", *SMALL, "--phases", "synchronized", "--policy", "numerics"]
    subprocess.run([*command, "--candidate", "basemodel@current"], capture_output=True, timeout=PATIENCE_S, check=False)
    assert states()[-1] == ("basemodel@wrapper", "finished")


def test_a_rung_that_cannot_be_decided_is_not_passed() -> None:
    done = ladder("run", *SMALL, "--rung", "forward", "--phases", "synchronized", "--json")
    assert done.returncode == 3, done.stderr
    document = json.loads(done.stdout)
    assert (document["outcome"], document["rungs"][0]["bit_equal"]) == ("INCONCLUSIVE", True)
    assert {demand["outcome"] for demand in document["rungs"][0]["demands"]} == {"not_measured"}
    refused = here("promote", "forward", "--skip", "--by", "ann")
    assert refused.exit_code == 2
    assert "INCONCLUSIVE, not PASS" in refused.output


def test_ctrl_c_keeps_what_is_done() -> None:
    command = [sys.executable, "-m", "service.cli", "ladder", "run", *SMALL, "--phases", "synchronized"]
    with subprocess.Popen([*command, "--rung", "wrapper", "--rung", "forward", "--sync-steps", "3000000"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:  # fmt: skip
        try:
            for _ in range(PATIENCE_S * 10):
                if Path("lockstep.db").exists() and _running():
                    break
                threading.Event().wait(0.1)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "stopped after 0 of 2" in out
    assert states() == [("basemodel@wrapper", "cancelled")]


def _running() -> bool:
    try:
        return ("basemodel@wrapper", "running") in states()
    except modern_sqlite.OperationalError:
        return False


def test_a_bisection_names_the_method_and_keeps_its_runs() -> None:
    done = ladder("bisect", "bad-method-update", "--device", "cpu", "--phases", "synchronized")
    assert done.returncode == 1, done.stderr
    assert "FAIL  update breaks parity, by itself; found in" in done.stdout
    assert "✘ update  rung backward" in done.stdout
    assert "look at service.subjects.planted_methods._not_clipped" in done.stdout
    assert "in place of legacy.gpu_text_autoencoder.GPUTextAutoencoder._clip_and_update" in done.stdout
    assert "first divergence: synchronized step 0" in done.stdout
    kept = states()
    assert kept[0] == ("bad-method-update", "finished")
    assert kept[-1][0] == "bad-method-update+update"
    assert 4 <= len(kept) <= 7


def test_a_bisection_of_what_passes_and_of_what_cannot_be_decided() -> None:
    passing = ladder("bisect", "basemodel@configuration", "--device", "cpu", "--phases", "synchronized,free_running")
    assert (passing.returncode, passing.stdout.splitlines()[-1]) == (
        0,
        "PASS  basemodel@configuration holds parity with all 3 methods its own; nothing to search",
    )
    undecided = ladder("bisect", "basemodel@configuration", "--device", "cpu", "--policy", "strict", "--json")
    assert undecided.returncode == 3, undecided.stderr
    document = json.loads(undecided.stdout)
    assert (document["answer"], document["culprits"], len(document["runs"])) == ("undecided", [], 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "--rung", "roof"], "'roof' is unknown; choose from wrapper"),
        (["run", "--steps", "0"], "training.steps"),
        (["run", "--policy", "lax"], "'lax' is unknown"),
        (["promote", "roof", "--by", "ann"], "'roof' is unknown"),
        (["promote", "wrapper", "--by", " "], "say who does it"),
        (["promote", "wrapper", "--by", "ann", "--run", "nobody"], "there is no run 'nobody'"),
        (["rollback", "wrapper", "--by", "ann"], "nothing has been promoted yet"),
        (["bisect", "legacy"], "has no method that could be exchanged"),
        (["bisect", "bad-method-loss", "--without", "losses"], "losses is no method of bad-method-loss"),
        (["bisect", "bad-method-loss", "--max-runs", "1"], "at least 3 are needed"),
        (["bisect", "bad-method-loss", "--batch-size", "5000"], "pre-allocates 4096 rows"),
    ],
)
def test_what_cannot_be_done_exits_2_and_says_why(arguments: list[str], says: str) -> None:
    done = here(*arguments)
    assert done.exit_code == 2, done.output
    assert says in done.output


@pytest.mark.parametrize("command", ["run", "status", "promote", "rollback", "bisect"])
def test_help_teaches(command: str) -> None:
    shown = here(command, "--help")
    assert shown.exit_code == 0
    assert f"lockstep ladder {command}" in shown.output
