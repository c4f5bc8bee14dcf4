"""The datasets that a plan can name: colours as text vectors, made by the legacy loader that both sides have always
shared, and as patches of pixels."""

from __future__ import annotations

from dataclasses import dataclass

from basemodel.datasets import color_patches, patch_side
from legacy.color_loader import DATASETS, color_vectors, load_color_records, pad_with_noise
from service.parity.digest import digest_of
from service.parity.errors import Problem, UnknownName
from service.parity.plan import Plan
from service.ports import Dataset

COLOR_PATCHES = "color-patches"
_DESCRIPTIONS = {
    "colors-a-f": "264 named colours from A to F, Absolute Zero first",
    "colors": "all named colours",
    COLOR_PATCHES: "264 patches of k x k pixels that begin with a colour from A to F; vectors of 3 k k numbers",
}


@dataclass(frozen=True, slots=True)
class DatasetEntry:
    """A dataset as it is listed."""

    name: str
    rows: int
    description: str


def dataset_entries() -> tuple[DatasetEntry, ...]:
    """Every dataset that a plan can name."""
    return tuple(
        DatasetEntry(name, len(load_color_records(_records_of(name))), _DESCRIPTIONS[name]) for name in dataset_names()
    )


def dataset_names() -> tuple[str, ...]:
    """The datasets' names, lists of colours first."""
    return (*sorted(DATASETS), COLOR_PATCHES)


def check_dataset(name: str) -> None:
    """Raise `UnknownName`, listing what there is, unless `name` is a dataset."""
    if name not in dataset_names():
        raise UnknownName(Problem("dataset", f"{name!r} is unknown; choose from {', '.join(dataset_names())}"))


def _records_of(name: str) -> str:
    """The list of colours that a dataset is made from."""
    return "colors-a-f" if name == COLOR_PATCHES else name


def load_dataset(plan: Plan) -> Dataset:
    """The plan's vectors (n, vector_length) float32.

    Where the set is smaller than one batch it is filled up with seeded noisy copies, as the legacy sweep did.
    """
    check_dataset(plan.dataset)
    records = load_color_records(_records_of(plan.dataset))
    length = plan.model.vector_length
    if plan.dataset == COLOR_PATCHES:
        side = patch_side(length)
        if side is None:
            raise ValueError(f"a vector of {length} numbers is no patch: that takes 3 * k * k")
        vectors = color_patches(records, side)
    else:
        vectors = color_vectors(records, length)
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
