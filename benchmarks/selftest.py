"""How often does the gate see a planted fault, how often does it fail what is harmless, how small a fault can it see?

`lockstep selftest` with many seeds and three shapes of the model; and two faults made smaller and smaller, an error of
the learning rate and a weight decay, judged by the synchronized phase and by the first steps of training on one's own.
Target: every fault caught by its own check in every run, no harmless variant failed in any.

Prints tables and writes `benchmarks/results/selftest.<device>.json`. Stopped, it goes on where it was.

    python benchmarks/selftest.py [--device cpu|cuda:0] [--seeds N] [--jobs N]
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table

from service import bootstrap
from service.campaigns.selftest import SHAPES, CaseResult, carry_out, select_cases
from service.campaigns.spread import Died, Unrecorded, spread
from service.parity.checks import judge
from service.parity.plan import Plan
from service.parity.policy import named_policy
from service.pipeline import DualRun
from service.ports import Subject
from service.subjects.variant_subject import Variant, VariantSubject

SEEDS = 20
MAGNITUDES = {
    "learning rate": (1e-3, 1e-4, 1e-5, 1e-6),
    "weight decay": (1e-5, 1e-6, 1e-7, 1e-8),
}
FIELDS = {"learning rate": "learning_rate_factor", "weight decay": "weight_decay"}
CHECKS = ("numerics.synchronized", "numerics.free_running")
GOOD = ("caught", "passed", "not_judged")


@dataclass(frozen=True, slots=True)
class Piece:
    """One dual run: a candidate by its name, or a fault and its size."""

    shape: str
    seed: int
    candidate: str
    size: float | None = None

    @property
    def key(self) -> str:
        return f"{self.shape} {self.seed} {self.candidate} {self.size}"


def pieces(seeds: int) -> Iterator[Piece]:
    names = [case.name for case in select_cases() if not case.needs]
    for seed, shape in itertools.product(range(seeds), SHAPES):
        for name in names:
            yield Piece(shape, seed, name)
        for fault, sizes in MAGNITUDES.items():
            for size in sizes:
                yield Piece(shape, seed, fault, size)


def measure(device: str, piece: Piece) -> Row:
    plan = replace(SHAPES[piece.shape], seed=piece.seed, device=device)
    row: Row = {"key": piece.key, "shape": piece.shape, "seed": piece.seed, "candidate": piece.candidate}
    if piece.size is not None:
        return row | {"size": piece.size} | sized(plan, piece.candidate, piece.size)
    (case,) = select_cases([piece.candidate])
    return row | told(carry_out(plan, bootstrap.toolkit, bootstrap.SystemClock(), case))


def told(result: CaseResult) -> Row:
    return {
        "judgement": result.judgement,
        "check": result.check,
        "verdict": result.verdict,
        "seconds": result.seconds,
        "message": "" if result.judgement in GOOD else result.message,
    }


def sized(plan: Plan, fault: str, size: float) -> Row:
    """The outcomes of both numeric checks for a fault of this size; trained on its own for the band's steps only."""
    value = 1 + size if fault == "learning rate" else size
    variant = Variant("sized", f"{fault} {size:g}", **{FIELDS[fault]: value})  # type: ignore[arg-type]
    tools = bootstrap.toolkit()

    def subject(name: str, plan: Plan) -> Subject:
        return VariantSubject(plan, variant) if name == variant.name else tools.subject(name, plan)

    plan = replace(
        plan,
        candidate=variant.name,
        phases=("synchronized", "free_running"),
        training=replace(plan.training, steps=plan.band_window()),
    )
    run = DualRun(plan, replace(tools, subject=subject), Unrecorded(), bootstrap.SystemClock())
    run.execute()
    verdict = judge(run.record, named_policy("numerics"))
    outcomes = {check.name: check.outcome for check in verdict.checks}
    return {"verdict": verdict.outcome, **{name: outcomes[name] for name in CHECKS}}


