"""Same batches on both sides, and the frozen reference: a batch fewer or a byte changed does not pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.parity.integrity import check_frozen_reference, check_same_batches
from service.parity.policy import named_policy
from service.parity.record import SIDES, BatchLedger, RunRecord, Side

POLICY = named_policy("numerics")
Change = Callable[..., RunRecord]
BLAME = {"reference": "inconclusive", "candidate": "fail"}


def with_ledger(record: RunRecord, change: Change, index: int, **fields: Any) -> RunRecord:
    ledgers = list(record.integrity.batches)  # type: ignore[union-attr]
    ledgers[index] = replace(ledgers[index], **fields)
    return change("integrity", batches=tuple(ledgers))


def test_everything_passes(passing: RunRecord) -> None:
    assert check_same_batches(passing, POLICY).outcome == "pass"
    assert check_frozen_reference(passing, POLICY).outcome == "pass"


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("count", [0, 1, 39, 41])
def test_a_batch_fewer_or_more(passing: RunRecord, change: Change, index: int, side: Side, count: int) -> None:
    result = check_same_batches(with_ledger(passing, change, index, **{f"{side}_count": count}), POLICY)
    assert result.outcome == BLAME[side]


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("digest", ["", "d" * 63 + "e"])
def test_a_changed_batch(passing: RunRecord, change: Change, index: int, side: Side, digest: str) -> None:
    result = check_same_batches(with_ledger(passing, change, index, **{f"{side}_digest": digest}), POLICY)
    assert result.outcome == BLAME[side]
    assert f"the {side} changed a batch" in result.message


def test_another_plan_of_batches(passing: RunRecord, change: Change) -> None:
    assert check_same_batches(with_ledger(passing, change, 0, planned_digest="e"), POLICY).outcome != "pass"


@pytest.mark.parametrize("batches", [(), slice(0, 1), slice(1, 2)])
def test_missing_ledger(passing: RunRecord, change: Change, batches: Any) -> None:
    kept = passing.integrity.batches[batches] if batches else ()  # type: ignore[union-attr]
    assert check_same_batches(change("integrity", batches=kept), POLICY).outcome == "inconclusive"


def test_no_batch_at_all_is_not_the_same_batches(change: Change) -> None:
    ledgers = tuple(BatchLedger(phase, 0, "d", 0, "d", 0, "d") for phase in ("synchronized", "free_running"))
    assert check_same_batches(change("integrity", batches=ledgers), POLICY).outcome == "inconclusive"


def test_a_ledger_of_a_phase_that_was_not_planned(passing: RunRecord, change: Change) -> None:
    ledgers = (*passing.integrity.batches, BatchLedger("memory", 1, "d", 1, "d", 1, "d"))  # type: ignore[union-attr]
    assert check_same_batches(change("integrity", batches=ledgers), POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("fields", [{"dataset_digest": ""}, {"dataset_rows": 0}])
def test_a_dataset_that_was_not_recorded(change: Change, fields: dict[str, Any]) -> None:
    result = check_same_batches(change("integrity", **fields), POLICY)
    assert (result.outcome, result.message) == ("inconclusive", "the dataset was not recorded")


def test_absent(passing: RunRecord) -> None:
    absent = replace(passing, integrity=None)
    assert check_same_batches(absent, POLICY).outcome == "inconclusive"
    assert check_frozen_reference(absent, POLICY).outcome == "inconclusive"


@pytest.mark.parametrize("files", [("matrix_kernels.py",), tuple(f"{i}.py" for i in range(9))])
def test_changed_frozen_file(change: Change, files: tuple[str, ...]) -> None:
    result = check_frozen_reference(change("integrity", changed_files=files), POLICY)
    assert result.outcome == "fail"
    assert result.message.startswith(f"{len(files)} frozen files changed: {files[0]}")


@pytest.mark.parametrize("side", SIDES)
def test_a_side_that_did_not_say_what_it_is(passing: RunRecord, side: Side) -> None:
    record = replace(passing, subjects={s: i for s, i in passing.subjects.items() if s != side})
    assert check_frozen_reference(record, POLICY).outcome == "inconclusive"
