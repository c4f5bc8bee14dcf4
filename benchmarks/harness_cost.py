"""What does Lockstep add to two trainings that it compares at every step?

    ratio = wall time of the free-running phase with taps compared at every step / the two bare trainings

over the same steps, from the same state, on the same batches in the same order, with the same two subjects, in one
process. Target: at most 1.05 at (1024, 3, 256), batch 4096.

*Harness*: `FreeRunningPhase.train`, as a dual run calls it, with the product's recorder on an SQLite file: both states
loaded, read back and hashed, batches drawn and hashed as planned and as each side left them, both trainings in turns,
every tap of every step compared, losses and statistics written, one comparison of weights, both end states hashed.
`FreeRunningPhase.band` is not in it: it trains the reference again and again, perturbed, which is more training, not
more harness. Nothing is subtracted for that: the phase does the two apart, and both do as little as a plan allows here
(two runs of one step, weights compared once). What a step of the band costs is timed apart and written beside.

*Bare*: load the state, then `train_step(batch)` for every batch, first one subject, then the other. The batches lie
ready: drawing them, which a training without Lockstep would have to do too, counts as harness. So the ratio is strict.

Rounds of four passes, bare, harness, harness, bare and the other way round, after a warm-up of both; a round's ratio is
of its sums. On a GPU the device is waited for before each look at the clock. Where the time goes is seen in one more
pass, whose ports are wrapped in stopwatches: it has no part in the ratio.

Prints tables and writes `benchmarks/results/harness_cost.<device>.json` after each configuration; exits 1 where the
target is missed.

    python benchmarks/harness_cost.py [--device cpu|cuda:0] [--configurations 1,2] [--rounds N] [--seconds S]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray
from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from service import bootstrap
from service.engine import free_running
from service.engine.background import Background
from service.engine.batches import Batches, Ledger
from service.engine.free_running import FreeRunningPhase
from service.parity.plan import FreeRunningSpec, ModelSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.parity.record import SIDES, Side
from service.pipeline import Recorder
from service.ports import Dataset, RunStore, State, Subject
from service.settings import Settings
from service.subjects.datasets import load_dataset
from service.subjects.devices import array_module

TARGET = 1.05
TARGET_AT = "1024, 3, 256, 4096"
CONFIGURATIONS = (
    # vector length, hidden layers, bottleneck, batch size
    (1024, 3, 256, 4096),
    (512, 2, 128, 1024),
)
FEWEST_STEPS, MOST_STEPS = 10, 1000
MOST_BATCH_BYTES = 2**31
"""Of the batches that lie ready for the bare trainings."""
WARM_UP_STEPS = 3
LEAST_BAND = FreeRunningSpec(band_runs=2, band_steps=1, weights_every=1, taps_every=1)

Parts = dict[str, float]
"""Seconds by what they went into."""


class Rig:
    """Both subjects with what they are trained on and recorded in, on one device."""

    def __init__(self, plan: Plan, store: RunStore) -> None:
        self.plan, self.store = plan, store
        self.clock, self.tools = bootstrap.SystemClock(), bootstrap.toolkit()
        self.dataset: Dataset = load_dataset(plan)
        self.subjects: dict[Side, Subject] = {
            "reference": self.tools.subject(plan.reference, plan),
            "candidate": self.tools.subject(plan.candidate, plan),
        }
        self.differ = self.tools.differ(plan)
        self.initial: State = self.subjects["reference"].state()
        self.ready: list[NDArray[np.float32]] = []
        xp = None if plan.device == "cpu" else array_module(plan.device)
        self.wait: Callable[[], object] = (lambda: None) if xp is None else xp.cuda.runtime.deviceSynchronize

    def take(self, steps: int) -> None:
        """From now on so many steps a pass."""
        self.plan = replace(self.plan, training=replace(self.plan.training, steps=steps)).validate()
        self.ready = list(self.batches())

    def batches(self) -> Batches:
        plan = self.plan
        return Batches(self.dataset, plan.training.batch_size, plan.seed, free_running.PHASE, plan.training.steps)

    def seconds_of(self, work: Callable[[], object]) -> float:
        self.wait()
        began = time.perf_counter()
        work()
        self.wait()
        return time.perf_counter() - began

    def bare(self) -> float:
        """Seconds of both trainings."""
        return sum(self.seconds_of(partial(self.train, side)) for side in SIDES)

    def train(self, side: Side) -> None:
        subject = self.subjects[side]
        subject.load_state(self.initial)
        for batch in self.ready:
            subject.train_step(batch)

    def harness(self) -> float:
        """Seconds of the phase with its recording."""
        phase, recorder = self.phase()
        return self.seconds_of(lambda: self.run(phase, recorder))

    def phase(self, watch: Stopwatches | None = None) -> tuple[FreeRunningPhase, Recorder]:
        """A phase that records into a run of its own. With a watch, its ports are timed."""
        run = bootstrap.submit(self.store, self.clock, self.plan, named_policy("default"))
        self.store.claim(run.id, "harness_cost", self.clock.now())
        recorder = Recorder(run.id, self.store, self.clock, lambda progress: None)
        subjects: Any = self.subjects
        observer: Any = recorder
        differ: Any = self.differ
        batches: Any = self.batches()
        if watch is not None:
            calls = {"load_state": "states read and loaded", "state": "states read and loaded"}
            subjects = {
                side: Timed(own, watch, calls | {"train_step": f"{side}'s steps"}) for side, own in subjects.items()
            }
            recording = dict.fromkeys(("losses", "diffs", "progress", "flush"), "recording")
            observer, differ = Timed(recorder, watch, recording), Timed(differ, watch, {"compare": "differ"})
            batches = TimedBatches(batches, watch)
        return FreeRunningPhase(self.plan, subjects, batches, observer, self.clock, differ), observer

    def run(self, phase: FreeRunningPhase, recorder: Recorder) -> None:
        phase.train(self.initial)
        recorder.flush()
        troubles = phase.evidence().troubles
        if troubles:
            raise RuntimeError(f"a side broke: {troubles[0].message}")

    def band_step(self) -> float:
        """Seconds of one step of a perturbed reference, with all that goes with it."""
        phase, recorder = self.phase()
        self.run(phase, recorder)
        steps = self.plan.free_running.band_runs * self.plan.band_window()
        return self.seconds_of(lambda: phase.band(self.initial)) / steps

    def parts(self) -> tuple[Parts, Parts]:
        """Seconds of a watched pass, by what they went into: (in the way of the trainings, on the thread beside)."""
        watch = Stopwatches()
        phase, recorder = self.phase(watch)
        with watch.patched():
            whole = self.seconds_of(lambda: self.run(phase, recorder))
        beside = {name: watch.seconds.pop(name) for name in BESIDE if name in watch.seconds}
        if self.batches().batch_bytes < free_running.LARGE_BYTES:
            # Then nothing runs beside: drawing is a part of the wait for batches, hashing stands alone.
            watch.seconds["waiting for batches"] -= beside["drawing batches"]
            watch.seconds |= beside
            beside = {}
        watch.seconds["the rest"] = whole - sum(watch.seconds.values())
        return dict(watch.seconds), beside

    def close(self) -> None:
        for subject in self.subjects.values():
            subject.close()


BESIDE = ("drawing batches", "hashing batches")


class Stopwatches:
    """Adds up seconds by name."""

    def __init__(self) -> None:
        self.seconds: Parts = defaultdict(float)

    def timed(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                self.seconds[name] += time.perf_counter() - began

        return call

    @contextmanager
    def patched(self) -> Iterator[None]:
        """Times what the phase does itself, not through a port."""
        watch = self

        class TimedLedger(Ledger):
            planned = watch.timed("hashing batches", Ledger.planned)
            used = watch.timed("hashing batches", Ledger.used)

        class TimedBackground(Background):
            def ahead(self, items: Iterator[Any]) -> Iterator[Any]:
                following = watch.timed("waiting for batches", lambda coming: next(coming, None))
                coming = super().ahead(items)
                while (item := following(coming)) is not None:
                    yield item

        with (
            patch.object(free_running, "Ledger", TimedLedger),
            patch.object(free_running, "Background", TimedBackground),
            patch.object(free_running, "state_digest", self.timed("digests of states", free_running.state_digest)),
            patch.object(free_running, "distance", self.timed("distance of weights", free_running.distance)),
        ):
            yield


class Timed:
    """Another object, with some of its methods on a stopwatch."""

    def __init__(self, inner: Any, watch: Stopwatches, names: Mapping[str, str]) -> None:
        self._inner = inner
        self._timed = {method: watch.timed(name, getattr(inner, method)) for method, name in names.items()}

    def __getattr__(self, name: str) -> Any:
        return self._timed[name] if name in self._timed else getattr(self._inner, name)


class TimedBatches:
    """Batches, with how long it takes to draw them."""

    def __init__(self, batches: Batches, watch: Stopwatches) -> None:
        self._batches, self._watch = batches, watch
        self.steps, self.batch_bytes = batches.steps, batches.batch_bytes

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        drawn = iter(self._batches)
        draw = self._watch.timed("drawing batches", lambda: next(drawn, None))
        while (batch := draw()) is not None:
            yield batch


def measure(plan: Plan, store: RunStore, rounds: int, seconds: float, deadline: float) -> Row:
    """Ratios by round, and where the time goes; no round is begun after the deadline, but one is always made."""
    rig = Rig(plan, store)
    try:
        rig.take(WARM_UP_STEPS)
        rig.bare()
        rig.harness()
        each_s = rig.bare() / WARM_UP_STEPS
        fitting = max(FEWEST_STEPS, MOST_BATCH_BYTES // rig.batches().batch_bytes)
        rig.take(int(min(max(seconds / each_s, FEWEST_STEPS), MOST_STEPS, fitting)))
        steps = rig.plan.training.steps
        order = [rig.bare, rig.harness, rig.harness, rig.bare]
        bare: list[float] = []
        harness: list[float] = []
        for number in range(rounds):
            if number and time.monotonic() > deadline:
                break
            passes = order if number % 2 == 0 else [rig.harness, rig.bare, rig.bare, rig.harness]
            taken = [(one == rig.bare, one()) for one in passes]
            bare.append(sum(took for is_bare, took in taken if is_bare) / 2)
            harness.append(sum(took for is_bare, took in taken if not is_bare) / 2)
        more = details(rig, 1e3 / steps)
    finally:
        rig.close()
    ratios = [h / b for h, b in zip(harness, bare, strict=True)]
    per_step = 1e3 / steps
    return {
        "steps": steps,
        "rounds": len(ratios),
        "ratio": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
        "ratios": ratios,
        "bare_ms_per_step": per_step * statistics.median(bare),
        "harness_ms_per_step": per_step * statistics.median(harness),
        **more,
    }


def details(rig: Rig, per_step: float) -> Row:
    """Where the time goes, in milliseconds a step. It is told, not judged: trouble here leaves the ratio as it is."""
    try:
        parts, beside = rig.parts()
        sides = {side: rig.seconds_of(partial(rig.train, side)) for side in SIDES}
        return {
            "bare_side_ms_per_step": {side: per_step * took for side, took in sides.items()},
            "watched_ms_per_step": {name: per_step * took for name, took in parts.items()},
            "beside_ms_per_step": {name: per_step * took for name, took in beside.items()},
            "band_step_ms": 1e3 * rig.band_step(),
        }
    except Exception as broken:
        traceback.print_exc()
        return {"details_error": f"{type(broken).__name__}: {broken}"}


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--configurations", default="1,2", help="of the two, by number")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="of one bare pass, about")
    parser.add_argument("--limit-seconds", type=float, default=240.0, help="of one configuration's rounds, about")
    parser.add_argument("--rows", type=int, default=None, help="rows a batch at most: a trial, not a figure")
    arguments = parser.parse_args(words)
    wanted = [CONFIGURATIONS[int(number) - 1] for number in arguments.configurations.split(",")]
    numbers = {"rounds": arguments.rounds, "seconds": arguments.seconds, "rows_at_most": arguments.rows}
    file = ResultsFile("harness_cost", arguments.device, numbers)
    console = Console(width=150)
    faults: list[str] = []

    def coming() -> Generator[Row, None, None]:
        for length, layers, bottleneck, batch in wanted:
            key = f"{length}, {layers}, {bottleneck}, {batch}"
            if key in file.rows:
                continue
            plan = Plan(
                model=ModelSpec(length, layers, bottleneck),
                training=TrainingSpec(batch_size=min(batch, arguments.rows or batch)),
                free_running=LEAST_BAND,
                phases=("free_running",),
                device=file.device,
            ).validate()
            with tempfile.TemporaryDirectory() as folder:
                store = bootstrap.open_store(Settings(database_url=f"sqlite:///{Path(folder) / 'runs.db'}"))
                deadline = time.monotonic() + arguments.limit_seconds
                try:
                    row = measure(plan, store, arguments.rounds, arguments.seconds, deadline)
                except Exception as broken:
                    traceback.print_exc()
                    faults.append(f"({key}) broke: {type(broken).__name__}: {broken}")
                    continue
                finally:
                    store.close()
            yield {"key": key, "batch": plan.training.batch_size, **row}
            file.write(result_of(rows_of(file), numbers))

    # One thread of BLAS on a CPU, as in a run that is carried out; the thread beside has another core.
    with threadpool_limits(limits=1) if file.device == "cpu" else nullcontext():
        file.collect(coming(), len(wanted))
    rows = rows_of(file)
    (file.finish if len(rows) == len(CONFIGURATIONS) else file.write)(result_of(rows, numbers))
    for row in rows:
        print_row(console, row, file.label)
        if row["key"] == TARGET_AT and arguments.rows is None and not row["ratio"] <= TARGET:
            faults.append(f"missed: {row['ratio']:.3f} at ({TARGET_AT}), not {TARGET}")
    if faults:
        sys.exit("; ".join(faults))


def print_row(console: Console, row: Row, label: str) -> None:
    ratio = f"{row['ratio']:.4f} [{row['lowest']:.4f} to {row['highest']:.4f}]"
    console.print(f"({row['key']}) on {label}: {ratio} over {row['rounds']} rounds of {row['steps']} steps")
    table = Table(box=None)
    table.add_column("ms a step")
    table.add_column("", justify="right")
    table.add_row("both bare trainings", f"{row['bare_ms_per_step']:.3f}")
    for side, took in row.get("bare_side_ms_per_step", {}).items():
        table.add_row(f"  {side} alone", f"{took:.3f}")
    table.add_row("free-running phase", f"{row['harness_ms_per_step']:.3f}")
    for name, took in sorted(row.get("watched_ms_per_step", {}).items(), key=lambda part: -part[1]):
        table.add_row(f"  {name}", f"{took:.3f}")
    for name, took in row.get("beside_ms_per_step", {}).items():
        table.add_row(f"on the thread beside: {name}", f"{took:.3f}")
    if "band_step_ms" in row:
        table.add_row("a step of the perturbation band", f"{row['band_step_ms']:.3f}")
    console.print(table)


def rows_of(file: ResultsFile) -> list[Row]:
    keys = [", ".join(map(str, configuration)) for configuration in CONFIGURATIONS]
    return [file.rows[key] for key in keys if key in file.rows]


def result_of(rows: Sequence[Row], numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "question": "the free-running phase with taps compared at every step, over the two bare trainings",
        "target_at_most": TARGET,
        "target_at": TARGET_AT,
        **numbers,
        "rows": list(rows),
    }


if __name__ == "__main__":
    main()
