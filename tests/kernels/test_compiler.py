"""The compiler's report is read right, and what does not compile is an error with the compiler's words."""

from __future__ import annotations

import pytest

from kernels.compiler import CompileError, Compiler, Nvcc, NvrtcCompiler, Resources, find_compiler, parse_report
from kernels.nvrtc import Nvrtc

NVCC_LOG = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function '_Z5firstPf' for 'sm_120'
ptxas info    : Function properties for _Z5firstPf
    104 bytes stack frame, 100 bytes spill stores, 112 bytes spill loads
ptxas info    : Used 128 registers, used 1 barriers, 104 bytes cumulative stack size, 1504 bytes smem
ptxas info    : Compile time = 199.749 ms
ptxas info    : Compiling entry function 'second' for 'sm_120'
ptxas info    : Function properties for second
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 8 registers, used 0 barriers, 388 bytes cmem[0]
"""


@pytest.mark.parametrize("log", [NVCC_LOG, NVCC_LOG.replace("\n    ", "\nptxas         .     ")], ids=["nvcc", "nvrtc"])
def test_parse_report(log: str) -> None:
    expected = {"_Z5firstPf": Resources(128, 1504, 104, 100, 112), "second": Resources(8, 0, 0, 0, 0)}
    assert parse_report(log) == expected


@pytest.mark.parametrize("log", ["", "ptxas info    : 0 bytes gmem", "error: identifier is undefined"])
def test_a_log_without_kernels_reports_none(log: str) -> None:
    assert parse_report(log) == {}


def compilers() -> list[Compiler]:
    found = find_compiler()
    nvrtc = Nvrtc.find()
    every = [found, None if nvrtc is None else NvrtcCompiler(nvrtc)]
    return [compiler for compiler in every if compiler is not None]


@pytest.fixture(params=[Nvcc, NvrtcCompiler])
def compiler(request: pytest.FixtureRequest) -> Compiler:
    for found in compilers():
        if isinstance(found, request.param) and "sm_90" in found.architectures:
            return found
    pytest.skip(f"no compiler for sm_90 by {request.param.__name__}: nvcc on PATH, or an NVRTC library, is needed")


TEXT = """
extern "C" __global__ void plain(float *a) { a[threadIdx.x] *= 2.0f; }
template <class T, bool TWICE> __global__ void shaped(T *a) {
    __shared__ T kept[64];
    kept[threadIdx.x] = a[threadIdx.x];
    __syncthreads();
    a[threadIdx.x] = kept[63 - threadIdx.x] * (TWICE ? 2 : 1);
}
"""


def test_templates_and_plain_kernels_by_name(compiler: Compiler) -> None:
    names = ["plain", "shaped<float, true>", "shaped<double, false>"]
    found = compiler.resources(TEXT, names, ("--std=c++17",), "sm_90")
    assert list(found) == names
    assert [taken.shared_memory_bytes for taken in found.values()] == [0, 256, 512]
    assert all(0 < taken.registers < 32 for taken in found.values())


@pytest.mark.parametrize(
    ("text", "names"),
    [("this is no CUDA C", []), (TEXT, ["absent"]), (TEXT, ["shaped<float, true>", "shaped<float>"])],
)
def test_what_does_not_compile(compiler: Compiler, text: str, names: list[str]) -> None:
    with pytest.raises(CompileError, match="error"):
        compiler.resources(text, names, (), "sm_90")


HUNGRY = """
extern "C" __global__ void hungry(const float *from, float *to) {
    float held[96];
#pragma unroll
    for (int i = 0; i < 96; ++i) held[i] = from[threadIdx.x * 97 + i * 31];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 96; ++i) to[threadIdx.x * 89 + i * 29] = held[95 - i] * held[i];
}
"""


def test_too_few_registers_are_seen_as_spills(compiler: Compiler) -> None:
    enough = compiler.resources(HUNGRY, ["hungry"], (), "sm_90")["hungry"]
    starved = compiler.resources(HUNGRY, ["hungry"], ("-maxrregcount=32",), "sm_90")["hungry"]
    assert (enough.spill_store_bytes, enough.spill_load_bytes) == (0, 0)
    assert starved.registers <= 32 < enough.registers
    assert starved.spill_store_bytes > 0
    assert starved.spill_load_bytes > 0


def test_nothing_found_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(Nvrtc, "find", classmethod(lambda cls: None))
    assert find_compiler() is None
