"""How fast are the legacy trainer and its replacement today, and how busy is the card, where the old code was measured?

Three configurations, at which the old numba code and PyTorch were timed in 2026. Reference and candidate go through
the product's own performance phase: fresh processes, blocks of slices, the sampler beside them, and the checks of the
`default` policy. Every figure is read from those checks' evidence, and stands beside what was measured then.

The old figures are of the old code: its "training" step ran a forward pass and multiplied the weights by 1 - 0.0001,
without a gradient. The step that is measured here is the whole one, about three times the arithmetic.

A configuration that breaks, or takes longer than `--limit-seconds`, is written as such, with what was seen of it; the
others still run. Stopped, or started with other `--configurations`, it goes on where it was.

Prints a table and writes `benchmarks/results/legacy_figures.<device>.json` after each configuration.

    python benchmarks/legacy_figures.py [--device cpu|cuda:0] [--configurations 1,2,3] [--blocks N] [--slice-seconds S]
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table

from service import bootstrap
from service.campaigns.spread import Unrecorded
from service.parity.checks import judge
from service.parity.performance import STEP_TIME
from service.parity.plan import ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.parity.utilization import FLOOR, NOT_REDUCED
from service.parity.verdict import CheckResult
from service.pipeline import DualRun

POLICY = "default"
SIDES = ("reference", "candidate")
THEN = {
    "date": "2026-11-22",
    "device": "NVIDIA H100 80GB HBM3",
    "numba": "the old numba code, whose step was a decay of the weights without a gradient",
    "pytorch": "PyTorch 2.11, a real training step in a CUDA graph",
}
"""When, on what and of what the figures of `CONFIGURATIONS` are."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Sizes, and what was measured of them in 2026."""

    length: int
    layers: int
    bottleneck: int
    batch: int
    numba_steps_per_s: float
    numba_kernel_resident_pct: float
    pytorch_fp32_ms: float
    pytorch_tf32_ms: float

    @property
    def name(self) -> str:
        return f"{self.length}, {self.layers}, {self.bottleneck}, {self.batch}"

    def then(self) -> dict[str, float]:
        return {
            "numba_steps_per_s": self.numba_steps_per_s,
            "numba_kernel_resident_pct": self.numba_kernel_resident_pct,
            "pytorch_fp32_ms": self.pytorch_fp32_ms,
            "pytorch_tf32_ms": self.pytorch_tf32_ms,
        }


CONFIGURATIONS = (
    Configuration(512, 2, 128, 1024, 125, 33, 0.244, 0.178),
    Configuration(1024, 3, 256, 4096, 9.4, 86, 1.721, 0.698),
    Configuration(2048, 3, 512, 4096, 2.6, 91, 5.509, 1.516),
)


class OutOfTime(Exception):
    """A configuration took longer than it may."""


class Watch(Unrecorded):
    """Says now and then how far a run is, and ends one that takes too long."""

    def __init__(self, name: str, limit_s: float) -> None:
        self._name, self._limit_s = name, limit_s
        self._began = self._told_at = time.monotonic()

    def progress(self, phase: str, done: int, total: int, message: str = "") -> None:
        now = time.monotonic()
        if now - self._began > self._limit_s:
            raise OutOfTime(f"stopped after {self._limit_s:.0f} s: {message}, {done} of {total} slices")
        if now - self._told_at >= 15:
            self._told_at = now
            print(f"({self._name}) {now - self._began:.0f} s: {message}, {done} of {total}", file=sys.stderr)  # noqa: T201


def plan_of(configuration: Configuration, device: str, spec: PerformanceSpec, rows: int | None) -> Plan:
    return Plan(
        model=ModelSpec(configuration.length, configuration.layers, configuration.bottleneck),
        training=TrainingSpec(batch_size=min(configuration.batch, rows or configuration.batch)),
        performance=spec,
        phases=("performance",),
        device=device,
    ).validate()


def measure(configuration: Configuration, plan: Plan, limit_s: float) -> Row:
    """A run of the performance phase and what its checks say; what broke it stands in `error`."""
    began = time.monotonic()
    run = DualRun(plan, bootstrap.toolkit(), Watch(configuration.name, limit_s), bootstrap.SystemClock())
    error = None
    try:
        run.execute()
    except OutOfTime as late:
        error = str(late)
    except Exception as broken:
        traceback.print_exc()
        error = f"{type(broken).__name__}: {broken}"
    row: Row = {"key": configuration.name, "batch": plan.training.batch_size, "then": configuration.then()}
    try:
        checks = {check.name: check for check in judge(run.record, named_policy(POLICY)).checks}
        row |= figures(checks[STEP_TIME], {name: checks[name] for name in (FLOOR, NOT_REDUCED)})
        troubles = run.record.performance.troubles if run.record.performance is not None else ()
        error = error or next((trouble.message for trouble in (*run.record.troubles, *troubles)), None)
    except Exception as broken:
        traceback.print_exc()
        error = error or f"{type(broken).__name__}: {broken}"
    return {**row, "error": error, "seconds": time.monotonic() - began}


