"""Where the errors of a compared step are measured from: the float64 oracle, or replays of the reference.

A subject without an oracle is its own witness: the reference repeats the step from states moved by at most one unit in
the last place, and how far those come from the reference is what rounding explains. It cannot say which side is wrong,
and it does not know a model's jumps, so the oracle is used wherever there is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.engine.observer import SubjectTrouble
from service.engine.perturbation import perturb
from service.parity.diff import Signature
from service.parity.record import ORACLE_WITNESS, REPLAY_WITNESS, SIDES, DiffStats, Side, SignFlips, Trouble
from service.ports import Array, Differ, Oracle, OracleStep, State, TapArrays

REPLAY_RUNS = 8
REPLAY_ULPS = 1
_REPLAY_STREAM = 4

Taps = Mapping[str, Array]
SignaturesOf = Mapping[Side, Mapping[str, Signature]]


@dataclass(frozen=True, slots=True)
class Judged:
    """A compared step: the statistics of each tap, the floors' scales, and the signs that were looked at."""

    stats: Sequence[DiffStats]
    floor_scales: Sequence[float]
    reference_slacks: Sequence[float]
    signs: Sequence[SignFlips]


class Witness(Protocol):
    """Knows which taps a step must have, and measures both sides' errors in them."""

    name: str

    def tap_names(self) -> tuple[str, ...]:
        """The taps that it knows before the first step; empty where the reference decides."""

    def tap_shapes(self, signatures: SignaturesOf) -> Mapping[str, tuple[int, ...]]:
        """Every tap that both sides must have, in dataflow order, with its shape."""

    def sign_taps(self) -> tuple[str, ...]:
        """The taps without which nothing can be measured: those whose signs decide the backward pass."""

    def measure(
        self, step: int, state: State, batch: NDArray[np.float32], taps: Mapping[Side, Taps], names: Sequence[str]
    ) -> Judged:
        """Compare the named taps of a step that began from `state` with `batch`."""


class OracleWitness:
    """Errors from the oracle, its backward pass conditioned on each side's own signs."""

    name = ORACLE_WITNESS

    def __init__(self, oracle: Oracle, differ: Differ, batch_size: int) -> None:
        self._oracle, self._differ, self._batch_size = oracle, differ, batch_size

    def tap_names(self) -> tuple[str, ...]:
        return self._oracle.tap_names()

    def tap_shapes(self, signatures: SignaturesOf) -> Mapping[str, tuple[int, ...]]:
        shapes = self._oracle.tap_shapes(self._batch_size)
        return {name: shapes[name] for name in self._oracle.tap_names()}

    def sign_taps(self) -> tuple[str, ...]:
        return self._oracle.sign_taps()

    def measure(
        self, step: int, state: State, batch: NDArray[np.float32], taps: Mapping[Side, Taps], names: Sequence[str]
    ) -> Judged:
        oracle = self._oracle.step(state, batch)
        exact = {side: oracle.taps(arrays) for side, arrays in taps.items()}
        stats = self._differ.compare(
            [
                TapArrays(
                    taps["reference"][tap], taps["candidate"][tap], exact["reference"][tap], exact["candidate"][tap]
                )
                for tap in names
            ]
        )
        return Judged(
            stats,
            [oracle.floor_scale(tap) for tap in names],
            [oracle.reference_slack(tap) for tap in names],
            [flips for side in SIDES for flips in _flips(step, side, oracle, taps[side])],
        )


def _flips(step: int, side: Side, oracle: OracleStep, taps: Taps) -> list[SignFlips]:
    return [
        SignFlips(step, tap, side, elements, flips, excess) for tap, elements, flips, excess in oracle.sign_flips(taps)
    ]


class ReplayWitness:
    """Errors from the reference's own step; what replays from a barely moved state differ by is the reference's."""

    name = REPLAY_WITNESS

    def __init__(self, step: Callable[[int, State, NDArray[np.float32]], Taps], differ: Differ, seed: int) -> None:
        """`step` loads a state into the reference and gives the taps of its training step, valid until the next."""
        self._step, self._differ, self._seed = step, differ, seed

    def tap_names(self) -> tuple[str, ...]:
        return ()

    def tap_shapes(self, signatures: SignaturesOf) -> Mapping[str, tuple[int, ...]]:
        return {name: shape for name, (shape, _) in signatures["reference"].items()}

    def sign_taps(self) -> tuple[str, ...]:
        return ()

    def measure(
        self, step: int, state: State, batch: NDArray[np.float32], taps: Mapping[Side, Taps], names: Sequence[str]
    ) -> Judged:
        kept = {name: taps["reference"][name].copy() for name in names}
        exact = {name: array.astype(np.float64) for name, array in kept.items()}
        stats = self._differ.compare(
            [TapArrays(kept[tap], taps["candidate"][tap], exact[tap], exact[tap]) for tap in names]
        )
        spreads: list[float | None] = [None] * len(names)
        for run in range(REPLAY_RUNS):
            rng = np.random.default_rng((self._seed, _REPLAY_STREAM, step, run))
            moved, share = perturb(state, rng, REPLAY_ULPS)
            if not share > 0:
                message = f"a replay of step {step} moved nothing of the reference's state, so it shows no rounding"
                raise SubjectTrouble(Trouble("reference", "synchronized", step, "perturbation", message))
            replayed = self._step(step, moved, batch)
            found = self._differ.compare([TapArrays(kept[tap], replayed[tap]) for tap in names])
            spreads = [_larger(spread, spread_of(stat)) for spread, stat in zip(spreads, found, strict=True)]
        measured = [replace(stat, reference_error=spread) for stat, spread in zip(stats, spreads, strict=True)]
        return Judged(measured, [1.0] * len(names), [1.0] * len(names), [])


def spread_of(stats: DiffStats) -> float | None:
    """How far a repetition (the candidate of `stats`) is from the first time; infinite where only one is NaN or Inf."""
    first, again = (stats.reference_nan, stats.reference_inf), (stats.candidate_nan, stats.candidate_inf)
    return stats.max_abs if first == again else math.inf


def _larger(known: float | None, found: float | None) -> float | None:
    return found if known is None else known if found is None else max(known, found)
