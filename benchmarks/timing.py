"""Does the gate of step times hold on a real card, on a plan whose steps are bound by the host that launches them?

So many runs each of the reference against itself, and of candidates that are 3 % and 8 % slower, by a busy wait of
that share of each step, at (512, 2, 128), batch 1024, with slices of 0.2 s. Target: none of the first fails, all that
are 3 % slower PASS, all that are 8 % slower FAIL.

A run is what the product does: its own comparison, extension and confirmation, in fresh processes through the engine,
and the check on them. Only what would be the same is shared: a card's first run opens with the effect of the sampler
and the session of utilization, and the reference against itself of a run is the arming of the next one against itself
and of the two slower candidates after it (a slower candidate that an interrupted start left over arms itself). Several
cards work at the same time, each on runs of its own.

Prints a table and writes `benchmarks/results/timing.<device>.json`, with the slices of the reference against itself,
from which `timing_trials.py` draws its noise. Stopped, it goes on where it was.

    python benchmarks/timing.py [--devices cuda:0,cuda:1] [--runs 10] [--stop-after SECONDS]
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from multiprocessing.queues import Queue
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.parity.measurements import PerformanceEvidence, SessionKind
from service.parity.performance import check_step_time
from service.parity.plan import ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.parity.timing import DEFAULT_LIMITS
from service.subjects.devices import find_devices

if TYPE_CHECKING:
    from rich.table import Table

RESULTS = Path(__file__).with_name("results")
ITSELF = "legacy"
WANTED = {ITSELF: "anything but fail", "timing-slow-3": "pass", "timing-slow-8": "fail"}
Row = dict[str, Any]


class Silent:
    """An observer that keeps nothing: the evidence is all that is wanted."""

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def plan_of(candidate: str, device: str, run: int, arguments: argparse.Namespace) -> Plan:
    return Plan(
        candidate=candidate,
        model=ModelSpec(512, 2, 128),
        training=TrainingSpec(batch_size=1024, learning_rate=0.01),
        performance=PerformanceSpec(arguments.blocks, arguments.slice_seconds, arguments.pairs),
        phases=("performance",),
        device=device,
        seed=run,
    )


def carry_out(plan: Plan, known: PerformanceEvidence | None) -> tuple[PerformanceEvidence, Row]:
    """The performance phase, and what the check says of it."""
    # Not above: every process that is timed imports this file first.
    from service import bootstrap
    from service.engine.performance import PerformancePhase

    toolkit, observer = bootstrap.toolkit(), Silent()
    began = time.monotonic()
    phase = PerformancePhase(
        plan, DEFAULT_LIMITS, toolkit.bench(plan), toolkit.sampler(plan), observer, bootstrap.SystemClock(), known
    )
    evidence = phase.run()
    result = check_step_time(RunRecord(plan, {}, {}, performance=evidence), named_policy("default"))
    shown = result.evidence.get("sessions", {}).get("comparison", {})
    row = {
        "candidate": plan.candidate,
        "outcome": result.outcome,
        **{name: shown.get(name) for name in ("ratio", "low", "high", "spread", "extended")},
        "sessions": list(evidence.planned_blocks),
        "rejected_blocks": len(shown.get("rejected_blocks", ())),
        "step_ms": {side: times and times["median"] for side, times in result.evidence["step_time_ms"].items()},
        "message": result.message,
        "seconds": time.monotonic() - began,
    }
    return evidence, row


def armed_by(evidence: PerformanceEvidence, plan: Plan) -> PerformanceEvidence:
    """What the next run begins with: the comparison of the reference with itself is its arming."""
    kept: list[SessionKind] = [kind for kind in ("sampler", "utilization") if kind in evidence.planned_blocks]
    arming = [replace(piece, session="a_a") for piece in evidence.slices if piece.session == "comparison"]
    slices = (*arming, *(piece for piece in evidence.slices if piece.session in kept))
    planned = {"a_a": plan.performance.blocks, **{kind: evidence.planned_blocks[kind] for kind in kept}}
    return replace(
        evidence, slices=slices, planned_blocks=planned, telemetry=(), sampler=None, troubles=(), order_seed=plan.seed
    )


def work(device: str, runs: Mapping[int, list[str]], arguments: argparse.Namespace, results: Queue[Row | None]) -> None:
    """A card's candidates by run; puts rows, and `None` at the end."""
    known: PerformanceEvidence | None = None
    try:
        for run, candidates in runs.items():
            if time.time() > arguments.until:
                break
            for candidate in candidates:
                plan = plan_of(candidate, device, run, arguments)
                evidence, row = carry_out(plan, known if known is None else replace(known, order_seed=run))
                if candidate == ITSELF:
                    row["slices"] = list(noise(evidence, run, fresh=known is None))
                    known = armed_by(evidence, plan)
                results.put({"run": run, "device": device, **row})
    finally:
        results.put(None)