def figures(step_time: CheckResult, utilization: Mapping[str, CheckResult]) -> Row:
    """Figures of both sides from the checks' evidence; `None` where the evidence has none."""
    session = step_time.evidence.get("sessions", {}).get("comparison", {})
    work = utilization[FLOOR].evidence
    row: Row = {
        "step_time": _said(step_time)
        | {name: session.get(name) for name in ("ratio", "low", "high", "confidence", "spread", "valid_blocks")},
        **{name: _said(check) for name, check in utilization.items()},
        "clock": step_time.evidence.get("clock"),
        **{name: work.get(name) for name in ("fill_blocks_per_sm", "matrix_peak_flops_per_s", "sampler")},
    }
    for side in SIDES:
        times = step_time.evidence.get("step_time_ms", {}).get(side) or {}
        done = work.get(side) or {}
        row[side] = {
            "step_ms": times.get("median"),
            "steps_per_s": 1e3 / times["wall"] if times.get("wall") else None,
            "kernel_resident_pct": done.get("kernel_resident_pct"),
            "sm_active_pct": done.get("activity", {}).get("sm_active_pct"),
            **{name: done.get(name) for name in ("flops_per_s", "matrix_peak_share", "joules_per_step")},
            "activity": done.get("activity"),
            "sm_clock_mhz": done.get("sm_clock_mhz"),
        }
    return row


def _said(check: CheckResult) -> dict[str, Any]:
    return {"outcome": check.outcome, "message": check.message}


# --- what is printed and kept -----------------------------------------------------------------------------------------


def shown(value: float | None, form: str = ".3g") -> str:
    return "—" if value is None else format(value, form)


def today(rows: Sequence[Row], label: str) -> Table:
    table = Table(title=f"today, on {label}", box=None)
    headings = ("length, layers, bottleneck, batch", "side", "ms a step", "steps/s", "kernel-resident %",
                "SM active %", "TFLOP/s", "of the peak", "J a step")  # fmt: skip
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i < 2 else "right")
    for row in rows:
        for side in SIDES:
            own = row.get(side, {})
            flops = own.get("flops_per_s")
            table.add_row(
                row["key"],
                side,
                shown(own.get("step_ms"), ".4g"),
                shown(own.get("steps_per_s"), ".4g"),
                shown(own.get("kernel_resident_pct"), ".1f"),
                shown(own.get("sm_active_pct"), ".1f"),
                shown(None if flops is None else flops / 1e12),
                shown(own.get("matrix_peak_share"), ".1%"),
                shown(own.get("joules_per_step")),
            )
    return table


def beside(rows: Sequence[Row]) -> Table:
    table = Table(title=f"judged today, and measured on {THEN['date']} ({THEN['device']})", box=None)
    headings = ("length, layers, bottleneck, batch", "ratio of step times", "step time", "floor", "not reduced",
                "numba steps/s", "numba resident %", "PyTorch fp32 ms", "TF32 ms")  # fmt: skip
    for i, heading in enumerate(headings):
        table.add_column(heading, justify="left" if i == 0 else "right")
    for row in rows:
        time_of = row.get("step_time", {})
        interval = " ".join(shown(time_of.get(name), ".4f") for name in ("ratio", "low", "high"))
        outcomes = (row.get(name, {}).get("outcome", "—") for name in ("step_time", FLOOR, NOT_REDUCED))
        then = row["then"]
        table.add_row(row["key"], interval, *outcomes, *(f"{value:g}" for value in then.values()))
    return table


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--configurations", default="1,2,3", help="of the three, by number")
    parser.add_argument("--blocks", type=int, default=PerformanceSpec().blocks)
    parser.add_argument("--slice-seconds", type=float, default=0.5)
    parser.add_argument("--pairs", type=int, default=PerformanceSpec().process_pairs)
    parser.add_argument("--limit-seconds", type=float, default=540.0, help="of one configuration")
    parser.add_argument("--rows", type=int, default=None, help="rows a batch at most: a trial, not a figure")
    arguments = parser.parse_args(words)
    wanted = [CONFIGURATIONS[int(number) - 1] for number in arguments.configurations.split(",")]
    spec = PerformanceSpec(arguments.blocks, arguments.slice_seconds, arguments.pairs)
    numbers = {"blocks": spec.blocks, "slice_seconds": spec.slice_seconds, "pairs": spec.process_pairs}
    file = ResultsFile("legacy_figures", arguments.device, numbers | {"rows": arguments.rows})
    console = Console(width=170)

    def coming() -> Generator[Row, None, None]:
        for configuration in wanted:
            if file.rows.get(configuration.name, {"error": "missing"})["error"] is None:
                continue
            row = measure(
                configuration, plan_of(configuration, file.device, spec, arguments.rows), arguments.limit_seconds
            )
            yield row
            file.write(result_of(rows_of(file), numbers, arguments.rows))
            console.print(today([row], file.label))

    file.collect(coming(), len(wanted))
    rows = rows_of(file)
    whole = len(rows) == len(CONFIGURATIONS) and all(row["error"] is None for row in rows)
    (file.finish if whole else file.write)(result_of(rows, numbers, arguments.rows))
    console.print(today(rows, file.label))
    console.print(beside(rows))
    console.print(f"numba: {THEN['numba']}. PyTorch: {THEN['pytorch']}.")
    for row in rows:
        for name in ("step_time", FLOOR, NOT_REDUCED):
            if name in row:
                console.print(f"({row['key']}) {name}: {row[name]['outcome']}, {row[name]['message']}")
        if row["error"] is not None:
            console.print(f"({row['key']}) broke: {row['error']}")
    if any(row["error"] is not None for row in rows):
        sys.exit(1)


def rows_of(file: ResultsFile) -> list[Row]:
    return [file.rows[one.name] for one in CONFIGURATIONS if one.name in file.rows]


def result_of(rows: Sequence[Row], numbers: Mapping[str, Any], most_rows: int | None) -> dict[str, Any]:
    return {
        "question": "speed and utilization of the legacy trainer and its replacement, where the old code was measured",
        "target": "the candidate passes performance.step_time, utilization.floor and utilization.not_reduced",
        "trial": most_rows is not None,
        "then": THEN,
        "policy": POLICY,
        **numbers,
        "rows": list(rows),
    }


if __name__ == "__main__":
    main()
