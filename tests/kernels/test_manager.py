"""KernelManager: what it hands out for a device, what it refuses, and that the moved kernels are the legacy ones."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import legacy
from basemodel.autoencoder import REQUIRED_KERNELS
from kernels import rtx5090
from kernels.devices import Gpu
from kernels.manager import KernelManager, KernelSet
from kernels.rtx5090 import matrix_kernels

REPOSITORY = Path(legacy.__file__).parents[1]


@pytest.fixture
def kernels() -> KernelSet:
    return KernelManager().get_optimized_kernels()


@pytest.mark.parametrize(
    ("gpu_type", "name", "target"),
    [
        ("auto", "rtx5090", 680), ("rtx5090", "rtx5090", 680), ("RTX5090", "rtx5090", 680), ("Auto", "rtx5090", 680),
        ("h100", "h100", 528), ("H100", "h100", 528), ("cpu", "cpu", 0), ("CPU", "cpu", 0),
    ],
)  # fmt: skip
def test_known_types(gpu_type: str, name: str, target: int) -> None:
    made = KernelManager().get_optimized_kernels(gpu_type)
    assert made.name == name
    assert made.launch_rules.target_blocks == target


def test_available() -> None:
    assert KernelManager().available() == ("cpu", "h100", "rtx5090")


@pytest.mark.parametrize("gpu_type", ["a100", "", "RTX 5090"])
def test_unknown_type_lists_what_exists(gpu_type: str) -> None:
    with pytest.raises(ValueError, match=f"'{gpu_type}'; there are auto, cpu, h100, rtx5090"):
        KernelManager().get_optimized_kernels(gpu_type)


H100 = Gpu("NVIDIA H100 80GB HBM3", (9, 0), 132)
RTX5090 = Gpu("NVIDIA GeForce RTX 5090", (12, 0), 170)


@pytest.mark.parametrize(
    ("gpu", "name", "sm_count", "reason"),
    [
        (H100, "h100", 132, "cuda:3 is NVIDIA H100 80GB HBM3 (compute capability 9.0, 132 SMs)"),
        (RTX5090, "rtx5090", 170, "cuda:3 is NVIDIA GeForce RTX 5090 (compute capability 12.0, 170 SMs)"),
        (
            Gpu("NVIDIA H100 PCIe", (9, 0), 114), "h100", 114,
            "cuda:3 is NVIDIA H100 PCIe (compute capability 9.0, 114 SMs): the multiprocessor of an H100, with launch "
            "rules for 114 SMs",
        ),
        (
            Gpu("NVIDIA GeForce RTX 5080", (12, 0), 84), "rtx5090", 84,
            "cuda:3 is NVIDIA GeForce RTX 5080 (compute capability 12.0, 84 SMs): the multiprocessor of an RTX 5090, "
            "with launch rules for 84 SMs",
        ),
    ],
)  # fmt: skip
def test_a_cuda_device_is_detected(
    gpu: Gpu, name: str, sm_count: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = KernelManager(read_gpu={3: gpu}.__getitem__).get_optimized_kernels("auto", device="cuda:3")
    assert (made.name, made.launch_rules.sm_count, made.reason) == (name, sm_count, reason)
    assert not caplog.records


def test_an_unknown_gpu_gets_the_rtx5090_family_and_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    manager = KernelManager(read_gpu=lambda index: Gpu("NVIDIA A100-SXM4-80GB", (8, 0), 108))
    made = manager.get_optimized_kernels(device="cuda:0")
    assert (made.name, made.launch_rules.target_blocks) == ("rtx5090", 432)
    expected = (
        "no kernels are made for NVIDIA A100-SXM4-80GB (compute capability 8.0, 108 SMs): the rtx5090 family, with "
        "launch rules for 108 SMs"
    )
    assert made.reason == expected
    assert [record.message for record in caplog.records] == [expected]


def test_the_cpu_and_named_types_ask_no_gpu() -> None:
    manager = KernelManager(read_gpu=lambda index: pytest.fail("a GPU was asked"))
    assert manager.get_optimized_kernels("auto", device="cpu").name == "cpu"
    assert manager.get_optimized_kernels("auto").name == "rtx5090"
    assert manager.get_optimized_kernels("H100", device="cuda:0").name == "h100"


@pytest.mark.parametrize("gpu_type", ["cpu", "h100", "rtx5090"])
def test_every_set_has_what_the_model_requires(gpu_type: str) -> None:
    made = KernelManager().get_optimized_kernels(gpu_type, required=REQUIRED_KERNELS)
    assert made.missing(REQUIRED_KERNELS) == ()
    assert set(made.functions) == set(KernelManager().get_optimized_kernels().functions)


def test_what_is_required_and_missing_is_named() -> None:
    with pytest.raises(ValueError, match="'h100' lacks gpu_attention, gpu_softmax, which this model needs"):
        KernelManager().get_optimized_kernels("H100", required=["gpu_softmax", "gpu_copy_array", "gpu_attention"])


def test_the_legacy_names_are_the_legacy_helpers_where_the_rules_are_theirs() -> None:
    other = KernelManager(read_gpu=lambda index: Gpu("NVIDIA GeForce RTX 5080", (12, 0), 84))
    for name in ("launch_elementwise_rtx5090", "get_rtx5090_config", "validate_rtx5090_utilization"):
        assert KernelManager().get_optimized_kernels("RTX5090").functions[name] is getattr(matrix_kernels, name)
        assert other.get_optimized_kernels(device="cuda").functions[name] is not getattr(matrix_kernels, name)
    assert other.get_optimized_kernels(device="cuda").functions["get_rtx5090_config"](100_001).grid == (336,)


class DeviceArray:
    """Stands for what is not a NumPy array."""

    dtype = np.dtype(np.float32)


def test_the_cpu_set_launches_twins_and_refuses_device_arrays() -> None:
    functions = KernelManager().get_optimized_kernels("cpu").functions
    a, out = np.arange(5, dtype=np.float32), np.zeros(5, np.float32)
    functions["launch_elementwise"](a, None, out, "copy")
    np.testing.assert_array_equal(a, out)
    with pytest.raises(TypeError, match="gpu_copy_array: the cpu set takes NumPy arrays"):
        functions["gpu_copy_array"]((1, 512))(DeviceArray(), DeviceArray())


def test_validate_utilization() -> None:
    assert KernelManager.validate_utilization(66, 512, sm_count=132) == 0.5
    assert KernelManager().validate_utilization((85, 1), (32, 16)) == 0.5


@pytest.mark.parametrize("name", ["matrix_kernels.cu", "matrix_kernels.py"])
def test_moved_files_are_the_legacy_ones_byte_for_byte(name: str, kernels: KernelSet) -> None:
    moved = (REPOSITORY / "kernels" / "rtx5090" / name).read_bytes()
    assert moved == (REPOSITORY / "legacy" / name).read_bytes()
    assert hashlib.sha256(moved).hexdigest() == rtx5090.MOVED_DIGESTS[name] == kernels.source_digests[name]


def test_digests_cover_every_source_of_the_family(kernels: KernelSet) -> None:
    ours = {
        name: hashlib.sha256((REPOSITORY / "kernels" / name).read_bytes()).hexdigest()
        for name in ("geometry.py", "launchers.py")
    }
    assert dict(kernels.source_digests) == {**rtx5090.MOVED_DIGESTS, **ours}


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
