"""The performance phase on a made-up bench: the order of its slices, what belongs to them, and how it may end."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from service.engine.performance import PerformancePhase, Turns, largest_grid, steps_of_slice, turns_of_slice
from service.parity.errors import BenchTrouble, RunCancelled, RunFailed
from service.parity.measurements import EdgeReading, PerformanceEvidence, SamplerReport, TelemetrySample
from service.parity.plan import ModelSpec, PerformanceSpec, Plan, TrainingSpec
from service.parity.timing import DEFAULT_LIMITS
from service.ports import DeviceFigures, TimedSteps

PLAN = Plan(
    reference="old",
    candidate="new",
    performance=PerformanceSpec(8, 0.1, 3),
    phases=("performance",),
    device="cpu",
    seed=3,
)


class Time:
    """Moves only when somebody works."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> Any:
        raise AssertionError("nobody asks for the date")


@dataclass
class MadeProcess:
    bench: MadeBench
    role: Any
    subject: str
    pid: int
    clock: str
    step_flops: int = 11
    closed: bool = False

    def built(self) -> None:
        if self.subject == self.bench.breaks_while_built:
            raise BenchTrouble("died", "planted")

    def warm_up(self, seconds: float) -> float:
        return self.bench.step_ms[self.subject]

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        bench = self.bench
        assert not self.closed
        bench.time.seconds += settle * bench.step_ms[self.subject] / 1e3
        bench.timed.append((self.role, self.subject, self.pid, steps, bench.sampler.paused))
        bench.waiting()
        if bench.breaks_at == len(bench.timed):
            raise BenchTrouble("oom_device", "planted")
        began = bench.time.seconds
        noise = 1 + 0.001 * np.sin(len(bench.timed))
        step_ms = np.full(steps, bench.step_ms[self.subject] * noise)
        bench.time.seconds += float(step_ms.sum()) / 1e3
        return TimedSteps(step_ms, began, bench.time.seconds, 0.01)

    def close(self) -> None:
        self.closed = True


@dataclass
class MadeBench:
    time: Time
    sampler: MadeSampler
    step_ms: dict[str, float]
    clock: str = "perf_counter"
    breaks_at: int = 0
    refuses: str = ""
    breaks_while_built: str = ""
    processes: list[MadeProcess] = field(default_factory=list)
    timed: list[tuple[Any, str, int, int, bool]] = field(default_factory=list)
    waiting: Any = None
    figures: DeviceFigures | None = field(default_factory=lambda: DeviceFigures(5e12, 4))

    def watch(self, waiting: Any) -> None:
        self.waiting = waiting

    def device_figures(self, plan: Plan) -> DeviceFigures:
        if self.figures is None:
            raise BenchTrouble("died", "planted")
        return self.figures

    def open(self, role: Any, subject: str, plan: Plan, pair: int) -> MadeProcess:
        assert sum(not process.closed for process in self.processes) <= 1
        if subject == self.refuses:
            raise BenchTrouble("exception", "cannot be built")
        self.processes.append(MadeProcess(self, role, subject, 1000 + len(self.processes), self.clock))
        return self.processes[-1]

    def trace_memory(self, role: Any, subject: str, plan: Plan) -> Any:
        raise AssertionError("not in this phase")


class MadeSampler:
    """Reports one value every 10 ms of the made time."""

    def __init__(self, time: Time, absent: bool = False, lost_after: int | None = None) -> None:
        self.time, self.absent, self.lost_after = time, absent, lost_after
        self.paused = False
        self.owned: list[tuple[int, ...]] = []
        self.edges = self.drains = self.stops = 0
        self.since = time.seconds

    def start(self) -> None: ...

    def own(self, pids: Sequence[int]) -> None:
        self.owned.append(tuple(pids))

    def edge(self) -> EdgeReading:
        self.edges += 1
        return EdgeReading(self.time.seconds, {} if self.absent else {"energy_j": self.time.seconds})

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def drain(self) -> list[TelemetrySample]:
        self.drains += 1
        if self.absent:
            return []
        if self.lost_after is not None and self.drains > self.lost_after:
            return [TelemetrySample(self.time.seconds, "sm_clock_mhz", None, "lost")]
        points = np.arange(self.since, self.time.seconds + 1e-9, 0.01)
        self.since = self.time.seconds
        return [TelemetrySample(float(at), "sm_clock_mhz", 1500.0) for at in points]

    def stop(self) -> SamplerReport:
        self.stops += 1
        lost = "fell off the bus" if self.lost_after is not None and self.drains > self.lost_after else None
        return SamplerReport("absent" if self.absent else "made", "cpu", None, None, lost_reason=lost)


