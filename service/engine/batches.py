"""Batches: drawn once from a seed, the same for both sides, hashed as planned and as each side left them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from service.parity.plan import Plan
from service.parity.record import BatchLedger
from service.ports import Dataset

_PHASE_STREAMS = {"synchronized": 1, "free_running": 2, "checkpoint": 5, "performance": 8, "memory": 9}

MAX_PREPARED, MAX_PREPARED_BYTES = 256, 2**26


class Batches:
    """A fixed sequence of `steps` batches (batch_size, vector_length), read-only float32.

    Each epoch is a fresh permutation of the rows from (seed, phase, epoch); an incomplete last batch is dropped, so
    that every step divides by the same batch size.
    """

    def __init__(self, dataset: Dataset, batch_size: int, seed: int, phase: str, steps: int) -> None:
        if batch_size > len(dataset.vectors):
            raise ValueError(f"a batch of {batch_size} cannot be drawn from {len(dataset.vectors)} rows")
        self.steps = steps
        self.batch_bytes = batch_size * dataset.vectors[:1].nbytes
        self._vectors = dataset.vectors
        self._batch_size = batch_size
        self._entropy = (seed, _PHASE_STREAMS[phase])
        self._per_epoch = len(dataset.vectors) // batch_size

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        order = np.empty(0, dtype=np.int64)
        for step in range(self.steps):
            epoch, position = divmod(step, self._per_epoch)
            if position == 0:
                order = np.random.default_rng((*self._entropy, epoch)).permutation(len(self._vectors))
            rows = order[position * self._batch_size : (position + 1) * self._batch_size]
            batch = self._vectors.take(rows, axis=0)  # 3 times as fast as indexing, which goes element by element
            batch.setflags(write=False)
            yield batch


def prepared_batches(dataset: Dataset, plan: Plan, phase: str) -> Sequence[NDArray[np.float32]]:
    """The batches of a phase's first epoch, or as many of them as fit into a modest amount of memory, at least one."""
    rows = plan.training.batch_size
    fitting = MAX_PREPARED_BYTES // max(dataset.vectors[:rows].nbytes, 1)
    steps = max(1, min(len(dataset.vectors) // rows, MAX_PREPARED, fitting))
    return tuple(Batches(dataset, rows, plan.seed, phase, steps))


class Ledger:
    """Counts and hashes the batches of a phase: as planned, and after each side used them."""

    def __init__(self, phase: str, expected: int) -> None:
        self._phase, self._expected = phase, expected
        self._planned = hashlib.sha256()
        self._sides = {"reference": hashlib.sha256(), "candidate": hashlib.sha256()}
        self._counts = {"reference": 0, "candidate": 0}

    def planned(self, batch: NDArray[np.float32]) -> None:
        """Note a batch before anybody used it."""
        self._planned.update(batch.data.cast("B"))

    def used(self, side: str, batch: NDArray[np.float32]) -> None:
        """Note a batch as `side` left it: a subject that writes into its input is seen here."""
        self._sides[side].update(batch.data.cast("B"))
        self._counts[side] += 1

    def close(self) -> BatchLedger:
        """The evidence."""
        return BatchLedger(
            phase=self._phase,
            expected=self._expected,
            planned_digest=self._planned.hexdigest(),
            reference_count=self._counts["reference"],
            reference_digest=self._sides["reference"].hexdigest(),
            candidate_count=self._counts["candidate"],
            candidate_digest=self._sides["candidate"].hexdigest(),
        )
