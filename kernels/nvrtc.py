"""The run-time compiler's C interface, where its library is found: beside a CUDA toolkit or in a Python package."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import site
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Compiled:
    """`symbols` maps each name that was asked for to the kernel's mangled symbol; empty if it did not compile."""

    compiled: bool
    log: str
    symbols: Mapping[str, str]


class Nvrtc:
    """A loaded NVRTC library."""

    def __init__(self, path: str | Path) -> None:
        # NVRTC opens its built-ins by their bare name, and finds them beside it only if they are loaded already.
        for builtins in sorted(Path(path).parent.glob("libnvrtc-builtins.so.*")):
            ctypes.CDLL(str(builtins), mode=ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(str(path))
        self._library.nvrtcGetErrorString.restype = ctypes.c_char_p
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._check(self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor)))
        self.version = f"{major.value}.{minor.value}"
        count = ctypes.c_int()
        self._check(self._library.nvrtcGetNumSupportedArchs(ctypes.byref(count)))
        numbers = (ctypes.c_int * count.value)()
        self._check(self._library.nvrtcGetSupportedArchs(numbers))
        self.architectures = frozenset(f"sm_{number}" for number in numbers)

    @classmethod
    def find(cls) -> Nvrtc | None:
        """The first that loads of: what the system's loader knows, CUDA_PATH, /usr/local, the Python packages."""
        for path in _candidates():
            try:
                return cls(path)
            except OSError:
                continue
        return None

    def compile(self, text: str, names: Sequence[str], options: Sequence[str]) -> Compiled:
        program = ctypes.c_void_p()
        library = self._library
        self._check(library.nvrtcCreateProgram(ctypes.byref(program), text.encode(), b"kernels.cu", 0, None, None))
        try:
            for name in names:
                self._check(library.nvrtcAddNameExpression(program, name.encode()))
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            failed = library.nvrtcCompileProgram(program, len(options), given)
            symbols = {} if failed else {name: self._symbol(program, name) for name in names}
            return Compiled(not failed, self._log(program), symbols)
        finally:
            library.nvrtcDestroyProgram(ctypes.byref(program))

    def _symbol(self, program: ctypes.c_void_p, name: str) -> str:
        symbol = ctypes.c_char_p()
        self._check(self._library.nvrtcGetLoweredName(program, name.encode(), ctypes.byref(symbol)))
        return (symbol.value or b"").decode()

    def _log(self, program: ctypes.c_void_p) -> str:
        size = ctypes.c_size_t()
        self._check(self._library.nvrtcGetProgramLogSize(program, ctypes.byref(size)))
        log = ctypes.create_string_buffer(size.value)
        self._check(self._library.nvrtcGetProgramLog(program, log))
        return log.value.decode(errors="replace")

    def _check(self, answer: int) -> None:
        if answer:
            raise RuntimeError(f"NVRTC answers: {self._library.nvrtcGetErrorString(answer).decode()}")


def _candidates() -> Iterator[str | Path]:
    known = ctypes.util.find_library("nvrtc")
    if known:
        yield known
    roots = [Path(root) for root in (os.environ.get("CUDA_PATH"), "/usr/local/cuda") if root]
    folders = [root / "lib64" for root in roots]
    packages = [Path(folder, "nvidia") for folder in (*site.getsitepackages(), site.getusersitepackages())]
    folders += [folder for package in packages for folder in sorted(package.glob("*/lib"), reverse=True)]
    for folder in folders:
        yield from sorted(folder.glob("libnvrtc.so.*"), reverse=True)
