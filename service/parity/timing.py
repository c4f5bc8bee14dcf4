"""What the slices of the performance phase say: blocks, which of them count, their ratio, and which session comes next.

A (reference) and B (candidate) are timed in blocks of four slices, ABBA or BAAB, so that a drift of the machine that is
linear within a block cancels. On a GPU the slices of a block are taken in short turns, so that what lasts longer than a
turn cancels too. Formulas and operating figures: docs/measuring.md.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from service.parity.measurements import PerformanceEvidence, Role, SessionKind, Slice, TimingTrouble
from service.parity.plan import MIN_BLOCKS, Plan
from service.parity.statistics import RESAMPLES, LogRatio, log_ratio, mean_interval

ROLES: tuple[Role, Role] = ("reference", "candidate")
SELF_SESSIONS: tuple[SessionKind, ...] = ("a_a", "sampler")
"""Sessions in which the reference stands in both places."""
UNINTERRUPTED: tuple[SessionKind, ...] = ("sampler", "utilization", "side_by_side")
"""Sessions about what the sampler sees or does, whose periods are longer than a turn, and the one in which both sides
see the machine in the same moment anyway."""
AT_ONCE = ((0, 1), (2, 3))
"""Positions of a block that are timed at the same time, side by side: the first of each on the plan's device, the other
on its second. In both orders each role is then once on each card, and what the cards differ by cancels."""
GPU_CLOCK = "cuda events"
UTILIZATION_BLOCKS = 8

ORDERS = (
    ("reference", "candidate", "candidate", "reference"),
    ("candidate", "reference", "reference", "candidate"),
)
THROTTLES = {"thermal_throttle_s": "thermal throttling", "power_brake_s": "the power brake"}

Decision = Literal["equivalent", "faster", "not slower", "slower", "undecided"]


@dataclass(frozen=True, slots=True)
class TimingLimits:
    """What the engine needs to know of the demand, to decide which session to run; a policy judges by its own."""

    margin: float = 0.05
    """How much slower a candidate may be, as a share of the reference's step time."""
    alpha: float = 0.03
    """One-sided, at each of the two looks."""
    a_a_margin: float = 0.025
    sampler_effect: float = 0.005
    min_blocks: int = MIN_BLOCKS
    throttle_share: float = 0.01
    """Of a slice that may be throttled by heat or the power brake."""
    clock_deviation: float = 0.02
    """Of a slice's SM clock from its role's own median over the session."""
    overlap: float = 0.5
    """Of the shorter of two slices side by side that must have run while the other did."""
    resamples: int = RESAMPLES


DEFAULT_LIMITS = TimingLimits()


@dataclass(frozen=True, slots=True)
class Block:
    """Four slices in the order in which they were timed; `reasons` is empty where the block counts."""

    session: SessionKind
    number: int
    slices: tuple[Slice, ...]
    reasons: tuple[str, ...] = ()

    def of(self, role: Role) -> tuple[Slice, ...]:
        return tuple(piece for piece in self.slices if piece.role == role)


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps a session from being judged, and whose it is; `None`: the record's."""

    role: Role | None
    message: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One session, or a comparison with its extension: its blocks, what is wrong with them, and the ratio."""

    sessions: tuple[SessionKind, ...]
    blocks: tuple[Block, ...] = ()
    fault: Fault | None = None
    ratio: LogRatio | None = None
    mean_ratio: tuple[float, float, float] | None = None
    """ln of the ratio of the mean step times, and its t interval over the blocks. The median, which `ratio` is of, does
    not see a candidate of which every third step takes twice as long; this does."""
    wall_ratio: tuple[float, float, float] | None = None
    """The same of the host's time a step, which also holds what no step's stopwatch sees: work that goes on after the
    step's end on another stream, and garbage that its steps leave."""
    with_rejected: float | None = None
    """ln of the ratio of the step times over all blocks, those that do not count among them."""
    unwatched: int = 0
    """Slices of which the counters of throttling were not read at both edges, so that it could reject nothing."""
    uncounted: int = 0
    """Slices at whose edges it is not known whether other processes were on the device."""
    planned: int = field(default=0)

    @property
    def valid(self) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if not block.reasons)

    @property
    def rejected(self) -> tuple[Block, ...]:
        return tuple(block for block in self.blocks if block.reasons)


def blocks_of_session(kind: SessionKind, plan: Plan) -> int:
    """How many blocks a session has: where times are compared, the plan's. An extension doubles the comparison."""
    return UTILIZATION_BLOCKS if kind == "utilization" else plan.performance.blocks


