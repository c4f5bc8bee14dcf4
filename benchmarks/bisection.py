"""Does a bisection name the right method, and in how many dual runs?

Every planted fault of a method (`service/subjects/planted_methods.py`), over several seeds, on the plan of
`lockstep ladder bisect` and through the same path: each run in a process of its own, kept in a database, here a
temporary one.

    python benchmarks/bisection.py [--seeds N] [--device cpu]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Generator
from dataclasses import replace
from functools import partial

from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table

from basemodel.rungs import METHODS
from service import bootstrap
from service.campaigns.bisect import PLAN, asking, bisect, default_policy, most_runs
from service.campaigns.stored_runs import StoredRuns
from service.ports import Progress
from service.settings import Settings
from service.subjects.planted_methods import METHOD_FAULTS
from service.subjects.registry import find_mixable

SOUND = "basemodel@kernels"


def ignore(progress: Progress) -> None: ...


def one(name: str, seed: int, device: str) -> Row:
    """A bisection in a database of its own."""
    candidate, plan, policy = find_mixable(name), replace(PLAN, seed=seed, device=device), default_policy()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(database_url=f"sqlite:///{folder}/runs.db")
        store, clock = bootstrap.open_store(settings), bootstrap.SystemClock()
        executor = bootstrap.make_executor(settings, store, clock)
        runs = StoredRuns(store, executor, clock, partial(bootstrap.submit, store, clock), "benchmark")
        began = time.perf_counter()
        found = bisect(candidate, plan, policy, asking(runs, candidate, plan, policy, lambda _: ignore))
        seconds = time.perf_counter() - began
        store.close()
    named = [culprit.method for culprit in found.culprits]
    planted = [METHOD_FAULTS[name].method] if name in METHOD_FAULTS else []
    return {
        "key": f"{name} {seed}",
        "candidate": name,
        "seed": seed,
        "planted": planted,
        "named": named,
        "answer": found.finding.answer,
        "right": named == planted,
        "dual_runs": len(found.finding.probes),
        "seconds": round(seconds, 2),
    }


def remaining(pieces: list[tuple[str, int]], device: str, done: set[str]) -> Generator[Row, None, None]:
    for name, seed in pieces:
        if f"{name} {seed}" not in done:
            yield one(name, seed, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    pieces = [(name, seed) for seed in range(arguments.seeds) for name in (SOUND, *METHOD_FAULTS)]
    results = ResultsFile("bisect", arguments.device, {"seeds": arguments.seeds, "plan": PLAN.as_document()})
    results.collect(remaining(pieces, results.device, set(results.rows)), len(pieces))
    rows = [results.rows[f"{name} {seed}"] for name, seed in pieces]
    faults, sound = [row for row in rows if row["planted"]], [row for row in rows if not row["planted"]]
    table = Table("candidate", "named", "right", "dual runs", "median seconds", box=None, pad_edge=False)
    for name in (SOUND, *METHOD_FAULTS):
        mine = [row for row in rows if row["candidate"] == name]
        counts = sorted(row["dual_runs"] for row in mine)
        table.add_row(
            name,
            ", ".join(sorted({method for row in mine for method in row["named"]})) or "nothing: passes",
            f"{sum(row['right'] for row in mine)} of {len(mine)}",
            f"{counts[0]} to {counts[-1]}" if counts[0] < counts[-1] else str(counts[0]),
            f"{statistics.median(row['seconds'] for row in mine):.1f}",
        )
    Console(highlight=False, width=120).print(table)
    result = {
        "question": "does a bisection name the method that a fault is in, and in how many dual runs",
        "target": f"every one, in at most ceil(log2({len(METHODS)})) + 2 = {most_runs(len(METHODS))} dual runs",
        "seeds": arguments.seeds,
        "plan": PLAN.as_document(),
        "faults": len(faults),
        "named_right": sum(row["right"] for row in faults),
        "most_dual_runs": max(row["dual_runs"] for row in faults),
        "median_seconds": statistics.median(row["seconds"] for row in faults),
        "sound": len(sound),
        "sound_passed": sum(row["right"] for row in sound),
        "rows": rows,
    }
    results.finish(result)
    missed = result["named_right"] != len(faults) or result["sound_passed"] != len(sound)
    raise SystemExit(1 if missed or result["most_dual_runs"] > most_runs(len(METHODS)) else 0)


if __name__ == "__main__":
    main()
