"""How near to the memory's speed does the differ compare, and how long does it take for all taps of a step?

One run, one card, the same arrays for every row: 0.5 GiB of float32 a side, slightly apart. The ceiling is a copy from
device to device, counted as the bytes that it reads and writes; a comparison is counted as the bytes that it must read
at least once. Medians by CUDA events, or by the host's clock where the answer is on the host ("whole call"). The others
are what a programmer would reach for: PyTorch's and NumPy's asserts, which give a yes or no, and the differ's nine
statistics (elements that are not finite on either side, largest absolute and relative difference and where, RMS,
cosine, ULP, unequal elements) written as CuPy and as compiled PyTorch expressions. Where they can be compared, their
numbers must be the differ's. Target: the differ's kernels reach at least 90 % of the copy.

Second table: all taps of one training step, compared one by one and in one call. Target: at most 3 launches.

Prints both tables and writes `benchmarks/results/differ.<device>.json`; exits 1 where a target is missed.

    python benchmarks/differ.py [--device cuda:0] [--repeats N] [--megabytes N]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from service import bootstrap
from service.differs.cupy_differ import CupyDiffer
from service.engine.batches import Batches
from service.engine.synchronized import with_loss
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.parity.record import DiffStats
from service.ports import TapArrays
from service.subjects.datasets import load_dataset
from service.subjects.devices import find_devices, resolve_device
from service.telemetry.environment import describe_environment

COPY_SHARE_AT_LEAST = 0.9
LAUNCHES_AT_MOST = 3
STEPS = (
    # vector length, hidden layers, bottleneck, batch size
    (512, 2, 128, 1024),
    (1024, 3, 256, 4096),
)
Row = dict[str, Any]


class Clock:
    """Median times of something that works on the current stream of the device."""

    def __init__(self, cupy: Any, repeats: int) -> None:
        self._cupy, self._repeats = cupy, repeats

    def on_device(self, work: Callable[[], Any]) -> float:
        """Milliseconds between two events around `work`; all repeats are queued, so that the host runs ahead."""
        events = [[self._cupy.cuda.Event() for _ in range(2)] for _ in range(self._repeats)]
        for _ in range(3):
            work()
        for begin, end in events:
            begin.record()
            work()
            end.record()
        self._cupy.cuda.Device().synchronize()
        return statistics.median(self._cupy.cuda.get_elapsed_time(begin, end) for begin, end in events)

    def on_host(self, work: Callable[[], Any], repeats: int | None = None, warm: bool = True) -> float:
        """Milliseconds by the host's clock until the device has nothing left to do."""
        if warm:
            work()
        taken = []
        for _ in range(repeats or self._repeats):
            self._cupy.cuda.Device().synchronize()
            began = time.perf_counter()
            work()
            self._cupy.cuda.Device().synchronize()
            taken.append(1000 * (time.perf_counter() - began))
        return statistics.median(taken)


# --- one large pair ---------------------------------------------------------------------------------------------------


def expression(xp: Any, r: Any, c: Any, wide: Any, ordered: Any) -> tuple[Any, ...]:
    """The nine statistics, written plainly; `wide` casts to float64, `ordered` gives a number's place among all."""
    finite_r, finite_c = xp.isfinite(r), xp.isfinite(c)
    both = finite_r & finite_c
    x, y = xp.where(both, wide(r), 0.0), xp.where(both, wide(c), 0.0)
    apart = abs(x - y)
    larger = xp.maximum(abs(x), abs(y))
    relative = xp.where(larger > 0, apart / xp.where(larger > 0, larger, 1.0), 0.0)
    ulps = xp.where(both, abs(ordered(r) - ordered(c)), 0)
    return (
        (~finite_r).sum(),
        (~finite_c).sum(),
        apart.max(),
        relative.max(),
        ((apart * apart).sum() / both.sum()) ** 0.5,
        (x * y).sum() / ((x * x).sum() * (y * y).sum()) ** 0.5,
        ulps.max(),
        (ordered(r) != ordered(c)).sum(),
        apart.argmax(),
    )