def pairs_of_session(kind: SessionKind, plan: Plan) -> int:
    """Over how many pairs of fresh processes its blocks are spread. How busy the GPU is does not differ by process."""
    return 1 if kind == "utilization" else min(plan.performance.process_pairs, blocks_of_session(kind, plan))


def next_session(
    evidence: PerformanceEvidence, plan: Plan, limits: TimingLimits = DEFAULT_LIMITS
) -> SessionKind | None:
    """Which session the engine runs next, `None` when there is nothing left to learn.

    The reference against itself, the same with the sampler on one side, the comparison, on two cards where the plan has
    them; once more as many blocks where the comparison did not decide; once more in fresh processes where it found the
    candidate slower. A function of the record and nothing else. After trouble, or a session that was cut short, nothing
    follows.
    """
    if evidence.troubles:
        return None
    for kind in opening_sessions(evidence, plan):
        if not begun(evidence, kind):
            return kind
        if read(evidence, plan, (kind,), limits).fault is not None:
            return None
    if begun(evidence, "confirmation") or not steady(evidence, plan, limits):
        return None
    reading = read_comparison(evidence, plan, limits)
    decision = decide_ratio(reading, limits)
    if reading.fault is not None:
        return None
    if decision == "slower":
        return "confirmation"
    if decision == "undecided" and not begun(evidence, "extension"):
        return "extension"
    return None


def opening_sessions(evidence: PerformanceEvidence, plan: Plan) -> tuple[SessionKind, ...]:
    """The sessions that every performance phase has, and those of the plan's second card. Without a sampler there is no
    effect of one to measure, nor anything to be seen of a GPU; where there is, and the comparison's slices were taken
    in turns, it is seen apart."""
    beside: tuple[SessionKind, ...] = ("side_by_side",) if plan.performance.second_device is not None else ()
    absent = evidence.sampler is not None and evidence.sampler.source == "absent"
    if absent:
        return ("a_a", "comparison", *beside)
    in_turns = any(piece.interrupted for piece in evidence.slices if piece.session == "comparison")
    apart: tuple[SessionKind, ...] = ("utilization",) if in_turns else ()
    return ("a_a", "sampler", "comparison", *apart, *beside)


def on_second_device(kind: SessionKind, position: int) -> bool:
    """Whether a slice is timed on the card that no sampler watches."""
    return kind == "side_by_side" and any(position == there for _, there in AT_ONCE)


def begun(evidence: PerformanceEvidence, kind: SessionKind) -> bool:
    return kind in evidence.planned_blocks or any(piece.session == kind for piece in evidence.slices)


def steady(evidence: PerformanceEvidence, plan: Plan, limits: TimingLimits) -> bool:
    """Whether the reference equals itself here, and the sampler disturbs nothing: else no more blocks would help."""
    own = read(evidence, plan, ("a_a",), limits)
    if own.fault or own.ratio is None or not own.ratio.inside(math.log1p(limits.a_a_margin)):
        return False
    return "sampler" not in opening_sessions(evidence, plan) or not sampler_disturbs(
        read(evidence, plan, ("sampler",), limits), limits
    )


def sampler_disturbs(reading: Reading, limits: TimingLimits) -> bool:
    """Whether the sampler's effect is, beyond doubt, larger than is allowed."""
    ratio, bound = reading.ratio, math.log1p(limits.sampler_effect)
    return ratio is not None and (ratio.low > bound or ratio.high < -bound)


def decide_ratio(reading: Reading, limits: TimingLimits) -> Decision:
    """What an interval says of a margin. Too few blocks say nothing; nor does an end that is NaN.

    A candidate whose mean step, or time a step by the host's clock, came out slower by more than the margin is not
    passed for its usual step.
    """
    ratio, margin = reading.ratio, math.log1p(limits.margin)
    if ratio is None or len(reading.valid) < limits.min_blocks:
        return "undecided"
    beside = [found for found in (reading.mean_ratio, reading.wall_ratio) if found is not None]
    if any(low > margin for _, low, _ in beside):
        return "slower"
    if not all(estimate <= margin for estimate, _, _ in beside):
        return "slower" if ratio.low > margin else "undecided"
    if ratio.high < 0:
        return "faster"
    if ratio.inside(margin):
        return "equivalent"
    if ratio.high < margin:
        return "not slower"
    return "slower" if ratio.low > margin else "undecided"


