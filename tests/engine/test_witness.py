"""The A/A probe of the reference, and replays of it as a witness where there is no oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from service.engine.witness import REPLAY_RUNS
from service.parity.plan import SynchronizedSpec
from service.parity.record import PROBED_STEPS
from service.ports import StepResult
from service.subjects.known_bad import VARIANTS
from service.subjects.variant_subject import Variant

CHECK = "numerics.synchronized"
EVERY = SynchronizedSpec(6, 1)


def noisy(lab: Any, scale: float, after: int = 0) -> Any:
    """A subject whose weights after a step are too large by up to `scale`, relative, from its n-th step on."""
    stub, rng, steps = lab.Stub(), np.random.default_rng(7), [0]

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        result = stub.inner.train_step(batch, taps=taps)
        steps[0] += 1
        named = {name: array.copy() for name, array in result.taps.items()}
        if taps and steps[0] > after:
            for name in named:
                if name.startswith("update."):
                    named[name] *= (1 + scale * rng.uniform(0, 1, named[name].shape)).astype(np.float32)
        return StepResult(result.loss, named)

    stub.train_step = train_step
    return stub


class TestDeterminism:
    def test_a_repeatable_reference_steps_twice_at_the_first_steps_only(self, lab: Any) -> None:
        outcome = lab.synchronized(plan=replace(lab.plan, synchronized=EVERY))
        probe = outcome.synchronized.determinism
        assert (probe.steps, probe.differing_taps) == ((0, 1, 2), ())
        spreads = {diff.step: diff.reference_spread for diff in outcome.synchronized.diffs}
        assert spreads == {0: 0.0, 1: 0.0, 2: 0.0, 3: None, 4: None, 5: None}
        assert outcome.check(CHECK).evidence["reference_is_repeatable"] is True

    def test_the_probe_leaves_the_training_as_it_was(self, lab: Any) -> None:
        """The reference trains on from its first step's state: the losses are those of a bare training."""
        plan = replace(lab.plan, synchronized=EVERY)
        bare, batches = lab.Stub(plan), []
        seen = lab.synchronized(plan=plan, candidate=remembering(lab, batches)).synchronized.losses
        assert [row.reference for row in seen] == [bare.train_step(batch).loss for batch in batches]

    def test_one_that_does_not_repeat_itself_is_tried_at_every_step(self, lab: Any) -> None:
        outcome = lab.synchronized(reference=noisy(lab, 1e-7), plan=replace(lab.plan, synchronized=EVERY))
        probe = outcome.synchronized.determinism
        assert probe.steps == (0, 1, 2, 3, 4, 5)
        assert set(probe.differing_taps) <= {tap for tap in outcome.synchronized.expected_taps if "update" in tap}
        assert "update.layer0.weight" in probe.differing_taps
        assert outcome.check(CHECK).outcome == "pass"
        assert outcome.check(CHECK).evidence["reference_is_repeatable"] is False

    def test_its_spread_excuses_as_much_in_the_candidate_and_no_more(self, lab: Any) -> None:
        noise = 1e-7
        assert lab.synchronized(noisy(lab, noise), reference=noisy(lab, noise)).check(CHECK).outcome == "pass"
        assert lab.synchronized(noisy(lab, 100 * noise), reference=noisy(lab, noise)).check(CHECK).outcome == "fail"

    def test_noise_beyond_rounding_decides_nothing(self, lab: Any) -> None:
        result = lab.synchronized(noisy(lab, 1e-3), reference=noisy(lab, 1e-3)).check(CHECK)
        assert result.outcome == "inconclusive"
        assert "differ in update.layer0.weight at step 0 by" in result.message

    def test_a_reference_that_ignores_the_state_blames_nobody_else(self, lab: Any) -> None:
        stub, loaded = lab.Stub(), []
        load = stub.inner.load_state
        stub.load_state = lambda state: (loaded.append(1), load(state))[1] if not loaded else None
        assert lab.synchronized(reference=stub).check(CHECK).outcome == "inconclusive"

    def test_noise_that_begins_after_the_probed_steps(self, lab: Any) -> None:
        """Not probed, so nothing excuses it: what the probe did not see is still held to the oracle."""
        plan = replace(lab.plan, synchronized=EVERY)
        reference = noisy(lab, 1e-3, after=2 * PROBED_STEPS)
        assert lab.synchronized(reference=reference, plan=plan).check(CHECK).outcome == "inconclusive"


def remembering(lab: Any, batches: list[Any]) -> Any:
    stub = lab.Stub()

    def train_step(batch: Any, taps: bool = False) -> StepResult:
        batches.append(batch.copy())
        return stub.inner.train_step(batch, taps=taps)

    stub.train_step = train_step
    return stub


class TestReplays:
    def run(self, lab: Any, variant: Variant | None = None, **sides: Any) -> Any:
        return lab.synchronized(lab.Stub(variant=variant) if variant else None, oracle=False, **sides)

    def test_the_evidence_says_which_witness_it_was(self, lab: Any) -> None:
        outcome = self.run(lab)
        assert outcome.synchronized.witness == "reference replays"
        assert outcome.check(CHECK).outcome == "pass"
        assert "reference replays" in outcome.check(CHECK).message
        assert outcome.synchronized.expected_taps[0] == "forward.layer0.output"
        assert outcome.synchronized.comparisons == 3 * len(outcome.synchronized.expected_taps)
        assert outcome.check("numerics.sign_disagreements").outcome == "not_applicable"
        assert not outcome.check("numerics.sign_disagreements").required

    def test_every_tap_was_moved_by_the_replays(self, lab: Any) -> None:
        errors = {diff.tap: diff.stats.reference_error for diff in self.run(lab).synchronized.diffs}
        assert all(error is not None and error > 0 for error in errors.values())

    @pytest.mark.parametrize("name", [name for name, variant in VARIANTS.items() if variant.harmless])
    def test_harmless(self, lab: Any, name: str) -> None:
        assert self.run(lab, VARIANTS[name]).check(CHECK).outcome == "pass"

    @pytest.mark.parametrize("name", ["bad-learning-rate", "bad-weight-decay", "bad-no-bias-gradient", "bad-nan"])
    def test_faults(self, lab: Any, name: str) -> None:
        outcome = self.run(lab, VARIANTS[name], plan=replace(lab.plan, synchronized=EVERY))
        assert outcome.check(CHECK).outcome == "fail"

    def test_the_reference_trains_on_as_if_there_were_none(self, lab: Any) -> None:
        with_oracle, without = lab.synchronized().synchronized, self.run(lab).synchronized
        assert with_oracle.losses == without.losses

    def test_each_step_is_replayed_so_many_times(self, lab: Any) -> None:
        steps = []
        reference = remembering(lab, steps)
        outcome = self.run(lab, reference=reference)
        compared = len(outcome.synchronized.compared_steps)
        between = outcome.record.plan.synchronized_steps()[-1] + 1 - compared
        assert len(steps) == between + compared * (1 + REPLAY_RUNS) + min(compared, PROBED_STEPS)

    def test_a_reference_without_anything_to_move(self, lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("service.engine.witness.perturb", lambda state, rng, ulps: (dict(state), 0.0))
        result = self.run(lab).check(CHECK)
        assert result.outcome == "inconclusive"
        assert "moved nothing" in result.message
