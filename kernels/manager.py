"""KernelManager: which kernels there are, for which GPU, and from which source bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kernels.rtx5090 import matrix_kernels as rtx5090


@dataclass(frozen=True, slots=True)
class LaunchRules:
    """The geometry that a family is tuned for. `target_blocks` is the grid that fills the GPU."""

    sm_count: int
    threads_per_block: int
    blocks_per_sm: int

    @property
    def target_blocks(self) -> int:
        return self.sm_count * self.blocks_per_sm


@dataclass(frozen=True, slots=True)
class KernelSet:
    """One family of kernels, read-only.

    `functions` maps each kernel's and launch helper's name to the callable; `source_digests` each source file's name to
    its SHA-256 in hex, taken from the bytes on the disk when the set was made.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    source_digests: Mapping[str, str]
    launch_rules: LaunchRules

    def missing(self, required: Iterable[str]) -> tuple[str, ...]:
        """The names in `required` that this set does not have, sorted; empty when it has all."""
        return tuple(sorted(set(required) - set(self.functions)))


def _source_digests(folder: Path) -> Mapping[str, str]:
    """SHA-256 of the .cu files and of the Python that launches them."""
    paths = [path for path in sorted(folder.iterdir()) if path.suffix in {".cu", ".py"} and path.stem != "__init__"]
    return MappingProxyType({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths})


def _rtx5090_set() -> KernelSet:
    launchers: dict[str, Callable[..., Any]] = {
        function.__name__: function
        for function in (
            rtx5090.launch_matrix_multiply_rtx5090,
            rtx5090.launch_elementwise_rtx5090,
            rtx5090.launch_reduce_rtx5090,
            rtx5090.get_rtx5090_config,
            rtx5090.validate_rtx5090_utilization,
        )
    }
    # A Kernel is launched as kernel[grid, block](…); handing out the bound subscript makes each entry a callable.
    kernels = {name: kernel.__getitem__ for name, kernel in rtx5090.KERNELS.items()}
    return KernelSet(
        name="rtx5090",
        functions=MappingProxyType({**kernels, **launchers}),
        source_digests=_source_digests(rtx5090.SOURCE_PATH.parent),
        launch_rules=LaunchRules(
            rtx5090.RTX5090_SM_COUNT, rtx5090.RTX5090_THREADS_PER_BLOCK, rtx5090.RTX5090_BLOCKS_PER_SM
        ),
    )


class KernelManager:
    """Hands out kernel sets by GPU type."""

    _families: Mapping[str, Callable[[], KernelSet]] = MappingProxyType({"rtx5090": _rtx5090_set})

    def available(self) -> tuple[str, ...]:
        """The GPU types that there are kernels for, sorted, without 'auto'."""
        return tuple(sorted(self._families))

    def get_optimized_kernels(self, gpu_type: str = "auto") -> KernelSet:
        """The set for `gpu_type`. 'auto' gives 'rtx5090', the only family so far: it runs on every GPU, and on a CPU.

        Raises ValueError, listing what exists, for an unknown type.
        """
        name = "rtx5090" if gpu_type == "auto" else gpu_type
        if name not in self._families:
            raise ValueError(f"no kernels for GPU type {gpu_type!r}; there are auto, {', '.join(self.available())}")
        return self._families[name]()