def read_comparison(evidence: PerformanceEvidence, plan: Plan, limits: TimingLimits) -> Reading:
    """The comparison, together with its extension where there is one."""
    extended = begun(evidence, "extension")
    return read(evidence, plan, ("comparison", "extension") if extended else ("comparison",), limits)


def read(evidence: PerformanceEvidence, plan: Plan, sessions: tuple[SessionKind, ...], limits: TimingLimits) -> Reading:
    """Blocks, rejections and ratio of these sessions together."""
    blocks: list[Block] = []
    unwatched = uncounted = planned = 0
    for kind in sessions:
        slices = [piece for piece in evidence.slices if piece.session == kind]
        planned += evidence.planned_blocks.get(kind, 0)
        fault = _fault(kind, slices, evidence.planned_blocks.get(kind), plan)
        if fault is not None:
            return Reading(sessions, tuple(blocks), fault, planned=planned)
        unwatched += sum(any(edge_share(piece, counter) is None for counter in THROTTLES) for piece in slices)
        uncounted += sum(any(known is None for known in _foreign(piece)) for piece in slices)
        blocks += _judged_blocks(kind, slices, limits)
    reading = Reading(sessions, tuple(blocks), unwatched=unwatched, uncounted=uncounted, planned=planned)
    valid = reading.valid
    times = {role: [[piece.median_step_ms for piece in block.of(role)] for block in valid] for role in ROLES}
    seed = _seed(plan, evidence.order_seed, sessions)
    ratio = log_ratio(
        np.asarray(times["reference"], np.float64),
        np.asarray(times["candidate"], np.float64),
        limits.alpha,
        seed,
        limits.resamples,
    )
    return dataclasses.replace(
        reading,
        ratio=ratio,
        with_rejected=None
        if (every := _ratio_of(blocks, lambda piece: piece.median_step_ms, limits)) is None
        else every[0],
        mean_ratio=_ratio_of(valid, lambda piece: piece.mean_step_ms, limits),
        wall_ratio=_ratio_of(valid, lambda piece: piece.wall_s / piece.steps, limits),
    )


def _ratio_of(
    blocks: Sequence[Block], of: Callable[[Slice], float], limits: TimingLimits
) -> tuple[float, float, float] | None:
    """ln of the candidate's figure over the reference's, and its t interval over the blocks."""
    logs = {role: [statistics.fmean(math.log(of(p)) for p in block.of(role)) for block in blocks] for role in ROLES}
    differences = [ours - theirs for theirs, ours in zip(logs["reference"], logs["candidate"], strict=True)]
    return mean_interval(differences, limits.alpha)


def blamed(trouble: TimingTrouble) -> Role:
    """Whose trouble it is: where the reference is timed against itself, it stands in the candidate's place too."""
    own = any(trouble.where == kind or trouble.where.startswith(f"{kind} ") for kind in SELF_SESSIONS)
    return "reference" if own else trouble.role


def _fault(kind: SessionKind, slices: Sequence[Slice], planned: int | None, plan: Plan) -> Fault | None:
    words = session_words(kind)
    if not planned:
        return Fault(None, f"{words} was not carried out")
    by_block: dict[int, list[Slice]] = defaultdict(list)
    for piece in slices:
        by_block[piece.block].append(piece)
    whole = sum(len(pieces) == 4 for pieces in by_block.values())
    wanted = blocks_of_session(kind, plan)
    if whole != planned or len(by_block) != planned or planned < wanted:
        return Fault(None, f"{whole} of {max(planned, wanted)} blocks of {words} were timed")
    for number, pieces in by_block.items():
        ordered = sorted(pieces, key=lambda piece: piece.position)
        if [piece.position for piece in ordered] != [0, 1, 2, 3] or tuple(p.role for p in ordered) not in ORDERS:
            return Fault(None, f"block {number} of {words} is not four slices in the order ABBA or BAAB")
        if len({piece.pair for piece in pieces}) != 1:
            return Fault(None, f"the slices of block {number} of {words} are of several pairs of processes")
    broken = {role: piece for piece in reversed(slices) for role in (piece.role,) if not _timed(piece)}
    for role in ROLES:
        if role in broken:
            piece = broken[role]
            owner: Role = "reference" if kind in SELF_SESSIONS else role
            given = f"{piece.steps} steps with a median of {piece.median_step_ms} ms in {piece.steps_busy_s} s"
            return Fault(owner, f"the {owner} gave no step time in block {piece.block} of {words}: {given}")
    pairs, wanted_pairs = len({piece.pair for piece in slices}), pairs_of_session(kind, plan)
    if kind not in SELF_SESSIONS and pairs < wanted_pairs:
        return Fault(None, f"the blocks of {words} came from {pairs} of {wanted_pairs} pairs of fresh processes")
    return None


