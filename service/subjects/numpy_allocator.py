"""Sees every allocation of NumPy arrays in this thread, through NumPy's own interface for data allocators (NEP 49).

`tracemalloc` knows what is allocated but not what was for a moment: it cannot say that a step allocates and frees what
another does not. NumPy's handler can. It is reached with ctypes through `_ARRAY_API`, whose layout is NumPy's stable
binary interface; the indices are those of `numpy/__multiarray_api.h` since 1.22.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np

SET_HANDLER = 304
_CAPSULE_NAME = b"mem_handler"


class Journal(Protocol):
    """Who is told of each allocation and release."""

    def malloc(self, size_bytes: int) -> None: ...

    def free(self, size_bytes: int) -> None: ...


_Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Calloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_Realloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Allocator(ctypes.Structure):
    _fields_ = (
        ("ctx", ctypes.c_void_p),
        ("malloc", _Malloc),
        ("calloc", _Calloc),
        ("realloc", _Realloc),
        ("free", _Free),
    )


class _Handler(ctypes.Structure):
    """`PyDataMem_Handler`, version 1."""

    _fields_ = (("name", ctypes.c_char * 127), ("version", ctypes.c_uint8), ("allocator", _Allocator))


def _libc() -> Any:
    libc = ctypes.CDLL(None)
    for name, result, arguments in (
        ("malloc", ctypes.c_void_p, (ctypes.c_size_t,)),
        ("calloc", ctypes.c_void_p, (ctypes.c_size_t, ctypes.c_size_t)),
        ("realloc", ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_size_t)),
        ("free", None, (ctypes.c_void_p,)),
    ):
        function = getattr(libc, name)
        function.restype, function.argtypes = result, arguments
    return libc


class NumpyAllocator:
    """A context in which the journal hears of this thread's arrays. Arrays made in it keep it in use when it is left,
    so it stays alive as long as the process, which should end without Python's own teardown: meant for one of its own.
    """

    _kept: list[Any] = []  # noqa: RUF012 - what NumPy's arrays point to must outlive them all

    def __init__(self, journal: Journal) -> None:
        libc, sizes = _libc(), dict[int, int]()

        def noted(address: int | None, size: int) -> int | None:
            if address:
                sizes[address] = size
                journal.malloc(size)
            return address

        def forget(address: int | None) -> None:
            if address:
                journal.free(sizes.pop(address, 0))

        def moved(_: Any, old: int | None, size: int) -> int | None:
            address = libc.realloc(old, size)
            if address:
                forget(old)
            return noted(address, size)

        def free(_: Any, address: int | None, __: int) -> None:
            forget(address)
            libc.free(address)

        allocator = _Allocator(
            None,
            _Malloc(lambda _, size: noted(libc.malloc(size), size)),
            _Calloc(lambda _, count, each: noted(libc.calloc(count, each), count * each)),
            _Realloc(moved),
            _Free(free),
        )
        self._handler = _Handler(b"lockstep_journal", 1, allocator)
        make = ctypes.pythonapi.PyCapsule_New
        make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self._capsule = make(ctypes.addressof(self._handler), _CAPSULE_NAME, None)
        self._kept.append((self._handler, self._capsule, allocator))

    def __enter__(self) -> None:
        self._before = _set_handler(self._capsule)

    def __exit__(self, *_: object) -> None:
        _set_handler(self._before)


def _set_handler(capsule: Any) -> Any:
    """Make it this thread's handler and return the one that was."""
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    api: Any = np._core.multiarray._ARRAY_API  # type: ignore[attr-defined]
    table = ctypes.cast(pointer(api, None), ctypes.POINTER(ctypes.c_void_p))
    function = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[SET_HANDLER])
    return function(capsule)
