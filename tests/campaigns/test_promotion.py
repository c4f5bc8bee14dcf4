"""Up the ladder on evidence, down without; and what was trained above goes on below, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from basemodel.autoencoder import GpuTextAutoencoder
from basemodel.rungs import RUNGS
from service.campaigns.promotion import ladder_status, promote, roll_back
from service.parity.errors import LadderRefused, RunNotFound, UnknownName
from service.parity.ladder import Promotion, rung_in_use
from service.parity.plan import Plan
from service.parity.policy import ALL_CHECKS, named_policy
from service.parity.record import RunRecord, SubjectInfo
from service.parity.verdict import CheckResult, Verdict
from service.ports import RunStore
from service.store.memory import MemoryRunStore

AT = datetime(2030, 1, 1, tzinfo=UTC)
DIGESTS = {rung: f"digest of {rung}" for rung in RUNGS}


@pytest.fixture
def store() -> MemoryRunStore:
    return MemoryRunStore()


def keep(
    store: RunStore,
    run_id: str,
    rung: str = "wrapper",
    outcome: Any = "PASS",
    digest: str | None = None,
    reference: str = "legacy",
    unmeasured: Sequence[str] = (),
) -> str:
    """A finished run of that rung."""
    plan = Plan(reference=reference, candidate=f"basemodel@{rung}")
    store.create_run(run_id, plan, named_policy("default"), AT)
    store.claim(run_id, "w", AT)
    info = SubjectInfo(plan.candidate, "1", DIGESTS[rung] if digest is None else digest, 1, 1, "cpu")
    store.save_record(run_id, RunRecord(plan, {"reference": info, "candidate": info}, {}))
    outcomes: dict[str, Any] = {name: "not_measured" if name in unmeasured else "pass" for name in ALL_CHECKS}
    checks = tuple(CheckResult(name, one, "said", required=True) for name, one in outcomes.items())
    store.finish(run_id, Verdict(outcome, "summary", checks, "default"), AT)
    return run_id


def up(store: RunStore, rung: str = "wrapper", **others: Any) -> Promotion:
    return promote(store, DIGESTS, rung, "ann", AT, **others)


def test_a_promotion_records_who_when_which_run_and_which_source(store: MemoryRunStore) -> None:
    keep(store, "r1", unmeasured=["memory.leak"])
    line = up(store, note="first")
    assert line == Promotion(
        1, "promote", "wrapper", AT, "ann", "r1", DIGESTS["wrapper"], "first; not measured: memory"
    )
    assert store.promotions() == [line]


def test_the_newest_passing_run_on_this_source_is_taken(store: MemoryRunStore) -> None:
    for number, made in enumerate(({}, {}, {"outcome": "FAIL"}, {"digest": "older"}, {"reference": "basemodel"})):
        keep(store, f"r{number}", **made)  # type: ignore[arg-type]
    keep(store, "r9", "forward")
    assert up(store).run_id == "r1"


def test_a_run_may_be_named(store: MemoryRunStore) -> None:
    for run_id in ("r1", "r2"):
        keep(store, run_id)
    assert up(store, run_id="r1").run_id == "r1"


def test_without_a_run_it_says_what_to_do(store: MemoryRunStore) -> None:
    says = "no run shows that rung wrapper may be promoted: .* carry one out with `lockstep ladder run --rung wrapper`"
    with pytest.raises(LadderRefused, match=says):
        up(store)
    keep(store, "r1", outcome="FAIL")
    with pytest.raises(LadderRefused, match="of run r1, its outcome is FAIL, not PASS"):
        up(store)
    assert store.promotions() == []


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"rung": "forward"}, "its candidate is basemodel@forward, not basemodel@wrapper"),
        ({"outcome": "INCONCLUSIVE"}, "its outcome is INCONCLUSIVE"),
        ({"digest": "older"}, "on another source than the present one"),
        ({"unmeasured": ["numerics.free_running"]}, "training accuracy is not_measured"),
    ],
)
def test_a_named_run_that_shows_nothing_is_refused(made: Any, reason: str, store: MemoryRunStore) -> None:
    keep(store, "r1", **made)
    with pytest.raises(LadderRefused, match=reason):
        up(store, run_id="r1")
    assert store.promotions() == []


def test_a_run_that_has_not_ended_shows_nothing(store: MemoryRunStore) -> None:
    store.create_run("r1", Plan(candidate="basemodel@wrapper"), named_policy("default"), AT)
    with pytest.raises(LadderRefused, match="it is queued, not finished"):
        up(store, run_id="r1")
    with pytest.raises(RunNotFound):
        up(store, run_id="r2")


def test_rungs_are_climbed_one_by_one_or_skipped_on_purpose(store: MemoryRunStore) -> None:
    keep(store, "r1")
    keep(store, "r2", "kernels")
    up(store)
    with pytest.raises(LadderRefused, match="configuration, utilities, forward, backward, memory would be skipped"):
        up(store, "kernels")
    assert up(store, "kernels", skip=True).rung == "kernels"
    with pytest.raises(UnknownName):
        up(store, "roof")


@pytest.mark.parametrize("rung", RUNGS[:-1])
def test_every_lower_rung_can_be_returned_to_without_a_run(rung: str, store: MemoryRunStore) -> None:
    keep(store, "r1", "kernels")
    up(store, "kernels", skip=True)
    line = roll_back(store, DIGESTS, rung, "bob", AT, "slow")
    assert line == Promotion(2, "rollback", rung, AT, "bob", note="slow")
    assert rung_in_use(store.promotions()) == rung
    with pytest.raises(LadderRefused, match=f"not below {rung}"):
        roll_back(store, DIGESTS, rung, "bob", AT)


def test_of_two_who_move_at_once_one_is_told(store: MemoryRunStore) -> None:
    keep(store, "r1")
    late = replace(up(store), rung="forward")
    with pytest.raises(LadderRefused, match="somebody else has moved the ladder meanwhile"):
        store.add_promotion(late)


class TestStatus:
    def test_an_empty_ladder(self, store: MemoryRunStore) -> None:
        status = ladder_status(store, DIGESTS)
        assert (status.rung_in_use, status.subject_in_use, status.history) == (None, "legacy", ())
        assert [rung.rung for rung in status.rungs] == list(RUNGS)
        assert {(rung.last_run_id, rung.evidence_run_id, rung.in_use) for rung in status.rungs} == {(None, None, False)}
        assert status.rungs[0].why_not == "it has no finished run on the present source"

    def test_the_newest_run_and_the_newest_evidence(self, store: MemoryRunStore) -> None:
        keep(store, "r1")
        keep(store, "r2", outcome="FAIL")
        keep(store, "r3", digest="older")
        rung = ladder_status(store, DIGESTS).rungs[0]
        assert (rung.last_run_id, rung.last_outcome, rung.evidence_run_id) == ("r2", "FAIL", "r1")
        assert rung.why_not == "of run r2, its outcome is FAIL, not PASS"

    def test_evidence_that_is_the_newest_run_has_no_but(self, store: MemoryRunStore) -> None:
        keep(store, "r1")
        rung = ladder_status(store, DIGESTS).rungs[0]
        assert (rung.last_run_id, rung.evidence_run_id, rung.why_not) == ("r1", "r1", None)

    def test_what_is_in_use_and_whether_on_this_source(self, store: MemoryRunStore) -> None:
        keep(store, "r1")
        keep(store, "r2", "configuration")
        up(store)
        up(store, "configuration")
        status = ladder_status(store, DIGESTS)
        assert (status.rung_in_use, status.in_use_on_present_source) == ("configuration", True)
        assert [rung.rung for rung in status.rungs if rung.in_use] == ["configuration"]
        assert ladder_status(store, {**DIGESTS, "configuration": "newer"}).in_use_on_present_source is False
        roll_back(store, DIGESTS, "wrapper", "ann", AT)
        assert ladder_status(store, DIGESTS).in_use_on_present_source is None


def trained(model: GpuTextAutoencoder, batches: Sequence[Any]) -> list[float]:
    return [model.train_step(batch, batch, 0.05, 0.05) for batch in batches]


def built(store: RunStore) -> GpuTextAutoencoder:
    """The model at the rung in use, its weights drawn from another seed than any before."""
    rung = rung_in_use(store.promotions())
    assert rung is not None
    return GpuTextAutoencoder(24, 2, 8, seed=len(store.promotions()), device="cpu", max_batch_size=16, rung=rung)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("below", ["forward", "wrapper", "memory"])
def test_training_goes_on_across_a_rollback_with_the_same_losses(
    suffix: str, below: str, store: MemoryRunStore, tmp_path: Path
) -> None:
    rng, path = np.random.default_rng(0), tmp_path / f"model{suffix}"
    batches = [rng.random((16, 24)).astype(np.float32) for _ in range(40)]
    keep(store, "r1", "kernels")
    up(store, "kernels", skip=True)
    model = built(store)
    assert model.methods >= {"kernels", "forward"}
    first = trained(model, batches[:20])
    model.save_checkpoint(path, first[-1], 20, {})
    uninterrupted = first + trained(model, batches[20:])
    model.close()

    roll_back(store, DIGESTS, below, "ann", AT)
    again = built(store)
    assert "kernels" not in again.methods
    assert again.load_checkpoint(path).epoch == 20
    resumed = trained(again, batches[20:])
    again.close()
    assert [*first, *resumed] == uninterrupted
    assert uninterrupted[-1] < uninterrupted[0]
