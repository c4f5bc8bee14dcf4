"""How often does the gate fail a candidate with which nothing is wrong?

200 dual runs, each with another seed, on the three shapes of the self-test in turn: the legacy autoencoder against
itself, against BaseModel, and against two of the harmless variants, which take turns. Target: none fails.

Prints a table and writes `benchmarks/results/false_alarms.<device>.json`. Stopped, it goes on where it was.

    python benchmarks/false_alarms.py [--device cpu|cuda:0] [--runs N] [--jobs N]
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table

from service import bootstrap
from service.campaigns.selftest import POLICY, SHAPES
from service.campaigns.spread import Died, Unrecorded, spread
from service.parity.checks import judge
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.pipeline import DualRun
from service.subjects.known_bad import VARIANTS

RUNS = 200
FIRST_SEED = 1000
"""Away from the seeds that the plans were chosen with."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One dual run with which nothing is wrong."""

    shape: str
    seed: int
    candidate: str

    @property
    def key(self) -> str:
        return f"{self.shape} {self.seed} {self.candidate}"


def pieces(runs: int) -> Iterator[Piece]:
    harmless = [name for name, variant in VARIANTS.items() if variant.harmless]
    shapes = list(SHAPES)
    for run in range(runs):
        turn, place = divmod(run, 4)
        pair = (harmless[2 * turn % len(harmless)], harmless[(2 * turn + 1) % len(harmless)])
        yield Piece(shapes[turn % len(shapes)], FIRST_SEED + run, ("legacy", "basemodel", *pair)[place])


def measure(device: str, piece: Piece) -> Row:
    plan = replace(SHAPES[piece.shape], seed=piece.seed, device=device, candidate=piece.candidate)
    run = DualRun(plan, bootstrap.toolkit(), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    verdict = judge(run.record, named_policy(POLICY))
    values = {check.name: check.value for check in verdict.checks if check.name.startswith("numerics.")}
    summary = "" if verdict.outcome == "PASS" else verdict.summary
    return {"key": piece.key, "shape": piece.shape, "seed": piece.seed, "candidate": piece.candidate,
            "verdict": verdict.outcome, "summary": summary, "values": values}  # fmt: skip


def largest(rows: list[Row], check: str) -> float | None:
    """How near the worst of the runs came to the check's limit."""
    return max((row["values"][check] for row in rows if row["values"][check] is not None), default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--jobs", type=int, default=None)
    arguments = parser.parse_args()
    shapes = {name: plan.as_document() for name, plan in SHAPES.items()}
    file = ResultsFile("false_alarms", arguments.device, {"shapes": shapes, "first_seed": FIRST_SEED})
    wanted = list(pieces(arguments.runs))
    missing = [piece for piece in wanted if piece.key not in file.rows]
    jobs = arguments.jobs or bootstrap.default_jobs(Plan(device=file.device))

    def coming() -> Generator[Row, None, None]:
        with closing(spread(partial(measure, file.device), missing, jobs)) as measured:
            for piece, row in measured:
                if isinstance(row, Died):
                    raise SystemExit(f"{piece.key}: {row.message}; start again to go on from here")
                yield row

    file.collect(coming(), len(wanted))
    rows = [file.rows[piece.key] for piece in wanted]
    checks = ("numerics.synchronized", "numerics.sign_disagreements", "numerics.free_running")
    table = Table(title=f"candidates with which nothing is wrong, on {file.label}", box=None)
    for heading in ("candidate", "runs", "PASS", "INCONCLUSIVE", "FAIL", *(f"largest {check}" for check in checks)):
        table.add_column(heading, justify="left" if heading == "candidate" else "right")
    by_candidate = []
    for name in dict.fromkeys(row["candidate"] for row in rows):
        own = [row for row in rows if row["candidate"] == name]
        counts = Counter(row["verdict"] for row in own)
        worst = {check: largest(own, check) for check in checks}
        by_candidate.append({"candidate": name, "runs": len(own), "verdicts": dict(counts), "largest": worst})
        verdicts = (str(counts[outcome]) for outcome in ("PASS", "INCONCLUSIVE", "FAIL"))
        shown = ("-" if value is None else f"{value:.3g}" for value in worst.values())
        table.add_row(name, str(len(own)), *verdicts, *shown)
    console = Console(width=170)
    console.print(table)
    others = [row for row in rows if row["verdict"] != "PASS"]
    for row in others:
        console.print(f"{row['verdict']}: {row['candidate']}, {row['shape']}, seed {row['seed']}: {row['summary']}")
    failed = sum(row["verdict"] == "FAIL" for row in rows)
    console.print(f"{failed} of {len(rows)} failed")
    file.finish(
        {
            "question": "how often a candidate with which nothing is wrong fails",
            "target": "never",
            "runs": len(rows),
            "failed": failed,
            "candidates": by_candidate,
            "not passed": others,
            "shapes": shapes,
        }
    )


if __name__ == "__main__":
    main()
