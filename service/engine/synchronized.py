"""The synchronized phase: every compared step starts both sides and the witness from one state and one batch.

No drift builds up, so the limits stay as tight at step 10,000 as at step 0. Between compared steps only the reference
trains on; at a compared step the candidate and the oracle are loaded with the reference's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.batches import Batches, Ledger
from service.engine.observer import Observer, SubjectTrouble, attempt, load, start, train
from service.engine.witness import OracleWitness, ReplayWitness, Taps, Witness, spread_of
from service.parity.diff import Pairing, Signature, pair_taps
from service.parity.digest import state_digest
from service.parity.plan import Plan
from service.parity.record import (
    PROBED_STEPS,
    SIDES,
    BatchLedger,
    Determinism,
    Side,
    SignFlips,
    StepLosses,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.ports import Array, Clock, Differ, Oracle, State, StepResult, Subject, TapArrays

PHASE = "synchronized"


@dataclass(slots=True)
class _Seen:
    compared: list[int] = field(default_factory=list)
    comparisons: int = 0
    taps: tuple[str, ...] = ()
    diffs: list[TapDiff] = field(default_factory=list)
    signs: list[SignFlips] = field(default_factory=list)
    losses: list[StepLosses] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    reference_start: str = ""
    candidate_start: str = ""
    probed: list[int] = field(default_factory=list)
    unsteady: dict[str, None] = field(default_factory=dict)


class SynchronizedPhase:
    """Runs the phase once: `run()` returns the evidence and the ledger of batches."""

    def __init__(
        self,
        plan: Plan,
        subjects: Mapping[Side, Subject],
        oracle: Oracle | None,
        differ: Differ,
        batches: Batches,
        observer: Observer,
        clock: Clock,
    ) -> None:
        """Without an oracle, replays of the reference are the witness."""
        self._plan, self._subjects, self._differ = plan, subjects, differ
        self._batches, self._observer, self._clock = batches, observer, clock
        self._witness: Witness = (
            ReplayWitness(self._replay, differ, plan.seed)
            if oracle is None
            else OracleWitness(oracle, differ, plan.training.batch_size)
        )
        self._disturbs = oracle is None
        self._seen = _Seen(taps=self._witness.tap_names())

    def run(self, initial_state: State) -> tuple[SynchronizedEvidence, BatchLedger]:
        """Train the reference from `initial_state` (host arrays) and compare at the plan's steps."""
        began = self._clock.monotonic()
        expected = self._plan.synchronized_steps()
        ledger = Ledger(PHASE, len(expected))
        try:
            self._seen.reference_start = start("reference", PHASE, self._subjects["reference"], initial_state)
            self._seen.candidate_start = start("candidate", PHASE, self._subjects["candidate"], initial_state)
            for step, batch in enumerate(self._batches):
                if step % self._plan.synchronized.every == 0:
                    self._compare(step, batch, ledger)
                else:
                    self._step("reference", step, batch, taps=False)
                self._observer.progress(PHASE, step + 1, self._batches.steps)
        except SubjectTrouble as stop:
            self._seen.troubles.append(stop.trouble)
        seen = self._seen
        evidence = SynchronizedEvidence(
            expected_steps=expected,
            expected_taps=seen.taps,
            compared_steps=tuple(seen.compared),
            comparisons=seen.comparisons,
            planned_start_digest=state_digest(initial_state),
            reference_start_digest=seen.reference_start,
            candidate_start_digest=seen.candidate_start,
            witness=self._witness.name,
            diffs=tuple(seen.diffs),
            signs=tuple(seen.signs),
            sign_taps=self._witness.sign_taps(),
            losses=tuple(seen.losses),
            troubles=tuple(seen.troubles),
            seconds=self._clock.monotonic() - began,
            determinism=Determinism(tuple(seen.probed), tuple(seen.unsteady)),
        )
        return evidence, ledger.close()

    def _compare(self, step: int, batch: NDArray[np.float32], ledger: Ledger) -> None:
        ledger.planned(batch)
        reference, candidate = self._subjects["reference"], self._subjects["candidate"]
        state = attempt("reference", PHASE, step, "state", reference.state)
        load("candidate", PHASE, step, candidate, state)
        results: dict[Side, StepResult] = {}
        for side in SIDES:
            results[side] = self._step(side, step, batch, taps=True)
            ledger.used(side, batch)
        self._record_losses(step, results)
        probes = len(self._seen.probed) < PROBED_STEPS or bool(self._seen.unsteady)
        trained = attempt("reference", PHASE, step, "state", reference.state) if probes or self._disturbs else None
        self._diff(step, state, batch, {side: with_loss(result) for side, result in results.items()}, probes)
        if trained is not None:
            load("reference", PHASE, step, reference, trained)

    def _step(self, side: Side, step: int, batch: NDArray[np.float32], taps: bool) -> StepResult:
        return train(side, PHASE, step, self._subjects[side], batch, taps)

    def _replay(self, step: int, state: State, batch: NDArray[np.float32]) -> Taps:
        """The reference's step from another state; a batch of its own, since the ledger has counted this one."""
        load("reference", PHASE, step, self._subjects["reference"], state)
        return with_loss(self._step("reference", step, batch, taps=True))

    def _record_losses(self, step: int, results: Mapping[Side, StepResult]) -> None:
        row = StepLosses(PHASE, step, results["reference"].loss, results["candidate"].loss)
        self._seen.losses.append(row)
        self._observer.losses([row])

    def _diff(self, step: int, state: State, batch: NDArray[np.float32], taps: dict[Side, Taps], probes: bool) -> None:
        signatures = {side: {name: _signature(a) for name, a in arrays.items()} for side, arrays in taps.items()}
        pairing = self._pair(step, signatures)
        if probes:
            # The second step overwrites the buffers that the first one's taps are views of.
            taps["reference"] = {name: taps["reference"][name].copy() for name in pairing.comparable}
        judged = self._witness.measure(step, state, batch, taps, pairing.comparable)
        spreads = self._probe(step, state, batch, taps["reference"]) if probes else {}
        names = self._seen.taps
        rows = [
            TapDiff(
                phase=PHASE,
                step=step,
                position=names.index(tap),
                tap=tap,
                shape=signatures["reference"][tap][0],
                dtype=signatures["reference"][tap][1],
                stats=stat,
                floor_scale=scale,
                reference_spread=spreads.get(tap),
                reference_slack=slack,
            )
            for tap, stat, scale, slack in zip(
                pairing.comparable, judged.stats, judged.floor_scales, judged.reference_slacks, strict=True
            )
        ]
        self._seen.signs.extend(judged.signs)
        self._seen.diffs.extend(rows)
        self._observer.diffs(rows)
        self._seen.compared.append(step)
        self._seen.comparisons += len(rows)

    def _pair(self, step: int, signatures: Mapping[Side, Mapping[str, Signature]]) -> Pairing:
        """The taps that can be compared; without those that decide the signs there is nothing to measure from."""
        shapes = self._witness.tap_shapes(signatures)
        if not self._seen.taps:
            self._seen.taps = tuple(shapes)
        pairing = pair_taps(
            {name: shapes[name] for name in self._seen.taps if name in shapes},
            signatures["reference"],
            signatures["candidate"],
            PHASE,
            step,
        )
        self._seen.troubles.extend(pairing.troubles)
        if not set(self._witness.sign_taps()).issubset(pairing.comparable):
            first = pairing.troubles[0]
            raise SubjectTrouble(replace(first, message=f"{first.message}; comparison stopped here"))
        return pairing

    def _probe(self, step: int, state: State, batch: NDArray[np.float32], first: Taps) -> dict[str, float | None]:
        """Step the reference once more from the same state: what differs from the first time is no fault of anybody's.

        The spread of each tap, 0 where bit-equal; infinite where only one of the two is NaN or Inf.
        """
        second = self._replay(step, state, batch)
        names = [name for name in first if name in second and _signature(second[name]) == _signature(first[name])]
        found = self._differ.compare([TapArrays(first[name], second[name]) for name in names])
        self._seen.probed.append(step)
        self._seen.unsteady.update((name, None) for name, stat in zip(names, found, strict=True) if stat.mismatches)
        self._seen.unsteady.update((name, None) for name in first if name not in names)
        return {name: spread_of(stat) for name, stat in zip(names, found, strict=True)}


def with_loss(result: StepResult) -> dict[str, Array]:
    """The taps with the step's loss among them, as a 0-d array after the forward taps.

    A tap that calls itself `loss.value` does not stand in for the loss that the step returned. The loss is compared as
    float32, the precision it is summed in: in float64 its last bit would count for half a billion units.
    """
    with np.errstate(over="ignore"):
        loss = np.asarray(result.loss, dtype=np.float32)
    named = {name: array for name, array in result.taps.items() if name != "loss.value"}
    forward = {name: array for name, array in named.items() if name.startswith("forward.")}
    return {**forward, "loss.value": loss, **named}


def _signature(array: Array) -> Signature:
    return tuple(int(n) for n in array.shape), str(array.dtype)
