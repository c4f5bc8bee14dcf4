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

from service.engine.launch_geometry import largest_grid
from service.engine.performance import PerformancePhase
from service.parity.errors import BenchTrouble, RunCancelled, RunFailed
from service.parity.measurements import EdgeReading, PerformanceEvidence, SamplerReport, Slice, TelemetrySample
from service.parity.plan import PerformanceSpec, Plan
from service.parity.timing import DEFAULT_LIMITS, read
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
    device: str
    step_flops: int = 11
    closed: bool = False
    begun: tuple[float, int] | None = None
    settling: int = 0

    def built(self) -> None:
        if self.subject == self.bench.breaks_while_built:
            raise BenchTrouble("died", "planted")

    def warm_up(self, seconds: float) -> float:
        return self.step_ms

    @property
    def step_ms(self) -> float:
        return self.bench.step_ms[self.subject] * self.bench.slowness.get(self.device, 1.0)

    def time_steps(self, steps: int, settle: int = 0) -> TimedSteps:
        self.begin_steps(steps, settle)
        return self.end_steps()

    def begin_steps(self, steps: int, settle: int = 0) -> None:
        assert not self.closed
        assert self.begun is None
        self.settling = settle
        self.begun = self.bench.time.seconds + settle * self.step_ms / 1e3, steps
        self.bench.told.append(("begin", self))

    def end_steps(self) -> TimedSteps:
        bench = self.bench
        assert self.begun is not None
        (began, steps), self.begun = self.begun, None
        bench.timed.append((self.role, self.subject, self.pid, steps, bench.sampler.paused))
        bench.stepped.setdefault(self.pid, []).append((self.settling, steps))
        bench.told.append(("end", self))
        bench.waiting()
        if len(bench.timed) in bench.breaks_at:
            raise BenchTrouble("oom_device", "planted")
        noise = 1 + 0.001 * np.sin(len(bench.timed))
        step_ms = np.full(steps, self.step_ms * noise)
        ended = began + float(step_ms.sum()) / 1e3
        bench.time.seconds = max(bench.time.seconds, ended)
        return TimedSteps(step_ms, began, ended, 0.01)

    def close(self) -> None:
        self.closed = True


@dataclass
class MadeBench:
    time: Time
    sampler: MadeSampler
    step_ms: dict[str, float]
    clock: str = "perf_counter"
    breaks_at: tuple[int, ...] = ()
    slowness: dict[str, float] = field(default_factory=dict)
    refuses: str = ""
    breaks_while_built: str = ""
    processes: list[MadeProcess] = field(default_factory=list)
    timed: list[tuple[Any, str, int, int, bool]] = field(default_factory=list)
    told: list[tuple[str, MadeProcess]] = field(default_factory=list)
    stepped: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    """Untimed and timed steps of each turn of a process."""
    waiting: Any = None
    figures: DeviceFigures | None = field(default_factory=lambda: DeviceFigures(5e12, 4))

    def watch(self, waiting: Any) -> None:
        self.waiting = waiting

    def device_figures(self, plan: Plan) -> DeviceFigures:
        if self.figures is None:
            raise BenchTrouble("died", "planted")
        return self.figures

    def open(self, role: Any, subject: str, plan: Plan, pair: int) -> MadeProcess:
        assert sum(not process.closed for process in self.processes if process.device == plan.device) <= 1
        if subject == self.refuses:
            raise BenchTrouble("exception", "cannot be built")
        self.processes.append(MadeProcess(self, role, subject, 1000 + len(self.processes), self.clock, plan.device))
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
        assert (piece.turns, piece.own_s is None) == ((1, True) if whole else (8, False))
        assert piece.steps_busy_s == pytest.approx(piece.steps * piece.mean_step_ms / 1e3)
        assert piece.steps == (300 if piece.session == "utilization" else 32 if not whole else 30)
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
    assert {steps for _, _, _, steps, _ in on_gpu.bench.timed[: 5 * 4]} == {4}
    straight, changed = [a, b, b, a], [b, a, a, b]
    assert turns == [*straight, *changed, *changed, *straight, *changed]