def summarise(rows: list[Row]) -> dict[str, Any]:
    """Counts a candidate and shape, shares a size, and each run that was not as it should be."""
    judged = [row for row in rows if "judgement" in row]
    candidates = []
    for case in select_cases():
        own = [row for row in judged if row["candidate"] == case.name]
        counts = {shape: dict(Counter(r["judgement"] for r in own if r["shape"] == shape)) for shape in SHAPES}
        candidates.append({"candidate": case.name, "planted": case.planted, "check": case.expected, "counts": counts})
    sizes = []
    for fault, magnitudes in MAGNITUDES.items():
        for size in magnitudes:
            own = [row for row in rows if row["candidate"] == fault and row.get("size") == size]
            shares = {name: _share(row[name] == "fail" for row in own) for name in CHECKS}
            sizes.append({"fault": fault, "size": size, "runs": len(own), "share caught": shares
                          | {"either": _share(row["verdict"] == "FAIL" for row in own)}})  # fmt: skip
    faults = [row for row in judged if row["candidate"].startswith("bad-")]
    harmless = [row for row in judged if not row["candidate"].startswith("bad-")]
    return {
        "faults": len(faults),
        "caught": sum(row["judgement"] == "caught" for row in faults),
        "harmless": len(harmless),
        "harmless_failed": sum(row["judgement"] == "failed" for row in harmless),
        "harmless_passed": sum(row["judgement"] == "passed" for row in harmless),
        "candidates": candidates,
        "sizes": sizes,
        "not as it should be": [row for row in judged if row["judgement"] not in GOOD],
    }


def _share(hits: Iterator[bool]) -> float | None:
    found = list(hits)
    return sum(found) / len(found) if found else None


def show(summary: dict[str, Any], label: str) -> None:
    table = Table(title=f"as it should be, on {label}", box=None)
    for heading in ("candidate", "what is planted", "check", *SHAPES):
        table.add_column(heading, justify="right" if heading in SHAPES else "left", no_wrap=True)
    for row in summary["candidates"]:
        shown = []
        for counts in row["counts"].values():
            good, runs = sum(counts.get(word, 0) for word in ("caught", "passed")), sum(counts.values())
            shown.append(f"{good}/{runs}" if runs else "-")
        table.add_row(row["candidate"], row["planted"], row["check"] or "must pass", *shown)
    sizes = Table(title="share of runs in which a fault of this size is caught", box=None)
    for heading in ("fault", "size", *CHECKS, "either"):
        sizes.add_column(heading, justify="left" if heading == "fault" else "right")
    for row in summary["sizes"]:
        shares = row["share caught"].values()
        sizes.add_row(row["fault"], f"{row['size']:g}", *("-" if s is None else f"{s:.0%}" for s in shares))
    console = Console(width=170)
    console.print(table, sizes)
    for row in summary["not as it should be"]:
        console.print(f"{row['judgement']}: {row['candidate']}, {row['shape']}, seed {row['seed']}: {row['message']}")
    console.print(
        f"{summary['caught']} of {summary['faults']} faults caught by their check; of {summary['harmless']} harmless "
        f"runs {summary['harmless_passed']} passed and {summary['harmless_failed']} failed"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=None)
    arguments = parser.parse_args()
    shapes = {name: plan.as_document() for name, plan in SHAPES.items()}
    file = ResultsFile("selftest", arguments.device, {"shapes": shapes, "magnitudes": MAGNITUDES})
    wanted = list(pieces(arguments.seeds))
    missing = [piece for piece in wanted if piece.key not in file.rows]
    jobs = arguments.jobs or bootstrap.default_jobs(Plan(device=file.device))

    def coming() -> Generator[Row, None, None]:
        with closing(spread(partial(measure, file.device), missing, jobs)) as measured:
            for piece, row in measured:
                if isinstance(row, Died):
                    raise SystemExit(f"{piece.key}: {row.message}; start again to go on from here")
                yield row

    file.collect(coming(), len(wanted))
    summary = summarise([file.rows[piece.key] for piece in wanted])
    show(summary, file.label)
    file.finish(
        {
            "question": "faults caught by the check that should catch them, harmless variants failed, smallest faults",
            "target": "every fault caught, no harmless variant failed",
            "seeds": arguments.seeds,
            "shapes": shapes,
            **summary,
        }
    )


if __name__ == "__main__":
    main()
