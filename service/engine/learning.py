"""What the trained models do with the whole dataset: do outputs vary, do colours come back?

The spread of the outputs is what shows a collapsed model: mostly zero padding, an all-zero output has a low loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.engine.observer import SubjectTrouble, attempt
from service.parity.record import (
    SIDES,
    Confusion,
    LearnedModel,
    LearningEvidence,
    NearestName,
    Side,
    Swatch,
    Trouble,
)
from service.ports import Dataset, Subject

SWATCHES = 24
CONFUSIONS = 24
RGB = slice(0, 3)
"""A colour's vector begins with red, green and blue, each 0 to 1."""
_CHUNK_ROWS = 1024


def examine(dataset: Dataset, subjects: Mapping[Side, Subject]) -> LearningEvidence:
    """Run the dataset's real rows through both trained models."""
    rows = dataset.vectors[: dataset.rows]
    models: list[LearnedModel] = []
    troubles: list[Trouble] = []
    outputs: dict[Side, NDArray[np.float64]] = {}
    for side in SIDES:
        try:
            outputs[side] = _outputs(side, subjects[side], rows)
            models.append(measure(side, rows, outputs[side]))
        except SubjectTrouble as stop:
            troubles.append(stop.trouble)
    nearest = {side: nearest_colours(rows[:, RGB], outputs[side][:, RGB]) for side in outputs}
    named = tuple(replace(model, named_right=int(nearest[model.side].right.sum())) for model in models)
    return LearningEvidence(named, _swatches(dataset, outputs), tuple(troubles), confusions(dataset.names, nearest))


def measure(side: Side, rows: NDArray[np.float32], outputs: NDArray[np.float64]) -> LearnedModel:
    """Spread and colour error of `outputs` (n, F) against the data `rows` (n, F)."""
    data = rows.astype(np.float64)
    varying = data.max(axis=0) > data.min(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        spread = _spread(outputs[:, varying])
        error = float(np.abs(outputs[:, RGB] - data[:, RGB]).mean())
    return LearnedModel(
        side=side,
        rows=len(rows),
        varying_features=int(varying.sum()),
        data_spread=_spread(data[:, varying]),
        output_spread=spread,
        mean_rgb_error=error,
        nonfinite=int(np.count_nonzero(~np.isfinite(outputs))),
    )


@dataclass(frozen=True, slots=True)
class Nearest:
    """For each row: whether its output is nearest to its own colour, the nearest colour's row, and both distances.

    Shapes (n,); bool, int64 and twice float64. A row whose output is not finite is not right and has distance NaN.
    """

    right: NDArray[np.bool_]
    row: NDArray[np.int64]
    distance: NDArray[np.float64]
    own_distance: NDArray[np.float64]


def nearest_colours(colours: NDArray[np.float32], outputs: NDArray[np.float64]) -> Nearest:
    """Find the nearest of `colours` (n, 3) to each of `outputs` (n, 3), Euclidean. A tie with its own colour is right:
    many names share one colour."""
    from scipy import spatial

    tree: Any = spatial.KDTree  # it has no types
    exact = colours.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        own = np.sqrt(((outputs - exact) ** 2).sum(axis=1))
    finite = np.isfinite(own)
    distance, row = np.full(len(own), np.nan), np.zeros(len(own), np.int64)
    if finite.any():
        distance[finite], row[finite] = tree(exact).query(outputs[finite])
    # The tree sums the squares in an order of its own, so a tie may be off by a rounding.
    right = finite & (own <= distance * (1 + 1e-12))
    row[right] = np.flatnonzero(right)
    return Nearest(right, row, distance, np.where(finite, own, np.nan))


def confusions(names: Sequence[str], nearest: Mapping[Side, Nearest]) -> tuple[Confusion, ...]:
    """Colours that a model gives back nearer to another: those on which the models disagree first, then the farthest
    off; at most `CONFUSIONS`."""
    if not nearest:
        return ()
    sides = list(nearest.values())
    wrong = np.flatnonzero(np.logical_or.reduce([~side.right for side in sides]))
    agree = np.logical_and.reduce([side.row == sides[0].row for side in sides])
    off = np.max([np.nan_to_num(side.own_distance, nan=np.inf) for side in sides], axis=0)
    order = wrong[np.lexsort((wrong, -off[wrong], agree[wrong]))]

    def told(side: Side, row: int) -> NearestName | None:
        found = nearest.get(side)
        if found is None or not np.isfinite(found.distance[row]):
            return None
        return NearestName(names[found.row[row]], float(found.distance[row]), float(found.own_distance[row]))

    return tuple(
        Confusion(names[row], told("reference", row), told("candidate", row)) for row in map(int, order[:CONFUSIONS])
    )


def _spread(values: NDArray[np.float64]) -> float:
    """sqrt(mean over features of the variance over inputs).

    Taken from the first row, so that the spread of one value, however large, is 0 and not the rounding of its mean.
    """
    return float(np.sqrt((values - values[0]).var(axis=0).mean())) if values.size else 0.0


def _outputs(side: Side, subject: Subject, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    parts = []
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        chunk.setflags(write=False)
        output = attempt(side, "free_running", None, "forward", partial(_forward, subject, chunk))
        if output.shape != chunk.shape:
            message = f"the {side}'s forward gave shape {output.shape}; expected {chunk.shape}"
            raise SubjectTrouble(Trouble(side, "free_running", None, "shape", message))
        parts.append(output)
    return np.concatenate(parts)


def _forward(subject: Subject, chunk: NDArray[np.float32]) -> NDArray[np.float64]:
    array = subject.forward(chunk)
    host = array.get() if hasattr(array, "get") else np.asarray(array)
    return np.array(host, dtype=np.float64)


def _swatches(dataset: Dataset, outputs: Mapping[Side, NDArray[np.float64]]) -> tuple[Swatch, ...]:
    picked = np.unique(np.linspace(0, dataset.rows - 1, min(SWATCHES, dataset.rows)).round().astype(int))
    return tuple(
        Swatch(
            name=dataset.names[row],
            target=_rgb(dataset.vectors[row]),
            reference=_rgb(outputs["reference"][row]) if "reference" in outputs else None,
            candidate=_rgb(outputs["candidate"][row]) if "candidate" in outputs else None,
        )
        for row in picked
    )


def _rgb(vector: NDArray[np.floating]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in vector[RGB])
    return red, green, blue