class Run:
    """A phase on made-up parts; `ratio` is the candidate's step time over the reference's."""

    def __init__(self, lab: Any, ratio: float = 1.0, plan: Plan = PLAN, step_ms: float = 10.0, **bench: Any) -> None:
        self.watcher = lab.Watcher()
        self.time = Time()
        self.sampler = MadeSampler(self.time)
        self.bench = MadeBench(self.time, self.sampler, {"old": step_ms, "new": step_ms * ratio}, **bench)
        self.plan = plan

    def phase(self, known: PerformanceEvidence | None = None) -> PerformancePhase:
        clock: Any = self.time
        return PerformancePhase(self.plan, DEFAULT_LIMITS, self.bench, self.sampler, self.watcher, clock, known)

    def run(self) -> PerformanceEvidence:
        self.done = self.phase()
        return self.done.run()


def test_an_equal_candidate_gets_three_sessions_of_whole_blocks(lab: Any) -> None:
    run = Run(lab)
    evidence = run.run()
    assert evidence.planned_blocks == {"a_a": 8, "sampler": 8, "comparison": 8}
    for session in evidence.planned_blocks:
        slices = [piece for piece in evidence.slices if piece.session == session]
        assert [(piece.block, piece.position) for piece in slices] == [(b, p) for b in range(8) for p in range(4)]
        orders = ["".join(piece.role[0] for piece in slices[4 * b : 4 * b + 4]) for b in range(8)]
        assert set(orders) == {"rccr", "crrc"}
        assert all(one != other for one, other in itertools.pairwise(orders))
        assert Counter(piece.pair for piece in slices) == {0: 8, 1: 12, 2: 12}
    assert run.watcher.slice_rows == list(evidence.slices)
    assert run.watcher.samples == list(evidence.telemetry)
    assert (evidence.clock, evidence.step_flops) == ("perf_counter", {"reference": 11, "candidate": 11})
    assert evidence.matrix_peak_flops_per_s == 5e12
    assert evidence.fill_blocks_per_sm == largest_grid(PLAN) / 4


def test_sessions_of_the_reference_alone_build_it_twice_and_every_pair_is_fresh(lab: Any) -> None:
    run = Run(lab)
    run.run()
    made = [(process.role, process.subject) for process in run.bench.processes]
    own = [("reference", "old"), ("candidate", "old")] * 6
    assert made == own + [("reference", "old"), ("candidate", "new")] * 3
    assert all(process.closed for process in run.bench.processes)
    pids = [process.pid for process in run.bench.processes]
    pairs = [pair for one, other in zip(pids[::2], pids[1::2], strict=True) for pair in ((), (one, other))]
    assert [owned[1:] for owned in run.sampler.owned] == [*pairs, ()]
    assert {owned[0] for owned in run.sampler.owned} == {os.getpid()}


def test_the_sampler_is_off_for_the_references_slices_of_its_own_session_only(lab: Any) -> None:
    run = Run(lab)
    evidence = run.run()
    for piece, (role, _, _, _, paused) in zip(evidence.slices, run.bench.timed, strict=True):
        assert piece.role == role
        assert paused == (piece.session == "sampler" and role == "reference")
    assert not run.sampler.paused
    assert run.sampler.stops == 1


def test_each_slice_has_its_edges_its_samples_and_its_times(lab: Any) -> None:
    for piece in Run(lab).run().slices:
        assert piece.before is not None
        assert piece.after is not None
        assert piece.before.at_s == piece.started_s < piece.ended_s == piece.after.at_s
        assert piece.sm_clock_mhz == 1500.0
        assert piece.kernel_resident_pct is None
        assert piece.steps == 30
        assert piece.steps_busy_s == pytest.approx(piece.steps * piece.mean_step_ms / 1e3)
        assert piece.median_step_ms == pytest.approx(10.0, rel=2e-3)


def test_both_roles_take_the_same_number_of_steps_by_the_faster_one(lab: Any) -> None:
    run = Run(lab, ratio=0.5, step_ms=4.0, plan=replace(PLAN, performance=PerformanceSpec(8, 0.2, 2)))
    slices = run.run().slices
    assert {piece.steps for piece in slices if piece.session == "comparison"} == {100}
    assert {piece.steps for piece in slices if piece.session == "a_a"} == {50}


@pytest.mark.parametrize(
    ("steps", "step_ms", "turns"),
    [
        (200, 5.0, Turns(40, 5, 2)),
        (40, 5.0, Turns(8, 5, 2)),
        (41, 5.0, Turns(9, 5, 2)),
        (3334, 0.3, Turns(40, 84, 2)),
        (30, 25.0, Turns(6, 5, 2)),
        (10, 100.0, Turns(2, 5, 1)),
        (5, 1000.0, Turns(1, 5, 1)),
    ],
)
def test_turns_of_a_slice(steps: int, step_ms: float, turns: Turns) -> None:
    assert turns_of_slice(steps, step_ms) == turns


