"""KernelManager: which kernels there are, for which GPU, under which launch rules, and from which source bytes."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from kernels.devices import Gpu, gpu_index, read_gpu
from kernels.geometry import H100_SM_COUNT, RTX5090_SM_COUNT, Dimensions, LaunchRules, validate_utilization
from kernels.launchers import KernelLaunch, Launchers
from kernels.rtx5090 import matrix_kernels as rtx5090

__all__ = ["KernelManager", "KernelSet", "LaunchRules"]

logger = logging.getLogger(__name__)

SM_COUNTS = MappingProxyType({"rtx5090": RTX5090_SM_COUNT, "h100": H100_SM_COUNT, "cpu": 0})
"""The sets, and the multiprocessors of the card that each is named after; an H100 of another build, or a part of one,
has fewer, which the device says."""

_BY_CAPABILITY = MappingProxyType({(9, 0): "h100", (12, 0): "rtx5090"})
_NAMED_AFTER = MappingProxyType({"h100": "H100", "rtx5090": "RTX 5090"})

# The legacy helpers' names, which a model may require, and those that the same helpers have in every set.
_LEGACY_NAMES = MappingProxyType(
    {
        "launch_matrix_multiply_rtx5090": "launch_matrix_multiply",
        "launch_elementwise_rtx5090": "launch_elementwise",
        "launch_reduce_rtx5090": "launch_reduce",
        "get_rtx5090_config": "launch_config",
        "validate_rtx5090_utilization": "validate_utilization",
    }
)


@dataclass(frozen=True, slots=True)
class KernelSet:
    """One set of kernels, read-only.

    `functions` maps each kernel's and launch helper's name to the callable: a kernel is launched as
    `functions[name]((grid, block))(*arguments)`. `source_digests` maps each source file's name to its SHA-256 in hex,
    taken from the bytes on the disk when the set was made. `reason` says why this set was chosen.
    """

    name: str
    functions: Mapping[str, Callable[..., Any]]
    source_digests: Mapping[str, str]
    launch_rules: LaunchRules
    reason: str = ""

    def missing(self, required: Iterable[str]) -> tuple[str, ...]:
        """The names in `required` that this set does not have, sorted; empty when it has all."""
        return tuple(sorted(set(required) - set(self.functions)))

    def require(self, required: Iterable[str]) -> None:
        """Raises ValueError, naming them, when there are names in `required` that this set does not have."""
        missing = self.missing(required)
        if missing:
            raise ValueError(f"kernel set {self.name!r} lacks {', '.join(missing)}, which this model needs")


class KernelManager:
    """Hands out kernel sets by GPU type or by device. `read_gpu` asks what a CUDA device is."""

    def __init__(self, read_gpu: Callable[[int], Gpu] = read_gpu) -> None:
        self._read_gpu = read_gpu

    def available(self) -> tuple[str, ...]:
        """The GPU types that there are kernels for, sorted, without 'auto'."""
        return tuple(sorted(SM_COUNTS))

    def get_optimized_kernels(
        self, gpu_type: str = "auto", device: str | None = None, *, required: Iterable[str] = ()
    ) -> KernelSet:
        """The set for `gpu_type`: 'RTX5090', 'H100', 'cpu', in any case, or 'auto', which goes by `device`.

        `device` is 'cpu' or 'cuda:N' and looked at by 'auto' alone: 'cpu' gives the CPU's set; a CUDA device the
        family of its compute capability, with launch rules for the multiprocessors that it has; one that no family
        was made for gets the rtx5090 family, and `reason` and the log say so. Without a device nothing is asked of
        any GPU, and 'auto' is rtx5090, whose kernels run on every GPU and, with NumPy arrays, on a CPU.
        `required` are names that the set must have, a model's `required_kernels()`.

        Raises ValueError for an unknown type, listing what exists; for a device that is unknown or cannot be used; and
        for required names that the set lacks.
        """
        name = gpu_type.casefold()
        if name == "auto":
            made = self._detect(device)
        elif name in SM_COUNTS:
            made = _make_set(name, SM_COUNTS[name], f"{name} was asked for")
        else:
            raise ValueError(f"no kernels for GPU type {gpu_type!r}; there are auto, {', '.join(self.available())}")
        made.require(required)
        return made

    @staticmethod
    def validate_utilization(blocks: Dimensions, threads: Dimensions, sm_count: int = RTX5090_SM_COUNT) -> float:
        """min(total blocks / sm_count, 1.0); warns below 0.8. See `kernels.geometry.validate_utilization`."""
        return validate_utilization(blocks, threads, sm_count)

    def _detect(self, device: str | None) -> KernelSet:
        if device is None:
            return _make_set("rtx5090", RTX5090_SM_COUNT, "no device was named: the family that runs everywhere")
        index = gpu_index(device)
        if index is None:
            return _make_set("cpu", SM_COUNTS["cpu"], "the device is the CPU")
        gpu = self._read_gpu(index)
        name = _BY_CAPABILITY.get(gpu.compute_capability)
        if name is None:
            reason = f"no kernels are made for {gpu}: the rtx5090 family, with launch rules for {gpu.sm_count} SMs"
            logger.warning("%s", reason)
            return _make_set("rtx5090", gpu.sm_count, reason)
        made_for = _NAMED_AFTER[name]
        same = made_for in gpu.name and gpu.sm_count == SM_COUNTS[name]
        rules = "" if same else f": the multiprocessor of an {made_for}, with launch rules for {gpu.sm_count} SMs"
        return _make_set(name, gpu.sm_count, f"{device} is {gpu}{rules}")


def _make_set(name: str, sm_count: int, reason: str) -> KernelSet:
    """Every set has the same kernels, so also the same names; rules and, on a CPU, what may be handed in differ."""
    rules = LaunchRules(sm_count)
    kernels: dict[str, KernelLaunch] = {
        kernel.name: _on_host(kernel) if name == "cpu" else kernel.__getitem__ for kernel in rtx5090.KERNELS.values()
    }
    helpers = Launchers(MappingProxyType(kernels), rules).functions()
    if name == "rtx5090" and sm_count == RTX5090_SM_COUNT:
        legacy_helpers = {legacy_name: getattr(rtx5090, legacy_name) for legacy_name in _LEGACY_NAMES}
    else:
        legacy_helpers = {legacy_name: helpers[common] for legacy_name, common in _LEGACY_NAMES.items()}
    return KernelSet(name, MappingProxyType({**kernels, **helpers, **legacy_helpers}), _digests(), rules, reason)


def _on_host(kernel: rtx5090.Kernel) -> KernelLaunch:
    """The kernel's NumPy twin, and nothing else: a device array is refused, not launched."""

    def at(geometry: tuple[Any, Any]) -> Callable[..., None]:
        launch = kernel[geometry]

        def on_host(*arguments: Any) -> None:
            if not all(isinstance(array, np.ndarray) for array in arguments[: kernel.arrays]):
                raise TypeError(f"{kernel.name}: the cpu set takes NumPy arrays")
            launch(*arguments)

        return on_host

    return at


def _digests() -> Mapping[str, str]:
    """SHA-256 of the kernels, of the legacy Python that launches them, and of the rules and helpers beside it."""
    family = rtx5090.SOURCE_PATH.parent
    paths = [path for path in sorted(family.iterdir()) if path.suffix in {".cu", ".py"} and path.stem != "__init__"]
    paths += [Path(__file__).with_name("geometry.py"), Path(__file__).with_name("launchers.py")]
    return MappingProxyType({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths})
