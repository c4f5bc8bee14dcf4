"""Compiles CUDA C for an architecture without a GPU, by nvcc or else NVRTC, and says what each kernel takes.

CuPy compiles the same text at run time with NVRTC, its flag -ftz=true and the options of the launching module; both
compilers here are given the same. What nvcc adds, host headers, the kernels do not use. NVRTC is told the names of
template kernels; for nvcc a table of their addresses is appended to the text, which has them instantiated too.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kernels.nvrtc import Nvrtc

CUPY_OPTIONS = ("-ftz=true",)
"""What CuPy adds to every module."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a kernel takes: registers a thread, static shared memory a block, and a thread's stack and spills."""

    registers: int
    shared_memory_bytes: int
    stack_bytes: int
    spill_store_bytes: int
    spill_load_bytes: int


class CompileError(Exception):
    """The compiler refused; its words."""


class Compiler(Protocol):
    @property
    def version(self) -> str: ...

    @property
    def architectures(self) -> frozenset[str]:
        """Those that it compiles for: sm_90, …"""
        ...

    def resources(
        self, text: str, names: Sequence[str], options: Sequence[str], architecture: str
    ) -> Mapping[str, Resources]:
        """What each of the kernels `names` takes when `text` is compiled for `architecture`, e.g. sm_90.

        A name is that of an extern "C" or plain kernel, or `kernel<arguments>` as C++ prints it. Raises CompileError,
        also when a kernel is not there.
        """
        ...


def find_compiler() -> Compiler | None:
    """nvcc on PATH, else an NVRTC library, else None."""
    nvcc = shutil.which("nvcc")
    if nvcc and shutil.which("c++filt"):
        return Nvcc(nvcc)
    nvrtc = Nvrtc.find()
    return None if nvrtc is None else NvrtcCompiler(nvrtc)


class Nvcc:
    """The compiler driver at `path`. Needs c++filt, which comes with the host compiler that nvcc needs."""

    def __init__(self, path: str) -> None:
        self._path = path
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"V(\d+\.\d+\.\d+)", told)
        self.version = f"nvcc {found[1] if found else 'of unknown version'}"
        listed = subprocess.run([path, "--list-gpu-code"], capture_output=True, text=True, check=True).stdout
        self.architectures = frozenset(listed.split())

    def resources(
        self, text: str, names: Sequence[str], options: Sequence[str], architecture: str
    ) -> Mapping[str, Resources]:
        addresses = ", ".join(f"(const void *)&{name}" for name in names)
        table = (
            f"\n#pragma nv_diag_suppress 177\nstatic const void *const instances_of_the_report[] = {{{addresses}}};\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "kernels.cu")
            source.write_text(text + table, encoding="utf-8")
            command = [self._path, "-cubin", f"-arch={architecture}", "-Xptxas", "-v", *options, *CUPY_OPTIONS]
            done = subprocess.run(
                [*command, "-o", f"{folder}/kernels.cubin", str(source)], capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise CompileError(done.stderr)
        by_symbol = parse_report(done.stdout + done.stderr)
        demangled = subprocess.run(
            ["c++filt", *by_symbol], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        by_name = {_plain_name(full): by_symbol[symbol] for full, symbol in zip(demangled, by_symbol, strict=True)}
        return _all_of(names, by_name, self.version)


class NvrtcCompiler:
    """The run-time compiler, as CuPy uses it."""

    def __init__(self, library: Nvrtc) -> None:
        self._library = library
        self.version = f"NVRTC {library.version}"
        self.architectures = library.architectures

    def resources(
        self, text: str, names: Sequence[str], options: Sequence[str], architecture: str
    ) -> Mapping[str, Resources]:
        every = [f"--gpu-architecture={architecture}", "--ptxas-options=-v", *options, *CUPY_OPTIONS]
        done = self._library.compile(text, names, every)
        if not done.compiled:
            raise CompileError(done.log)
        by_symbol = parse_report(done.log)
        by_name = {name: by_symbol[symbol] for name, symbol in done.symbols.items() if symbol in by_symbol}
        return _all_of(names, by_name, self.version)


_ENTRY = re.compile(r"Compiling entry function '([^']+)'")
_STACK = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
_USED = re.compile(r"Used (\d+) registers")
_SHARED = re.compile(r"(\d+) bytes smem")


def parse_report(log: str) -> dict[str, Resources]:
    """What `ptxas -v` says of each kernel, by its symbol; both compilers print the same lines."""
    found: dict[str, Resources] = {}
    symbol, stack = "", (0, 0, 0)
    for line in log.splitlines():
        if entry := _ENTRY.search(line):
            symbol, stack = entry[1], (0, 0, 0)
        elif frame := _STACK.search(line):
            stack = (int(frame[1]), int(frame[2]), int(frame[3]))
        elif symbol and (used := _USED.search(line)):
            shared = _SHARED.search(line)
            found[symbol] = Resources(int(used[1]), int(shared[1]) if shared else 0, *stack)
            symbol = ""
    return found


def _plain_name(demangled: str) -> str:
    """`fused_diff<Float32, true>` of `void fused_diff<Float32, true>(Tap const*)`."""
    return demangled.partition("(")[0].removeprefix("void ")


def _all_of(names: Sequence[str], by_name: Mapping[str, Resources], version: str) -> Mapping[str, Resources]:
    absent = [name for name in names if name not in by_name]
    if absent:
        raise CompileError(f"{version} compiled no kernel {', '.join(absent)}; there are {', '.join(by_name)}")
    return {name: by_name[name] for name in names}
