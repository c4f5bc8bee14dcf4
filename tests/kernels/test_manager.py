"""KernelManager: what it hands out, what it refuses, and that the moved kernels are the legacy ones."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import legacy
from kernels import rtx5090
from kernels.manager import KernelManager, KernelSet

REPOSITORY = Path(legacy.__file__).parents[1]


@pytest.fixture
def kernels() -> KernelSet:
    return KernelManager().get_optimized_kernels()


@pytest.mark.parametrize("gpu_type", ["auto", "rtx5090"])
def test_known_types(gpu_type: str) -> None:
    made = KernelManager().get_optimized_kernels(gpu_type)
    assert made.name == "rtx5090"
    assert made.launch_rules.target_blocks == 680


@pytest.mark.parametrize("gpu_type", ["h100", "", "RTX5090"])
def test_unknown_type_lists_what_exists(gpu_type: str) -> None:
    with pytest.raises(ValueError, match=f"'{gpu_type}'; there are auto, rtx5090"):
        KernelManager().get_optimized_kernels(gpu_type)


@pytest.mark.parametrize("name", ["matrix_kernels.cu", "matrix_kernels.py"])
def test_moved_files_are_the_legacy_ones_byte_for_byte(name: str, kernels: KernelSet) -> None:
    moved = (REPOSITORY / "kernels" / "rtx5090" / name).read_bytes()
    assert moved == (REPOSITORY / "legacy" / name).read_bytes()
    assert hashlib.sha256(moved).hexdigest() == rtx5090.MOVED_DIGESTS[name] == kernels.source_digests[name]


def test_digests_cover_every_source_of_the_family(kernels: KernelSet) -> None:
    assert dict(kernels.source_digests) == rtx5090.MOVED_DIGESTS


def test_functions_launch(kernels: KernelSet) -> None:
    a, out = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    kernels.functions["gpu_copy_array"]((1, 512))(a, out)
    np.testing.assert_array_equal(a, out)
    kernels.functions["launch_elementwise_rtx5090"](a, a, out, "add")
    np.testing.assert_array_equal(2 * a, out)


def test_set_is_read_only(kernels: KernelSet) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        kernels.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        kernels.functions["gpu_copy_array"] = print  # type: ignore[index]
    with pytest.raises(TypeError):
        kernels.source_digests["x"] = "y"  # type: ignore[index]


def test_missing(kernels: KernelSet) -> None:
    assert kernels.missing([]) == ()
    assert kernels.missing(["gpu_copy_array"]) == ()
    assert kernels.missing(["gpu_softmax", "gpu_copy_array", "gpu_attention"]) == ("gpu_attention", "gpu_softmax")


def test_importing_and_stepping_on_the_cpu_never_imports_cupy_or_legacy() -> None:
    program = (
        "import sys, numpy as np, kernels.manager as m\n"
        "a = np.zeros(3, np.float32)\n"
        "m.KernelManager().get_optimized_kernels().functions['launch_elementwise_rtx5090'](a, None, a, 'copy')\n"
        "assert not {'cupy', 'legacy', 'service', 'basemodel'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, check=True)
