"""The free-running phase: both sides train on their own from one state; perturbed references show what rounding does.

The band comes from K reference trainings whose weights are moved by up to 4 units in the last place after every step:
perturbing only the start is not enough, because a flipped LeakyReLU sign makes the difference jump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.engine.background import LARGE_BYTES, Background
from service.engine.batches import Batches, Ledger
from service.engine.observer import Observer, SubjectTrouble, attempt, load, start, train
from service.engine.perturbation import moved_share, perturb
from service.parity.digest import state_digest
from service.parity.plan import Plan
from service.parity.record import (
    SIDES,
    BandMember,
    BatchLedger,
    FreeRunningEvidence,
    Side,
    StepLosses,
    TapDiff,
    Trouble,
)
from service.ports import Clock, Differ, State, StepResult, Subject, TapArrays

PHASE = "free_running"
_TURN_STEPS = 8
"""Steps that a side takes in a row: changing sides at every step drives both models' weights out of the cache."""
_TURN_BYTES = 2**24
_ROWS_AT_ONCE = 50
_BAND_STREAM = 3


@dataclass(frozen=True, slots=True)
class _Handout:
    """A step's batch. Each side gets its own: what one leaves of it can be hashed while the other trains."""

    step: int
    planned: NDArray[np.float32]
    own: Mapping[Side, NDArray[np.float32]]


@dataclass(slots=True)
class _Seen:
    losses: list[StepLosses] = field(default_factory=list)
    steps: dict[Side, int] = field(default_factory=lambda: {"reference": 0, "candidate": 0})
    weight_steps: list[int] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)
    reference_weights: list[State] = field(default_factory=list)
    members: list[BandMember] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    planned_start: str = ""
    starts: dict[Side, str] = field(default_factory=lambda: dict.fromkeys(SIDES, ""))
    ends: dict[Side, str] = field(default_factory=lambda: dict.fromkeys(SIDES, ""))


