"""What does each kernel take of a multiprocessor, and does as much of it fit at once as is claimed? Needs no GPU.

Compiles every .cu of the repository for an H100 and an RTX 5090, prints the tables, and exits 1 where a kernel spills
or fewer blocks fit than its launch claims. With --write the tables go to docs/kernels.md, between its markers.

    python -m benchmarks.kernel_resources [--write]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from kernels.compiler import Compiler, find_compiler
from kernels.geometry import MATRIX_BLOCK, SMALL_MATRIX_BLOCK, THREADS_PER_BLOCK, LaunchRules
from kernels.occupancy import SM_LIMITS
from kernels.resources import CARDS, CudaSource, KernelLaunch, Row, complaints, examine, table
from kernels.rtx5090 import matrix_kernels
from service.differs.cupy_differ import OPTIONS, REDUCE, SOURCE, kernel_name
from service.differs.fused_tables import FIELDS, KERNEL_TYPES, THREADS

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "kernels.md"
BEGIN, END = "<!-- begin: benchmarks/kernel_resources.py -->", "<!-- end -->"

# The twin of `Resident` in fused_diff.cu, by architecture, kernel type and oracle; any other pair keeps the default.
_DIFFER_CLAIMS = {
    "sm_90": ({("Float32", False): 4, ("Float64", False): 3}, 2),
    "sm_120": ({("Float32", False): 2, ("Float64", False): 2, ("Float64", True): 2}, 1),
}


def sources() -> tuple[CudaSource, ...]:
    """Every .cu of the repository, with what is launched of it."""
    return (
        CudaSource("kernels/rtx5090/matrix_kernels.cu", *_matrix_kernels("kernels/rtx5090")),
        CudaSource("legacy/matrix_kernels.cu", *_matrix_kernels("legacy")),
        CudaSource(
            "service/differs/fused_diff.cu",
            SOURCE.read_text(encoding="utf-8"),
            OPTIONS,
            _differ_launches(),
        ),
    )


def _matrix_kernels(folder: str) -> tuple[str, tuple[str, ...], tuple[KernelLaunch, ...]]:
    text = (ROOT / folder / "matrix_kernels.cu").read_text(encoding="utf-8")
    launches = []
    for name in matrix_kernels.KERNELS:
        blocks: dict[str, tuple[tuple[int, ...], ...]] = {
            "gpu_matrix_multiply": (MATRIX_BLOCK, SMALL_MATRIX_BLOCK),
            "gpu_add_bias": (MATRIX_BLOCK,),
        }
        launches += [_by_the_rules(name, block) for block in blocks.get(name, ((THREADS_PER_BLOCK,),))]
    return text, matrix_kernels.REQUESTED_COMPILE_OPTIONS, tuple(launches)


def _by_the_rules(name: str, block: tuple[int, ...]) -> KernelLaunch:
    """What the launch rules claim of every kernel of theirs: see `LaunchRules.claimed_blocks`."""
    threads = KernelLaunch(name, block, {}).block_threads
    claims = {
        card.architecture: LaunchRules(card.sm_count).claimed_blocks(SM_LIMITS[card.architecture], threads)
        for card in CARDS
    }
    return KernelLaunch(name, block, claims)


def _differ_launches() -> tuple[KernelLaunch, ...]:
    launches = []
    for kernel_type in KERNEL_TYPES.values():
        for oracle in (False, True):
            claims = {
                architecture: named.get((kernel_type, oracle), default)
                for architecture, (named, default) in _DIFFER_CLAIMS.items()
            }
            launches.append(KernelLaunch(kernel_name(kernel_type, oracle), (THREADS,), claims))
    once = {card.architecture: 1 for card in CARDS}
    return (*launches, KernelLaunch(REDUCE, (32 * len(FIELDS),), once))


def report(compiler: Compiler) -> tuple[list[Row], str]:
    """Rows of all sources on all cards, and the page's tables; the legacy file, the same text, is in the rows alone."""
    rows = [row for card in CARDS for source in sources() for row in examine(source, card, compiler)]
    parts = [f"Compiled by {compiler.version}."]
    for card in CARDS:
        parts.append(f"### {card.name}: {card.architecture}, {card.sm_count} SMs")
        for source in sources():
            if not source.path.startswith("legacy/"):
                parts += [f"`{source.path}`", table([row for row in rows if row.source == source.path], card)]
    return rows, "\n\n".join(parts)


def committed() -> str:
    """What the page has between its markers."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/kernels.md")
    arguments = parser.parse_args()
    compiler = find_compiler()
    if compiler is None:
        sys.stderr.write("neither nvcc (with c++filt) nor an NVRTC library was found\n")
        return 2
    rows, tables = report(compiler)
    sys.stdout.write(f"{tables}\n")
    if arguments.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{tables}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    found = complaints(rows)
    sys.stderr.writelines(f"{complaint}\n" for complaint in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
