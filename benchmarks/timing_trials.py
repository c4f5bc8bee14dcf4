"""How often does the gate of step times err?

1,000 trials each of the reference against itself, and of a candidate that is 3, 5 and 8 % slower. A trial is a whole
performance phase: the sessions that the engine would run, one after the other, and the check on what came out.

The noise is a machine's own: blocks are drawn, with replacement, from slices that were recorded with the reference in
both places (`benchmarks/results/timing.<device>.json`), and the candidate's times are multiplied. Such a file is

    {"device": "NVIDIA H100 80GB HBM3", "slices": [{"session": "a_a", "pair": 0, "block": 0, "position": 0, …}, …]}

with one object a slice, of the fields of `service.parity.measurements.Slice` (`dataclasses.asdict`), and "run" where
blocks of several runs would have the same numbers. Without one the noise is drawn, and the result says so.

Prints a table and writes `benchmarks/results/timing_trials.<device>.json`.

    python benchmarks/timing_trials.py [--slices FILE] [--trials N] [--blocks N] [--jobs N]
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from service.parity.measurements import PerformanceEvidence, SamplerReport, SessionKind, Slice
from service.parity.performance import check_step_time
from service.parity.plan import PHASES, PerformanceSpec, Plan
from service.parity.policy import named_policy
from service.parity.record import RunRecord
from service.parity.timing import ORDERS, SELF_SESSIONS, begun, blocks_of_session, next_session

RESULTS = Path(__file__).with_name("results")
RATIOS = (1.0, 1.03, 1.05, 1.08)
OUTCOMES = ("pass", "fail", "inconclusive")
SYNTHETIC_BLOCKS = 400
SYNTHETIC_SPREAD = 0.013
"""Of the logarithms of slices, and so of blocks: a block's value is a difference of two means of two."""
SAMPLER = SamplerReport("replay", "recorded", None, None)


@dataclass(frozen=True, slots=True)
class Noise:
    """Logarithms of step times (blocks, 4), in the order in which they were taken, and where they come from."""

    device: str
    recorded: bool
    logs: tuple[tuple[float, float, float, float], ...]

    @property
    def spread(self) -> float:
        """Standard deviation of the blocks' values, had they been ABBA."""
        logs = np.asarray(self.logs)
        values = (logs[:, 1] + logs[:, 2] - logs[:, 0] - logs[:, 3]) / 2
        return float(values.std(ddof=1))


def recorded(path: Path) -> Noise:
    """Every whole block of the file in which the reference stood in both places."""
    document = json.loads(path.read_text())
    blocks: dict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
    for row in document["slices"]:
        key = (row.get("run"), row["session"], row["pair"], row["block"])
        blocks[key][row["position"]] = math.log(row["median_step_ms"])
    whole = [tuple(times[place] for place in range(4)) for times in blocks.values() if set(times) == set(range(4))]
    if len(whole) < 8:
        raise SystemExit(f"{path}: {len(whole)} whole blocks; at least 8 are needed to draw from")
    return Noise(document["device"], True, tuple(whole))  # type: ignore[arg-type]


def synthetic(seed: int) -> Noise:
    drawn = np.random.default_rng(seed).normal(0.0, SYNTHETIC_SPREAD, (SYNTHETIC_BLOCKS, 4))
    return Noise("synthetic", False, tuple(tuple(row) for row in drawn.tolist()))


def find_noise(path: str | None, seed: int) -> Noise:
    if path is not None:
        return recorded(Path(path))
    found = sorted(RESULTS.glob("timing.*.json"))
    return recorded(found[0]) if found else synthetic(seed)