def _timed(piece: Slice) -> bool:
    figures = (piece.median_step_ms, piece.mean_step_ms, piece.steps_busy_s, piece.wall_s)
    return (
        min(piece.steps, piece.turns) > 0
        and piece.wall_s <= piece.ended_s - piece.started_s
        and piece.ended_s > piece.started_s
        and all(math.isfinite(value) and value > 0 for value in figures)
    )


def _judged_blocks(kind: SessionKind, slices: Iterable[Slice], limits: TimingLimits) -> list[Block]:
    """Blocks with the reasons to reject them, found by rules that do not know whose slice it is."""
    by_block: dict[int, list[Slice]] = defaultdict(list)
    clocks: dict[Role, list[float]] = defaultdict(list)
    for piece in slices:
        by_block[piece.block].append(piece)
        if piece.sm_clock_mhz is not None:
            clocks[piece.role].append(piece.sm_clock_mhz)
    usual = {role: statistics.median(values) for role, values in clocks.items()}
    blocks = []
    for number, pieces in sorted(by_block.items()):
        ordered = sorted(pieces, key=lambda piece: piece.position)
        reasons = [reason for piece in ordered for reason in _reasons(piece, usual, limits)]
        if kind == "side_by_side":
            reasons += _apart(ordered, limits)
        blocks.append(Block(kind, number, tuple(ordered), tuple(dict.fromkeys(reasons))))
    return blocks


def _reasons(piece: Slice, usual: dict[Role, float], limits: TimingLimits) -> Iterable[str]:
    for counter, words in THROTTLES.items():
        share = edge_share(piece, counter)
        if share is not None and not 0 <= share <= limits.throttle_share:
            yield f"{words} for {share:.1%} of a slice"
    if piece.sm_clock_mhz is not None:
        deviation = abs(piece.sm_clock_mhz / usual[piece.role] - 1) if usual[piece.role] else math.nan
        if not deviation <= limits.clock_deviation:
            yield f"a slice's SM clock was {deviation:.1%} off its side's median of {usual[piece.role]:.0f} MHz"
    foreign = max((count for count in _foreign(piece) if count is not None), default=0)
    if foreign:
        yield f"{foreign} foreign compute process{'es' if foreign > 1 else ''} on the device"


def _foreign(piece: Slice) -> tuple[int | None, int | None]:
    """Foreign processes at both edges; `None` where that is not known."""
    before, after = (None if edge is None else edge.foreign_processes for edge in (piece.before, piece.after))
    return before, after


def _apart(block: Sequence[Slice], limits: TimingLimits) -> Iterable[str]:
    """Slices that were to be timed at the same time, and were not: what they saw of the machine does not cancel."""
    for one, other in ((block[here], block[there]) for here, there in AT_ONCE):
        together = min(one.ended_s, other.ended_s) - max(one.started_s, other.started_s)
        share = together / min(one.ended_s - one.started_s, other.ended_s - other.started_s)
        if not share >= limits.overlap:
            yield f"two slices side by side shared {max(share, 0.0):.0%} of the shorter one's time"


def edge_difference(piece: Slice, counter: str) -> float | None:
    """How much a counter grew over the slice; `None` where it was not read at both edges."""
    if piece.before is None or piece.after is None:
        return None
    before, after = piece.before.values.get(counter), piece.after.values.get(counter)
    return None if before is None or after is None else after - before


def edge_share(piece: Slice, counter: str) -> float | None:
    """The same for a counter of seconds, as a share of the slice's own."""
    grown = edge_difference(piece, counter)
    return None if grown is None else grown / (piece.ended_s - piece.started_s)


def session_words(kind: SessionKind) -> str:
    words: dict[SessionKind, str] = {
        "a_a": "the reference against itself",
        "sampler": "the reference with the sampler against without",
        "comparison": "the comparison",
        "extension": "the extension of the comparison",
        "confirmation": "the confirmation",
        "utilization": "the session of utilization",
        "side_by_side": "the comparison side by side on two cards",
    }
    return words[kind]


def _seed(plan: Plan, order_seed: int, sessions: Sequence[SessionKind]) -> int:
    """Of the bootstrap: the same for the same record, so that a verdict can be judged again."""
    text = ":".join((plan.digest(), str(order_seed), *sessions))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
