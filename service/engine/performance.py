"""The performance phase: slices of both roles, one at a time, in blocks of four, spread over pairs of fresh processes.
Where the plan has a second card, once more two at a time, each on a card of its own.

Which session comes next is a function of what was recorded (`parity.timing`); here it is carried out. On a GPU, whose
steps are launched by a host that is now faster and now slower by tens of percent, the slices of a block are taken in
short turns (docs/measuring.md). What the sampler saw is attached to the slices as they come.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from service.engine.launch_geometry import largest_grid
from service.engine.observer import Observer
from service.engine.telemetry_in_slices import seen_within
from service.engine.turns import Turns, levelled_times, settle_steps, steps_of_slice, turns_of_slice
from service.parity.errors import BenchTrouble, RunFailed
from service.parity.measurements import (
    POLLED_FIELDS,
    EdgeReading,
    PerformanceEvidence,
    Role,
    SamplerReport,
    SessionKind,
    Slice,
    TelemetrySample,
    TimingTrouble,
)
from service.parity.plan import Plan
from service.parity.timing import (
    AT_ONCE,
    GPU_CLOCK,
    ORDERS,
    ROLES,
    SELF_SESSIONS,
    UNINTERRUPTED,
    TimingLimits,
    blocks_of_session,
    next_session,
    on_second_device,
    pairs_of_session,
    session_words,
)
from service.ports import Bench, BenchProcess, Clock, Sampler, TimedSteps

PHASE = "performance"

UTILIZATION_SLICE_S = 1.2
"""Six of the periods over which the driver's utilization is a mean."""

_ORDER_STREAM, _SETTLE_STREAM = 7, 8
_KINDS: tuple[SessionKind, ...] = get_args(SessionKind)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a slice stands."""

    session: SessionKind
    pair: int
    block: int
    position: int
    role: Role

    @property
    def seat(self) -> _Seat:
        return self.role, int(on_second_device(self.session, self.position))


_Seat = tuple[Role, int]
"""Whose process, and on which of the plan's cards."""


