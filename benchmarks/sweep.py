"""How long does a sweep of 48 configurations take on two cores, killed half-way and resumed; is anything done twice?

`lockstep sweep` as it comes, with a database of its own: SIGKILL at its 24th configuration, then
the same command to the end, then once more with nothing left to do. Target: under 5 minutes in all, no finished run
repeated, no process left behind, every configuration PASS.

Prints a table and writes `benchmarks/results/sweep.<device>.json`; exits 1 where the target is missed.

    python benchmarks/sweep.py [--device cpu|cuda:0] [--jobs N] [--grid GRID.toml] [--kill-at N]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from results_file import ROOT, ResultsFile, Row
from rich.console import Console
from rich.table import Table

from service.ports import RunFilter
from service.store.connection import make_engine
from service.store.sql import SqlRunStore

TARGET_S = 300.0
GONE_S = 30.0
MORE_THAN_A_SWEEP = 10_000


def main(arguments: list[str] | None = None) -> None:
    options = _options(arguments)
    file = ResultsFile("sweep", options.device, {"jobs": options.jobs, "kill_at": options.kill_at})
    with tempfile.TemporaryDirectory() as folder:
        sweep = Sweep(options, Path(folder))
        for row in (sweep.killed(), sweep.to_the_end("resumed"), sweep.to_the_end("unchanged")):
            file.rows[row["key"]] = row
    result = _result(list(file.rows.values()), options.jobs)
    file.finish(result)
    _show(result)
    if not result["target_met"]:
        sys.exit(1)


class Sweep:
    """One command line on one database; each row says what a start of it did."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._folder, self._kill_at = folder, options.kill_at
        self._url = f"sqlite:///{folder / 'runs.db'}"
        grid = [str(options.grid.resolve())] if options.grid else []
        flags = ["--device", options.device, "--jobs", str(options.jobs), "--database", self._url]
        self._command = [sys.executable, "-m", "service.cli", "sweep", *grid, *flags]

    def killed(self) -> Row:
        """Started, killed at the configuration of that number, and waited for until no process of it is left."""
        began, load = time.perf_counter(), os.getloadavg()[0]
        with self._started(stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(f"[{self._kill_at}/"):
                    break
            family = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed = time.perf_counter()
            _, alive = psutil.wait_procs(family, timeout=GONE_S)
        gone_s = time.perf_counter() - killed
        row = {"key": "killed", "seconds": killed - began, "load_before": load, **self._counts()}
        return row | {"exit_code": process.returncode, "gone_after_s": gone_s, "processes_left": len(alive)}

    def to_the_end(self, key: str) -> Row:
        """The same command, left alone."""
        began, load, before = time.perf_counter(), os.getloadavg()[0], self._counts()["finished"]
        with self._started("--json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            out, _ = process.communicate()
        told, counts = json.loads(out), self._counts()
        return {
            "key": key,
            "seconds": time.perf_counter() - began,
            "load_before": load,
            **counts,
            "exit_code": process.returncode,
            "configurations": len(told["configurations"]),
            "earlier": sum(each["earlier"] for each in told["configurations"]),
            "repeated": counts["finished"] - len(told["configurations"]),
            "made": counts["finished"] - before,
            "summary": told["summary"],
            "run_seconds": [each["seconds"] for each in told["configurations"]],
        }

    def _started(self, *more: str, **pipes: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return subprocess.Popen([*self._command, *more], cwd=self._folder, env=environment, text=True, **pipes)

    def _counts(self) -> dict[str, int]:
        store = SqlRunStore(make_engine(self._url))
        states = [run.state for run in store.runs(RunFilter(limit=MORE_THAN_A_SWEEP))]
        store.close()
        return {state: states.count(state) for state in ("finished", "running", "failed", "cancelled")}


def _result(rows: list[Row], jobs: int) -> dict[str, Any]:
    killed, resumed, unchanged = rows
    total_s = killed["seconds"] + killed["gone_after_s"] + resumed["seconds"]
    met = (
        total_s < TARGET_S
        and resumed["exit_code"] == unchanged["exit_code"] == 0
        and resumed["repeated"] == unchanged["made"] == killed["processes_left"] == 0
        and resumed["earlier"] == killed["finished"] > 0
    )
    return {"jobs": jobs, "target_s": TARGET_S, "killed_and_resumed_s": total_s, "target_met": met, "rows": rows}


def _show(result: dict[str, Any]) -> None:
    table = Table(title=f"A sweep with {result['jobs']} jobs, killed and resumed", title_justify="left")
    for heading in ("start", "seconds", "load before", "finished runs", "of them new", "cut off", "exit code"):
        table.add_column(heading)
    for row in result["rows"]:
        table.add_row(
            row["key"], f"{row['seconds']:.1f}", f"{row['load_before']:.1f}", str(row["finished"]),
            str(row.get("made", row["finished"])), str(row["running"]), str(row["exit_code"]),
        )  # fmt: skip
    console = Console(highlight=False)
    console.print(table)
    killed, resumed, _ = result["rows"]
    console.print(f"all processes gone {killed['gone_after_s']:.2f} s after the kill; {resumed['summary']}")
    word = "met" if result["target_met"] else "MISSED"
    console.print(f"{result['killed_and_resumed_s']:.0f} s in all, target {result['target_s']:.0f} s: {word}")


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--grid", type=Path)
    parser.add_argument("--kill-at", type=int, default=24)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