@pytest.fixture
def on_gpu(lab: Any) -> Run:
    """A candidate that is a tenth slower, on a device that is timed as a GPU is."""
    return Run(lab, ratio=1.1, step_ms=4.0, clock="cuda events")


def test_on_a_gpu_the_slices_of_a_block_take_turns(on_gpu: Run) -> None:
    evidence = on_gpu.run()
    assert list(evidence.planned_blocks) == ["a_a", "sampler", "comparison", "utilization", "confirmation"]
    for piece in evidence.slices:
        whole = piece.session in ("sampler", "utilization")
        assert piece.interrupted != whole
        assert (piece.turns, piece.own_s is None) == ((1, True) if whole else (5, False))
        assert piece.steps_busy_s == pytest.approx(piece.steps * piece.mean_step_ms / 1e3)
        assert piece.steps == (300 if piece.session == "utilization" else 35 if not whole else 30)
        assert piece.wall_s == pytest.approx(piece.steps_busy_s)
        assert piece.before is not None
        assert piece.after is not None
        assert piece.before.at_s <= piece.started_s < piece.ended_s <= piece.after.at_s
    block = [piece for piece in evidence.slices if (piece.session, piece.block) == ("comparison", 2)]
    assert all((piece.before, piece.after) == (block[0].before, block[0].after) for piece in block)
    assert max(piece.started_s for piece in block) < min(piece.ended_s for piece in block)


def test_turns_change_places_in_both_halves_of_a_block(on_gpu: Run) -> None:
    evidence = on_gpu.run()
    first = next(piece for piece in evidence.slices if piece.session == "a_a").role
    a, b = (first, "candidate" if first == "reference" else "reference")
    turns = [role for role, _, _, _, _ in on_gpu.bench.timed[: 5 * 4]]
    straight, changed = [a, b, b, a], [b, a, a, b]
    assert turns == [*straight, *changed, *changed, *straight, *changed]


def test_a_step_as_long_as_a_slice_needs_no_session_of_utilization(lab: Any) -> None:
    evidence = Run(lab, step_ms=400.0, clock="cuda events").run()
    assert list(evidence.planned_blocks) == ["a_a", "sampler", "comparison"]
    assert not any(piece.interrupted for piece in evidence.slices)


@pytest.mark.parametrize(
    ("seconds", "step_ms", "steps"),
    [(1.0, 100.0, 10), (1.0, 1000.0, 5), (1.0, 29.9, 34), (0.01, 29.9, 30), (0.01, 30.0, 5), (1.0, 0.3, 3334),
     (60.0, 0.001, 50_000)],
)  # fmt: skip
def test_steps_of_a_slice(seconds: float, step_ms: float, steps: int) -> None:
    assert steps_of_slice(seconds, step_ms) == steps


def test_a_phase_goes_on_from_what_is_known(lab: Any) -> None:
    whole = Run(lab).run()
    kept = tuple(piece for piece in whole.slices if piece.session == "a_a")
    known = replace(whole, slices=kept, planned_blocks={"a_a": 8}, sampler=None, telemetry=())
    run = Run(lab)
    evidence = run.phase(known).run()
    assert list(evidence.planned_blocks) == ["a_a", "sampler", "comparison"]
    assert evidence.slices[: len(kept)] == kept
    assert len(run.bench.timed) == len(evidence.slices) - len(kept)


def test_the_order_is_the_seeds(lab: Any) -> None:
    orders = {
        seed: tuple(piece.role for piece in Run(lab, plan=replace(PLAN, seed=seed)).run().slices) for seed in range(6)
    }
    assert len(set(orders.values())) > 1
    assert orders[3] == tuple(piece.role for piece in Run(lab).run().slices)


def test_a_slower_candidate_is_confirmed_in_fresh_processes(lab: Any) -> None:
    evidence = Run(lab, ratio=1.2).run()
    assert list(evidence.planned_blocks) == ["a_a", "sampler", "comparison", "confirmation"]


def test_a_device_that_is_not_watched_has_no_session_for_its_sampler(lab: Any) -> None:
    run = Run(lab)
    run.sampler = run.bench.sampler = MadeSampler(run.time, absent=True)
    evidence = run.run()
    assert list(evidence.planned_blocks) == ["a_a", "comparison"]
    assert evidence.sampler is not None
    assert evidence.sampler.source == "absent"
    assert all(piece.before is None and piece.after is None for piece in evidence.slices)
    assert run.sampler.stops == 1