@pytest.mark.parametrize("every", [2, 3, 4, 5, 6, 7, 10, 12, 20])
@pytest.mark.parametrize("step_ms", [6.0, 40.0])
def test_what_a_side_does_every_so_many_steps_is_timed_as_often_as_it_is_done(
    lab: Any, every: int, step_ms: float
) -> None:
    """In every process, from whichever step it is counted: no turn may always have it where nothing is timed."""
    run = Run(lab, step_ms=step_ms, clock="cuda events", plan=replace(PLAN, performance=PerformanceSpec(12, 1.0, 3)))
    kept = run.run().slices
    assert any(piece.interrupted for piece in kept)
    in_turns = [pid for pid, turns in run.bench.stepped.items() if turns[0][0] > 0]
    assert len(in_turns) == 12
    for pid in in_turns:
        timed = np.concatenate([np.repeat([False, True], turn) for turn in run.bench.stepped[pid]])
        of_phase = np.array([timed[phase::every].sum() for phase in range(every)]) / timed.sum()
        assert of_phase.sum() == pytest.approx(1.0)
        assert (np.abs(of_phase * every - 1) < 0.5).all(), of_phase * every


def test_slices_of_one_turn_need_no_session_of_utilization(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(PLAN, performance=PerformanceSpec(8, 0.1, 3))
    monkeypatch.setattr("service.engine.turns.MIN_STEPS", 3)
    evidence = Run(lab, step_ms=400.0, clock="cuda events", plan=plan).run()
    assert list(evidence.planned_blocks) == ["a_a", "sampler", "comparison"]
    assert not any(piece.interrupted for piece in evidence.slices)


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
    run = Run(lab, breaks_at=(breaks_at,))
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
    run = Run(lab, breaks_at=(7,))
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


# --- side by side -----------------------------------------------------------------------------------------------------

ON_TWO = replace(PLAN, device="cuda:0", performance=PerformanceSpec(8, 0.1, 2, "cuda:1"))


@pytest.fixture
def on_two(lab: Any) -> Run:
    """An equal candidate on two cards, of which the second is a fifth slower."""
    return Run(lab, plan=ON_TWO, slowness={"cuda:1": 1.2})


def beside(evidence: PerformanceEvidence) -> list[Slice]:
    return [piece for piece in evidence.slices if piece.session == "side_by_side"]


def test_side_by_side_comes_where_the_plan_has_a_second_card(on_two: Run) -> None:
    evidence = on_two.run()
    assert evidence.planned_blocks == {"a_a": 8, "sampler": 8, "comparison": 8, "side_by_side": 8}
    slices = beside(evidence)
    assert [(piece.block, piece.position) for piece in slices] == [(b, p) for b in range(8) for p in range(4)]
    orders = ["".join(piece.role[0] for piece in slices[4 * b : 4 * b + 4]) for b in range(8)]
    assert set(orders) == {"rccr", "crrc"}
    assert Counter(piece.pair for piece in slices) == {0: 16, 1: 16}
    assert {piece.turns for piece in slices} == {1}
    others = [process.device for process in on_two.bench.processes[: 2 * 2 * 3]]
    assert set(others) == {"cuda:0"}, "one card is enough for what is not side by side"


def test_each_side_is_on_a_card_of_its_own_at_the_same_time_and_then_on_the_others(on_two: Run) -> None:
    slices = beside(on_two.run())
    told = on_two.bench.told[-2 * len(slices) :]
    for number in range(0, len(slices), 2):
        at_once = told[2 * number : 2 * number + 4]
        assert [word for word, _ in at_once] == ["begin", "begin", "end", "end"]
        first, second = (process for _, process in at_once[:2])
        assert (first.device, second.device) == ("cuda:0", "cuda:1")
        one, other = slices[number : number + 2]
        assert (one.role, other.role) == (first.role, second.role)
        assert (first.subject, second.subject) == tuple(
            {"reference": "old", "candidate": "new"}[r.role] for r in (one, other)
        )
        assert one.role != other.role
        assert one.started_s == other.started_s
        assert one.steps == other.steps
    for block in range(8):
        seats = {(p.role, p.position % 2) for p in slices[4 * block : 4 * block + 4]}
        assert len(seats) == 4, "each role once on each card"


def test_the_cards_difference_cancels_in_every_block(on_two: Run) -> None:
    reading = read(on_two.run(), ON_TWO, ("side_by_side",), DEFAULT_LIMITS)
    assert reading.ratio is not None
    assert len(reading.valid) == 8
    assert abs(reading.ratio.estimate) < 2e-3
    assert reading.ratio.spread < 2e-3


def test_four_fresh_processes_a_pair_all_of_them_the_runs_own_and_all_closed(on_two: Run) -> None:
    on_two.run()
    made = on_two.bench.processes[-8:]
    subjects = [("reference", "old", "cuda:0"), ("candidate", "new", "cuda:0"),
                ("reference", "old", "cuda:1"), ("candidate", "new", "cuda:1")]  # fmt: skip
    assert [(process.role, process.subject, process.device) for process in made] == subjects * 2
    assert all(process.closed for process in on_two.bench.processes)
    owned = [owned[1:] for owned in on_two.sampler.owned if len(owned) == 5]
    assert owned == [tuple(process.pid for process in made[:4]), tuple(process.pid for process in made[4:])]


def test_only_slices_on_the_watched_card_have_what_was_seen_there(on_two: Run) -> None:
    for piece in beside(on_two.run()):
        if piece.position % 2:
            assert (piece.before, piece.after, piece.sm_clock_mhz, piece.activity) == (None, None, None, {})
        else:
            assert piece.before is not None
            assert piece.after is not None
            assert piece.before.at_s <= piece.started_s < piece.ended_s <= piece.after.at_s
            assert piece.sm_clock_mhz == 1500.0


AHEAD = 96
"""Slices before the first side by side."""


@pytest.mark.parametrize("at", [1, 2])
def test_trouble_of_one_card_ends_the_processes_of_both(lab: Any, at: int) -> None:
    run = Run(lab, plan=ON_TWO, breaks_at=(AHEAD + at,))
    evidence = run.run()
    (trouble,) = evidence.troubles
    broke = [process for word, process in run.bench.told if word == "end"][AHEAD + at - 1]
    assert (trouble.role, trouble.where) == (broke.role, f"side_by_side block 0, position {at - 1}")
    assert len(evidence.slices) == len(run.watcher.slice_rows) == AHEAD
    assert all(process.closed for process in run.bench.processes)
    assert run.sampler.stops == 1


def test_trouble_of_both_cards_is_told_of_both(lab: Any) -> None:
    """As when the host runs out of memory: then nobody can say that it is the candidate's fault."""
    evidence = Run(lab, plan=ON_TWO, breaks_at=(AHEAD + 1, AHEAD + 2)).run()
    assert {trouble.role for trouble in evidence.troubles} == {"reference", "candidate"}


def test_a_candidate_that_cannot_be_built_on_the_second_card_is_told_with_the_card(lab: Any) -> None:
    run = Run(lab, plan=ON_TWO)
    opened = run.bench.open

    def refuse(role: Any, subject: str, plan: Plan, pair: int) -> MadeProcess:
        if (subject, plan.device) == ("new", "cuda:1"):
            raise BenchTrouble("exception", "no room")
        return opened(role, subject, plan, pair)

    run.bench.open = refuse  # type: ignore[method-assign]
    (trouble,) = run.run().troubles
    assert (trouble.role, trouble.where) == ("candidate", "side_by_side pair 0, building on cuda:1")
    assert all(process.closed for process in run.bench.processes)


def test_a_wish_to_stop_side_by_side_leaves_no_process(lab: Any) -> None:
    run = Run(lab, plan=ON_TWO)
    waits = itertools.count(1)

    def stop() -> None:
        if sum(not process.closed for process in run.bench.processes) == 4 and next(waits) == 3:
            raise RunCancelled("stop")

    run.bench.watch = lambda waiting: setattr(run.bench, "waiting", stop)  # type: ignore[method-assign]
    with pytest.raises(RunCancelled):
        run.run()
    assert len(run.bench.processes) == 2 * 2 * 3 + 4
    assert all(process.closed for process in run.bench.processes)


def test_progress_counts_side_by_side_from_the_beginning(on_two: Run) -> None:
    on_two.run()
    assert {report[2] for report in on_two.watcher.reports} == {128}
    assert on_two.watcher.reports[-1][1:] == (128, 128)


def test_a_device_that_is_not_watched_is_compared_side_by_side_too(on_two: Run) -> None:
    on_two.sampler = on_two.bench.sampler = MadeSampler(on_two.time, absent=True)
    assert list(on_two.run().planned_blocks) == ["a_a", "comparison", "side_by_side"]
