"""Batches: reproducible, whole epochs, read-only; the ledger sees a changed byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.engine.batches import Batches, Ledger
from service.parity.digest import digest_of
from service.ports import Dataset


def numbered(rows: int) -> Dataset:
    """Row i holds i, so that a batch tells which rows it took."""
    vectors = np.repeat(np.arange(rows, dtype=np.float32)[:, None], 3, axis=1)
    vectors.setflags(write=False)
    return Dataset("numbered", vectors, tuple(map(str, range(rows))), rows, digest_of(vectors))


def taken(batches: Batches) -> list[list[int]]:
    return [[int(value) for value in batch[:, 0]] for batch in batches]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_laws(rows: int, batch_size: int, steps: int, seed: int) -> None:
    batch_size = min(batch_size, rows)
    data = numbered(rows)
    made = taken(Batches(data, batch_size, seed, "synchronized", steps))
    assert len(made) == steps
    assert {len(batch) for batch in made} <= {batch_size}
    per_epoch = rows // batch_size
    for start in range(0, steps, per_epoch):
        epoch = [row for batch in made[start : start + per_epoch] for row in batch]
        assert len(set(epoch)) == len(epoch)
    assert made == taken(Batches(data, batch_size, seed, "synchronized", steps))


def test_every_row_is_used() -> None:
    epoch = [row for batch in taken(Batches(numbered(24), 4, 0, "free_running", 6)) for row in batch]
    assert sorted(epoch) == list(range(24))
    # An incomplete last batch is dropped, but not always the same rows.
    seen = {row for batch in taken(Batches(numbered(10), 4, 0, "free_running", 40)) for row in batch}
    assert seen == set(range(10))


def test_one_object_gives_the_same_sequence_each_time() -> None:
    batches = Batches(numbered(9), 2, 7, "synchronized", 11)
    assert taken(batches) == taken(batches)


def test_more_steps_do_not_change_the_first_ones() -> None:
    short, long = (taken(Batches(numbered(9), 2, 7, "synchronized", steps)) for steps in (5, 30))
    assert long[:5] == short


def test_epochs_phases_and_seeds_differ() -> None:
    data = numbered(40)

    def first(seed: int, phase: str) -> list[list[int]]:
        return taken(Batches(data, 40, seed, phase, 2))

    epochs = first(0, "synchronized")
    assert epochs[0] != epochs[1]
    assert first(0, "synchronized") != first(0, "free_running")
    assert first(0, "synchronized") != first(1, "synchronized")


def test_batches_are_read_only_copies_of_float32() -> None:
    data = numbered(8)
    batch = next(iter(Batches(data, 4, 0, "synchronized", 1)))
    assert (batch.dtype, batch.shape, batch.flags.c_contiguous) == (np.float32, (4, 3), True)
    assert not np.shares_memory(batch, data.vectors)
    with pytest.raises(ValueError, match="read-only"):
        batch[0, 0] = 1


def test_too_few_rows() -> None:
    with pytest.raises(ValueError, match="a batch of 5 cannot be drawn from 4 rows"):
        Batches(numbered(4), 5, 0, "synchronized", 1)


def filled(*batches: NDArray[np.float32], spoil: str | None = None, skip: str | None = None) -> Any:
    ledger = Ledger("synchronized", len(batches))
    for batch in batches:
        ledger.planned(batch)
        for side in ("reference", "candidate"):
            if side == skip:
                continue
            seen = batch.copy()
            if side == spoil:
                seen.flat[-1] = np.nextafter(seen.flat[-1], np.float32(9))
            ledger.used(side, seen)
    return ledger.close()


def test_ledger() -> None:
    batches = list(Batches(numbered(8), 4, 0, "synchronized", 2))
    good = filled(*batches)
    assert (good.expected, good.reference_count, good.candidate_count) == (2, 2, 2)
    assert good.planned_digest == good.reference_digest == good.candidate_digest
    for side in ("reference", "candidate"):
        other = "candidate" if side == "reference" else "reference"
        spoiled = filled(*batches, spoil=side)
        assert getattr(spoiled, f"{side}_digest") != spoiled.planned_digest
        assert getattr(spoiled, f"{other}_digest") == spoiled.planned_digest
        skipped = filled(*batches, skip=side)
        assert getattr(skipped, f"{side}_count") == 0
        assert getattr(skipped, f"{side}_digest") != skipped.planned_digest
    assert filled(*batches[::-1]).planned_digest != good.planned_digest
