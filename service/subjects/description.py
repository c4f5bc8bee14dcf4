"""What every subject of this repository says of itself: digest of its source, size, floating-point operations."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType

from service.parity.plan import Plan
from service.parity.record import SubjectInfo


def source_digest(sources: Iterable[ModuleType | Path]) -> str:
    """SHA-256 over the files, and of a module its source file and the .cu file beside it, hex."""
    sha = hashlib.sha256()
    for source in sources:
        path = source if isinstance(source, Path) else Path(str(source.__file__))
        for file in (path,) if isinstance(source, Path) else (path, path.with_suffix(".cu")):
            if file.exists():
                sha.update(file.name.encode())
                sha.update(file.read_bytes())
    return sha.hexdigest()


def files_of(package: ModuleType) -> list[Path]:
    """Every source file in a package's folder and below."""
    folder = Path(str(package.__file__)).parent
    return sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".cu"))


def describe(
    name: str,
    plan: Plan,
    device: str,
    files: Iterable[ModuleType | Path],
    sources: Mapping[str, str],
    version: str = "1",
) -> SubjectInfo:
    """The info of an autoencoder of the plan's shape.

    A step's FLOPs count the three products a layer, 2*B*K*N each, less the gradient that layer 0 need not pass on.
    """
    widths = list(itertools.pairwise(plan.layer_sizes()))
    weights = sum(a * b for a, b in widths)
    flops = 2 * plan.training.batch_size * (3 * weights - widths[0][0] * widths[0][1])
    return SubjectInfo(
        name=name,
        version=version,
        source_digest=source_digest(files),
        parameter_count=weights + sum(b for _, b in widths),
        step_flops=flops,
        device=device,
        sources=sources,
    )