@pytest.mark.parametrize(("breaks_at", "slices", "session"), [(6, 5, "a_a"), (65, 64, "comparison")])
def test_trouble_ends_the_phase_and_keeps_what_was_recorded(
    lab: Any, breaks_at: int, slices: int, session: str
) -> None:
    run = Run(lab, breaks_at=breaks_at)
    evidence = run.run()
    (trouble,) = evidence.troubles
    assert (trouble.reason, trouble.message) == ("oom_device", "planted")
    assert trouble.where.startswith(f"{session} block ")
    assert len(evidence.slices) == len(run.watcher.slice_rows) == slices
    assert all(process.closed for process in run.bench.processes)
    assert run.sampler.stops == 1


@pytest.mark.parametrize("bench", [{"refuses": "new"}, {"breaks_while_built": "new"}])
def test_a_candidate_that_cannot_be_built_is_its_own_trouble(lab: Any, bench: dict[str, str]) -> None:
    run = Run(lab, **bench)
    evidence = run.run()
    (trouble,) = evidence.troubles
    assert (trouble.role, trouble.where) == ("candidate", "comparison pair 0, building")
    assert all(process.closed for process in run.bench.processes)


def test_a_lost_device_fails_the_run_and_keeps_what_was_recorded(lab: Any) -> None:
    run = Run(lab)
    run.sampler = run.bench.sampler = MadeSampler(run.time, lost_after=3)
    with pytest.raises(RunFailed, match="fell off the bus") as caught:
        run.run()
    assert caught.value.code == "gpu_lost"
    assert len(run.done.evidence().slices) >= 8
    assert run.done.evidence().sampler is not None
    assert all(process.closed for process in run.bench.processes)


def test_a_lost_device_is_not_the_subjects_fault(lab: Any) -> None:
    run = Run(lab, breaks_at=7)
    run.sampler = run.bench.sampler = MadeSampler(run.time, lost_after=2)
    with pytest.raises(RunFailed, match="fell off the bus"):
        run.run()


def test_a_process_that_is_gone_is_no_lost_device(lab: Any) -> None:
    run = Run(lab)
    run.sampler.drain = lambda: [TelemetrySample(run.time.seconds, "process_rss_bytes", None, "lost")]  # type: ignore[method-assign]
    assert len(run.run().slices) == 96


@pytest.mark.parametrize("at", [0, 1, 5, 40])
def test_a_wish_to_stop_leaves_no_process_and_no_sampler(lab: Any, at: int) -> None:
    run = Run(lab)
    run.watcher = lab.Watcher(RunCancelled("stop"), at)
    with pytest.raises(RunCancelled):
        run.run()
    assert all(process.closed for process in run.bench.processes)
    assert run.sampler.stops == 1


def test_a_wish_to_stop_is_heard_while_a_slice_runs(lab: Any) -> None:
    """The bench calls what it was given to watch with; that it does so while it waits, its own tests show."""
    run = Run(lab)
    run.run()
    reports = Counter(report[1] for report in run.watcher.reports)
    assert all(reports[done] >= 2 for done in range(96))


def test_progress_never_goes_back_and_ends_complete(lab: Any) -> None:
    run = Run(lab, ratio=1.2)
    run.run()
    done = [report[1] for report in run.watcher.reports]
    assert done == sorted(done)
    assert run.watcher.reports[-1][1:] == (128, 128)


def test_a_device_that_cannot_be_measured_leaves_its_figures_unmeasured(lab: Any) -> None:
    evidence = Run(lab, figures=None).run()
    assert (evidence.matrix_peak_flops_per_s, evidence.fill_blocks_per_sm) == (None, None)
    on_cpu = Run(lab, figures=DeviceFigures(1.0, None)).run()
    assert (on_cpu.matrix_peak_flops_per_s, on_cpu.fill_blocks_per_sm) == (1.0, None)


@pytest.mark.parametrize(
    ("model", "rows", "blocks"),
    [
        # (2048, 2048) forward: 64 x 128 blocks of (32, 16).
        (ModelSpec(2048, 1, 1024), 2048, 64 * 128),
        # (64, 64) and less: fewer than 680 blocks either way, so (16, 16).
        (ModelSpec(64, 1, 56), 64, 4 * 4),
        # (512, 320) at most: 16 x 20 = 320 blocks are few, so 32 x 20.
        (ModelSpec(512, 2, 128), 16, 32 * 20),
    ],
)
def test_the_largest_grid_by_the_references_rule(model: ModelSpec, rows: int, blocks: int) -> None:
    assert largest_grid(Plan(model=model, training=TrainingSpec(batch_size=rows))) == blocks
