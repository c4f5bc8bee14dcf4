"""What the trained models do with the whole dataset: do outputs vary, do colours come back?

The spread of the outputs is what shows a collapsed model: mostly zero padding, an all-zero output has a low loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from service.engine.observer import SubjectTrouble, attempt
from service.parity.record import SIDES, LearnedModel, LearningEvidence, Side, Swatch, Trouble
from service.ports import Dataset, Subject

SWATCHES = 24
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
    return LearningEvidence(tuple(models), _swatches(dataset, outputs), tuple(troubles))


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