def must_agree(found: tuple[Any, ...], stats: DiffStats) -> None:
    """The expression's numbers are the differ's; signed zeros, which the arrays do not hold, would tell them apart."""
    values = [float(value) for value in found]
    if (values[2], values[6], values[7]) != (stats.max_abs, stats.max_ulp, stats.mismatches):
        raise SystemExit(f"the expression says {values}, the differ {stats}")
    for value, own in ((values[3], stats.max_rel), (values[4], stats.rms), (values[5], stats.cosine)):
        if not np.isclose(value, own, rtol=1e-10, atol=0):
            raise SystemExit(f"the expression says {value}, the differ {own}")


def torch_ordered(torch: Any) -> Callable[[Any], Any]:
    def ordered(values: Any) -> Any:
        bits = values.view(torch.int32).to(torch.int64)
        return torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)

    return ordered


def large_pair(cupy: Any, differ: CupyDiffer, clock: Clock, megabytes: int) -> list[Row]:
    """The rows of the first table."""
    n = megabytes * 2**20 // 4
    random = cupy.random.default_rng(0)
    r = random.standard_normal(n, dtype=cupy.float32)
    c = r * (1 + cupy.float32(1e-5) * random.standard_normal(n, dtype=cupy.float32))
    rows: list[Row] = []

    def add(name: str, ms: float, moved: int, by: str = "events", note: str = "") -> None:
        rows.append(
            {"name": name, "ms": ms, "bytes": moved, "gb_per_s": moved / ms / 1e6, "timed_by": by, "note": note}
        )
        rows[-1]["share_of_copy"] = rows[-1]["gb_per_s"] / rows[0]["gb_per_s"]

    def failed(name: str, why: str) -> None:
        rows.append({"name": name, "ms": None, "note": why})

    def copy() -> float:
        target, stream = cupy.empty_like(r), cupy.cuda.get_current_stream()
        return clock.on_device(lambda: target.data.copy_from_device_async(r.data, r.nbytes, stream))

    add("copy, device to device", copy(), 2 * r.nbytes, note="read and written")

    def kernels(name: str, *arrays: Any) -> None:
        prepared = differ.prepare([TapArrays(*arrays)])
        moved = sum({int(a.data.ptr): a.nbytes for a in arrays if a is not None}.values())
        add(name, clock.on_device(lambda: differ.launch(prepared)), moved)

    kernels("differ, kernels, float32", r, c)
    tap = TapArrays(r, c)
    (stats,) = differ.compare([tap])
    add("differ, whole call", clock.on_host(lambda: differ.compare([tap])), 2 * r.nbytes, "host")
    exact = r[: n // 4].astype(cupy.float64)
    kernels("differ, kernels, with an oracle", r[: n // 4], c[: n // 4], exact, exact)
    kernels("differ, kernels, an oracle a side", r[: n // 4], c[: n // 4], exact, exact + 1e-9)
    kernels("differ, kernels, starts 4 bytes off", r[1:], c[1:])
    kernels("differ, kernels, float64", r[: n // 2].astype(cupy.float64), c[: n // 2].astype(cupy.float64))
    for dtype in ("float16", *(["bfloat16"] if importlib.util.find_spec("ml_dtypes") else [])):
        kind = importlib.import_module("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
        kernels(f"differ, kernels, {dtype}", r.astype(kind), c.astype(kind))
    del exact
    torch_rows(cupy, clock, r, c, stats, add, failed)

    def ordered(values: Any) -> Any:
        bits = values.view(cupy.int32).astype(cupy.int64)
        return cupy.where(bits < 0, -(bits & 0x7FFFFFFF), bits)

    def plain() -> tuple[Any, ...]:
        return expression(cupy, r, c, lambda a: a.astype(cupy.float64), ordered)

    must_agree(plain(), stats)
    add("the same nine, CuPy expression", clock.on_device(plain), 2 * r.nbytes)
    cupy.get_default_memory_pool().free_all_blocks()

    def on_host() -> None:
        np.testing.assert_allclose(r.get(), c.get(), rtol=1.0, atol=1.0)

    add("numpy.testing.assert_allclose, after a copy", clock.on_host(on_host, 1, warm=False), 2 * r.nbytes, "host")
    return rows


def torch_rows(
    cupy: Any, clock: Clock, r: Any, c: Any, stats: DiffStats, add: Callable[..., None], failed: Callable[..., None]
) -> None:
    """PyTorch's rows; its default stream is CuPy's, so that the same events time it."""
    asserts, allclose = "torch.testing.assert_close", "torch.allclose"
    compiled, eager = "the same nine, torch.compile", "the same nine, PyTorch expression"
    if importlib.util.find_spec("torch") is None:
        for name in (asserts, allclose, eager, compiled):
            failed(name, "torch is not installed")
        return
    torch = importlib.import_module("torch")
    left, right, moved = torch.from_dlpack(r), torch.from_dlpack(c), 2 * r.nbytes
    wide = {"rtol": 1.0, "atol": 1.0}
    add(asserts, clock.on_host(lambda: torch.testing.assert_close(left, right, **wide), 5), moved, "host")
    add(allclose, clock.on_host(lambda: torch.allclose(left, right, **wide), 5), moved, "host")

    def nine(a: Any, b: Any) -> tuple[Any, ...]:
        return expression(torch, a, b, lambda v: v.to(torch.float64), torch_ordered(torch))

    must_agree(nine(left, right), stats)
    add(eager, clock.on_device(lambda: nine(left, right)), moved)
    torch.cuda.empty_cache()
    began = time.perf_counter()
    try:
        fast = torch.compile(nine)
        must_agree(fast(left, right), stats)
    except (RuntimeError, ImportError, OSError, AttributeError) as error:  # it needs Triton and a C compiler
        failed(compiled, f"torch.compile: {type(error).__name__}: {str(error).strip().splitlines()[0][:100]}")
    else:
        took = time.perf_counter() - began
        add(compiled, clock.on_device(lambda: fast(left, right)), moved, note=f"compiled in {took:.0f} s")
    torch.cuda.empty_cache()


# --- all taps of a step -----------------------------------------------------------------------------------------------


def step_taps(plan: Plan) -> tuple[list[TapArrays], list[TapArrays]]:
    """The taps of one step of legacy and BaseModel from one state, without and with the float64 oracle's arrays."""
    tools = bootstrap.toolkit()
    sides = {"reference": tools.subject(plan.reference, plan), "candidate": tools.subject(plan.candidate, plan)}
    state = sides["reference"].state()
    sides["candidate"].load_state(state)
    (batch,) = Batches(load_dataset(plan), plan.training.batch_size, plan.seed, "synchronized", 1)
    taps = {side: with_loss(subject.train_step(batch, taps=True)) for side, subject in sides.items()}
    # Taps are views that live until the subject's next call; these outlive the subject.
    taps = {side: {name: array.copy() for name, array in of_side.items()} for side, of_side in taps.items()}
    oracle = tools.oracle(plan).step(state, batch)
    exact = {side: oracle.taps(of_side) for side, of_side in taps.items()}
    for subject in sides.values():
        subject.close()
    names = [name for name in taps["reference"] if name in taps["candidate"] and name in exact["reference"]]
    pairs = [(taps["reference"][name], taps["candidate"][name]) for name in names]
    oracles = [(exact["reference"][name], exact["candidate"][name]) for name in names]
    return (
        [TapArrays(*pair) for pair in pairs],
        [TapArrays(*pair, *of_pair) for pair, of_pair in zip(pairs, oracles, strict=True)],
    )


def step_rows(cupy: Any, differ: CupyDiffer, clock: Clock, device: str) -> list[Row]:
    """The rows of the second table."""
    rows = []
    for length, layers, bottleneck, batch_size in STEPS:
        plan = Plan(
            device=device, model=ModelSpec(length, layers, bottleneck), training=TrainingSpec(batch_size=batch_size)
        ).validate()
        for oracle, taps in zip(("no oracle", "an oracle a side"), step_taps(plan), strict=True):
            together = differ.compare(taps)
            if together != [stats for tap in taps for stats in differ.compare([tap])]:
                raise SystemExit("compared together, the taps have other statistics than one by one")
            prepared = differ.prepare(taps)
            arrays = [
                a for t in taps for a in (t.reference, t.candidate, t.oracle_for_reference, t.oracle_for_candidate)
            ]
            one_by_one = [differ.prepare([tap]) for tap in taps]
            before_ms = clock.on_host(lambda taps=taps: [differ.compare([tap]) for tap in taps])
            rows.append(
                {
                    "step": f"{length}, {layers}, {bottleneck}, {batch_size}",
                    "oracle": oracle,
                    "taps": len(taps),
                    "megabytes": sum(a.nbytes for a in arrays if a is not None) / 1e6,
                    "launches_one_by_one": sum(one.launch_count for one in one_by_one),
                    "one_by_one_ms": before_ms,
                    "launches": prepared.launch_count,
                    "call_ms": clock.on_host(lambda taps=taps: differ.compare(taps)),
                    "kernels_ms": clock.on_device(lambda prepared=prepared: differ.launch(prepared)),
                }
            )
        cupy.get_default_memory_pool().free_all_blocks()
    return rows


# --- what is printed and kept -----------------------------------------------------------------------------------------


def shown(value: Any) -> str:
    if value is None:
        return "—"
    return (
        f"{value:,.3f}"
        if isinstance(value, float) and value < 100
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def print_table(title: str, rows: list[Row], columns: dict[str, str]) -> None:
    table = Table(title=title, box=None)
    for i, heading in enumerate(columns.values()):
        table.add_column(heading, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*(shown(row.get(key)) for key in columns))
    Console(width=150).print(table)


LARGE_COLUMNS = {
    "name": "what",
    "ms": "ms",
    "gb_per_s": "GB/s",
    "share_of_copy": "of the copy",
    "timed_by": "timed by",
    "note": "note",
}
STEP_COLUMNS = {
    "step": "length, layers, bottleneck, batch",
    "oracle": "oracle",
    "taps": "taps",
    "megabytes": "MB",
    "launches_one_by_one": "launches, one by one",
    "one_by_one_ms": "ms",
    "launches": "launches, one call",
    "call_ms": "ms",
    "kernels_ms": "of it kernels",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--megabytes", type=int, default=512, help="float32 a side")
    arguments = parser.parse_args()
    device = resolve_device(arguments.device)
    if device == "cpu":
        raise SystemExit("this benchmark needs a GPU with CuPy")
    devices = find_devices()
    label = devices.descriptions[devices.names.index(device)]
    cupy = importlib.import_module("cupy")
    with cupy.cuda.Device(int(device.removeprefix("cuda:"))):
        differ, clock = CupyDiffer(device), Clock(cupy, arguments.repeats)
        large = large_pair(cupy, differ, clock, arguments.megabytes)
        cupy.get_default_memory_pool().free_all_blocks()
        steps = step_rows(cupy, differ, clock, device)
    print_table(f"{arguments.megabytes} MiB of float32 a side on {label}", large, LARGE_COLUMNS)
    print_table("all taps of a step, legacy against BaseModel", steps, STEP_COLUMNS)
    share = next(row["share_of_copy"] for row in large if row["name"] == "differ, kernels, float32")
    launches = max(row["launches"] for row in steps)
    result = {
        "question": "the differ's speed beside a device-to-device copy, and what all taps of a step take",
        "targets": {"share_of_copy_at_least": COPY_SHARE_AT_LEAST, "launches_at_most": LAUNCHES_AT_MOST},
        "share_of_copy": share,
        "launches": launches,
        "large_pair": large,
        "steps": steps,
        "repeats": arguments.repeats,
        "megabytes_a_side": arguments.megabytes,
        "torch": _version("torch"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": dict(describe_environment(device)),
    }
    path = Path(__file__).parent / "results" / f"differ.{label.lower().replace(' ', '-')}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")
    missed = [] if share >= COPY_SHARE_AT_LEAST else [f"{share:.1%} of the copy, not {COPY_SHARE_AT_LEAST:.0%}"]
    missed += [] if launches <= LAUNCHES_AT_MOST else [f"{launches} launches, not {LAUNCHES_AT_MOST}"]
    if missed:
        sys.exit("missed: " + "; ".join(missed))


def _version(package: str) -> str | None:
    return None if importlib.util.find_spec(package) is None else str(importlib.import_module(package).__version__)


if __name__ == "__main__":
    main()