class PerformancePhase:
    """Runs the phase once; `evidence()` holds what was recorded so far, also after an error."""

    def __init__(
        self,
        plan: Plan,
        limits: TimingLimits,
        bench: Bench,
        sampler: Sampler,
        observer: Observer,
        clock: Clock,
        known: PerformanceEvidence | None = None,
    ) -> None:
        """`known`: what was recorded before, which the phase goes on from."""
        self._plan, self._limits, self._bench, self._observer, self._clock = plan, limits, bench, observer, clock
        self._sampler: Sampler | None = sampler
        self._evidence = known or PerformanceEvidence(clock="", order_seed=plan.seed)
        self._pending: list[Slice] = []
        self._recent: list[TelemetrySample] = []
        self._done = 0
        self._told = ("", 0, 1)

    def evidence(self) -> PerformanceEvidence:
        """What was seen so far."""
        return self._evidence

    def run(self) -> PerformanceEvidence:
        """Session after session, until nothing is left to learn or a subject breaks.

        Raises `RunFailed` where the device was lost, and what the observer raises.
        """
        began = self._clock.monotonic()
        self._bench.watch(lambda: self._tell(*self._told))
        try:
            self._begin_sampling()
            if self._evidence.matrix_peak_flops_per_s is None:
                self._know_the_device()
            while not self._evidence.troubles:
                kind = next_session(self._evidence, self._plan, self._limits)
                if kind is None:
                    break
                self._session(kind)
        finally:
            self._bench.watch(lambda: None)
            try:
                self._end_sampling()
            finally:
                self._change(seconds=self._clock.monotonic() - began)
        self._tell("done", self._done, max(self._done, 1))
        return self._evidence

    # --- sessions -----------------------------------------------------------------------------------------------------

    def _session(self, kind: SessionKind) -> None:
        blocks = blocks_of_session(kind, self._plan)
        if kind in self._evidence.planned_blocks:
            raise RunFailed("internal", f"the {kind} session was to be carried out twice; this is a defect of Lockstep")
        self._change(planned_blocks={**self._evidence.planned_blocks, kind: blocks})
        self._session_began, self._session_slices = self._clock.monotonic(), 0
        first = int(np.random.default_rng((self._evidence.order_seed, _ORDER_STREAM, _KINDS.index(kind))).integers(2))
        pairs = pairs_of_session(kind, self._plan)
        try:
            for pair in range(pairs):
                numbers = range(pair * blocks // pairs, (pair + 1) * blocks // pairs)
                with ExitStack() as closing:
                    processes = self._open(kind, pair, closing)
                    turns = self._warm_up(kind, pair, processes)
                    for block in numbers:
                        self._block(kind, pair, block, (first + block) % 2, processes, turns)
        except _BrokenError as broken:
            self._change(troubles=(*self._evidence.troubles, *broken.troubles))
            self._attach()
        finally:
            if kind == "sampler" and self._sampler is not None:
                self._sampler.resume()

    def _open(self, kind: SessionKind, pair: int, closing: ExitStack) -> Mapping[_Seat, BenchProcess]:
        plan, processes = self._plan, {}
        self._note(f"{session_words(kind)}, building both sides afresh")
        cards = [plan, plan.on_second_device()] if kind == "side_by_side" else [plan]
        seats: list[_Seat] = [(role, card) for card in range(len(cards)) for role in ROLES]
        for role, card in seats:
            subject = plan.reference if role == "reference" or kind in SELF_SESSIONS else plan.candidate
            with _blaming(role, f"{kind} pair {pair}, building{_on(cards[card], kind)}"):
                processes[role, card] = self._bench.open(role, subject, cards[card], pair)
            closing.callback(processes[role, card].close)
        for role, card in seats:
            with _blaming(role, f"{kind} pair {pair}, building{_on(cards[card], kind)}"):
                processes[role, card].built()
            if kind not in SELF_SESSIONS:
                self._change(step_flops={**self._evidence.step_flops, role: processes[role, card].step_flops})
        self._change(clock=processes["reference", 0].clock)
        # Those on the second card too: what the driver lists on the first is not theirs to be foreign in.
        self._own(*(process.pid for process in processes.values()))
        closing.callback(self._own)  # the first to be called: none that is watched may vanish
        return processes

    def _warm_up(self, kind: SessionKind, pair: int, processes: Mapping[_Seat, BenchProcess]) -> Turns:
        """How slices are taken in this pair: by the faster role, so that both are busy for long enough."""
        self._note(f"{session_words(kind)}, warming up")
        step_ms = []
        for (role, _), process in processes.items():
            with _blaming(role, f"{kind} pair {pair}, warming up"):
                step_ms.append(process.warm_up(self._plan.performance.slice_seconds))
        seconds = self._plan.performance.slice_seconds
        if kind == "utilization":
            seconds = max(seconds, UTILIZATION_SLICE_S)
        whole = kind in UNINTERRUPTED or processes["reference", 0].clock != GPU_CLOCK
        steps = steps_of_slice(seconds, min(step_ms))
        return Turns(1, steps, 0) if whole else turns_of_slice(steps, min(step_ms))

    def _block(
        self,
        kind: SessionKind,
        pair: int,
        block: int,
        order: int,
        processes: Mapping[_Seat, BenchProcess],
        turns: Turns,
    ) -> None:
        roles = cast(tuple[Role, ...], ORDERS[order])
        places = [_Place(kind, pair, block, position, role) for position, role in enumerate(roles)]
        if kind == "side_by_side":
            for positions in AT_ONCE:
                self._at_once([places[position] for position in positions], processes, turns)
        elif turns.turns > 1:
            self._in_turns(places, processes, turns)
        else:
            for place in places:
                self._slice(place, processes[place.seat], turns)
        self._attach()

    def _at_once(self, places: Sequence[_Place], processes: Mapping[_Seat, BenchProcess], turns: Turns) -> None:
        """Slices on as many cards, all begun before one is waited for. The counters are those of the plan's own device:
        a slice on another has none.

        Where one breaks the others are heard out: if the reference broke too, nobody can say that it is the
        candidate's fault.
        """
        self._note(self._estimate(places[0].session, places[0].block))
        before = self._edge()
        for place in places:
            processes[place.seat].begin_steps(turns.steps, turns.settle)
        taken: list[TimedSteps] = []
        troubles: list[TimingTrouble] = []
        for place in places:
            try:
                with _blaming(place.role, _where(place)):
                    taken.append(processes[place.seat].end_steps())
            except _BrokenError as broken:
                troubles += broken.troubles
        if troubles:
            raise _BrokenError(*troubles)
        after = self._edge()
        for place, times in zip(places, taken, strict=True):
            watched = not on_second_device(place.session, place.position)
            self._keep(place, [times], *((before, after) if watched else (None, None)))

    def _slice(self, place: _Place, process: BenchProcess, turns: Turns) -> None:
        """In one stretch, with the counters read at its edges."""
        self._note(self._estimate(place.session, place.block))
        if place.session == "sampler" and self._sampler is not None:
            (self._sampler.pause if place.role == "reference" else self._sampler.resume)()
        before = self._edge()
        times = self._turn(place, process, turns)
        self._keep(place, [times], before, self._edge())

    def _in_turns(self, places: Sequence[_Place], processes: Mapping[_Seat, BenchProcess], turns: Turns) -> None:
        """All slices of a block, with the counters read at the block's edges.

        Every other turn changes places within both halves of the block (ABBA, BAAB, BAAB, ABBA, …: the Thue-Morse
        order), so that a drift which is a polynomial of a low degree in time cancels.
        """
        self._note(self._estimate(places[0].session, places[0].block))
        taken: list[list[TimedSteps]] = [[] for _ in places]
        kind, block = places[0].session, places[0].block
        settle = settle_steps(
            turns, len(places), (self._evidence.order_seed, _SETTLE_STREAM, _KINDS.index(kind), block)
        )
        before = self._edge()
        for turn in range(turns.turns):
            for position in (0, 1, 2, 3) if turn.bit_count() % 2 == 0 else (1, 0, 3, 2):
                place = places[position]
                drawn = replace(turns, settle=int(settle[turn, position]))
                taken[position].append(self._turn(place, processes[place.seat], drawn))
        after = self._edge()
        step_ms = np.array([[times.step_ms for times in turns_taken] for turns_taken in taken])
        for place, times, levelled in zip(places, taken, levelled_times(step_ms), strict=True):
            self._keep(place, times, before, after, levelled)

    def _turn(self, place: _Place, process: BenchProcess, turns: Turns) -> TimedSteps:
        with _blaming(place.role, _where(place)):
            return process.time_steps(turns.steps, turns.settle)

    def _keep(
        self,
        place: _Place,
        turns: Sequence[TimedSteps],
        before: EdgeReading | None,
        after: EdgeReading | None,
        levelled_ms: NDArray[np.float64] | None = None,
    ) -> None:
        step_ms = np.concatenate([times.step_ms for times in turns])
        cpu_s = [times.thread_cpu_s for times in turns if times.thread_cpu_s is not None]
        self._pending.append(
            Slice(
                session=place.session,
                pair=place.pair,
                block=place.block,
                position=place.position,
                role=place.role,
                steps=len(step_ms),
                median_step_ms=float(np.median(step_ms if levelled_ms is None else levelled_ms)),
                mean_step_ms=float(np.mean(step_ms)),
                steps_busy_s=float(np.sum(step_ms)) / 1e3,
                started_s=turns[0].started_s,
                ended_s=turns[-1].ended_s,
                before=before,
                after=after,
                thread_cpu_s=sum(cpu_s) if len(cpu_s) == len(turns) else None,
                turns=len(turns),
                own_s=sum(times.ended_s - times.started_s for times in turns) if len(turns) > 1 else None,
            )
        )
        self._done += 1
        self._session_slices += 1

    # --- the sampler --------------------------------------------------------------------------------------------------

    def _begin_sampling(self) -> None:
        assert self._sampler is not None
        self._note("starting the sampler")
        self._sampler.start()
        self._own()
        if not self._sampler.edge().values:
            # Nothing to be seen here: why, its report says, and nothing waits for it any more.
            self._end_sampling()

    def _end_sampling(self) -> None:
        if self._sampler is None:
            return
        sampler, self._sampler = self._sampler, None
        try:
            self._take(sampler.drain())
            self._attach()
        finally:
            report = sampler.stop()
            self._change(sampler=report)
        _demand_device(report)

    def _own(self, *pids: int) -> None:
        """These processes, and this one, which may hold a context from the phases before."""
        if self._sampler is not None:
            self._sampler.own([os.getpid(), *pids])

    def _edge(self) -> EdgeReading | None:
        return None if self._sampler is None else self._sampler.edge()

    def _drain(self) -> None:
        if self._sampler is not None:
            self._take(self._sampler.drain())
            if any(sample.status == "lost" and sample.field in _OF_THE_DEVICE for sample in self._recent):
                self._end_sampling()

    def _take(self, samples: Sequence[TelemetrySample]) -> None:
        self._recent.extend(samples)
        self._change(telemetry=(*self._evidence.telemetry, *samples))
        self._observer.telemetry(samples)

    def _attach(self) -> None:
        """Give the slices that wait what was sampled within them, and hand them over."""
        self._drain()
        slices = [
            piece if on_second_device(piece.session, piece.position) else seen_within(piece, self._recent)
            for piece in self._pending
        ]
        self._pending = []
        # The last samples stay: a value is about the time since the one before it.
        self._recent = self._recent[-_KEPT_SAMPLES:]
        self._change(slices=(*self._evidence.slices, *slices))
        self._observer.slices(slices)

    # --- the device ---------------------------------------------------------------------------------------------------

    def _know_the_device(self) -> None:
        """What a step's figures are shares of. A device that cannot do a product breaks the subjects too, and more
        plainly: then these figures stay unmeasured."""
        self._note("measuring the device's matrix rate")
        try:
            figures = self._bench.device_figures(self._plan)
        except BenchTrouble:
            return
        blocks = None if figures.multiprocessors is None else largest_grid(self._plan) / figures.multiprocessors
        self._change(matrix_peak_flops_per_s=figures.matrix_peak_flops_per_s, fill_blocks_per_sm=blocks)

    # --- progress -----------------------------------------------------------------------------------------------------

    def _estimate(self, kind: SessionKind, block: int) -> str:
        blocks = self._evidence.planned_blocks[kind]
        words = f"{session_words(kind)}; block {block + 1} of {blocks}"
        if not self._session_slices:
            return words
        each_s = (self._clock.monotonic() - self._session_began) / self._session_slices
        left_s = each_s * (4 * blocks - self._session_slices)
        return f"{words}, about {math.ceil(left_s)} s left in this session"

    def _note(self, message: str) -> None:
        planned = self._evidence.planned_blocks
        sure = {"a_a", "sampler", "comparison"}
        if self._plan.performance.second_device is not None:
            sure.add("side_by_side")
        awaited = {kind for kind in _KINDS if kind in planned or kind in sure}
        if self._evidence.clock == GPU_CLOCK and self._sampler is not None:
            awaited.add("utilization")
        if self._evidence.sampler is not None:
            awaited -= {"sampler", "utilization"} - set(planned)
        total = sum(4 * planned.get(kind, blocks_of_session(kind, self._plan)) for kind in awaited)
        self._tell(message, self._done, total)

    def _tell(self, message: str, done: int, total: int) -> None:
        self._told = (message, done, total)
        self._observer.progress(PHASE, done, total, message)

    def _change(self, **fields: object) -> None:
        self._evidence = replace(self._evidence, **fields)  # type: ignore[arg-type]


class _BrokenError(Exception):
    """Carries trouble of one role, or of both at once, out of a session."""

    def __init__(self, *troubles: TimingTrouble) -> None:
        self.troubles = troubles
        super().__init__("; ".join(trouble.message for trouble in troubles))


_OF_THE_DEVICE = frozenset(field for field in POLLED_FIELDS if not field.startswith("process_"))
"""A process that is gone is no lost device."""

_KEPT_SAMPLES = 64
"""Several of every field."""


@contextmanager
def _blaming(role: Role, where: str) -> Iterator[None]:
    try:
        yield
    except BenchTrouble as trouble:
        raise _BrokenError(TimingTrouble(role, where, str(trouble), trouble.reason)) from trouble


def _where(place: _Place) -> str:
    return f"{place.session} block {place.block}, position {place.position}"


def _on(plan: Plan, kind: SessionKind) -> str:
    """Which card, where there are two."""
    return f" on {plan.device}" if kind == "side_by_side" else ""


def _demand_device(report: SamplerReport) -> None:
    if report.lost_reason is not None:
        raise RunFailed("gpu_lost", f"the device was lost while it was watched: {report.lost_reason}")
