"""The datasets that a plan can name, made into vectors by the legacy loader that both sides have always shared."""

from __future__ import annotations

from dataclasses import dataclass

from legacy.color_loader import DATASETS, color_vectors, load_color_records, pad_with_noise
from service.parity.digest import digest_of
from service.parity.errors import Problem, UnknownName
from service.parity.plan import Plan
from service.ports import Dataset

_DESCRIPTIONS = {
    "colors-a-f": "264 named colours from A to F, Absolute Zero first",
    "colors": "all named colours",
}


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset as it is listed."""

    name: str
    rows: int
    description: str


def dataset_entries() -> tuple[DatasetEntry, ...]:
    """Every dataset that a plan can name."""
    return tuple(DatasetEntry(name, len(load_color_records(name)), _DESCRIPTIONS[name]) for name in sorted(DATASETS))


def check_dataset(name: str) -> None:
    """Raise `UnknownName`, listing what there is, unless `name` is a dataset."""
    if name not in DATASETS:
        raise UnknownName(Problem("dataset", f"{name!r} is unknown; choose from {', '.join(sorted(DATASETS))}"))


def load_dataset(plan: Plan) -> Dataset:
    """The plan's vectors (n, vector_length) float32.

    Where the set is smaller than one batch it is filled up with seeded noisy copies, as the legacy sweep did.
    """
    check_dataset(plan.dataset)
    records = load_color_records(plan.dataset)
    vectors = color_vectors(records, plan.model.vector_length)
    rows = len(vectors)
    if rows < plan.training.batch_size:
        vectors = pad_with_noise(vectors, plan.training.batch_size, plan.seed)
    vectors.setflags(write=False)
    return Dataset(
        name=plan.dataset,
        vectors=vectors,
        names=tuple(record["Name"] for record in records),
        rows=rows,
        digest=digest_of(vectors),
    )
