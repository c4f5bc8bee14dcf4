"""The synchronized phase: every compared step starts both sides and the oracle from one state and one batch.

No drift builds up, so the limits stay as tight at step 10,000 as at step 0. Between compared steps only the reference
trains on; at a compared step the candidate and the oracle are loaded with the reference's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from service.engine.batches import Batches, Ledger
from service.engine.observer import Observer, SubjectTrouble, attempt, load, train
from service.parity.diff import Signature, pair_taps
from service.parity.digest import state_digest
from service.parity.plan import Plan
from service.parity.record import (
    SIDES,
    BatchLedger,
    Side,
    SignFlips,
    StepLosses,
    SynchronizedEvidence,
    TapDiff,
    Trouble,
)
from service.ports import Array, Clock, Differ, Oracle, OracleStep, State, StepResult, Subject, TapArrays

PHASE = "synchronized"


@dataclass(slots=True)
class _Seen:
    compared: list[int] = field(default_factory=list)
    comparisons: int = 0
    diffs: list[TapDiff] = field(default_factory=list)
    signs: list[SignFlips] = field(default_factory=list)
    losses: list[StepLosses] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    candidate_start: str = ""


class SynchronizedPhase:
    """Runs the phase once: `run()` returns the evidence and the ledger of batches."""

    def __init__(
        self,
        plan: Plan,
        subjects: Mapping[Side, Subject],
        oracle: Oracle,
        differ: Differ,
        batches: Batches,
        observer: Observer,
        clock: Clock,
    ) -> None:
        self._plan, self._subjects, self._oracle, self._differ = plan, subjects, oracle, differ
        self._batches, self._observer, self._clock = batches, observer, clock
        self._seen = _Seen()

    def run(self, initial_state: State) -> tuple[SynchronizedEvidence, BatchLedger]:
        """Train the reference from `initial_state` (host arrays) and compare at the plan's steps."""
        began = self._clock.monotonic()
        expected = self._plan.synchronized_steps()
        ledger = Ledger(PHASE, len(expected))
        reference = self._subjects["reference"]
        try:
            load("reference", PHASE, None, reference, initial_state)
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
            expected_taps=self._oracle.tap_names(),
            compared_steps=tuple(seen.compared),
            comparisons=seen.comparisons,
            reference_start_digest=state_digest(initial_state),
            candidate_start_digest=seen.candidate_start,
            witness="float64 oracle",
            diffs=tuple(seen.diffs),
            signs=tuple(seen.signs),
            sign_taps=self._oracle.sign_taps(),
            losses=tuple(seen.losses),
            troubles=tuple(seen.troubles),
            seconds=self._clock.monotonic() - began,
        )
        return evidence, ledger.close()

    def _compare(self, step: int, batch: NDArray[np.float32], ledger: Ledger) -> None:
        ledger.planned(batch)
        reference, candidate = self._subjects["reference"], self._subjects["candidate"]
        state = attempt("reference", PHASE, step, "state", reference.state)
        load("candidate", PHASE, step, candidate, state)
        if not self._seen.compared:
            start = attempt("candidate", PHASE, step, "state", lambda: state_digest(candidate.state()))
            self._seen.candidate_start = start
        results: dict[Side, StepResult] = {}
        for side in SIDES:
            results[side] = self._step(side, step, batch, taps=True)
            ledger.used(side, batch)
        self._record_losses(step, results)
        self._diff(step, results, self._oracle.step(state, batch))

    def _step(self, side: Side, step: int, batch: NDArray[np.float32], taps: bool) -> StepResult:
        return train(side, PHASE, step, self._subjects[side], batch, taps)

    def _record_losses(self, step: int, results: Mapping[Side, StepResult]) -> None:
        row = StepLosses(PHASE, step, results["reference"].loss, results["candidate"].loss)
        self._seen.losses.append(row)
        self._observer.losses([row])

    def _diff(self, step: int, results: Mapping[Side, StepResult], oracle: OracleStep) -> None:
        names = self._oracle.tap_names()
        shapes = self._oracle.tap_shapes(self._plan.training.batch_size)
        taps = {side: with_loss(result) for side, result in results.items()}
        signatures = {side: {name: _signature(a) for name, a in arrays.items()} for side, arrays in taps.items()}
        pairing = pair_taps(
            {name: shapes[name] for name in names}, signatures["reference"], signatures["candidate"], PHASE, step
        )
        self._seen.troubles.extend(pairing.troubles)
        jumps = set(self._oracle.sign_taps())
        if not jumps.issubset(pairing.comparable):
            raise SubjectTrouble(
                replace(pairing.troubles[0], message=f"{pairing.troubles[0].message}; comparison stopped here")
            )
        exact = {side: oracle.taps(arrays) for side, arrays in taps.items()}
        stats = self._differ.compare(
            [
                TapArrays(
                    taps["reference"][tap], taps["candidate"][tap], exact["reference"][tap], exact["candidate"][tap]
                )
                for tap in pairing.comparable
            ]
        )
        rows = [
            TapDiff(
                phase=PHASE,
                step=step,
                position=names.index(tap),
                tap=tap,
                shape=signatures["reference"][tap][0],
                dtype=signatures["reference"][tap][1],
                stats=stat,
                floor_scale=self._oracle.floor_scale(tap),
            )
            for tap, stat in zip(pairing.comparable, stats, strict=True)
        ]
        for side in SIDES:
            self._seen.signs.extend(
                SignFlips(step, tap, side, elements, flips, excess)
                for tap, elements, flips, excess in oracle.sign_flips(taps[side])
            )
        self._seen.diffs.extend(rows)
        self._observer.diffs(rows)
        self._seen.compared.append(step)
        self._seen.comparisons += len(rows)


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
