"""The NumPy differ: every statistic of a pair of taps in one pass, chunk by chunk while a chunk is in the cache.

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

CHUNK = 131_072
"""Elements a chunk, a float64 megabyte: measured fastest of 8 Ki to 512 Ki, and no tap however large needs more."""

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
        with np.errstate(invalid="ignore", over="ignore"):
            for start in range(0, flat_r.size, CHUNK):
                part = slice(start, start + CHUNK)
                piece_or = None if flat_or is None else flat_or[part]
                piece_oc = piece_or if totals.same_oracle else None if flat_oc is None else flat_oc[part]
                self._add(totals, start, flat_r[part], flat_c[part], piece_or, piece_oc)
        return totals.stats(reference.shape, flat_r.size, oracle_r is not None, oracle_c is not None)

    def _add(self, t: _Totals, start: int, r: Flat, c: Flat, o_r: Flat | None, o_c: Flat | None) -> None:
        r64, c64, work = (array[: r.size] for array in self._work)
        np.copyto(r64, r)
        square_r = float(r64 @ r64)
        mismatches, ulps = bit_distance(r, c)
        equal = mismatches == 0 and r.dtype == c.dtype
        if equal:
            c64, square_c, dot, square_d = r64, square_r, square_r, 0.0
            largest, at, relative = 0.0, 0, 0.0
        else:
            np.copyto(c64, c)
            square_c, dot = float(c64 @ c64), float(r64 @ c64)
            np.subtract(r64, c64, out=work)
            square_d, largest, at = _reduce(work)
            relative = _largest_relative(work, r, c)
        finite = math.isfinite(square_r + square_c)
        error_r = error_c = None
        if finite and o_r is not None:
            np.subtract(r64, o_r, out=work)
            error_r = _reduce(work)
            finite = math.isfinite(error_r[0])
        if finite and o_c is not None:
            if equal and t.same_oracle:
                error_c = error_r
            else:
                np.subtract(c64, o_c, out=work)
                error_c = _reduce(work)
                finite = math.isfinite(error_c[0])
        if not finite:
            # NaN, Inf or a square that overflows shows in a sum; only then is it worth looking element by element.
            _add_masked(t, start, r, c, o_r, o_c)
            return
        t.pairs += r.size
        t.square_r, t.square_c = t.square_r + square_r, t.square_c + square_c
        t.dot, t.square_d = t.dot + dot, t.square_d + square_d
        t.mismatches += mismatches
        t.note_worst(largest, start + at)
        t.note_relative(relative)
        t.note_ulps(ulps)
        if o_r is not None and error_r is not None:
            t.reference.add(error_r, r.size, start)
            t.note_scale(o_r)
        if o_c is not None and error_c is not None:
            t.candidate.add(error_c, c.size, start)
            if not t.same_oracle:
                t.note_scale(o_c)


Reduced = tuple[float, float, int]
"""Sum of squares, largest magnitude, and where it first is."""


def _reduce(difference: NDArray[np.float64]) -> Reduced:
    """Reduce a chunk of differences, which is overwritten."""
    square = float(difference @ difference)
    np.abs(difference, out=difference)
    at = int(difference.argmax())
    return square, float(difference[at]), at


def _largest_relative(apart: NDArray[np.float64], r: Flat, c: Flat) -> float:
    """The largest |r - c| / max(|r|, |c|); `apart` is |r - c| and is overwritten. Meaningless for NaN and Inf."""
    if r.dtype == c.dtype and _has_ulps(r.dtype):
        sizes = np.maximum(np.abs(r), np.abs(c))
    else:  # the magnitude of the least integer is none of its dtype
        sizes = np.maximum(np.abs(r.astype(np.float64)), np.abs(c.astype(np.float64)))
    np.divide(apart, sizes, out=apart)
    return max(0.0, float(np.fmax.reduce(apart)))  # 0 / 0, two zeros, is the NaN that fmax passes over


@dataclass(slots=True)
class _ErrorTotals:
    largest: float = -1.0
    at: int = -1
    square: float = 0.0
    pairs: int = 0

    def add(self, error: Reduced, pairs: int, start: int) -> None:
        square, largest, at = error
        if largest > self.largest:
            self.largest, self.at = largest, start + at
        self.square += square
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
        self.relative = self.scale = 0.0

    def note_worst(self, value: float, at: int) -> None:
        if value > self.largest:
            self.largest, self.at = value, at

    def note_relative(self, value: float) -> None:
        self.relative = max(self.relative, value)

    def note_ulps(self, ulps: int | None) -> None:
        if ulps is not None:
            self.max_ulp = max(self.max_ulp, ulps)

    def note_scale(self, oracle: Flat) -> None:
        self.scale = max(self.scale, float(oracle.max()), -float(oracle.min()))

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
            cosine=cosine(self.dot, norm),
            max_ulp=self.max_ulp if self.max_ulp >= 0 else None,
            worst_index=_index(self.at, shape) if self.pairs else None,
            reference_error=self.reference.maximum() if has_or else None,
            candidate_error=self.candidate.maximum() if has_oc else None,
            reference_error_rms=self.reference.rms() if has_or else None,
            candidate_error_rms=self.candidate.rms() if has_oc else None,
            candidate_worst_index=_index(self.candidate.at, shape) if has_oc and self.candidate.pairs else None,
            oracle_scale=self.scale if has_or or has_oc else None,
            max_rel=self.relative if self.pairs else None,
        )


def cosine(dot: float, norm: float) -> float | None:
    """dot / norm, kept within -1 to 1; None for a zero vector, and where the squares left the range of float64."""
    return min(1.0, max(-1.0, dot / norm)) if math.isfinite(dot) and 0 < norm < math.inf else None


def bit_distance(r: Flat, c: Flat) -> tuple[int, int | None]:
    """How many elements differ in their bits, and the largest distance in units in the last place.

    The distance counts representable numbers between the two, through zero, where -0 and +0 are one; it is None for
    integers and booleans, and where the dtypes differ (then values are compared instead of bits). Meaningless for NaN
    and Inf, which the caller leaves out.
    """
    if r.dtype != c.dtype or not _has_ulps(r.dtype):
        return int(np.count_nonzero(r != c)), None
    integer = np.dtype(f"i{r.dtype.itemsize}")
    bits_r, bits_c = np.ascontiguousarray(r).view(integer), np.ascontiguousarray(c).view(integer)
    differing = bits_r ^ bits_c
    mismatches = int(np.count_nonzero(differing))
    if mismatches == 0:
        return 0, 0 if r.size else None
    if differing.min() >= 0:
        # No sign differs: bit patterns of one sign are in the order of the magnitudes.
        np.subtract(bits_r, bits_c, out=differing)
        return mismatches, max(int(differing.max()), -int(differing.min()))
    magnitude = np.iinfo(integer).max
    unsigned = np.dtype(f"u{r.dtype.itemsize}")
    below_r, below_c = (bits_r & magnitude).view(unsigned), (bits_c & magnitude).view(unsigned)
    apart = np.where(differing < 0, below_r + below_c, np.maximum(below_r, below_c) - np.minimum(below_r, below_c))
    return mismatches, int(apart.max())


def _has_ulps(dtype: np.dtype[Any]) -> bool:
    """Also for bfloat16, which the package ml_dtypes adds to NumPy with a kind of its own."""
    return dtype.kind == "f" or dtype.name == "bfloat16"


def _add_masked(t: _Totals, start: int, r: Flat, c: Flat, o_r: Flat | None, o_c: Flat | None) -> None:
    """The slow path for a chunk that holds NaN, Inf or squares that overflow: count those, compare the rest."""
    r64, c64 = r.astype(np.float64), c.astype(np.float64)
    t.nan_r += int(np.isnan(r64).sum())
    t.inf_r += int(np.isinf(r64).sum())
    t.nan_c += int(np.isnan(c64).sum())
    t.inf_c += int(np.isinf(c64).sum())
    t.mismatches += bit_distance(r, c)[0]
    both = np.flatnonzero(np.isfinite(r64) & np.isfinite(c64))
    if both.size:
        rr, cc = r64[both], c64[both]
        apart = rr - cc
        square_d, largest, at = _reduce(apart)
        t.note_relative(_largest_relative(apart, r[both], c[both]))
        t.pairs += both.size
        t.square_r, t.square_c = t.square_r + float(rr @ rr), t.square_c + float(cc @ cc)
        t.dot, t.square_d = t.dot + float(rr @ cc), t.square_d + square_d
        t.note_worst(largest, start + int(both[at]))
        t.note_ulps(bit_distance(r[both], c[both])[1])
    for side, oracle, errors in ((r64, o_r, t.reference), (c64, o_c, t.candidate)):
        if oracle is None:
            continue
        if not np.isfinite(oracle).all():
            t.scale = math.inf
        finite = np.flatnonzero(np.isfinite(side) & np.isfinite(oracle))
        if finite.size:
            square, largest, at = _reduce(side[finite] - oracle[finite])
            errors.add((square, largest, int(finite[at])), finite.size, start)
            t.note_scale(oracle[finite])


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.unravel_index(flat, shape))
