"""What does watching cost? The synchronized phase beside the two bare trainings and the oracle's step.

    ratio = (synchronized phase - oracle's steps) / (reference's training + candidate's training)

over the same steps, once with every step compared and once as the default plan does it, one in fifty. All are timed in
one process, in turn, for some rounds; the medians are compared. The oracle's steps are timed where they happen, inside
the phase: alone, with warm memory, they would look cheaper than they are there. Target: at most 3.

Prints a table and writes `benchmarks/results/overhead.<device>.json`.

    python benchmarks/overhead.py [--device cpu|cuda:0] [--rounds N]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from service import bootstrap
from service.engine.batches import Batches
from service.engine.synchronized import SynchronizedPhase
from service.parity.plan import ModelSpec, Plan, SynchronizedSpec, TrainingSpec
from service.subjects.datasets import load_dataset
from service.subjects.devices import find_devices, resolve_device
from service.telemetry.environment import describe_environment

TARGET = 3.0
ROUNDS = 3
DEFAULT_EVERY = Plan().synchronized.every
STEPS = DEFAULT_EVERY
"""As many as the default plan has for one comparison."""
CONFIGURATIONS = (
    # vector length, hidden layers, bottleneck, batch size
    (512, 2, 128, 16),
    (512, 2, 128, 64),
    (512, 2, 128, 1024),
    (1024, 3, 256, 256),
)
CANDIDATES = ("basemodel", "harmless-split-k")


class Unobserved:
    """Keeps nothing: the benchmark times the phase, not the store."""

    def losses(self, rows: object) -> None: ...

    def diffs(self, rows: object) -> None: ...

    def progress(self, *words: object) -> None: ...


class TimedOracle:
    """An oracle, and how long its own computing took: the step and the conditioned backward passes."""

    def __init__(self, oracle: Any) -> None:
        self._oracle, self.seconds = oracle, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oracle, name)

    def step(self, *arguments: Any) -> Any:
        began = time.perf_counter()
        step = self._oracle.step(*arguments)
        self.seconds += time.perf_counter() - began
        compute = step.taps

        def taps(subject_taps: Any) -> Any:
            began = time.perf_counter()
            exact = compute(subject_taps)
            float(exact["loss.value"])  # on a GPU: wait for it
            self.seconds += time.perf_counter() - began
            return exact

        step.taps = taps
        return step


def measure(plan: Plan, rounds: int) -> dict[str, float]:
    """Medians in milliseconds a step, and the two ratios."""
    tools, clock = bootstrap.toolkit(), bootstrap.SystemClock()
    subjects = {"reference": tools.subject(plan.reference, plan), "candidate": tools.subject(plan.candidate, plan)}
    oracle, differ, dataset = TimedOracle(tools.oracle(plan)), tools.differ(plan), load_dataset(plan)
    initial = subjects["reference"].state()
    batches = Batches(dataset, plan.training.batch_size, plan.seed, "synchronized", STEPS)
    fixed = list(batches)

    def train(side: str) -> None:
        subjects[side].load_state(initial)
        for batch in fixed:
            subjects[side].train_step(batch)

    def phase(every: int) -> None:
        sampled = dataclasses.replace(plan, synchronized=SynchronizedSpec(STEPS, every))
        SynchronizedPhase(sampled, subjects, oracle, differ, batches, Unobserved(), clock).run(initial)

    parts: dict[str, Callable[[], None]] = {
        "reference": lambda: train("reference"),
        "candidate": lambda: train("candidate"),
        "every step": lambda: phase(1),
        "default": lambda: phase(DEFAULT_EVERY),
    }
    seconds: dict[str, list[float]] = {}
    for part in parts.values():
        part()  # warm-up: kernels compiled, buffers touched
    for _ in range(rounds):
        for name, part in parts.items():
            oracle.seconds = 0.0
            began = time.perf_counter()
            part()
            seconds.setdefault(name, []).append(time.perf_counter() - began)
            seconds.setdefault(f"{name}, oracle", []).append(oracle.seconds)
    for subject in subjects.values():
        subject.close()
    ms = {name: 1000 * statistics.median(values) / STEPS for name, values in seconds.items()}
    trainings = ms["reference"] + ms["candidate"]
    result = {name: ms[name] for name in parts} | {"oracle": ms["every step, oracle"]}
    for name in ("every step", "default"):
        result[f"ratio, {name}"] = (ms[name] - ms[f"{name}, oracle"]) / trainings
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    devices = find_devices()
    label = devices.descriptions[devices.names.index(device)] if device != "cpu" else "cpu"
    rows = []
    with threadpool_limits(limits=1):
        for candidate in CANDIDATES:
            for length, layers, bottleneck, batch_size in CONFIGURATIONS:
                plan = Plan(
                    candidate=candidate,
                    device=device,
                    model=ModelSpec(length, layers, bottleneck),
                    training=TrainingSpec(batch_size=batch_size),
                ).validate()
                figures = measure(plan, arguments.rounds)
                configuration = f"{length}, {layers}, {bottleneck}, {batch_size}"
                rows.append({"against legacy": candidate, "configuration": configuration, **figures})
    table = Table(title=f"ms a step on {label}; target: ratio at most {TARGET:g}", box=None)
    for heading in rows[0]:
        table.add_column(heading, justify="left" if heading in ("against legacy", "configuration") else "right")
    for row in rows:
        table.add_row(*(f"{value:.2f}" if isinstance(value, float) else value for value in row.values()))
    Console(width=140).print(table)
    result = {
        "question": "synchronized phase, less the oracle's step, over the two bare trainings",
        "target_at_most": TARGET,
        "rows": rows,
        "rounds": arguments.rounds,
        "steps": STEPS,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": dict(describe_environment(device)),
        "numpy": np.__version__,
        "machine": platform.machine(),
    }
    name = label.lower().replace(" ", "-")
    path = Path(__file__).parent / "results" / f"overhead.{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
