"""What kernels take of a multiprocessor, held to what is claimed of them: rows, complaints, a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kernels.compiler import Compiler, Resources
from kernels.geometry import H100_SM_COUNT, RTX5090_SM_COUNT
from kernels.occupancy import SM_LIMITS, Occupancy, occupancy


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    architecture: str
    sm_count: int


CARDS = (Card("H100", "sm_90", H100_SM_COUNT), Card("RTX 5090", "sm_120", RTX5090_SM_COUNT))


@dataclass(frozen=True, slots=True)
class KernelLaunch:
    """A kernel as it is launched. `claimed_blocks`, by architecture: so many must be resident on a multiprocessor."""

    name: str
    block: tuple[int, ...]
    claimed_blocks: Mapping[str, int]

    @property
    def block_threads(self) -> int:
        threads = 1
        for extent in self.block:
            threads *= extent
        return threads


@dataclass(frozen=True, slots=True)
class CudaSource:
    """A .cu by its path in the repository, the options that its launcher asks for, and the launches of its kernels."""

    path: str
    text: str
    options: tuple[str, ...]
    launches: tuple[KernelLaunch, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One launch on one card."""

    source: str
    card: Card
    launch: KernelLaunch
    resources: Resources
    occupancy: Occupancy

    @property
    def claimed_blocks(self) -> int:
        return self.launch.claimed_blocks[self.card.architecture]


def examine(source: CudaSource, card: Card, compiler: Compiler) -> list[Row]:
    """Compile `source` for the card; one row a launch. Raises CompileError."""
    names = list(dict.fromkeys(launch.name for launch in source.launches))
    found = compiler.resources(source.text, names, source.options, card.architecture)
    return [
        Row(source.path, card, launch, found[launch.name], _occupancy(card, launch, found))
        for launch in source.launches
    ]


def _occupancy(card: Card, launch: KernelLaunch, found: Mapping[str, Resources]) -> Occupancy:
    taken = found[launch.name]
    return occupancy(SM_LIMITS[card.architecture], launch.block_threads, taken.registers, taken.shared_memory_bytes)


def complaints(rows: Iterable[Row]) -> list[str]:
    """One sentence for each spill and each occupancy below its claim; empty when all is as claimed."""
    found = []
    for row in rows:
        where = f"{row.source}: {row.launch.name} for {row.card.architecture}"
        taken, claimed = row.resources, row.claimed_blocks
        if taken.spill_store_bytes or taken.spill_load_bytes:
            found.append(f"{where} spills {taken.spill_store_bytes} bytes and loads {taken.spill_load_bytes} again")
        if not row.occupancy.resident_blocks >= claimed:
            found.append(
                f"{where}: {row.occupancy.resident_blocks} blocks of {row.launch.block_threads} threads fit on a "
                f"multiprocessor, {claimed} are claimed; limited by {', '.join(row.occupancy.limited_by)}"
            )
    return found


_COLUMNS = (
    "kernel", "block", "registers", "shared, bytes", "spills, bytes", "blocks an SM: resident / claimed",
    "occupancy", "resident on {sm_count} SMs: blocks, threads", "limited by",
)  # fmt: skip


def table(rows: Sequence[Row], card: Card) -> str:
    """The rows of one card as a Markdown table."""
    head = " | ".join(_COLUMNS).format(sm_count=card.sm_count)
    lines = [f"| {head} |", f"| --- |{' ---: |' * (len(_COLUMNS) - 2)} --- |"]
    for row in (row for row in rows if row.card == card):
        taken, fits = row.resources, row.occupancy
        spills = taken.spill_store_bytes + taken.spill_load_bytes
        blocks, threads = fits.resident_blocks * card.sm_count, fits.resident_threads * card.sm_count
        lines.append(
            f"| `{row.launch.name}` | {'×'.join(map(str, row.launch.block))} | {taken.registers} "
            f"| {taken.shared_memory_bytes:,} | {spills} | {fits.resident_blocks} / {row.claimed_blocks} "
            f"| {fits.fraction:.1%} | {blocks:,}, {threads:,} | {', '.join(fits.limited_by)} |"
        )
    return "\n".join(lines)