class FreeRunningPhase:
    """Runs the phase once. After `train()` both subjects hold their trained weights; `band()` uses the reference up."""

    def __init__(
        self,
        plan: Plan,
        subjects: Mapping[Side, Subject],
        batches: Batches,
        observer: Observer,
        clock: Clock,
        differ: Differ | None = None,
    ) -> None:
        self._plan, self._subjects, self._batches = plan, subjects, batches
        self._observer, self._clock = observer, clock
        self._seen = _Seen()
        self._seconds = 0.0
        self._window = plan.band_window()
        self._weigh_at = frozenset(plan.weight_steps())
        self._differ = differ
        self._taps: dict[Side, StepResult] = {}

    def train(self, initial_state: State) -> BatchLedger:
        """Train both sides from `initial_state`, the same batches in the same order."""
        began = self._clock.monotonic()
        self._seen.planned_start = state_digest(initial_state)
        ledger = Ledger(PHASE, self._batches.steps)
        try:
            for side in SIDES:
                self._seen.starts[side] = start(side, PHASE, self._subjects[side], initial_state)
            self._train(ledger)
            for side in SIDES:
                self._seen.ends[side] = self._digest(side)
        except SubjectTrouble as stop:
            self._seen.troubles.append(stop.trouble)
        self._seconds += self._clock.monotonic() - began
        return ledger.close()

    def band(self, initial_state: State) -> None:
        """Train the perturbed references over the band's window."""
        began = self._clock.monotonic()
        try:
            for member in range(self._plan.free_running.band_runs):
                self._seen.members.append(self._member(member, initial_state))
        except SubjectTrouble as stop:
            self._seen.troubles.append(stop.trouble)
        self._seconds += self._clock.monotonic() - began

    def evidence(self) -> FreeRunningEvidence:
        """What was seen so far."""
        seen = self._seen
        return FreeRunningEvidence(
            expected_steps=self._plan.training.steps,
            reference_steps=seen.steps["reference"],
            candidate_steps=seen.steps["candidate"],
            planned_start_digest=seen.planned_start,
            reference_start_digest=seen.starts["reference"],
            candidate_start_digest=seen.starts["candidate"],
            reference_end_digest=seen.ends["reference"],
            candidate_end_digest=seen.ends["candidate"],
            weight_steps=tuple(seen.weight_steps),
            candidate_weight_distances=tuple(seen.distances),
            members=tuple(seen.members),
            losses=tuple(seen.losses),
            troubles=tuple(seen.troubles),
            seconds=self._seconds,
        )

    def _train(self, ledger: Ledger) -> None:
        pending: list[StepLosses] = []
        try:
            with Background(self._batches.batch_bytes >= LARGE_BYTES) as background:
                for turn in background.ahead(self._turns()):
                    self._take_turn(turn, ledger, background, pending)
                    last = turn[-1].step
                    if self._shows_taps(last):
                        self._compare_taps(last)
                    if self._weighs(last):
                        self._weigh(last)
                    if len(pending) >= _ROWS_AT_ONCE:
                        self._hand_over(pending)
                    self._observer.progress(PHASE, last + 1, self._batches.steps, "training both sides")
        finally:
            self._hand_over(pending)

    def _turns(self) -> Iterator[list[_Handout]]:
        """The batches in turns of a few, ended where weights or taps are compared: taps live until the next step."""
        turn: list[_Handout] = []
        for step, batch in enumerate(self._batches):
            turn.append(_handout(step, batch))
            if len(turn) * batch.nbytes >= _TURN_BYTES or len(turn) == _TURN_STEPS or self._ends_a_turn(step):
                yield turn
                turn = []
        if turn:
            yield turn

    def _take_turn(
        self, turn: list[_Handout], ledger: Ledger, background: Background, pending: list[StepLosses]
    ) -> None:
        """Both sides train over the turn's batches, one side after the other."""
        for handout in turn:
            background.do(ledger.planned, handout.planned)
        losses: dict[Side, list[float]] = {side: [] for side in SIDES}
        try:
            for side in SIDES:
                for handout in turn:
                    take = self._step_with_taps if self._shows_taps(handout.step) else self._step
                    losses[side].append(take(side, handout.step, handout.own[side]))
                    background.do(ledger.used, side, handout.own[side])
                    self._seen.steps[side] += 1
        finally:
            # After trouble one side has fewer: the steps that both took are kept.
            both = zip(turn, losses["reference"], losses["candidate"], strict=False)
            pending.extend(StepLosses(PHASE, handout.step, first, second) for handout, first, second in both)

    def _hand_over(self, pending: list[StepLosses]) -> None:
        self._seen.losses.extend(pending)
        rows = list(pending)
        pending.clear()
        self._observer.losses(rows)

    def _step(self, side: Side, step: int, batch: NDArray[np.float32]) -> float:
        return train(side, PHASE, step, self._subjects[side], batch).loss

    def _step_with_taps(self, side: Side, step: int, batch: NDArray[np.float32]) -> float:
        self._taps[side] = train(side, PHASE, step, self._subjects[side], batch, taps=True)
        return self._taps[side].loss

    def _load(self, side: Side, state: State) -> None:
        load(side, PHASE, None, self._subjects[side], state)

    def _digest(self, side: Side) -> str:
        return attempt(side, PHASE, None, "state", lambda: state_digest(self._subjects[side].state()))

    def _weighs(self, step: int) -> bool:
        return step in self._weigh_at

    def _shows_taps(self, step: int) -> bool:
        every = self._plan.free_running.taps_every
        return self._differ is not None and every > 0 and step % every == 0

    def _ends_a_turn(self, step: int) -> bool:
        return self._weighs(step) or self._shows_taps(step)

    def _compare_taps(self, step: int) -> None:
        """Both sides' taps of this step against one another, to be looked at: what only one side has, or in another
        shape, is the synchronized phase's matter."""
        assert self._differ is not None
        reference, candidate = (self._taps.pop(side).taps for side in SIDES)
        both = [name for name, array in reference.items() if getattr(candidate.get(name), "shape", None) == array.shape]
        pairs = [TapArrays(reference[name], candidate[name]) for name in both]
        self._observer.diffs(
            [
                TapDiff(PHASE, step, position, name, tuple(reference[name].shape), str(reference[name].dtype), stats)
                for position, (name, stats) in enumerate(zip(both, self._differ.compare(pairs), strict=True))
            ]
        )

    def _weigh(self, step: int) -> None:
        reference = attempt("reference", PHASE, step, "state", self._subjects["reference"].state)
        candidate = attempt("candidate", PHASE, step, "state", self._subjects["candidate"].state)
        self._seen.weight_steps.append(step)
        self._seen.reference_weights.append(reference)
        self._seen.distances.append(attempt("candidate", PHASE, step, "state", lambda: distance(candidate, reference)))

    def _member(self, member: int, initial_state: State) -> BandMember:
        rng = np.random.default_rng((self._plan.seed, _BAND_STREAM, member))
        reference = self._subjects["reference"]
        self._load("reference", initial_state)
        losses: list[float] = []
        distances: list[float] = []
        moved = 1.0
        total = self._plan.free_running.band_runs * self._window
        for step, batch in zip(range(self._window), self._batches, strict=False):
            losses.append(self._step("reference", step, batch))
            state = attempt("reference", PHASE, step, "state", reference.state)
            perturbed, share = perturb(state, rng)
            moved = min(moved, share)
            if self._weighs(step) and len(distances) < len(self._seen.reference_weights):
                distances.append(distance(perturbed, self._seen.reference_weights[len(distances)]))
            self._load("reference", perturbed)
            if step == 0:
                # A subject that keeps fewer digits than its state() shows rounds the perturbation away as it loads it.
                held = attempt("reference", PHASE, step, "state", reference.state)
                moved = min(moved, attempt("reference", PHASE, step, "state", partial(moved_share, state, held)))
            done = member * self._window + step + 1
            self._observer.progress(PHASE, done, total, f"perturbed reference {member + 1}")
        return BandMember(tuple(losses), tuple(distances), moved)


def _handout(step: int, batch: NDArray[np.float32]) -> _Handout:
    own = {side: batch.copy() for side in SIDES}
    for array in own.values():
        array.setflags(write=False)
    return _Handout(step, batch, own)


def distance(state: State, reference: State) -> float:
    """Relative L2 distance of all arrays together: ||a - b|| / ||b||, in float64; 0 when equal."""
    if state.keys() != reference.keys():
        raise ValueError(f"the states differ in their arrays: {sorted(state)} and {sorted(reference)}")
    square = square_reference = 0.0
    for name, base in reference.items():
        if state[name].shape != base.shape:
            raise ValueError(f"{name} has shape {state[name].shape}; expected {base.shape}")
        flat = base.astype(np.float64).reshape(-1)
        difference = state[name].astype(np.float64).reshape(-1) - flat
        square += float(difference @ difference)
        square_reference += float(flat @ flat)
    if square == 0:
        return 0.0
    return float(np.sqrt(square / square_reference)) if square_reference else float("inf")