def session(kind: SessionKind, plan: Plan, noise: Noise, ratio: float, draw: np.random.Generator) -> tuple[Slice, ...]:
    """Blocks drawn from the noise, the candidate's place slower by `ratio` where it is the candidate that stands there.

    Slices are without counters and clocks: what those would reject was rejected, or not, when the noise was recorded.
    """
    blocks, pairs = blocks_of_session(kind, plan), plan.performance.process_pairs
    chosen = draw.integers(len(noise.logs), size=blocks)
    first, slow = int(draw.integers(2)), 0.0 if kind in SELF_SESSIONS else math.log(ratio)
    made = []
    for block in range(blocks):
        for position, role in enumerate(ORDERS[(first + block) % 2]):
            step_ms = math.exp(noise.logs[chosen[block]][position] + (slow if role == "candidate" else 0.0))
            seconds, began = 100 * step_ms / 1e3, 1.0 + 4 * block + position
            times = (step_ms, step_ms, seconds, began, began + seconds)
            made.append(Slice(kind, block * pairs // blocks, block, position, role, 100, *times))  # type: ignore[arg-type]
    return tuple(made)


def trial(noise: Noise, blocks: int, ratio: float, seed: int) -> dict[str, Any]:
    """One performance phase, and what the check says of it."""
    plan = Plan(device="cuda:0", phases=PHASES, performance=PerformanceSpec(blocks=blocks), seed=seed)
    draw = np.random.default_rng((seed, round(1e6 * ratio)))
    evidence = PerformanceEvidence("replay", order_seed=seed, sampler=SAMPLER)
    while (kind := next_session(evidence, plan)) is not None:
        evidence = replace(
            evidence,
            slices=(*evidence.slices, *session(kind, plan, noise, ratio, draw)),
            planned_blocks={**evidence.planned_blocks, kind: blocks_of_session(kind, plan)},
        )
    result = check_step_time(RunRecord(plan, {}, {}, performance=evidence), named_policy("default"))
    return {
        "outcome": result.outcome,
        "ratio": result.value,
        "extended": begun(evidence, "extension"),
        "confirmation": begun(evidence, "confirmation"),
        "steady": result.outcome != "inconclusive" or result.message.startswith(("not decided", "slower")),
    }


def summary(ratio: float, trials: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = Counter(row["outcome"] for row in trials)
    ratios = [row["ratio"] for row in trials if row["ratio"] is not None]
    return {
        "true_ratio": ratio,
        "trials": len(trials),
        **{outcome: outcomes[outcome] for outcome in OUTCOMES},
        "extended": sum(row["extended"] for row in trials),
        "second_sessions": sum(row["confirmation"] for row in trials),
        "unsteady": sum(not row["steady"] for row in trials),
        "mean_ratio": sum(ratios) / len(ratios) if ratios else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slices", default=None)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--blocks", type=int, default=PerformanceSpec().blocks)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    noise = find_noise(arguments.slices, arguments.seed)
    console = Console(width=150)
    if not noise.recorded:
        console.print("No slices were recorded here: the noise is drawn from a normal distribution.")
    seeds = [arguments.seed + 1 + number for number in range(arguments.trials)]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        rows = [
            summary(ratio, pool.map(partial(trial, noise, arguments.blocks, ratio), seeds, chunksize=5))
            for ratio in RATIOS
        ]
    title = f"{arguments.blocks} blocks drawn from {len(noise.logs)} of {noise.device}, spread {noise.spread:.2%}"
    table = Table(title=title, box=None)
    for heading in ("true ratio", "trials", "PASS", "FAIL", "INCONCLUSIVE", "unsteady", "extended", "second sessions"):
        table.add_column(heading, justify="right")
    for row in rows:
        shares = (f"{row[outcome] / row['trials']:.1%}" for outcome in OUTCOMES)
        counts = (str(row[key]) for key in ("unsteady", "extended", "second_sessions"))
        table.add_row(f"{row['true_ratio']:.2f}", str(row["trials"]), *shares, *counts)
    console.print(table)
    result = {
        "question": "how often the gate of step times errs",
        "target": "the reference against itself and 3 % slower never fail, 8 % slower never passes",
        "device": noise.device,
        "recorded": noise.recorded,
        "blocks_to_draw_from": len(noise.logs),
        "block_spread": noise.spread,
        "blocks": arguments.blocks,
        "seed": arguments.seed,
        "rows": rows,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"timing_trials.{noise.device.lower().replace(' ', '-')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
