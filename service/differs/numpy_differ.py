"""The NumPy differ: every statistic of a pair of taps in one pass, chunk by chunk while the chunk is in the cache.

It is also the contract for differs on a device: same inputs, same numbers, up to the order of summation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.parity.record import DiffStats
from service.ports import TapArrays

CHUNK = 8192
"""Elements a chunk: three float64 work arrays and the slices of four taps fit a 1 MiB cache."""

Flat = NDArray[Any]


class NumpyDiffer:
    """Compares host arrays of any real dtype; values are widened to float64 before they are subtracted."""

    def __init__(self) -> None:
        self._work = tuple(np.empty(CHUNK) for _ in range(3))

    def compare(self, taps: Sequence[TapArrays]) -> list[DiffStats]:
        """One `DiffStats` a pair, in order; raises ValueError where two shapes differ."""
        return [self._compare(tap) for tap in taps]

    def _compare(self, tap: TapArrays) -> DiffStats:
        reference, candidate = np.asarray(tap.reference), np.asarray(tap.candidate)
        oracle_r, oracle_c = tap.oracle_for_reference, tap.oracle_for_candidate
        for other in (candidate, oracle_r, oracle_c):
            if other is not None and other.shape != reference.shape:
                raise ValueError(f"shapes differ: {reference.shape} and {other.shape}")
        totals = _Totals(same_oracle=oracle_r is oracle_c)
        flat_r, flat_c = reference.reshape(-1), candidate.reshape(-1)
        flat_or = None if oracle_r is None else np.asarray(oracle_r).reshape(-1)
        flat_oc = flat_or if totals.same_oracle else None if oracle_c is None else np.asarray(oracle_c).reshape(-1)
        for start in range(0, flat_r.size, CHUNK):
            part = slice(start, start + CHUNK)
            piece_or = None if flat_or is None else flat_or[part]
            piece_oc = piece_or if totals.same_oracle else None if flat_oc is None else flat_oc[part]
            self._add(totals, start, flat_r[part], flat_c[part], piece_or, piece_oc)
        return totals.stats(reference.shape, flat_r.size, oracle_r is not None, oracle_c is not None)

    def _add(self, t: _Totals, start: int, r: Flat, c: Flat, o_r: Flat | None, o_c: Flat | None) -> None:
        r64, c64, work = (array[: r.size] for array in self._work)
        np.copyto(r64, r)
        np.copyto(c64, c)
        square_r, square_c = float(r64 @ r64), float(c64 @ c64)
        equal = _bits_equal(r, c)
        if not math.isfinite(square_r + square_c) or not _all_finite(o_r) or not _all_finite(o_c):
            _add_masked(t, start, r, c, r64.copy(), c64.copy(), o_r, o_c)
            return
        t.pairs += r.size
        t.square_r += square_r
        t.square_c += square_c
        if equal:
            t.dot += square_r
            t.note_worst(0.0, start)
            t.max_ulp = max(t.max_ulp, 0)
        else:
            t.dot += float(r64 @ c64)
            np.subtract(r64, c64, out=work)
            t.square_d += float(work @ work)
            np.abs(work, out=work)
            at = int(work.argmax())
            t.note_worst(float(work[at]), start + at)
            t.mismatches += _mismatches(r, c)
            t.note_ulp(r, c)
        if o_r is not None:
            t.scale = max(t.scale, float(o_r.max()), -float(o_r.min()))
            np.subtract(r64, o_r, out=work)
            error = _Error.of(work)
            t.reference.add(error, r.size, start)
            if equal and t.same_oracle:
                t.candidate.add(error, r.size, start)
        if o_c is not None and not (equal and t.same_oracle):
            if not t.same_oracle:
                t.scale = max(t.scale, float(o_c.max()), -float(o_c.min()))
            np.subtract(c64, o_c, out=work)
            t.candidate.add(_Error.of(work), c.size, start)


@dataclass(slots=True)
class _Error:
    """|side - oracle| of one chunk: the largest, where, and the sum of squares."""

    largest: float
    at: int
    square: float

    @classmethod
    def of(cls, difference: NDArray[np.float64]) -> _Error:
        square = float(difference @ difference)
        np.abs(difference, out=difference)
        at = int(difference.argmax())
        return cls(float(difference[at]), at, square)


@dataclass(slots=True)
class _ErrorTotals:
    largest: float = -1.0
    at: int = -1
    square: float = 0.0
    pairs: int = 0

    def add(self, error: _Error, pairs: int, start: int) -> None:
        if error.largest > self.largest:
            self.largest, self.at = error.largest, start + error.at
        self.square += error.square
        self.pairs += pairs

    def maximum(self) -> float | None:
        return self.largest if self.pairs else None

    def rms(self) -> float | None:
        return math.sqrt(self.square / self.pairs) if self.pairs else None


class _Totals:
    """Running sums and maxima over the chunks of one pair."""

    def __init__(self, same_oracle: bool) -> None:
        self.same_oracle = same_oracle
        self.reference, self.candidate = _ErrorTotals(), _ErrorTotals()
        self.nan_r = self.inf_r = self.nan_c = self.inf_c = 0
        self.pairs = self.mismatches = 0
        self.square_r = self.square_c = self.square_d = self.dot = 0.0
        self.largest, self.at, self.max_ulp = -1.0, -1, -1
        self.scale = 0.0

    def note_worst(self, value: float, at: int) -> None:
        if value > self.largest:
            self.largest, self.at = value, at

    def note_ulp(self, r: Flat, c: Flat) -> None:
        if r.dtype == c.dtype and r.dtype.kind == "f" and r.size:
            self.max_ulp = max(self.max_ulp, ulp_distance(r, c))

    def stats(self, shape: tuple[int, ...], size: int, has_or: bool, has_oc: bool) -> DiffStats:
        norm = math.sqrt(self.square_r) * math.sqrt(self.square_c)
        return DiffStats(
            elements=size,
            reference_nan=self.nan_r,
            reference_inf=self.inf_r,
            candidate_nan=self.nan_c,
            candidate_inf=self.inf_c,
            mismatches=self.mismatches,
            max_abs=self.largest if self.pairs else None,
            rms=math.sqrt(self.square_d / self.pairs) if self.pairs else None,
            cosine=min(1.0, max(-1.0, self.dot / norm)) if norm > 0 else None,
            max_ulp=self.max_ulp if self.max_ulp >= 0 else None,
            worst_index=_index(self.at, shape) if self.pairs else None,
            reference_error=self.reference.maximum() if has_or else None,
            candidate_error=self.candidate.maximum() if has_oc else None,
            reference_error_rms=self.reference.rms() if has_or else None,
            candidate_error_rms=self.candidate.rms() if has_oc else None,
            candidate_worst_index=_index(self.candidate.at, shape) if has_oc and self.candidate.pairs else None,
            oracle_scale=self.scale if has_or or has_oc else None,
        )


def ulp_distance(a: Flat, b: Flat) -> int:
    """Largest count of representable numbers between a and b (one float dtype, finite); -0 and +0 are 0 apart."""
    ordered_a, ordered_b = ordered_integers(a), ordered_integers(b)
    if a.dtype.itemsize < 8:
        return int(np.abs(ordered_a.astype(np.int64) - ordered_b).max())
    high, low = np.maximum(ordered_a, ordered_b), np.minimum(ordered_a, ordered_b)
    return int((high.view(np.uint64) - low.view(np.uint64)).max())


def ordered_integers(values: Flat) -> Flat:
    """The bit patterns as integers in the order of the numbers: negative magnitudes count down from zero."""
    integer = np.dtype(f"i{values.dtype.itemsize}")
    bits = np.ascontiguousarray(values).view(integer)
    sign = bits >> (8 * integer.itemsize - 1)
    magnitude = bits & np.iinfo(integer).max
    ordered: Flat = (magnitude ^ sign) - sign
    return ordered


def _bits_equal(r: Flat, c: Flat) -> bool:
    return r.dtype == c.dtype and _mismatches(r, c) == 0


def _mismatches(r: Flat, c: Flat) -> int:
    """Elements whose bits differ; by value where the dtypes differ."""
    if r.dtype != c.dtype:
        return int(np.count_nonzero(r != c))
    bits = np.dtype(f"u{r.dtype.itemsize}")
    return int(np.count_nonzero(np.ascontiguousarray(r).view(bits) != np.ascontiguousarray(c).view(bits)))


def _all_finite(values: Flat | None) -> bool:
    return values is None or math.isfinite(float(values @ values))


def _add_masked(
    t: _Totals,
    start: int,
    r: Flat,
    c: Flat,
    r64: NDArray[np.float64],
    c64: NDArray[np.float64],
    o_r: Flat | None,
    o_c: Flat | None,
) -> None:
    """The slow path for a chunk that holds NaN, Inf or squares that overflow: count those, compare the rest."""
    t.nan_r += int(np.isnan(r64).sum())
    t.inf_r += int(np.isinf(r64).sum())
    t.nan_c += int(np.isnan(c64).sum())
    t.inf_c += int(np.isinf(c64).sum())
    t.mismatches += _mismatches(r, c)
    both = np.flatnonzero(np.isfinite(r64) & np.isfinite(c64))
    with np.errstate(over="ignore"):
        if both.size:
            rr, cc = r64[both], c64[both]
            difference = np.abs(rr - cc)
            t.pairs += both.size
            t.square_r += float(rr @ rr)
            t.square_c += float(cc @ cc)
            t.dot += float(rr @ cc)
            t.square_d += float(difference @ difference)
            at = int(difference.argmax())
            t.note_worst(float(difference[at]), start + int(both[at]))
            t.note_ulp(r[both], c[both])
        for side, oracle, errors in ((r64, o_r, t.reference), (c64, o_c, t.candidate)):
            if oracle is None:
                continue
            finite = np.flatnonzero(np.isfinite(side) & np.isfinite(oracle))
            if finite.size:
                error = _Error.of(side[finite] - oracle[finite])
                error.at = int(finite[error.at])
                errors.add(error, finite.size, start)
                t.scale = max(t.scale, float(np.abs(oracle[finite]).max()))


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
