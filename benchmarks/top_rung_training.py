"""Does a model at the top rung of the ladder learn as well as the legacy one does?

Both train for 200 epochs on all named colours, by the same loop: seeded weights, the rows shuffled anew in each epoch.
Target: the top rung's mean RGB error (over all colours and channels, 0 to 1) is at most the legacy model's plus its
spread from seed to seed: the largest less the smallest of five seeds.

Prints a table and writes `benchmarks/results/top_rung_training.<device>.json`. Stopped, it goes on where it was. On a
CPU a training takes ten minutes, one on each core.

    python benchmarks/top_rung_training.py [--device cpu|cuda:0] [--epochs N] [--seeds N] [--jobs N]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

import numpy as np
from results_file import ResultsFile, Row
from rich.console import Console
from rich.table import Table

from service import bootstrap
from service.campaigns.spread import Died, spread
from service.engine.learning import measure
from service.parity.plan import ModelSpec, Plan, TrainingSpec
from service.subjects.datasets import load_dataset
from service.subjects.registry import registered_subjects

LEGACY, TOP = "legacy", "basemodel@kernels"
MODEL = ModelSpec(512, 2, 128)
TRAINING = TrainingSpec(batch_size=256, learning_rate=0.02, clip=1.0)
ROWS_AT_ONCE = 2048


@dataclass(frozen=True, slots=True)
class Piece:
    """One training."""

    subject: str
    seed: int
    epochs: int

    @property
    def key(self) -> str:
        return f"{self.subject} {self.seed}"


def train(device: str, dataset: str, piece: Piece) -> Row:
    """The trained model's error over all rows, and what its training took."""
    plan = Plan(model=MODEL, training=TRAINING, dataset=dataset, seed=piece.seed, device=device).validate()
    data = load_dataset(plan)
    rows = data.vectors[: data.rows]
    subject = registered_subjects()[piece.subject].factory(plan)
    order = np.random.default_rng(piece.seed)
    began, loss = time.monotonic(), float("nan")
    with closing(subject):
        for _ in range(piece.epochs):
            shuffled = order.permutation(len(rows))
            for first in range(0, len(rows), TRAINING.batch_size):
                loss = subject.train_step(
                    np.ascontiguousarray(rows[shuffled[first : first + TRAINING.batch_size]])
                ).loss
        seconds = time.monotonic() - began
        outputs = np.concatenate(
            [_host(subject.forward(rows[i : i + ROWS_AT_ONCE])) for i in range(0, len(rows), ROWS_AT_ONCE)]
        )
    found = measure("reference", rows, outputs.astype(np.float64))
    return {
        "key": piece.key,
        "subject": piece.subject,
        "seed": piece.seed,
        "mean_rgb_error": found.mean_rgb_error,
        "absolute_zero": [float(value) for value in outputs[0, :3]],
        "last_loss": float(loss),
        "seconds": seconds,
    }


def _host(array: object) -> np.ndarray:
    """A host copy: the output is a view that the next call overwrites."""
    get = getattr(array, "get", None)
    return np.array(array) if get is None else np.asarray(get())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dataset", default="colors")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=None)
    arguments = parser.parse_args()
    numbers = {"epochs": arguments.epochs, "dataset": arguments.dataset}
    file = ResultsFile("top_rung_training", arguments.device, numbers)
    wanted = [Piece(name, seed, arguments.epochs) for seed in range(arguments.seeds) for name in (LEGACY, TOP)]
    missing = [piece for piece in wanted if piece.key not in file.rows]
    jobs = arguments.jobs or bootstrap.default_jobs(Plan(device=file.device))

    def coming() -> Generator[Row, None, None]:
        with closing(spread(partial(train, file.device, arguments.dataset), missing, jobs)) as trained:
            for piece, row in trained:
                if isinstance(row, Died):
                    raise SystemExit(f"{piece.key}: {row.message}; start again to go on from here")
                yield row

    file.collect(coming(), len(wanted))
    rows = [file.rows[piece.key] for piece in wanted]
    errors = {name: [row["mean_rgb_error"] for row in rows if row["subject"] == name] for name in (LEGACY, TOP)}
    own = max(errors[LEGACY]) - min(errors[LEGACY])
    over = [top - legacy for top, legacy in zip(errors[TOP], errors[LEGACY], strict=True)]
    table = Table(title=f"{arguments.epochs} epochs on {arguments.dataset}, on {file.label}", box=None)
    for heading in (
        "seed",
        "legacy",
        "top rung",
        "difference",
        "Absolute Zero, legacy",
        "Absolute Zero, top rung",
        "s",
    ):
        table.add_column(heading, justify="right")
    for legacy, top in zip(rows[::2], rows[1::2], strict=True):
        table.add_row(
            str(legacy["seed"]),
            *(f"{row['mean_rgb_error']:.6f}" for row in (legacy, top)),
            f"{top['mean_rgb_error'] - legacy['mean_rgb_error']:+.2e}",
            *(", ".join(f"{value:.3f}" for value in row["absolute_zero"]) for row in (legacy, top)),
            f"{legacy['seconds']:.0f}, {top['seconds']:.0f}",
        )
    console = Console(width=150)
    console.print(table)
    console.print(f"largest difference {max(over):+.2e}; the legacy model's own spread over its seeds {own:.2e}")
    file.finish(
        {
            "question": "does a model at the top rung learn as well as the legacy one",
            "target": "mean RGB error at most legacy's plus its spread from seed to seed",
            "met": max(over) <= own,
            "largest_difference": max(over),
            "legacy_spread": own,
            "model": [MODEL.vector_length, MODEL.hidden_layers, MODEL.bottleneck],
            "batch_size": TRAINING.batch_size,
            "learning_rate": TRAINING.learning_rate,
            **numbers,
            "rows": rows,
        }
    )
    if max(over) > own:
        raise SystemExit("missed")


if __name__ == "__main__":
    main()
