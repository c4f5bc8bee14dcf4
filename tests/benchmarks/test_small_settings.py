"""The benchmarks that are made for a GPU run to their end on a CPU with tiny settings, and tell trouble as it is."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a benchmark by name, its results in a folder of the test's own."""
    monkeypatch.syspath_prepend(str(FOLDER))

    def load(name: str) -> Any:
        monkeypatch.setattr(importlib.import_module("results_file"), "RESULTS", tmp_path)
        return importlib.import_module(name)

    return load


def result(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.cpu.json").read_text())


def test_harness_cost(benchmark: Any, tmp_path: Path) -> None:
    module = benchmark("harness_cost")
    module.main(["--device", "cpu", "--configurations", "2", "--rows", "2", "--rounds", "2", "--seconds", "0.01"])
    (row,) = result(tmp_path, "harness_cost")["rows"]
    assert (row["key"], row["rounds"], row["batch"]) == ("512, 2, 128, 1024", 2, 2)
    assert 0 < row["lowest"] <= row["ratio"] <= row["highest"]
    watched = row["watched_ms_per_step"]
    assert {"reference's steps", "candidate's steps", "differ", "recording", "hashing batches"} <= watched.keys()
    assert min(watched.values()) >= 0
    # The other configuration joins what is there already.
    module.main(["--device", "cpu", "--configurations", "1", "--rows", "2", "--rounds", "2", "--seconds", "0.01"])
    assert len(result(tmp_path, "harness_cost")["rows"]) == 2
    assert not list(tmp_path.glob("*.partial.jsonl"))


def test_the_thread_beside_is_timed_apart(benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = benchmark("harness_cost")
    monkeypatch.setattr(module.free_running, "LARGE_BYTES", 0)
    module.main(["--device", "cpu", "--configurations", "2", "--rows", "2", "--rounds", "1", "--seconds", "0.01"])
    (row,) = result(tmp_path, "harness_cost")["rows"]
    assert row["beside_ms_per_step"].keys() == {"drawing batches", "hashing batches"}
    assert "hashing batches" not in row["watched_ms_per_step"]


SMALL = ["--device", "cpu", "--rows", "2", "--blocks", "8", "--slice-seconds", "0.001", "--pairs", "1"]


def test_legacy_figures(benchmark: Any, tmp_path: Path) -> None:
    benchmark("legacy_figures").main([*SMALL, "--configurations", "1"])
    (row,) = result(tmp_path, "legacy_figures")["rows"]
    assert row["error"] is None
    assert row["step_time"]["outcome"] in ("pass", "fail", "inconclusive")
    assert row["step_time"]["low"] <= row["step_time"]["ratio"] <= row["step_time"]["high"]
    assert row["then"]["numba_steps_per_s"] == 125
    for side in ("reference", "candidate"):
        own = row[side]
        assert own["step_ms"] > 0
        assert own["steps_per_s"] > 0
        assert own["flops_per_s"] > 0
        assert 0 < own["matrix_peak_share"] < 1
        assert own["kernel_resident_pct"] is None
    assert row["utilization.floor"]["outcome"] == "not_measured"


def test_a_configuration_that_breaks_does_not_end_the_others(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = benchmark("legacy_figures")
    monkeypatch.setattr(module.Watch, "progress", lambda *words: (_ for _ in ()).throw(module.OutOfTime("stopped")))
    with pytest.raises(SystemExit):
        module.main([*SMALL, "--configurations", "1,3"])
    rows = result(tmp_path, "legacy_figures")["rows"]
    assert [row["error"] for row in rows] == ["stopped", "stopped"]
    assert [row["reference"]["step_ms"] for row in rows] == [None, None]
    # It is tried anew by the next start, and another fault is told as well.
    monkeypatch.setattr(module.DualRun, "execute", lambda run: 1 / 0)
    with pytest.raises(SystemExit):
        module.main([*SMALL, "--configurations", "1"])
    first, last = result(tmp_path, "legacy_figures")["rows"]
    assert (first["error"], last["error"]) == ("ZeroDivisionError: division by zero", "stopped")


TWO_CONFIGURATIONS = """
policy = "numerics"
[plan]
phases = ["synchronized", "free_running"]
model = { vector_length = 32, bottleneck = 8 }
training = { steps = 10, batch_size = 8, learning_rate = 0.05 }
synchronized = { steps = 2, every = 1 }
free_running = { band_runs = 2, band_steps = 5 }
[grid]
seed = [0, 1]
"""


def test_sweep(benchmark: Any, tmp_path: Path) -> None:
    (tmp_path / "grid.toml").write_text(TWO_CONFIGURATIONS)
    benchmark("sweep").main(["--jobs", "1", "--kill-at", "1", "--grid", str(tmp_path / "grid.toml")])
    told = result(tmp_path, "sweep")
    assert told["target_met"]
    killed, resumed, unchanged = told["rows"]
    assert (killed["exit_code"], killed["finished"], killed["processes_left"]) == (-9, 1, 0)
    assert (resumed["earlier"], resumed["made"], resumed["repeated"]) == (1, 1, 0)
    assert (unchanged["earlier"], unchanged["made"]) == (2, 0)