def noise(evidence: PerformanceEvidence, run: int, fresh: bool) -> Iterator[Row]:
    """The slices in which the reference stood in both places and the sampler watched both."""
    for piece in evidence.slices:
        if piece.session in ("comparison", "extension") or (fresh and piece.session == "a_a"):
            row = dataclasses.asdict(piece)
            yield {"run": run, **{k: v for k, v in row.items() if k not in ("before", "after", "activity")}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", default="cuda:0")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--blocks", type=int, default=PerformanceSpec().blocks)
    parser.add_argument("--pairs", type=int, default=PerformanceSpec().process_pairs)
    parser.add_argument("--slice-seconds", type=float, default=0.2)
    parser.add_argument("--stop-after", type=float, default=float("inf"), help="begin no run after so many seconds")
    arguments = parser.parse_args()
    arguments.until = time.time() + arguments.stop_after
    devices = arguments.devices.split(",")
    found = find_devices()
    name = found.descriptions[found.names.index(devices[0])] if devices[0] != "cpu" else "cpu"
    path = RESULTS / f"timing.{name.lower().replace(' ', '-')}.json"
    numbers = {"blocks": arguments.blocks, "pairs": arguments.pairs, "slice_seconds": arguments.slice_seconds}
    rows, slices = taken_up(path, numbers)
    done = {(row["run"], row["candidate"]) for row in rows}
    left_over = {run: [name for name in WANTED if (run, name) not in done] for run in range(arguments.runs)}
    missing = [run for run, candidates in left_over.items() if candidates]

    context = multiprocessing.get_context("spawn")
    results: Queue[Row | None] = context.Queue()
    shares = [{run: left_over[run] for run in missing[number :: len(devices)]} for number in range(len(devices))]
    workers = [
        context.Process(target=work, args=(device, share, arguments, results), name=device)
        for device, share in zip(devices, shares, strict=True)
        if share
    ]
    for worker in workers:
        worker.start()
    from rich.console import Console

    console, left = Console(width=170), len(workers)
    while left:
        row = results.get()
        if row is None:
            left -= 1
            continue
        slices += row.pop("slices", [])
        rows.append(row)
        console.print(f"{row['device']} run {row['run']}, {row['candidate']}: {row['outcome']}, {row['message']}")
        write(path, name, numbers, sorted(rows, key=lambda row: row["run"]), slices, devices)
    for worker in workers:
        worker.join()
    console.print(table(rows, name))


def taken_up(path: Path, numbers: Row) -> tuple[list[Row], list[Row]]:
    """Rows and slices of an earlier start with the same numbers."""
    document = json.loads(path.read_text()) if path.exists() else {}
    return (document["rows"], document["slices"]) if document.get("numbers") == numbers else ([], [])


def write(path: Path, name: str, numbers: Row, rows: list[Row], slices: list[Row], devices: list[str]) -> None:
    from service.telemetry.environment import describe_environment

    document = {
        "question": "does the gate of step times hold on a real card",
        "target": "the reference against itself never fails, 3 % slower always passes, 8 % slower always fails",
        "device": name,
        "numbers": numbers,
        "outcomes": {c: dict(Counter(row["outcome"] for row in rows if row["candidate"] == c)) for c in WANTED},
        "rows": rows,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": dict(describe_environment(devices[0])),
        "slices": slices,
    }
    path.parent.mkdir(exist_ok=True)
    made = path.with_suffix(".tmp")
    made.write_text(json.dumps(document, indent=1) + "\n")
    made.replace(path)


def table(rows: list[Row], name: str) -> Table:
    from rich.table import Table

    made = Table(title=f"{name}, (512, 2, 128) x 1024", box=None)
    for heading in ("candidate", "wanted", "runs", "PASS", "FAIL", "INCONCLUSIVE", "ratios", "spreads", "extended"):
        made.add_column(heading, justify="left" if heading in ("candidate", "wanted") else "right")
    for candidate, wanted in WANTED.items():
        of = [row for row in rows if row["candidate"] == candidate]
        counts = Counter(row["outcome"] for row in of)
        ratios = sorted(row["ratio"] for row in of if row["ratio"] is not None) or [float("nan")]
        spreads = sorted(row["spread"] for row in of if row["spread"] is not None) or [float("nan")]
        made.add_row(
            candidate,
            wanted,
            str(len(of)),
            *(str(counts[outcome]) for outcome in ("pass", "fail", "inconclusive")),
            f"{ratios[0]:.4f} to {ratios[-1]:.4f}",
            f"{spreads[0]:.2%} to {spreads[-1]:.2%}",
            str(sum(bool(row["extended"]) for row in of)),
        )
    return made


if __name__ == "__main__":
    main()
